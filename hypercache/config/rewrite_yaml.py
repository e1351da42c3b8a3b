"""Editing our YAML in place: values change, comments, order and layout stay."""

from typing import Final

from attrs import frozen
from yaml.nodes import CollectionNode, MappingNode, Node, ScalarNode

from hypercache.config.errors import ConfigError
from hypercache.config.schema import Directive
from hypercache.config.settings import DIRECTIVES, Settings
from hypercache.config.yaml_file import (
    compose,
    is_section,
    item_words,
    items_of,
    settings_of,
    words_of,
)

SIGNATURE: Final = "# Written by CONFIG REWRITE"


@frozen
class _Edit:
    """Characters ``start <= i < end`` of the text become ``text``."""

    start: int
    end: int
    text: str


def rewrite_yaml(text: str, settings: Settings, start: str, force: bool) -> str:
    """The YAML with the values of ``settings``.

    A value that is already meant stays as it is written. A setting that is not mentioned is
    added to its section, or at the end of the file, unless it has its default.
    """
    root = compose(text, "configuration file")
    if root is not None and root.flow_style:
        raise ConfigError("ERR Rewriting config file: it is one flow mapping (JSON)")
    edits: list[_Edit] = []
    mentioned: set[str] = set()
    for directive, _, key, node in settings_of(root, "configuration file") if root else ():
        mentioned.add(directive.name)
        if not directive.is_kept() and not _means(directive, node, settings, start):
            value = directive.kind.yaml(getattr(settings, directive.attribute))
            edits.append(_replacement(text, key, node, value))
    missing: dict[str, list[Directive]] = {}
    for directive in DIRECTIVES:
        value = getattr(settings, directive.attribute)
        default = start if directive.attribute == "dir" else directive.default
        if directive.name in mentioned or directive.is_kept():
            continue
        if force or value != default:
            missing.setdefault(directive.section, []).append(directive)
    edits += _additions(text, root, missing, settings)
    for edit in sorted(edits, key=lambda edit: edit.start, reverse=True):
        text = text[: edit.start] + edit.text + text[edit.end :]
    return text


def _means(directive: Directive, node: Node, settings: Settings, start: str) -> bool:
    """Whether a node gives a setting its value already."""
    kind = directive.kind
    if directive.file_only:
        value = directive.default
        for item in items_of(node):
            value = kind.parse(item_words(directive, item), value, False)
        return bool(value == getattr(settings, directive.attribute))
    words = words_of(directive, node, "configuration file")
    base = start if directive.attribute == "dir" else directive.default
    return bool(kind.parse(words, base, True) == getattr(settings, directive.attribute))


def _replacement(text: str, key: ScalarNode, node: Node, value: str) -> _Edit:
    """Puts a value on the line of its name, in the place of whatever was there."""
    colon = text.index(":", key.end_mark.index)
    return _Edit(colon, max(_end(text, node), colon + 1), f": {value}")


def _end(text: str, node: Node) -> int:
    """Where the text of a node ends; marks of block nodes lie beyond the comments after them."""
    if isinstance(node, CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _end(text, last[1] if isinstance(node, MappingNode) else last)
    end: int = node.end_mark.index
    while end > node.start_mark.index and text[end - 1] in " \t\r\n":
        end -= 1
    return end


def _additions(
    text: str,
    root: MappingNode | None,
    missing: dict[str, list[Directive]],
    settings: Settings,
) -> list[_Edit]:
    """Lines for settings that the file does not mention yet."""
    sections: dict[str, Node] = {key.value: value for key, value in root.value} if root else {}
    edits = []
    tail: list[str] = []
    for section, directives in missing.items():
        node = sections.get(section)
        lines = [
            f"{directive.name}: {directive.kind.yaml(getattr(settings, directive.attribute))}"
            for directive in directives
        ]
        if isinstance(node, MappingNode) and is_section(section, node):
            if not node.flow_style and node.value:
                indent = " " * node.value[0][0].start_mark.column
                end = _end_of_line(text, _end(text, node))
                added = "".join(f"\n{indent}{line}" for line in lines)
                edits.append(_Edit(end, end, added))
                continue
        if node is None:
            tail += [f"{section}:", *(f"  {line}" for line in lines)]
        else:
            tail += lines
    if tail:
        head = "" if not text or text.endswith("\n") else "\n"
        mark = [] if SIGNATURE in text else [SIGNATURE]
        edits.append(_Edit(len(text), len(text), head + "\n".join([*mark, *tail, ""])))
    return edits


def _end_of_line(text: str, position: int) -> int:
    end = text.find("\n", position)
    return len(text) if end < 0 else end
