"""TIME, ROLE, LOLWUT and SHUTDOWN."""

import pytest

from hypercache.engine.ending import Ending, Shutdown
from hypercache.testing.engine import NOTHING, START, EngineHarness
from hypercache.testing.resp import ReplyError


def test_time_is_seconds_and_microseconds() -> None:
    harness = EngineHarness()
    harness.clock.now += 1_500_007
    seconds = START // 1_000_000 + 1
    assert harness.command("TIME") == [b"%d" % seconds, b"500007"]


def test_role_of_a_primary() -> None:
    harness = EngineHarness()
    assert harness.command("ROLE") == [b"master", 0, []]
    harness.command("SET", "key", "value")
    assert harness.command("ROLE") == [b"master", 1, []]


def test_lolwut_ends_with_the_version() -> None:
    harness = EngineHarness()
    pictures = [harness.command("LOLWUT"), harness.command("LOLWUT", "VERSION", 5)]
    for picture in pictures:
        assert isinstance(picture, bytes)
        assert picture.endswith(b"\n\nRedis ver. 7.2.6\n")
    assert pictures[0] != pictures[1]
    refused = ReplyError("ERR value is not an integer or out of range")
    assert harness.command("LOLWUT", "VERSION", "new") == refused


class Stopper(Shutdown):
    """Notes with what options the server was asked to stop, until that is aborted."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[bool | None, bool]] = []

    def request(self, ending: Ending) -> bool:
        self.asked.append((ending.save, ending.force))
        return True

    def abort(self) -> bool:
        return bool(self.asked)


def stoppable() -> tuple[EngineHarness, Stopper]:
    harness, stopper = EngineHarness(), Stopper()
    harness.engine.shutdown = stopper
    return harness, stopper


@pytest.mark.parametrize(
    ("options", "asked"),
    [
        ([], (None, False)),
        (["NOSAVE"], (False, False)),
        (["nosave", "NOW", "FORCE"], (False, True)),
        (["SAVE", "FORCE"], (True, True)),
        (["SAVE"], (True, False)),
    ],
)
def test_shutdown_answers_nothing_and_executes_nothing_after(
    options: list[str], asked: tuple[bool | None, bool]
) -> None:
    harness, stopper = stoppable()
    harness.first.send(" ".join(["SHUTDOWN", *options]).encode() + b"\r\nSET key value\r\n")
    assert stopper.asked == [asked]
    assert harness.first.replies() == []
    assert harness.client().command("EXISTS", "key") == 0


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["ABORT"], "ERR No shutdown in progress."),
        (["SAVE", "NOSAVE"], "ERR syntax error"),
        (["ABORT", "NOW"], "ERR syntax error"),
        (["LATER"], "ERR syntax error"),
    ],
)
def test_shutdown_refuses(options: list[str], expected: str) -> None:
    harness, stopper = stoppable()
    assert harness.command("SHUTDOWN", *options) == ReplyError(expected)
    assert stopper.asked == []
    assert harness.command("PING") == "PONG"


def test_shutdown_is_aborted_by_another_client() -> None:
    harness, _ = stoppable()
    assert harness.command("SHUTDOWN") is NOTHING
    assert harness.client().command("SHUTDOWN", "ABORT") == "OK"


def test_shutdown_of_an_engine_without_a_server() -> None:
    harness = EngineHarness()
    refused = ReplyError("ERR Errors trying to SHUTDOWN. Check logs.")
    assert harness.command("SHUTDOWN", "NOSAVE") == refused


def test_shutdown_cannot_wait_for_exec() -> None:
    harness, stopper = stoppable()
    harness.command("MULTI")
    refused = ReplyError("ERR Command not allowed inside a transaction")
    assert harness.command("SHUTDOWN") == refused
    assert stopper.asked == []


def test_nothing_comes_from_a_client_whose_server_stops() -> None:
    harness, _ = stoppable()
    assert harness.command("SHUTDOWN") is NOTHING
