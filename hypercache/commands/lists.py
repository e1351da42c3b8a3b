"""Lists: elements in a row under one key, and what happens at their ends."""

from typing import Final, cast

from mypy_extensions import i64

from hypercache.backend import LIST, ListValue
from hypercache.commands.arguments import NO_SUCH_KEY, parse_integer, parse_not_negative
from hypercache.engine.command import command
from hypercache.engine.context import Context
from hypercache.keyspace.changes import LPOP, LPUSH, LSET, RPOP, RPUSH, Event
from hypercache.reply import NULL_ARRAY, OK, ErrorReply, Reply

_INDEX_OUT_OF_RANGE: Final = "ERR index out of range"
_PUSH_COMPLEXITY: Final = "O(N) where N is the number of elements pushed"
_POP_COMPLEXITY: Final = "O(N) where N is the number of elements returned"


def view_list(context: Context, key: bytes) -> ListValue | None:
    """The list under a key, to be read."""
    return cast(ListValue | None, context.db.view(key, LIST))


def edit_list(context: Context, key: bytes, event: Event) -> ListValue | None:
    """The list under a key, to be changed; None if there is none."""
    return cast(ListValue | None, context.db.edit(key, LIST, event))


def make_list(context: Context, key: bytes, event: Event) -> ListValue:
    """The list under a key, to be changed; a new one if there is none."""
    return cast(ListValue, context.db.make(key, LIST, event))


def take(elements: ListValue, count: i64, left: bool) -> list[bytes]:
    """Take up to ``count`` elements off one end, in the order in which they come off."""
    length: i64 = elements.length()
    if count > length:
        count = length
    if left:
        taken = elements.range(0, count)
        elements.remove_range(0, count)
    else:
        taken = elements.range(length - count, length)
        taken.reverse()
        elements.remove_range(length - count, length)
    return taken


@command(
    "LPUSH key element...",
    group="list",
    since="1.0.0",
    complexity=_PUSH_COMPLEXITY,
    flags="write denyoom fast",
    keys="RW insert",
    history=(("2.4.0", "More than one element."),),
    summary="Put elements before the first of a list, one after the other.",
)
def lpush(context: Context, args: list[bytes]) -> Reply:
    elements = make_list(context, args[1], LPUSH)
    for at in range(2, len(args)):
        elements.push_left(args[at])
    return elements.length()


@command(
    "RPUSH key element...",
    group="list",
    since="1.0.0",
    complexity=_PUSH_COMPLEXITY,
    flags="write denyoom fast",
    keys="RW insert",
    history=(("2.4.0", "More than one element."),),
    summary="Put elements behind the last of a list, one after the other.",
)
def rpush(context: Context, args: list[bytes]) -> Reply:
    elements = make_list(context, args[1], RPUSH)
    for at in range(2, len(args)):
        elements.push_right(args[at])
    return elements.length()


@command(
    "LPUSHX key element...",
    group="list",
    since="2.2.0",
    complexity=_PUSH_COMPLEXITY,
    flags="write denyoom fast",
    keys="RW insert",
    history=(("4.0.0", "More than one element."),),
    summary="Put elements before the first of a list, if the list exists.",
)
def lpushx(context: Context, args: list[bytes]) -> Reply:
    elements = edit_list(context, args[1], LPUSH)
    if elements is None:
        return 0
    for at in range(2, len(args)):
        elements.push_left(args[at])
    return elements.length()


@command(
    "RPUSHX key element...",
    group="list",
    since="2.2.0",
    complexity=_PUSH_COMPLEXITY,
    flags="write denyoom fast",
    keys="RW insert",
    history=(("4.0.0", "More than one element."),),
    summary="Put elements behind the last of a list, if the list exists.",
)
def rpushx(context: Context, args: list[bytes]) -> Reply:
    elements = edit_list(context, args[1], RPUSH)
    if elements is None:
        return 0
    for at in range(2, len(args)):
        elements.push_right(args[at])
    return elements.length()


@command(
    "LPOP key [count:integer]",
    group="list",
    since="1.0.0",
    complexity=_POP_COMPLEXITY,
    flags="write fast",
    keys="RW access delete",
    history=(("6.2.0", "The `count` argument."),),
    summary="Take the first element off a list, or the first few; the key goes with the last.",
)
def lpop(context: Context, args: list[bytes]) -> Reply:
    if len(args) > 2:
        return _pop_many(context, args, True)
    elements = edit_list(context, args[1], LPOP)
    return None if elements is None else elements.pop_left()


@command(
    "RPOP key [count:integer]",
    group="list",
    since="1.0.0",
    complexity=_POP_COMPLEXITY,
    flags="write fast",
    keys="RW access delete",
    history=(("6.2.0", "The `count` argument."),),
    summary="Take the last element off a list, or the last few; the key goes with the first.",
)
def rpop(context: Context, args: list[bytes]) -> Reply:
    if len(args) > 2:
        return _pop_many(context, args, False)
    elements = edit_list(context, args[1], RPOP)
    return None if elements is None else elements.pop_right()


def _pop_many(context: Context, args: list[bytes], left: bool) -> Reply:
    """LPOP and RPOP with a count."""
    if len(args) > 3:
        name = "lpop" if left else "rpop"
        raise ErrorReply(f"ERR wrong number of arguments for '{name}' command")
    count = parse_not_negative(args[2])
    elements = edit_list(context, args[1], LPOP if left else RPOP)
    return NULL_ARRAY if elements is None else take(elements, count, left)


@command(
    "LLEN key",
    group="list",
    since="1.0.0",
    complexity="O(1)",
    flags="readonly fast",
    keys="RO",
    summary="Count the elements of a list.",
)
def llen(context: Context, args: list[bytes]) -> Reply:
    elements = view_list(context, args[1])
    return 0 if elements is None else elements.length()


def _position(text: bytes, length: i64) -> i64:
    """Where an index points that may count from the end; -1 when outside."""
    index = parse_integer(text)
    if index < 0:
        index += length
    return index if 0 <= index < length else -1


@command(
    "LINDEX key index:integer",
    group="list",
    since="1.0.0",
    complexity="O(N) where N is the distance from the nearer end",
    flags="readonly",
    keys="RO access",
    summary="Return the element at an index; negative ones count from the end.",
)
def lindex(context: Context, args: list[bytes]) -> Reply:
    elements = view_list(context, args[1])
    if elements is None:
        return None
    index = _position(args[2], elements.length())
    return None if index < 0 else elements.get(index)


@command(
    "LSET key index:integer element",
    group="list",
    since="1.0.0",
    complexity="O(N) where N is the distance from the nearer end",
    flags="write denyoom",
    keys="RW update",
    summary="Replace the element at an index; negative ones count from the end.",
)
def lset(context: Context, args: list[bytes]) -> Reply:
    elements = edit_list(context, args[1], LSET)
    if elements is None:
        raise ErrorReply(NO_SUCH_KEY)
    index = _position(args[2], elements.length())
    if index < 0:
        raise ErrorReply(_INDEX_OUT_OF_RANGE)
    elements.set(index, args[3])
    return OK
