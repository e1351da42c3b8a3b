"""One of several backends fails: what it had is undone, what the others had stays and is told."""

from pathlib import Path

import pytest

from hypercache.backend import BackendError
from hypercache.testing.resp import ReplyError, encode
from tests.support.fragile import FULL
from tests.support.mixed import Mixed
from tests.support.sinks import MemorySink


@pytest.fixture
def mixed(tmp_path: Path) -> Mixed:
    return Mixed(tmp_path, {"disk": {"database": 3, "backend": "fragile"}})


def journal_of(mixed: Mixed) -> MemorySink:
    sink = MemorySink()
    mixed.engine.settlement.add_sink(sink)
    return sink


def test_what_memory_has_stays_and_is_journalled(mixed: Mixed) -> None:
    sink = journal_of(mixed)
    one, two = mixed.harness.client(), mixed.harness.client()
    two.command("SELECT", 3)
    one.session.receive(encode("SET", "a", "kept"))
    two.session.receive(encode("SET", "b", "poison"))
    mixed.harness.end_round()
    assert mixed.command("GET", "a") == b"kept"
    assert sink.commands() == [[b"SET", b"a", b"kept"]]
    assert one.closed  # whoever was in the unit that was undone
    assert sink.last() == mixed.engine.journal.offset


def test_transaction_of_both_keeps_what_memory_has(mixed: Mixed) -> None:
    sink = journal_of(mixed)
    mixed.harness.script("MULTI\nSET a 1\nSELECT 3\nSET b poison\nSELECT 0\nEXEC")
    assert mixed.harness.client().command("GET", "a") == b"1"
    assert sink.commands() == [[b"SET", b"a", b"1"]]


def test_key_that_cannot_be_stored_there_stays_here(mixed: Mixed) -> None:
    sink = journal_of(mixed)
    mixed.command("SET", "k", "poison")
    reply = mixed.command("MOVE", "k", 3)
    assert isinstance(reply, ReplyError)
    assert FULL in reply.text
    assert mixed.harness.script("GET k\nSELECT 3\nGET k") == [b"poison", "OK", None]
    assert sink.commands() == [[b"SET", b"k", b"poison"]]
    mixed.check()


def test_key_that_cannot_leave_does_not_come(mixed: Mixed) -> None:
    mixed.harness.script("SELECT 3\nRPUSH k a b")
    mixed.disks.fragile.fragile.fail("delete")
    assert isinstance(mixed.command("MOVE", "k", 0), ReplyError)
    mixed.disks.fragile.fragile.failing.clear()
    client = mixed.harness.client()
    assert client.command("EXISTS", "k") == 0
    assert mixed.harness.script("LRANGE k 0 -1") == [[b"a", b"b"]]
    mixed.check()


def test_moved_key_comes_back_when_the_commit_fails(mixed: Mixed) -> None:
    sink = journal_of(mixed)
    mixed.command("SET", "k", "v", "PX", 5000)
    mixed.disks.fragile.fragile.fail("commit")
    mixed.command("MOVE", "k", 3)
    mixed.disks.fragile.fragile.failing.clear()
    client = mixed.harness.client()
    assert client.command("GET", "k") == b"v"
    assert client.command("PTTL", "k") == 5000
    assert [args[0] for args in sink.commands()] == [b"SET", b"DEL", b"RESTORE"]
    client.command("SELECT", 3)
    assert client.command("DBSIZE") == 0
    mixed.check()


def test_full_store_refuses_its_own_writes_alone(mixed: Mixed) -> None:
    mixed.disks.fragile.fragile.refusal = FULL
    client = mixed.harness.client()
    client.command("SELECT", 3)
    client.command("GET", "k")
    refused = client.command("SET", "k", "v")
    assert isinstance(refused, ReplyError)
    assert FULL in refused.text
    assert mixed.command("SET", "k", "v") == "OK"
    assert client.command("DEL", "k") == 0


def test_unit_that_one_cannot_begin_is_begun_on_none(mixed: Mixed) -> None:
    mixed.harness.script("STORES CREATE a backend kv")
    mixed.disks.fragile.fragile.fail("begin")
    reply = mixed.command("GET", "k")
    assert isinstance(reply, ReplyError)
    assert "begin: disk on fire" in reply.text
    mixed.disks.fragile.fragile.failing.clear()
    assert mixed.command("SET", "k", "v") == "OK"


def test_sync_of_all_fails_with_one(mixed: Mixed) -> None:
    mixed.backends.sync()
    mixed.backends.maintain()
    mixed.disks.fragile.fragile.fail("sync", "maintain")
    with pytest.raises(BackendError, match="sync: disk on fire"):
        mixed.backends.sync()
    with pytest.raises(BackendError, match="maintain: disk on fire"):
        mixed.backends.maintain()


def test_dropped_backend_is_closed_when_no_thread_is_inside(
    mixed: Mixed, monkeypatch: pytest.MonkeyPatch
) -> None:
    mixed.harness.script("STORES CREATE a backend kv")
    part, _ = mixed.backends.own[1]
    closed: list[bool] = []
    monkeypatch.setattr(mixed.disks.stores["one"], "close", lambda: closed.append(True))
    mixed.backends._enter()
    assert mixed.command("STORES", "DROP", "a") == "OK"
    assert part not in mixed.backends.parts
    assert not closed
    mixed.backends._leave()
    mixed.harness.tick()
    assert closed == [True]
