"""Stores as the configuration, the state file and STORES speak of them: rules by their names.

A definition maps names of rules to values in one form: ``database`` and ``max-memory`` are
integers, ``backend-settings`` is a mapping, all else a text.
"""

import json
import re
from collections.abc import Mapping as Entries
from pathlib import Path
from typing import Any, Final

from hypercache.config.errors import ConfigError
from hypercache.config.kinds import INT_MAX, LONG_MAX, Choice, Kind, Memory, Number, Text
from hypercache.config.mappings import Mapping, Plugins, format_value
from hypercache.files import replace_file

Definition = dict[str, object]

NAME: Final = "name"
DATABASE: Final = "database"
BACKEND: Final = "backend"
BACKEND_SETTINGS: Final = "backend-settings"
MAX_MEMORY: Final = "max-memory"
POLICY: Final = "policy"
DEFAULT_EXPIRY: Final = "default-expiry"
LOOKUP_FILTER: Final = "lookup-filter"

_VERSION: Final = 1
_NAME: Final = re.compile("[A-Za-z_][A-Za-z0-9_-]{0,63}", re.ASCII)
_DURATION: Final = re.compile("([0-9]{1,18})(ms|s|m|h|d)?", re.ASCII)
_MILLISECONDS: Final = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
# A hundred years: with it a deadline stays far from the end of the numbers.
_LONGEST: Final = 100 * 365 * _MILLISECONDS["d"]


def check_name(name: str) -> None:
    """Raise `ConfigError` unless a name is one for a store: none that could be a number."""
    if not _NAME.fullmatch(name):
        raise ConfigError(
            "a store's name has up to 64 letters, digits, '_' and '-', and begins with a letter"
        )


class Duration(Kind[str]):
    """A time: seconds, or a number with one of the units ms, s, m, h, d; 0 is none."""

    def parse(self, words: list[str], current: str, fresh: bool) -> str:
        return duration(milliseconds(words[0].lower()))

    def show(self, value: str) -> str:
        return value

    def allowed(self) -> str:
        return "seconds, or a number with ms, s, m, h or d"


def milliseconds(text: str) -> int:
    """What a text means as a time; raises `ConfigError`."""
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ConfigError("argument must be a time: seconds, or a number with ms, s, m, h or d")
    time = int(match[1]) * _MILLISECONDS[match[2] or "s"]
    if time > _LONGEST:
        raise ConfigError("argument must be a time of at most 100 years")
    return time


def duration(time: int) -> str:
    """Milliseconds as a text: in the largest unit that divides them."""
    if time == 0:
        return "0"
    unit = max(
        (u for u, size in _MILLISECONDS.items() if time % size == 0), key=_MILLISECONDS.__getitem__
    )
    return f"{time // _MILLISECONDS[unit]}{unit}"


#: What may be said of a store, beside its name.
RULES: Final[Entries[str, Kind[Any]]] = {
    DATABASE: Number(0, INT_MAX),
    BACKEND: Text(),
    BACKEND_SETTINGS: Mapping(),
    MAX_MEMORY: Memory(0, LONG_MAX),
    POLICY: Text(),
    DEFAULT_EXPIRY: Duration(),
    LOOKUP_FILTER: Choice(("default", "yes", "no")),
}
#: What it is when nothing is said; a store needs a database, and no settings of no backend.
DEFAULTS: Final[Entries[str, object]] = {
    BACKEND: "",
    MAX_MEMORY: 0,
    POLICY: "",
    DEFAULT_EXPIRY: "0",
    LOOKUP_FILTER: "default",
}


def parse_rule(name: str, value: object) -> object:
    """The value of a rule in its one form, from a text or what YAML and JSON have of it.

    Raises `ConfigError`.
    """
    kind = RULES.get(name)
    if kind is None:
        raise ConfigError(f"a store has no '{name}', only {', '.join(RULES)}")
    if kind is RULES[BACKEND_SETTINGS]:
        if not isinstance(value, dict):
            raise ConfigError(f"{name}: argument must be a mapping of names to values")
        return {str(key): item for key, item in value.items()}
    text = {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
    try:
        return kind.parse([text], DEFAULTS.get(name, ""), True)
    except ConfigError as error:
        raise ConfigError(f"{name}: {error}") from error


def parse_definition(name: str, rules: Entries[str, object]) -> Definition:
    """All rules of a store in their one form, those left out that say nothing.

    Raises `ConfigError`.
    """
    try:
        if name:
            check_name(name)
        definition = {rule: parse_rule(rule, value) for rule, value in rules.items()}
        if DATABASE not in definition:
            raise ConfigError("its 'database' is missing")
        if BACKEND_SETTINGS in definition and not definition.get(BACKEND):
            raise ConfigError("it has 'backend-settings', but no 'backend'")
    except ConfigError as error:
        raise ConfigError(f"store '{name}': {error}") from error
    return {rule: value for rule, value in definition.items() if value != DEFAULTS.get(rule)}


class Stores(Plugins):
    """Names of stores, and their rules as ``store.rule=value``."""

    def parse(
        self, words: list[str], current: dict[str, Definition], fresh: bool
    ) -> dict[str, Definition]:
        written = {} if fresh else current
        stores = {
            name: parse_definition(name, rules)
            for name, rules in super().parse(words, written, fresh).items()
        }
        databases: dict[object, str] = {}
        for name, definition in stores.items():
            database = definition[DATABASE]
            if database in databases:
                raise ConfigError(
                    f"stores '{databases[database]}' and '{name}' have the same database {database}"
                )
            databases[database] = name
        return stores

    def allowed(self) -> str:
        return "name.rule=value ..., or in YAML a mapping of names to mappings"


def format_rule(name: str, value: object) -> str:
    """A rule's value as INFO and STORES show it."""
    if name == BACKEND_SETTINGS:
        return format_value(value)
    return str(RULES[name].show(value))


# The state file ----------------------------------------------------------------------------------


def read_stores(path: Path) -> list[tuple[str, Definition]]:
    """Names and rules of the stores that were made at run time; none without the file.

    A numbered database that was given rules, but no name, has the name "". Raises
    `ConfigError` that names the file.
    """
    try:
        data = json.loads(path.read_text("utf-8"))
        if data["version"] != _VERSION:
            raise ConfigError(f"its version is {data['version']!r}, and must be {_VERSION}")
        stores = [(str(each[NAME]), each["rules"]) for each in data["stores"]]
        return [(name, parse_definition(name, rules)) for name, rules in stores]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(f"{path} is damaged: {error!r}") from error
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error


def write_stores(path: Path, stores: list[tuple[str, Definition]]) -> None:
    """Put them in the place of those on the disk, all or nothing; raises OSError."""
    data = {
        "version": _VERSION,
        "stores": [{NAME: name, "rules": definition} for name, definition in stores],
    }
    replace_file(path, (json.dumps(data, indent=2) + "\n").encode())
