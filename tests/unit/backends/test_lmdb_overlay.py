"""A store's pairs with a log laid over them: as if the log had been folded in."""

from collections.abc import Iterator
from pathlib import Path
from random import Random

import lmdb
import pytest
from hypercache_lmdb.overlay import Overlay

State = dict[bytes, bytes]


@pytest.fixture
def random() -> Random:
    return Random(1)


@pytest.fixture
def stored(random: Random) -> State:
    return {b"%04d" % random.randrange(3_000): b"stored" for _ in range(1_000)}


@pytest.fixture
def changes(random: Random, stored: State) -> dict[bytes, bytes | None]:
    keys = [*random.sample(sorted(stored), 300), *(b"%04d" % n for n in range(2_000, 2_600))]
    return {key: random.choice((None, b"changed")) for key in keys}


@pytest.fixture
def overlay(tmp_path: Path, stored: State, changes: dict[bytes, bytes | None]) -> Iterator[Overlay]:
    env = lmdb.open(str(tmp_path), map_size=1 << 24, max_dbs=1)
    data = env.open_db(b"data")
    with env.begin(write=True, db=data) as transaction:
        for key, value in stored.items():
            transaction.put(key, value)
    with env.begin() as transaction:
        yield Overlay(transaction, data, changes)
    env.close()


def test_all_reads_agree_with_the_two_folded_together(
    overlay: Overlay, stored: State, changes: dict[bytes, bytes | None], random: Random
) -> None:
    folded = {key: value for key, value in (stored | changes).items() if value is not None}
    for number in range(3_000):
        assert overlay.get(b"%04d" % number) == folded.get(b"%04d" % number)
    for _ in range(300):
        start, stop = (b"%04d" % random.randrange(3_100) for _ in range(2))
        for limit in (1, 2, 255, 256, 257, 10_000):
            found = sorted(pair for pair in folded.items() if start <= pair[0] < stop)
            assert overlay.range(start, stop, limit) == found[:limit]
            assert overlay.range(start, stop, limit, reverse=True) == found[::-1][:limit]
