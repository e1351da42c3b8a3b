"""Every kind of reply in both versions, and how the bytes are handed over."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hypercache.protocol.types import (
    NO_REPLY,
    NULL_ARRAY,
    OK,
    QUEUED,
    Attributed,
    Digits,
    ErrorReply,
    Members,
    PairedMap,
    Pairs,
    Push,
    Verbatim,
)
from hypercache.protocol.writer import ReplyWriter, encode
from tests.support.resp import Push as PushRead
from tests.support.resp import ReplyError, decode
from tests.support.resp import Verbatim as VerbatimRead

LARGE = b"x" * 100_000


@pytest.mark.parametrize(
    ("value", "resp2", "resp3"),
    [
        (b"", b"$0\r\n\r\n", None),
        (b"a\r\nb", b"$4\r\na\r\nb\r\n", None),
        (b"x" * 1024, b"$1024\r\n" + b"x" * 1024 + b"\r\n", None),
        (b"x" * 1025, b"$1025\r\n" + b"x" * 1025 + b"\r\n", None),
        (LARGE, b"$100000\r\n" + LARGE + b"\r\n", None),
        (None, b"$-1\r\n", b"_\r\n"),
        (NULL_ARRAY, b"*-1\r\n", b"_\r\n"),
        (OK, b"+OK\r\n", None),
        (QUEUED, b"+QUEUED\r\n", None),
        ("PONG", b"+PONG\r\n", None),
        ("string", b"+string\r\n", None),
        ("", b"+\r\n", None),
        ("two\r\nlines\n", b"+two  lines \r\n", None),
        ("caf\xe9 \udcff", b"+caf\xc3\xa9 \xff\r\n", None),
        (0, b":0\r\n", None),
        (-1, b":-1\r\n", None),
        (999, b":999\r\n", None),
        (1024, b":1024\r\n", None),
        (1025, b":1025\r\n", None),
        (1_000_000, b":1000000\r\n", None),
        (12_003_004, b":12003004\r\n", None),
        (-1_000_000, b":-1000000\r\n", None),
        (2**63 - 1, b":9223372036854775807\r\n", None),
        (-(2**63), b":-9223372036854775808\r\n", None),
        (2**63, b"$19\r\n9223372036854775808\r\n", b"(9223372036854775808\r\n"),
        (-(2**63) - 1, b"$20\r\n-9223372036854775809\r\n", b"(-9223372036854775809\r\n"),
        (True, b":1\r\n", b"#t\r\n"),
        (False, b":0\r\n", b"#f\r\n"),
        (1.5, b"$3\r\n1.5\r\n", b",1.5\r\n"),
        ([], b"*0\r\n", None),
        ([b"a", 1, [OK]], b"*3\r\n$1\r\na\r\n:1\r\n*1\r\n+OK\r\n", None),
        ([None], b"*1\r\n$-1\r\n", b"*1\r\n_\r\n"),
        ((b"a", (b"b",)), b"*2\r\n$1\r\na\r\n*1\r\n$1\r\nb\r\n", None),
        ([0] * 1025, b"*1025\r\n" + b":0\r\n" * 1025, None),
        ({1: True, 2: 3}, b"*4\r\n:1\r\n:1\r\n:2\r\n:3\r\n", b"%2\r\n:1\r\n#t\r\n:2\r\n:3\r\n"),
        ({}, b"*0\r\n", b"%0\r\n"),
        ({7}, b"*1\r\n:7\r\n", b"~1\r\n:7\r\n"),
        (frozenset([b"m"]), b"*1\r\n$1\r\nm\r\n", b"~1\r\n$1\r\nm\r\n"),
        (Members([2, [1]]), b"*2\r\n:2\r\n*1\r\n:1\r\n", b"~2\r\n:2\r\n*1\r\n:1\r\n"),
        (Pairs([]), b"*0\r\n", None),
        (PairedMap([]), b"*0\r\n", b"%0\r\n"),
        (
            PairedMap([(b"k", 1), (b"k", 2)]),
            b"*2\r\n*2\r\n$1\r\nk\r\n:1\r\n*2\r\n$1\r\nk\r\n:2\r\n",
            b"%2\r\n$1\r\nk\r\n:1\r\n$1\r\nk\r\n:2\r\n",
        ),
        (Digits(b"0.5000000001"), b"$12\r\n0.5000000001\r\n", b",0.5000000001\r\n"),
        (Verbatim(b"hi\r\n"), b"$4\r\nhi\r\n\r\n", b"=8\r\ntxt:hi\r\n\r\n"),
        (Verbatim(b"# hi", b"mkd"), b"$4\r\n# hi\r\n", b"=8\r\nmkd:# hi\r\n"),
        (Push([b"message", 1]), b"*2\r\n$7\r\nmessage\r\n:1\r\n", b">2\r\n$7\r\nmessage\r\n:1\r\n"),
        (Attributed({b"ttl": 3}, b"v"), b"$1\r\nv\r\n", b"|1\r\n$3\r\nttl\r\n:3\r\n$1\r\nv\r\n"),
        (ErrorReply("WRONGTYPE no"), b"-WRONGTYPE no\r\n", None),
        (ErrorReply("ERR a\r\nb \udc80\r\n"), b"-ERR a  b \x80\r\n", None),
        ([ErrorReply("ERR x"), 1], b"*2\r\n-ERR x\r\n:1\r\n", None),
        (NO_REPLY, b"", None),
    ],
)
def test_values(value: object, resp2: bytes, resp3: bytes | None) -> None:
    """``resp3`` is None where both versions write the same bytes."""
    assert encode(value, 2) == resp2
    assert encode(value, 3) == (resp2 if resp3 is None else resp3)


def test_pairs_are_flat_in_resp2_and_nested_in_resp3() -> None:
    pairs = Pairs([(b"a", 1.5), (b"b", 2.0)])
    assert encode(pairs, 2) == b"*4\r\n$1\r\na\r\n$3\r\n1.5\r\n$1\r\nb\r\n$1\r\n2\r\n"
    assert encode(pairs, 3) == b"*2\r\n*2\r\n$1\r\na\r\n,1.5\r\n*2\r\n$1\r\nb\r\n,2\r\n"


@pytest.mark.parametrize("value", [object(), bytearray(b"x"), 1j, range(3), [object()]])
def test_what_is_no_reply_is_refused(value: object) -> None:
    with pytest.raises(TypeError, match="not a reply"):
        encode(value, 3)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, b"0"),
        (-0.0, b"-0"),
        (3.0, b"3"),
        (-1e15, b"-1000000000000000"),
        (1e18, b"1000000000000000000"),
        (2.0**62, b"4611686018427387904"),
        (1e19, b"1e+19"),
        (123456789012345680000.0, b"123456789012345680000"),
        (1.2345678901234569e23, b"123456789012345690000000"),
        (1.2345678901234568e24, b"1.2345678901234568e+24"),
        (1.5e25, b"1.5e+25"),
        (1e300, b"1e+300"),
        (0.1, b"0.1"),
        (-0.001234, b"-0.001234"),
        (0.000001, b"0.000001"),
        (0.00001234, b"1.234e-5"),
        (0.0000001, b"1e-7"),
        (5e-324, b"5e-324"),
        (3.14159265358979, b"3.14159265358979"),
        (9999.123456789, b"9999.123456789"),
        (10000.123456789, b"1.0000123456789e+4"),
        (10000.5, b"10000.5"),
        (123456.789012, b"123456.789012"),
        (-10000.123456789, b"-1.0000123456789e+4"),
        (1.7976931348623157e308, b"1.7976931348623157e+308"),
        (math.inf, b"inf"),
        (-math.inf, b"-inf"),
        (math.nan, b"nan"),
        (-math.nan, b"nan"),
    ],
)
def test_doubles_are_written_as_redis_writes_them(value: float, text: bytes) -> None:
    """The texts are what redis-server 7.2 answers to ZSCORE (-0 and nan: its d2string)."""
    assert encode(value, 3) == b"," + text + b"\r\n"
    assert encode(value, 2) == b"$%d\r\n%b\r\n" % (len(text), text)


@given(st.floats(allow_nan=False))
@settings(max_examples=500, deadline=None)
def test_doubles_read_back_exactly(value: float) -> None:
    text = encode(value, 3)[1:-2]
    assert float(text) == value
    assert math.copysign(1, float(text)) == math.copysign(1, value)
    assert len(text) <= 25


SCALARS = (
    st.binary(max_size=20)
    | st.none()
    | st.integers(-(2**70), 2**70)
    | st.booleans()
    | st.floats(allow_nan=False)
    | st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=8)
)
HASHABLE = st.binary(max_size=8) | st.integers()
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.dictionaries(HASHABLE, inner, max_size=4)
        | st.frozensets(HASHABLE, max_size=4)
    ),
    max_leaves=30,
)


def as_resp2(value: object) -> object:
    """What a RESP2 client reads of a value."""
    if isinstance(value, float):
        return encode(value, 3)[1:-2]
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        return str(value).encode()
    if isinstance(value, dict):
        return [as_resp2(part) for item in value.items() for part in item]
    if isinstance(value, list | frozenset):
        return [as_resp2(item) for item in value]
    return value


@given(VALUES)
@settings(max_examples=300, deadline=None)
def test_another_reader_reads_the_same_value(value: object) -> None:
    """The reader is that of the tests, which shares nothing with ours."""
    assert decode(encode(value, 3)) == value
    assert decode(encode(value, 2)) == as_resp2(value)


def test_another_reader_reads_the_types_that_python_has_not() -> None:
    assert decode(encode(Push([b"x", 1]), 3)) == PushRead((b"x", 1))
    assert decode(encode(Verbatim(b"text"), 3)) == VerbatimRead("txt", b"text")
    assert decode(encode(ErrorReply("ERR no"), 3)) == ReplyError("ERR no")
    assert decode(encode(Attributed({b"a": [1]}, {b"b": 2}), 3)) == {b"b": 2}
    assert decode(encode(Pairs([(b"a", 1.0)]), 3)) == [[b"a", 1.0]]


def test_direct_methods_write_what_write_does() -> None:
    for version in (2, 3):
        direct, general = ReplyWriter(version), ReplyWriter(version)
        direct.write_bulk(b"bulk")
        direct.write_integer(2**64)
        direct.write_status("fine")
        direct.write_null()
        direct.write_null_array()
        direct.write_error("ERR no")
        direct.write_double(0.5)
        direct.write_array_header(2000)
        direct.write_map_header(0)
        direct.write_set_header(0)
        direct.write_push_header(0)
        for value in (b"bulk", 2**64, "fine", None, NULL_ARRAY, ErrorReply("ERR no"), 0.5):
            general.write(value)
        heads = b"*2000\r\n*0\r\n*0\r\n*0\r\n" if version == 2 else b"*2000\r\n%0\r\n~0\r\n>0\r\n"
        assert direct.take_bytes() == general.take_bytes() + heads


def test_the_version_may_change_between_replies() -> None:
    writer = ReplyWriter(2)
    writer.write(None)
    writer.version = 3
    writer.write(None)
    assert writer.take_bytes() == b"$-1\r\n_\r\n"


def test_taking() -> None:
    writer = ReplyWriter()
    assert writer.size == 0
    assert writer.take() == []
    writer.write(b"a")
    writer.write(1)
    assert writer.size == 11
    assert writer.take() == [b"$1\r\na\r\n:1\r\n"]
    assert writer.size == 0
    assert writer.take() == []
    assert writer.take_bytes() == b""


def test_large_values_are_chunks_of_their_own() -> None:
    writer = ReplyWriter()
    small = b"y" * 8192
    writer.write([LARGE, small, LARGE, LARGE])
    total = writer.size
    chunks = writer.take()
    assert [chunk for chunk in chunks if len(chunk) == len(LARGE)] == [LARGE] * 3
    assert all(chunk is LARGE for chunk in chunks if len(chunk) == len(LARGE))
    assert b"" not in chunks
    assert sum(map(len, chunks)) == total
    assert decode(b"".join(chunks)) == [LARGE, small, LARGE, LARGE]


@pytest.mark.parametrize(
    "item",
    [b"x" * 100, 5, 5_000_000, -5, None, True, "OK", "other", 1.5, [], {b"a": 1}, NULL_ARRAY],
)
def test_a_large_reply_is_handed_over_in_bounded_chunks(item: object) -> None:
    """So the buffer that all sessions share stays small for good."""
    writer = ReplyWriter(3)
    writer.write([item] * 50_000)
    total = writer.size
    chunks = writer.take()
    assert len(chunks) > 1
    assert max(map(len, chunks)) < 66_000
    assert sum(map(len, chunks)) == total
    assert b"".join(chunks) == b"*50000\r\n" + encode(item, 3) * 50_000
