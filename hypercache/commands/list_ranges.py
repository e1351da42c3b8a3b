"""Parts of lists, and elements that are sought by their content."""

from typing import Final

from mypy_extensions import i64

from hypercache.commands.arguments import (
    MAX_I64,
    MIN_I64,
    SYNTAX_ERROR,
    parse_between,
    parse_integer,
    parse_within,
)
from hypercache.commands.lists import edit_list, view_list
from hypercache.engine.command import command
from hypercache.engine.context import Context
from hypercache.keyspace.changes import LINSERT, LREM, LTRIM
from hypercache.reply import OK, ErrorReply, Reply

_RANK_OF_ZERO: Final = (
    "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... "
    "or use negative to start from the end of the list"
)


def _start_of(index: i64, length: i64) -> i64:
    """The first position of a range of LRANGE or LTRIM, within 0 and ``length``."""
    if index < 0:
        index += length
        return index if index > 0 else 0
    return index if index < length else length


def _stop_of(index: i64, length: i64) -> i64:
    """The position behind the last of such a range, within 0 and ``length``."""
    if index < 0:
        index += length
        return index + 1 if index >= 0 else 0
    return index + 1 if index < length else length


@command(
    "LRANGE key start:integer stop:integer",
    group="list",
    since="1.0.0",
    complexity="O(S+N) where S is the distance of the start from the nearer end, N the number "
    "of elements returned",
    flags="readonly",
    keys="RO access",
    summary="Return the elements between two indices, both included.",
)
def lrange(context: Context, args: list[bytes]) -> Reply:
    first = parse_integer(args[2])
    last = parse_integer(args[3])
    elements = view_list(context, args[1])
    if elements is None:
        return []
    length: i64 = elements.length()
    start = _start_of(first, length)
    stop = _stop_of(last, length)
    return elements.range(start, stop) if start < stop else []


@command(
    "LTRIM key start:integer stop:integer",
    group="list",
    since="1.0.0",
    complexity="O(N) where N is the number of elements removed",
    flags="write",
    keys="RW delete",
    summary="Keep the elements between two indices, both included, and remove the others.",
)
def ltrim(context: Context, args: list[bytes]) -> Reply:
    first = parse_integer(args[2])
    last = parse_integer(args[3])
    elements = edit_list(context, args[1], LTRIM)
    if elements is None:
        return OK
    length: i64 = elements.length()
    start = _start_of(first, length)
    stop = _stop_of(last, length)
    if start >= stop:
        elements.remove_range(0, length)
        return OK
    if start == 0 and stop == length:
        # It is told even so, and breaks WATCH.
        context.db.changes.notify(context.db.index, args[1], LTRIM)
        return OK
    elements.remove_range(stop, length)
    elements.remove_range(0, start)
    return OK


@command(
    "LINSERT key where=(BEFORE | AFTER) pivot element",
    group="list",
    since="2.2.0",
    complexity="O(N) where N is the number of elements before the pivot",
    flags="write denyoom",
    keys="RW insert",
    summary="Put an element beside the first that equals a pivot.",
)
def linsert(context: Context, args: list[bytes]) -> Reply:
    where = args[2].lower()
    if where not in (b"before", b"after"):
        raise ErrorReply(SYNTAX_ERROR)
    elements = edit_list(context, args[1], LINSERT)
    if elements is None:
        return 0
    found = elements.find(args[3], 0, 1, elements.length(), False)
    if not found:
        return -1
    elements.insert(found[0] + 1 if where == b"after" else found[0], args[4])
    return elements.length()


@command(
    "LREM key count:integer element",
    group="list",
    since="1.0.0",
    complexity="O(N) where N is the length of the list",
    flags="write",
    keys="RW delete",
    summary="Remove equal elements: the first few, the last few if negative, or with 0 all.",
)
def lrem(context: Context, args: list[bytes]) -> Reply:
    count = parse_integer(args[2])
    elements = edit_list(context, args[1], LREM)
    if elements is None:
        return 0
    limit = -count if count < 0 else count
    if count == 0 or count == MIN_I64:
        limit = MAX_I64
    return elements.remove(args[3], limit, count < 0)


class _Search:
    """What LPOS is told: ``count`` -1 stands for one position instead of an array."""

    def __init__(self, args: list[bytes]) -> None:
        self.rank: i64 = 1
        self.count: i64 = -1
        self.depth: i64 = 0
        for at in range(3, len(args), 2):
            option = args[at].lower()
            if at + 1 == len(args):
                raise ErrorReply(SYNTAX_ERROR)
            number = args[at + 1]
            if option == b"rank":
                self.rank = parse_between(number, -MAX_I64, MAX_I64)
                if self.rank == 0:
                    raise ErrorReply(_RANK_OF_ZERO)
            elif option == b"count":
                self.count = parse_within(number, 0, MAX_I64, "ERR COUNT can't be negative")
            elif option == b"maxlen":
                self.depth = parse_within(number, 0, MAX_I64, "ERR MAXLEN can't be negative")
            else:
                raise ErrorReply(SYNTAX_ERROR)


@command(
    "LPOS key element [RANK rank:integer] [COUNT num-matches:integer] [MAXLEN len:integer]",
    group="list",
    since="6.0.6",
    complexity="O(N) where N is the number of elements compared",
    flags="readonly",
    keys="RO access",
    summary="Return the index of an equal element, or those of many.",
)
def lpos(context: Context, args: list[bytes]) -> Reply:
    search = _Search(args)
    elements = view_list(context, args[1])
    found: list[int] = []
    if elements is not None:
        backwards = search.rank < 0
        skip = (-search.rank if backwards else search.rank) - 1
        count = 1 if search.count == -1 else search.count
        length: i64 = elements.length()
        found = elements.find(
            args[2], skip, count if count > 0 else length, search.depth or length, backwards
        )
    if search.count != -1:
        return found
    return found[0] if found else None
