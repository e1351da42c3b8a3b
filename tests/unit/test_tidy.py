"""Tidiness: who may import whom, how long things may be, and what nobody needs any more.

Each rule is a function from sources to complaints, and is itself tested with sources that
break it. Exceptions are listed with their reason; one that is not needed any more fails.
"""

import ast
import re
import subprocess
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.support.sources import EXAMPLES, ROOT, Source, all_sources

MAX_FILE = 500
MAX_FUNCTION = 60

# Files that may be longer, with the reason: a bound, not a licence.
LONG_FILES = {
    "tests/contract/broken.py": 560,  # a catalogue of bugs, each a few lines
}
# Functions that may be longer, likewise.
LONG_FUNCTIONS = {
    "hypercache/engine/engine.py:__init__": 80,  # mypyc wants every attribute declared here
    "hypercache/protocol/parser.py:next": 70,  # a call a byte would cost more than it explains
}

# What each part of the server may import of the others, as DESIGN has it. "hypercache" is
# the version in the package itself.
LAYERS: dict[str, set[str]] = {
    "protocol": set(),
    "observability": set(),
    "values": set(),
    "files": set(),
    "filters": set(),
    "listpack": set(),
    "streams": {"values"},
    "backend": {"backend_entries", "backend_tools", "streams", "values"},
    "backend_entries": set(),
    "backend_tools": set(),
    "reply": {"protocol"},
    "keyspace": {
        "backend",
        "backend_tools",
        "filters",
        "hypercache",
        "listpack",
        "reply",
        "streams",
        "values",
    },
    "policies": {"backend", "keyspace"},
    "eviction": {"backend", "keyspace"},
    "config": {"files", "keyspace", "observability", "protocol"},
    "engine": {"backend", "files", "hypercache", "keyspace", "protocol", "reply"},
    "group_commit": {"engine"},
    "durability": {"backend", "engine", "group_commit"},
    "shutdown": {"engine", "observability", "persistence", "reply"},
    "oom_score": {"config"},
    "rdb": {"backend", "keyspace", "streams", "values"},
    "commands": {
        "backend",
        "config",
        "engine",
        "keyspace",
        "persistence",
        "rdb",
        "reply",
        "stores",
        "streams",
        "values",
    },
    "stores": {"backend", "config", "engine", "extensions", "keyspace", "reply"},
    "persistence": {"backend", "backend_tools", "engine", "keyspace", "rdb", "reply"},
    "plugin": {"backend", "config", "engine", "keyspace", "persistence", "protocol", "reply"},
    "extensions": {"backend", "backend_tools", "keyspace", "plugin"},
    "supervision": {
        "backend",
        "config",
        "engine",
        "extensions",
        "keyspace",
        "observability",
        "persistence",
        "plugin",
    },
    "transport": {"engine"},
    "wiring": {"config", "engine", "transport"},
    "server": {
        "backend",
        "commands",
        "config",
        "durability",
        "engine",
        "extensions",
        "hypercache",
        "keyspace",
        "observability",
        "oom_score",
        "shutdown",
        "stores",
        "supervision",
        "transport",
        "wiring",
    },
    "cli": {
        "backend",
        "backend_tools",
        "commands",
        "config",
        "engine",
        "extensions",
        "hypercache",
        "keyspace",
        "observability",
        "persistence",
        "server",
        "supervision",
        "transport",
    },
    "__main__": {"cli"},
    # What outsiders test with: it starts everything, and knows our own memory backend.
    "testing": {
        "backend",
        "backend_tools",
        "commands",
        "config",
        "engine",
        "extensions",
        "hypercache_memory",
        "keyspace",
        "server",
        "streams",
        "values",
    },
    "hypercache": set(),
}
# What they may import besides for annotations alone: an object that is handed to them.
TYPES_ONLY: dict[str, set[str]] = {
    "engine": {"config", "persistence"},
    "observability": {"config"},
    "transport": {"config"},
    "wiring": {"server"},
}
# Backends know the contract; those over an ordered store also the small one beneath it.
BACKEND_MAY_IMPORT = re.compile(
    r"hypercache\.(backend|backend_tools|listpack|streams|values)(\.|$)"
    r"|hypercache\.keyspace\.(ordered|kv_)"
)
# Plugins know the contract and what goes through it.
PLUGIN_MAY_IMPORT = re.compile(
    r"hypercache\.(plugin|backend|backend_tools|config|files|reply|rdb|keyspace|engine"
    r"|group_commit|observability|persistence|protocol|streams|values|__version__)(\.|$)"
)
# Loaded by name: the command line, the modules of commands, fixtures for pytest.
LOADED_BY_NAME = re.compile(
    r"hypercache\.__main__|hypercache\.commands\.\w+|tests(\.\w+)*\.(test_\w+|conftest)|setup"
)
# For outsiders alone: what authors of backends build on.
FOR_OUTSIDERS = {"hypercache.eviction", "hypercache.keyspace.kv_backend"}

SUPPRESSION = re.compile(r"#.*\b(noqa|type: *ignore)\b")
NOQA = re.compile(r"#.*\bnoqa\b")
NOQA_WITH_CODE = re.compile(r"# (ruff: )?noqa: [A-Z]+[0-9]+(, [A-Z]+[0-9]+)*( - .+| \(.+\))?$")
IGNORE = re.compile(r"#.*\btype: *ignore\b")
IGNORE_WITH_CODE = re.compile(r"# type: ignore\[[a-z-]+(, [a-z-]+)*\]( - .+)?$")
LATER = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
# How many there may be; whoever raises this says why in the commit.
SUPPRESSIONS = {"noqa": 25, "type: ignore": 10}

MACHINE_PATH = re.compile(r"(?<![\w.])/(work|root|home/\w+|Users/\w+|opt/dev|opt/redis)\b")


def part_of(module: str) -> str:
    """The part of the server that a module belongs to; other packages are their own."""
    words = module.split(".")
    return words[1] if words[0] == "hypercache" and len(words) > 1 else words[0]


@pytest.fixture(scope="module")
def sources() -> list[Source]:
    return all_sources()


def source(module: str, text: str) -> Source:
    """A source that is not there."""
    return Source(module, Path(module.replace(".", "/") + ".py"), text)


def folders(name: str) -> set[str]:
    """The packages in ``backends`` or ``plugins``, and the modules of examples of such."""
    found = {each.parent.name for each in (ROOT / name).glob("*/__init__.py")}
    for project in EXAMPLES:
        found |= modules_named(project, f"hypercache.{name}")
    return found


def modules_named(project: Path, group: str = "") -> set[str]:
    """The modules that a project's entry points name, all or those of one group."""
    data = tomllib.loads((project / "pyproject.toml").read_text("utf-8"))["project"]
    groups = data.get("entry-points", {}) | {"scripts": data.get("scripts", {})}
    chosen = [groups.get(group, {})] if group else groups.values()
    return {place.partition(":")[0] for points in chosen for place in points.values()}


# Layers ----------------------------------------------------------------------------------------


def wrong_imports(sources: list[Source], modules: set[str]) -> Iterator[str]:
    """Imports that the layers forbid; ``modules`` are all that there are."""
    backends, plugins = folders("backends"), folders("plugins")
    ours = {"hypercache", *backends, *plugins}
    for each in sources:
        words = each.module.split(".")
        for found in each.imports:
            if found.module.split(".")[0] not in ours:
                continue
            target = part_of(module_of(found.module, modules))
            where = f"{each.place}:{found.line} imports {found.module}"
            if words[0] == "hypercache":
                mine = part_of(each.module)
                allowed = LAYERS[mine] | {mine}
                if found.types_only:
                    allowed |= TYPES_ONLY.get(mine, set())
                if target not in allowed:
                    yield where
            elif words[0] in backends:
                if target != words[0] and not BACKEND_MAY_IMPORT.match(found.module):
                    yield where
            elif words[0] in plugins:
                if target != words[0] and not PLUGIN_MAY_IMPORT.match(found.module):
                    yield where


def module_of(name: str, modules: set[str]) -> str:
    """The module that a name is, or is in."""
    return name if name in modules else name.rpartition(".")[0] or name


@pytest.fixture(scope="module")
def modules(sources: list[Source]) -> set[str]:
    return {each.module for each in sources}


def test_layers(sources: list[Source], modules: set[str]) -> None:
    assert list(wrong_imports(sources, modules)) == []


@pytest.mark.parametrize(
    ("module", "text"),
    [
        ("hypercache.protocol.x", "from hypercache.reply import OK"),
        ("hypercache.protocol.x", "import hypercache.engine.engine"),
        ("hypercache.protocol.x", "from hypercache import __version__"),
        ("hypercache.commands.x", "from hypercache.protocol.writer import encode"),
        ("hypercache.commands.x", "def f():\n    from hypercache.transport import tls"),
        ("hypercache.keyspace.x", "from hypercache.engine import engine"),
        ("hypercache.keyspace.x", "from ..commands import strings"),
        ("hypercache.engine.x", "from hypercache.config import Settings"),
        ("hypercache.engine.x", "if TYPE_CHECKING:\n    from hypercache.server import Server"),
        ("hypercache.server.x", "from hypercache_memory import MemoryBackend"),
        ("hypercache_memory.x", "from hypercache.engine.engine import Engine"),
        ("hypercache_memory.x", "from hypercache.keyspace.keyspace import Keyspace"),
        ("hypercache_sqlite", "from hypercache.server import Server"),
        ("hypercache_tally", "from hypercache.commands.arguments import parse_integer"),
    ],
)
def test_wrong_import_is_found(modules: set[str], module: str, text: str) -> None:
    assert len(list(wrong_imports([source(module, text)], modules))) == 1


@pytest.mark.parametrize(
    ("module", "text"),
    [
        ("hypercache.engine.x", "if TYPE_CHECKING:\n    from hypercache.config import Settings"),
        ("hypercache.engine.x", "from hypercache import __version__"),
        ("hypercache.engine.x", "from . import engine"),
        ("hypercache_memory.x", "from hypercache.keyspace.ordered import OrderedKV"),
        ("hypercache_memory.x", "from hypercache_memory.values import x\nimport os"),
    ],
)
def test_right_import_is_let_pass(modules: set[str], module: str, text: str) -> None:
    assert list(wrong_imports([source(module, text)], modules)) == []


def test_layers_have_no_way_back() -> None:
    """Imports that run form no circle, so each part can be understood after those below it."""
    done: set[str] = set()
    rest = {name: {each for each in below if each in LAYERS} for name, below in LAYERS.items()}
    while ready := [name for name, below in rest.items() if below <= done]:
        for name in ready:
            done.add(name)
            del rest[name]
    assert rest == {}


def test_every_part_has_its_layer() -> None:
    parts = {
        each.stem if each.is_file() else each.name
        for each in (ROOT / "hypercache").iterdir()
        if each.suffix == ".py" or (each / "__init__.py").exists()
    }
    assert parts - {"__init__"} == set(LAYERS) - {"hypercache"}


def forbidden_modules(sources: list[Source]) -> Iterator[str]:
    """Trio is what we run on, and outside data is never unpickled."""
    for each in sources:
        for found in each.imports:
            if found.module.split(".")[0] in ("asyncio", "pickle", "marshal", "shelve"):
                yield f"{each.place}:{found.line} imports {found.module}"


def test_nobody_imports_asyncio_or_pickle(sources: list[Source]) -> None:
    assert list(forbidden_modules(sources)) == []
    assert len(list(forbidden_modules([source("x", "import asyncio.events, pickle")]))) == 2


# Length ----------------------------------------------------------------------------------------


def too_long(
    lengths: Mapping[str, int], limit: int, exceptions: Mapping[str, int]
) -> Iterator[str]:
    """What is longer than it may be, and exceptions that nothing needs."""
    for name, length in lengths.items():
        if length > exceptions.get(name, limit):
            yield f"{name} has {length} lines, more than {exceptions.get(name, limit)}"
    for name in exceptions:
        if lengths.get(name, 0) <= limit:
            yield f"the exception for {name} is not needed any more"


def test_length_of_files(sources: list[Source]) -> None:
    lengths = {each.place: each.length for each in sources}
    assert list(too_long(lengths, MAX_FILE, LONG_FILES)) == []


def test_length_of_functions(sources: list[Source]) -> None:
    lengths: dict[str, int] = {}
    for each in sources:
        for name, length in each.functions():
            place = f"{each.place}:{name}"
            lengths[place] = max(length, lengths.get(place, 0))
    assert list(too_long(lengths, MAX_FUNCTION, LONG_FUNCTIONS)) == []


def test_what_is_too_long_is_found() -> None:
    assert len(list(too_long({"a": 11}, 10, {}))) == 1
    assert len(list(too_long({"a": 13}, 10, {"a": 12}))) == 1
    assert len(list(too_long({"a": 10}, 10, {"a": 12}))) == 1
    assert list(too_long({"a": 12, "b": 10}, 10, {"a": 12})) == []


def test_docstring_does_not_count_as_length() -> None:
    text = 'def f():\n    """One.\n\n    Two.\n    """\n    return 1\n'
    assert list(source("x", text).functions()) == [("f", 2)]


# Everything has a purpose ------------------------------------------------------------------------


def test_every_module_says_what_it_is(sources: list[Source]) -> None:
    silent = [
        each.place for each in sources if each.text.strip() and not ast.get_docstring(each.tree)
    ]
    assert silent == []


def entry_points() -> set[str]:
    """The modules that pyproject.toml and those of the examples name."""
    return {module for project in (ROOT, *EXAMPLES) for module in modules_named(project)}


def dead_modules(sources: list[Source], entries: set[str]) -> Iterator[str]:
    """Modules that nobody imports and nothing loads by name.

    What tests import counts for the kits in ``hypercache.testing`` and for tests themselves.
    """
    imported = set(entries)
    imported_by_tests: set[str] = set()
    for each in sources:
        for found in each.imports:
            names = {found.module, found.module.rpartition(".")[0]} - {each.module}
            if each.module.startswith("tests"):
                imported_by_tests |= names
            else:
                imported |= names
    for each in sources:
        name = each.module
        if each.path.name == "__init__.py" or LOADED_BY_NAME.fullmatch(name):
            continue
        if name in FOR_OUTSIDERS:
            continue
        used = imported
        if name.startswith(("hypercache.testing", "tests")):
            used = imported | imported_by_tests
        is_script = 'if __name__ == "__main__":' in each.text
        if name not in used and not is_script:
            yield each.place


def test_no_dead_modules(sources: list[Source]) -> None:
    assert list(dead_modules(sources, entry_points())) == []


def test_dead_module_is_found() -> None:
    sources = [
        source("hypercache.used", ""),
        source("hypercache.dead", "import hypercache.used"),
        source("hypercache.tested", ""),
        source("tests.unit.test_x", "from hypercache import tested"),
        source("tests.support.unused", ""),
    ]
    dead = ["hypercache/dead.py", "hypercache/tested.py", "tests/support/unused.py"]
    assert list(dead_modules(sources, set())) == dead
    assert list(dead_modules(sources, {"hypercache.dead"})) == dead[1:]


# Comments ----------------------------------------------------------------------------------------


def bare_suppressions(sources: list[Source]) -> Iterator[str]:
    """Suppressed complaints that do not say which."""
    for each in sources:
        for line, comment in each.comments(SUPPRESSION):
            if (NOQA.match(comment) and not NOQA_WITH_CODE.search(comment)) or (
                IGNORE.match(comment) and not IGNORE_WITH_CODE.search(comment)
            ):
                yield f"{each.place}:{line}: {comment}"


def test_suppressions_say_what_they_suppress(sources: list[Source]) -> None:
    assert list(bare_suppressions(sources)) == []


@pytest.mark.parametrize("comment", ["# noqa", "# type: ignore", "# noqa:BLE001", "# x noqa"])
def test_bare_suppression_is_found(comment: str) -> None:
    assert len(list(bare_suppressions([source("x", f"a = 1  {comment}\n")]))) == 1


def test_suppressions_do_not_spread(sources: list[Source]) -> None:
    counts: Counter[str] = Counter()
    for each in sources:
        for _, comment in each.comments(SUPPRESSION):
            counts["noqa"] += bool(NOQA.match(comment))
            counts["type: ignore"] += bool(IGNORE.match(comment))
    assert counts["noqa"] <= SUPPRESSIONS["noqa"]
    assert counts["type: ignore"] <= SUPPRESSIONS["type: ignore"]


def test_nothing_is_left_for_later(sources: list[Source]) -> None:
    late = [
        f"{each.place}:{line}: {comment}"
        for each in sources
        for line, comment in each.comments(LATER)
    ]
    assert late == []


def test_no_paths_of_somebodys_machine() -> None:
    """In no file of the project, whatever its kind."""
    names = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split("\0")
    found = []
    for name in filter(None, names):
        path = ROOT / name
        if not path.is_file():
            continue
        for number, line in enumerate(path.read_text("utf-8", "replace").splitlines(), 1):
            if MACHINE_PATH.search(line) and name != "tests/unit/test_tidy.py":
                found.append(f"{name}:{number}: {line.strip()}")
    assert found == []
