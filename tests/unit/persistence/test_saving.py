"""Captures on their way into files: put in place whole, or not at all."""

import errno
import os
from pathlib import Path

import pytest
import trio
import trio.testing

from hypercache.backend import Entry
from hypercache.persistence import saving
from hypercache.persistence.capture import Capture
from hypercache.persistence.encoder import Encoder, Origin, ValueParts
from hypercache.persistence.errors import SaveError
from hypercache.persistence.file_system import FileSystem
from hypercache.persistence.saving import Saving, remove_leftovers, save_now, temporary
from hypercache.testing.engine import EngineHarness, ManualClock

KEYS = 3_000


class Lines(Encoder):
    """A line for each key; `finish` makes capitals of them."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []

    def begin(self, origin: Origin) -> None:
        self.lines.append(b"begin\n")

    def key(self, database: int, key: bytes, entry: Entry) -> None:
        self.lines.append(key + b"\n")

    def open(self, database: int, key: bytes, entry: Entry) -> ValueParts:
        raise ValueError("no large values here")

    def end(self) -> None:
        self.lines.append(b"end\n")

    def pending(self) -> int:
        return sum(map(len, self.lines))

    def take(self) -> list[bytes]:
        chunk = b"".join(self.lines)
        self.lines = []
        return [chunk]

    def finish(self, chunk: bytes) -> bytes:
        return chunk.upper()

    def trailer(self) -> bytes:
        return b"trailer\n"


class Ticking(ManualClock):
    """A microsecond passes whenever somebody looks."""

    def microseconds(self) -> int:
        self.now += 1
        return self.now


class Failing(FileSystem):
    """Raises an error in one of its methods, from the n-th call on."""

    def __init__(self, method: str, calls: int, error: int) -> None:
        self.method = method
        self.calls = calls
        self.error = error

    def _count(self, method: str) -> None:
        if method == self.method:
            self.calls -= 1
            if self.calls < 0:
                raise OSError(self.error, os.strerror(self.error))

    def create(self, path: Path) -> int:
        self._count("create")
        return super().create(path)

    def write(self, descriptor: int, data: bytes | memoryview) -> int:
        self._count("write")
        return super().write(descriptor, data[:1000])  # a short write each time

    def sync(self, descriptor: int) -> None:
        self._count("sync")
        super().sync(descriptor)

    def rename(self, old: Path, new: Path) -> None:
        self._count("rename")
        super().rename(old, new)


@pytest.fixture
def harness(monkeypatch: pytest.MonkeyPatch) -> EngineHarness:
    monkeypatch.setattr(saving, "CHUNK", 1 << 10)
    monkeypatch.setattr(saving, "QUEUE", 2 << 10)
    monkeypatch.setattr(saving, "SYNC_EVERY", 4 << 10)
    monkeypatch.setattr(saving, "LEAST_STEP", 10)
    monkeypatch.setattr(saving, "MOST_STEP", 10)
    harness = EngineHarness()
    for number in range(KEYS):
        harness.engine.keyspaces[number % 2].store.put(b"key:%d" % number, b"value", -1)
    harness.engine.clock = Ticking(harness.clock.now)
    return harness


def is_whole(path: Path) -> bool:
    lines = path.read_bytes().splitlines()
    keys = {b"KEY:%d" % number for number in range(KEYS)}
    assert (lines[0], lines[-2:]) == (b"BEGIN", [b"END", b"trailer"])
    return sorted(lines[1:-2]) == sorted(keys)


@pytest.mark.trio
async def test_saves_in_steps_and_tells_how_far(harness: EngineHarness, tmp_path: Path) -> None:
    path = tmp_path / "dump"
    saving = Saving(Capture(harness.engine, Lines()), path, FileSystem())
    seen: list[int] = []

    async def watch() -> None:
        while True:
            seen.append(int(saving.capture.keys_done))
            await trio.lowlevel.checkpoint()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(watch)
        saved = await saving.run()
        nursery.cancel_scope.cancel()
    assert is_whole(path)
    assert len(set(seen)) > 10
    assert (saved.path, saved.size) == (path, path.stat().st_size)
    assert saved.seconds > 0
    assert path.stat().st_mode & 0o777 == 0o600
    assert harness.engine.capture is None
    assert list(tmp_path.iterdir()) == [path]


class Counted(Capture):
    """Keeps the budgets of its steps, which are short."""

    def __init__(self, harness: EngineHarness) -> None:
        super().__init__(harness.engine, Lines())
        self.budgets: list[int] = []

    def step(self, budget: int) -> bool:
        self.budgets.append(budget)
        return super().step(10)


@pytest.mark.trio
@pytest.mark.parametrize(("busy_for", "longest"), [(0, 500), (0.1, 3000)])
async def test_steps_are_as_long_as_what_others_do(
    harness: EngineHarness,
    tmp_path: Path,
    mock_clock: trio.testing.MockClock,
    monkeypatch: pytest.MonkeyPatch,
    busy_for: float,
    longest: int,
) -> None:
    monkeypatch.setattr(saving, "LEAST_STEP", 500)
    monkeypatch.setattr(saving, "MOST_STEP", 3000)
    capture = Counted(harness)

    async def rounds() -> None:
        while busy_for:
            mock_clock.jump(busy_for)
            harness.engine.counters.commands += 1
            await trio.lowlevel.checkpoint()

    mock_clock.autojump_threshold = 0
    async with trio.open_nursery() as nursery:
        nursery.start_soon(rounds)
        await Saving(capture, tmp_path / "dump", FileSystem()).run()
        nursery.cancel_scope.cancel()
    assert min(capture.budgets) == 500
    assert max(capture.budgets) == longest


def test_saves_at_once(harness: EngineHarness, tmp_path: Path) -> None:
    path = tmp_path / "dump"
    heard: list[tuple[str, int, int]] = []
    saved = save_now(
        Capture(harness.engine, Lines()), path, FileSystem(), lambda *told: heard.append(told)
    )
    assert is_whole(path)
    assert saved.size == path.stat().st_size
    assert heard[-1] == ("keys", KEYS, KEYS)


FAILURES = [
    ("create", 0, errno.EACCES),
    ("write", 3, errno.ENOSPC),
    ("sync", 0, errno.EIO),
    ("sync", 3, errno.EIO),
    ("rename", 0, errno.EROFS),
]


@pytest.mark.trio
@pytest.mark.parametrize(("method", "calls", "error"), FAILURES)
async def test_a_failure_leaves_what_was_there(
    harness: EngineHarness, tmp_path: Path, method: str, calls: int, error: int
) -> None:
    path = tmp_path / "dump"
    path.write_bytes(b"old")
    files = Failing(method, calls, error)
    with pytest.raises(SaveError, match=f"{path} could not be written: {os.strerror(error)}"):
        await Saving(Capture(harness.engine, Lines()), path, files).run()
    with pytest.raises(SaveError, match=os.strerror(error)):
        save_now(Capture(harness.engine, Lines()), path, files)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
    assert harness.engine.capture is None
    assert harness.engine.changes.hooks == []


@pytest.mark.trio
async def test_an_encoder_that_fails(harness: EngineHarness, tmp_path: Path) -> None:
    harness.command("RPUSH", "large", *range(1000))
    with pytest.raises(SaveError, match="ValueError: no large values here"):
        await Saving(Capture(harness.engine, Lines()), tmp_path / "dump", FileSystem()).run()
    with pytest.raises(SaveError, match="ValueError: no large values here"):
        save_now(Capture(harness.engine, Lines()), tmp_path / "dump", FileSystem())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.trio
async def test_cancelled_it_leaves_nothing(harness: EngineHarness, tmp_path: Path) -> None:
    saving = Saving(Capture(harness.engine, Lines()), tmp_path / "dump", FileSystem())
    with trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(saving.run)
            while saving.size < 4000:
                await trio.lowlevel.checkpoint()
            assert temporary(tmp_path / "dump").exists()
            scope.cancel()
    assert scope.cancelled_caught
    assert list(tmp_path.iterdir()) == []
    assert harness.engine.capture is None


def test_leftovers_are_removed(tmp_path: Path) -> None:
    names = ["dump-1.hcs", "dump-2.hcs", "other-1.hcs"]
    for name in names:
        (tmp_path / name).touch()
        temporary(tmp_path / name).touch()
    removed = remove_leftovers(tmp_path, "dump-*.hcs", FileSystem())
    assert removed == [temporary(tmp_path / name) for name in names[:2]]
    left = sorted(path.name for path in tmp_path.iterdir())
    assert left == [*names, temporary(Path(names[2])).name]
