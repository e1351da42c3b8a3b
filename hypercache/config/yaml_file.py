"""Our YAML: sections of settings, or Redis' names flat; every error with file and line."""

from typing import Final

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode
from yaml.reader import ReaderError

from hypercache.config.assignment import Assignment, Origin, start_error
from hypercache.config.errors import ConfigError
from hypercache.config.kinds import Choice, YesNo
from hypercache.config.mappings import Mapping, Plugins
from hypercache.config.schema import Directive
from hypercache.config.settings import BY_NAME, DIRECTIVES, nearest

SECTION_NAMES: Final = tuple(dict.fromkeys(directive.section for directive in DIRECTIVES))

_BOOLEANS: Final = {"true": "yes", "on": "yes", "false": "no", "off": "no"}


def compose(text: str, source: str) -> MappingNode | None:
    """The node of the whole document; None when it is empty."""
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 0
        raise start_error(Origin(source, line), f"not valid YAML: {error.problem}") from error
    except ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        character = f"{ord(text[error.position]):#04x}"
        reason = f"not valid YAML: character {character} is not allowed"
        raise start_error(Origin(source, line), reason) from error
    if node is None or (isinstance(node, ScalarNode) and not node.value):
        return None
    if not isinstance(node, MappingNode):
        raise start_error(origin_of(node, source), "settings must be a mapping of names to values")
    return node


def origin_of(node: Node, source: str) -> Origin:
    """Where a node stands."""
    return Origin(source, node.start_mark.line + 1)


def entries(node: MappingNode, source: str) -> list[tuple[str, ScalarNode, Node]]:
    """Names, their nodes and their values; a name that comes twice is an error."""
    found: dict[str, tuple[str, ScalarNode, Node]] = {}
    for key, value in node.value:
        if not isinstance(key, ScalarNode):
            raise start_error(origin_of(key, source), "a name must be a plain text")
        name = key.value
        if name in found:
            raise start_error(origin_of(key, source), f"'{name}' is set twice")
        found[name] = (name, key, value)
    return list(found.values())


def settings_of(root: MappingNode, source: str) -> list[tuple[Directive, str, ScalarNode, Node]]:
    """Every setting of the document: its directive, the name used, name node, value node."""
    found = []
    for name, key, value in entries(root, source):
        # "plugins" is a section and the setting in it: a mapping with that key is the section.
        if name in SECTION_NAMES and isinstance(value, MappingNode) and is_section(name, value):
            for inner, inner_key, inner_value in entries(value, source):
                directive = BY_NAME.get(inner)
                if directive is None:
                    raise _unknown(inner, inner_key, source)
                if directive.section != name:
                    reason = f"'{inner}' belongs to section '{directive.section}', not '{name}'"
                    raise start_error(origin_of(inner_key, source), reason)
                found.append((directive, inner, inner_key, inner_value))
        elif name in BY_NAME:
            found.append((BY_NAME[name], name, key, value))
        elif name in SECTION_NAMES:
            if not (isinstance(value, ScalarNode) and not value.value):
                reason = f"section '{name}' must be a mapping of names to values"
                raise start_error(origin_of(value, source), reason)
        else:
            raise _unknown(name, key, source)
    return found


def is_section(name: str, value: MappingNode) -> bool:
    """Whether an entry of the document is a section and not a setting of the same name."""
    return name not in BY_NAME or any(key.value == name for key, _ in value.value)


def _unknown(name: str, key: Node, source: str) -> ConfigError:
    return start_error(origin_of(key, source), f"unknown setting '{name}'{nearest(name)}")


def words_of(directive: Directive, node: Node, source: str) -> list[str]:
    """The words that a value stands for."""
    kind = directive.kind
    if isinstance(node, ScalarNode):
        if node.tag == "tag:yaml.org,2002:null":
            return [""]
        text: str = node.value
        switch = isinstance(kind, YesNo) or (isinstance(kind, Choice) and "no" in kind.names)
        if switch and node.style is None:
            return [_BOOLEANS.get(text.lower(), text)]
        return kind.words(text) if kind.multiple else [text]
    if not kind.multiple:
        reason = f"'{directive.name}' must be a single value; allowed: {kind.allowed()}"
        raise start_error(origin_of(node, source), reason)
    # Settings of others keep YAML's types; ours are texts, so that 0700 and no stay as they are.
    loader = yaml.SafeLoader if isinstance(kind, Mapping | Plugins) else yaml.BaseLoader
    try:
        data = loader("").construct_document(node)
        return kind.words(data)
    except (ConfigError, yaml.YAMLError) as error:
        raise start_error(origin_of(node, source), str(error)) from error


def read_yaml(text: str, source: str) -> list[Assignment]:
    """The directives of a YAML document."""
    root = compose(text, source)
    assignments = []
    for directive, name, key, node in settings_of(root, source) if root else ():
        origin = origin_of(key, source)
        if directive.file_only:
            for item in items_of(node):
                words = item_words(directive, item)
                assignments.append(Assignment(name, words, origin_of(item, source)))
        else:
            assignments.append(Assignment(name, words_of(directive, node, source), origin))
    return assignments


def items_of(node: Node) -> list[Node]:
    """The nodes of a directive that may come often: those of a list, or the only one."""
    return node.value if isinstance(node, yaml.SequenceNode) else [node]


def item_words(directive: Directive, item: Node) -> list[str]:
    """The words of one of them."""
    words: list[str] = directive.kind.words(yaml.BaseLoader("").construct_document(item))
    return words
