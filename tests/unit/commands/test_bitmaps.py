"""Bitmaps and bit fields: what transcripts cannot show."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hypercache.keyspace import bits
from hypercache.testing.engine import EngineHarness
from hypercache.testing.resp import ReplyError
from tests.unit.commands.test_changes import observe

DATA = st.binary(max_size=400)


@settings(deadline=None)
@given(DATA)
def test_count_is_the_same_in_both_ways(data: bytes) -> None:
    expected = sum(byte.bit_count() for byte in data)
    assert bits.count_by_words(data) == bits.count_by_number(data) == expected
    assert bits.count(data) == expected


@settings(deadline=None)
@given(DATA, DATA, st.sampled_from([bits.AND, bits.OR, bits.XOR]))
def test_combine_is_the_same_in_both_ways(first: bytes, second: bytes, operation: int) -> None:
    size = min(len(first), len(second))
    first, second = first[:size], second[:size]
    functions = {bits.AND: int.__and__, bits.OR: int.__or__, bits.XOR: int.__xor__}
    expected = bytes(map(functions[operation], first, second))
    assert bits.combine_by_words(operation, first, second) == expected
    assert bits.combine_by_numbers(operation, first, second) == expected
    assert bits.combine(operation, first, second) == expected


@settings(deadline=None)
@given(DATA, st.sampled_from([0, 1]))
def test_find(data: bytes, bit: int) -> None:
    assert bits.find(data, bit) == "".join(f"{byte:08b}" for byte in data).find(str(bit))


def test_ranges_of_bits(harness: EngineHarness) -> None:
    """BITCOUNT and BITPOS of random ranges, compared with the digits of the string."""
    chance = random.Random(7)
    for _ in range(50):
        data = bytes(chance.choice((0, 255, 255, chance.randrange(256))) for _ in range(9))
        harness.command("SET", "k", data)
        digits = "".join(f"{byte:08b}" for byte in data)
        for _ in range(10):
            start, end = sorted((chance.randrange(72), chance.randrange(72)))
            part = digits[start : end + 1]
            asked = (start, end, "BIT")
            assert harness.command("BITCOUNT", "k", *asked) == part.count("1")
            for bit in "01":
                found = part.find(bit)
                expected = found + start if found >= 0 else -1
                assert harness.command("BITPOS", "k", bit, *asked) == expected


def test_fields_keep_what_is_beside_them(harness: EngineHarness) -> None:
    """Random fields of random widths, compared with the digits of one big number."""
    chance = random.Random(8)
    size = 40 * 8
    number = 0
    harness.command("SET", "k", bytes(size // 8))
    for _ in range(300):
        width = chance.randint(1, 63)
        offset = chance.randrange(size - width)
        value = chance.randrange(1 << width)
        shift = size - offset - width
        old = number >> shift & (1 << width) - 1
        number += value - old << shift
        assert harness.command("BITFIELD", "k", "SET", f"u{width}", offset, value) == [old]
        assert harness.command("GET", "k") == number.to_bytes(size // 8, "big")
        signed = value - (1 << width) if value >> width - 1 else value
        assert harness.command("BITFIELD_RO", "k", "GET", f"i{width}", offset) == [signed]


def test_null_of_a_field_that_overflows(harness: EngineHarness) -> None:
    client = harness.client(3)
    client.send(b"BITFIELD k OVERFLOW FAIL SET u8 0 300 GET u8 0\r\n")
    assert client.received() == b"*2\r\n_\r\n:0\r\n"


def test_setbit_on_a_long_string_is_quick(harness: EngineHarness) -> None:
    """Changing one bit of 64 MB copies nothing: hundreds take no time and no memory."""
    last = (1 << 29) - 1
    assert harness.command("SETBIT", "k", last, 1) == 0
    memory = harness.engine.keyspaces[0].store.memory()
    for offset in range(0, last, last // 300):
        assert harness.command("SETBIT", "k", offset, 1) == 0
    assert harness.engine.keyspaces[0].store.memory() - memory < 2 << 20


def test_changes_are_counted(harness: EngineHarness) -> None:
    """rdb_changes_since_last_save: Redis counts the fields that change, or all as it grows."""

    def counted(*words: str) -> int:
        before = harness.engine.changes.dirty
        harness.command(*words)
        return harness.engine.changes.dirty - before

    assert counted("SETBIT", "k", "0", "0") == 1
    assert counted("SETBIT", "k", "0", "0") == 0
    assert counted("SETBIT", "k", "100", "0") == 1
    assert counted("BITFIELD", "k", "SET", "u8", "0", "0", "SET", "u8", "8", "1") == 1
    assert counted("BITFIELD", "k", "SET", "u8", "200", "0", "SET", "u8", "0", "0") == 2
    assert counted("BITFIELD", "k", "SET", "u8", "200", "0", "SET", "u8", "0", "0") == 0
    assert counted("BITFIELD", "k", "OVERFLOW", "FAIL", "INCRBY", "u8", "0", "256") == 0
    assert counted("PFADD", "h") == 1
    assert counted("PFADD", "h") == 0


def test_events(harness: EngineHarness) -> None:
    assert observe(
        harness,
        "SETBIT k 7 1",
        "SETBIT k 7 1",
        "SETBIT k 7 0",
        "BITFIELD k SET u8 0 1 SET u8 0 2 GET u8 0",
        "BITFIELD k SET u8 0 2",
        "BITFIELD k GET u8 0",
        "BITOP NOT d k",
        "BITOP NOT d none",
        "BITOP NOT d none",
    ) == ["setbit k", "setbit k", "setbit k", "set d", "del d"]


@pytest.mark.parametrize("index", [(1 << 62) + 1, (1 << 63) - 1])
def test_field_number_whose_offset_leaves_64_bits(harness: EngineHarness, index: int) -> None:
    reply = harness.command("BITFIELD", "k", "GET", "u8", f"#{index}")
    assert reply == ReplyError("ERR bit offset is not an integer or out of range")
