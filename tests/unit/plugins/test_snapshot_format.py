"""Native snapshots: everything that was saved comes back, whatever the backend."""

import random
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import cbor2
import pytest
import zstandard
from hypercache_lmdb import LMDBBackend, LMDBSettings
from hypercache_memory import MemoryBackend
from hypercache_snapshot.encoder import NativeEncoder
from hypercache_snapshot.format import HEAD, ITEMS, MAX_ITEM, PREAMBLE, frame
from hypercache_snapshot.reader import SnapshotReader
from hypothesis import given, settings
from hypothesis import strategies as st

from hypercache.backend import Backend
from hypercache.keyspace.kv_backend import KVBackend
from hypercache.persistence.capture import Capture
from hypercache.persistence.errors import LoadError
from hypercache.testing import SortedDictKV
from hypercache.testing.engine import EngineHarness
from hypercache.testing.resp import Argument, encode
from tests.machine.machine import registry, sequence
from tests.machine.script import Limits, Script
from tests.support.contents import values
from tests.support.snapshots import fill, load, loaded, save

BACKENDS: Final = ("memory", "kv", "lmdb")
MB: Final = 1 << 20


def opened(kind: str, folder: Path) -> Backend:
    if kind == "kv":
        return KVBackend(SortedDictKV())
    if kind == "lmdb":
        return LMDBBackend(LMDBSettings(path=str(folder / "store"), map_size=MB, sync="no"))
    return MemoryBackend()


@contextmanager
def harnesses(folder: Path, saved: str, target: str) -> Iterator[tuple[EngineHarness, Backend]]:
    """An engine on one backend, and another backend to load into."""
    harness = EngineHarness(opened(saved, folder))
    try:
        yield harness, opened(target, folder / "target")
    finally:
        harness.close()


@pytest.mark.parametrize("kind", BACKENDS)
def test_everything_comes_back(kind: str, tmp_path: Path) -> None:
    with harnesses(tmp_path, kind, kind) as (harness, target):
        fill(harness)
        save(harness.engine, tmp_path / "a.hcs")
        other = loaded(tmp_path / "a.hcs", target, harness.clock.now)
        assert values(other.engine) == values(harness.engine)
        assert other.engine.libraries.sources() == harness.engine.libraries.sources()
        for keyspace in other.engine.keyspaces:
            assert keyspace.store.check() == []
        other.close()


def test_head_says_what_it_is(tmp_path: Path) -> None:
    harness = EngineHarness()
    fill(harness)
    reader = SnapshotReader(save(harness.engine, tmp_path / "a.hcs"), None)
    reader.close()
    assert reader.head.time == harness.clock.now
    assert reader.head.offset == harness.engine.journal.offset > 0
    assert reader.head.keys == len(values(harness.engine))
    assert reader.head.memory == harness.engine.memory.used()
    assert (tmp_path / "a.hcs").stat().st_mode & 0o777 == 0o600


def test_expired_keys_are_left_out(tmp_path: Path) -> None:
    harness = EngineHarness()
    fill(harness)
    save(harness.engine, tmp_path / "a.hcs")
    harness.advance(60_000)
    harness.tick()
    later = loaded(tmp_path / "a.hcs", now=harness.clock.now)
    assert later.engine.recovery.keys_expired == 2
    later.tick()
    assert values(later.engine) == values(harness.engine)


def test_large_value_that_expired_is_left_out(tmp_path: Path) -> None:
    harness = EngineHarness()
    harness.command("RPUSH", "large", *(b"x" * 1000 for _ in range(1000)))
    harness.command("PEXPIRE", "large", 100)
    save(harness.engine, tmp_path / "a.hcs")
    assert values(loaded(tmp_path / "a.hcs", now=harness.clock.now + 10**6).engine) == {}


@pytest.mark.parametrize("policy", ["allkeys-lru", "volatile-lfu"])
def test_access_clocks(policy: str, tmp_path: Path) -> None:
    def harness() -> EngineHarness:
        made = EngineHarness()
        made.command("CONFIG", "SET", "maxmemory-policy", policy, "lfu-log-factor", 0)
        return made

    first = harness()
    first.command("SET", "used", "value")
    first.command("SET", "idle", "value", "EX", 10_000)
    first.command("RPUSH", "list", "a")
    first.command("RPUSH", "list:idle", *range(1000))
    first.advance(100_000)
    first.tick()
    for _ in range(20):
        first.command("GET", "used")
        first.command("LLEN", "list")
    save(first.engine, tmp_path / "a.hcs")
    second = harness()
    second.clock.now = first.clock.now + 7_000_000
    load(tmp_path / "a.hcs", second.engine)
    for key in ("used", "idle", "list", "list:idle"):
        if policy == "allkeys-lru":
            assert second.command("OBJECT", "IDLETIME", key) == first.command(
                "OBJECT", "IDLETIME", key
            )
        else:
            assert second.command("OBJECT", "FREQ", key) == first.command("OBJECT", "FREQ", key)
    other = loaded(tmp_path / "a.hcs")  # whose clocks mean something else, or are of the present
    assert values(other.engine) == values(first.engine)


def test_clocks_of_another_kind_are_left_alone(tmp_path: Path) -> None:
    harness = EngineHarness()
    harness.command("CONFIG", "SET", "maxmemory-policy", "allkeys-lfu")
    harness.command("SET", "key", "value")
    save(harness.engine, tmp_path / "a.hcs")
    other = loaded(tmp_path / "a.hcs")
    other.advance(1000)
    other.tick()
    assert other.command("OBJECT", "IDLETIME", "key") == 1


def test_keys_that_change_amid_the_capture(tmp_path: Path) -> None:
    """Of the moment when it began is what the file holds, large values included."""
    harness = EngineHarness()
    fill(harness)
    harness.command("RPUSH", "changing", *(b"%d" % i * 200 for i in range(2000)))
    before = values(harness.engine)
    encoder = NativeEncoder()
    capture = Capture(harness.engine, encoder)
    chance = random.Random(5)
    written = []
    keys = ["changing", "list:large", "text", "set:large", "edited:long", "zset:large", "new"]
    while capture.step(0):
        key = chance.choice(keys)
        harness.command("DEL", key)
        harness.command("SADD", key, chance.random())
        if chance.random() < 0.1:
            harness.command("SWAPDB", 0, 3)
        written += [encoder.finish(chunk) for chunk in encoder.take()]
    written += [encoder.finish(chunk) for chunk in encoder.take()]
    capture.close()
    path = tmp_path / "a.hcs"
    path.write_bytes(b"".join(written) + encoder.trailer())
    assert values(loaded(path, now=harness.clock.now).engine) == before


# Random data ----------------------------------------------------------------------------------

TEXTS = st.one_of(
    st.binary(max_size=12),
    st.integers(-(2**63), 2**63 - 1).map(b"%d".__mod__),
    st.builds(lambda text, size: text * size, st.binary(min_size=1, max_size=2), st.just(70_000)),
)
NAMES = st.binary(max_size=3)
SCORES = st.floats(allow_nan=False) | st.integers(-(2**60), 2**60).map(float)
#: Commands that make a value; with a deadline in milliseconds or none.
VALUES = st.one_of(
    st.tuples(st.just(b"SET"), TEXTS),
    st.lists(TEXTS, min_size=1, max_size=8).map(lambda each: (b"RPUSH", *each)),
    st.lists(TEXTS, min_size=1, max_size=8).map(lambda each: (b"SADD", *each)),
    st.dictionaries(TEXTS, SCORES, min_size=1, max_size=8).map(
        lambda each: (b"ZADD", *(word for member in each for word in (repr(each[member]), member)))
    ),
    st.dictionaries(TEXTS, TEXTS, min_size=1, max_size=8).map(
        lambda each: (b"HSET", *(word for pair in each.items() for word in pair))
    ),
    st.lists(TEXTS, min_size=2, max_size=2).map(lambda each: (b"XADD", b"*", *each)),
)
#: Database, key, command without the key, deadline.
Made = tuple[int, bytes, tuple[Argument, ...], int | None]
DATA: st.SearchStrategy[list[Made]] = st.lists(
    st.tuples(st.sampled_from((0, 1, 15)), NAMES, VALUES, st.none() | st.integers(1, 10**12)),
    max_size=12,
)


@settings(max_examples=25, deadline=None)
@given(DATA, st.sampled_from(BACKENDS), st.sampled_from(BACKENDS))
def test_round_trip(
    tmp_path_factory: pytest.TempPathFactory, data: list[Made], saved: str, target: str
) -> None:
    folder = tmp_path_factory.mktemp("trip")
    with harnesses(folder, saved, target) as (harness, backend):
        for database, key, (name, *words), deadline in data:
            harness.command("SELECT", database)
            harness.command("DEL", key)
            harness.command(name, key, *words)
            if deadline is not None:
                harness.command("PEXPIRE", key, deadline)
        save(harness.engine, folder / "a.hcs")
        other = loaded(folder / "a.hcs", backend)
        assert values(other.engine) == values(harness.engine)
        other.close()


@pytest.mark.parametrize("number", range(4))
def test_round_trip_of_what_random_commands_leave(number: int, tmp_path: Path) -> None:
    script = Script(registry().every(), Limits())
    with harnesses(tmp_path, BACKENDS[number % 3], BACKENDS[(number + 1) % 3]) as pair:
        harness, backend = pair
        for unit in sequence(script, f"snapshot/{number}")[1]:
            harness.first.send(b"".join(encode(*request) for request in unit))
        save(harness.engine, tmp_path / "a.hcs")
        other = loaded(tmp_path / "a.hcs", backend, harness.clock.now)
        assert values(other.engine) == {
            place: found
            for place, found in values(harness.engine).items()
            if not 0 <= found[1] < harness.now
        }
        other.close()


# Files that nobody has written -----------------------------------------------------------------


def framed(*items: tuple[int, object]) -> bytes:
    compressor = zstandard.ZstdCompressor()
    frames = [
        frame(kind, number, cbor2.dumps(item), compressor)
        for number, (kind, item) in enumerate(items)
    ]
    return PREAMBLE + b"".join(frames)


GOOD_HEAD: Final = {
    "time": 1, "offset": 2, "server": "x", "memory": 3, "policy": "lru", "databases": {0: [1, 0]},
}  # fmt: skip


def refused(path: Path, data: bytes) -> str:
    path.write_bytes(data)
    with pytest.raises(LoadError) as error:
        loaded(path)
    assert str(path) in str(error.value)
    return str(error.value)


def test_what_is_no_snapshot_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.hcs"
    assert "no snapshot" in refused(path, b"")
    assert "no snapshot" in refused(path, b"REDIS0011")
    newer = PREAMBLE[:-4] + struct.pack(">I", 7)
    assert "version 7 of the format; this server reads 1" in refused(path, newer)
    assert "no head" in refused(path, framed((ITEMS, [])))
    assert "ends without" in refused(path, framed((HEAD, GOOD_HEAD)))


@pytest.mark.parametrize(("item", "payload"), [(MAX_ITEM + 1, 10), (10, 1 << 31)])
def test_gigantic_frames_are_not_even_read(item: int, payload: int, tmp_path: Path) -> None:
    header = struct.pack(">4sBIIII", b"\xf7HCF", HEAD, 0, item, payload, 0)
    data = PREAMBLE + header + struct.pack(">I", zlib.crc32(header)) + bytes(100)
    assert "larger than any" in refused(tmp_path / "a.hcs", data)


def test_payload_that_would_grow_beyond_its_header_is_refused(tmp_path: Path) -> None:
    payload = zstandard.ZstdCompressor().compress(bytes(1 << 24))
    header = struct.pack(">4sBIIII", b"\xf7HCF", HEAD, 0, 10, len(payload), zlib.crc32(payload))
    data = PREAMBLE + header + struct.pack(">I", zlib.crc32(header)) + payload
    assert "size that its header says" in refused(tmp_path / "a.hcs", data)


ITEMS_OF_ROWS = st.recursive(
    st.integers(-3, 1 << 64) | st.binary(max_size=16) | st.booleans() | st.none() | st.floats(),
    lambda inner: st.lists(inner, max_size=6),
    max_leaves=12,
)
TABLES = st.lists(
    st.tuples(
        st.integers(0, 9),
        st.integers(0, 8),
        st.integers(-1, 17),
        st.lists(ITEMS_OF_ROWS | st.integers(0, 6), max_size=12),
    ),
    min_size=1,
    max_size=3,
)


@settings(max_examples=60, deadline=None)
@given(TABLES | ITEMS_OF_ROWS, st.sampled_from((HEAD, ITEMS, 3, 4, 5)))
def test_any_rows_are_loaded_or_refused(
    tmp_path_factory: pytest.TempPathFactory, item: object, kind: int
) -> None:
    """Frames that are whole, with anything in them: nothing but `LoadError` comes of it."""
    path = tmp_path_factory.getbasetemp() / "any.hcs"
    refused(path, framed((HEAD, GOOD_HEAD), (kind, item)))
