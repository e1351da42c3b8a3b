"""Settings of backends and plugins: from what a configuration says to an attrs object."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, Literal, get_args, get_origin

import attrs
import cattrs
from cattrs.gen import make_dict_structure_fn

#: The types whose values are taken as they are, and how people call them.
KINDS: Final = {bool: "yes or no", int: "an integer", float: "a number", str: "a text"}
#: What YAML 1.1 reads as a truth value although a choice may have it for a name.
_SWITCHES: Final = {False: ("no", "off"), True: ("yes", "on")}


class SettingsError(Exception):
    """Settings do not fit: every reason, each with the setting that it is about."""


def structure(settings: Mapping[str, object], settings_type: type) -> object:
    """Settings as an object of an attrs class, validated; raises `SettingsError`.

    Hyphens and underscores in names mean the same. Values keep their types: YAML and the
    command line give typed ones, and only integers become floats where those are wanted.
    """
    try:
        return _converter().structure(dict(settings), settings_type)
    except Exception as error:  # what structuring raises is open: validators are the author's
        raise SettingsError("; ".join(_reasons(error, ""))) from error


def one_line(error: BaseException) -> str:
    """An exception in one line; validators of attrs put their objects behind the text."""
    first = error.args[0] if error.args else ""
    text = first if isinstance(first, str) and first else repr(error)
    return " ".join(text.split()).rstrip(".")


def is_choice(kind: object) -> bool:
    """Whether a type is a `Literal`: one of a few values."""
    return get_origin(kind) is Literal


def _converter() -> cattrs.Converter:
    converter = cattrs.Converter(forbid_extra_keys=True)
    for kind in KINDS:
        converter.register_structure_hook(kind, _exact)
    converter.register_structure_hook_func(is_choice, _choice)
    converter.register_structure_hook_factory(attrs.has, lambda kind: _by_name(kind, converter))
    return converter


def _exact(value: object, kind: type) -> object:
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:
        raise TypeError(f"must be {KINDS[kind]}, is {value!r}")
    return value


def _choice(value: object, kind: object) -> object:
    choices = get_args(kind)
    names = _SWITCHES[value] if isinstance(value, bool) and value not in choices else (value,)
    for name in names:
        if name in choices:
            return name
    raise ValueError(f"must be one of {', '.join(map(str, choices))}, is {value!r}")


def _by_name(kind: type, converter: cattrs.Converter) -> Callable[[Any, Any], Any]:
    """Structures an attrs class, whichever way the names of its settings are written."""
    known = {field.name for field in attrs.fields(kind)}
    by_exact_name: Callable[..., object] = make_dict_structure_fn(
        kind, converter, _cattrs_forbid_extra_keys=True
    )

    def structured(value: object, _: object) -> object:
        if not isinstance(value, Mapping):
            raise TypeError(f"must be a mapping of names to values, is {value!r}")
        settings: dict[str, object] = {}
        for written, item in value.items():
            name = str(written).replace("-", "_")
            name = name if name in known else str(written)
            if name in settings:
                raise ValueError(f"has {name!r} twice, with a hyphen and with an underscore")
            settings[name] = item
        return by_exact_name(settings, kind)

    return structured


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
        yield f"setting {path!r} {one_line(error)}"
    else:
        yield one_line(error)
