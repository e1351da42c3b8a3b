"""Snapshots made and loaded in one call, and data with everything that a snapshot may hold."""

from collections.abc import Callable
from pathlib import Path

from hypercache_snapshot.encoder import NativeEncoder
from hypercache_snapshot.reader import SnapshotReader

from hypercache.backend import Backend
from hypercache.engine.engine import Engine
from hypercache.engine.libraries import Libraries
from hypercache.persistence.capture import Capture
from hypercache.persistence.file_system import FileSystem
from hypercache.persistence.loader import Loader
from hypercache.persistence.saving import save_now
from hypercache.testing.engine import EngineHarness

#: Bytes that are loaded at a time, so that there are several steps.
STEP = 50_000


class KeptLibraries(Libraries):
    """Functions that are nothing but their sources."""

    def __init__(self, *sources: bytes) -> None:
        self.kept = list(sources)

    def sources(self) -> list[bytes]:
        return self.kept

    def restore(self, sources: list[bytes]) -> None:
        self.kept = sources


def save(engine: Engine, path: Path) -> Path:
    """Write all data to a file."""
    save_now(Capture(engine, NativeEncoder()), path, FileSystem())
    return path


def load(path: Path, engine: Engine) -> SnapshotReader:
    """Load a file; raises `LoadError`."""
    loader = Loader(engine)
    loader.begin()
    reader = SnapshotReader(path, loader)
    try:
        while reader.step(STEP):
            loader.pause()
    finally:
        reader.close()
    loader.end()
    return reader


def loaded(path: Path, backend: Backend | None = None, now: int = 0) -> EngineHarness:
    """A new engine with what a file holds; ``now`` in Unix microseconds."""
    harness = EngineHarness(backend)
    harness.clock.now = now or harness.clock.now
    harness.engine.libraries = KeptLibraries()
    load(path, harness.engine)
    return harness


def fill(harness: EngineHarness) -> None:
    """Every type, small and large, in several databases, with all that goes with them."""
    command = harness.command
    harness.engine.libraries = KeptLibraries(b"#!lua name=a\n", b"x" * 100_000)
    command("SET", "text", "value")
    command("SET", "", "")
    command("SET", "leaving", "value", "PX", 5000)
    command("SET", "long", bytes(range(256)) * 2800)
    command("SET", "very:long", bytes(range(256)) * 6000)
    command("SET", b"k" * 70_000, "under a long key", "PX", 6000)
    command("SETRANGE", "edited", 700, "short")
    command("SETRANGE", "edited:long", 300_000, "long")
    command("RPUSH", "list", "a", "", "-1", b"\x00\xff")
    command("RPUSH", "list:large", *(f"element {i}" for i in range(3000)))
    command("RPUSH", "list:wide", *(bytes((i,)) * 40_000 for i in range(20)))
    command("SADD", "set", "a", "b", "1")
    command("SADD", "set:numbers", *range(100))
    command("SADD", "set:large", *range(2000))
    command("ZADD", "zset", 1, "a", 2.5, "b", "-inf", "c", "inf", "d", 1e300, "e", 2**53, "f")
    command("ZADD", "zset:large", *(word for i in range(1500) for word in (i / 4, f"m{i}")))
    command("SELECT", 3)
    command("HSET", "hash", "field", "value", "", "")
    command("HSET", "hash:large", *(word for i in range(1500) for word in (f"f{i}", i)))
    command("HSET", "hash:wide", "field", b"v" * 80_000, b"f" * 80_000, "value")
    for name in ("hash:leaving", "hash:large:leaving"):
        size = 3 if name == "hash:leaving" else 1500
        command("HSET", name, *(word for i in range(size) for word in (f"f{i}", i)))
        command("HPEXPIRE", name, 9000, "FIELDS", 2, "f0", "f2")
    _fill_streams(command)
    command("SELECT", 0)
    harness.advance(1000)


def _fill_streams(command: Callable[..., object]) -> None:
    command("XADD", "stream", "1-1", "field", "value")
    command("XGROUP", "CREATE", "stream:empty", "group", "$", "MKSTREAM")
    for i in range(1, 1200):
        command("XADD", "stream:large", f"{i}-{i}", "number", i, "text", "x" * (i % 60))
    command("XADD", "stream:large", "5000-1", *(b"w" * 30_000 for _ in range(6)))
    command("XDEL", "stream:large", "7-7")
    command("XSETID", "stream:large", "9000-9", "ENTRIESADDED", 5000, "MAXDELETEDID", "8-8")
    for group, reads in (("first", 900), ("second", 2), ("third", 0)):
        command("XGROUP", "CREATE", "stream:large", group, "0")
        for consumer in ("ann", "bob", "c" * 70_000) if reads == 2 else ("ann",):
            command("XREADGROUP", "GROUP", group, consumer, "COUNT", reads or 1, "STREAMS",
                    "stream:large", ">")  # fmt: skip
    command("XGROUP", "CREATECONSUMER", "stream:large", "third", "idle")
    command("XGROUP", "SETID", "stream:large", "third", "20-20")
    command("XCLAIM", "stream:large", "first", "eve", 0, "3-3", "RETRYCOUNT", 7, "TIME", 12345)
