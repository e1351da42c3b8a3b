"""Nanoseconds per command without sockets: ``.venv/bin/python tests/benchmarks/micro.py``.

Feeds pipelined requests to one session of a server that does not listen, and takes its output
as a transport does. The columns are the parser alone, the writer alone with the replies of that
command, and the whole (parse, guards, command, statistics, reply); each is the fastest of the
repetitions, which is the one least disturbed.

Run as a script, not with ``-m``: then Python imports the hypercache that is installed, compiled
or not, and not the sources in the working directory.
"""

from __future__ import annotations

import argparse
import gc
import random
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence

from hypercache.config import load
from hypercache.engine.session import Outlet, Session
from hypercache.protocol.parser import RequestParser
from hypercache.protocol.writer import ReplyWriter, encode
from hypercache.server import Server, is_compiled

MSET_KEYS = 10
READ_BYTES = 16 * 1024  # what a transport reads at once
COMMANDS = ("set", "get", "incr", "mset", "ping")


class Taker(Outlet):
    """A transport to which everything is sent at once; keeps the last chunk to be looked at."""

    session: Session

    def __init__(self) -> None:
        self.last = b""

    def deliver(self) -> None:
        """Take the output as if it had been sent."""
        chunks = self.session.take()
        self.session.sent(sum(map(len, chunks)))
        self.last = chunks[-1]


def request(command: str, keys: int, value: bytes) -> list[bytes]:
    """The words of one command on random keys, as redis-benchmark sends it."""

    if " " in command:
        number = b"%012d" % random.randrange(keys)
        return [word.replace(b"__rand_int__", number) for word in command.encode().split()]

    def key(prefix: bytes = b"key:") -> bytes:
        return prefix + b"%012d" % random.randrange(keys)

    words = [command.upper().encode()]
    if command == "mset":
        for _ in range(MSET_KEYS):
            words += [key(), value]
    elif command == "set":
        words += [key(), value]
    elif command == "get":
        words.append(key())
    elif command == "incr":
        words.append(key(b"counter:"))
    return words


def reads(requests: list[bytes], pipeline: int) -> list[bytes]:
    """Requests as a transport reads them: each pipeline in pieces of READ_BYTES at most."""
    pieces = []
    for start in range(0, len(requests), pipeline):
        data = b"".join(requests[start : start + pipeline])
        pieces += [data[at : at + READ_BYTES] for at in range(0, len(data), READ_BYTES)]
    return pieces


def replies(command: str, count: int, value: bytes) -> list[object]:
    """What the command function returns for such requests."""
    if command == "get":
        return [value] * count
    if command == "incr":
        return list(range(1, count + 1))
    return ["PONG" if command == "ping" else "OK"] * count


def nanoseconds(run: Callable[[], None], count: int, repeat: int) -> float:
    """CPU time of the fastest of ``repeat`` runs, for each of ``count`` commands."""
    fastest = sys.maxsize
    for _ in range(repeat):
        started = time.process_time_ns()
        run()
        fastest = min(fastest, time.process_time_ns() - started)
    return fastest / count


class Bench:
    """A session of a server put together as the command line does it."""

    def __init__(self) -> None:
        self.engine = Server(load([])).engine
        self.taker = Taker()
        self.taker.session = self.engine.connect(self.taker)

    def whole(self, pieces: list[bytes]) -> None:
        """Serve what was read, a round for each read."""
        receive, end_round = self.taker.session.receive, self.engine.end_round
        for piece in pieces:
            receive(piece)
            end_round()

    def measure(self, command: str, options: argparse.Namespace) -> list[float]:
        """Nanoseconds per command: parser, writer, whole."""
        count, pipeline, value = options.requests, options.pipeline, b"x" * options.size
        requests = [encode(request(command, options.keys, value), 2) for _ in range(count)]
        pieces = reads(requests, pipeline)
        answers = replies(command, count, value)

        def parse() -> None:
            parser = RequestParser()
            for piece in pieces:
                parser.feed(piece)
                deque(iter(parser.next, None), 0)  # a loop in C, so that it costs little itself

        def write() -> None:
            writer = ReplyWriter()
            for at in range(0, count, pipeline):
                deque(map(writer.write, answers[at : at + pipeline]), 0)
                writer.take()

        timed = [parse, write, lambda: self.whole(pieces)]
        found = [nanoseconds(run, count, options.repeat) for run in timed]
        if self.taker.last[:1] == b"-" or self.taker.session.closing:
            raise RuntimeError(f"{command}: {self.taker.last!r}")
        return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pipeline", type=int, default=100)
    parser.add_argument("--size", type=int, default=64, help="bytes of a value (64)")
    parser.add_argument(
        "--keys", type=int, default=1_000, help="with many, memory is measured, not code (1000)"
    )
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--repeat", type=int, default=7)
    parser.add_argument(
        "--request",
        action="append",
        default=[],
        help="measure this one, such as 'LPUSH list value' (again and again; __rand_int__ is"
        " replaced by a number below --keys); may be given several times",
    )
    parser.add_argument(
        "--first",
        action="append",
        default=[],
        help="send this before, such as 'CLIENT TRACKING ON'; may be given several times",
    )
    options = parser.parse_args(arguments)
    bench = Bench()
    for command in options.first:
        bench.whole([encode(command.encode().split(), 2)])
    for number in range(options.keys):
        bench.whole([encode([b"SET", b"key:%012d" % number, b"x" * options.size], 2)])
    # As the server does it: the cyclic collector stays off the data path.
    gc.collect()
    gc.freeze()
    gc.disable()
    mode = "compiled" if is_compiled() else "interpreted"
    print(
        f"{mode}, ns per command, pipeline {options.pipeline}, {options.keys:,} keys, "
        f"values of {options.size} B\n"
    )
    print(f"{'command':10}{'parse':>8}{'write':>8}{'whole':>8}{'the rest':>10}")
    for command in options.request or COMMANDS:
        parse, write, whole = bench.measure(command, options)
        rest = whole - parse - write
        name = command.partition(" ")[0].lower()
        print(f"{name:10}{parse:8.0f}{write:8.0f}{whole:8.0f}{rest:10.0f}")


if __name__ == "__main__":
    main()
