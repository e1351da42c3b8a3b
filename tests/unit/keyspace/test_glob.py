"""The glob matcher against cases seen with redis-server, and against a slow, plain model."""

import time
from random import Random

import pytest

from hypercache.keyspace.glob import matches

# pattern, text, whether it matches with case, without case
CASES = [
    (b"", b"", True, True),
    (b"*", b"", False, False),
    (b"*", b"a", True, True),
    (b"**", b"abc", True, True),
    (b"h?llo", b"hello", True, True),
    (b"h?llo", b"hllo", False, False),
    (b"h*llo", b"heeeello", True, True),
    (b"h*llo", b"hllo", True, True),
    (b"h[ae]llo", b"hallo", True, True),
    (b"h[ae]llo", b"hillo", False, False),
    (b"h[^e]llo", b"hallo", True, True),
    (b"h[^e]llo", b"hello", False, False),
    (b"h[a-b]llo", b"hbllo", True, True),
    (b"h[b-a]llo", b"hallo", True, True),
    (b"h[a-b]llo", b"hBllo", False, True),
    (b"HELLO", b"hello", False, True),
    (b"[\\h]ello", b"Hello", False, False),
    (b"[\\]]", b"]", True, True),
    (b"[]", b"]", False, False),
    (b"[^]", b"x", True, True),
    (b"[a", b"a", True, True),
    (b"[a", b"b", False, False),
    (b"[", b"[", False, False),
    (b"[^", b"x", True, True),
    (b"[a-", b"-", True, True),
    (b"[a-]", b"b", False, False),
    (b"[a-]b", b"_b", False, False),
    (b"\\*", b"*", True, True),
    (b"\\*", b"x", False, False),
    (b"\\", b"\\", True, True),
    (b"a\\", b"a\\", True, True),
    (b"a*", b"a", True, True),
    (b"*a*", b"ba", True, True),
    (b"a*b*c", b"axxbyyc", True, True),
    (b"a*b*c", b"axxbyy", False, False),
    (b"*?", b"a", True, True),
    (b"?*?", b"a", False, False),
    (b"[a-\xff]", b"a", True, True),
    (b"[a-\xff]", b"b", False, False),
    (b"[a-\xff]", b"0", True, True),
    (b"\xc0", b"\xe0", False, False),
    (b"a\x00b", b"a\x00b", True, True),
]


@pytest.mark.parametrize(("pattern", "text", "with_case", "without_case"), CASES)
def test_cases_of_redis(pattern: bytes, text: bytes, with_case: bool, without_case: bool) -> None:
    assert matches(pattern, text, False) is with_case
    assert matches(pattern, text, True) is without_case


def model(pattern: bytes, text: bytes, nocase: bool) -> bool:
    """The rules as one would explain them: try every way, one element at a time."""
    if not text:
        return not pattern.strip(b"*")
    if not pattern:
        return False
    if pattern[:1] == b"*":
        return model(pattern[1:], text, nocase) or model(pattern, text[1:], nocase)
    accepted, rest = element(pattern, text[0], nocase)
    return accepted and model(rest, text[1:], nocase)


def element(pattern: bytes, byte: int, nocase: bool) -> tuple[bool, bytes]:
    """Whether the first element accepts a byte, and the pattern after it."""
    head, rest = pattern[:1], pattern[1:]
    if head == b"?":
        return True, rest
    if head == b"[":
        return character_class(rest, byte, nocase)
    if head == b"\\" and rest:
        head, rest = rest[:1], rest[1:]
    return equal(head[0], byte, nocase), rest


def equal(one: int, other: int, nocase: bool) -> bool:
    return bytes([one]).lower() == bytes([other]).lower() if nocase else one == other


def character_class(rest: bytes, byte: int, nocase: bool) -> tuple[bool, bytes]:
    negated = rest[:1] == b"^"
    rest = rest[1:] if negated else rest
    found = False
    while rest and rest[:1] != b"]":
        if rest[:1] == b"\\" and len(rest) > 1:
            found |= rest[1] == byte
            rest = rest[2:]
        elif len(rest) >= 3 and rest[1:2] == b"-":
            ends = sorted(signed(end) for end in (rest[0], rest[2]))
            low, high, value = (lower(n) if nocase else n for n in (*ends, signed(byte)))
            found |= low <= value <= high
            rest = rest[3:]
        else:
            found |= equal(rest[0], byte, nocase)
            rest = rest[1:]
    return found != negated, rest[1:]


def signed(byte: int) -> int:
    return byte - 256 if byte > 127 else byte


def lower(value: int) -> int:
    return value + 32 if ord("A") <= value <= ord("Z") else value


ALPHABET = b"abzAB-]^[\\*?\x80\xff"
#: What chance may not hit: classes that do not end, an escape of nothing, a range across cases.
ENDS = [(b"*[", b"ab"), (b"*\\", b"a\\"), (b"[A-z]", b"_")]


def test_agrees_with_the_model() -> None:
    # Thousands of tiny cases: Hypothesis takes a hundred times as long as what it would test.
    random = Random(1)
    cases = list(ENDS)
    for _ in range(9000):
        pattern = bytes(random.choices(ALPHABET, k=random.randint(0, 9)))
        cases.append((pattern, bytes(random.choices(ALPHABET, k=random.randint(1, 5)))))
    agreed = {True: 0, False: 0}
    for pattern, text in cases:
        for nocase in (False, True):
            expected = model(pattern, text, nocase)
            assert matches(pattern, text, nocase) is expected, (pattern, text, nocase)
            agreed[expected] += 1
    assert min(agreed.values()) > 200, "both answers are tried"


def test_many_stars_take_linear_time() -> None:
    started = time.perf_counter()
    assert not matches(b"a*" * 500 + b"b", b"a" * 5000, False)
    assert not matches(b"*" + b"a" * 2000 + b"b", b"a" * 4000, False)
    assert time.perf_counter() - started < 20


def test_more_than_a_thousand_groups_of_stars_match_nothing() -> None:
    assert matches(b"*a" * 1000, b"a" * 1000, False)
    assert not matches(b"*a" * 1001, b"a" * 1001, False)
