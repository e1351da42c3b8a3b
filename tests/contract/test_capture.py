"""A capture that goes on while random commands change everything shows what was at its beginning.

On every kind of backend: in memory, over an ordered store with units, over snapshots.
"""

import random
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Final, cast

import pytest
from hypercache_lmdb import LMDBBackend, LMDBSettings

from hypercache.backend import Backend, Entry, Value
from hypercache.keyspace.kv_backend import KVBackend
from hypercache.persistence.capture import LARGE, Capture
from hypercache.persistence.encoder import Encoder, Origin, ValueParts
from hypercache.streams import MAX_ID
from hypercache.testing import SortedDictKV
from hypercache.testing.engine import EngineHarness, ManualClock
from hypercache.testing.resp import Argument, encode
from hypercache.values import HASH, LIST, SET, STREAM, STRING, ZSET
from tests.contract.beside_memory import seen
from tests.contract.stream_calls import group_facts
from tests.machine.machine import registry, sequence
from tests.machine.script import Limits, Script
from tests.support.folders import quick_folder

SCRIPT: Final = Script(registry().every(), Limits())
SEEDS: Final = 4
ELEMENTS: Final = int(LARGE) + 100
#: What happens to keys and databases as a whole, more often than in random commands.
UPHEAVALS: Final = (
    "SWAPDB 0 1", "SWAPDB 1 2", "SWAPDB 0 0", "SWAPDB 0 9", "FLUSHDB", "FLUSHALL ASYNC",
    "MOVE {} 1", "MOVE {} 9", "RENAME {} {}", "COPY {} {} REPLACE", "COPY {} {} DB 1 REPLACE",
    "DEL {}", "UNLINK {} {}", "PEXPIRE {} 1", "SET {} new", "HPEXPIRE {} 1 FIELDS 1 7",
    "MULTI|DEL {}|SWAPDB 0 1|SET {} amid|EXEC",
)  # fmt: skip

#: Makes values large, in one command each.
GROWTH: Final[dict[int, Callable[[bytes], list[Argument]]]] = {
    STRING: lambda key: ["SETRANGE", key, 4 * ELEMENTS, "x"],
    LIST: lambda key: ["RPUSH", key, *range(ELEMENTS)],
    SET: lambda key: ["SADD", key, *(f"member {number}" for number in range(ELEMENTS))],
    HASH: lambda key: ["HSET", key, *(n for number in range(ELEMENTS) for n in (number, "v"))],
    ZSET: lambda key: ["ZADD", key, *(n for number in range(ELEMENTS) for n in (-number, number))],
}


class NoSnapshots(SortedDictKV):
    def __init__(self) -> None:
        super().__init__()
        self.snapshots = False


@pytest.fixture
def folder() -> Iterator[Path]:
    with quick_folder() as name:
        yield Path(name)


BACKENDS: Final[dict[str, Callable[[Path], Backend | None]]] = {
    "memory": lambda _: None,
    "kv": lambda _: KVBackend(NoSnapshots()),
    "snapshots": lambda _: KVBackend(SortedDictKV()),
    "lmdb": lambda folder: LMDBBackend(LMDBSettings(path=str(folder / "store"))),
}


class Parts(ValueParts):
    """Reads a value by the iterators and positions of the contract, across rounds."""

    def __init__(self, gallery: "Gallery", name: tuple[int, bytes], entry: Entry) -> None:
        self.gallery = gallery
        self.name = name
        self.entry = entry
        self.value = cast(Any, entry.value)
        self.found: list[Any] = []
        self.iterator: Iterator[Any] = iter(())
        kind = self.value.kind
        if kind in (HASH, ZSET):
            self.iterator = self.value.items()
        elif kind == SET:
            self.iterator = self.value.members()

    def write(self, count: int) -> bool:
        value = self.value
        at = len(self.found)
        if value.kind in (HASH, ZSET, SET):
            part = list(islice(self.iterator, count))
        elif value.kind == STREAM:
            start = (int.from_bytes(self.found[-1][0], "big") + 1) if self.found else 0
            part = value.range(start.to_bytes(16, "big"), MAX_ID, count, False)
        else:
            stop = min(at + count, value.length())
            part = list(value.read(at, stop) if value.kind == STRING else value.range(at, stop))
        if value.kind == HASH:
            part = [(*pair, value.deadline(pair[0])) for pair in part]
        self.found += part
        if len(part) == count:
            return True
        facts = value.kind, value.length(), value.encoding(), self.entry.expire
        self.gallery.show(self.name, (*facts, self._content()))
        return False

    def _content(self) -> object:
        value = self.value
        match value.kind:
            case k if k in (HASH, SET):
                return sorted(self.found)
            case k if k == ZSET:
                ordered = sorted(self.found, key=lambda pair: (pair[1], pair[0]))
                return [(member, repr(score)) for member, score in ordered]
            case k if k == STRING:
                return bytes(self.found)
            case k if k == STREAM:
                state = (value.last_id(), value.max_deleted_id(), value.entries_added())
                return state, self.found, [group_facts(group) for group in value.groups()]
        return self.found


class Gallery(Encoder):
    """Keeps what it is shown, as `seen` has it."""

    def __init__(self) -> None:
        self.shown: dict[tuple[int, bytes], object] = {}
        self.opened = 0
        self.ended = False

    def show(self, name: tuple[int, bytes], picture: object) -> None:
        assert name not in self.shown, f"{name} comes twice"
        self.shown[name] = picture

    def begin(self, origin: Origin) -> None:
        self.origin = origin

    def key(self, database: int, key: bytes, entry: Entry) -> None:
        assert not isinstance(entry.value, Value) or entry.value.length() < LARGE
        self.show((database, key), seen(entry))

    def open(self, database: int, key: bytes, entry: Entry) -> ValueParts:
        self.opened += 1
        return Parts(self, (database, key), entry)

    def end(self) -> None:
        self.ended = True


class Strides(ManualClock):
    """Moves on whenever somebody looks, while a step is taken: so steps are short."""

    stride = 0

    def microseconds(self) -> int:
        self.now += self.stride
        return self.now


def everything(harness: EngineHarness) -> dict[tuple[int, bytes], object]:
    stores = enumerate(keyspace.store for keyspace in harness.engine.keyspaces)
    return {
        (number, key): seen(store.find(key)) for number, store in stores for key in [*store.keys()]
    }


def grow(harness: EngineHarness, chance: random.Random) -> None:
    """Make some values large."""
    store = harness.engine.keyspaces[0].store
    for key in sorted(store.keys()):
        entry = store.find(key)
        assert entry is not None
        kind = entry.value.kind if isinstance(entry.value, Value) else STRING
        if chance.random() < 0.5 and kind in GROWTH:
            harness.first.send(encode(*GROWTH[kind](key)))


def upheaval(harness: EngineHarness, chance: random.Random) -> bytes:
    """One of `UPHEAVALS`, with present keys."""
    keys = sorted(harness.engine.keyspaces[0].store.keys()) or [b"none"]
    lines = chance.choice(UPHEAVALS).split("|")
    requests = [
        encode(*(chance.choice(keys) if word == "{}" else word for word in line.split()))
        for line in lines
    ]
    return b"".join(requests)


def play(backend: Backend | None, seed: str) -> int:
    """Random commands with a capture amid them; how many values were encoded in parts."""
    chance = random.Random(seed)
    harness = EngineHarness(backend)
    clock = harness.engine.clock = Strides(harness.clock.now)
    harness.clock = clock
    units = sequence(SCRIPT, seed)[1]
    half = len(units) // 2
    for unit in units[:half]:
        harness.first.send(b"".join(encode(*request) for request in unit))
    grow(harness, chance)
    for key in range(40):
        harness.command("SET", f"more {key}", "v", *(("PX", 7 * key + 1) if key % 3 == 0 else ()))
    harness.first.send(encode("SELECT", 1) + encode("SET", "other", "v") + encode("SELECT", 0))
    expected = everything(harness)
    gallery = Gallery()
    capture = Capture(harness.engine, gallery)
    more = True
    for unit in units[half:]:
        if more and chance.random() < 0.7:
            clock.stride = 300
            more = capture.step(chance.choice((1, 1, 1000)))
            clock.stride = 0
        if chance.random() < 0.1:
            harness.first.send(upheaval(harness, chance))
        if chance.random() < 0.05:
            harness.advance(chance.choice((1, 100, 10**6)))
            harness.tick()
        harness.first.send(b"".join(encode(*request) for request in unit))
    while more:
        more = capture.step(10**6)
    capture.close()
    harness.tick()
    assert gallery.ended
    assert gallery.shown == expected, seed
    assert capture.keys_done == capture.keys_total == len(expected)
    sizes = {number for number, _ in expected}
    assert set(gallery.origin.sizes) == sizes
    for keyspace in harness.engine.keyspaces:
        assert keyspace.store.check() == []
    harness.close()
    return gallery.opened


@pytest.mark.parametrize("kind", BACKENDS)
def test_a_capture_shows_the_beginning(kind: str, folder: Path) -> None:
    seeds = SEEDS if kind == "memory" else SEEDS // 2
    opened = 0
    for number in range(seeds):
        opened += play(BACKENDS[kind](folder / str(number)), f"capture/{kind}/{number}")
    assert opened > seeds
