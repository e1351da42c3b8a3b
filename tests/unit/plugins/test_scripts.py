"""EVAL and SCRIPT: what redis-server answers, and what a transcript cannot show."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from hypercache.testing.engine import NOTHING, EngineHarness, HarnessClient, ManualClock
from hypercache.testing.resp import ReplyError, encode
from tests.support.played import played
from tests.support.scripts import with_scripts
from tests.support.sinks import MemorySink
from tests.support.transcripts import Section, load

SECTIONS = [
    section
    for path in sorted((Path(__file__).parent / "script_transcripts").glob("*.txt"))
    for section in load(path)
]


@pytest.fixture
def harness() -> Iterator[EngineHarness]:
    """An engine with scripts."""
    harness = EngineHarness()
    with_scripts(harness)
    yield harness
    harness.close()


@pytest.mark.parametrize("section", SECTIONS, ids=str)
def test_scripts_behave_as_those_of_redis(harness: EngineHarness, section: Section) -> None:
    assert played(harness, section) == section.written()


def test_booleans_stay_booleans_in_resp3(harness: EngineHarness) -> None:
    """Compiled and interpreted: a bool is an int for Python, and none for scripts."""
    harness.engine.protected_commands["DEBUG"] = "yes"
    harness.command("DEBUG", "SET-DISABLE-DENY-SCRIPTS", 1)
    for word, number in (("true", 1), ("false", 0)):
        call = f"redis.call('DEBUG', 'PROTOCOL', '{word}')"
        kind = f"redis.setresp(3) return type({call}) .. ' ' .. tostring({call})"
        assert harness.command("EVAL", kind, 0) == f"boolean {word}".encode()
        assert harness.command("EVAL", f"return {call}", 0) == number


# One step -----------------------------------------------------------------------------------------


@pytest.fixture
def sink(harness: EngineHarness) -> MemorySink:
    """What a file or a replica would get."""
    sink = MemorySink()
    harness.engine.settlement.add_sink(sink)
    return sink


def test_effects_of_a_script_are_one_record(harness: EngineHarness, sink: MemorySink) -> None:
    harness.command("SADD", "s", "one")
    harness.command(
        "EVAL",
        "redis.call('SPOP', 's') redis.call('SET', 'k', 'v', 'EX', 10) redis.call('GET', 'k')"
        " redis.call('SELECT', 1) return redis.call('INCR', KEYS[1])",
        1,
        "n",
    )
    records = [[(each.database, each.args) for each in record.effects] for record in sink.records]
    assert records[1:] == [
        [
            (0, [b"SREM", b"s", b"one"]),
            (0, [b"SET", b"k", b"v", b"PXAT", b"1700000010000"]),
            (1, [b"INCR", b"n"]),
        ]
    ]
    assert harness.first.session.written == harness.engine.journal.offset


def test_scripts_inside_exec_are_part_of_its_record(
    harness: EngineHarness, sink: MemorySink
) -> None:
    harness.command("MULTI")
    harness.command("EVAL", "return redis.call('SET', 'a', '1')", 0)
    harness.command("SET", "b", 2)
    harness.command("EVAL", "redis.call('SET', 'c', '3') error('late')", 0)
    harness.command("EXEC")
    assert [[each.args[1] for each in record.effects] for record in sink.records] == [
        [b"a", b"b", b"c"]
    ]


def test_set_repl_keeps_effects_from_the_journal(harness: EngineHarness, sink: MemorySink) -> None:
    harness.command(
        "EVAL",
        "redis.set_repl(redis.REPL_NONE) redis.call('SET', 'a', '1')"
        " redis.set_repl(redis.REPL_ALL) redis.call('SET', 'b', '2')",
        0,
    )
    assert sink.commands() == [[b"SET", b"b", b"2"]]
    assert harness.command("GET", "a") == b"1"


# Long scripts -------------------------------------------------------------------------------------


class TickingClock(ManualClock):
    """A clock that goes on by a millisecond with each look at it, once it is told to."""

    ticking = False

    def microseconds(self) -> int:
        if self.ticking:
            self.now += 1000
        return self.now


@pytest.fixture
def others(harness: EngineHarness) -> Iterator[list[tuple[HarnessClient, list[str]]]]:
    """Requests that come while a script runs: each is served in an interlude of its own."""
    clock = TickingClock()
    harness.engine.clock = clock
    harness.engine.scripts.threshold = 5
    waiting: list[tuple[HarnessClient, list[str]]] = []

    def serve() -> None:
        if waiting:
            client, words = waiting.pop(0)
            client.session.receive(encode(*words))

    harness.engine.scripts.serve_others = serve
    clock.ticking = True
    yield waiting
    assert waiting == []


ENDLESS = "while true do end"
BUSY = ReplyError(
    "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE."
)
Others = list[tuple[HarnessClient, list[str]]]


def killed(harness: EngineHarness, text: str) -> None:
    """A script ends in being killed."""
    reply = harness.command("EVAL", text, 0)
    assert isinstance(reply, ReplyError)
    assert reply.text.startswith("ERR Script killed by user with SCRIPT KILL... script: ")
    assert harness.command("EVAL", "return 'well'", 0) == b"well"


@pytest.mark.parametrize(
    "text",
    [
        ENDLESS,
        "while true do pcall(function() while true do end end) end",
        "while true do xpcall(function() while true do end end, function() end) end",
        "while true do pcall(redis.call, 'nosuch') end",
        "local c = coroutine.create(function() while true do end end)"
        " while true do coroutine.resume(c) end",
        "local w = coroutine.wrap(function() while true do end end) pcall(w) while true do end",
        "pcall(load, function() while true do end end) while true do end",
        "local t = setmetatable({}, {__index = function() while true do end end})"
        " pcall(function() return t.x end) return 1",
        "pcall(string.gsub, ('x'):rep(100), '.', function() while true do end end) return 1",
        "pcall(table.sort, {3, 2, 1}, function() while true do end end) return 1",
        "pcall(coroutine.wrap(function() pcall(function() while true do end end) end)) return 1",
    ],
)
def test_no_script_survives_being_killed(harness: EngineHarness, others: Others, text: str) -> None:
    others.append((harness.client(), ["SCRIPT", "KILL"]))
    killed(harness, text)
    assert others == []


def test_others_see_nothing_of_a_script_under_way(harness: EngineHarness, others: Others) -> None:
    sink = MemorySink()
    harness.engine.settlement.add_sink(sink)
    other, third = harness.client(), harness.client()
    third.send(encode("BLPOP", "list", 0))
    harness.first.session.receive(encode("SET", "before", 1))
    others.extend([(other, ["GET", "k"]), (other, ["PING"]), (other, ["SHUTDOWN"])])
    others.append((harness.first, ["GET", "k"]))
    text = (
        "redis.call('SET', 'k', 'v') redis.call('RPUSH', 'list', 'x')"
        " for i = 1, 2000000 do local x = i end return redis.call('GET', 'k')"
    )
    harness.first.send(encode("EVAL", text, 0))
    assert other.replies() == [BUSY, BUSY, BUSY]
    assert harness.first.replies() == ["OK", b"v", b"v"]
    assert third.replies() == [[b"list", b"x"]]
    assert [len(record.effects) for record in sink.records] == [1, 2, 1]
    assert harness.command("PING") == "PONG"


def test_caller_that_goes_away_is_gone(harness: EngineHarness, others: Others) -> None:
    caller = harness.client()
    steps: list[HarnessClient] = [caller]
    serve = harness.engine.scripts.serve_others
    assert serve is not None

    def leave_then_serve() -> None:
        if steps:
            steps.pop().disconnect()
        else:
            serve()

    harness.engine.scripts.serve_others = leave_then_serve
    others.append((harness.first, ["SCRIPT", "KILL"]))
    caller.send(encode("EVAL", ENDLESS, 0))
    assert harness.first.replies() == ["OK"]
    assert caller.session.id not in harness.engine.sessions
    assert harness.command("PING") == "PONG"
    others.clear()


def test_time_stands_still_in_a_script(harness: EngineHarness, others: Others) -> None:
    text = (
        "local before = redis.call('TIME') for i = 1, 300000 do local x = i end"
        " local after = redis.call('TIME') return {before[1] == after[1], before[2] == after[2]}"
    )
    before = harness.engine.clock.microseconds()
    assert harness.command("EVAL", text, 0) == [1, 1]
    assert harness.engine.clock.microseconds() > before + 2000


def test_what_a_user_may_not_do_its_scripts_may_not(harness: EngineHarness) -> None:
    harness.command("ACL", "SETUSER", "reader", "on", "nopass", "~a*", "+@all", "-set")
    client = harness.client()
    assert client.command("AUTH", "reader", "any") == "OK"
    denied = client.command("EVAL", "return redis.call('SET', 'a', '1')", 0)
    assert isinstance(denied, ReplyError)
    assert denied.text.startswith(
        "ERR ACL failure in script: User reader has no permissions to run the 'set' command"
    )
    key = client.command("EVAL", "return redis.pcall('GET', 'b')['err']", 0)
    assert key == b"ERR ACL failure in script: No permissions to access a key"
    text = "return {redis.acl_check_cmd('get', 'a'), redis.acl_check_cmd('get', 'b')}"
    assert client.command("EVAL", text, 0) == [1, None]


def test_memory_is_asked_for_before_the_first_write(harness: EngineHarness) -> None:
    harness.command("SET", "big", b"x" * 10_000)
    harness.engine.memory.set_limit(1)
    refused = harness.command("EVAL", "return redis.call('SET', 'k', '1')", 0)
    assert isinstance(refused, ReplyError)
    assert refused.text.startswith("OOM command not allowed when used memory > 'maxmemory'.")
    # One that grows nothing counts as a write: what follows is let pass.
    text = "redis.call('DEL', 'none') return redis.call('SET', 'k', '1')"
    assert harness.command("EVAL", text, 0) == "OK"
    declared = "#!lua flags=allow-oom\nreturn redis.call('SET', 'k', '2')"
    assert harness.command("EVAL", declared, 0) == "OK"
    text = "OOM command not allowed when used memory > 'maxmemory'."
    assert harness.command("EVAL", "#!lua\nreturn 1", 0) == ReplyError(text)
    assert harness.command("EVAL", "#!lua flags=no-writes\nreturn 1", 0) == 1


def test_scripts_without_writes_are_not_paused(harness: EngineHarness) -> None:
    harness.command("CLIENT", "PAUSE", 1000, "WRITE")
    assert harness.command("EVAL", "#!lua flags=no-writes\nreturn 1", 0) == 1
    assert harness.command("EVAL_RO", "return 1", 0) == 1
    assert harness.client().command("EVAL", "return 1", 0) is NOTHING


def test_information(harness: EngineHarness) -> None:
    harness.command("EVAL", "return 1", 0)
    harness.command("SCRIPT", "LOAD", "return 2")
    information = harness.command("INFO", "memory")
    assert isinstance(information, bytes)
    assert b"number_of_cached_scripts:2\r\n" in information
    assert b"used_memory_vm_eval:" in information
