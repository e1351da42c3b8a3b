"""What goes to the journal: replaying it gives the same data, and it says no more than needed."""

from hypothesis import given, settings
from hypothesis import strategies as st

from hypercache.engine.journal import Record, Sink
from hypercache.testing.engine import START, EngineHarness
from hypercache.testing.resp import encode
from tests.differential.strategies import COMMANDS, KEYS, VALUES, Request, many, one, request
from tests.unit.commands.conftest import BACKENDS, make_backend

NOW = START // 1000
FIELDS = st.sampled_from([b"f", b"g", b""])
HASHES = st.one_of(
    request("HSET", one(KEYS), many(FIELDS, VALUES)),
    request("HSETNX", one(KEYS), one(FIELDS), one(VALUES)),
    request("HINCRBY", one(KEYS), one(FIELDS), one(st.sampled_from([b"1", b"-7", b"x"]))),
    request("HINCRBYFLOAT", one(KEYS), one(FIELDS), one(st.sampled_from([b"0.1", b"-3"]))),
    request("HDEL", one(KEYS), many(FIELDS)),
    request(
        "HPEXPIRE",
        one(KEYS),
        one(st.sampled_from([b"0", b"3", b"9999"])),
        one(st.just(b"FIELDS")),
        one(st.just(b"1")),
        one(FIELDS),
    ),
    request("HPERSIST", one(KEYS), one(st.just(b"FIELDS")), one(st.just(b"1")), one(FIELDS)),
)
# Each request with the milliseconds that pass after it.
STEPS = st.lists(
    st.tuples(st.one_of(COMMANDS, COMMANDS, HASHES), st.sampled_from([0, 0, 0, 3, 2_000_000])),
    max_size=30,
)


class Keeper(Sink):
    """Keeps every record."""

    def __init__(self) -> None:
        super().__init__("keeper")
        self.records: list[Record] = []

    def write(self, records: list[Record]) -> None:
        self.records += records
        self.safe = records[-1].offset


class Journalled:
    """A harness with a sink, and what a command put into it."""

    def __init__(self, harness: EngineHarness) -> None:
        self.harness = harness
        self.keeper = Keeper()
        harness.engine.settlement.add_sink(self.keeper)

    def effects(self, *arguments: bytes | str | int) -> list[str]:
        """The effects of a command, one line each, preceded by their database unless 0."""
        return [line for record in self.records(*arguments) for line in record]

    def records(self, *arguments: bytes | str | int) -> list[list[str]]:
        """The records of a command, likewise."""
        self.keeper.records = []
        self.harness.command(*arguments)
        return [
            [
                f"{effect.database or ''} {b' '.join(effect.args).decode()}".lstrip()
                for effect in record.effects
            ]
            for record in self.keeper.records
        ]


def data_of(harness: EngineHarness) -> dict[tuple[int, bytes], tuple[object, object]]:
    """All live keys with value and deadline."""
    client = harness.client()
    found: dict[tuple[int, bytes], tuple[object, object]] = {}
    for index in range(len(harness.engine.keyspaces)):
        client.command("SELECT", index)
        keys = client.command("KEYS", "*")
        assert isinstance(keys, list)
        for key in keys:
            if client.command("TYPE", key) == "string":
                value = client.command("GET", key)
            else:
                flat = client.command("HGETALL", key)
                assert isinstance(flat, list)
                value = {}
                for field, content in zip(flat[::2], flat[1::2], strict=True):
                    deadline = client.command("HPEXPIRETIME", key, "FIELDS", 1, field)
                    value[field] = content, deadline
            found[index, key] = value, client.command("PEXPIRETIME", key)
    return found


def replay(records: list[Record], harness: EngineHarness) -> None:
    """Apply records; the clock must stand before every deadline, for effects delete what is due."""
    client = harness.client()
    for record in records:
        for effect in record.effects:
            client.command("SELECT", effect.database)
            client.send(encode(*effect.args))


@settings(max_examples=100, deadline=None)
@given(backend=st.sampled_from(BACKENDS), steps=STEPS)
def test_replaying_the_effects_gives_the_same_data(
    backend: str, steps: list[tuple[Request, int]]
) -> None:
    original = EngineHarness(make_backend(backend))
    keeper = Keeper()
    original.engine.settlement.add_sink(keeper)
    for arguments, milliseconds in steps:
        original.command(*arguments)
        original.advance(milliseconds)
    original.command("EXEC")
    original.tick()
    copy = EngineHarness()
    replay(keeper.records, copy)
    copy.clock.now = original.clock.now
    assert data_of(copy) == data_of(original)


def test_deadlines_are_absolute(harness: EngineHarness) -> None:
    journal = Journalled(harness)
    assert journal.effects("SET", "k", "v", "EX", 10) == [f"SET k v PXAT {NOW + 10_000}"]
    assert journal.effects("SET", "k", "v", "PX", 10, "NX") == []
    assert journal.effects("SET", "k", "v", "XX", "GET", "EXAT", 4102444800) == [
        "SET k v PXAT 4102444800000"
    ]
    assert journal.effects("SETEX", "k", 5, "v") == [f"SET k v PXAT {NOW + 5_000}"]
    assert journal.effects("PSETEX", "k", 5, "v") == [f"SET k v PXAT {NOW + 5}"]
    assert journal.effects("EXPIRE", "k", 7, "XX") == [f"PEXPIREAT k {NOW + 7_000}"]
    assert journal.effects("PEXPIRE", "k", 7) == [f"PEXPIREAT k {NOW + 7}"]
    assert journal.effects("EXPIREAT", "k", 4102444800) == ["PEXPIREAT k 4102444800000"]
    assert journal.effects("GETEX", "k", "EX", 9) == [f"PEXPIREAT k {NOW + 9_000}"]
    assert journal.effects("GETEX", "k", "PERSIST") == ["PERSIST k"]


def test_deletions_are_explicit(harness: EngineHarness) -> None:
    journal = Journalled(harness)
    for command in (["EXPIRE", "k", -1], ["PEXPIREAT", "k", 1], ["GETEX", "k", "EXAT", 1]):
        harness.command("SET", "k", "v")
        assert journal.effects(*command) == ["DEL k"]
    harness.command("SET", "k", "v")
    assert journal.effects("GETDEL", "k") == ["DEL k"]
    harness.command("SET", "k", "v")
    assert journal.effects("UNLINK", "k", "none") == ["UNLINK k none"]


def test_expired_keys_are_deleted_before_what_found_them(harness: EngineHarness) -> None:
    journal = Journalled(harness)
    harness.command("SET", "k", "v", "PX", 10)
    harness.advance(11)
    assert journal.effects("GET", "k") == ["DEL k"]
    harness.command("SET", "k", "v", "PX", 10)
    harness.advance(11)
    assert journal.effects("APPEND", "k", "x") == ["DEL k", "APPEND k x"]
    harness.command("PEXPIRE", "k", 10)
    harness.advance(100)
    journal.keeper.records = []
    harness.tick()
    assert [effect.args for effect in journal.keeper.records[0].effects] == [[b"DEL", b"k"]]


def test_conditions_and_sums_are_decided(harness: EngineHarness) -> None:
    journal = Journalled(harness)
    assert journal.effects("SET", "k", "1", "GET") == ["SET k 1"]
    assert journal.effects("SET", "k", "1", "GET", "KEEPTTL") == ["SET k 1 KEEPTTL"]
    assert journal.effects("SET", "k", "2", "KEEPTTL") == ["SET k 2 KEEPTTL"]
    assert journal.effects("GETSET", "k", "3") == ["SET k 3"]
    assert journal.effects("INCRBYFLOAT", "k", "0.1") == ["SET k 3.1 KEEPTTL"]


def test_what_changes_nothing_is_not_journalled(harness: EngineHarness) -> None:
    journal = Journalled(harness)
    harness.command("MSET", "k", "v", "s", "v")
    for command in (
        "GET k",
        "DEL none",
        "SETNX k w",
        "MSETNX k w new w",
        "SET k w NX",
        "SET none w XX",
        "EXPIRE none 10",
        "EXPIRE k 10 XX",
        "PERSIST k",
        "GETEX k",
        "GETEX k PERSIST",
        "GETDEL none",
        "RENAMENX k s",
        "RENAME k k",
        "COPY k s",
        "MOVE none 1",
        "SETRANGE k 1 ",
        "INCR k",
        "HSET k f v",
        "HDEL none f",
        "HINCRBY none f x",
        "EXISTS k",
        "SCAN 0",
    ):
        assert journal.effects(*command.split(" ")) == [], command


def test_an_emptied_hash_is_not_deleted_twice(harness: EngineHarness) -> None:
    journal = Journalled(harness)
    assert journal.effects("HSET", "h", "f", "v") == ["HSET h f v"]
    assert journal.effects("HDEL", "h", "f") == ["HDEL h f"]
    assert harness.command("EXISTS", "h") == 0


def test_flushing_nothing_is_journalled_all_the_same(harness: EngineHarness) -> None:
    journal = Journalled(harness)
    harness.command("SELECT", 3)
    assert journal.effects("FLUSHDB", "ASYNC") == ["3 FLUSHDB"]
    assert journal.effects("FLUSHALL") == ["3 FLUSHALL"]


def test_a_transaction_is_one_record(harness: EngineHarness) -> None:
    journal = Journalled(harness)
    harness.script("MULTI\nSET k 1\nGET k\nINCR k\nSELECT 1\nSETEX l 5 v\nSET k 1 NX PX 0")
    assert journal.records("EXEC") == [["SET k 1", "INCR k", f"1 SET l v PXAT {NOW + 5_000}"]]
    assert harness.first.session.written == harness.engine.journal.offset
    harness.script("MULTI\nGET k")
    assert journal.records("EXEC") == []


def test_offsets_are_those_of_the_records(harness: EngineHarness) -> None:
    """A client must not wait for an offset that no record has: its replies would never leave."""
    journal = Journalled(harness)
    for script in ("SET k v", "MULTI\nSET k v\nSET l v\nEXEC", "FLUSHALL", "DEL none", "SET k v"):
        harness.script(script)
        assert harness.first.session.written == journal.keeper.safe
        assert harness.engine.journal.offset == journal.keeper.safe
