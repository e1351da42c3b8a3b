"""HyperLogLogs as strings: what they hold, and how far their estimates are off."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from librt.vecs import vec
from mypy_extensions import u8

from hypercache.filters.hashing import murmur
from hypercache.keyspace import hyperloglog, sparse_registers
from hypercache.keyspace.hyperloglog import DENSE, REGISTERS, Corrupt

CHANGES = st.lists(
    st.tuples(
        st.one_of(st.integers(0, 30), st.integers(0, REGISTERS - 1)),
        st.one_of(st.integers(1, 5), st.integers(1, 51)),
    ),
    max_size=60,
)


def add(text: bytes, index: int, rank: int, limit: int) -> bytes:
    """A string of either encoding with a register raised."""
    if text[4] == DENSE:
        return hyperloglog.with_register(text, index, rank)
    return sparse_registers.add(text, index, rank, limit)


def registers_of(text: bytes) -> vec[u8]:
    """The registers of a string of either encoding."""
    registers = hyperloglog.no_registers()
    if text[4] == DENSE:
        hyperloglog.merge_dense(text, registers)
    else:
        sparse_registers.merge(text, registers)
    return registers


def histogram_of(text: bytes) -> list[int]:
    """How many registers have each value."""
    if text[4] == DENSE:
        return list(hyperloglog.dense_histogram(text))
    return list(sparse_registers.histogram(text))


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", 0xD8DFEA6585BC9732),
        (b"a", 0x53D2470A9B43B1A7),
        (b"12345678", 0x95EBB86389132953),
        (b"\xff" * 19, 0x81A88300054B19B4),
    ],
)
def test_murmur(data: bytes, expected: int) -> None:
    """What Appleby's C gives."""
    assert murmur(data, 0xADC83B19) & (1 << 64) - 1 == expected


@settings(max_examples=8, deadline=None)
@given(CHANGES, st.sampled_from([0, 24, 60, 3000]))
def test_registers_are_the_highest_asked_for(changes: list[tuple[int, int]], limit: int) -> None:
    text = sparse_registers.empty()
    expected = [0] * REGISTERS
    for index, rank in changes:
        before = text
        text = add(text, index, rank, limit)
        assert (text is before) == (expected[index] >= rank)
        expected[index] = max(expected[index], rank)
        assert text[4] == DENSE or len(text) <= max(limit, len(before))
    registers = registers_of(text)
    assert list(registers) == expected
    assert histogram_of(text) == [expected.count(rank) for rank in range(64)]
    assert list(hyperloglog.histogram(registers)) == histogram_of(text)
    dense = hyperloglog.dense_text(text, registers)
    assert len(dense) == hyperloglog.DENSE_LENGTH
    assert list(registers_of(dense)) == expected


@settings(max_examples=30, deadline=None)
@given(st.binary(max_size=40))
def test_any_runs_are_read_or_refused(runs: bytes) -> None:
    """Hostile strings bring `Corrupt` or something that is read the same in every way."""
    text = sparse_registers.empty()[: hyperloglog.HEADER] + runs
    sparse_registers.describe(text)
    try:
        counts = sparse_registers.histogram(text)
    except Corrupt:
        pass
    else:
        assert list(counts) == list(hyperloglog.histogram(registers_of(text)))
    try:
        changed = sparse_registers.add(text, 5, 7, 3000)
        registers = registers_of(changed)
    except Corrupt:
        return
    assert registers[5] >= 7


def test_empty() -> None:
    text = sparse_registers.empty()
    assert len(text) == 18
    assert hyperloglog.cached_count(text) == 0
    assert hyperloglog.cached_count(hyperloglog.with_stale_count(text)) == -1
    assert hyperloglog.cached_count(hyperloglog.with_count(text, 12345)) == 12345
    assert hyperloglog.estimate(sparse_registers.histogram(text)) == 0


def test_registers_no_hash_brings_about() -> None:
    """Redis answers the least negative number where the estimate leaves 64 bits."""
    counts = hyperloglog.no_counts()
    counts[63] = REGISTERS
    assert hyperloglog.estimate(counts) == -(1 << 63)
    counts = hyperloglog.no_counts()
    counts[51] = REGISTERS
    assert hyperloglog.estimate(counts) == -(1 << 63)


def test_standard_error() -> None:
    """0.81%, which is 1.04 / sqrt(16384): measured over a few sets of 12,000 elements."""
    chance = random.Random(2026)
    sets, size = 6, 12000
    squares = 0.0
    for _ in range(sets):
        start = chance.getrandbits(62)
        registers = hyperloglog.no_registers()
        for number in range(start, start + size):
            index, rank = hyperloglog.register_of(b"%d" % number)
            hyperloglog.raise_to(registers, index, rank)
        squares += (hyperloglog.estimate(hyperloglog.histogram(registers)) / size - 1) ** 2
    error = (squares / sets) ** 0.5
    assert 0.003 < error < 0.0105
