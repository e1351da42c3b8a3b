"""Several backends at once: what is made, what survives, what is journalled, what crosses."""

from pathlib import Path

import pytest

from hypercache.engine.journal import LOCAL_FILE
from hypercache.keyspace.kv_backend import KVBackend
from hypercache.persistence.capture import Capture
from hypercache.persistence.file_system import FileSystem
from hypercache.persistence.loader import Loader
from hypercache.persistence.rdb_reader import RdbReader
from hypercache.persistence.rdb_writer import rdb_encoder
from hypercache.persistence.saving import save_now
from hypercache.stores.keeper import StoreError
from hypercache.testing.engine import EngineHarness
from hypercache.testing.resp import Argument, ReplyError, encode
from hypercache.testing.sorted_kv import SortedDictKV
from tests.support.mixed import Disks, Mixed
from tests.support.sinks import MemorySink

DISK: dict[str, dict[str, object]] = {"disk": {"database": 3, "backend": "kv"}}
VALUES: tuple[tuple[Argument, ...], ...] = (
    ("SET", "k", "x" * 5000),
    ("APPEND", "k", "more"),
    ("RPUSH", "k", *range(700)),
    ("SADD", "k", *range(600)),
    ("SADD", "k", "a", "b"),
    ("ZADD", "k", 1, "a", 2.5, "b", "inf", "c"),
    ("HSET", "k", "f", "v", "g", "w"),
    ("XADD", "k", "5-1", "f", "v"),
)


def value(mixed: Mixed, key: str) -> object:
    """What DUMP says; the order of a set's members depends on its backend."""
    if mixed.command("TYPE", key) != "set":
        return mixed.command("DUMP", key)
    members = mixed.command("SMEMBERS", key)
    assert isinstance(members, list)
    return sorted(members)


@pytest.fixture
def mixed(tmp_path: Path) -> Mixed:
    """Database 3 has a backend of its own, which keeps data; so have others for the asking."""
    return Mixed(tmp_path, DISK)


def test_keys_are_where_their_store_is(mixed: Mixed) -> None:
    mixed.harness.script("SET a 1\nSELECT disk\nSET b 1\nSELECT 4\nSET c 1")
    again = mixed.again(DISK)
    assert again.harness.script("DBSIZE\nSELECT 3\nKEYS *\nSELECT 4\nDBSIZE") == [
        0,
        "OK",
        [b"b"],
        "OK",
        0,
    ]
    again.check()


def test_what_is_made_at_run_time_survives(mixed: Mixed) -> None:
    script = mixed.harness.script
    two = ("backend", "kv", "backend-settings", "{path: two}")
    assert mixed.command("STORES", "CREATE", "run", *two, "max-memory", "1gb") == 1
    assert script("STORES CREATE plain policy allkeys-lru\nSTORES SET 7 default-expiry 5m") == [
        2,
        "OK",
    ]
    script("SELECT run\nSET k v\nSELECT plain\nSET k v")
    before = mixed.command("STORES", "LIST")
    assert isinstance(before, list)
    assert len(before) == 4
    again = mixed.again(DISK)
    assert again.harness.script("SELECT run\nGET k\nSELECT plain\nGET k") == [
        "OK",
        b"v",
        "OK",
        None,
    ]
    for name, rules in (("run", b"1073741824"), ("plain", b"allkeys-lru"), ("7", b"300000")):
        fields = again.command("STORES", "INFO", name)
        assert isinstance(fields, list)
        assert rules in fields or int(rules) in fields
    assert again.harness.script("STORES DROP run\nSTORES DROP plain\nSTORES DROP 7") == ["OK"] * 3
    last = again.again(DISK)
    reply = last.harness.client(3).command("STORES", "LIST")
    assert isinstance(reply, list)
    assert [each[b"name"] for each in reply] == [b"disk"]
    assert list(last.disks.stores) == ["one", "two"]
    assert last.command("STORES", "CREATE", "run", *two) == 1
    assert last.harness.script("SELECT run\nDBSIZE") == ["OK", 0]


@pytest.mark.parametrize("values", VALUES, ids=lambda words: str(words[0]))
def test_keys_of_every_type_cross_backends(mixed: Mixed, values: tuple[Argument, ...]) -> None:
    mixed.command(*values)
    if values[0] == "HSET":
        mixed.command("HPEXPIRE", "k", 900_000, "FIELDS", 1, "f")
    if values[0] == "XADD":
        mixed.command("XGROUP", "CREATE", "k", "g", "0")
        mixed.command("XREADGROUP", "GROUP", "g", "me", "STREAMS", "k", ">")
    mixed.command("PEXPIREAT", "k", mixed.harness.now + 60_000)
    before = value(mixed, "k")
    assert mixed.harness.script("COPY k copy DB 3\nMOVE k 3\nEXISTS k\nSELECT 3") == [1, 1, 0, "OK"]
    for key in ("k", "copy"):
        assert value(mixed, key) == before
        assert mixed.command("PTTL", key) == 60_000
    mixed.check()
    assert mixed.harness.script("MOVE k 0\nCOPY copy k DB 0 REPLACE\nDEL copy\nSELECT 0") == [
        1,
        1,
        1,
        "OK",
    ]
    assert value(mixed, "k") == before
    mixed.check()


def test_crossing_obeys_the_rules_of_move_and_copy(mixed: Mixed) -> None:
    mixed.harness.script("SET k 1\nSELECT 3\nSET k 2\nSELECT 0")
    assert mixed.harness.script("MOVE k 3\nCOPY k k DB 3\nMOVE no 3\nCOPY no k DB 3") == [0] * 4
    assert mixed.harness.script("COPY k k DB 3 REPLACE\nSELECT 3\nGET k") == [1, "OK", b"1"]
    swapped = mixed.command("SWAPDB", 0, 3)
    assert isinstance(swapped, ReplyError)
    assert swapped.text.startswith("ERR databases of different backends cannot be swapped")
    assert mixed.command("SWAPDB", 0, 1) == "OK"
    assert mixed.command("SWAPDB", 3, 3) == "OK"


def test_journal_tells_each_database_its_own(mixed: Mixed) -> None:
    everything, file = MemorySink(), MemorySink("file", LOCAL_FILE)
    mixed.engine.settlement.add_sink(everything)
    mixed.engine.settlement.add_sink(file)
    mixed.harness.script("SET k v\nMOVE k 3\nSELECT 3\nCOPY k l DB 0\nMOVE k 0\nSET m v\nFLUSHALL")
    effects = [e for record in everything.records for e in record.effects]
    names = [
        (effect.database, effect.args[0]) for effect in effects if effect.args[0] != b"FLUSHDB"
    ]
    assert names == [
        (0, b"SET"),
        (3, b"RESTORE"),
        (0, b"DEL"),
        (0, b"RESTORE"),
        (0, b"RESTORE"),
        (3, b"DEL"),
        (3, b"SET"),
    ]
    assert sorted(e.database for e in effects if e.args[0] == b"FLUSHDB") == list(range(16))
    kept = [e for record in file.records for e in record.effects if not e.transient]
    assert 3 not in {effect.database for effect in kept}
    assert file.last() == everything.last()  # gates see every offset
    replayed = EngineHarness()
    for effect in effects[:5]:
        replayed.command("SELECT", effect.database)
        replayed.command(*effect.args)
    assert replayed.script("SELECT 0\nGET k\nGET l") == ["OK", b"v", b"v"]


def test_snapshot_leaves_out_what_is_kept_elsewhere(mixed: Mixed, tmp_path: Path) -> None:
    mixed.harness.script("SET a 1\nSELECT 3\nSET b 1\nSELECT 0")
    path = tmp_path / "dump.rdb"
    settings = mixed.engine.configuration.settings
    capture = Capture(mixed.engine, rdb_encoder(settings))
    mixed.harness.script("SET a 2\nSELECT 3\nSET b 2\nFLUSHDB\nSELECT 0\nFLUSHALL")
    save_now(capture, path, FileSystem())
    harness = EngineHarness()
    reader = RdbReader(path, Loader(harness.engine))
    while reader.step(1 << 20):
        pass
    reader.close()
    assert harness.script("GET a\nDBSIZE\nSELECT 3\nDBSIZE") == [b"1", 1, "OK", 0]


def test_reloading_does_not_touch_it(mixed: Mixed) -> None:
    mixed.engine.protected_commands["DEBUG"] = "yes"
    mixed.harness.script("SET a 1\nSELECT 3\nSET b 1")
    assert mixed.harness.script("DEBUG RELOAD\nDBSIZE\nSELECT 0\nDBSIZE") == ["OK", 1, "OK", 1]


def test_memory_of_the_disk_is_not_counted_as_memory(mixed: Mixed) -> None:
    before = mixed.engine.memory.used()
    mixed.harness.script("SELECT 3")
    mixed.command("SET", "k", "x" * 100_000)
    assert mixed.engine.memory.used() == before
    assert mixed.engine.stores[3].used_memory() > 100_000


def test_idle_times_and_policies_are_those_of_the_backend(mixed: Mixed) -> None:
    mixed.harness.script("SELECT 3\nSET k v")
    mixed.command("CONFIG", "SET", "maxmemory-policy", "allkeys-sieve")
    refused = mixed.command("STORES", "SET", "disk", "policy", "allkeys-sieve")
    assert isinstance(refused, ReplyError)
    assert "allkeys-sieve" in refused.text
    assert mixed.command("STORES", "SET", "disk", "policy", "allkeys-random") == "OK"


def test_waitaof_waits_for_both(mixed: Mixed) -> None:
    journal = mixed.engine.journal
    file = MemorySink("file", LOCAL_FILE)
    store = MemorySink("store", LOCAL_FILE)
    journal.store = store
    assert not journal.has_local_file()
    mixed.engine.settlement.add_sink(file)
    assert journal.has_local_file()
    file.safe = 5
    assert not journal.is_on_disk(5)
    store.safe = 5
    assert journal.is_on_disk(5)


def test_replies_are_held_as_long_as_a_part_wants_it(mixed: Mixed) -> None:
    syncs = mixed.engine.syncs
    asked: list[bool] = []
    syncs.start(lambda: asked.append(True))
    client = mixed.harness.client()
    assert client.command("SET", "k", "v") == "OK"
    assert mixed.harness.script("STORES CREATE a backend always") == [1]
    client.send(encode("SET", "k", "w"))
    assert client.replies() == []
    assert asked == [True]
    syncs.succeeded(syncs.begin())
    assert client.replies() == ["OK"]
    store = mixed.engine.journal.store
    assert store is not None
    assert mixed.harness.script("STORES DROP a") == ["OK"]
    assert client.command("SET", "k", "x") == "OK"
    assert mixed.engine.journal.store is None
    assert asked == [True]


def test_what_a_journal_leaves_of_older_times_goes(mixed: Mixed) -> None:
    mixed.harness.script("STORES CREATE a backend kv\nSELECT a\nSET k new")
    mixed.keeper.detach()
    mixed.harness.script("SET k old\nSET l old")
    mixed.keeper.attach()
    assert mixed.harness.script("KEYS *\nGET k") == [[b"k"], b"new"]
    assert ("warning", "store_hides_keys") in [r[:2] for r in mixed.harness.recorder.reports]
    assert mixed.harness.script("STORES DROP a\nDBSIZE") == ["OK", 0]


# What is refused -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stores", "reason"),
    [
        ({"a": {"database": 16}}, "store 'a': there is no database 16, 'databases' is 16"),
        ({"a": {"database": 1, "policy": "nosuch"}}, "store 'a': there is no eviction policy"),
    ],
)
def test_configuration_that_cannot_be(
    tmp_path: Path, stores: dict[str, dict[str, object]], reason: str
) -> None:
    with pytest.raises(StoreError, match=reason):
        Mixed(tmp_path, stores)


def test_configuration_against_the_state_file(mixed: Mixed) -> None:
    mixed.harness.script("STORES CREATE a\nSTORES CREATE b")
    with pytest.raises(StoreError, match=r"'a' of .*stores.json: database 1 belongs to .* 'x'"):
        mixed.again({"x": {"database": 1}})
    with pytest.raises(StoreError, match=r"'a' of .*stores.json: there is a store 'a' already"):
        mixed.again({"a": {"database": 5}})
    (mixed.folder / "stores.json").write_text("{")
    with pytest.raises(StoreError, match=r"stores\.json is damaged"):
        mixed.again()


def test_configured_store_that_would_hide_keys(tmp_path: Path) -> None:
    disks = Disks()
    main = KVBackend(SortedDictKV(disks.stores.setdefault("main", SortedDictKV()).data))
    first = Mixed(tmp_path, {}, disks, main)
    first.harness.script("SELECT 3\nSET k v")
    main = KVBackend(SortedDictKV(disks.stores["main"].data))
    with pytest.raises(StoreError, match="database 3 has 1 keys in the kv backend"):
        Mixed(tmp_path, {"cache": {"database": 3, "backend": "memory"}}, disks, main)


def test_cache_in_memory_beside_a_backend_on_disk(tmp_path: Path) -> None:
    disks = Disks()
    data = SortedDictKV().data
    stores: dict[str, dict[str, object]] = {"cache": {"database": 3, "backend": "memory"}}
    mixed = Mixed(tmp_path, stores, disks, KVBackend(SortedDictKV(data), salt=b"saltsalt"))
    mixed.harness.script("SET a 1\nMOVE a 3\nSET b 1\nSELECT 3\nCOPY a c DB 0")
    assert mixed.engine.backend.durable
    again = Mixed(tmp_path, stores, disks, KVBackend(SortedDictKV(data), salt=b"saltsalt"))
    assert again.harness.script("DBSIZE\nSELECT 3\nDBSIZE") == [2, "OK", 0]


def test_created_store_takes_an_empty_database(mixed: Mixed) -> None:
    mixed.harness.script("SELECT 1\nSET k v")
    refused = mixed.command("STORES", "CREATE", "a", "database", 1, "backend", "kv")
    assert isinstance(refused, ReplyError)
    assert refused.text == "ERR database 1 has keys, which another backend would hide"
    assert mixed.command("GET", "k") == b"v"


def test_nothing_is_made_when_the_state_file_cannot_be_written(mixed: Mixed) -> None:
    (mixed.folder / "stores.json").mkdir()
    for line in (
        "STORES CREATE a backend kv backend-settings {path}",
        "STORES CREATE a policy allkeys-lru",
        "STORES SET 5 policy allkeys-lru",
    ):
        reply = mixed.command(*line.split())
        assert isinstance(reply, ReplyError)
        assert "stores.json cannot be written" in reply.text
    assert list(mixed.backends.own) == [3]
    assert not mixed.engine.stores[1].is_special()
    assert not mixed.engine.stores[5].is_special()


def test_nothing_is_dropped_when_the_state_file_cannot_be_written(mixed: Mixed) -> None:
    mixed.harness.script("STORES CREATE a\nSELECT a\nSET k v")
    (mixed.folder / "stores.json").unlink()
    (mixed.folder / "stores.json").mkdir()
    assert isinstance(mixed.command("STORES", "DROP", "a"), ReplyError)
    assert mixed.harness.script("SELECT a\nGET k") == ["OK", b"v"]


def test_configured_stores_stay(mixed: Mixed) -> None:
    for line in ("STORES DROP disk", "STORES SET disk name other"):
        reply = mixed.command(*line.split())
        assert isinstance(reply, ReplyError)
        assert "configur" in reply.text
    assert mixed.command("STORES", "SET", "disk", "max-memory", "1gb") == "OK"
    assert "disk" not in (mixed.folder / "stores.json").read_text()
    mixed.keeper._refresh()
    assert mixed.engine.configuration.settings.stores == {
        "disk": {"database": 3, "backend": "kv", "max-memory": 1 << 30}
    }


def test_no_backend_comes_or_goes_while_data_are_saved(mixed: Mixed) -> None:
    mixed.harness.script("STORES CREATE a backend kv backend-settings {path}")
    capture = Capture(mixed.engine, rdb_encoder(mixed.engine.configuration.settings))
    for line in ("STORES CREATE b backend kv", "STORES DROP a"):
        reply = mixed.command(*line.split())
        assert isinstance(reply, ReplyError)
        assert reply.text.startswith("ERR the data are being saved")
    capture.close()
    assert mixed.command("STORES", "DROP", "a") == "OK"


def test_backend_comes_amid_a_pipeline(mixed: Mixed) -> None:
    client = mixed.harness.client()
    lines = ["SELECT 3", "SET k v", "STORES CREATE a database 5 backend kv", "SELECT a", "SET k v"]
    client.send(b"".join(line.encode() + b"\r\n" for line in lines))
    assert client.replies() == ["OK", "OK", 5, "OK", "OK"]
    client.send(b"STORES DROP a\r\nSET k memory\r\nSELECT 3\r\nGET k\r\n")
    assert client.replies() == ["OK", "OK", "OK", b"v"]
    assert mixed.harness.script("SELECT 5\nGET k") == ["OK", b"memory"]


def test_what_is_carried_counts_at_once(mixed: Mixed) -> None:
    """Also in a database that was empty when it was last looked at."""
    memory = mixed.engine.memory
    mixed.harness.script("SET big " + "x" * 50_000 + "\nCOPY big big DB 3\nSELECT 3")
    before = memory.taken()
    assert mixed.harness.script("COPY big big DB 1")[-1] == 1
    assert memory.taken() == memory.used() > before + 50_000
