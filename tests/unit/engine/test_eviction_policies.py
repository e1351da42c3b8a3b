"""What policies are told: every key that comes and goes. Policies of stores, and of others."""

from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from hypercache.backend import Backend
from hypercache.engine.stores import StoreRules
from hypercache.eviction import Entry, EvictionPolicy, Place
from hypercache.testing.engine import NOTHING, EngineHarness
from hypercache.testing.resp import ReplyError
from tests.support.fragile import FragileBackend

OOM = ReplyError("OOM command not allowed when used memory > 'maxmemory'.")


class Ledger(EvictionPolicy):
    """Knows which keys are there, from what it is told alone."""

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self.follows_keys = True
        self.follows_uses = True
        self.keys: dict[bytes, int] = {}

    def added(self, key: bytes, entry: Entry) -> None:
        self.keys.setdefault(key, 0)

    def used(self, key: bytes, entry: Entry) -> None:
        self.keys[key] += 1

    def removed(self, key: bytes, entry: Entry) -> None:
        self.keys.pop(key, None)

    def cleared(self) -> None:
        self.keys.clear()

    def victim(self) -> bytes | None:
        return next(iter(self.keys), None)


def made_by(
    kind: Callable[[Place], EvictionPolicy], backend: Backend | None = None
) -> EngineHarness:
    """A harness all of whose stores are under one policy."""
    harness = EngineHarness(backend)
    harness.engine.eviction.victims.make = lambda _, place: kind(place)
    harness.engine.eviction.victims.set_policy("anything")
    return harness


@pytest.fixture
def harness() -> EngineHarness:
    return made_by(Ledger)


def known(harness: EngineHarness, database: int = 0) -> dict[bytes, int]:
    policy = harness.engine.keyspaces[database].policy
    assert isinstance(policy, Ledger)
    return policy.keys


def expect_all_known(harness: EngineHarness) -> None:
    for keyspace in harness.engine.keyspaces:
        assert sorted(known(harness, keyspace.index)) == sorted(keyspace.store.keys())


MAKING = (
    "SET k v",
    "SETRANGE k 3 v",
    "APPEND k v",
    "INCR k",
    "SETBIT k 7 1",
    "BITFIELD k SET u8 0 1",
    "PFADD k v",
    "MSET k v",
    "RPUSH k v",
    "SADD k v",
    "ZADD k 1 v",
    "HSET k f v",
    "XADD k * f v",
    "XGROUP CREATE k g $ MKSTREAM",
    "GEOADD k 1 2 v",
    "SUNIONSTORE k members",
    "SORT members ALPHA STORE k",
    "LMOVE list k LEFT LEFT",
    "SMOVE members k a",
    "RENAME string k",
    "COPY string k",
    "BITOP NOT k string",
)


@pytest.mark.parametrize("line", MAKING)
def test_a_key_that_comes_and_goes_is_known(harness: EngineHarness, line: str) -> None:
    harness.script(
        "SADD members a b\nRPUSH list a b\nSET string v\nSELECT 1\nSET other v\nSELECT 0"
    )
    replies = harness.script(line)
    assert not isinstance(replies[0], ReplyError)
    assert b"k" in known(harness)
    expect_all_known(harness)
    harness.script("OBJECT HELP\nEXPIRE k 10\nRENAME k renamed\nCOPY renamed string REPLACE")
    expect_all_known(harness)
    harness.script("MOVE renamed 1")
    assert b"renamed" in known(harness, 1)
    expect_all_known(harness)
    harness.advance(20_000)
    harness.script("SELECT 1\nEXISTS renamed\nSELECT 0")
    expect_all_known(harness)


def test_a_key_that_is_emptied_is_known_to_have_gone(harness: EngineHarness) -> None:
    harness.script("RPUSH l a\nSADD s a\nZADD z 1 a\nHSET h f v\nHSET timed f v\nSET v v")
    harness.script("LPOP l\nSPOP s\nZREM z a\nHDEL h f\nHPEXPIRE timed 10 FIELDS 1 f\nGETDEL v")
    assert list(known(harness)) == [b"timed"]
    harness.advance(11)
    harness.script("HGETALL timed")
    assert known(harness) == {}
    harness.script("SET one v PX 5\nSET two v\nSUNIONSTORE two none\nHSET timed f v")
    harness.script("HPEXPIRE timed 10 FIELDS 1 f")
    harness.advance(500)
    harness.tick()
    assert known(harness) == {}


def test_what_was_dumped_comes_back(harness: EngineHarness) -> None:
    harness.script("RPUSH key a b c")
    dumped = harness.command("DUMP", "key")
    assert isinstance(dumped, bytes)
    assert harness.command("RESTORE", "key", 0, dumped, "REPLACE", "IDLETIME", 5) == "OK"
    assert harness.command("RESTORE", "other", 0, dumped, "FREQ", 5) == "OK"
    expect_all_known(harness)


def test_databases_that_are_emptied_or_swapped(harness: EngineHarness) -> None:
    for number in range(1000):
        harness.command("SET", number, "v")
    harness.script("SELECT 3\nSET three v\nSWAPDB 0 3\nSET new v")
    assert list(known(harness, 3)) == [b"new"], "those that were there are shown bit by bit"
    harness.tick()
    expect_all_known(harness)
    assert len(known(harness, 3)) == 1001
    harness.script("FLUSHDB")
    assert known(harness, 3) == {}
    harness.script("SWAPDB 0 3\nFLUSHALL")
    expect_all_known(harness)


def test_uses(harness: EngineHarness) -> None:
    harness.script("SET s v\nRPUSH l a\nGET s\nEXISTS s\nTTL s\nTYPE s\nLRANGE l 0 -1\nRPUSH l b")
    assert known(harness) == {b"s": 1, b"l": 2}
    harness.script("SET s other\nTOUCH s\nCLIENT NO-TOUCH ON\nGET s\nSET s third\nRPUSH l c")
    assert known(harness) == {b"s": 3, b"l": 2}


def test_a_policy_takes_over_keys_that_are_there() -> None:
    harness = EngineHarness()
    for number in range(3000):
        harness.command("SET", number, "x" * 100)
    victims = harness.engine.eviction.victims
    victims.make = lambda _, place: Ledger(place)
    victims.set_policy("anything")
    assert known(harness) == {}
    harness.command("CONFIG", "SET", "maxmemory", harness.engine.memory.used() - 50_000)
    harness.command("PING")
    assert 2000 < harness.engine.keyspaces[0].store.size() < 3000, "sampled as long as need be"
    harness.tick()
    expect_all_known(harness)


def test_what_is_undone_was_never_there() -> None:
    backend = FragileBackend()
    harness = made_by(Ledger, backend)
    harness.command("SET", "kept", "v")
    backend.fragile.fail("commit")
    assert harness.command("SET", "lost", "v") is NOTHING
    backend.fragile.failing.clear()
    harness.tick()
    expect_all_known(harness)
    assert list(known(harness)) == [b"kept"]


# Stores ----------------------------------------------------------------------------------------


def rules(policy: str = "", max_memory: int = 0) -> StoreRules:
    made = StoreRules()
    made.policy = policy
    made.max_memory = max_memory
    return made


def test_stores_have_policies_and_limits_of_their_own() -> None:
    harness = EngineHarness()
    stores = harness.engine.stores
    for index, each in ((1, rules("allkeys-lru", 20_000)), (2, rules("noeviction", 20_000))):
        stores.judge(stores[index], each)
        stores.change(stores[index], each)
    for database in range(4):
        client = harness.client()
        client.command("SELECT", database)
        replies = [client.command("SET", number, "x" * 300) for number in range(200)]
        assert (OOM in replies) == (database == 2)
    assert harness.command("SET", "elsewhere", "v") == "OK"
    harness.tick()
    sizes = [stores[database].used_memory() for database in range(4)]
    # What is refused comes after the request that has exceeded the limit: by a table that doubles.
    assert max(sizes[1], sizes[2] - 3000) <= 20_000 < min(sizes[0], sizes[3])
    assert [stores[database].evicted > 0 for database in range(4)] == [False, True, False, False]
    described = [each().get("eviction_policy") for each in stores[1].information]
    assert "allkeys-lru" in described


def test_a_store_refuses_a_policy_that_is_unknown_or_does_not_fit() -> None:
    stores = EngineHarness(FragileBackend()).engine.stores
    for name in ("allkeys-best", "allkeys-sieve"):
        with pytest.raises(Exception, match=name):
            stores.judge(stores[1], rules(name))
    stores.judge(stores[1], rules("volatile-ttl"))


@pytest.mark.parametrize("policy", ["allkeys-lru", "allkeys-sieve"])
def test_the_limit_of_the_server_takes_the_most_urgent_of_all_stores(policy: str) -> None:
    harness = EngineHarness()
    harness.command("CONFIG", "SET", "maxmemory-policy", policy)
    for database in (0, 5, 9):
        harness.script(f"SELECT {database}")
        harness.advance(100_000)
        harness.tick()
        for number in range(100):
            harness.command("SET", number, "x" * 500)
    harness.command("CONFIG", "SET", "maxmemory", harness.engine.memory.used() - 40_000)
    harness.command("PING")
    sizes = [harness.engine.keyspaces[database].store.size() for database in (0, 5, 9)]
    assert sizes[0] < 50
    assert sizes[1:] == [100, 100]


def test_options_of_a_policy() -> None:
    harness = EngineHarness()
    chosen = "session(idle-limit=900, grace-period=30)"
    assert harness.command("CONFIG", "SET", "maxmemory-policy", chosen) == "OK"
    place = harness.engine.keyspaces[3].policy.place
    assert place.options == {"idle-limit": 900, "grace-period": 30}
    assert harness.command("CONFIG", "GET", "maxmemory-policy") == [
        b"maxmemory-policy",
        chosen.encode(),
    ]
    for wrong in ("session(idle-limit)", "session(idle-limit=x)", "session(", "(a=1)", "x(a=1)"):
        reply = harness.command("CONFIG", "SET", "maxmemory-policy", wrong)
        assert isinstance(reply, ReplyError)
    assert harness.engine.keyspaces[0].policy.place.options == place.options


def test_different_policies_take_turns() -> None:
    harness = EngineHarness()
    stores = harness.engine.stores
    stores.change(stores[1], rules("allkeys-random"))
    stores.change(stores[2], rules("noeviction"))
    harness.command("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    for database in (0, 1, 2):
        harness.script(f"SELECT {database}")
        for number in range(100):
            harness.command("SET", number, "x" * 500)
    harness.command("CONFIG", "SET", "maxmemory", harness.engine.memory.used() - 40_000)
    harness.command("PING")
    sizes = [harness.engine.keyspaces[database].store.size() for database in (0, 1, 2)]
    assert max(sizes[:2]) < 85
    assert sizes[2] == 100


class Confused(Ledger):
    """Does not know what to say."""

    def victim(self) -> bytes | None:
        raise LookupError("no idea")


def test_a_policy_that_raises_is_asked_no_more() -> None:
    harness = made_by(Confused)
    for number in range(100):
        harness.command("SET", number, "x" * 500)
    harness.command("CONFIG", "SET", "maxmemory", harness.engine.memory.used() - 20_000)
    assert harness.command("PING") == "PONG"
    assert 50 < harness.engine.keyspaces[0].store.size() < 80
    reports = [each for each in harness.recorder.reports if each[1] == "eviction_policy_failed"]
    assert [each[2]["error"] for each in reports] == ["LookupError('no idea')"]


# Third parties ---------------------------------------------------------------------------------

FIRST_NAME = '''
"""A policy of somebody else: names go by the alphabet."""
from hypercache.eviction import EvictionPolicy

class FirstName(EvictionPolicy):
    def victim(self):
        return min(self.place.database.keys(), default=None)

class FromTomorrow(EvictionPolicy):
    contract = 2

class Unmade(EvictionPolicy):
    def __init__(self, place):
        raise RuntimeError("no idea")
'''
ENTRY_POINTS = """
[hypercache.policies]
first-name = somebodys_policies:FirstName
from-tomorrow = somebodys_policies:FromTomorrow
unmade = somebodys_policies:Unmade
missing = somebodys_policies:Missing
"""


def test_a_policy_of_a_third_party(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed = tmp_path / "somebodys_policies-1.0.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Name: somebodys-policies\nVersion: 1.0\n")
    (installed / "entry_points.txt").write_text(ENTRY_POINTS)
    (tmp_path / "somebodys_policies.py").write_text(FIRST_NAME)
    monkeypatch.syspath_prepend(str(tmp_path))
    harness = EngineHarness()
    for name, words in (
        ("from-tomorrow", "version 2"),
        ("unmade", "no idea"),
        ("missing", "Missing"),
    ):
        reply = harness.command("CONFIG", "SET", "maxmemory-policy", name)
        assert isinstance(reply, ReplyError)
        assert words in reply.text
    assert harness.command("CONFIG", "SET", "maxmemory-policy", "first-name") == "OK"
    random = Random(1)
    names = [f"{random.random()}" for _ in range(100)]
    for name in names:
        harness.command("SET", name, "x" * 500)
    harness.command("CONFIG", "SET", "maxmemory", harness.engine.memory.used() - 20_000)
    harness.command("PING")
    kept = sorted(harness.engine.keyspaces[0].store.keys())
    assert kept == sorted(name.encode() for name in names)[-len(kept) :]
    assert 50 < len(kept) < 80
