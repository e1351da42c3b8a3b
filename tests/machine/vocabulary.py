"""The words of generated calls: few, so that calls meet, and those at which servers differ.

Keys say by their name what they mostly hold; now and then a command gets a key of another
type. Values lie at the limits: 64-bit integers, doubles in unusual spellings, infinities,
empty, binary and long strings. No relative time to live ends during a test.
"""

from typing import Final

from hypercache.engine.command import Command
from hypercache.testing.calls import Pool, Pools

MAX: Final = b"9223372036854775807"
MIN: Final = b"-9223372036854775808"
BINARY: Final = b"\x00\xff\r\n"
LONG: Final = b"long" * 20

#: The groups of COMMAND DOCS whose commands are exercised, and the keys that are theirs.
KEYS: Final[dict[str, Pool]] = {
    "string": (b"str:1", b"str:2", b"str:3", b""),
    "bitmap": (b"bits:1", b"bits:2", b"bits:3"),
    "hyperloglog": (b"hll:1", b"hll:2", b"hll:3"),
    "hash": (b"hash:1", b"hash:2", b"hash:3"),
    "list": (b"list:1", b"list:2", b"list:3"),
    "set": (b"set:1", b"set:2", b"set:3"),
    "sorted-set": (b"zset:1", b"zset:2", b"zset:3"),
    "geo": (b"geo:1", b"geo:2"),
    "stream": (b"stream:1", b"stream:2"),
    "generic": (),
}
ALL_KEYS: Final = tuple(key for keys in KEYS.values() for key in keys)
#: Keys whose commands also take what is made for another group.
COUSINS: Final = {"sorted-set": KEYS["set"], "geo": KEYS["sorted-set"], "bitmap": KEYS["string"]}

WHOLE: Final = (b"0", b"1", b"-1", b"2", b"3", b"10", b"-7", b"100", MAX, MIN)
NOT_WHOLE: Final = (b"9223372036854775808", b"", b" 1", b"+1", b"01", b"-0", b"1.0", b"0x10", b"x")
DOUBLES: Final = (b"0", b"1", b"-1.5", b"3.0e3", b"1e-7", b"0.1", b"2.5", b"17179869184.000001")
ODD_DOUBLES: Final = (
    b"inf",
    b"-inf",
    b"+inf",
    b"nan",
    b"1e400",
    b"",
    b" 1",
    b"1,5",
    b"0x1p3",
    b"x",
)
WORDS: Final = (b"a", b"b", b"c", b"d", b"1", b"2", b"3", b"-7", b"hello", b"", BINARY, LONG)
RANKS: Final = (b"0", b"1", b"-1", b"2", b"-2", b"5", b"-100", b"100")
COUNTS: Final = (b"0", b"1", b"2", b"3", b"10", b"-1", b"-2", b"-5")
SCORES: Final = (b"-inf", b"+inf", b"1", b"(1", b"2", b"(2", b"-1.5", b"0")
LEXES: Final = (b"-", b"+", b"[a", b"(a", b"[c", b"(c", b"[", b"(d")
IDS: Final = (b"1-1", b"1-2", b"2-0", b"2-1", b"3", b"5-5", b"7-0", b"9999999999999-1")


#: Relative times to live that do not end during a test, in seconds and in milliseconds.
TIMES: Final = (b"1000", b"100000", b"1000000", b"100000000")


def mostly(common: Pool, rare: Pool) -> Pool:
    """The common words in about six of seven cases."""
    return common * max(1, 6 * len(rare) // len(common) + 1) + rare


INDEXES: Final = mostly(RANKS, (MAX, MIN, b"x", b"1.5"))
MANY: Final = mostly(COUNTS, (MAX, MIN, b"x", b"1.5"))

#: What DUMP says of a string, a hash and a set, in the form of RDB version 10.
_DUMPS: Final = (
    b"\x00\x033.5\n\x00!O\x99\x89\xcc\x90\x8fg",
    b"\x10\x0e\x0e\x00\x00\x00\x02\x00\x82f1\x03\x81v\x02\xff\n\x00\x17\xbf\xdc\xee\x83?\xd4\x01",
    b"\x02\x02\x01x\x01y\n\x00\xac:\x8dh\x11\x84\xaa1",
)

_EVERYWHERE: Final[dict[str, Pool]] = {
    "count": MANY,
    "num-matches": MANY,
    "len": mostly((b"0", b"1", b"10"), (b"-1", MAX, b"x")),
    "rank": mostly((b"1", b"-1", b"2", b"-2"), (b"0", MAX, MIN, b"x")),
    "limit": mostly((b"0", b"1", b"2", b"10"), (b"-1", b"x")),
    "index": INDEXES,
    "start": INDEXES,
    "stop": INDEXES,
    "end": INDEXES,
    "cursor": mostly((b"0",), (b"x", b"")),
    "timeout": mostly((b"0", b"0.5", b"1"), (b"-1", b"x", b"inf", b"nan", MAX)),
    "db": mostly((b"0", b"1"), (b"16", b"-1", b"x", MAX)),
    "destination-db": mostly((b"0", b"1"), (b"16", b"-1", b"x", MAX)),
    "increment": mostly((b"1", b"-1", b"10", b"-7", b"0"), (*WHOLE[-2:], *NOT_WHOLE[:4], b"1.5")),
    "decrement": mostly((b"1", b"-1", b"10", b"-7", b"0"), (*WHOLE[-2:], *NOT_WHOLE[:4])),
    "seconds": mostly(TIMES[:2], (b"-1", b"0", MAX, MIN, b"9223372036854775", b"x")),
    "milliseconds": mostly(TIMES[2:], (b"-1", b"0", MAX, MIN, b"1.5", b"x")),
    "unix-time-seconds": mostly((b"4102444800", b"5000000000"), (b"1", b"0", b"-1", MAX, b"x")),
    "unix-time-milliseconds": mostly(
        (b"4102444800000", b"5000000000000"), (b"1", b"0", b"-1", MAX, b"x")
    ),
    "type": (b"string", b"list", b"set", b"zset", b"hash", b"stream", b"nosuch"),
    "numreplicas": mostly((b"0",), (b"-1", b"x")),
    "numlocal": mostly((b"0",), (b"1", b"2", b"x")),
    "by-pattern": (b"*", b"nosort", b"str:*", b"hash:*->f1", b"none:*", b"", b"str:1"),
    "get-pattern": (b"#", b"str:*", b"hash:*->f1", b"hash:*->", b"*", b"none:*", b"list:*"),
    "serialized-value": mostly(_DUMPS, (b"", b"x" * 20, _DUMPS[0][:-1], _DUMPS[0][:-1] + b"x")),
    "ttl": mostly((b"0", b"100000000", b"4102444800000"), (b"-1", b"x")),
    "frequency": mostly((b"0", b"255"), (b"256", b"-1", b"x")),
    "min-match-len": mostly((b"0", b"1", b"3"), (b"-1", b"x")),
}
#: More of them by group, then by command.
_BY_GROUP: Final[dict[str, dict[str, Pool]]] = {
    "string": {"offset": (b"0", b"1", b"3", b"10", b"300", b"-1", b"536870912", MAX, b"x")},
    "bitmap": {
        "offset": mostly((b"0", b"1", b"7", b"8", b"100", b"#1"), (b"-1", b"4294967296", b"x")),
        "value": mostly((b"0", b"1"), (b"2", b"-1", b"x", MAX)),
        "bit": mostly((b"0", b"1"), (b"2", b"-1", b"x")),
        "encoding": mostly(
            (b"u8", b"i8", b"u1", b"i5", b"i64", b"u63"), (b"u64", b"i0", b"i65", b"x", b"8")
        ),
    },
    "hash": {
        "field": (b"f1", b"f2", b"f3", b"f4", b"f5", b"", BINARY, LONG),
        "value": mostly(WORDS, (MAX, MIN, b"1.5", b"1e400")),
    },
    "list": {},
    "set": {},
    "sorted-set": {
        "score": mostly(DOUBLES, ODD_DOUBLES),
        "increment": mostly(DOUBLES, ODD_DOUBLES),
        "weight": mostly((b"1", b"2", b"0.5", b"-1", b"0"), (b"inf", b"-inf", b"nan", b"x")),
        "min": mostly(SCORES, (b"x", b"(", b"nan", b"(inf", b"[a", b"")),
        "max": mostly(SCORES, (b"x", b"(", b"nan", b"(inf", b"[a", b"")),
        "start": mostly(RANKS, (MAX, MIN, b"x")),
        "stop": mostly(RANKS, (MAX, MIN, b"x")),
        "offset": mostly((b"0", b"1", b"2"), (b"-1", MAX, b"x")),
    },
    "geo": {
        "member": (b"Palermo", b"Catania", b"Lima", b"Oslo", b"Quito", b"", BINARY),
        "member1": (b"Palermo", b"Catania", b"Lima", b"nowhere"),
        "member2": (b"Palermo", b"Oslo", b"Quito", b"nowhere"),
        "longitude": mostly(
            (b"13.361389", b"15.087269", b"-77.03", b"0", b"179.99"), (b"180.1", b"nan", b"x")
        ),
        "latitude": mostly(
            (b"38.115556", b"37.502669", b"-12.04", b"0", b"85.05"), (b"85.06", b"nan", b"x")
        ),
        "radius": mostly((b"200", b"5000", b"30000", b"0", b"0.5"), (b"-1", b"inf", b"nan", b"x")),
        "width": mostly((b"200", b"5000", b"30000", b"0"), (b"-1", b"nan", b"x")),
        "height": mostly((b"200", b"5000", b"30000", b"0"), (b"-1", b"nan", b"x")),
    },
    "stream": {
        "id": mostly(IDS, (b"2-*", b"0-0", b"0", b"x", b"1-1-1", b"$", b"-1", b"1-", MAX)),
        "ID": mostly((*IDS, b"0", b"$", b">"), (b"x", b"1-x", b"-", b"+", b"")),
        "start": mostly((b"-", b"0", b"1-1", b"(1-1", b"2"), (b"+", b"x", b"(", b"(-", b"$")),
        "end": mostly((b"+", b"+", b"2", b"(5-5", b"7-0"), (b"-", b"x", b"(", b"(+", b"(0-0")),
        "group": mostly((b"g1", b"g2"), (b"nosuch", b"")),
        "consumer": (b"c1", b"c2", b"c3", b""),
        "threshold": mostly((b"0", b"1", b"2", b"5", b"2-0"), (b"-1", b"x", b"9999999999999-1")),
        "min-idle-time": mostly((b"0", b"1000000000"), (b"-1", b"x", MAX)),
        "ms": mostly((b"0", b"100000"), (b"-1", b"x", MAX)),
        "last-id": mostly(IDS, (b"x", b"0-0")),
        "lastid": mostly(IDS, (b"x", b"0-0")),
        "max-deleted-id": mostly(IDS[:4], (b"x", b"0-0")),
        "entries-added": mostly((b"5", b"100"), (b"0", b"-1", b"x")),
        "entries-read": mostly((b"0", b"1", b"3"), (b"-1", b"-2", b"x")),
        "entriesread": mostly((b"0", b"1", b"3"), (b"-1", b"-2", b"x")),
        "count": mostly((b"1", b"2", b"3", b"10"), (b"0", b"-1", b"-2", MAX, b"x")),
    },
    "generic": {"offset": mostly((b"0", b"1", b"2"), (b"-1", MAX, b"x"))},
}
_LEXICAL: Final[dict[str, Pool]] = {
    "min": mostly(LEXES, (b"a", b"", b"(1", b"x")),
    "max": mostly(LEXES, (b"a", b"", b"(1", b"x")),
}
_ANY_RANGE: Final[Pool] = (
    b"0",
    b"-1",
    b"1",
    b"(1",
    b"2",
    b"-inf",
    b"+inf",
    b"[a",
    b"(c",
    b"-",
    b"+",
)
#: Everything in one step: what a server gives of a large value in several is its own affair.
_SCANS: Final[dict[str, Pool]] = {
    "count": mostly((b"1000", b"100000"), (b"0", b"-1", b"x")),
    "pattern": (b"*", b"f*", b"?", b"[a-c]", b"[^a]", b"\\a", b"", b"*1*", b"[", b"**?"),
}
_BY_COMMAND: Final[dict[bytes, dict[str, Pool]]] = {
    b"zlexcount": _LEXICAL,
    b"zrangebylex": _LEXICAL,
    b"zrevrangebylex": _LEXICAL,
    b"zremrangebylex": _LEXICAL,
    b"zrange": {"start": _ANY_RANGE, "stop": _ANY_RANGE},
    b"zrangestore": {"min": _ANY_RANGE, "max": _ANY_RANGE},
    # LSET of 7.2 cuts indexes to 32 bits where a list is a listpack.
    b"lset": {"index": mostly(RANKS, (b"2147483647", b"x", b"1.5"))},
    b"incrbyfloat": {"increment": mostly(DOUBLES, ODD_DOUBLES)},
    b"hincrbyfloat": {"increment": mostly(DOUBLES, ODD_DOUBLES)},
    b"scan": _SCANS,
    b"hscan": _SCANS,
    b"sscan": _SCANS,
    b"zscan": _SCANS,
    b"pfdebug": {"subcommand": (b"GETREG", b"DECODE", b"encoding", b"ToDense", b"x")},
    b"xadd": {"id": mostly(IDS, (b"2-*", b"0-0", b"x", b"1-1-1", b"-1"))},
}


def words_for(command: Command) -> Pools:
    """The words of a command's calls."""
    group = command.declaration.group
    own = KEYS[group] or ALL_KEYS
    cousins = COUSINS.get(group, ())
    named = _EVERYWHERE | _BY_GROUP.get(group, {}) | _BY_COMMAND.get(command.name, {})
    return Pools(
        keys=own * (120 // len(own)) + cousins * 3 + ALL_KEYS,
        strings=mostly(WORDS, (MAX, MIN, *NOT_WHOLE[:3])),
        integers=mostly(WHOLE[:-2], (*WHOLE[-2:], *NOT_WHOLE)),
        doubles=mostly(DOUBLES, ODD_DOUBLES),
        patterns=(b"*", b"str:*", b"?et:1", b"[h-l]*", b"[^a]*", b"\\s*", b"", b"*1*", b"["),
        named=named,
    )
