"""Floating-point arguments against the C library's strtod, which Redis reads them with."""

import ctypes
import math

from hypothesis import given, settings
from hypothesis import strategies as st

from hypercache.commands.doubles import parse_border, parse_double
from hypercache.reply import ErrorReply

SIGN = st.sampled_from(["", "", "-", "+"])
DIGITS = st.text("0123456789", max_size=25)
HEX_DIGITS = st.text("0123456789abcdefABCDEF", max_size=20)
EXPONENT = st.integers(-1200, 1200)
NUMBERS = st.one_of(
    st.floats().map(repr),
    st.integers().map(str),
    st.builds("{}{}.{}".format, SIGN, DIGITS, DIGITS),
    st.builds("{}{}.{}e{}".format, SIGN, DIGITS, DIGITS, EXPONENT),
    st.builds("{}0x{}.{}p{}".format, SIGN, HEX_DIGITS, HEX_DIGITS, EXPONENT),
    st.builds("{}0X{}".format, SIGN, HEX_DIGITS),
    st.builds("{}{}".format, SIGN, st.sampled_from(["inf", "Infinity", "nan", "infi", "in"])),
    st.text("0123456789.eE+-xXpP aAfFiInN_\t", max_size=12),
).map(str.encode)


FUNCTION = ctypes.CDLL(None).strtod
FUNCTION.restype = ctypes.c_double
FUNCTION.argtypes = (ctypes.c_char_p, ctypes.POINTER(ctypes.c_char_p))


def strtod(text: bytes) -> tuple[float, int]:
    """What the C library reads, and how many bytes of it."""
    buffer = ctypes.create_string_buffer(text)
    end = ctypes.c_char_p()
    start = ctypes.cast(buffer, ctypes.c_char_p)
    value = FUNCTION(start, ctypes.byref(end))
    behind = ctypes.cast(end, ctypes.c_void_p).value or 0
    return value, behind - ctypes.addressof(buffer)


def same(first: float, second: float) -> bool:
    """Whether both are one number, with one sign."""
    return first == second and math.copysign(1.0, first) == math.copysign(1.0, second)


@settings(max_examples=150)
@given(NUMBERS)
def test_scores_are_what_strtod_reads_whole(text: bytes) -> None:
    value, size = strtod(text)
    body, _, _ = text.lower().lstrip(b"+-").removeprefix(b"0x").partition(b"p")
    if b"0x" not in text.lower():
        body = body.partition(b"e")[0]
    lost = value == 0 and body.strip(b"0.") != b""
    overflowed = math.isinf(value) and b"inf" not in text.lower()
    refused = size != len(text) or not text or text[:1].isspace()
    refused = refused or math.isnan(value) or lost or overflowed
    try:
        found = parse_double(text)
    except ErrorReply:
        assert refused
    else:
        assert not refused
        assert same(found, value)


@settings(max_examples=150)
@given(st.sampled_from([b"", b"("]), NUMBERS)
def test_ends_of_ranges_are_what_strtod_reads(mark: bytes, text: bytes) -> None:
    value, size = strtod(text)
    try:
        found, excluded = parse_border(mark + text)
    except ErrorReply:
        assert size != len(text) or math.isnan(value)
    else:
        assert size == len(text)
        assert same(found, value)
        assert excluded is (mark == b"(")
