"""Keys that expire while time passes."""

from hypercache.testing.engine import EngineHarness
from hypercache.testing.resp import ReplyError


def test_a_key_lives_until_its_deadline_has_passed(harness: EngineHarness) -> None:
    harness.command("SET", "k", "v", "PX", 1000)
    harness.advance(1000)
    assert harness.command("GET", "k") == b"v"
    assert harness.command("PTTL", "k") == 0
    harness.advance(1)
    assert harness.command("EXISTS", "k") == 0
    assert harness.command("TTL", "k") == -2


def test_ttl_is_rounded(harness: EngineHarness) -> None:
    harness.command("SET", "k", "v", "PX", 2000)
    harness.advance(500)
    assert harness.command("TTL", "k") == 2
    harness.advance(1)
    assert harness.command("TTL", "k") == 1
    harness.advance(1000)
    assert harness.command("TTL", "k") == 0
    assert harness.command("PTTL", "k") == 499


def test_every_command_finds_expired_keys_gone(harness: EngineHarness) -> None:
    for command, reply in (
        ("GET k", None),
        ("STRLEN k", 0),
        ("TYPE k", "none"),
        ("OBJECT ENCODING k", None),
        ("EXPIRE k 10", 0),
        ("PERSIST k", 0),
        ("DEL k", 0),
        ("RENAMENX k l", ReplyError("ERR no such key")),
        ("COPY k l", 0),
        ("MOVE k 1", 0),
        ("KEYS *", []),
        ("SCAN 0", [b"0", []]),
        ("RANDOMKEY", None),
        ("TOUCH k", 0),
        ("APPEND k x", 1),
        ("INCR k", 1),
        ("SETNX k v", 1),
        ("SET k v NX", "OK"),
        ("SET k v XX", None),
        ("SET k v KEEPTTL", "OK"),
        ("HSET k f v", 1),
        ("GETDEL k", None),
        ("LCS k k LEN", 0),
    ):
        harness.command("FLUSHALL")
        harness.command("SET", "k", "7", "PX", 10)
        harness.advance(11)
        assert harness.command(*command.split(" ")) == reply, command
        assert harness.command("TTL", "k") in (-1, -2), command


def test_expired_keys_count_until_they_are_removed(harness: EngineHarness) -> None:
    harness.script("SET k v PX 10\nSET l v PX 10\nSET m v")
    harness.advance(100)
    assert harness.command("DBSIZE") == 3
    assert harness.command("KEYS", "*") == [b"m"]
    assert harness.command("DBSIZE") == 3
    harness.command("GET", "k")
    assert harness.command("DBSIZE") == 2
    harness.tick()
    assert harness.command("DBSIZE") == 1
    assert harness.engine.changes.expired == 2


def test_random_key_is_never_an_expired_one(harness: EngineHarness) -> None:
    for number in range(300):
        harness.command("SET", f"old:{number}", "v", "PX", 10)
    harness.command("SET", "new", "v")
    harness.advance(11)
    assert harness.command("RANDOMKEY") == b"new"


def test_a_deadline_moves_with_the_key(harness: EngineHarness) -> None:
    harness.script("SET k v PX 1000\nRENAME k l\nCOPY l m\nCOPY l n DB 1\nMOVE m 2")
    harness.advance(1001)
    for database in (0, 1, 2):
        harness.command("SELECT", database)
        assert harness.command("KEYS", "*") == []


def test_changing_a_value_in_place_keeps_its_deadline(harness: EngineHarness) -> None:
    harness.script("SET k 5 PX 1000\nHSET h f v\nPEXPIRE h 1000")
    for command in ("INCR k", "INCRBYFLOAT k 1", "APPEND k 0", "SETRANGE k 0 9", "HSET h f w"):
        harness.command(*command.split())
        assert harness.command("PTTL", "k") == 1000
    assert harness.command("PTTL", "h") == 1000


def test_accesses_are_counted(harness: EngineHarness) -> None:
    changes = harness.engine.changes
    harness.script("SET k v\nGET k\nGET none\nEXISTS k none\nTTL k\nMGET k none\nSTRLEN k")
    assert (changes.hits, changes.misses) == (5, 3)


def test_idle_time_starts_anew_with_an_access(harness: EngineHarness, backend: str) -> None:
    kept = backend == "memory"
    harness.command("SET", "k", "v")
    harness.advance(10_000)
    harness.tick()
    assert harness.command("OBJECT", "IDLETIME", "k") == (10 if kept else 0)
    assert harness.command("TTL", "k") == -1
    assert harness.command("OBJECT", "IDLETIME", "k") == (10 if kept else 0)
    for command in ("GET k", "TOUCH k", "APPEND k x"):
        harness.command(*command.split())
        assert harness.command("OBJECT", "IDLETIME", "k") == 0
        harness.advance(10_000)
        harness.tick()


def test_only_touch_touches_for_a_client_that_does_not(harness: EngineHarness) -> None:
    harness.command("SET", "k", "v")
    harness.command("HSET", "h", "f", "v")
    harness.command("CLIENT", "NO-TOUCH", "ON")
    harness.advance(10_000)
    harness.tick()
    idle = harness.command("OBJECT", "IDLETIME", "k")
    harness.script("GET k\nHSET h f w\nHGET h f")
    assert harness.command("OBJECT", "IDLETIME", "k") == idle
    assert harness.command("OBJECT", "IDLETIME", "h") == idle
    harness.command("TOUCH", "k")
    assert harness.command("OBJECT", "IDLETIME", "k") == 0


def test_copy_has_just_been_made(harness: EngineHarness) -> None:
    harness.command("SET", "k", "v")
    harness.advance(10_000)
    harness.command("COPY", "k", "twin")
    assert harness.command("OBJECT", "IDLETIME", "twin") == 0
