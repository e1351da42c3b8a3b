"""LZF: what is compressed comes back, and what should not be trusted is refused."""

import random

import pytest

from hypercache.rdb.errors import RdbError
from hypercache.rdb.lzf import Compressor, decompress

CHANCE = random.Random(3)


def letters(size: int, kinds: int) -> bytes:
    return bytes(CHANCE.randrange(kinds) for _ in range(size))


@pytest.mark.parametrize("patient", [False, True])
def test_what_comes_back(patient: bool) -> None:
    compressor = Compressor(patient)
    samples = [letters(CHANCE.randrange(400), kinds) for kinds in (1, 2, 4, 30) for _ in range(30)]
    samples += [b"", b"abc", b"x" * 21, b"x" * 300, b"x" * 70_000, b"ab" * 9000, letters(9000, 3)]
    samples.append(letters(9000, 200) * 3)
    shorter = 0
    for sample in samples:
        compressed = compressor.compress(sample, len(sample) - 4)
        if compressed is not None:
            shorter += 1
            assert len(compressed) <= len(sample) - 4
            assert decompress(compressed, len(sample)) == sample
    assert shorter > len(samples) // 2


def test_what_does_not_become_shorter() -> None:
    compressor = Compressor()
    sample = random.Random(4).randbytes(5000)
    assert compressor.compress(sample, len(sample) - 4) is None
    assert compressor.compress(b"x" * 100, 4) is None
    assert compressor.compress(b"x" * 100, 5) is not None


def test_strings_do_not_refer_to_others() -> None:
    compressor = Compressor()
    sample = random.Random(5).randbytes(600)
    for _ in range(3):
        assert compressor.compress(sample, len(sample) - 4) is None


@pytest.mark.parametrize(
    ("data", "size", "words"),
    [
        (b"\x00a", 1 << 40, "longer than it can be"),
        (b"\x05ab", 6, "cut"),
        (b"\x00a\x20", 4, "cut"),
        (b"\x00a\xe0", 10, "cut"),
        (b"\x00a\xe0\xff", 10, "cut"),
        (b"\x00a\x20\x05", 4, "before it"),
        (b"\x00a\x20\x00", 3, "longer than it says"),
        (b"\x00a\x20\x00", 5, "shorter than it says"),
        (b"", 1, "longer than it can be"),
    ],
)
def test_what_is_refused(data: bytes, size: int, words: str) -> None:
    with pytest.raises(RdbError, match=words):
        decompress(data, size)


def test_overlapping_references() -> None:
    assert decompress(b"\x01ab\xe0\x5b\x01", 102) == b"ab" * 51
