"""Stores with limits of their own, and who works in them from elsewhere."""

import pytest

from hypercache.testing.engine import EngineHarness
from hypercache.testing.resp import ReplyError
from tests.support.scripts import with_scripts

OOM = ReplyError("OOM command not allowed when used memory > 'maxmemory'.")


def limited(policy: str) -> EngineHarness:
    """Database 1 is full: its limit is exceeded by its last key. Database 0 has room for ever."""
    harness = EngineHarness()
    fill(harness, policy)
    return harness


def fill(harness: EngineHarness, policy: str) -> None:
    made = ("STORES", "CREATE", "small", "database", 1, "max-memory", 4000, "policy", policy)
    assert harness.command(*made) == 1
    harness.script("SELECT 1\nSET old x")
    harness.command("SET", "large", "x" * 5000)
    harness.script("SELECT 0\nSET key value")


@pytest.mark.parametrize("policy", ["noeviction", "volatile-lru"])
def test_nothing_is_carried_into_a_store_that_is_full(policy: str) -> None:
    harness = limited(policy)
    assert harness.command("COPY", "key", "key", "DB", 1) == OOM
    assert harness.command("MOVE", "key", 1) == OOM
    assert harness.command("COPY", "key", "old", "DB", 1, "REPLACE") == OOM
    assert harness.script("GET key\nCOPY key other\nCOPY key other DB 2\nMOVE key 2") == [
        b"value", 1, 1, 1,
    ]  # fmt: skip
    assert harness.script("COPY none key DB 1\nMOVE none 1") == [0, 0]
    assert harness.script("SELECT 1\nGET old\nEXISTS key\nDEL large\nSELECT 0") == [
        "OK", b"x", 0, 1, "OK",
    ]  # fmt: skip
    assert harness.script("SET key value\nCOPY key key DB 1\nMOVE key 1") == ["OK", 1, 0]


def test_a_store_that_may_evict_takes_what_comes() -> None:
    harness = limited("allkeys-lru")
    assert harness.script("COPY key key DB 1\nMOVE other 1\nMOVE key 1") == [1, 0, 0]
    assert harness.script("SELECT 1\nEXISTS large old key") == ["OK", 1]


def test_a_transaction_that_selects_a_full_store_is_refused_there() -> None:
    harness = limited("noeviction")
    assert harness.script(
        "MULTI\nSET a 1\nSELECT 1\nSET a 1\nGET old\nDEL old\nSELECT 0\nSET b 1\nEXEC"
    )[-1] == ["OK", "OK", OOM, b"x", 1, "OK", "OK"]
    harness.script("SELECT 1\nDEL large\nSELECT 0")
    harness.script("MULTI\nSELECT 1")
    harness.command("SET", "large", "x" * 5000)
    assert harness.script("SET a 1\nEXEC")[-1] == ["OK", "OK", "OK"]  # it had room when it began


def test_a_script_that_selects_a_full_store_is_refused_there() -> None:
    harness = limited("noeviction")
    with_scripts(harness)
    text = "redis.call('SELECT', ARGV[1]) return redis.pcall('SET', KEYS[1], 1)"
    assert harness.command("EVAL", text, 1, "a", 1) == OOM
    assert harness.command("EVAL", text, 1, "a", 2) == "OK"


def test_without_a_limit_none_is_exceeded() -> None:
    harness = EngineHarness()
    harness.script("CONFIG SET maxmemory 1")
    assert harness.command("SET", "key", "x") == OOM
    harness.advance(1000)
    harness.script("CONFIG SET maxmemory 0")
    harness.advance(5000)
    reply = harness.command("INFO", "stats")
    assert isinstance(reply, bytes)
    assert b"total_eviction_exceeded_time:1000\r\ncurrent_eviction_exceeded_time:0\r\n" in reply
    assert harness.command("SET", "key", "x") == "OK"
