"""Units: what fails in the backend takes nothing with it that somebody was told to be kept."""

import pytest
from hypercache_memory import MemoryBackend

from hypercache.backend import Backend, BackendError, Database
from hypercache.engine.background import REST
from hypercache.engine.settlement import ChangeObserver
from hypercache.engine.units import CAREFUL, LIMIT
from hypercache.keyspace import layout
from hypercache.keyspace.changes import Touch
from hypercache.keyspace.kv_backend import KVBackend
from hypercache.testing.engine import NOTHING, EngineHarness, HarnessClient
from hypercache.testing.resp import Argument, ReplyError, encode
from hypercache.testing.sorted_kv import SortedDictKV
from tests.support.fragile import FULL, FragileBackend, FragileKV
from tests.support.sinks import MemorySink

NO_ROOM = ReplyError(
    f"MISCONF The fragile backend cannot take more data: {FULL}."
    " Commands that may grow the data are refused; reads and deletions go on."
)
ON_FIRE = "disk on fire"


class Unmeasurable(Database):
    """A database that does not tell how large it is."""

    def memory(self) -> int:
        raise BackendError(ON_FIRE)


class Fragile:
    """An engine on a backend that fails on demand, with several clients."""

    def __init__(self) -> None:
        self.backend = FragileBackend()
        self.kv: FragileKV = self.backend.fragile
        self.harness = EngineHarness(self.backend)
        self.engine = self.harness.engine
        self.client = self.harness.first

    def command(self, *arguments: Argument) -> object:
        return self.client.command(*arguments)

    def round(self, *requests: tuple[HarnessClient, bytes]) -> None:
        """What some clients send is executed in one round."""
        for client, data in requests:
            client.session.receive(data)
        self.harness.end_round()

    def events(self) -> list[str]:
        return [event for _, event, _ in self.harness.recorder.reports]

    def everything(self) -> dict[bytes, object]:
        """All strings of database 0, asked by a new client."""
        client = self.harness.client()
        keys = client.command("KEYS", "*")
        assert isinstance(keys, list)
        return {key: client.command("GET", key) for key in keys}


@pytest.fixture
def fragile() -> Fragile:
    return Fragile()


def pipeline(*commands: tuple[Argument, ...]) -> bytes:
    return b"".join(encode(*words) for words in commands)


# Commands that fail ----------------------------------------------------------------------------


def test_failed_write_leaves_nothing_half_done(fragile: Fragile) -> None:
    fragile.command("SET", "a", "old")
    assert fragile.command("MSET", "a", "new", "b", "new", "c", "poison") == NO_ROOM
    assert not fragile.client.closed
    assert fragile.everything() == {b"a": b"old"}
    assert fragile.command("SET", "b", "fine") == "OK"
    assert fragile.events() == ["backend_failed"]


def test_whoever_saw_what_is_undone_is_dropped_and_nobody_else(fragile: Fragile) -> None:
    early, writer, reader, failing, late = [fragile.harness.client() for _ in range(5)]
    fragile.round(
        (early, encode("GET", "key")),
        (writer, encode("SET", "key", "lost")),
        (reader, encode("GET", "key")),
        (failing, encode("SET", "other", "poison")),
        (late, encode("SET", "late", "kept")),
    )
    assert (early.replies(), late.replies()) == ([None], ["OK"])
    for client in (writer, reader, failing):
        assert client.replies() == []
        assert client.closed
    assert fragile.everything() == {b"late": b"kept"}


def test_client_learns_nothing_of_a_pipeline_that_is_undone(fragile: Fragile) -> None:
    lost, poison = ("SET", "a", "lost"), ("SET", "b", "poison")
    fragile.client.send(pipeline(("PING",), lost, poison, ("PING",)))
    assert fragile.client.received() == b""
    assert fragile.client.closed
    assert fragile.everything() == {}


def test_after_a_failure_each_batch_is_a_unit_of_its_own_for_a_while(fragile: Fragile) -> None:
    """A client that fails again and again takes nobody else's writes with it."""
    good, bad = fragile.harness.client(), fragile.harness.client()
    bad.command("SET", "key", "poison")
    for number in range(3):
        fragile.round(
            (good, encode("SET", "key", str(number))),
            (bad, encode("SET", "other", "poison")),
        )
        assert (good.replies(), bad.replies()) == (["OK"], [NO_ROOM])
    assert fragile.everything() == {b"key": b"2"}
    fragile.harness.advance(CAREFUL // 1000)
    fragile.kv.ended.clear()
    fragile.round((good, encode("SET", "key", "3")), (bad, encode("SET", "other", "fine")))
    assert fragile.kv.ended == ["commit"]


def test_failed_read_undoes_nothing(fragile: Fragile) -> None:
    writer, reader = fragile.harness.client(), fragile.harness.client()
    fragile.command("SET", "old", "value")
    writer.session.receive(encode("SET", "key", "kept"))
    fragile.kv.fail("get")
    reader.session.receive(encode("GET", "old"))
    fragile.kv.failing.clear()
    reader.session.receive(encode("GET", "old"))
    fragile.harness.end_round()
    assert writer.replies() == ["OK"]
    assert reader.replies() == [ReplyError("ERR get: disk on fire"), b"value"]
    assert "rollback" not in fragile.kv.ended


def test_transaction_that_fails_leaves_nothing(fragile: Fragile) -> None:
    first, second, third = ("SET", "a", "1"), ("SET", "b", "poison"), ("SET", "c", "1")
    fragile.client.send(pipeline(("MULTI",), first, second, third, ("EXEC",)))
    assert fragile.client.replies() == [
        "OK",
        *["QUEUED"] * 3,
        ReplyError(f"EXECABORT Transaction discarded because of: {NO_ROOM.text}"),
    ]
    assert not fragile.client.closed
    assert fragile.everything() == {}
    assert fragile.command("SET", "a", "2") == "OK"
    assert fragile.engine.journal.offset == 1


def test_transaction_that_fails_takes_earlier_writers_along(fragile: Fragile) -> None:
    writer, failing = fragile.harness.client(), fragile.harness.client()
    fragile.round(
        (writer, encode("SET", "key", "lost")),
        (failing, pipeline(("MULTI",), ("SET", "b", "poison"), ("EXEC",))),
    )
    assert (writer.closed, failing.closed) == (True, True)
    assert (writer.replies(), failing.replies()) == ([], [])
    assert fragile.everything() == {}


def test_transaction_whose_read_fails_leaves_nothing(fragile: Fragile) -> None:
    fragile.client.send(pipeline(("MULTI",), ("SET", "a", "1"), ("GETRANGE", "a", "0", "-1")))
    fragile.client.replies()
    fragile.kv.fail("get")
    found = fragile.command("EXEC")
    fragile.kv.failing.clear()
    assert isinstance(found, ReplyError)
    assert found.text.startswith("EXECABORT Transaction discarded because of: ")
    assert fragile.everything() == {}


def test_failure_while_an_edit_is_settled(fragile: Fragile) -> None:
    """The earliest deadline of a hash's fields is noted after the command has run."""
    fragile.command("HSET", "hash", "field", "value")
    fragile.kv.poisoned = layout.HASH_DEADLINE
    assert fragile.command("HPEXPIRE", "hash", 1000, "FIELDS", 1, "field") == NO_ROOM
    fragile.kv.poisoned = b"\xff"
    assert fragile.command("HTTL", "hash", "FIELDS", 1, "field") == [-1]
    assert fragile.command("HPEXPIRE", "hash", 1000, "FIELDS", 1, "field") == [1]


def test_bug_in_a_write_command_is_undone(fragile: Fragile) -> None:
    fragile.kv.failing["put"] = ZeroDivisionError("a bug of the store")
    with pytest.raises(ZeroDivisionError):
        fragile.command("SET", "key", "value")
    fragile.kv.failing.clear()
    assert fragile.client.replies() == [ReplyError("ERR internal error, see the server's log")]
    assert "rollback" in fragile.kv.ended
    assert fragile.everything() == {}


def test_waiting_client_that_was_served_from_an_undone_write_is_dropped(fragile: Fragile) -> None:
    waiting, pusher, failing = [fragile.harness.client() for _ in range(3)]
    assert waiting.command("BLPOP", "list", 0) is NOTHING
    fragile.round(
        (pusher, encode("RPUSH", "list", "element")),
        (failing, encode("SET", "key", "poison")),
    )
    assert (waiting.replies(), pusher.replies()) == ([], [])
    assert waiting.closed
    assert pusher.closed
    assert fragile.command("EXISTS", "list") == 0


def test_waiting_client_whose_command_fails(fragile: Fragile) -> None:
    """BLMOVE moves what was pushed; that both are lost, both have to learn."""
    waiting, pusher = fragile.harness.client(), fragile.harness.client()
    assert waiting.command("BLMOVE", "from", "to", "LEFT", "LEFT", 0) is NOTHING
    pusher.session.receive(encode("RPUSH", "from", "a", "b"))
    assert fragile.events() == []
    fragile.harness.end_round()
    assert waiting.replies() == [b"a"]
    waiting.command("BLPOP", "other", 0)
    fragile.kv.fail("delete")
    pusher.command("RPUSH", "other", "a")
    assert (waiting.closed, pusher.closed) == (True, True)
    fragile.kv.failing.clear()
    assert fragile.command("EXISTS", "other") == 0


# Units that fail -------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [BackendError(ON_FIRE), OSError(ON_FIRE)])
def test_failed_commit_drops_the_writers(fragile: Fragile, error: Exception) -> None:
    reader = fragile.harness.client()
    fragile.kv.failing["commit"] = error
    fragile.client.session.receive(encode("SET", "key", "lost"))
    fragile.engine.end_round()
    fragile.harness.recorder.crashes.clear()
    assert fragile.client.closed
    fragile.kv.failing.clear()
    assert reader.command("GET", "key") is None
    assert reader.command("SET", "key", "value") == "OK"
    assert fragile.engine.journal.offset == 1


def test_without_a_unit_nothing_is_served_but_what_needs_no_data(fragile: Fragile) -> None:
    fragile.command("SET", "key", "value")
    fragile.kv.fail("begin")
    refused = ReplyError("MISCONF The fragile backend has failed: begin: disk on fire")
    assert fragile.command("GET", "key") == refused
    assert fragile.command("SET", "key", "other") == refused
    assert fragile.command("PING") == "PONG"
    fragile.command("MULTI")
    assert fragile.command("GET", "key") == refused
    assert fragile.command("DISCARD") == "OK"
    fragile.harness.tick()
    assert fragile.events() == ["backend_unavailable"]
    fragile.kv.failing.clear()
    assert fragile.command("GET", "key") == b"value"
    assert fragile.events() == ["backend_unavailable", "backend_available"]


def test_what_cannot_be_undone_ends_the_use_of_the_data(fragile: Fragile) -> None:
    fragile.command("SET", "key", "value")
    fragile.kv.fail("rollback")
    fragile.command("SET", "key", "poison")
    fragile.kv.failing.clear()
    found = fragile.command("GET", "key")
    assert isinstance(found, ReplyError)
    assert found.text == (
        "MISCONF The fragile backend has failed: a write could not be undone"
        " (rollback: disk on fire): restart the server"
    )
    assert fragile.command("PING") == "PONG"


def test_unit_does_not_grow_without_bound(fragile: Fragile) -> None:
    """Many clients in one round: a unit that has become large takes no further client."""
    writes = encode("INCR", "n") * LIMIT
    others = [fragile.harness.client() for _ in range(3)]
    fragile.kv.ended.clear()
    fragile.round((fragile.client, writes), *[(other, encode("INCR", "n")) for other in others])
    assert fragile.kv.ended == ["commit"] * 2
    assert [other.replies() for other in others] == [[LIMIT + 1], [LIMIT + 2], [LIMIT + 3]]


def test_failure_beside_a_command_drops_its_client_alone(fragile: Fragile) -> None:
    """The size of the data, which maxmemory asks for, is found out before the command runs."""
    fragile.engine.memory.set_limit(1 << 40)
    bystander = fragile.harness.client()

    store = fragile.engine.keyspaces[0].store
    fragile.engine.keyspaces[0].store = Unmeasurable()
    fragile.client.send(encode("SET", "key", "value"))
    assert fragile.client.closed
    fragile.engine.keyspaces[0].store = store
    assert bystander.command("PING") == "PONG"
    assert fragile.events() == ["batch_failed"]


class Clumsy(ChangeObserver):
    """An observer with a bug."""

    def changed(self, touches: list[Touch]) -> None:
        raise ZeroDivisionError("a bug beside the command")


@pytest.mark.parametrize("backend", [MemoryBackend(), FragileBackend()])
def test_what_fails_beside_a_command_leaves_nothing_to_the_next(backend: Backend) -> None:
    harness = EngineHarness(backend)
    bystander = harness.client()
    sink = MemorySink()
    harness.engine.settlement.add_sink(sink)
    clumsy = Clumsy()
    harness.engine.settlement.observe(clumsy)
    with pytest.raises(ZeroDivisionError):
        harness.command("SET", "key", "value")
    harness.engine.settlement.unobserve(clumsy)
    assert harness.first.closed
    assert bystander.command("GET", "other") is None
    assert bystander.session.written == 0
    assert bystander.command("SET", "other", "value") == "OK"
    assert sink.commands()[-1] == [b"SET", b"other", b"value"]
    assert harness.engine.changes.effects == []


# Work that no client asked for -----------------------------------------------------------------


def test_background_work_that_fails_rests_and_is_done_later(fragile: Fragile) -> None:
    fragile.command("SET", "gone", "value", "PX", 10)
    fragile.command("SET", "stays", "value")
    fragile.harness.advance(20)
    fragile.kv.fail("delete")
    fragile.engine.background.tick(1000)
    fragile.engine.end_round()
    fragile.engine.background.tick(1000)
    assert fragile.events() == ["background_failed"]
    assert fragile.command("DBSIZE") == 2
    fragile.kv.failing.clear()
    fragile.harness.tick()
    assert fragile.command("DBSIZE") == 2, "it rests"
    fragile.harness.advance(REST // 1000)
    fragile.harness.tick()
    assert fragile.command("DBSIZE") == 1


def test_engine_begins_no_unit_by_itself() -> None:
    """There may be a long time between the construction of an engine and its first round."""
    backend = FragileBackend()
    harness = EngineHarness(backend)
    harness.command("SET", "gone", "value", "PX", 10)
    backend.fragile.ended.clear()
    harness.clock.now += 1_000_000
    again = KVBackend(SortedDictKV(backend.fragile.data))
    EngineHarness(again)
    again.begin()
    again.rollback()


# Room ------------------------------------------------------------------------------------------


def test_without_room_only_what_grows_the_data_is_refused(fragile: Fragile) -> None:
    fragile.command("SET", "key", "value")
    fragile.command("RPUSH", "list", "a", "b")
    fragile.command("SET", "gone", "value", "PX", 10)
    waiting = fragile.harness.client()
    assert waiting.command("BLMOVE", "empty", "to", "LEFT", "LEFT", 0) is NOTHING
    fragile.kv.refusal = FULL
    assert fragile.command("SET", "key", "other") == NO_ROOM
    assert fragile.command("GET", "key") == b"value"
    assert fragile.command("LPOP", "list") == b"a"
    assert fragile.command("DEL", "key") == 1
    assert fragile.command("PING") == "PONG"
    fragile.harness.advance(20)
    fragile.harness.tick()
    assert fragile.command("DBSIZE") == 1
    assert fragile.command("RENAME", "list", "empty") == "OK"
    assert waiting.replies() == [NO_ROOM]
    fragile.kv.refusal = ""
    assert fragile.command("SET", "key", "other") == "OK"
    assert fragile.events() == ["writes_refused", "writes_accepted"]


def test_without_room_transactions_that_grow_the_data_are_refused(fragile: Fragile) -> None:
    other = fragile.harness.client()
    fragile.client.send(pipeline(("MULTI",), ("SET", "key", "value")))
    other.send(pipeline(("MULTI",), ("DEL", "key")))
    fragile.client.replies()
    other.replies()
    fragile.kv.refusal = FULL
    assert fragile.command("EXEC") == ReplyError(
        f"EXECABORT Transaction discarded because of: {NO_ROOM.text}"
    )
    assert other.command("EXEC") == [0]
    fragile.command("MULTI")
    assert fragile.command("SET", "key", "value") == NO_ROOM
    assert fragile.command("EXEC") == ReplyError(
        "EXECABORT Transaction discarded because of previous errors."
    )
