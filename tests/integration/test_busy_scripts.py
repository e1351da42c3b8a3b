"""A script that takes too long in a real server: others are told, and may end it."""

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import IO

import pytest

from hypercache.testing.resp import ReplyError, decode_next, encode
from hypercache.testing.server import ServerProcess

BUSY = "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE."
KILLED = "ERR Script killed by user with SCRIPT KILL..."


@contextmanager
def client(server: ServerProcess) -> Iterator[IO[bytes]]:
    """A connection as a stream of bytes."""
    with closing(server.connect()) as sock, closing(sock.makefile("rwb")) as stream:
        yield stream


def send(stream: IO[bytes], *arguments: str | int) -> None:
    stream.write(encode(*arguments))
    stream.flush()


def ask(stream: IO[bytes], *arguments: str | int) -> object:
    send(stream, *arguments)
    return decode_next(stream)


def wait_until_busy(stream: IO[bytes]) -> None:
    deadline = time.monotonic() + 10
    while ask(stream, "PING") != ReplyError(BUSY):
        assert time.monotonic() < deadline
        time.sleep(0.002)


@pytest.mark.parametrize("backend", ["memory", "lmdb"])
def test_busy_server_can_be_freed(backend: str) -> None:
    settings = {"busy-reply-threshold": "20", "backend": backend}
    with ServerProcess(settings=settings) as server:
        with client(server) as caller, client(server) as other:
            # The caller's requests before the script are answered while it runs; those after
            # it when it is over.
            caller.write(encode("SET", "before", 1))
            caller.write(encode("EVAL", "while true do pcall(redis.call, 'GET', 'before') end", 0))
            caller.write(encode("GET", "before"))
            caller.flush()
            wait_until_busy(other)
            assert decode_next(caller) == "OK"
            assert ask(other, "GET", "before") == ReplyError(BUSY)
            assert ask(other, "MULTI") == "OK"
            assert ask(other, "GET", "before") == ReplyError(BUSY)
            assert ask(other, "DISCARD") == "OK"
            assert ask(other, "SHUTDOWN") == ReplyError(BUSY)
            assert ask(other, "FUNCTION", "KILL") == ReplyError(BUSY)
            with client(server) as newcomer:
                assert ask(newcomer, "SCRIPT", "KILL") == "OK"
            killed = decode_next(caller)
            assert isinstance(killed, ReplyError)
            assert killed.text.startswith(KILLED)
            assert decode_next(caller) == b"1"
            assert ask(other, "PING") == "PONG"
            assert ask(other, "SCRIPT", "KILL") == ReplyError(
                "NOTBUSY No scripts in execution right now."
            )

            # Who goes away meanwhile leaves nothing behind.
            with client(server) as leaver:
                send(leaver, "EVAL", "while true do end", 0)
                wait_until_busy(other)
            assert ask(other, "SCRIPT", "KILL") == "OK"
            assert ask(other, "PING") == "PONG"

            # A script that has written is not to be killed, and the server can still be ended.
            send(caller, "EVAL", "redis.call('SET', 'half', '1') while true do end", 0)
            wait_until_busy(other)
            reply = ask(other, "SCRIPT", "KILL")
            assert isinstance(reply, ReplyError)
            assert reply.text.startswith("UNKILLABLE")
            assert ask(other, "PING") == ReplyError(BUSY)
            send(other, "SHUTDOWN", "NOSAVE")
            assert server.wait_ended() == 0
        if backend == "lmdb":
            server.start()
            with client(server) as again:
                assert ask(again, "MGET", "before", "half") == [b"1", None]
