# mypyc: interpreted
"""What COMMAND INFO and COMMAND DOCS answer, built from a command's declaration."""

from hypercache.engine.command import (
    CATEGORIES,
    MODULE,
    SHOWN_FLAGS,
    SYSTEM,
    Command,
)
from hypercache.engine.grammar import BLOCK, NO_KEY, ONEOF, Argument
from hypercache.engine.keys import (
    BEGIN_INDEX,
    BEGIN_KEYWORD,
    FIND_KEYNUM,
    FIND_RANGE,
    KEY_FLAGS,
    NOT_KEY,
    KeySpec,
)
from hypercache.reply import Members


def command_info(command: Command) -> object:
    """The ten elements of COMMAND INFO, those of the sub-commands inside."""
    subcommands: object = Members([])
    if command.subcommands is not None:
        subcommands = [command_info(each) for each in command.subcommands.values()]
    categories: list[object] = [
        f"@{CATEGORIES[bit]}" for bit in range(len(CATEGORIES)) if command.categories & (1 << bit)
    ]
    flags: list[object] = [name for flag, name in SHOWN_FLAGS if command.flags & flag]
    tips: list[object] = [tip.encode() for tip in command.declaration.tips]
    return [
        command.name,
        command.arity,
        Members(flags),
        command.first_key,
        command.last_key,
        command.key_step,
        Members(categories),
        Members(tips),
        Members([_key_spec(spec) for spec in command.key_specs]),
        subcommands,
    ]


def command_docs(command: Command) -> dict[object, object]:
    """The map of COMMAND DOCS, those of the sub-commands inside."""
    declaration = command.declaration
    docs: dict[object, object] = {
        b"summary": declaration.summary.encode(),
        b"since": declaration.since.encode(),
        b"group": declaration.group.encode(),
    }
    if declaration.complexity:
        docs[b"complexity"] = declaration.complexity.encode()
    if command.flags & MODULE:
        docs[b"module"] = command.module.encode()
    doc_flags: list[object] = ["deprecated"] if declaration.deprecated_since else []
    if command.flags & SYSTEM:
        doc_flags.append("syscmd")
    if doc_flags:
        docs[b"doc_flags"] = Members(doc_flags)
    if declaration.deprecated_since:
        docs[b"deprecated_since"] = declaration.deprecated_since.encode()
    if declaration.replaced_by:
        docs[b"replaced_by"] = declaration.replaced_by.encode()
    if declaration.history:
        docs[b"history"] = Members(
            [[version.encode(), change.encode()] for version, change in declaration.history]
        )
    if command.subcommands is not None:
        subcommands: dict[object, object] = {}
        for each in command.subcommands.values():
            subcommands[each.name] = command_docs(each)
        docs[b"subcommands"] = subcommands
    elif declaration.arguments:
        docs[b"arguments"] = [_argument(each, command.key_specs) for each in declaration.arguments]
    return docs


def key_flag_names(flags: int) -> Members:
    """The names of key flags, as COMMAND INFO and GETKEYSANDFLAGS list them."""
    names: list[object] = [name for flag, name in KEY_FLAGS if flags & flag]
    return Members(names)


def _argument(argument: Argument, key_specs: list[KeySpec]) -> dict[object, object]:
    is_group = argument.type in (ONEOF, BLOCK)
    docs: dict[object, object] = {
        b"name": argument.name.encode(),
        b"type": argument.type.encode(),
    }
    if not is_group:
        docs[b"display_text"] = argument.display.encode()
    if argument.key_spec != NO_KEY and not key_specs[argument.key_spec].flags & NOT_KEY:
        docs[b"key_spec_index"] = argument.key_spec
    if argument.token is not None:
        docs[b"token"] = argument.token.encode()
    flags: list[object] = []
    if argument.optional:
        flags.append("optional")
    if argument.multiple:
        flags.append("multiple")
    if argument.multiple_token:
        flags.append("multiple_token")
    if flags:
        docs[b"flags"] = Members(flags)
    if is_group:
        docs[b"arguments"] = [_argument(each, key_specs) for each in argument.arguments]
    return docs


def _key_spec(spec: KeySpec) -> object:
    begin: dict[object, object] = {}
    begin_type = b"unknown"
    if spec.begin == BEGIN_INDEX:
        begin_type = b"index"
        begin[b"index"] = spec.index
    elif spec.begin == BEGIN_KEYWORD:
        begin_type = b"keyword"
        begin[b"keyword"] = spec.keyword.encode()
        begin[b"startfrom"] = spec.index
    find: dict[object, object] = {}
    find_type = b"unknown"
    if spec.find == FIND_RANGE:
        find_type = b"range"
        find[b"lastkey"] = spec.last
        find[b"keystep"] = spec.step
        find[b"limit"] = spec.limit
    elif spec.find == FIND_KEYNUM:
        find_type = b"keynum"
        find[b"keynumidx"] = 0
        find[b"firstkey"] = 1
        find[b"keystep"] = spec.step
    result: dict[object, object] = {
        b"flags": key_flag_names(spec.flags),
        b"begin_search": {b"type": begin_type, b"spec": begin},
        b"find_keys": {b"type": find_type, b"spec": find},
    }
    return result
