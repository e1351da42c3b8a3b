"""Hypothesis strategies for requests: string, key, expiry and transaction commands.

Keys and values come from small pools, so that commands meet the same keys again and again;
the pools are made of the values at which implementations differ: the limits of 64-bit
integers, numbers in unusual spellings, empty and binary strings. None is long: LCS takes the
product of two lengths.

Left out are the differences of clocks: a time to live is either long enough that nothing
expires during a test, or `SHORT` (the test waits for its end), or over at once.
"""

from typing import Final, TypeAlias

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

Request: TypeAlias = tuple[bytes, ...]

#: The only relative times to live, in milliseconds, that end during a test.
SHORT: Final = (b"1", b"2")

POOL: Final = (b"a", b"b", b"c", b"d", b"", b"\x00\xff\r\n", b"key:10", b"n")
KEYS = st.sampled_from(POOL)

MAX = b"9223372036854775807"
MIN = b"-9223372036854775808"

WHOLE = [b"0", b"1", b"-1", b"2", b"10", b"-7", b"100", MAX, MIN]
NOT_WHOLE = [b"9223372036854775808", b"-9223372036854775809", b"", b" 1", b"1 ", b"+1", b"01"]
NOT_WHOLE += [b"-0", b"1.0", b"0x10", b"ten", b"1\x00", b"99999999999999999999"]
FLOATS = [b"1.5", b"-0.1", b"3.0e3", b"1e-7", b"5e20", b"1e400", b"nan", b"inf", b"-inf", b"0.10"]
FLOATS += [b"1.7976931348623157e308", b"17179869184.000001", b".5", b"5.", b"1e", b"1,5", b" 1.5"]
TEXTS = [
    b"x",
    b"hello",
    b"\x00\x01\xfe\xff",
    b"a\r\nb",
    b"y" * 44,
    b"y" * 45,
    b"z" * 200,
    "é".encode(),
]

VALUES = st.sampled_from(WHOLE + NOT_WHOLE[:7] + FLOATS[:5] + TEXTS)
INTEGERS = st.one_of(st.sampled_from(WHOLE), st.sampled_from(WHOLE + NOT_WHOLE))
NUMBERS = st.sampled_from(WHOLE + FLOATS + NOT_WHOLE)
INDEXES = st.sampled_from(
    [b"0", b"1", b"2", b"-1", b"-2", b"5", b"-5", b"100", b"-100", MAX, MIN, b"one", b"1.5"]
)
#: Offsets of SETRANGE: near, or past the 512 MB that a string may have.
OFFSETS = st.sampled_from([b"0", b"1", b"3", b"10", b"300", b"-1", b"536870912", MAX, b"x"])
DATABASES = st.sampled_from([b"0", b"1", b"2", b"15", b"16", b"-1", b"one", MAX])
PATTERNS = st.sampled_from(
    [
        b"*",
        b"a",
        b"?",
        b"[a-c]",
        b"[^a]",
        b"key:*",
        b"*1*",
        b"\\a",
        b"[",
        b"[a",
        b"**?",
        b"",
        b"\x00*",
    ]
)

SECONDS = st.sampled_from(
    [b"1000", b"100000", b"-1", b"0", MAX, MIN, b"9223372036854775", b"x", b""]
)
MILLISECONDS = st.one_of(
    st.sampled_from(SHORT),
    st.sampled_from([b"1000000", b"100000000", b"-1", b"0", MAX, MIN, b"1.5", b"x"]),
)
#: Moments: long past, far off (2100, in seconds and milliseconds), and impossible.
UNIX_SECONDS = st.sampled_from([b"4102444800", b"5000000000", b"1", b"0", b"-1", MAX, MIN, b"x"])
UNIX_MILLISECONDS = st.sampled_from(
    [b"4102444800000", b"5000000000000", b"1", b"0", b"-1", MAX, b"x"]
)


def words(text: str) -> SearchStrategy[Request]:
    """Fixed words, in upper, lower or mixed case."""
    upper = text.upper().encode().split()
    cases = [upper, [w.lower() for w in upper], [w.title() for w in upper]]
    return st.sampled_from([tuple(words) for words in cases])


def one(strategy: SearchStrategy[bytes]) -> SearchStrategy[Request]:
    """One argument."""
    return strategy.map(lambda value: (value,))


def many(*item: SearchStrategy[bytes], least: int = 1, most: int = 4) -> SearchStrategy[Request]:
    """Some repetitions of an item of one or several arguments."""
    return st.lists(st.tuples(*item), min_size=least, max_size=most).map(
        lambda items: tuple(value for item in items for value in item)
    )


def any_of(*options: SearchStrategy[Request], most: int = 3) -> SearchStrategy[Request]:
    """Up to ``most`` options in any order, contradictory and repeated ones too."""
    return st.lists(st.one_of(*options), max_size=most).map(lambda parts: sum(parts, ()))


def request(name: str, *parts: SearchStrategy[Request]) -> SearchStrategy[Request]:
    """A request: the words of its name, then its parts."""
    return st.tuples(words(name), *parts).map(lambda parts: sum(parts, ()))


def with_value(word: str, value: SearchStrategy[bytes]) -> SearchStrategy[Request]:
    """An option that has a value."""
    return st.tuples(words(word), one(value)).map(lambda parts: sum(parts, ()))


KEY = one(KEYS)
VALUE = one(VALUES)
NAMES = many(KEYS)
JUNK = one(st.sampled_from([b"FOO", b"", b"1", b"NX"]))

EXPIRY_OPTIONS = (
    with_value("EX", SECONDS),
    with_value("PX", MILLISECONDS),
    with_value("EXAT", UNIX_SECONDS),
    with_value("PXAT", UNIX_MILLISECONDS),
)
CONDITIONS = any_of(words("NX"), words("XX"), words("GT"), words("LT"), JUNK, most=2)

STRINGS = st.one_of(
    request("SET", KEY, VALUE),
    request(
        "SET",
        KEY,
        VALUE,
        any_of(words("NX"), words("XX"), words("GET"), words("KEEPTTL"), *EXPIRY_OPTIONS, JUNK),
    ),
    request("GET", KEY),
    request("GETDEL", KEY),
    request("GETEX", KEY, any_of(words("PERSIST"), *EXPIRY_OPTIONS, most=2)),
    request("GETSET", KEY, VALUE),
    request("SETNX", KEY, VALUE),
    request("SETEX", KEY, one(SECONDS), VALUE),
    request("PSETEX", KEY, one(MILLISECONDS), VALUE),
    request("APPEND", KEY, VALUE),
    request("STRLEN", KEY),
    request("GETRANGE", KEY, one(INDEXES), one(INDEXES)),
    request("SUBSTR", KEY, one(INDEXES), one(INDEXES)),
    request("SETRANGE", KEY, one(OFFSETS), VALUE),
    request("INCR", KEY),
    request("DECR", KEY),
    request("INCRBY", KEY, one(INTEGERS)),
    request("DECRBY", KEY, one(INTEGERS)),
    request("INCRBYFLOAT", KEY, one(NUMBERS)),
    request("MGET", NAMES),
    request("MSET", many(KEYS, VALUES)),
    request("MSETNX", many(KEYS, VALUES, most=2)),
    request(
        "LCS",
        KEY,
        KEY,
        any_of(
            words("LEN"), words("IDX"), words("WITHMATCHLEN"), with_value("MINMATCHLEN", INDEXES)
        ),
    ),
)

EXPIRY = st.one_of(
    request("EXPIRE", KEY, one(SECONDS), CONDITIONS),
    request("PEXPIRE", KEY, one(MILLISECONDS), CONDITIONS),
    request("EXPIREAT", KEY, one(UNIX_SECONDS), CONDITIONS),
    request("PEXPIREAT", KEY, one(UNIX_MILLISECONDS), CONDITIONS),
    request("TTL", KEY),
    request("PTTL", KEY),
    request("EXPIRETIME", KEY),
    request("PEXPIRETIME", KEY),
    request("PERSIST", KEY),
)

KEY_COMMANDS = st.one_of(
    request("DEL", NAMES),
    request("UNLINK", NAMES),
    request("EXISTS", NAMES),
    request("TOUCH", NAMES),
    request("TYPE", KEY),
    request("RENAME", KEY, KEY),
    request("RENAMENX", KEY, KEY),
    request("COPY", KEY, KEY, any_of(words("REPLACE"), with_value("DB", DATABASES), JUNK, most=2)),
    request("MOVE", KEY, one(DATABASES)),
    request("KEYS", one(PATTERNS)),
    request("RANDOMKEY"),
    request("DBSIZE"),
    request(
        "SCAN",
        one(st.sampled_from([b"0", b"0", b"x", b""])),
        with_value("COUNT", st.sampled_from([b"1000", b"0", b"-1", b"x", MAX])),
        any_of(with_value("MATCH", PATTERNS), with_value("TYPE", st.just(b"string")), JUNK, most=2),
    ),
    request("OBJECT ENCODING", KEY),
    request("OBJECT REFCOUNT", KEY),
    request("OBJECT IDLETIME", KEY),
    request("OBJECT FREQ", KEY),
    request("SELECT", one(DATABASES)),
    request("SWAPDB", one(DATABASES), one(DATABASES)),
    request("FLUSHDB", any_of(words("SYNC"), words("ASYNC"), JUNK, most=1)),
    request("FLUSHALL", any_of(words("SYNC"), words("ASYNC"), JUNK, most=1)),
)

TRANSACTIONS = st.one_of(
    request("MULTI"),
    request("MULTI"),
    request("EXEC"),
    request("EXEC"),
    request("DISCARD"),
    request("WATCH", NAMES),
    request("UNWATCH"),
)

#: Requests that are wrong before any command sees them.
WRONG = st.one_of(
    st.tuples(st.sampled_from([b"NOSUCH", b"get ", b"", b"x" * 200, b"\x00\r\n"]), VALUES, KEYS),
    st.sampled_from([(b"GET",), (b"SET", b"a"), (b"OBJECT",), (b"object", b"nosuch", b"a")]),
    st.sampled_from([(b"MSET", b"a", b"1", b"b"), (b"EXEC", b"x"), (b"PING", b"a", b"b")]),
    st.sampled_from([(b"PING",), (b"ECHO", b"\xff"), (b"CONFIG", b"nosuch"), (b"TTL",)]),
)

COMMANDS = st.one_of(STRINGS, STRINGS, STRINGS, EXPIRY, EXPIRY, KEY_COMMANDS, TRANSACTIONS, WRONG)
