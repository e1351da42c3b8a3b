"""Parts of hashes: HSCAN step by step, HRANDFIELD by chance."""

from typing import Final

from mypy_extensions import i64

from hypercache.backend import HashValue
from hypercache.commands.arguments import MAX_I64, SYNTAX_ERROR, parse_between
from hypercache.commands.hashes import view_hash
from hypercache.commands.scanning import ScanOptions, parse_cursor
from hypercache.engine.command import command
from hypercache.engine.context import Context
from hypercache.keyspace.clock import Chance
from hypercache.keyspace.glob import matches
from hypercache.reply import ErrorReply, Pairs, Reply

# Fields that HRANDFIELD returns at the most when it may repeat them, and their bytes.
_REPEATED: Final[i64] = 1 << 24
_REPEATED_BYTES: Final[i64] = 1 << 30
_OUT_OF_RANGE: Final = "ERR value is out of range"

_Pair = tuple[bytes, bytes]


@command(
    "HSCAN key cursor:integer [MATCH pattern:pattern] [COUNT count:integer]",
    group="hash",
    since="2.8.0",
    complexity="O(1) a call, O(N) for all N fields",
    flags="readonly",
    keys="RO access",
    tips="nondeterministic_output",
    summary="Go through the fields of a hash and their values, some a call.",
)
def hscan(context: Context, args: list[bytes]) -> Reply:
    """A hash of the compact encoding comes at once, as clients of Redis know it."""
    cursor = parse_cursor(args[2])
    fields = view_hash(context, args[1])
    if fields is None:
        return [b"0", []]
    options = ScanOptions(args, 3, False)
    if fields.encoding() == "listpack":
        cursor = 0
        found = list(fields.items())
    else:
        cursor, found = fields.scan(cursor, options.count)
    pattern = options.pattern
    flat: list[bytes] = []
    for field, value in found:
        if pattern is None or matches(pattern, field, False):
            flat.append(field)
            flat.append(value)
    return [str(cursor).encode(), flat]


@command(
    "HRANDFIELD key options=[count:integer [WITHVALUES]]",
    group="hash",
    since="6.2.0",
    complexity="O(N) where N is the number of fields returned",
    flags="readonly",
    keys="RO access",
    tips="nondeterministic_output",
    summary="Return random fields of a hash: distinct ones, or with a negative count any.",
)
def hrandfield(context: Context, args: list[bytes]) -> Reply:
    chance = context.db.chance
    if len(args) == 2:
        fields = view_hash(context, args[1])
        return None if fields is None else fields.sample(chance.pick())[0]
    count = parse_between(args[2], -MAX_I64, MAX_I64)
    with_values = len(args) == 4 and args[3].lower() == b"withvalues"
    if len(args) > 3 and not with_values:
        raise ErrorReply(SYNTAX_ERROR)
    if with_values and not -MAX_I64 // 2 <= count <= MAX_I64 // 2:
        raise ErrorReply(_OUT_OF_RANGE)
    fields = view_hash(context, args[1])
    if fields is None or count == 0:
        return []
    if count > 0:
        picked = sample_distinct(fields, count, chance)
    else:
        size: i64 = -count
        if size <= _REPEATED:
            size *= fields.memory() // fields.length()
        if -count > _REPEATED or size > _REPEATED_BYTES:
            raise context.engine.delivery.refuse_reply(context, size)
        picked = sample(fields, -count, chance)
    if not with_values:
        return [field for field, _ in picked]
    pairs: list[tuple[object, object]] = []
    for field, value in picked:
        pairs.append((field, value))
    return Pairs(pairs)


def sample(fields: HashValue, count: i64, chance: Chance) -> list[_Pair]:
    """That many random fields, perhaps the same again."""
    picked: list[_Pair] = []
    while count > 0:
        picked.append(fields.sample(chance.pick()))
        count -= 1
    return picked


def sample_distinct(fields: HashValue, count: i64, chance: Chance) -> list[_Pair]:
    """Up to ``count`` random fields, none twice."""
    size: i64 = fields.length()
    if count < size // 3:
        found: dict[bytes, bytes] = {}
        # A store that does not sample evenly may take longer than it takes to list them all.
        for _ in range(2 * count + 100):
            field, value = fields.sample(chance.pick())
            found[field] = value
            if len(found) == count:
                return list(found.items())
    everything = list(fields.items())
    if count >= size:
        return everything
    at: i64 = 0
    while at < count:
        other = at + chance.below(size - at)
        everything[at], everything[other] = everything[other], everything[at]
        at += 1
    return everything[:count]
