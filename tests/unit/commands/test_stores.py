"""STORES, SELECT by name, and the default expiry."""

import pytest

from hypercache.testing.engine import EngineHarness
from hypercache.testing.resp import Push, ReplyError
from tests.support.sinks import MemorySink


def store(harness: EngineHarness, name: str) -> dict[bytes, object]:
    """What STORES INFO says."""
    reply = harness.client(3).command("STORES", "INFO", name)
    assert isinstance(reply, dict), reply
    return reply


def listed(harness: EngineHarness) -> list[tuple[object, ...]]:
    """Name, database and keys of each store."""
    reply = harness.client(3).command("STORES", "LIST")
    assert isinstance(reply, list)
    return [(each[b"name"], each[b"database"], each[b"keys"]) for each in reply]


def error(harness: EngineHarness, line: str) -> str:
    """The error that a command has for a reply."""
    reply = harness.command(*line.split())
    assert isinstance(reply, ReplyError), reply
    return reply.text


def test_without_stores_everything_is_as_in_redis(harness: EngineHarness) -> None:
    assert listed(harness) == []
    assert harness.command("INFO", "stores") == b"# Stores\r\n"
    assert error(harness, "SELECT sessions") == "ERR value is not an integer or out of range"
    harness.command("SELECT", 2)
    harness.command("SET", "key", "value")
    assert listed(harness) == [(b"2", 2, 1)]
    assert store(harness, "2")[b"keys"] == 1
    assert not harness.engine.changes.observed


def test_created_store_is_selected_by_name_and_number(harness: EngineHarness) -> None:
    assert harness.command("STORES", "CREATE", "sessions") == 1
    assert harness.command("STORES", "CREATE", "carts", "DATABASE", 9, "max-memory", "1mb") == 9
    assert harness.command("STORES", "CREATE", "third") == 2
    assert harness.script("SELECT carts\nSET key value\nSELECT 0\nDBSIZE\nSELECT 9\nDBSIZE") == [
        "OK",
        "OK",
        "OK",
        0,
        "OK",
        1,
    ]
    assert listed(harness) == [(b"sessions", 1, 0), (b"third", 2, 0), (b"carts", 9, 1)]
    assert store(harness, "9") == store(harness, "carts")
    assert store(harness, "carts")[b"max_memory"] == 1 << 20
    assert error(harness, "SELECT cart") == "ERR there is no store 'cart'"
    assert error(harness, "SELECT Carts") == "ERR there is no store 'Carts'"
    assert error(harness, "SELECT 16") == "ERR DB index is out of range"


def test_name_is_looked_up_when_a_transaction_runs(harness: EngineHarness) -> None:
    harness.command("STORES", "CREATE", "a", "database", 3)
    client = harness.client()
    assert [client.command(*line.split()) for line in ("MULTI", "SELECT a", "SET k v")][1:] == [
        "QUEUED",
        "QUEUED",
    ]
    harness.command("STORES", "SET", "a", "name", "b")
    reply = client.command("EXEC")
    assert isinstance(reply, list)
    assert reply[0] == ReplyError("ERR there is no store 'a'")
    assert harness.command("GET", "k") == b"v"


def test_transactions_change_no_store(harness: EngineHarness) -> None:
    harness.command("STORES", "CREATE", "a")
    for line in ("STORES CREATE b", "STORES SET a policy allkeys-lru", "STORES DROP a"):
        harness.command("MULTI")
        assert error(harness, line) == "ERR Command not allowed inside a transaction"
        assert error(harness, "EXEC").startswith("EXECABORT")
    assert listed(harness) == [(b"a", 1, 0)]


def test_rights_to_stores(harness: EngineHarness) -> None:
    harness.command("STORES", "CREATE", "a", "database", 3)
    harness.command("ACL", "SETUSER", "reader", "on", "nopass", "+@all", "-@admin", "-@write")
    client = harness.client()
    client.command("AUTH", "reader", "x")
    assert client.command("SELECT", "a") == "OK"
    for line in ("STORES LIST", "STORES INFO a", "STORES CREATE b", "STORES DROP a"):
        reply = client.command(*line.split())
        assert isinstance(reply, ReplyError)
        assert reply.text.startswith("NOPERM"), reply


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("STORES CREATE 5", "ERR a store's name has up to 64 letters"),
        ("STORES CREATE -5", "ERR a store's name has up to 64 letters"),
        ("STORES CREATE a.b", "ERR a store's name has up to 64 letters"),
        ("STORES CREATE taken", "ERR there is a store 'taken' already: database 1"),
        ("STORES CREATE new database 1", "ERR database 1 belongs to the store 'taken' already"),
        ("STORES CREATE new database 16", "ERR DB index is out of range"),
        ("STORES CREATE new database x", "ERR database: argument couldn't be parsed"),
        ("STORES CREATE new database", "ERR syntax error"),
        ("STORES CREATE new policy nosuch", "ERR there is no eviction policy 'nosuch'"),
        ("STORES CREATE new lookup-filter 1", "ERR lookup-filter: argument(s) must be one of"),
        ("STORES CREATE new colour red", "ERR a store has no 'colour'"),
        ("STORES CREATE new policy session POLICY session", "ERR 'policy' is given twice"),
        ("STORES CREATE new max-memory 1x", "ERR max-memory: argument must be a memory value"),
        ("STORES CREATE new max-memory 9223372036854775808", "ERR max-memory: argument must be"),
        ("STORES CREATE new default-expiry 1y", "ERR default-expiry: argument must be a time"),
        ("STORES CREATE new backend lmdb", "ERR this server cannot open another backend"),
        ("STORES CREATE new backend-settings {}", "ERR store 'new': it has 'backend-settings'"),
        ("STORES CREATE new backend-settings 5", "ERR backend-settings: argument must be a map"),
        ("STORES SET nosuch policy noeviction", "ERR there is no store 'nosuch'"),
        ("STORES SET 16 policy noeviction", "ERR there is no store '16'"),
        ("STORES SET taken policy", "ERR wrong number of arguments"),
        ("STORES SET taken policy a max-memory", "ERR syntax error"),
        ("STORES SET taken database 3", "ERR 'database' of a store stays"),
        ("STORES SET taken name 3", "ERR a store's name has up to 64 letters"),
        ("STORES SET 3 name taken", "ERR there is a store 'taken' already: database 1"),
        ("STORES SET full max-memory 1", "ERR the store uses"),
        ("STORES SET full max-memory 1gb policy nosuch", "ERR there is no eviction policy"),
        ("STORES DROP nosuch", "ERR there is no store 'nosuch'"),
        ("STORES DROP 5", "ERR database 5 is no store: FLUSHDB empties it"),
        ("STORES INFO nosuch", "ERR there is no store 'nosuch'"),
    ],
)
def test_what_is_wrong_changes_nothing(harness: EngineHarness, line: str, reason: str) -> None:
    harness.script("STORES CREATE taken\nSTORES CREATE full\nSELECT full\nSET key value")
    before = harness.client(3).command("INFO", "stores")
    assert error(harness, line).startswith(reason)
    assert harness.client(3).command("INFO", "stores") == before


def test_databases_run_out(harness: EngineHarness) -> None:
    harness.script("SELECT 4\nSET k v")
    for number in range(14):
        harness.command("STORES", "CREATE", f"s{number}")
    assert error(harness, "STORES CREATE more").startswith("ERR no database is free")
    assert harness.command("STORES", "CREATE", "adopted", "database", 4) == 4
    assert store(harness, "adopted")[b"keys"] == 1


def test_rules_change_together(harness: EngineHarness) -> None:
    harness.command("STORES", "CREATE", "a", "default-expiry", "1h")
    words = ("name", "b", "policy", "allkeys-lru", "max-memory", "1gb", "default-expiry", 0)
    assert harness.command("STORES", "SET", "a", *words) == "OK"
    fields = store(harness, "b")
    assert (fields[b"policy"], fields[b"max_memory"]) == (b"allkeys-lru", 1 << 30)
    assert fields[b"default_expiry"] == 0
    assert harness.command("STORES", "SET", "b", "name", "") == "OK"
    assert error(harness, "SELECT b") == "ERR value is not an integer or out of range"
    assert store(harness, "1")[b"name"] == b"1"
    assert listed(harness) == [(b"1", 1, 0)]  # it has rules still
    assert not harness.engine.changes.observed


def test_dropped_store_is_an_empty_database(harness: EngineHarness) -> None:
    sink = MemorySink()
    harness.engine.settlement.add_sink(sink)
    harness.script("STORES CREATE a default-expiry 1h\nSELECT a\nSET k v")
    watching = harness.client()
    watching.command("SELECT", "a")
    watching.command("WATCH", "k")
    watching.command("MULTI")
    assert harness.command("STORES", "DROP", "a") == "OK"
    assert watching.command("EXEC") is None
    assert harness.command("DBSIZE") == 0
    assert harness.command("SET", "k", "v") == "OK"
    assert harness.command("PTTL", "k") == -1
    assert sink.commands()[2:] == [[b"FLUSHDB"], [b"SET", b"k", b"v"]]
    assert harness.script("STORES CREATE b database 2\nSTORES DROP b") == [2, "OK"]
    assert len(sink.commands()) == 4  # it was empty


def test_info_shows_stores(harness: EngineHarness) -> None:
    harness.command("STORES", "CREATE", "a", "policy", "volatile-ttl", "max-memory", "5mb")
    text = harness.command("INFO", "stores")
    assert isinstance(text, bytes)
    line = text.decode().splitlines()[1]
    assert line.startswith("store1:name=a,database=1,configured=0,backend=")
    for part in ("max_memory=5242880", "policy=volatile-ttl", "keys=0", "evicted_keys=0"):
        assert part in line.split(",")


def test_swapped_keys_get_the_rules_of_their_new_number(harness: EngineHarness) -> None:
    harness.command("STORES", "CREATE", "timed", "default-expiry", "10s", "database", 1)
    harness.script("SET a 1\nSELECT 1\nSET b 1\nSWAPDB 0 1")
    assert harness.command("PTTL", "a") == -1
    assert harness.command("SET", "a", 2) == "OK"
    assert harness.command("PTTL", "a") == 10_000
    harness.command("SELECT", 0)
    assert harness.command("PTTL", "b") == 10_000
    harness.command("SET", "c", 1)
    assert harness.command("PTTL", "c") == -1


# The default expiry ------------------------------------------------------------------------------


@pytest.fixture
def timed(harness: EngineHarness) -> EngineHarness:
    harness.script("STORES CREATE timed default-expiry 10s\nSELECT timed")
    return harness


@pytest.mark.parametrize(
    "line",
    [
        "SET k v",
        "SET k v NX GET",
        "SETNX k v",
        "GETSET k v",
        "MSET k v other v",
        "MSETNX k v",
        "APPEND k v",
        "SETRANGE k 5 v",
        "SETBIT k 5 1",
        "INCR k",
        "INCRBYFLOAT k 1.5",
        "HSET k f v",
        "HSETNX k f v",
        "LPUSH k a b",
        "SADD k a",
        "ZADD k 1 a",
        "ZINCRBY k 1 a",
        "XADD k * f v",
        "XGROUP CREATE k g $ MKSTREAM",
        "PFADD k a",
        "GEOADD k 1 1 a",
        "SUNIONSTORE k set",
        "ZUNIONSTORE k 1 set",
        "SORT set ALPHA STORE k",
        "BITOP NOT k string",
        "COPY string k",
    ],
)
def test_key_that_is_made_gets_it(timed: EngineHarness, line: str) -> None:
    timed.script("SADD set a\nSET string s\nPERSIST set\nPERSIST string")
    sink = MemorySink()
    timed.engine.settlement.add_sink(sink)
    assert not isinstance(timed.command(*line.split()), ReplyError)
    assert timed.command("PTTL", "k") == 10_000
    deadline = str(timed.now + 10_000).encode()
    assert sink.commands()[-1] in (
        [b"PEXPIREAT", b"k", deadline],
        [b"PEXPIREAT", b"other", deadline],
    )
    replayed = EngineHarness()
    for command in [[b"SADD", b"set", b"a"], [b"SET", b"string", b"s"], *sink.commands()]:
        assert not isinstance(replayed.command(*command), ReplyError)
    assert replayed.command("PTTL", "k") == 10_000


@pytest.mark.parametrize(
    "line",
    [
        "APPEND k v",
        "SET k v KEEPTTL",
        "SET k v KEEPTTL GET",
        "SETRANGE k 0 x",
        "SETBIT k 1 1",
        "INCR k",
        "GETEX k PERSIST",
        "RENAME k n",
        "SET k v EX 5",
        "SETEX k 5 v",
        "EXPIRE k 5",
        "COPY k n REPLACE",
    ],
)
def test_key_that_is_there_is_left_as_it_is(timed: EngineHarness, line: str) -> None:
    timed.script("SET k 1\nPERSIST k")
    assert not isinstance(timed.command(*line.split()), ReplyError)
    key = "n" if "RENAME" in line else "k"
    assert timed.command("PTTL", key) == (5000 if " 5" in line else -1)


def test_overwritten_key_gets_it_anew(timed: EngineHarness) -> None:
    timed.command("SET", "k", "v")
    timed.advance(4000)
    assert timed.command("PTTL", "k") == 6000
    timed.command("SET", "k", "v")
    assert timed.command("PTTL", "k") == 10_000
    timed.command("SADD", "set", "a")
    timed.command("PERSIST", "set")
    timed.command("SUNIONSTORE", "set", "set")
    assert timed.command("PTTL", "set") == 10_000
    timed.advance(10_001)
    assert timed.command("EXISTS", "k", "set") == 0


def test_key_that_comes_from_elsewhere_gets_it(timed: EngineHarness) -> None:
    timed.script("SELECT 0\nSET a 1\nSET b 1 PX 500\nSET c 1")
    timed.script("MOVE a 1\nMOVE b 1\nCOPY c c DB 1")
    assert timed.script("SELECT 1\nPTTL a\nPTTL b\nPTTL c") == ["OK", 10_000, 500, 10_000]
    payload = timed.command("DUMP", "a")
    assert isinstance(payload, bytes)
    timed.command("RESTORE", "d", 0, payload)
    timed.command("RESTORE", "e", 700, payload)
    assert timed.script("PTTL d\nPTTL e") == [10_000, 700]


def test_transaction_and_notifications(timed: EngineHarness) -> None:
    sink = MemorySink()
    timed.engine.settlement.add_sink(sink)
    timed.command("CONFIG", "SET", "notify-keyspace-events", "KA")
    listener = timed.client(3)
    listener.command("PSUBSCRIBE", "__key*")
    timed.script("MULTI\nSET k v\nINCR n\nEXEC")
    assert len(sink.records) == 1
    assert [effect[0] for effect in sink.commands()] == [
        b"SET",
        b"PEXPIREAT",
        b"INCR",
        b"PEXPIREAT",
    ]
    listener.command("PING")
    assert timed.script("PTTL k\nPTTL n") == [10_000, 10_000]
    timed.command("CONFIG", "SET", "notify-keyspace-events", "")
    timed.command("SET", "later", "v")
    assert timed.command("PTTL", "later") == 10_000


def test_new_events_come_only_to_who_asks(timed: EngineHarness) -> None:
    timed.command("CONFIG", "SET", "notify-keyspace-events", "E$")
    listener = timed.client(3)
    listener.command("PSUBSCRIBE", "__keyevent*")
    timed.command("SET", "k", "v")
    pushes = listener.replies()
    assert [push.items[2] for push in pushes if isinstance(push, Push)] == [b"__keyevent@1__:set"]
