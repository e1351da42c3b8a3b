"""The same commands on both backends: clients must not be able to tell which one they use.

Requests come in batches, so that `KVBackend` has units of several commands; both engines
stand on the same manual clock.
"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from hypercache.backend import BackendFull
from hypercache.keyspace.kv_backend import KVBackend
from hypercache.testing import SortedDictKV
from hypercache.testing.engine import EngineHarness
from hypercache.testing.resp import ReplyError, encode
from tests.differential.rivals import alike, name_of
from tests.differential.strategies import COMMANDS, KEYS, Request, many, one, request
from tests.support.once import share_of

FIELDS = st.sampled_from([b"f", b"g", b"", b"l" * 70])
HASHES = st.one_of(
    request("HSET", one(KEYS), many(FIELDS, FIELDS)),
    request("HSET", one(KEYS), many(FIELDS, FIELDS)),
    request("HGET", one(KEYS), one(FIELDS)),
    request("HDEL", one(KEYS), many(FIELDS)),
    request("HDEL", one(KEYS), one(st.just(b"f")), one(st.just(b"g"))),
    request("HGETALL", one(KEYS)),
    request("HLEN", one(KEYS)),
)
BATCH: SearchStrategy[list[Request]] = st.lists(
    st.one_of(COMMANDS, COMMANDS, HASHES), min_size=1, max_size=6
)
STEPS = st.lists(st.tuples(BATCH, st.sampled_from([0, 0, 1, 2_000_000])), max_size=10)

#: What reads clocks that only the memory backend keeps for each key. (What a cursor means that
#: neither has given is each backend's own affair, too.)
ACCESS = (b"OBJECT IDLETIME", b"OBJECT FREQ")


def same(request: Request, ours: object, theirs: object) -> bool:
    """Whether two replies say the same, as far as they can."""
    if name_of(request) in ACCESS or (name_of(request) == b"SCAN" and request[1] != b"0"):
        return type(ours) is type(theirs)
    if name_of(request) == b"HGETALL" and isinstance(ours, list) and isinstance(theirs, list):
        return pairs(ours) == pairs(theirs)
    return ours == theirs or alike(request, ours, theirs)


def pairs(reply: list[object]) -> dict[object, object]:
    """Fields and values, which come in no order."""
    return dict(zip(reply[::2], reply[1::2], strict=True))


def compare(request: Request, queued: list[Request], ours: object, theirs: object) -> None:
    """Fail where the replies of both engines differ; inside a transaction, look into it."""
    if theirs == "QUEUED":
        queued.append(request)
    elif name_of(request) == b"EXEC" and isinstance(ours, list) and isinstance(theirs, list):
        assert len(ours) == len(theirs) == len(queued)
        for inner, our, their in zip(queued, ours, theirs, strict=True):
            assert same(inner, our, their), (inner, our, their)
        queued.clear()
        return
    if name_of(request) in (b"EXEC", b"DISCARD"):
        queued.clear()
    assert same(request, ours, theirs), (request, ours, theirs)


@settings(max_examples=share_of(120), deadline=None, derandomize=True)
@given(steps=STEPS)
def test_commands_answer_the_same(steps: list[tuple[list[Request], int]]) -> None:
    kv = EngineHarness(KVBackend(SortedDictKV(max_key_size=64)))
    memory = EngineHarness()
    queued: list[Request] = []
    for batch, milliseconds in steps:
        data = b"".join(encode(*request) for request in batch)
        kv.first.send(data)
        memory.first.send(data)
        ours, theirs = kv.first.replies(), memory.first.replies()
        assert len(ours) == len(theirs) == len(batch)
        for request_, our, their in zip(batch, ours, theirs, strict=True):
            compare(request_, queued, our, their)
        for harness in (kv, memory):
            harness.advance(milliseconds)
            harness.tick()
    for harness in (kv, memory):
        for keyspace in harness.engine.keyspaces:
            assert keyspace.store.check() == []
        harness.close()


@pytest.mark.parametrize("backend", ["memory", "kv"])
def test_active_expiry(backend: str) -> None:
    kv = KVBackend(SortedDictKV())
    harness = EngineHarness(kv if backend == "kv" else None)
    for number in range(500):
        harness.command("SET", f"key {number}", "v", "PX", 1 + number * 10)
    harness.advance(2_505)
    harness.tick()
    assert harness.command("DBSIZE") in range(245, 255)
    harness.advance(10_000)
    harness.tick()
    assert harness.command("DBSIZE") == 0


def test_swapdb_survives_a_restart() -> None:
    kv = SortedDictKV()
    harness = EngineHarness(KVBackend(kv))
    harness.command("SET", "key", "in 0")
    harness.command("SWAPDB", 0, 5)
    harness.close()
    harness = EngineHarness(KVBackend(SortedDictKV(kv.data)))
    assert harness.command("GET", "key") is None
    harness.command("SELECT", 5)
    assert harness.command("GET", "key") == b"in 0"


class FailingKV(SortedDictKV):
    """Has no room, for a while."""

    puts_fail = False
    commits_fail = False

    def put(self, key: bytes, value: bytes) -> None:
        if self.puts_fail and len(value) > 100:
            raise BackendFull("no room left in the test store: make it larger")
        super().put(key, value)

    def commit(self) -> None:
        if self.commits_fail:
            super().rollback()
            raise BackendFull("no room left in the test store: make it larger")
        super().commit()


def test_failing_commit_is_undone_and_the_client_dropped() -> None:
    kv = FailingKV()
    harness = EngineHarness(KVBackend(kv))
    assert harness.command("SET", "key", "kept") == "OK"
    kv.commits_fail = True
    harness.first.send(encode("SET", "key", "lost"))
    assert harness.first.received() == b""
    assert harness.first.closed
    kv.commits_fail = False
    assert harness.client().command("GET", "key") == b"kept"


def test_failing_write_undoes_the_round() -> None:
    """The client whose write fails is told; one that wrote before it in the round is dropped."""
    kv = FailingKV()
    harness = EngineHarness(KVBackend(kv))
    assert harness.command("SET", "key", "kept") == "OK"
    kv.puts_fail = True
    large = b"v" * 200
    assert harness.command("SET", "key", large) == ReplyError(
        "MISCONF The kv backend cannot take more data: no room left in the test store: make it"
        " larger. Commands that may grow the data are refused; reads and deletions go on."
    )
    assert harness.command("GET", "key") == b"kept"
    assert harness.command("SET", "small", "value") == "OK"
    harness.first.send(encode("SET", "key", "lost") + encode("SET", "key", large))
    assert harness.first.received() == b""
    assert harness.first.closed
    kv.puts_fail = False
    client = harness.client()
    assert client.command("GET", "key") == b"kept"
    assert client.command("SET", "key", large) == "OK"
    assert client.command("GET", "small") == b"value"
