"""MONITOR: what is shown, to whom, in which order."""

import pytest

from hypercache.engine.observation import EVERYTHING
from hypercache.testing.engine import NOTHING, EngineHarness, HarnessClient
from hypercache.testing.resp import ReplyError

STAMP = "1700000000.000000"
REFUSED = ReplyError("ERR Replica can't interact with the keyspace")


@pytest.fixture
def harness() -> EngineHarness:
    harness = EngineHarness()
    harness.first.session.address = "127.0.0.1:5000"
    return harness


@pytest.fixture
def monitor(harness: EngineHarness) -> HarnessClient:
    client = harness.client()
    assert client.command("MONITOR") == "OK"
    return client


def shown(monitor: HarnessClient) -> list[str]:
    """The lines that have come, without time and address."""
    return [str(line).partition("] ")[2] for line in monitor.replies()]


def test_a_line_has_time_database_address_and_quoted_arguments(
    harness: EngineHarness, monitor: HarnessClient
) -> None:
    harness.clock.now += 1_000_042
    harness.command("SeT", "key", 1, "EX", "100")
    harness.command("SELECT", 3)
    assert monitor.received() == (
        b'+1700000001.000042 [0 127.0.0.1:5000] "SeT" "key" "1" "EX" "100"\r\n'
        b'+1700000001.000042 [3 127.0.0.1:5000] "SELECT" "3"\r\n'
    )


def test_arguments_are_escaped_as_redis_does(
    harness: EngineHarness, monitor: HarnessClient
) -> None:
    harness.command("ECHO", b'a "b" \\ \n\r\t\a\b\x00\x1f\x7f\x80\xff ~')
    harness.command("ECHO", b"")
    assert shown(monitor) == [
        r'"ECHO" "a \"b\" \\ \n\r\t\a\b\x00\x1f\x7f\x80\xff ~"',
        '"ECHO" ""',
    ]


def test_a_unix_socket_is_named(harness: EngineHarness, monitor: HarnessClient) -> None:
    harness.first.session.is_unix = True
    harness.command("PING")
    assert monitor.replies() == [f'{STAMP} [0 unix:] "PING"']


def test_administration_and_what_is_refused_are_not_shown(
    harness: EngineHarness, monitor: HarnessClient
) -> None:
    harness.command("CONFIG", "GET", "port")
    harness.command("NOSUCH")
    harness.command("GET")
    harness.command("INCR", "key", "key")
    harness.command("LPUSH", "list", "x")
    harness.command("INCR", "list")  # it ran, and failed
    assert shown(monitor) == ['"LPUSH" "list" "x"', '"INCR" "list"']


def test_secrets_are_not_shown(harness: EngineHarness, monitor: HarnessClient) -> None:
    harness.command("AUTH", "user", "secret")
    harness.command("HELLO", "3", "AUTH", "default", "secret")
    assert shown(monitor) == [
        '"AUTH" "(redacted)" "(redacted)"',
        '"HELLO" "3" "AUTH" "(redacted)" "(redacted)"',
    ]


def test_a_transaction_is_shown_when_it_runs(
    harness: EngineHarness, monitor: HarnessClient
) -> None:
    harness.command("MULTI")
    harness.command("SET", "key", "value")
    assert shown(monitor) == ['"MULTI"']
    harness.command("EXEC")
    assert shown(monitor) == ['"SET" "key" "value"', '"EXEC"']
    harness.command("MULTI")
    harness.command("NOSUCH")
    harness.command("EXEC")
    assert shown(monitor) == ['"MULTI"', '"EXEC"']
    harness.command("MULTI")
    harness.command("SET", "key", "value")
    harness.command("exec", "extra")
    assert shown(monitor) == ['"MULTI"', '"exec" "extra"']


def test_a_command_that_waits_is_shown_once(harness: EngineHarness, monitor: HarnessClient) -> None:
    waiting = harness.client()
    assert waiting.command("BLPOP", "list", "0") is NOTHING
    assert shown(monitor) == ['"BLPOP" "list" "0"']
    harness.command("SET", "other", "x")
    harness.command("RPUSH", "list", "x")
    harness.command("RPUSH", "list", "y")
    assert shown(monitor) == [
        '"SET" "other" "x"',
        '"RPUSH" "list" "x"',
        '"RPUSH" "list" "y"',
    ]
    assert waiting.replies() == [[b"list", b"x"]]
    waiting.command("BLPOP", "list", "0")
    assert shown(monitor) == ['"BLPOP" "list" "0"']


def test_an_own_command_is_shown_behind_its_reply(monitor: HarnessClient) -> None:
    monitor.send(b"PING\r\nECHO x\r\n")
    ping, ping_shown, echo, echo_shown = monitor.replies()
    assert (ping, echo) == ("PONG", b"x")
    assert str(ping_shown).endswith('"PING"')
    assert str(echo_shown).endswith('"ECHO" "x"')


def test_a_monitor_works_on_no_data(harness: EngineHarness, monitor: HarnessClient) -> None:
    for words in (["GET", "key"], ["SET", "key", "x"]):
        monitor.send(b" ".join(word.encode() for word in words) + b"\r\n")
        assert monitor.replies() == [REFUSED]
    harness.command("PING")
    assert shown(monitor) == ['"PING"']


def test_monitor_again_is_not_answered(monitor: HarnessClient) -> None:
    assert monitor.command("MONITOR") is NOTHING


def test_monitor_is_refused_in_a_transaction(harness: EngineHarness) -> None:
    harness.command("MULTI")
    harness.command("MONITOR")
    refused = ReplyError("ERR MONITOR isn't allowed for DENY BLOCKING client")
    assert harness.command("EXEC") == [refused]
    assert harness.engine.observation.monitors.sessions == {}


def test_reset_and_leaving_end_it(harness: EngineHarness, monitor: HarnessClient) -> None:
    assert harness.engine.noted == EVERYTHING
    other = harness.client()
    other.command("MONITOR")
    monitor.received()
    assert monitor.command("RESET") == "RESET"
    assert other.replies() == [f'{STAMP} [0 ] "RESET"']
    harness.command("PING")
    assert monitor.replies() == []
    assert monitor.command("GET", "key") is None
    other.disconnect()
    assert harness.engine.noted == harness.engine.slowlog.threshold


def test_a_monitor_that_wants_no_replies_gets_no_lines(
    harness: EngineHarness, monitor: HarnessClient
) -> None:
    monitor.command("CLIENT", "REPLY", "OFF")
    harness.command("PING")
    assert monitor.received() == b""
    monitor.send(b"CLIENT REPLY ON\r\n")
    harness.command("PING")
    assert shown(monitor)[1:] == ['"CLIENT" "REPLY" "ON"', '"PING"']


def test_quit_ends_it(harness: EngineHarness, monitor: HarnessClient) -> None:
    monitor.send(b"QUIT\r\n")
    assert monitor.closed
    assert harness.command("PING") == "PONG"


def test_resp3_gets_the_same_lines(harness: EngineHarness) -> None:
    monitor = harness.client(3)
    assert monitor.command("MONITOR") == "OK"
    harness.command("PING")
    assert monitor.received().startswith(b"+1700000000.")


def test_a_monitor_that_does_not_read_is_cut_off(harness: EngineHarness) -> None:
    class Slow(HarnessClient):
        def deliver(self) -> None:
            """Takes nothing."""

    slow = Slow(harness)
    slow.session.receive(b"MONITOR\r\n")
    harness.end_round()
    harness.engine.delivery.limit("normal", 1000, 0, 0)
    for _ in range(30):
        harness.command("ECHO", "x" * 50)
    assert slow.closed
    assert harness.engine.observation.monitors.sessions == {}


def test_client_list_marks_monitors(harness: EngineHarness, monitor: HarnessClient) -> None:
    listed = harness.command("CLIENT", "LIST")
    assert isinstance(listed, bytes)
    flags = [line.partition(b"flags=")[2].split()[0] for line in listed.splitlines()]
    assert flags == [b"N", b"O"]
