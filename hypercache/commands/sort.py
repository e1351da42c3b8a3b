"""SORT and SORT_RO: the elements of a list, a set or a sorted set in another order."""

from typing import Final, cast

from mypy_extensions import i64

from hypercache.backend import (
    LIST,
    SET,
    ZSET,
    HashValue,
    ListValue,
    SetValue,
    Value,
    ZSetValue,
)
from hypercache.commands.arguments import SYNTAX_ERROR, parse_integer
from hypercache.commands.doubles import parse_double
from hypercache.engine.acl.users import may_use_every_key
from hypercache.engine.command import command
from hypercache.engine.context import Context
from hypercache.engine.keys import ACCESS, OW, RO, UPDATE
from hypercache.keyspace.changes import SORTSTORE
from hypercache.keyspace.keyspace import WRONG_TYPE, Keyspace, kind_of
from hypercache.reply import ErrorReply, Reply

_NOT_A_SCORE: Final = "ERR One or more scores can't be converted into double"
_DENIED: Final = "ERR %s option of SORT denied due to insufficient ACL permissions."
# What strtod skips.
_SPACES: Final = b" \t\n\v\f\r"

_COMPLEXITY: Final = "O(N*log(N)) where N is the number of elements, O(N) where they are not sorted"
_SYNTAX: Final = (
    "key#0 [BY by-pattern/pattern:pattern#1] [LIMIT offset:integer count:integer]"
    " [GET get-pattern/pattern:pattern#1]... order=[ASC | DESC] [sorting:ALPHA]"
)


class Pattern:
    """Where BY or GET finds something for an element: a key, perhaps a hash's field in it.

    The element takes the place of the first ``*`` of ``prefix*suffix->field``. ``#`` is the
    element itself; nothing is found for a pattern without ``*``.
    """

    def __init__(self, text: bytes) -> None:
        self.is_element = text == b"#"
        star = text.find(b"*")
        self.is_constant = star < 0
        self.prefix = text[:star]
        self.suffix = text[star + 1 :]
        self.field = b""
        arrow = self.suffix.find(b"->")
        if 0 <= arrow < len(self.suffix) - 2:
            self.field = self.suffix[arrow + 2 :]
            self.suffix = self.suffix[:arrow]

    def find(self, db: Keyspace, element: bytes) -> bytes | None:
        """The string that belongs to an element; None if there is none."""
        if self.is_element:
            return element
        if self.is_constant:
            return None
        key = self.prefix + element + self.suffix
        if not self.field:
            return db.peek(key)
        entry = db.view_any(key)
        value = None if entry is None else entry.value
        return value.get(self.field) if isinstance(value, HashValue) else None


class Options:
    """What a call asks for; ``target`` is the key of STORE, None without it."""

    def __init__(self) -> None:
        self.by: Pattern | None = None
        self.gets: list[Pattern] = []
        self.target: bytes | None = None
        self.offset: i64 = 0
        self.count: i64 = -1
        self.descending = False
        self.alphabetic = False
        self.unsorted = False
        # A script's effects and replies must not depend on the order of a set.
        self.in_script = False


def parse_options(context: Context, args: list[bytes], may_store: bool) -> Options:
    """The options of a call, from args[2] on.

    Patterns name any key there is, so only a user may give some who may read all keys.
    """
    options = Options()
    options.in_script = context.caller is not None
    may_look = may_read_all(context, args)
    at = 2
    while at < len(args):
        name = args[at].lower()
        left = len(args) - at - 1
        if name == b"asc" or name == b"desc":
            options.descending = name == b"desc"
        elif name == b"alpha":
            options.alphabetic = True
        elif name == b"limit" and left >= 2:
            options.offset = parse_integer(args[at + 1])
            options.count = parse_integer(args[at + 2])
            at += 2
        elif name == b"store" and left >= 1 and may_store:
            options.target = args[at + 1]
            at += 1
        elif name == b"by" and left >= 1:
            options.by = Pattern(args[at + 1])
            options.unsorted = options.unsorted or options.by.is_constant
            if not may_look and not options.by.is_constant:
                raise ErrorReply(_DENIED % "BY")
            at += 1
        elif name == b"get" and left >= 1:
            if not may_look:
                raise ErrorReply(_DENIED % "GET")
            options.gets.append(Pattern(args[at + 1]))
            at += 1
        else:
            raise ErrorReply(SYNTAX_ERROR)
        at += 1
    return options


def may_read_all(context: Context, args: list[bytes]) -> bool:
    """Whether the client's user may make the call, and read every key there is."""
    if context.user.unrestricted:
        return True
    command = context.engine.registry.original(args[0]) or context.last_command
    return command is not None and may_use_every_key(context.user, command, args, ACCESS)


def source_key(args: list[bytes]) -> list[tuple[int, int]] | None:
    """The key that is sorted: all that the arguments of SORT_RO tell."""
    return [(1, RO | ACCESS)]


def sort_keys(args: list[bytes]) -> list[tuple[int, int]] | None:
    """The keys of SORT that its arguments tell: what is sorted, and the last STORE."""
    store = 0
    at = 2
    while at < len(args):
        word = args[at].lower()
        if word == b"limit":
            at += 2
        elif word == b"get" or word == b"by":
            at += 1
        elif word == b"store" and at + 1 < len(args):
            store = at + 1
        at += 1
    found = [(1, RO | ACCESS)]
    if store > 0:
        found.append((store, OW | UPDATE))
    return found


@command(
    f"SORT {_SYNTAX} [STORE destination:key#2]",
    group="generic",
    since="1.0.0",
    complexity=_COMPLEXITY,
    flags="write denyoom",
    categories="set sortedset list dangerous -keyspace",
    keys="RO access; unknown RO access; unknown OW update",
    key_finder=sort_keys,
    summary="Sort the elements of a list, a set or a sorted set, and perhaps store the result.",
)
def sort(context: Context, args: list[bytes]) -> Reply:
    options = parse_options(context, args, True)
    db = context.db
    rows = fetch(db, sorted_elements(db, args[1], options), options.gets)
    target = options.target
    if target is None:
        return rows
    if not rows:
        db.delete(target)
        return 0
    stored = cast(ListValue, db.replace(target, LIST, SORTSTORE))
    for row in rows:
        stored.push_right(b"" if row is None else cast(bytes, row))
    return len(rows)


@command(
    f"SORT_RO {_SYNTAX}",
    group="generic",
    since="7.0.0",
    complexity=_COMPLEXITY,
    flags="readonly",
    categories="set sortedset list dangerous -keyspace",
    keys="RO access; unknown RO access",
    key_finder=source_key,
    summary="Return the elements of a list, a set or a sorted set in order.",
)
def sort_ro(context: Context, args: list[bytes]) -> Reply:
    options = parse_options(context, args, False)
    db = context.db
    return fetch(db, sorted_elements(db, args[1], options), options.gets)


def fetch(db: Keyspace, elements: list[bytes], patterns: list[Pattern]) -> list[object]:
    """What GET asks for, element by element; without GET the elements themselves."""
    if not patterns:
        return list(elements)
    rows: list[object] = []
    for element in elements:
        for pattern in patterns:
            rows.append(pattern.find(db, element))
    return rows


def sorted_elements(db: Keyspace, key: bytes, options: Options) -> list[bytes]:
    """The elements under a key, sorted, and cut to what LIMIT leaves."""
    entry = db.view_any(key)
    if entry is None:
        return []
    kind = kind_of(entry)
    if kind != LIST and kind != SET and kind != ZSET:
        raise ErrorReply(WRONG_TYPE)
    value = cast(Value, entry.value)
    length: i64 = value.length()
    start = min(max(options.offset, 0), length)
    count = length - start
    if options.count >= 0:
        count = min(count, options.count)
    if options.unsorted and kind != SET:
        return in_order(value, start, count, options.descending)
    elements = all_elements(value)
    if kind != LIST and options.target is not None:
        # So that what is stored does not depend on an order that another server may not share.
        elements.sort()
    if options.unsorted and options.target is None:
        if options.in_script:
            elements.sort(reverse=options.descending)
        return elements[start : start + count]
    elements = sort_by(db, elements, options)
    return elements[start : start + count]


def in_order(value: Value, start: i64, count: i64, backwards: bool) -> list[bytes]:
    """``count`` elements of a list or a sorted set, in its own order or from the end on."""
    if backwards:
        start = value.length() - start - count
    if isinstance(value, ListValue):
        elements = value.range(start, start + count)
    else:
        elements = [member for member, _ in cast(ZSetValue, value).range(start, start + count)]
    if backwards:
        elements.reverse()
    return elements


def all_elements(value: Value) -> list[bytes]:
    """All elements of a list, a set or a sorted set."""
    if isinstance(value, ListValue):
        return value.range(0, value.length())
    if isinstance(value, SetValue):
        return list(value.members())
    return [member for member, _ in cast(ZSetValue, value).items()]


def sort_by(db: Keyspace, elements: list[bytes], options: Options) -> list[bytes]:
    """The elements in the order that the options ask for."""
    by = None if options.unsorted else options.by
    if not options.alphabetic and not options.unsorted:
        return by_scores(
            elements, [score_of(db, by, each) for each in elements], options.descending
        )
    if by is None:
        elements.sort(reverse=options.descending)
        return elements
    labelled = [(label_of(db, by, element), element) for element in elements]
    labelled.sort(key=_label, reverse=options.descending)
    return [element for _, element in labelled]


def by_scores(elements: list[bytes], scores: list[float], descending: bool) -> list[bytes]:
    """The elements by their scores, and those of the same score by themselves."""
    # Comparing numbers alone is much faster than pairs, and ties are few.
    order = sorted(range(len(elements)), key=scores.__getitem__)
    arranged = [elements[index] for index in order]
    start = 0
    for at in range(1, len(order) + 1):
        if at == len(order) or scores[order[at]] != scores[order[start]]:
            if at - start > 1:
                arranged[start:at] = sorted(arranged[start:at])
            start = at
    if descending:
        arranged.reverse()
    return arranged


def score_of(db: Keyspace, by: Pattern | None, element: bytes) -> float:
    """The number that an element is sorted by: what strtod reads, 0 where there is nothing."""
    text = element if by is None else by.find(db, element)
    if text is None:
        return 0.0
    try:
        return parse_double(text)
    except ErrorReply:
        return lenient_score(text)


def lenient_score(text: bytes) -> float:
    """What strtod takes besides: nothing for 0, spaces in front, anything behind a zero byte."""
    end = text.find(b"\0")
    if end >= 0:
        text = text[:end]
    return parse_double(text.lstrip(_SPACES), _NOT_A_SCORE) if text else 0.0


def label_of(db: Keyspace, by: Pattern, element: bytes) -> bytes:
    """The string that an element is sorted by, marked so that one without any comes first."""
    text = by.find(db, element)
    return b"" if text is None else b"=" + text


def _label(labelled: tuple[bytes, bytes]) -> bytes:
    return labelled[0]
