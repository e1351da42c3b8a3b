"""Fields of hashes that expire while time passes; replies and errors as in Redis 7.4."""

import pytest

from hypercache.testing.engine import EngineHarness, HarnessClient
from hypercache.testing.resp import ReplyError
from tests.unit.commands.test_changes import observe
from tests.unit.commands.test_effects import NOW, Journalled

LATEST = (1 << 46) - 1
NO_FIELDS = ReplyError("ERR Mandatory argument FIELDS is missing or not at the right position")
NO_NUMBER = ReplyError("ERR Parameter `numFields` should be greater than 0")
NO_POSITIVE_NUMBER = ReplyError("ERR Number of fields must be a positive integer")
OTHER_NUMBER = ReplyError("ERR The `numfields` parameter must match the number of arguments")
WRONG_TYPE = ReplyError("WRONGTYPE Operation against a key holding the wrong kind of value")
SETTERS = ("HEXPIRE", "HPEXPIRE", "HEXPIREAT", "HPEXPIREAT")
GETTERS = ("HTTL", "HPTTL", "HEXPIRETIME", "HPEXPIRETIME", "HPERSIST")


def run(harness: EngineHarness, line: str) -> object:
    return harness.command(*line.split())


def test_each_field_gets_a_reply(harness: EngineHarness) -> None:
    assert run(harness, "HEXPIRE h 10 FIELDS 2 a b") == [-2, -2]
    run(harness, "HSET h a 1 b 2 c 3")
    assert run(harness, "HEXPIRE h 10 FIELDS 3 a none b") == [1, -2, 1]
    assert run(harness, "HPEXPIRE h 9999 FIELDS 1 a") == [1]
    assert run(harness, "HTTL h FIELDS 4 a b c none") == [10, 10, -1, -2]
    assert run(harness, "HPTTL h FIELDS 4 a b c none") == [9999, 10_000, -1, -2]
    assert run(harness, f"HEXPIREAT h {NOW // 1000 + 5} fields 1 c") == [1]
    assert run(harness, "HEXPIRETIME h FIELDS 2 c none") == [NOW // 1000 + 5, -2]
    assert run(harness, f"HPEXPIREAT h {NOW + 5001} FIELDS 1 c") == [1]
    assert run(harness, "HPEXPIRETIME h FIELDS 2 c none") == [NOW + 5001, -2]
    assert run(harness, "HEXPIRETIME h FIELDS 1 c") == [NOW // 1000 + 6]
    assert run(harness, "HPERSIST h FIELDS 4 a none c a") == [1, -2, 1, -1]
    assert run(harness, "HPTTL h FIELDS 3 a b c") == [-1, 10_000, -1]
    for command in GETTERS:
        assert run(harness, f"{command} none FIELDS 2 a b") == [-2, -2]


def test_time_begun_counts_as_a_second(harness: EngineHarness) -> None:
    run(harness, "HSET h f v")
    run(harness, "HPEXPIRE h 2000 FIELDS 1 f")
    for passed, seconds in ((1, 2), (998, 2), (1, 1), (999, 1), (1, 0)):
        harness.advance(passed)
        assert run(harness, "HTTL h FIELDS 1 f") == [seconds]


def test_a_field_lives_until_its_deadline_has_passed(harness: EngineHarness) -> None:
    run(harness, "HSET h f 1 g 2")
    run(harness, "HPEXPIRE h 1000 FIELDS 1 f")
    harness.advance(1000)
    assert run(harness, "HGET h f") == b"1"
    assert run(harness, "HPTTL h FIELDS 1 f") == [0]
    harness.advance(1)
    assert run(harness, "HGET h f") is None
    assert run(harness, "HTTL h FIELDS 1 f") == [-2]
    assert run(harness, "HLEN h") == 1
    run(harness, "HSET h f again")
    assert run(harness, "HTTL h FIELDS 1 f") == [-1]


def test_conditions(harness: EngineHarness) -> None:
    run(harness, "HSET h f 1 g 2 i 3")
    assert run(harness, "HEXPIRE h 100 XX FIELDS 1 f") == [0]
    assert run(harness, "HEXPIRE h 100 GT FIELDS 1 f") == [0]
    assert run(harness, "HEXPIRE h 100 NX FIELDS 1 f") == [1]
    assert run(harness, "HEXPIRE h 200 nx FIELDS 2 f g") == [0, 1]
    assert run(harness, "HEXPIRE h 150 GT FIELDS 2 f g") == [1, 0]
    assert run(harness, "HEXPIRE h 150 Gt FIELDS 1 f") == [0]
    assert run(harness, "HEXPIRE h 150 LT FIELDS 2 f g") == [0, 1]
    assert run(harness, "HEXPIRE h 120 XX FIELDS 2 f i") == [1, 0]
    assert run(harness, "HEXPIRE h 50 LT FIELDS 2 f i") == [1, 1]
    assert run(harness, "HTTL h FIELDS 3 f g i") == [50, 150, 50]


def test_a_time_that_has_passed_removes(harness: EngineHarness) -> None:
    run(harness, "HSET h a 1 b 2 c 3 d 4 e 5")
    run(harness, "HEXPIRE h 100 FIELDS 1 e")
    assert run(harness, "HEXPIRE h 0 FIELDS 2 a a") == [2, -2]
    assert run(harness, "HPEXPIRE h 0 XX FIELDS 1 b") == [0]
    assert run(harness, "HPEXPIREAT h 1 NX FIELDS 2 b e") == [2, 0]
    assert run(harness, f"HPEXPIREAT h {NOW} GT FIELDS 1 e") == [0]
    assert run(harness, f"HPEXPIREAT h {NOW} LT FIELDS 2 c e") == [2, 2]
    assert run(harness, "HKEYS h") == [b"d"]
    assert run(harness, "HEXPIREAT h 0 FIELDS 1 d") == [2]
    assert run(harness, "EXISTS h") == 0


@pytest.mark.parametrize("command", SETTERS)
def test_errors_of_those_that_set(harness: EngineHarness, command: str) -> None:
    run(harness, "HSET h f v")
    run(harness, "SET s v")
    name = command.lower()
    cases: dict[str, ReplyError] = {
        "s x": WRONG_TYPE,
        "h x": ReplyError("ERR value is not an integer or out of range"),
        "h 1.5": ReplyError("ERR value is not an integer or out of range"),
        "h -1": ReplyError("ERR invalid expire time, must be >= 0"),
        "h -9223372036854775808": ReplyError("ERR invalid expire time, must be >= 0"),
        "h 9223372036854775807": ReplyError(f"ERR invalid expire time in '{name}' command"),
        f"h {LATEST + 1}": ReplyError(f"ERR invalid expire time in '{name}' command"),
    }
    for arguments, error in cases.items():
        assert run(harness, f"{command} {arguments} FIELDS 1 f") == error, arguments
    for tail, error in {
        "1 f x y": NO_FIELDS,
        "NX XX FIELDS 1 f": NO_FIELDS,
        "BAD FIELDS 1 f": NO_FIELDS,
        "1 FIELDS f": NO_FIELDS,
        "FIELDS 0 f": NO_NUMBER,
        "FIELDS -1 f": NO_NUMBER,
        "FIELDS x f": NO_NUMBER,
        "FIELDS 9223372036854775808 f": NO_NUMBER,
        "FIELDS 2 f": OTHER_NUMBER,
        "FIELDS 1 f g": OTHER_NUMBER,
        "NX FIELDS 9223372036854775807 f": OTHER_NUMBER,
    }.items():
        assert run(harness, f"{command} h 1000 {tail}") == error, tail
        assert run(harness, f"{command} none 1000 {tail}") == error, tail
    arity = ReplyError(f"ERR wrong number of arguments for '{name}' command")
    assert run(harness, f"{command} h 1000 FIELDS 1") == arity
    assert run(harness, "HTTL h FIELDS 1 f") == [-1]


def test_the_latest_deadline(harness: EngineHarness) -> None:
    run(harness, "HSET h f v")
    assert run(harness, f"HPEXPIREAT h {LATEST} FIELDS 1 f") == [1]
    assert run(harness, "HPEXPIRETIME h FIELDS 1 f") == [LATEST]
    assert run(harness, f"HPEXPIRE h {LATEST - NOW} FIELDS 1 f") == [1]
    assert isinstance(run(harness, f"HPEXPIRE h {LATEST - NOW + 1} FIELDS 1 f"), ReplyError)
    assert run(harness, f"HEXPIREAT h {LATEST // 1000} FIELDS 1 f") == [1]
    assert isinstance(run(harness, f"HEXPIREAT h {LATEST // 1000 + 1} FIELDS 1 f"), ReplyError)


@pytest.mark.parametrize("command", GETTERS)
def test_errors_of_those_that_tell(harness: EngineHarness, command: str) -> None:
    run(harness, "HSET h f v")
    run(harness, "SET s v")
    assert run(harness, f"{command} s x 0 f") == WRONG_TYPE
    for tail, error in {
        "FIELD 1 f": NO_FIELDS,
        "1 FIELDS f": NO_FIELDS,
        "FIELDS 0 f": NO_POSITIVE_NUMBER,
        "FIELDS x f": NO_POSITIVE_NUMBER,
        "FIELDS 2 f": OTHER_NUMBER,
        "FIELDS 1 f g": OTHER_NUMBER,
    }.items():
        assert run(harness, f"{command} h {tail}") == error, tail
        assert run(harness, f"{command} none {tail}") == error, tail
    arity = ReplyError(f"ERR wrong number of arguments for '{command.lower()}' command")
    assert run(harness, f"{command} h FIELDS 1") == arity


def test_what_keeps_a_deadline_and_what_does_not(harness: EngineHarness) -> None:
    run(harness, "HSET h f 1 g 2")
    for command, left in (
        ("HINCRBY h f 1", 10),
        ("HINCRBYFLOAT h f 0.5", 10),
        ("HSETNX h f 7", 10),
        ("HSET h g 3", 10),
        ("HDEL h g", 10),
        ("HSET h f 1", -1),
        ("HMSET h f 1", -1),
    ):
        run(harness, "HEXPIRE h 10 FIELDS 1 f")
        run(harness, command)
        assert run(harness, "HTTL h FIELDS 1 f") == [left], command
    run(harness, "HEXPIRE h 10 FIELDS 1 f")
    run(harness, "HDEL h f")
    run(harness, "HSET h f 1")
    assert run(harness, "HTTL h FIELDS 1 f") == [-1]


def test_deadlines_follow_their_hash(harness: EngineHarness) -> None:
    run(harness, "HSET h f 1 g 2")
    run(harness, "HPEXPIRE h 100 FIELDS 1 f")
    run(harness, "RENAME h i")
    run(harness, "COPY i j")
    run(harness, "COPY i k DB 2")
    run(harness, "MOVE i 1")
    run(harness, "SWAPDB 1 3")
    run(harness, "HPEXPIRE j 300 FIELDS 1 f")
    harness.advance(101)
    assert run(harness, "HKEYS j") in ([b"f", b"g"], [b"g", b"f"])
    for index, key in ((2, "k"), (3, "i")):
        run(harness, f"SELECT {index}")
        assert run(harness, f"HGETALL {key}") == [b"g", b"2"]
    harness.advance(200)
    run(harness, "SELECT 0")
    assert run(harness, "HLEN j") == 1


def test_no_command_sees_what_has_expired(harness: EngineHarness) -> None:
    for command, reply in (
        ("HLEN h", 1),
        ("HGETALL h", [b"kept", b"k"]),
        ("HKEYS h", [b"kept"]),
        ("HVALS h", [b"k"]),
        ("HGET h f", None),
        ("HMGET h f kept", [None, b"k"]),
        ("HEXISTS h f", 0),
        ("HSTRLEN h f", 0),
        ("HSCAN h 0", [b"0", [b"kept", b"k"]]),
        ("HRANDFIELD h 5", [b"kept"]),
        ("HRANDFIELD h", b"kept"),
        ("HDEL h f", 0),
        ("HSETNX h f new", 1),
        ("HINCRBY h f 3", 3),
        ("HSET h f new", 1),
        ("HPERSIST h FIELDS 1 f", [-2]),
        ("HEXPIRE h 10 FIELDS 1 f", [-2]),
    ):
        run(harness, "FLUSHALL")
        run(harness, "HSET h f 1 g 2 kept k")
        run(harness, "HPEXPIRE h 10 FIELDS 2 f g")
        harness.advance(11)
        assert run(harness, command) == reply, command


def test_a_hash_goes_with_its_last_field(harness: EngineHarness) -> None:
    for command, reply in (
        ("EXISTS h", 0),
        ("TYPE h", "none"),
        ("OBJECT ENCODING h", None),
        ("TTL h", -2),
        ("HLEN h", 0),
        ("KEYS *", []),
        ("SCAN 0", [b"0", []]),
        ("RANDOMKEY", None),
        ("RENAME h i", ReplyError("ERR no such key")),
        ("COPY h i", 0),
        ("DEL h", 0),
        ("EXPIRE h 10", 0),
        ("SET h v GET", None),
        ("GET h", None),
        ("HSET h f v", 1),
        ("HRANDFIELD h", None),
        ("MEMORY USAGE h", None),
    ):
        run(harness, "FLUSHALL")
        run(harness, "HSET h f 1 g 2")
        run(harness, "HPEXPIRE h 10 FIELDS 2 f g")
        harness.advance(11)
        assert run(harness, command) == reply, command


def test_the_background_removes_fields(harness: EngineHarness) -> None:
    run(harness, "HSET h f 1 g 2")
    run(harness, "HSET gone f 1")
    harness.command("HSET", "many", *[str(each) for number in range(600) for each in (number, 1)])
    run(harness, "HPEXPIRE h 10 FIELDS 1 f")
    run(harness, "HPEXPIRE gone 20 FIELDS 1 f")
    fields = [str(number) for number in range(599)]
    harness.command("HPEXPIRE", "many", 30, "FIELDS", 599, *fields)
    harness.advance(200)
    harness.tick()
    assert run(harness, "DBSIZE") == 2
    assert harness.engine.changes.expired_fields == 601
    assert run(harness, "HGETALL h") == [b"g", b"2"]
    assert run(harness, "HGETALL many") == [b"599", b"1"]
    assert harness.engine.changes.expired_fields == 601
    harness.tick()
    assert harness.engine.keyspaces[0].store.due_fields(1 << 60, 10) == []


def test_a_hash_that_has_no_deadline_any_more_is_left_alone(harness: EngineHarness) -> None:
    run(harness, "HSET h f 1 g 2")
    run(harness, "HPEXPIRE h 10 FIELDS 2 f g")
    run(harness, "HPERSIST h FIELDS 1 f")
    run(harness, "HSET h g 3")
    harness.advance(1000)
    harness.tick()
    assert run(harness, "HLEN h") == 2
    run(harness, "HPEXPIRE h 10 FIELDS 1 f")
    run(harness, "SET h string")
    harness.advance(1000)
    harness.tick()
    assert run(harness, "GET h") == b"string"


def test_nothing_expires_during_a_pause(harness: EngineHarness) -> None:
    run(harness, "HSET h f 1 g 2")
    run(harness, "HPEXPIRE h 10 FIELDS 2 f g")
    run(harness, "CLIENT PAUSE 1000 WRITE")
    harness.advance(500)
    harness.tick()
    assert harness.engine.changes.expired_fields == 0
    assert run(harness, "DBSIZE") == 1
    harness.advance(501)
    harness.tick()
    assert run(harness, "EXISTS h") == 0


def test_events(harness: EngineHarness) -> None:
    run(harness, "HSET h a 1 b 2 c 3 d 4")
    assert observe(
        harness,
        "HEXPIRE h 10 FIELDS 2 a none",
        "HEXPIRE h 10 NX FIELDS 1 a",
        "HEXPIRE h 10 FIELDS 1 none",
        "HPERSIST h FIELDS 1 a",
        "HPERSIST h FIELDS 1 a",
        "HEXPIRE h 0 FIELDS 1 a",
        "HPEXPIRE h 10 FIELDS 3 b c d",
        "HPEXPIRE h 20 FIELDS 1 d",
    ) == ["hexpire h", "hpersist h", "hdel h", "hexpire h", "hexpire h"]
    harness.advance(11)
    assert observe(harness, "HGET h d", "HGET h d") == ["hexpired h"]
    harness.advance(11)
    assert observe(harness, "HGET h d", "EXISTS h") == ["hexpired h", "del h"]
    run(harness, "HSET h a 1")
    assert observe(harness, "HEXPIRE h 0 FIELDS 1 a") == ["hdel h", "del h"]


def test_effects(harness: EngineHarness) -> None:
    journal = Journalled(harness)

    def effects(line: str) -> list[str]:
        return journal.effects(*line.split())

    run(harness, "HSET h a 1 b 2 c 3")
    assert effects("HEXPIRE h 10 NX FIELDS 3 a none b") == [
        f"HPEXPIREAT h {NOW + 10_000} FIELDS 2 a b"
    ]
    assert effects("HEXPIRE h 10 NX FIELDS 2 a none") == []
    assert effects("HINCRBY h a 4") == ["HINCRBY h a 4"]
    assert effects("HINCRBYFLOAT h a 0.5") == [
        "HSET h a 5.5",
        f"HPEXPIREAT h {NOW + 10_000} FIELDS 1 a",
    ]
    assert effects("HINCRBYFLOAT h c 0.5") == ["HSET h c 3.5"]
    assert effects("HPERSIST h FIELDS 2 a none") == ["HPERSIST h FIELDS 2 a none"]
    assert effects("HEXPIREAT h 0 FIELDS 2 a none") == ["HDEL h a"]
    harness.advance(10_001)
    assert effects("HSET h b new") == ["HDEL h b", "HSET h b new"]
    run(harness, "HPEXPIRE h 10 FIELDS 2 b c")
    harness.advance(11)
    assert effects("TYPE h") in (["HDEL h b c"], ["HDEL h c b"])


def test_a_watched_hash_breaks_when_a_field_expires(harness: EngineHarness) -> None:
    watcher = harness.client()
    run(harness, "HSET h f 1 g 2")
    run(harness, "HPEXPIRE h 10 FIELDS 1 f")

    def outcome(client: HarnessClient) -> object:
        client.command("MULTI")
        client.command("PING")
        return client.command("EXEC")

    watcher.command("WATCH", "h")
    harness.advance(10)
    assert outcome(watcher) == ["PONG"]
    watcher.command("WATCH", "h")
    harness.advance(1)
    assert outcome(watcher) is None
    watcher.command("WATCH", "h")
    run(harness, "HLEN h")
    assert outcome(watcher) is None
    watcher.command("WATCH", "h")
    run(harness, "HLEN h")
    assert outcome(watcher) == ["PONG"]


def test_a_digest_tells_whether_fields_expire(harness: EngineHarness) -> None:
    harness.engine.protected_commands["DEBUG"] = "yes"
    run(harness, "HSET h f 1 g 2")
    plain = run(harness, "DEBUG DIGEST-VALUE h")
    digests = [plain]
    for field in ("f", "g"):
        run(harness, f"HEXPIRE h 10 FIELDS 1 {field}")
        digests.append(run(harness, "DEBUG DIGEST-VALUE h"))
    assert len({str(digest) for digest in digests}) == 3
    run(harness, "HPERSIST h FIELDS 2 f g")
    assert run(harness, "DEBUG DIGEST-VALUE h") == plain


def test_a_database_without_such_fields_asks_no_hash(harness: EngineHarness) -> None:
    keyspace = harness.engine.keyspaces[0]
    run(harness, "HSET h f 1 g 2")
    harness.tick()
    assert not keyspace.fielded
    run(harness, "HPEXPIRE h 10 FIELDS 1 f")
    harness.tick()
    assert keyspace.fielded
    harness.advance(200)
    harness.tick()
    harness.tick()
    assert not keyspace.fielded
