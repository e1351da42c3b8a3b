"""Finding keys: SCAN step by step, KEYS all at once."""

from typing import Final

from hypercache.backend import KIND_NAMES
from hypercache.commands.arguments import SYNTAX_ERROR, parse_integer
from hypercache.engine.command import command
from hypercache.engine.context import Context
from hypercache.keyspace.glob import matches
from hypercache.keyspace.keyspace import kind_of
from hypercache.reply import ErrorReply, Reply

# Elements of a step for which SCAN is not told how many.
DEFAULT_COUNT: Final = 10
# `ScanOptions.kind` for any type, and for a type that nobody knows.
ANY_KIND: Final = -1
UNKNOWN_KIND: Final = -2

_CURSORS: Final = 1 << 64


class ScanOptions:
    """MATCH (None for everything), COUNT and, for SCAN alone, TYPE."""

    def __init__(self, args: list[bytes], at: int, typed: bool) -> None:
        self.pattern: bytes | None = None
        self.count = DEFAULT_COUNT
        self.kind = ANY_KIND
        while at < len(args):
            option = args[at].lower()
            if at + 1 == len(args):
                raise ErrorReply(SYNTAX_ERROR)
            word = args[at + 1]
            if option == b"count":
                count = parse_integer(word)
                if count < 1:
                    raise ErrorReply(SYNTAX_ERROR)
                self.count = count
            elif option == b"match":
                self.pattern = None if word == b"*" else word
            elif option == b"type" and typed:
                self.kind = kind_named(word)
            else:
                raise ErrorReply(SYNTAX_ERROR)
            at += 2


def kind_named(word: bytes) -> int:
    """The number of a type's name in any case."""
    name = word.lower()
    for kind in range(len(KIND_NAMES)):
        if KIND_NAMES[kind].encode() == name:
            return kind
    return UNKNOWN_KIND


def parse_cursor(text: bytes) -> int:
    """A cursor as strtoul reads it: 64 bits without sign, where a minus wraps around."""
    digits = text[1:] if text[:1] in (b"+", b"-") else text
    if text and not digits.isdigit():
        raise ErrorReply("ERR invalid cursor")
    digits = digits.lstrip(b"0") or b"0"
    cursor = int(digits) if len(digits) <= 20 else _CURSORS
    if cursor >= _CURSORS:
        raise ErrorReply("ERR invalid cursor")
    return -cursor % _CURSORS if text.startswith(b"-") else cursor


@command(
    "SCAN cursor:integer [MATCH pattern:pattern] [COUNT count:integer] [TYPE type]",
    group="generic",
    since="2.8.0",
    complexity="O(1) a call, O(N) for all N keys",
    flags="readonly touches_arbitrary_keys",
    tips="nondeterministic_output request_policy:special response_policy:special",
    history=(("6.0.0", "The option TYPE."),),
    summary="Go through the keys of the current database, some a call.",
)
def scan(context: Context, args: list[bytes]) -> Reply:
    db = context.db
    cursor = parse_cursor(args[1])
    options = ScanOptions(args, 2, True)
    following, keys = db.scan(cursor, options.count)
    pattern = options.pattern
    if pattern is not None:
        keys = [key for key in keys if matches(pattern, key, False)]
    if options.kind != ANY_KIND:
        typed: list[bytes] = []
        for key in keys:
            entry = db.look(key)
            if entry is not None and kind_of(entry) == options.kind:
                typed.append(key)
        keys = typed
    return [str(following).encode(), keys]


@command(
    "KEYS pattern:pattern",
    group="generic",
    since="1.0.0",
    complexity="O(N) where N is the number of keys in the database",
    flags="readonly",
    categories="dangerous",
    tips="request_policy:all_shards nondeterministic_output_order",
    summary="Return all keys that match a pattern, in one go.",
)
def keys_(context: Context, args: list[bytes]) -> Reply:
    return context.db.matching(args[1])
