"""When a capture begins and what ends it; tests/contract/test_capture.py plays with its content."""

from collections.abc import Callable

import pytest

from hypercache.backend import Backend, BackendError, Entry
from hypercache.engine.settlement import ChangeObserver
from hypercache.keyspace.changes import Touch
from hypercache.keyspace.kv_backend import KVBackend
from hypercache.persistence.capture import LARGE, Capture
from hypercache.persistence.encoder import Encoder, Origin, ValueParts
from hypercache.testing import SortedDictKV
from hypercache.testing.engine import EngineHarness, ManualClock
from hypercache.testing.resp import encode


class WithoutSnapshots(SortedDictKV):
    def __init__(self) -> None:
        super().__init__()
        self.snapshots = False


class Names(Encoder):
    """Keeps the names of keys; fails at one. ``parts`` were written of large values."""

    def __init__(self, fails_at: bytes = b"") -> None:
        self.names: list[bytes] = []
        self.parts = 0
        self.fails_at = fails_at
        self.origin: Origin | None = None

    def begin(self, origin: Origin) -> None:
        if self.fails_at == b"begin":
            raise ValueError("the head is too hard")
        self.origin = origin

    def key(self, database: int, key: bytes, entry: Entry) -> None:
        if key == self.fails_at:
            raise ValueError(f"{key!r} is too hard")
        self.names.append(key)

    def open(self, database: int, key: bytes, entry: Entry) -> ValueParts:
        self.names.append(key)
        return Part(self)

    def end(self) -> None:
        self.names.append(b"end")


class Part(ValueParts):
    """Three parts."""

    def __init__(self, names: Names) -> None:
        self.names = names
        self.left = 3

    def write(self, count: int) -> bool:
        self.names.parts += 1
        self.left -= 1
        return self.left > 0


class Amid(ChangeObserver):
    """Does something once, amid a batch, after a command."""

    def __init__(self, action: Callable[[], object]) -> None:
        self.action = action
        self.done: list[object] = []

    def changed(self, touches: list[Touch]) -> None:
        if not self.done:
            self.done.append(self.action())


class Striding(ManualClock):
    """A millisecond passes whenever somebody looks."""

    def microseconds(self) -> int:
        self.now += 1000
        return self.now


@pytest.fixture(params=["memory", "kv", "snapshots"])
def harness(request: pytest.FixtureRequest) -> EngineHarness:
    backends: dict[str, Callable[[], Backend | None]] = {
        "memory": lambda: None,
        "kv": lambda: KVBackend(WithoutSnapshots()),
        "snapshots": lambda: KVBackend(SortedDictKV()),
    }
    return EngineHarness(backends[request.param]())


def left(capture: Capture) -> None:
    """Nothing of a capture is left."""
    assert capture.engine.capture is None
    assert capture.engine.changes.hooks == []


def test_what_it_says_of_the_beginning(harness: EngineHarness) -> None:
    harness.script("SET a 1\nSET b 2 EX 10\nSELECT 3\nSET c 3")
    names = Names()
    capture = Capture(harness.engine, names)
    harness.script("SET d 4\nSET e 5")
    assert names.origin is not None
    assert (names.origin.offset, capture.offset) == (3, 3)
    assert dict(names.origin.sizes) == {0: (2, 1), 3: (1, 0)}
    assert names.origin.time == harness.clock.now
    assert (capture.keys_done, capture.keys_total) == (0, 3)
    with pytest.raises(ValueError, match="another capture"):
        Capture(harness.engine, Names())
    assert not capture.step(10)
    assert (capture.keys_done, sorted(names.names)) == (3, [b"a", b"b", b"c", b"end"])
    assert harness.engine.capture is capture
    capture.close()
    capture.close()
    left(capture)


def test_amid_a_batch_it_begins_between_two_units(harness: EngineHarness) -> None:
    amid = Amid(lambda: Capture(harness.engine, Names()))
    harness.engine.settlement.observe(amid)
    requests = [("SET", "before", 1), ("SET", "after", 2), ("GET", "before"), ("GET", "after")]
    harness.first.send(b"".join(encode(*request) for request in requests))
    assert harness.first.replies() == ["OK", "OK", b"1", b"2"]
    [capture] = amid.done
    assert isinstance(capture, Capture)
    assert not capture.step(10)
    assert isinstance(capture.encoder, Names)
    assert (capture.offset, capture.encoder.names) == (1, [b"before", b"end"])
    capture.close()


def test_not_in_a_transaction(harness: EngineHarness) -> None:
    def begin() -> object:
        with pytest.raises(ValueError, match="amid a change"):
            Capture(harness.engine, Names())
        return True

    amid = Amid(begin)
    harness.engine.settlement.observe(amid)
    harness.first.send(b"".join(encode(*line.split()) for line in ("MULTI", "SET a 1", "EXEC")))
    assert amid.done == [True]
    assert harness.engine.capture is None
    assert harness.command("GET", "a") == b"1"


@pytest.mark.parametrize("harness", ["memory", "kv"], indirect=True)
def test_an_encoder_that_fails_amid_a_command(harness: EngineHarness) -> None:
    harness.script("SET a 1\nSET b 2")
    capture = Capture(harness.engine, Names(fails_at=b"b"))
    assert harness.command("SET", "b", 3) == "OK"
    assert harness.command("SET", "a", 3) == "OK"
    assert harness.script("SWAPDB 0 1\nFLUSHALL") == ["OK", "OK"]
    for _ in range(2):
        with pytest.raises(ValueError, match="b'b' is too hard"):
            capture.step(10)
    capture.close()
    left(capture)


def test_an_encoder_that_fails_in_a_step_or_at_once(harness: EngineHarness) -> None:
    harness.script("SET a 1")
    capture = Capture(harness.engine, Names(fails_at=b"a"))
    with pytest.raises(ValueError, match="b'a' is too hard"):
        capture.step(10)
    capture.close()
    with pytest.raises(ValueError, match="the head is too hard"):
        Capture(harness.engine, Names(fails_at=b"begin"))
    left(capture)
    Capture(harness.engine, Names()).close()


def test_a_large_value_is_encoded_in_parts(harness: EngineHarness) -> None:
    harness.command("RPUSH", "large", *range(int(LARGE)))
    names = Names()
    capture = Capture(harness.engine, names)
    harness.engine.clock = Striding(harness.clock.now)
    steps = 1
    while capture.step(10):
        steps += 1
    assert names.parts == 3
    # Where values end with their units, a round would end one amid its parts.
    keeps = harness.engine.backend.snapshots or not harness.engine.backend.wants_units
    assert steps == (5 if keeps else 2)
    capture.close()


@pytest.mark.parametrize("harness", ["memory"], indirect=True)
def test_a_large_value_is_finished_before_it_changes(harness: EngineHarness) -> None:
    for key in ("small", "other", "large"):  # the last is the first
        harness.command("RPUSH", key, *range(1 if key == "small" else int(LARGE)))
    names = Names()
    capture = Capture(harness.engine, names)
    harness.engine.clock = Striding(harness.clock.now)
    while names.parts == 0:
        capture.step(1)
    assert names.parts == 1
    harness.command("LPOP", "small")
    assert names.parts == 1
    harness.command("LPOP", "large")
    harness.command("LPOP", "other")
    assert names.parts == 6
    while capture.step(1):
        pass
    assert sorted(names.names) == [b"end", b"large", b"other", b"small"]
    capture.close()


@pytest.mark.parametrize("harness", ["kv"], indirect=True)
def test_a_swap_that_is_undone_ends_it(harness: EngineHarness) -> None:
    harness.script("SET a 1\nSELECT 1\nSET b 1")
    capture = Capture(harness.engine, Names())
    harness.engine.units.open()
    harness.command("SWAPDB", 0, 1)  # committed: all is well
    harness.engine.units.open()
    capture.before_swap(0, 1)
    harness.engine.units.undo(harness.engine.journal.offset)
    with pytest.raises(BackendError, match="a swap of databases was undone"):
        capture.step(10)
    capture.close()


@pytest.mark.parametrize("harness", ["memory"], indirect=True)
def test_flushall_leaves_the_keys_to_it(harness: EngineHarness) -> None:
    for number in range(100):
        harness.command("SET", f"key {number}", number)
    names = Names()
    capture = Capture(harness.engine, names)
    harness.command("FLUSHALL")
    assert names.names == []
    harness.command("SET", "key 1", "new")
    harness.tick()
    while capture.step(1):
        harness.command("SET", "key 2", "new")
    assert len(names.names) == 101
    assert harness.engine.backend.statistics()["lazyfree_pending_objects"] == 1
    capture.close()
    harness.tick()
    assert harness.engine.backend.statistics()["lazyfree_pending_objects"] == 0
    assert harness.command("DBSIZE") in (1, 2)
