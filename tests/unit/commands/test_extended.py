"""INCRBYFLOAT's arithmetic: 64 bits of mantissa, as redis-server on x86-64 has them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hypercache.commands.extended import parse_extended
from hypercache.reply import ErrorReply

# What redis-server 7.2.6 answers to INCRBYFLOAT: value, increment, sum.
CORPUS = [
    ("0", "0.1", "0.1"),
    ("0.1", "0.2", "0.3"),
    ("3", "1.1", "4.1"),
    ("-0", "0", "0"),
    ("10.50", "0.1", "10.6"),
    ("5.0e3", "200", "5200"),
    ("1", "1e-17", "1.00000000000000001"),
    ("1", "1e-18", "1"),
    ("0", "1e-17", "0.00000000000000001"),
    ("0", "5e-18", "0"),
    ("0", "-1e-18", "0"),
    ("0", "1e-4950", "0"),
    ("123456789012345678", "0.1", "123456789012345678.1015625"),
    ("18446744073709551615", "1", "18446744073709551616"),
    ("18446744073709551617", "0", "18446744073709551616"),
    ("36893488147419103233", "0", "36893488147419103232"),
    ("9007199254740993", "0.5", "9007199254740993.5"),
    ("0x10", "0x.8", "16.5"),
    ("-0x1.8p3", "0", "-12"),
    ("0x1p-3", "1E2", "100.125"),
    ("1e30", "1", "1000000000000000000024696061952"),
    ("1e300", "-1e300", "0"),
    ("17179869184", "1.5", "17179869185.5"),
    ("0.3333333333333333333333", "0.6666666666666666666667", "1"),
    ("2.5", "-2.5", "0"),
    ("1.", "+.5", "1.5"),
    ("1e-5", "1e5", "100000.00001000000000317"),
    ("-1.5", "0.75", "-0.75"),
    ("99999999999999999.9", "0.1", "100000000000000000"),
    ("1e22", "1e-5", "10000000000000000000000"),
    ("0.00000000000000001", "0.00000000000000001", "0.00000000000000002"),
    ("4503599627370497.5", "0.25", "4503599627370497.75"),
    ("12345678901234567890.123456789", "0", "12345678901234567890"),
    ("0e99999999999999999999", "1", "1"),
    ("3.14159265358979323846264338327950288", "0", "3.14159265358979324"),
]
NOT_NUMBERS = ["", " 1", "1 ", "1e", "1e+", ".", "e5", "0x", "0x.p1", "1_0", "nan", "-nan(1)"]
NOT_NUMBERS += ["1\x00", "\u0661", "1e5000", "-1e5000", "1e-5000", "1.18973149535723176509e4932"]
NOT_NUMBERS += ["0x1p16384", "0x1p-16500", "1" * 5120]


def add(value: str, increment: str) -> str:
    return parse_extended(value.encode()).plus(parse_extended(increment.encode())).format().decode()


@pytest.mark.parametrize(("value", "increment", "total"), CORPUS)
def test_sums_are_those_of_redis(value: str, increment: str, total: str) -> None:
    assert add(value, increment) == total


@pytest.mark.parametrize("text", NOT_NUMBERS)
def test_what_is_no_number(text: str) -> None:
    with pytest.raises(ErrorReply, match=r"^ERR value is not a valid float$"):
        parse_extended(text.encode())


@pytest.mark.parametrize(
    ("value", "increment"), [("inf", "1"), ("1", "-Infinity"), ("inf", "-inf")]
)
def test_sums_must_be_finite(value: str, increment: str) -> None:
    with pytest.raises(ErrorReply, match=r"^ERR increment would produce NaN or Infinity$"):
        add(value, increment)


def test_the_greatest_number_has_4933_digits() -> None:
    greatest = add("0x1.fffffffffffffffep16383", "0")
    assert greatest.startswith("118973149535723176502126385303097020516906332229462420044032373389")
    assert len(greatest) == 4933
    with pytest.raises(ErrorReply, match="NaN or Infinity"):
        add("0x1.fffffffffffffffep16383", "0x1p16320")


@given(st.integers(-(2**63), 2**63 - 1), st.integers(-(2**62), 2**62))
def test_integers_of_64_bits_are_exact(value: int, increment: int) -> None:
    total = value + increment
    if abs(total) < 2**64:
        assert add(str(value), str(increment)) == str(total)


@given(st.decimals(-(10**6), 10**6, places=6))
def test_short_decimals_survive(value: object) -> None:
    text = f"{value:f}"
    assert float(add(text, "0")) == float(text)
