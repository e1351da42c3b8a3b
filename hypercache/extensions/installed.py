"""What is installed, as data: every backend or plugin, its traits and its settings."""

import inspect
import re
import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from types import NoneType, UnionType
from typing import Any, Final, Union, get_args, get_origin, get_type_hints

import attrs

from hypercache.backend import Backend
from hypercache.backend_tools import BackendTools
from hypercache.extensions.family import ExtensionError, Family, T, settings_type_of
from hypercache.extensions.structuring import is_choice
from hypercache.plugin import NoSettings, Plugin

_KINDS: Final = {bool: "yes or no", int: "integer", float: "number", str: "text"}
_TOOLS: Final = ("check", "compact", "copy")
_COMMENT: Final = "#:"


@attrs.frozen
class Setting:
    """One setting. ``default`` is None where it must be given; ``text`` says what it is for."""

    name: str
    kind: str
    default: str | None
    text: str


@attrs.frozen(kw_only=True)
class Installed:
    """A backend or plugin. With an ``error`` it cannot be used, and nothing more is known.

    ``package`` is the distribution that brought it with its version, ``text`` its docstring,
    ``traits`` what it says of itself, and ``tools`` the commands for its stores.
    """

    name: str
    place: str
    package: str
    error: str = ""
    text: str = ""
    traits: tuple[str, ...] = ()
    settings: tuple[Setting, ...] = ()
    tools: tuple[str, ...] = ()


def installed(family: Family[T]) -> list[Installed]:
    """All of a family, by name; those that are broken too."""
    return [_describe(family, point) for point in family.points()]


def _describe(family: Family[T], point: EntryPoint) -> Installed:
    package = f"{point.dist.name} {point.dist.version}" if point.dist else "an unknown package"
    known = Installed(name=point.name, place=point.value, package=package)
    try:
        extension = family.load(family.find(point.name))
        return attrs.evolve(
            known,
            text=_text(extension, point),
            traits=tuple(_traits(family, point.name, extension)),
            settings=tuple(_settings(settings_type_of(extension) or NoSettings)),
            tools=tools_offered(extension) if issubclass(extension, Backend) else (),
        )
    except ExtensionError as error:
        return attrs.evolve(known, error=str(error))


def _text(extension: type, point: EntryPoint) -> str:
    """The docstring of a class; compiled classes have none, but the module of the entry point."""
    text = extension.__doc__ or sys.modules[point.module].__doc__ or ""
    return inspect.cleandoc(text).replace("``", "")


def _traits(family: Family[T], name: str, extension: type[T]) -> Iterator[str]:
    if issubclass(extension, Plugin):
        if extension.critical:
            yield "critical"
        yield from (f"requires {each}" for each in extension.requires)
        return
    try:
        backend = family.make(name, extension, {})
    except ExtensionError:
        yield "depend on the settings"
        return
    assert isinstance(backend, Backend)
    if backend.durable:
        yield f"durable (sync {backend.sync_policy})"
    if backend.wants_units:
        yield "transactions"
    if backend.snapshots:
        yield "snapshots"
    if backend.keeps_access:
        yield "access times"


def tools_offered(backend: type[Backend]) -> tuple[str, ...]:
    """The commands that a backend's tools class overrides; raises `ExtensionError`."""
    tools = backend.tools or BackendTools
    if not issubclass(tools, BackendTools):
        raise ExtensionError(f"{tools!r} is no subclass of BackendTools.")
    return tuple(n for n in _TOOLS if getattr(tools, n) is not getattr(BackendTools, n))


# Settings --------------------------------------------------------------------------------------


def _settings(settings_type: type, prefix: str = "") -> Iterator[Setting]:
    """The settings of a class; those of a class inside it by their whole path."""
    try:
        kinds = get_type_hints(settings_type)
    except NameError as error:
        raise ExtensionError(f"the types of its settings cannot be resolved: {error}.") from error
    texts = _comments(settings_type)
    for field in attrs.fields(settings_type):
        name = prefix + field.name
        kind = kinds[field.name]
        if attrs.has(kind):
            yield from _settings(kind, f"{name}.")
        else:
            yield Setting(name, _kind(kind), _default(field), texts.get(field.name, ""))


def _comments(settings_type: type) -> dict[str, str]:
    """The comments ``#: ...`` over the attributes of a class, where its source is at hand."""
    try:
        lines = inspect.getsource(settings_type).splitlines()
    except (OSError, TypeError):
        return {}
    found: dict[str, str] = {}
    comment: list[str] = []
    for line in map(str.strip, lines):
        if line.startswith(_COMMENT):
            comment.append(line.removeprefix(_COMMENT).strip())
            continue
        if comment and (named := re.match(r"(\w+)\s*:", line)):
            found[named[1]] = " ".join(comment).replace("``", "")
        comment = []
    return found


def _kind(kind: object) -> str:
    """A type in the words of those who write a configuration."""
    if is_choice(kind):
        return " | ".join(map(str, get_args(kind)))
    if get_origin(kind) in (Union, UnionType):
        return " or ".join(_kind(each) for each in get_args(kind) if each is not NoneType)
    if get_origin(kind) in (list, tuple, set, frozenset):
        return "list of " + ", ".join(_kind(each) for each in get_args(kind) if each is not ...)
    if isinstance(kind, type):
        return _KINDS.get(kind, kind.__name__.lower())
    return str(kind)


def _default(field: "attrs.Attribute[Any]") -> str | None:
    value: Any = field.default
    if value is attrs.NOTHING:
        return None
    if hasattr(value, "factory"):
        value = "computed" if value.takes_self else value.factory()
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value) if value or isinstance(value, int | float) else "none"
