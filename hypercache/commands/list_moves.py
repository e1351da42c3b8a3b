"""Elements that move from list to list, or are taken off the first of many lists."""

from typing import Final

from mypy_extensions import i64

from hypercache.backend import LIST
from hypercache.commands.arguments import MAX_I64, SYNTAX_ERROR, format_integer, parse_within
from hypercache.commands.lists import edit_list, make_list, take
from hypercache.engine.command import command
from hypercache.engine.context import Context
from hypercache.keyspace.changes import LPOP, LPUSH, RPOP, RPUSH
from hypercache.keyspace.keyspace import WRONG_TYPE, kind_of
from hypercache.reply import NULL_ARRAY, ErrorReply, Reply

_FEW_KEYS: Final = "ERR numkeys should be greater than 0"
_FEW_ELEMENTS: Final = "ERR count should be greater than 0"


def parse_end(text: bytes) -> bool:
    """Which end of a list is meant: True for the left."""
    word = text.lower()
    if word == b"left":
        return True
    if word == b"right":
        return False
    raise ErrorReply(SYNTAX_ERROR)


def move(
    context: Context, source: bytes, destination: bytes, from_left: bool, to_left: bool
) -> bytes | None:
    """Move an element from an end of one list to an end of another, or of the same.

    It counts as one change; the element, or None when there is no source.
    """
    db = context.db
    entry = db.find(source)
    if entry is None:
        return None
    if kind_of(entry) != LIST:
        raise ErrorReply(WRONG_TYPE)
    pushed = LPUSH if to_left else RPUSH
    popped = LPOP if from_left else RPOP
    # In Redis' order the push is told first. So it is edited first, and if it is of the same
    # list, whose one edit is told of as a pop, it is told by itself.
    target = make_list(context, destination, popped if source == destination else pushed)
    if source == destination:
        db.changes.notify(db.index, source, pushed)
        origin = target
    else:
        edited = edit_list(context, source, popped)
        assert edited is not None
        origin = edited
    element = origin.pop_left() if from_left else origin.pop_right()
    if to_left:
        target.push_left(element)
    else:
        target.push_right(element)
    db.changes.dirty -= 1
    return element


@command(
    "LMOVE source:key destination:key wherefrom=(LEFT | RIGHT) whereto=(LEFT | RIGHT)",
    group="list",
    since="6.2.0",
    complexity="O(1)",
    flags="write denyoom",
    keys="RW access delete; RW insert",
    summary="Move an element from an end of one list to an end of another, and return it.",
)
def lmove(context: Context, args: list[bytes]) -> Reply:
    from_left = parse_end(args[3])
    return move(context, args[1], args[2], from_left, parse_end(args[4]))


@command(
    "RPOPLPUSH source:key destination:key",
    group="list",
    since="1.2.0",
    complexity="O(1)",
    flags="write denyoom",
    keys="RW access delete; RW insert",
    deprecated_since="6.2.0",
    replaced_by="`LMOVE` with the `RIGHT` and `LEFT` arguments",
    summary="Move the last element of a list before the first of another, and return it.",
)
def rpoplpush(context: Context, args: list[bytes]) -> Reply:
    return move(context, args[1], args[2], False, True)


class ManyLists:
    """What LMPOP is told from ``numkeys`` on, which is ``args[at]``."""

    def __init__(self, args: list[bytes], at: i64) -> None:
        number = parse_within(args[at], 1, MAX_I64, _FEW_KEYS)
        at += 1
        if number >= len(args) - at:
            raise ErrorReply(SYNTAX_ERROR)
        self.keys = args[at : at + number]
        at += number
        self.left = parse_end(args[at])
        self.count: i64 = 1
        at += 1
        if at == len(args):
            return
        if len(args) - at < 2 or args[at].lower() != b"count":
            raise ErrorReply(SYNTAX_ERROR)
        self.count = parse_within(args[at + 1], 1, MAX_I64, _FEW_ELEMENTS)
        if len(args) - at > 2:
            raise ErrorReply(SYNTAX_ERROR)

    def pop(self, context: Context) -> list[object] | None:
        """The first key with a list, and what was taken off it; None when there is none."""
        for key in self.keys:
            elements = edit_list(context, key, LPOP if self.left else RPOP)
            if elements is not None:
                taken = take(elements, self.count, self.left)
                changes = context.db.changes
                if changes.journalled:
                    name = b"LPOP" if self.left else b"RPOP"
                    changes.rewrite(context.db.index, [name, key, format_integer(len(taken))])
                return [key, taken]
        return None


@command(
    "LMPOP numkeys:integer key... where=(LEFT | RIGHT) [COUNT count:integer]",
    group="list",
    since="7.0.0",
    complexity="O(N+M) where N is the number of keys and M the number of elements returned",
    flags="write",
    keys="RW access delete",
    summary="Take elements off an end of the first list that exists.",
)
def lmpop(context: Context, args: list[bytes]) -> Reply:
    popped = ManyLists(args, 1).pop(context)
    return NULL_ARRAY if popped is None else popped
