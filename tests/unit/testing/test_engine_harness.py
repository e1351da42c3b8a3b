"""The engine harness and its RESP reader."""

import pytest

from hypercache.engine.context import Context
from hypercache.testing.engine import NOTHING, START, EngineHarness
from hypercache.testing.resp import Push, ReplyError, Truncated, Verbatim, decode_all, encode


def test_commands_and_replies() -> None:
    harness = EngineHarness()
    assert harness.command("SET", "k", 7) == "OK"
    assert harness.command(b"GET", b"k") == b"7"
    assert harness.command("NONE") == ReplyError(
        "ERR unknown command 'NONE', with args beginning with: "
    )
    assert harness.script("INCR k\nMGET k none") == [8, [b"8", None]]


def test_the_clock_moves_only_when_told() -> None:
    harness = EngineHarness()
    assert harness.now == START // 1000
    assert harness.command("TIME") == [b"%d" % (START // 1_000_000), b"0"]
    harness.advance(1500)
    assert harness.command("TIME") == [b"%d" % (START // 1_000_000 + 1), b"500000"]


def test_clients_are_apart() -> None:
    harness = EngineHarness()
    other = harness.client(3)
    other.command("SELECT", 1)
    other.command("HSET", "h", "f", "v")
    assert other.command("HGETALL", "h") == {b"f": b"v"}
    assert harness.command("EXISTS", "h") == 0
    other.command("QUIT")
    assert other.closed


def test_raw_bytes() -> None:
    client = EngineHarness().first
    client.send(b"PING\r\n*1\r\n$4\r\nPI")
    assert client.received() == b"+PONG\r\n"
    client.send(b"NG\r\n")
    assert client.replies() == ["PONG"]


def test_a_client_that_waits_has_no_reply_yet() -> None:
    harness = EngineHarness()
    assert harness.command("WAIT", 1, 100) is NOTHING
    harness.advance(100)
    assert harness.first.replies() == [0]


def test_a_bug_in_a_command_is_raised() -> None:
    harness = EngineHarness()

    def broken(context: Context, args: list[bytes]) -> object:
        raise ZeroDivisionError("a bug")

    command = harness.engine.registry.get(b"ping")
    assert command is not None
    command.function = broken
    with pytest.raises(ZeroDivisionError, match="a bug"):
        harness.command("PING")


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b"+OK\r\n", "OK"),
        (b"-ERR no\r\n", ReplyError("ERR no")),
        (b"!6\r\nERR no\r\n", ReplyError("ERR no")),
        (b":-5\r\n", -5),
        (b"(36893488147419103232\r\n", 2**65),
        (b"$4\r\na\r\nb\r\n", b"a\r\nb"),
        (b"$-1\r\n", None),
        (b"*-1\r\n", None),
        (b"_\r\n", None),
        (b"#t\r\n", True),
        (b",1.5\r\n", 1.5),
        (b"=7\r\ntxt:abc\r\n", Verbatim("txt", b"abc")),
        (b"*2\r\n:1\r\n*0\r\n", [1, []]),
        (b"~1\r\n+a\r\n", frozenset({"a"})),
        (b"%1\r\n$1\r\nf\r\n:1\r\n", {b"f": 1}),
        (b">1\r\n+a\r\n", Push(("a",))),
        (b"|1\r\n+a\r\n+b\r\n:3\r\n", 3),
    ],
)
def test_every_type_of_resp(data: bytes, value: object) -> None:
    assert decode_all(data + data) == [value, value]
    for end in range(1, len(data)):
        with pytest.raises(Truncated):
            decode_all(data[:end])


def test_requests_are_arrays_of_bulk_strings() -> None:
    assert encode("SET", b"\xff", 1) == b"*3\r\n$3\r\nSET\r\n$1\r\n\xff\r\n$1\r\n1\r\n"
