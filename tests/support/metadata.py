"""What COMMAND INFO and COMMAND DOCS say about a command, in a form that can be compared.

The same reading serves the replies of a server (RESP2, as `tests.support.resp` decodes them)
and our own reply values before they are encoded.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

from hypercache.reply import Members


@dataclass(frozen=True)
class Metadata:
    """A command's metadata; `arguments` is COMMAND DOCS rendered as `render` does.

    Each of ``specs`` is the flags and the place of a group of keys, such as
    ``"RO access: 2 range -1 1 0"`` or ``"RO access: STREAMS@1 range -1 1 2"``.
    """

    name: str
    arity: int
    flags: frozenset[str]
    range: tuple[int, int, int]
    categories: frozenset[str]
    tips: frozenset[str]
    specs: tuple[str, ...]
    since: str
    group: str
    arguments: str

    def plain(self) -> dict[str, object]:
        """Field by field, in types that JSON has."""
        return {
            "arity": self.arity,
            "flags": sorted(self.flags),
            "range": list(self.range),
            "categories": sorted(self.categories),
            "tips": sorted(self.tips),
            "specs": list(self.specs),
            "since": self.since,
            "group": self.group,
            "arguments": self.arguments,
        }


def flatten(value: object) -> object:
    """A reply value as RESP2 shows it: maps and sets become lists."""
    if isinstance(value, Members):
        return [flatten(each) for each in value.items]
    if isinstance(value, dict):
        return [flatten(each) for pair in value.items() for each in pair]
    if isinstance(value, list):
        return [flatten(each) for each in value]
    return value


def read(info: object, docs: object, display: bool = True) -> Iterator[Metadata]:
    """The metadata of a command and of its sub-commands.

    ``info`` is one element of COMMAND INFO, ``docs`` one value of COMMAND DOCS, both
    flattened. ``display`` tells whether the display texts of arguments are rendered.
    """
    items = _list(info)
    documented = _map(docs)
    yield Metadata(
        name=_text(items[0]),
        arity=cast(int, items[1]),
        flags=_texts(items[2]),
        range=cast(tuple[int, int, int], tuple(items[3:6])),
        categories=_texts(items[6]),
        tips=_texts(items[7]),
        specs=tuple(_spec(_map(each)) for each in _list(items[8])),
        since=_text(documented["since"]),
        group=_text(documented["group"]),
        arguments=render(documented.get("arguments", []), display),
    )
    subcommands = _map(documented.get("subcommands", []))
    for each in _list(items[9]):
        yield from read(each, subcommands[_text(_list(each)[0])], display)


def render(arguments: object, display: bool = True) -> str:
    """The arguments of COMMAND DOCS as text, close to the notation of our declarations.

    The names of groups are left out: they are labels without a meaning.
    """
    return " ".join(_argument(_map(each), display) for each in _list(arguments))


def _argument(argument: dict[str, object], display: bool) -> str:
    kind = _text(argument["type"])
    name = _text(argument["name"])
    flags = _texts(argument.get("flags", []))
    text = ""
    if kind in ("oneof", "block"):
        members = [_argument(_map(each), display) for each in _list(argument["arguments"])]
        text = "(" + (" | " if kind == "oneof" else " ").join(members) + ")"
    elif kind != "pure-token":
        shown = _text(argument.get("display_text", name))
        text = f"{name}/{shown}:{kind}" if display and shown != name else f"{name}:{kind}"
        if "key_spec_index" in argument:
            text += f"#{argument['key_spec_index']}"
    if "token" in argument:
        token = _text(argument["token"])
        quoted = token if token.isupper() else f'"{token}"'
        if kind == "pure-token" and name != token.lower():
            quoted = f"{name}:{quoted}"
        text = f"{quoted} {text}".strip()
    if "optional" in flags:
        text = f"[{text}]"
    if "multiple" in flags:
        text += "..."
    return text + ("+" if "multiple_token" in flags else "")


def _spec(spec: dict[str, object]) -> str:
    begin = _map(spec["begin_search"])
    find = _map(spec["find_keys"])
    place = _map(begin["spec"])
    kind = _text(begin["type"])
    if kind == "keyword":
        where = f"{_text(place['keyword'])}@{place['startfrom']}"
    else:
        where = str(place["index"]) if kind == "index" else kind
    numbers = [str(number) for number in _map(find["spec"]).values()]
    flags = " ".join(sorted(_texts(spec["flags"])))
    return f"{flags}: {' '.join([where, _text(find['type']), *numbers])}"


def _list(value: object) -> list[object]:
    assert isinstance(value, list), value
    return value


def _map(value: object) -> dict[str, object]:
    items = _list(value)
    return {_text(key): item for key, item in zip(items[::2], items[1::2], strict=True)}


def _text(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode()
    assert isinstance(value, str), value
    return value


def _texts(value: object) -> frozenset[str]:
    return frozenset(_text(each) for each in _list(value))
