"""Eviction as clients see it: limits, what goes, who hears of it."""

from random import Random

import pytest

from hypercache.engine.guards import MEMORY_BIT, ROOM_BIT
from hypercache.keyspace.kv_backend import KVBackend
from hypercache.persistence.loader import Loader
from hypercache.testing import SortedDictKV
from hypercache.testing.engine import NOTHING, EngineHarness
from hypercache.testing.resp import Push, ReplyError
from tests.support.sinks import MemorySink

OOM = ReplyError("OOM command not allowed when used memory > 'maxmemory'.")
POLICIES = (
    "allkeys-lru",
    "allkeys-lfu",
    "allkeys-random",
    "volatile-lru",
    "volatile-lfu",
    "volatile-random",
    "volatile-ttl",
    "allkeys-sieve",
    "allkeys-s3-fifo",
    "allkeys-w-tinylfu",
)


def limited(policy: str, limit: int = 200_000, **options: object) -> EngineHarness:
    """A harness whose data may take so many bytes."""
    harness = EngineHarness()
    for name, value in options.items():
        assert harness.command("CONFIG", "SET", name.replace("_", "-"), str(value)) == "OK"
    settings = ("maxmemory-policy", policy, "maxmemory", limit)
    assert harness.command("CONFIG", "SET", *settings) == "OK"
    return harness


def used(harness: EngineHarness) -> int:
    return harness.engine.memory.used()


def info(harness: EngineHarness, section: str) -> dict[str, str]:
    reply = harness.command("INFO", section)
    assert isinstance(reply, bytes)
    lines = [line.split(":", 1) for line in reply.decode().splitlines() if ":" in line]
    return {line[0]: line[1] for line in lines}


# What goes -------------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", POLICIES)
def test_each_request_begins_within_the_limit(policy: str) -> None:
    random = Random(policy)
    harness = limited(policy)
    for number in range(600):
        name = f"key:{random.randrange(400)}"
        size = random.choice((10, 100, 1000, 8000))
        if random.random() < 0.2:
            harness.command("RPUSH", f"list:{number % 50}", "x" * size)
            harness.command("EXPIRE", f"list:{number % 50}", random.randrange(1000, 10_000))
        elif random.random() < 0.3:
            harness.command("GET", name)
        else:
            assert harness.command("SET", name, "x" * size, "PX", number + 10**6) == "OK"
        assert harness.command("PING") == "PONG"
        assert used(harness) <= 200_000
        harness.advance(random.randrange(3000))
    assert int(info(harness, "stats")["evicted_keys"]) > 50
    assert all(
        not each.store.check() and not each.policy.check() for each in harness.engine.keyspaces
    )


@pytest.mark.parametrize("policy", [each for each in POLICIES if each.startswith("volatile")])
def test_keys_without_a_deadline_are_never_touched(policy: str) -> None:
    harness = limited(policy)
    for number in range(100):
        harness.command("SET", f"kept:{number}", "x" * 300)
        harness.command("SET", f"kept:list:{number}", "x")
    for number in range(1000):
        assert harness.command("SET", f"gone:{number}", "x" * 300, "EX", 1000 + number) == "OK"
    assert harness.command("EXISTS", *[f"kept:{number}" for number in range(100)]) == 100
    harness.script("PERSIST gone:999")
    harness.command("SET", "kept:huge", "x" * 150_000)
    assert harness.command("SET", "more", "x") == OOM
    assert harness.engine.keyspaces[0].store.volatile() == 0
    assert harness.command("EXISTS", "kept:huge", "gone:999") == 2


def test_the_longest_idle_goes() -> None:
    harness = limited("allkeys-lru", 100_000, maxmemory_samples=64)
    for number in range(100):
        harness.command("SET", number, "x" * 500)
    harness.advance(10_000)
    harness.tick()
    for number in range(0, 100, 2):
        harness.command("GET", number)
    for number in range(60):
        harness.command("SET", f"new:{number}", "x" * 900)
    kept = [bool(harness.command("EXISTS", number)) for number in range(100)]
    assert sum(kept[::2]) > 40
    assert sum(kept[1::2]) < 15


def test_the_least_used_goes() -> None:
    harness = limited("allkeys-lfu", 100_000, maxmemory_samples=64, lfu_log_factor=0)
    for number in range(100):
        harness.command("SET", number, "x" * 500)
    for number in range(0, 100, 2):
        harness.script(f"GET {number}\nTOUCH {number}\nAPPEND {number} x")
    for number in range(60):
        harness.command("SET", f"new:{number}", "x" * 900)
    kept = [bool(harness.command("EXISTS", number)) for number in range(100)]
    assert sum(kept[::2]) == 50
    assert sum(kept[1::2]) < 20


def test_the_earliest_deadline_goes() -> None:
    harness = limited("volatile-ttl", 100_000, maxmemory_samples=64)
    for number in range(100):
        harness.command("SET", number, "x" * 500, "EX", 1000 + number)
    for number in range(40):
        harness.command("SET", f"new:{number}", "x" * 900, "EX", 10**6)
    gone = [number for number in range(100) if not harness.command("EXISTS", number)]
    assert len(gone) > 10
    assert sum(number < len(gone) + 10 for number in gone) >= len(gone) - 2


def test_idle_time_is_not_counted_for_who_touches_nothing() -> None:
    harness = limited("allkeys-sieve")
    harness.script("SET key value\nCLIENT NO-TOUCH ON")
    harness.advance(20_000)
    harness.tick()
    harness.command("GET", "key")
    assert harness.command("OBJECT", "IDLETIME", "key") == 20
    harness.script("CLIENT NO-TOUCH OFF\nGET key")
    assert harness.command("OBJECT", "IDLETIME", "key") == 0


# Who hears of it -------------------------------------------------------------------------------


def test_an_eviction_is_journalled_before_what_it_makes_room_for() -> None:
    harness = limited("allkeys-lru", 3000)
    sink = MemorySink()
    harness.engine.settlement.add_sink(sink)
    harness.command("SET", "old", "x" * 1500)
    harness.command("SET", "new", "y" * 100)
    harness.command("PING")
    assert [each[:2] for each in sink.commands()] == [[b"SET", b"old"], [b"SET", b"new"]] or (
        [each[:2] for each in sink.commands()]
        == [[b"SET", b"old"], [b"DEL", b"old"], [b"SET", b"new"]]
    )
    for number in range(20):
        harness.command("SET", f"key:{number}", "x" * 300)
    again = EngineHarness()
    loader = Loader(again.engine)
    loader.begin()
    for args in sink.commands():
        loader.command(0, args)
    loader.end()
    assert sorted(again.engine.keyspaces[0].store.keys()) == sorted(
        harness.engine.keyspaces[0].store.keys()
    )


def test_an_eviction_is_told() -> None:
    harness = limited("allkeys-random", 8000, notify_keyspace_events="Ee")
    listener = harness.client(3)
    listener.command("SUBSCRIBE", "__keyevent@0__:evicted")
    tracker = harness.client(3)
    tracker.command("CLIENT", "TRACKING", "ON", "BCAST")
    watcher = harness.client()
    harness.command("SET", "old", "x" * 3000)
    watcher.command("WATCH", "old")
    watcher.command("MULTI")
    tracker.replies()
    harness.command("CONFIG", "SET", "maxmemory", 3000)
    assert harness.command("PING") == "PONG"
    assert listener.replies() == [Push((b"message", b"__keyevent@0__:evicted", b"old"))]
    assert tracker.replies() == [Push((b"invalidate", [b"old"]))]
    assert watcher.command("EXEC") is None
    stats = info(harness, "stats")
    assert stats["evicted_keys"] == "1"
    assert harness.engine.stores[0].evicted == 1
    harness.command("CONFIG", "RESETSTAT")
    assert info(harness, "stats")["evicted_keys"] == "0"


def test_latency_of_evictions() -> None:
    harness = limited("allkeys-random", 3000, latency_monitor_threshold=1)
    harness.command("SET", "old", "x" * 3000)
    harness.engine.latency.threshold = 1
    harness.command("PING")
    assert harness.command("LATENCY", "LATEST") == [], "the clock stands still"
    assert harness.command("DBSIZE") == 0


# Refusals --------------------------------------------------------------------------------------


def test_without_eviction_only_what_grows_the_data_is_refused() -> None:
    harness = limited("noeviction", 3000)
    harness.command("SET", "key", "x" * 3000)
    assert harness.command("SET", "other", "x") == OOM
    assert harness.command("APPEND", "key", "x") == OOM
    assert harness.command("GETRANGE", "key", 0, 0) == b"x"
    assert harness.command("EXPIRE", "key", 1000) == 1
    assert harness.command("MULTI") == "OK"
    assert harness.command("GET", "key") == OOM, "a queue is memory too"
    assert harness.command("EXEC") == ReplyError(
        "EXECABORT Transaction discarded because of previous errors."
    )
    assert harness.command("DEL", "key") == 1
    assert harness.command("SET", "other", "x") == "OK"


def test_a_transaction_is_refused_as_a_whole() -> None:
    harness = limited("noeviction", 3000)
    client = harness.client()
    client.command("MULTI")
    client.command("SET", "a", "1")
    harness.command("SET", "key", "x" * 3000)
    reply = client.command("EXEC")
    assert isinstance(reply, ReplyError)
    assert reply.text.startswith("EXECABORT Transaction discarded because of: OOM")
    assert harness.command("EXISTS", "a") == 0


def test_nothing_is_evicted_while_clients_are_paused() -> None:
    harness = limited("allkeys-lru", 8000)
    harness.command("SET", "key", "x" * 3000)
    harness.command("CLIENT", "PAUSE", 1000, "WRITE")
    harness.command("CONFIG", "SET", "maxmemory", 3000)
    assert harness.command("GET", "key") == b"x" * 3000
    harness.tick()
    assert harness.command("DBSIZE") == 1
    harness.advance(1001)
    harness.tick()
    assert harness.command("DBSIZE") == 0


def test_time_over_the_limit_is_counted() -> None:
    harness = limited("noeviction", 3000)
    harness.command("SET", "key", "x" * 3000)
    harness.command("PING")
    harness.advance(1500)
    stats = info(harness, "stats")
    assert (
        stats["total_eviction_exceeded_time"] == stats["current_eviction_exceeded_time"] == "1500"
    )
    harness.command("DEL", "key")
    harness.command("PING")
    harness.advance(1500)
    stats = info(harness, "stats")
    assert stats["total_eviction_exceeded_time"] == "1500"
    assert stats["current_eviction_exceeded_time"] == "0"


def test_a_lower_limit_is_reached_in_the_background() -> None:
    harness = limited("allkeys-lru", 1_000_000)
    for number in range(1000):
        harness.command("SET", number, "x" * 300)
    harness.command("CONFIG", "SET", "maxmemory", 100_000)
    harness.tick()
    assert used(harness) <= 100_000
    assert int(info(harness, "stats")["evicted_keys"]) > 500


def test_a_little_more_goes_than_has_to() -> None:
    """So that the next commands find room: a 1024th of the limit, and hardly more."""
    limit = 1_000_000
    harness = limited("volatile-random", limit)
    for number in range(95):
        harness.command("SET", f"kept:{number}", "x" * 10_000)
    store = harness.engine.stores[0]
    after: list[int] = []
    for number in range(300):
        harness.command("SET", number, "x" * 100, "EX", 10_000)
        before = store.evicted
        harness.command("PING")
        if store.evicted > before:
            after.append(used(harness))
    goal = limit - limit // 1024
    assert len(after) > 3
    assert all(goal - 400 < each <= goal for each in after)


def test_reads_look_once_after_each_command_that_may_grow_the_data() -> None:
    harness = limited("allkeys-lru", 1_000_000)
    engine = harness.engine
    harness.command("SET", "key", "value")
    assert engine.armed & ROOM_BIT
    harness.command("GET", "key")
    assert not engine.armed & ROOM_BIT
    harness.command("MGET", "key", "other")
    assert not engine.armed & ROOM_BIT
    harness.command("EVAL", "return redis.call('SET', 'key', 'value')", 0)
    harness.command("MULTI")
    assert engine.armed & ROOM_BIT
    harness.command("GET", "key")
    assert harness.command("EXEC") == [b"value"]
    harness.command("EXISTS", "key")
    assert not engine.armed & ROOM_BIT
    harness.command("CONFIG", "SET", "maxmemory", 1000)
    harness.command("EXISTS", "key")
    assert harness.command("DBSIZE") == 0
    harness.command("CONFIG", "SET", "maxmemory", 0)
    assert not engine.armed & (MEMORY_BIT | ROOM_BIT)


def test_one_look_takes_no_longer_than_tenacity_allows() -> None:
    harness = limited("allkeys-lru", 1_000_000, maxmemory_eviction_tenacity=0)
    for number in range(1000):
        harness.command("SET", number, "x" * 300)
    harness.command("CONFIG", "SET", "maxmemory", 100_000)
    harness.command("PING")
    assert harness.command("DBSIZE") == 1000 - 2 * 16
    assert harness.command("SET", "key", "value") == "OK", "what is not evicted yet refuses nothing"
    assert info(harness, "stats")["current_eviction_exceeded_time"] == "0"
    harness.command("CONFIG", "SET", "maxmemory-eviction-tenacity", 100)
    assert used(harness) > 100_000
    harness.command("PING")
    assert used(harness) <= 100_000


# Policies --------------------------------------------------------------------------------------


def test_unknown_policies_are_refused_in_the_words_of_redis() -> None:
    harness = EngineHarness()
    reply = harness.command("CONFIG", "SET", "maxmemory-policy", "allkeys-best")
    assert isinstance(reply, ReplyError)
    assert reply.text.startswith(
        "ERR CONFIG SET failed (possibly related to argument 'maxmemory-policy') - argument(s) must"
        " be one of the following: volatile-lru, volatile-lfu, volatile-random, volatile-ttl,"
        " allkeys-lru, allkeys-lfu, allkeys-random, noeviction"
    )
    assert harness.command("CONFIG", "GET", "maxmemory-policy") == [
        b"maxmemory-policy",
        b"noeviction",
    ]


def test_what_a_policy_shows_of_a_key() -> None:
    harness = limited("allkeys-lru")
    harness.command("SET", "number", "1")
    assert harness.command("OBJECT", "IDLETIME", "number") == 0
    assert harness.command("OBJECT", "REFCOUNT", "number") == 1
    assert isinstance(harness.command("OBJECT", "FREQ", "number"), ReplyError)
    harness.command("CONFIG", "SET", "maxmemory-policy", "allkeys-random")
    assert harness.command("OBJECT", "REFCOUNT", "number") == 2147483647
    harness.command("CONFIG", "SET", "maxmemory-policy", "volatile-lfu")
    assert harness.command("SET", "number", "2") == "OK"
    assert isinstance(harness.command("OBJECT", "IDLETIME", "number"), ReplyError)
    assert harness.command("SET", "other", "2") == "OK"
    assert harness.command("OBJECT", "FREQ", "other") == 5


def test_a_backend_without_entries_refuses_policies_that_need_them() -> None:
    harness = EngineHarness(KVBackend(SortedDictKV()))
    reply = harness.command("CONFIG", "SET", "maxmemory-policy", "allkeys-sieve")
    assert isinstance(reply, ReplyError)
    assert "needs access times" in reply.text
    assert harness.command("CONFIG", "SET", "maxmemory-policy", "volatile-ttl") == "OK"
    harness.command("CONFIG", "SET", "maxmemory", 20_000)
    for number in range(200):
        assert harness.command("SET", number, "x" * 300, "EX", 1000 + number) == "OK"
    assert harness.command("PING") == "PONG"
    assert used(harness) <= 20_000


def test_scripts_make_room_before_they_begin() -> None:
    harness = limited("noeviction", 3000)
    harness.command("SET", "key", "x" * 3000)
    waiting = harness.client()
    assert waiting.command("BLPOP", "list", 0) is NOTHING
    assert harness.command("RPUSH", "list", "x") == OOM
    harness.command("CONFIG", "SET", "maxmemory-policy", "allkeys-random")
    assert harness.command("RPUSH", "list", "x") == 1
    assert waiting.replies() == [[b"list", b"x"]]
    assert harness.command("DBSIZE") == 0


@pytest.mark.parametrize("before", ["allkeys-lfu", "allkeys-sieve", "allkeys-w-tinylfu"])
def test_keys_of_another_policy_go_under_lru(before: str) -> None:
    """What it left in a key looks like a use far in the future: the key ages from then on."""
    harness = EngineHarness()
    call = harness.command
    call("CONFIG", "SET", "maxmemory-policy", before)
    for number in range(600):
        call("SET", f"old {number}", "x" * 1000)
    for _ in range(3):
        for number in range(600):
            call("GET", f"old {number}")
    harness.advance(60_000)
    memory = int(harness.engine.memory.used())
    call("CONFIG", "SET", "maxmemory-policy", "allkeys-lru", "maxmemory", memory)
    harness.advance(60_000)
    for number in range(500):
        assert call("SET", f"new {number}", "x" * 1000) == "OK"
        if number % 100 == 99:
            harness.advance(10_000)
    new = sum(bool(call("EXISTS", f"new {number}")) for number in range(500))
    assert new > 250
