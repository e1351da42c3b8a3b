"""``hypercache convert``: files of data from one format into another."""

import gc
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import trio

from hypercache import commands
from hypercache.cli.files import formats
from hypercache.cli.progress import ProgressBar, shown_progress
from hypercache.cli.usage import UsageError, option, positional
from hypercache.config import Configuration, Settings
from hypercache.engine.engine import Engine, Reporter
from hypercache.engine.registry import Registry
from hypercache.extensions import BACKENDS
from hypercache.keyspace.clock import Chance, Clock
from hypercache.observability.logs import follow
from hypercache.persistence.capture import Capture
from hypercache.persistence.encoder import Encoder
from hypercache.persistence.errors import LoadError, SaveError
from hypercache.persistence.loader import Loader
from hypercache.persistence.tools import FileTools
from hypercache.supervision import Supervisor, load_plugin

# More have hardly any files; a database without keys costs next to nothing.
_DATABASES: Final = 4096


def convert(words: Sequence[str]) -> int:
    """Write what a file or folder holds to a new one of another format; the exit status."""
    words, wanted = option(words, "--to")
    words, version = option(words, "--rdb-version")
    source, target = map(Path, positional(words, 2, 2))
    known = formats()
    writer = _writer(known, target, wanted)
    if version is not None:
        writer.rdb_version = _version(version)
    if target.exists():
        raise SaveError(f"{target} is there already: move it away, or name another file")
    if not source.exists():
        raise LoadError(f"{source} is not there")
    reader = next((tools for tools in known.values() if tools.recognizes(source)), None)
    if reader is None:
        raise LoadError(f"{source} is in none of the formats {', '.join(sorted(known))}")
    with shown_progress() as progress:
        loader = _run(lambda engine: _convert(engine, reader, source, writer, target, progress))
    dropped = f" ({loader.expired} expired ones were left out)" if loader.expired else ""
    print(f"{source} ({reader.format}): {loader.keys} keys{dropped}")
    print(f"{target} ({writer.format}): written")
    return 0


def _writer(known: dict[str, FileTools], target: Path, wanted: str | None) -> FileTools:
    """The tools of the format that is asked for, or that the target's name tells."""
    names = ", ".join(sorted(known))
    if wanted is not None:
        if wanted not in known:
            raise UsageError(f"there is no format {wanted!r} (there are: {names})")
        return known[wanted]
    for tools in known.values():
        if tools.suffix and target.name.endswith(tools.suffix):
            return tools
    raise UsageError(f"the name {target.name!r} tells no format: say --to ({names})")


def _version(text: str) -> int:
    if text not in ("10", "11"):
        raise UsageError("--rdb-version is 10 (Redis 7.0) or 11 (Redis 7.2)")
    return int(text)


def _convert(
    engine: Engine,
    reader: FileTools,
    source: Path,
    writer: FileTools,
    target: Path,
    progress: ProgressBar,
) -> Loader:
    loader = Loader(engine)
    loader.begin()
    reader.load(source, loader, progress)
    loader.end()

    def capture(encoder: Encoder) -> Capture:
        return Capture(engine, encoder)

    writer.save(target, capture, progress)
    return loader


def _run(work: Callable[[Engine], Loader]) -> Loader:
    """Do something with an engine that has all commands, and functions, but no clients."""
    settings = Settings(loglevel="nothing", databases=_DATABASES, plugins={"scripting": {}})
    configuration = Configuration(settings)
    follow(configuration)
    registry = Registry()
    commands.load(registry)
    backend = BACKENDS.make("memory", BACKENDS.load(BACKENDS.find("memory")), {})
    engine = Engine(backend, _DATABASES, registry, configuration, Clock(), Chance(0), Reporter())
    collects = gc.isenabled()
    gc.disable()  # there will be no cycles, but millions of objects to look through for them
    try:
        return trio.run(_with_functions, engine, work)
    finally:
        engine.close()
        if collects:
            gc.enable()


async def _with_functions(engine: Engine, work: Callable[[Engine], Loader]) -> Loader:
    supervisor = Supervisor(engine, {"scripting": load_plugin("scripting", {})}, ".")
    failure: LoadError | SaveError | KeyboardInterrupt | None = None
    loader = Loader(engine)
    async with trio.open_nursery() as nursery:
        await supervisor.start(nursery)
        try:
            loader = work(engine)
        except (LoadError, SaveError, KeyboardInterrupt) as error:
            failure = error  # to be raised as it is, not in a group
        await supervisor.stop()
    if failure is not None:
        raise failure
    return loader
