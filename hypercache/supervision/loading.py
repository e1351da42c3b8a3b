"""From a name in the settings to a plugin with its own settings validated."""

from collections.abc import Iterator, Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Final

import attrs
import cattrs

from hypercache.plugin import CONTRACT_VERSIONS, Plugin
from hypercache.supervision.errors import PluginError

GROUP: Final = "hypercache.plugins"

_KINDS: Final = {bool: "yes or no", int: "an integer", float: "a number", str: "a text"}


def load_plugin(name: str, settings: Mapping[str, object]) -> Plugin:
    """Find a plugin by its entry point and construct it; raises `PluginError`."""
    plugin_class = _load(name, _find(name))
    if not (isinstance(plugin_class, type) and issubclass(plugin_class, Plugin)):
        raise PluginError(f"plugin {name!r}: {plugin_class!r} is no subclass of Plugin.")
    return construct(name, plugin_class, settings)


def construct(name: str, plugin_class: type[Plugin], settings: Mapping[str, object]) -> Plugin:
    """A plugin with its settings validated; raises `PluginError`."""
    if plugin_class.contract not in CONTRACT_VERSIONS:
        offered = ", ".join(map(str, CONTRACT_VERSIONS))
        raise PluginError(
            f"plugin {name!r} needs version {plugin_class.contract} of the plugin contract; "
            f"this server has {offered}."
        )
    try:
        own: object = _converter().structure(dict(settings), plugin_class.settings_type)
    except Exception as error:  # what structuring raises is open: validators are the plugin's
        reasons = "; ".join(_reasons(error, ""))
        raise PluginError(f"plugin {name!r}: {reasons}.") from error
    try:
        return plugin_class(own)
    except Exception as error:
        raise PluginError(f"plugin {name!r} cannot be made: {_text(error)}.") from error


def _find(name: str) -> EntryPoint:
    found = {(point.name, point.value): point for point in entry_points(group=GROUP)}
    fitting = [point for point in found.values() if point.name == name]
    if not fitting:
        known = ", ".join(sorted({point.name for point in found.values()})) or "none"
        raise PluginError(
            f"plugin {name!r} is not installed (installed: {known}). Install the package that "
            "brings it, or take it out of the setting plugins."
        )
    if len(fitting) > 1:
        places = " and ".join(sorted(point.value for point in fitting))
        raise PluginError(f"plugin {name!r} is there more than once: {places}. Uninstall one.")
    return fitting[0]


def _load(name: str, point: EntryPoint) -> object:
    try:
        loaded: object = point.load()
    except Exception as error:
        raise PluginError(
            f"plugin {name!r} ({point.value}) cannot be imported: {_text(error)}."
        ) from error
    return loaded


# Settings ------------------------------------------------------------------------------------


def _converter() -> cattrs.Converter:
    """A converter that changes no types: YAML and the command line give typed values."""
    converter = cattrs.Converter(forbid_extra_keys=True)
    for kind in _KINDS:
        converter.register_structure_hook(kind, _exact)
    return converter


def _exact(value: object, kind: type) -> object:
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:
        raise TypeError(f"must be {_KINDS[kind]}, is {value!r}")
    return value


def _reasons(error: BaseException, path: str) -> Iterator[str]:
    """Why settings were refused, each reason with the setting that it is about."""
    if isinstance(error, cattrs.ClassValidationError):
        members, others = error.group_exceptions()
        for each, member in members:
            yield from _reasons(each, f"{path}.{member.name}" if path else member.name)
        for whole in others:
            yield from _reasons(whole, path)
    elif isinstance(error, cattrs.IterableValidationError):
        items, others = error.group_exceptions()
        for each, item in items:
            yield from _reasons(each, f"{path}[{item.index}]")
        for whole in others:
            yield from _reasons(whole, path)
    elif isinstance(error, cattrs.ForbiddenExtraKeysError):
        known = ", ".join(each.name for each in attrs.fields(error.cl)) or "none"
        for key in sorted(map(str, error.extra_fields)):
            place = f"{path}.{key}" if path else key
            yield f"there is no setting {place!r} (allowed: {known})"
    elif isinstance(error, KeyError) and path:
        yield f"setting {path!r} is missing"
    elif path:
        yield f"setting {path!r} {_text(error)}"
    else:
        yield _text(error)


def _text(error: BaseException) -> str:
    """An exception in one line; validators of attrs put their objects behind the text."""
    first = error.args[0] if error.args else ""
    text = first if isinstance(first, str) and first else repr(error)
    return " ".join(text.split()).rstrip(".")
