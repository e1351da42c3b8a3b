"""Rounds of writing, killing, starting again and comparing."""

import random
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from hypercache.testing.server import ServerProcess
from tests.support.faults import Orders
from tests.support.killing.ledger import ALWAYS, Found, Ledger, Lost, Promise, check_order
from tests.support.killing.model import Request, read_keys
from tests.support.killing.writes import Source, Write
from tests.support.resp import Client, Disconnected, ReplyError, connect, encode, info

#: The database of the witnesses, that of keys which only make files larger, and those of clients.
WITNESSES: Final = 0
BALLAST: Final = 15
CLIENTS: Final = 3
#: Seconds until a server is killed, at most; and writes that are sent at once.
LONGEST_LIFE: Final = 0.4
BURST: Final = 12
#: How often a server is killed again while it starts, and how often it ends in order.
KILLED_AT_START: Final = 0.15
STOPPED: Final = 0.05

#: Operations on files that do not belong to each write.
_DECISIVE: Final = ("open", "rename", "replace", "unlink", "fsync")

#: Does to a server, through a client and until a moment, what it is to be killed amid; answers
#: what it then has to keep.
Disturb: TypeAlias = Callable[[Client, random.Random, float], Promise]
#: Changes files of a server that was killed.
Tamper: TypeAlias = Callable[[Path], None]


def quiet(client: Client, chance: random.Random, until: float) -> Promise:
    """Nothing but writes goes on."""
    time.sleep(max(until - time.monotonic(), 0))
    return ALWAYS


def command(*words: str) -> Disturb:
    """A command is sent once, some time before the end."""

    def disturb(client: Client, chance: random.Random, until: float) -> Promise:
        quiet(client, chance, time.monotonic() + chance.uniform(0, until - time.monotonic()))
        client.call(*words)
        return quiet(client, chance, until)

    return disturb


def commands(*words: str) -> Disturb:
    """A command is sent over and over; that it is refused while it runs is no harm."""

    def disturb(client: Client, chance: random.Random, until: float) -> Promise:
        while time.monotonic() < until:
            client.call(*words)
            time.sleep(chance.uniform(0, 0.02))
        return ALWAYS

    return disturb


def snapshots(client: Client, chance: random.Random, until: float) -> Promise:
    """Nothing is kept but snapshots: all that was acknowledged before the last one began."""
    since = 0.0
    while time.monotonic() < until:
        began = time.monotonic()
        assert not isinstance(client.call("BGSAVE"), ReplyError)
        while info(client, "persistence")["rdb_bgsave_in_progress"] == "1":
            if time.monotonic() > until:
                return Promise("snapshot", since=since)
            time.sleep(0.001)
        assert info(client, "persistence")["rdb_last_bgsave_status"] == "ok"
        since = began
    return Promise("snapshot", since=since)


def amid_operations(orders: Orders, *words: str) -> Disturb:
    """The server ends by itself, at a random operation on files after a command."""

    def disturb(client: Client, chance: random.Random, until: float) -> Promise:
        quiet(client, chance, time.monotonic() + chance.uniform(0, 0.1))
        orders.give(_kill(chance))
        try:
            while time.monotonic() < until + LONGEST_LIFE:
                client.call(*words)
                time.sleep(0.005)
        except (Disconnected, OSError):
            return ALWAYS
        finally:
            orders.withdraw()
        return ALWAYS

    return disturb


def _kill(chance: random.Random) -> str:
    """An order; its last word is for making it new."""
    if chance.random() < 0.3:
        return f"kill any {chance.randrange(1, 60)} {chance.random()}"
    return f"kill {chance.choice(_DECISIVE)} {chance.randrange(1, 4)} {chance.random()}"


class Writer(threading.Thread):
    """Writes what its source says until the server is gone, and notes it in its ledger.

    ``witnesses`` is the list that all push to.
    """

    def __init__(
        self, source: Source, ledger: Ledger, server: ServerProcess, witnesses: str
    ) -> None:
        super().__init__(daemon=True)
        self.source = source
        self.ledger = ledger
        self.witnesses = witnesses
        self.client = connect(server, timeout=30)
        self.failure: AssertionError | None = None

    def run(self) -> None:
        try:
            with self.client:
                self.client.call("SELECT", str(self.source.databases[0]))
                while True:
                    self._burst()
        except (Disconnected, OSError):
            return
        except AssertionError as error:
            self.failure = error

    def _burst(self) -> None:
        now = time.time_ns() // 1_000_000
        chance = self.source.random
        count = chance.randrange(1, BURST) if chance.random() < 0.3 else 1
        writes = [self.source.next(now) for _ in range(count)]
        self.ledger.writes += writes
        data = [encode(*words) for write in writes for words in self._words(write)]
        self.client.send(b"".join(data))
        for write in writes:
            self._receive(write)
            write.acknowledged = time.monotonic()
            write.wall = (now, time.time_ns() // 1_000_000)

    def _words(self, write: Write) -> list[Request]:
        """What is sent for a write."""
        if not write.in_transaction:
            return write.requests
        words: list[Request] = [("MULTI",)]
        if write.witness:
            own = str(self.source.databases[0])
            words += [("SELECT", str(WITNESSES)), ("RPUSH", self.witnesses, write.witness)]
            words.append(("SELECT", own))
        return [*words, *write.requests, ("EXEC",)]

    def _receive(self, write: Write) -> None:
        replies = [self.client.read() for _ in self._words(write)]
        errors = [reply for reply in replies if isinstance(reply, ReplyError)]
        assert not errors, f"{write.requests} was answered {errors}"
        if write.in_transaction:
            inner = replies[-1]
            assert isinstance(inner, list), inner
            if write.witness:
                write.place = inner[1]
                inner = inner[3:]
            replies = inner
        write.replies = replies


@dataclass
class Totals:
    """What rounds have come to. Times in seconds."""

    rounds: int = 0
    writes: int = 0
    missing: int = 0
    oldest: float = 0.0
    starts: float = 0.0

    def __str__(self) -> str:
        lost = f"{self.missing} acknowledged writes not there after a start"
        lost += f", the first {self.oldest:.3f} s old" if self.missing else ""
        start = self.starts / max(self.rounds, 1)
        return f"{self.rounds} rounds, {self.writes:,} writes, {lost}; {start:.2f} s a start"


class Rounds:
    """Rounds with one server, which is not running between them. ``seed`` decides all but time.

    ``disturb`` is what goes on beside the writes; a server keeps what that answers, or
    ``promise`` where it answers `ALWAYS`. ``ballast`` is a number of keys. With ``orders`` it is
    also killed at operations on files while it starts.
    """

    def __init__(
        self,
        server: ServerProcess,
        seed: str,
        disturb: Disturb = quiet,
        promise: Promise = ALWAYS,
        ballast: int = 0,
        tamper: Tamper | None = None,
        orders: Orders | None = None,
    ) -> None:
        self.server = server
        self.seed = seed
        self.random = random.Random(seed)
        self.disturb = disturb
        self.promise = promise
        self.ballast = ballast
        self.tamper = tamper
        self.orders = orders
        #: An order may strike a server while it is being stopped, or an instant before.
        self._ends_in_order = (0, -signal.SIGKILL) if orders else (0,)
        self.totals = Totals()
        pairs = [(1 + 2 * number, 2 + 2 * number) for number in range(CLIENTS)]
        names = [chr(ord("a") + number) for number in range(CLIENTS)]
        self.sources = [
            Source(f"{seed}/{name}", name, pair) for name, pair in zip(names, pairs, strict=True)
        ]
        self.ledgers = [Ledger(name) for name in names]
        self.writers: list[Writer] = []

    def play(self, rounds: int) -> Totals:
        """So many rounds with a server that has just been started and is empty.

        Raises:
            Lost: with the seed that leads there again, if the moments are the same.
        """
        self._prepare()
        try:
            for _ in range(rounds):
                self._round()
        except AssertionError as error:
            raise Lost(f"seed {self.seed}, round {self.totals.rounds}: {error}") from error
        return self.totals

    def _prepare(self) -> None:
        with connect(self.server, timeout=60) as client:
            client.call("SELECT", str(BALLAST))
            for start in range(0, self.ballast, 1_000):
                stop = min(start + 1_000, self.ballast)
                client.pipeline(*(("SET", f"key:{n}", _ballast(n)) for n in range(start, stop)))
            if self.disturb is snapshots or self.promise.since is not None:
                assert client.call("SAVE") == "OK"

    def _round(self) -> None:
        self.totals.rounds += 1
        witnesses = f"witnesses:{self.totals.rounds}"
        self.writers = [
            Writer(source, ledger, self.server, witnesses)
            for source, ledger in zip(self.sources, self.ledgers, strict=True)
        ]
        for writer in self.writers:
            writer.start()
        with connect(self.server, timeout=60) as client:
            client.call("DEL", f"witnesses:{self.totals.rounds - 1}")
            until = time.monotonic() + self.random.uniform(0.01, LONGEST_LIFE)
            kept = self.disturb(client, self.random, until)
        promise = self.promise if kept is ALWAYS else kept
        end = self._end(promise)
        self._start()
        self._compare(promise, end, witnesses)

    def _end(self, promise: Promise) -> float:
        """End the server under its writers, mostly by SIGKILL; when that was."""
        end = time.monotonic()
        if promise.since is None and self.server.running and self.random.random() < STOPPED:
            status = self.server.stop()
            assert status in self._ends_in_order, f"{status}: {self.server.output[-2_000:]}"
        else:
            self.server.kill()
        wall = time.time_ns() // 1_000_000
        for writer in self.writers:
            writer.join(60)
            assert not writer.is_alive(), "a writer waits for a server that is gone"
            if writer.failure is not None:
                raise AssertionError(
                    f"client {writer.source.name}: {writer.failure}"
                ) from writer.failure
            for write in writer.ledger.writes:
                if write.acknowledged is None:
                    write.wall = (write.wall[0], wall)
        if self.tamper is not None:
            self.tamper(self.server.directory)
        return end

    def _start(self) -> None:
        """Start the server anew; now and then it is killed again meanwhile."""
        if self.random.random() < KILLED_AT_START:
            self._start_in_vain()
        began = time.monotonic()
        self.server.start()
        self.totals.starts += time.monotonic() - began

    def _start_in_vain(self) -> None:
        usual = self.totals.starts / self.totals.rounds
        if self.orders is not None:
            self.orders.give(_kill(self.random))
        self.server.launch()
        until = time.monotonic() + self.random.uniform(0, 2 * usual + 0.02)
        while self.server.running and time.monotonic() < until:
            time.sleep(0.001)
        self.server.kill()
        if self.orders is not None:
            self.orders.withdraw()

    def _compare(self, promise: Promise, end: float, witnesses: str) -> None:
        found = self._read(witnesses)
        for ledger in self.ledgers:
            ledger.resolve(found, promise, end)
        check_order(found.witnesses, self.ledgers)
        for source, ledger in zip(self.sources, self.ledgers, strict=True):
            missing, age = ledger.missing(end)
            self.totals.writes += len(ledger.writes)
            self.totals.missing += missing
            self.totals.oldest = max(self.totals.oldest, age)
            source.state = ledger.settle()

    def _read(self, witnesses: str) -> Found:
        with connect(self.server, timeout=60) as client:
            databases = {
                source.name: [read_keys(client, number) for number in source.databases]
                for source in self.sources
            }
            now = time.time_ns() // 1_000_000
            client.call("SELECT", str(WITNESSES))
            listed = client.call("LRANGE", witnesses, "0", "-1")
            assert isinstance(listed, list), listed
            self._check_ballast(client)
        return Found(databases, now, [each.decode() for each in listed])

    def _check_ballast(self, client: Client) -> None:
        client.call("SELECT", str(BALLAST))
        assert client.call("DBSIZE") == self.ballast, "keys are missing that nobody wrote to"
        for number in self.random.sample(range(self.ballast), min(self.ballast, 20)):
            assert client.call("GET", f"key:{number}") == _ballast(number).encode()


def _ballast(number: int) -> str:
    return f"{number}:" * 20
