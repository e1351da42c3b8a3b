"""Libraries of functions: loading, calling, ending, and what persistence needs of them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypercache_scripting import library_loading
from hypercache_scripting.functions import Functions, dump, undump
from hypercache_scripting.shared import Scripting

from hypercache.plugin import ErrorReply
from hypercache.testing.engine import EngineHarness, ManualClock
from hypercache.testing.resp import ReplyError, encode
from tests.support.played import played
from tests.support.scripts import with_scripts
from tests.support.sinks import MemorySink
from tests.support.transcripts import Section, load

SECTIONS = [
    section
    for path in sorted((Path(__file__).parent / "function_transcripts").glob("*.txt"))
    for section in load(path)
]


LIBRARY = """#!lua name=%s
redis.register_function('%s', function(keys, args) return %s end)"""


@pytest.fixture
def harness() -> Iterator[EngineHarness]:
    """An engine with scripts and functions."""
    harness = EngineHarness()
    with_scripts(harness)
    yield harness
    harness.close()


@pytest.mark.parametrize("section", SECTIONS, ids=str)
def test_functions_behave_as_those_of_redis(harness: EngineHarness, section: Section) -> None:
    assert played(harness, section) == section.written()


def functions_of(harness: EngineHarness) -> Functions:
    shared = harness.engine.shared["scripting"]
    assert isinstance(shared, Scripting)
    return shared.functions


def test_library_that_takes_too_long_to_load_is_refused(
    harness: EngineHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(library_loading, "DEADLINE", 0.0)
    text = "ERR Error registering functions: ERR FUNCTION LOAD timeout"
    assert harness.command("FUNCTION", "LOAD", "#!lua name=x\nwhile true do end") == ReplyError(
        text
    )
    payload = dump([b"#!lua name=x\nrepeat until false"])
    assert harness.command("FUNCTION", "RESTORE", payload) == ReplyError(text)
    monkeypatch.undo()
    assert harness.command("FUNCTION", "LOAD", LIBRARY % ("x", "f", "1")) == b"x"
    assert harness.command("FCALL", "f", 0) == 1


def test_libraries_are_journalled_as_the_commands_that_change_them(harness: EngineHarness) -> None:
    sink = MemorySink()
    harness.engine.settlement.add_sink(sink)
    source = LIBRARY % ("x", "f", "redis.call('set', keys[1], 'v')")
    payload = dump([source.encode()])
    harness.command("FUNCTION", "LOAD", source)
    harness.command("FUNCTION", "LOAD", source)
    harness.command("FUNCTION", "LOAD", "REPLACE", source)
    harness.command("FCALL", "f", 1, "k")
    harness.command("FCALL", "f", 0)
    harness.command("FUNCTION", "LIST")
    harness.command("FUNCTION", "DELETE", "x")
    harness.command("FUNCTION", "DELETE", "x")
    harness.command("FUNCTION", "RESTORE", payload, "FLUSH")
    harness.command("FUNCTION", "RESTORE", "nothing")
    harness.command("FUNCTION", "FLUSH")
    assert sink.commands() == [
        [b"FUNCTION", b"LOAD", source.encode()],
        [b"FUNCTION", b"LOAD", b"REPLACE", source.encode()],
        [b"set", b"k", b"v"],
        [b"FUNCTION", b"DELETE", b"x"],
        [b"FUNCTION", b"RESTORE", payload, b"FLUSH"],
        [b"FUNCTION", b"FLUSH"],
    ]


def test_restoring_is_all_or_nothing(harness: EngineHarness) -> None:
    functions = functions_of(harness)
    old = (LIBRARY % ("old", "f", "1")).encode()
    functions.load(old)
    for policy in (b"append", b"replace", b"flush"):
        with pytest.raises(ErrorReply, match="No functions registered"):
            functions.restore([(LIBRARY % ("new", "g", "1")).encode(), b"#!lua name=x\n"], policy)
    assert functions.sources() == [old]
    assert harness.command("FCALL", "f", 0) == 1
    assert harness.command("FCALL", "g", 0) == ReplyError("ERR Function not found")


def test_what_redis_dumps_is_read(harness: EngineHarness) -> None:
    """With a source of many equal bytes, which Redis compresses."""
    payload = bytes.fromhex((Path(__file__).parent / "redis_function_dump.hex").read_text("ascii"))
    assert harness.command("FUNCTION", "RESTORE", payload) == "OK"
    assert harness.command("FCALL", "first", 0) == b"a" * 100
    assert harness.command("FCALL", "second", 1, "k") == [b"k"]
    sources = functions_of(harness).sources()
    assert sorted(undump(payload)) == sorted(undump(dump(sources))) == sorted(sources)


def test_two_functions_of_a_library_have_names_that_differ_in_more_than_case(
    harness: EngineHarness,
) -> None:
    """Redis takes them, finds but one of the two, and ends when the library is deleted."""
    two = "redis.register_function('f', print_) redis.register_function('F', print_)"
    answer = harness.command("FUNCTION", "LOAD", f"#!lua name=x\nlocal print_ = redis.log {two}")
    assert answer == ReplyError(
        "ERR Error registering functions: ERR Function already exists in the library"
    )


BUSY = "BUSY Redis is busy running a script. You can only call FUNCTION KILL or SHUTDOWN NOSAVE."


def test_long_function_can_be_seen_and_killed(
    harness: EngineHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = harness.client()

    def serve_others() -> None:
        for request in (b"PING", b"FUNCTION STATS", b"SCRIPT KILL", b"FUNCTION KILL"):
            other.session.receive(encode(*request.split()))

    def later(clock: ManualClock) -> int:
        clock.now += 1_000_000
        return clock.now

    source = LIBRARY % ("x", "f", "(function() while true do end end)()")
    harness.command("FUNCTION", "LOAD", source)
    harness.engine.scripts.serve_others = serve_others
    monkeypatch.setattr(ManualClock, "microseconds", later)
    killed = harness.command("FCALL", "f", 1, "k", "argument")
    assert killed == ReplyError(
        "ERR Script killed by user with SCRIPT KILL... script: f, on @user_function:2."
    )
    told, stats, refused, done = other.replies()
    assert told == refused == ReplyError(BUSY)
    assert isinstance(stats, list)
    running = stats[1]
    assert running[:4] == [b"name", b"f", b"command", [b"FCALL", b"f", b"1", b"k", b"argument"]]
    assert running[5] >= 5000
    assert done == "OK"
