"""OBJECT FREQ under the LFU policies: what counts as a use, how counters grow and decay."""

import pytest

from hypercache.backend import NO_EXPIRE, Entry
from hypercache.keyspace.clock import Chance
from hypercache.keyspace.frequency import INITIAL, Frequency
from hypercache.keyspace.kv_backend import KVBackend
from hypercache.testing import SortedDictKV
from hypercache.testing.engine import EngineHarness
from hypercache.testing.resp import ReplyError

MINUTE = 60_000


@pytest.fixture
def harness() -> EngineHarness:
    harness = EngineHarness()
    harness.command("CONFIG", "SET", "maxmemory-policy", "allkeys-lfu")
    harness.command("CONFIG", "SET", "lfu-log-factor", 0)  # each use counts
    return harness


def frequency(harness: EngineHarness, key: str = "key") -> object:
    return harness.command("OBJECT", "FREQ", key)


def sleep(harness: EngineHarness, minutes: int) -> None:
    harness.advance(minutes * MINUTE)
    harness.tick()


@pytest.mark.parametrize(
    ("uses", "expected"),
    [
        ("", 5),
        ("GET key\nSTRLEN key\nMGET key none", 8),
        ("TOUCH key", 6),
        ("APPEND key x\nINCR n\nSETRANGE key 0 y", 7),
        ("SET key other", 6),
        ("SET key other GET", 7),
        ("SETRANGE key 5000 x\nGET key", 7),
        ("DEL key\nSET key new", 5),
        ("SADD set a\nGET key\nGET key\nSUNIONSTORE key set", 8),
        ("EXISTS key\nTTL key\nTYPE key\nOBJECT ENCODING key\nOBJECT FREQ key\nSCAN 0", 5),
        ("GET key\nGET key\nRENAME key other\nRENAME other key", 5),
        ("GET key\nCOPY key key2\nDEL key\nRENAME key2 key", 5),
        ("CLIENT NO-TOUCH ON\nGET key\nAPPEND key x\nSET key other", 5),
        ("CLIENT NO-TOUCH ON\nTOUCH key\nGET key\nGET key", 6),
        ("CLIENT NO-TOUCH ON\nGET key\nCLIENT NO-TOUCH OFF\nGET key", 6),
        ("MULTI\nGET key\nGET key\nEXEC", 7),
    ],
)
def test_uses(harness: EngineHarness, uses: str, expected: int) -> None:
    harness.command("SET", "key", "value")
    harness.script(uses)
    assert frequency(harness) == expected


def test_no_touch_is_one_clients_own(harness: EngineHarness) -> None:
    harness.command("SET", "key", "value")
    quiet = harness.client()
    quiet.send(b"CLIENT NO-TOUCH ON\r\nGET key\r\n")
    harness.command("GET", "key")
    quiet.command("GET", "key")
    harness.command("GET", "key")
    assert frequency(harness) == 7


def test_a_waiting_client_has_its_own_no_touch(harness: EngineHarness) -> None:
    quiet = harness.client()
    quiet.command("CLIENT", "NO-TOUCH", "ON")
    quiet.command("BLPOP", "list", 0)
    harness.first.send(b"SET key v\r\nRPUSH list a b\r\nGET key\r\n")
    assert frequency(harness) == 6
    assert frequency(harness, "list") == 5


def test_values_edited_in_place_are_used_once_by_a_command(harness: EngineHarness) -> None:
    harness.command("RPUSH", "list", "a")
    harness.command("RPUSH", "list", "b", "c", "d")
    assert frequency(harness, "list") == 6
    harness.command("HSET", "hash", "f", "v")
    harness.command("HGET", "hash", "f")
    assert frequency(harness, "hash") == 6


def test_decay(harness: EngineHarness) -> None:
    harness.command("SET", "key", "value")
    for _ in range(10):
        harness.command("GET", "key")
    assert frequency(harness) == 15
    sleep(harness, 4)
    assert frequency(harness) == 11
    harness.command("CONFIG", "SET", "lfu-decay-time", 2)
    assert frequency(harness) == 13
    harness.command("CONFIG", "SET", "lfu-decay-time", 0)
    assert frequency(harness) == 15
    harness.command("CONFIG", "SET", "lfu-decay-time", 1)
    harness.command("GET", "key")
    assert frequency(harness) == 12
    sleep(harness, 100)
    assert frequency(harness) == 0
    harness.command("GET", "key")
    assert frequency(harness) == 1
    harness.engine.protected_commands["DEBUG"] = "yes"
    sleep(harness, 3)
    assert str(harness.command("DEBUG", "OBJECT", "key")).endswith("lru_seconds_idle:180")


def test_restore(harness: EngineHarness) -> None:
    harness.script("SET key value\nGET key\nGET key")
    payload = harness.command("DUMP", "key")
    assert isinstance(payload, bytes)
    for option, expected in [(("FREQ", 200), 200), ((), 5), (("IDLETIME", 100), 5)]:
        harness.command("RESTORE", "key", 0, payload, "REPLACE", *option)
        assert frequency(harness) == expected
    harness.command("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    for option, idle in [(("FREQ", 200), 0), ((), 0), (("IDLETIME", 100), 100)]:
        harness.command("RESTORE", "key", 0, payload, "REPLACE", *option)
        assert harness.command("OBJECT", "IDLETIME", "key") == idle


def test_a_backend_without_entries_forgets() -> None:
    harness = EngineHarness(KVBackend(SortedDictKV()))
    harness.command("CONFIG", "SET", "maxmemory-policy", "allkeys-lfu", "lfu-log-factor", 0)
    harness.script("SET key value\nGET key\nSET key other\nTOUCH key")
    assert frequency(harness) == 5
    harness.close()


def test_policies_of_the_other_kind(harness: EngineHarness) -> None:
    harness.script("SET key value\nGET key")
    switching = (
        "Please note that when switching between policies at runtime LRU and LFU data will take "
        "some time to adjust."
    )
    assert harness.command("OBJECT", "IDLETIME", "key") == ReplyError(
        f"ERR An LFU maxmemory policy is selected, idle time not tracked. {switching}"
    )
    assert harness.command("OBJECT", "IDLETIME", "none") is None
    assert frequency(harness, "none") is None
    harness.command("CONFIG", "SET", "maxmemory-policy", "volatile-lru")
    assert frequency(harness) == ReplyError(
        f"ERR An LFU maxmemory policy is not selected, access frequency not tracked. {switching}"
    )
    assert harness.command("OBJECT", "IDLETIME", "key") == 0
    harness.command("CONFIG", "SET", "maxmemory-policy", "volatile-lfu")
    assert frequency(harness) == 6, "what was noted stays"
    harness.command("CONFIG", "SET", "maxmemory-policy", "noeviction")
    sleep(harness, 1)
    harness.command("GET", "key")
    sleep(harness, 1)
    assert harness.command("OBJECT", "IDLETIME", "key") == 60


def expected_counter(uses: int, factor: int) -> int:
    """The counter after as many uses as its steps take on average: the sum of all 1 / p."""
    counter = int(INITIAL)
    steps = 0
    while steps < uses:
        steps += (counter - int(INITIAL)) * factor + 1
        counter += 1
    return counter


@pytest.mark.parametrize(
    ("uses", "factor", "keys", "tolerance"),
    [(1_000, 10, 50, 1.0), (100_000, 10, 3, 9.0), (1_000, 1, 20, 4.0), (1_000, 0, 1, 0.0)],
)
def test_growth_is_logarithmic(uses: int, factor: int, keys: int, tolerance: float) -> None:
    """The average over the keys; the tolerance is about three times its standard deviation."""
    frequency = Frequency()
    frequency.log_factor = factor
    chance = Chance(uses)
    total = 0
    for _ in range(keys):
        entry = Entry(b"", NO_EXPIRE, frequency.access(INITIAL), 0)
        for _ in range(uses):
            frequency.use(entry, chance)
        total += frequency.counter(entry.access)
    assert abs(total / keys - min(expected_counter(uses, factor), 255)) <= tolerance


def test_minutes_wrap_around() -> None:
    frequency = Frequency()
    frequency.keep_time((65_535 + 65_536) * 60_000_000)
    access = frequency.access(255)
    assert frequency.age(access) == 0
    frequency.keep_time((65_536 * 2 + 1) * 60_000_000)
    assert (frequency.age(access), frequency.counter(access)) == (2, 253)
