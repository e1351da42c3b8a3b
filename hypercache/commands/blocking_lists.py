"""Commands on lists that wait until there is an element."""

from hypercache.backend import LIST
from hypercache.commands.list_moves import ManyLists, move, parse_end
from hypercache.commands.lists import edit_list
from hypercache.commands.timeouts import deadline_in_seconds
from hypercache.engine.blocking import KeyWait
from hypercache.engine.command import command
from hypercache.engine.context import Context
from hypercache.keyspace.changes import LPOP, RPOP
from hypercache.reply import NULL_ARRAY, Reply


def _pop(context: Context, args: list[bytes], left: bool) -> Reply:
    """BLPOP and BRPOP."""
    deadline = deadline_in_seconds(args[-1], context.db.changes.now)
    keys = args[1:-1]
    for key in keys:
        elements = edit_list(context, key, LPOP if left else RPOP)
        if elements is not None:
            changes = context.db.changes
            if changes.journalled:
                changes.rewrite(context.db.index, [b"LPOP" if left else b"RPOP", key])
            return [key, elements.pop_left() if left else elements.pop_right()]
    return KeyWait(context, LIST, keys, args, deadline, NULL_ARRAY)


@command(
    "BLPOP key... timeout:double",
    group="list",
    since="2.0.0",
    complexity="O(N) where N is the number of keys",
    flags="write blocking",
    keys="RW access delete",
    history=(("6.0.0", "A `timeout` with a fraction."),),
    summary="Take the first element off the first list that exists; wait while there is none.",
)
def blpop(context: Context, args: list[bytes]) -> Reply:
    return _pop(context, args, True)


@command(
    "BRPOP key... timeout:double",
    group="list",
    since="2.0.0",
    complexity="O(N) where N is the number of keys",
    flags="write blocking",
    keys="RW access delete",
    history=(("6.0.0", "A `timeout` with a fraction."),),
    summary="Take the last element off the first list that exists; wait while there is none.",
)
def brpop(context: Context, args: list[bytes]) -> Reply:
    return _pop(context, args, False)


def _move(context: Context, args: list[bytes], from_left: bool, to_left: bool) -> Reply:
    """BLMOVE and BRPOPLPUSH."""
    deadline = deadline_in_seconds(args[-1], context.db.changes.now)
    element = move(context, args[1], args[2], from_left, to_left)
    changes = context.db.changes
    if element is not None:
        if changes.journalled:
            name = b"LMOVE" if len(args) == 6 else b"RPOPLPUSH"
            changes.rewrite(context.db.index, [name, *args[1:-1]])
        return element
    if context.in_exec:
        return None  # a time that is up gives a null of another shape
    return KeyWait(context, LIST, [args[1]], args, deadline, NULL_ARRAY)


@command(
    "BLMOVE source:key destination:key wherefrom=(LEFT | RIGHT) whereto=(LEFT | RIGHT)"
    " timeout:double",
    group="list",
    since="6.2.0",
    complexity="O(1)",
    flags="write denyoom blocking",
    keys="RW access delete; RW insert",
    summary="Move an element as LMOVE does; wait while there is none.",
)
def blmove(context: Context, args: list[bytes]) -> Reply:
    from_left = parse_end(args[3])
    return _move(context, args, from_left, parse_end(args[4]))


@command(
    "BRPOPLPUSH source:key destination:key timeout:double",
    group="list",
    since="2.2.0",
    complexity="O(1)",
    flags="write denyoom blocking",
    keys="RW access delete; RW insert",
    history=(("6.0.0", "A `timeout` with a fraction."),),
    deprecated_since="6.2.0",
    replaced_by="`BLMOVE` with the `RIGHT` and `LEFT` arguments",
    summary="Move an element as RPOPLPUSH does; wait while there is none.",
)
def brpoplpush(context: Context, args: list[bytes]) -> Reply:
    return _move(context, args, False, True)


@command(
    "BLMPOP timeout:double numkeys:integer key... where=(LEFT | RIGHT) [COUNT count:integer]",
    group="list",
    since="7.0.0",
    complexity="O(N+M) where N is the number of keys and M the number of elements returned",
    flags="write blocking",
    keys="RW access delete",
    summary="Take elements as LMPOP does; wait while there are none.",
)
def blmpop(context: Context, args: list[bytes]) -> Reply:
    lists = ManyLists(args, 2)
    deadline = deadline_in_seconds(args[1], context.db.changes.now)
    popped = lists.pop(context)
    if popped is not None:
        return popped
    return KeyWait(context, LIST, lists.keys, args, deadline, NULL_ARRAY)
