"""What we have of Redis 7.2.6, measured by what a redis-server says of itself.

``docs/compatibility/redis-7.2.6.json`` is the record (`tests.support.record_server`),
``docs/compatibility/differences.yaml`` has the reason for everything that is missing or
different, and ``docs/compatibility.md`` is made of both and of our own declarations.
"""

import json
import pkgutil
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import yaml

from hypercache.commands import load
from hypercache.config import BY_NAME
from hypercache.engine.command import declared_in
from hypercache.engine.documentation import command_docs, command_info
from hypercache.engine.information import SECTIONS
from hypercache.engine.registry import Registry
from hypercache.testing.engine import EngineHarness
from tests.support.metadata import flatten, read

ROOT: Final = Path(__file__).resolve().parents[2]
FOLDER: Final = ROOT / "docs/compatibility"
RECORD: Final = FOLDER / "redis-7.2.6.json"
REASONS: Final = FOLDER / "differences.yaml"

Plain = dict[str, Any]

#: How fields of INFO begin that name a command, an error, a listener or a database.
VARIABLE: Final = ("cmdstat_", "latency_percentiles_usec_", "errorstat_", "listener", "db")

_EFFECTS: Final = {
    "active": "in effect",
    "ignored": "accepted, without effect",
    "later": "accepted, not used yet",
}


def plugin_modules() -> Iterator[str]:
    """The names of all modules of our plugins."""
    for folder in sorted((ROOT / "plugins").glob("hypercache_*")):
        yield folder.name
        for module in pkgutil.walk_packages([str(folder)], f"{folder.name}."):
            yield module.name


def full_registry() -> Registry:
    """The commands of the core and of every plugin of ours."""
    registry = Registry()
    load(registry)
    for name in plugin_modules():
        import_module(name)
        registry.add(declared_in(name))
    return registry


def our_commands() -> dict[str, Plain]:
    """The metadata of our commands and sub-commands, by name."""
    found: dict[str, Plain] = {}
    for command in full_registry().commands():
        info, docs = flatten(command_info(command)), flatten(command_docs(command))
        for each in read(info, docs, display=False):
            found[each.name] = each.plain()
    return found


def our_fields() -> dict[str, set[str]]:
    """The names of INFO's fields in the core, by section."""
    engine = EngineHarness().engine
    return {
        name: {field for field in section(engine) if not field.startswith(VARIABLE)}
        for name, section in SECTIONS.items()
    }


class Comparison:
    """Ours beside Redis'. ``missing`` and ``changed`` are what needs a reason.

    ``changed`` has the names of the fields of metadata that differ, by command.
    """

    def __init__(self) -> None:
        record = json.loads(RECORD.read_text("utf-8"))
        self.reasons: Plain = yaml.safe_load(REASONS.read_text("utf-8"))
        self.theirs: dict[str, Plain] = record["commands"]
        self.ours = our_commands()
        self.missing = sorted(set(self.theirs) - set(self.ours))
        self.changed: dict[str, list[str]] = {}
        for name in sorted(set(self.ours) & set(self.theirs)):
            fields = [
                each for each in self.ours[name] if self.ours[name][each] != self.theirs[name][each]
            ]
            if fields:
                self.changed[name] = fields
        self.settings: list[str] = record["settings"]
        self.unknown_settings = sorted(set(self.settings) - set(BY_NAME))
        ours = our_fields()
        self.missing_fields = sorted(
            field
            for section, fields in record["info"].items()
            for field in set(fields) - ours[section]
        )
        theirs = {name: set(fields) for name, fields in record["info"].items()}
        self.added_fields = {
            name: sorted(fields - theirs.get(name, set())) for name, fields in ours.items()
        }

    def why_missing(self, name: str) -> str:
        """The reason for which a command is missing, from its own entry or its container's."""
        wanted: dict[str, str] = self.reasons["missing"]
        return wanted.get(name) or wanted.get(name.partition("|")[0], "")

    def why_changed(self, name: str, field: str) -> str:
        """The reason for which a command's metadata differ in a field."""
        return str(self.reasons["metadata"].get(name, {}).get(field, ""))

    def status(self, name: str) -> tuple[str, str]:
        """A command's status, and what is to be said of it."""
        if name in self.missing:
            return "not yet", self.why_missing(name)
        behaviour: dict[str, str] = self.reasons["behaviour"]
        notes = [behaviour.get(name) or behaviour.get(name.partition("|")[0], "")]
        notes += [
            f"{field}: {self.why_changed(name, field)}" for field in self.changed.get(name, [])
        ]
        if name not in self.theirs:
            return "ours", str(self.reasons["ours"].get(name.partition("|")[0], ""))
        return ("different" if any(notes) else "as in Redis"), "; ".join(filter(None, notes))


HEAD: Final = """\
# Compatibility

Generated (`make docs`) from our declarations, what redis-server 7.2.6 says of itself
(`docs/compatibility/redis-7.2.6.json`: COMMAND, COMMAND DOCS, CONFIG GET, INFO) and the reasons in
`docs/compatibility/differences.yaml`. A test fails when a difference has no reason, or a reason no
difference. *As in Redis* means: name, arity, flags, key positions, ACL categories, tips, group,
version and arguments are the same, and behaviour is tested against redis-server.
"""


def page() -> str:
    """The text of ``docs/compatibility.md``."""
    comparison = Comparison()
    lines = [HEAD, *counts(comparison)]
    lines += ["## Commands", ""]
    groups: dict[str, list[str]] = {}
    every = {**comparison.ours, **comparison.theirs}
    for name, metadata in every.items():
        groups.setdefault(metadata["group"], []).append(name)
    for group in sorted(groups):
        lines += [f"### {group.capitalize()}", "", "| Command | Status | |", "|---|---|---|"]
        for name in sorted(groups[group]):
            status, note = comparison.status(name)
            lines.append(f"| {title(name)} | {status} | {note.replace('|', chr(92) + '|')} |")
        lines.append("")
    for section in (behaviours, settings, information):
        lines += section(comparison)
    return "\n".join(lines)


def title(name: str) -> str:
    """A command as people write it."""
    return name.replace("|", " ").upper()


def counts(comparison: Comparison) -> Iterator[str]:
    """How many commands have which status."""
    found: dict[str, int] = {}
    for name in comparison.theirs | comparison.ours:
        status = comparison.status(name)[0]
        found[status] = found.get(status, 0) + 1
    yield f"Commands and sub-commands of Redis 7.2.6: {len(comparison.theirs)}."
    yield ""
    yield "| Status | Number |"
    yield "|---|---|"
    for status in ("as in Redis", "different", "not yet", "ours"):
        yield f"| {status} | {found.get(status, 0)} |"
    yield ""


def behaviours(comparison: Comparison) -> Iterator[str]:
    """What the server does otherwise, beyond single commands."""
    yield "## Behaviour"
    yield ""
    for each in comparison.reasons["general"]:
        yield f"- {each}"
    yield ""


def settings(comparison: Comparison) -> Iterator[str]:
    """The directives of Redis, by what becomes of them here."""
    found: dict[str, list[str]] = {effect: [] for effect in _EFFECTS}
    for name in comparison.settings:
        if name in BY_NAME:
            found[BY_NAME[name].effect].append(name)
    yield "## Settings"
    yield ""
    yield f"CONFIG GET of Redis 7.2.6 shows {len(comparison.settings)} directives."
    yield ""
    for effect, words in _EFFECTS.items():
        names = ", ".join(f"`{name}`" for name in found[effect])
        yield f"**{words[0].upper() + words[1:]}** ({len(found[effect])}): {names}."
        yield ""
    for name in comparison.unknown_settings:
        yield f"- `{name}` is unknown: {comparison.reasons['settings'].get(name, '')}"


def information(comparison: Comparison) -> Iterator[str]:
    """The fields of INFO that only one side has."""
    yield "## INFO"
    yield ""
    for field in comparison.missing_fields:
        yield f"- `{field}` is left out: {comparison.reasons['information'].get(field, '')}"
    yield ""
    yield "Fields that Redis 7.2.6 does not have:"
    yield ""
    for section, fields in comparison.added_fields.items():
        if fields:
            yield f"- {section}: " + ", ".join(f"`{field}`" for field in fields)
    yield ""
