"""A durable server that is killed amid random commands, beside a twin in memory that is not.

While both live, they are compared as everywhere here. When the server is to be killed, only it
gets commands, one unit after the other, until it is gone; its twin then gets those that it
has acknowledged. The one that was under way may have been kept or not: a transaction as a whole,
single commands up to any of them.
"""

import random
import re
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from hypercache.engine.registry import Registry
from hypercache.testing.calls import Tape
from hypercache.testing.engine import EngineHarness
from hypercache.testing.server import ServerProcess
from tests.machine.duel import Difference, Duel, EngineSide, SocketSide
from tests.machine.script import MULTI, TAPE_BYTES, Request, Script, Unit, needs_both

#: Units that both servers get before one is killed, at most, and seconds until that happens.
QUIET_UNITS: Final = 60
LONGEST_LIFE: Final = 0.25
#: Bytes in values that have nothing to say but make checkpoints and enlargements happen.
BALLAST: Final = 20_000

#: Told the folder of a server that was killed; what is wrong there.
Check = Callable[[Path], list[str]]


class Twin(EngineSide):
    """An engine in memory whose clock is the time of day."""

    def send(self, requests: Sequence[Request]) -> None:
        self.harness.clock.now = time.time_ns() // 1000
        super().send(requests)

    def pass_time(self, milliseconds: int) -> None:
        """It passes by itself."""


class Killed:
    """Plays rounds, each of which ends with the death of the server.

    ``seed`` determines all but the moments at which the server dies.
    """

    def __init__(
        self, server: ServerProcess, registry: Registry, script: Script, check: Check, seed: str
    ) -> None:
        self.server = server
        self.script = script
        self.check = check
        self.random = random.Random(seed)
        self.registry = registry
        self.kills = 0
        self.requests = 0
        self.harness = EngineHarness()
        self.duel = self._connected()
        self.duel.restart(2)

    def close(self) -> None:
        """Let both go."""
        self.duel.ours.close()
        self.harness.close()

    def round(self) -> None:
        """Compare, kill, check, start again, compare."""
        self.duel.play([self._unit() for _ in range(self.random.randrange(QUIET_UNITS))])
        rest = self._until_killed()
        self.kills += 1
        self._expect_no(self.check(self.server.directory), "in the store of the killed server")
        self._start_again()
        self._compare(rest)
        if self.random.random() < 0.2:
            self.server.stop()
            self._start_again()

    def _start_again(self) -> None:
        """Start the server, and begin anew with connections of one protocol on both sides."""
        self.server.start()
        self.duel.ours.close()
        self.duel = self._connected()
        protocol = b"%d" % self.random.choice((2, 3))
        for side in (self.duel.ours, self.duel.theirs):
            side.send([(b"RESET",), (b"HELLO", protocol)])
            side.receive(2)

    def _connected(self) -> Duel:
        return Duel(self.registry, SocketSide(self.server), Twin(self.harness))

    def _unit(self) -> Unit:
        return self.script.unit(Tape(self.random.randbytes(TAPE_BYTES)))

    def _lonely_unit(self) -> Unit:
        """A unit whose outcome does not depend on chance, or on the other server; or ballast."""
        if self.random.random() < 0.2:
            key = b"ballast:%d" % self.random.randrange(20)
            return ((b"SET", key, b"%d" % self.random.randrange(10) * BALLAST),)
        unit = self._unit()
        return () if any(map(needs_both, unit)) else unit

    def _until_killed(self) -> list[list[Request]]:
        """Kill the server under load, tell the twin what it has acknowledged; what was under way.

        That is in the parts of which each was kept as a whole or not at all.
        """
        timer = threading.Timer(self.random.uniform(0, LONGEST_LIFE), self.server.kill)
        timer.start()
        acknowledged: list[Request] = []
        under_way: list[Request] = []
        try:
            while True:
                under_way = list(self._lonely_unit())
                self.duel.ours.send(under_way)
                self.duel.ours.receive(len(under_way))
                acknowledged += under_way
                self.requests += len(under_way)
        except OSError:
            timer.join()
        twin = self.duel.theirs
        for start in range(0, len(acknowledged), 100):
            some = acknowledged[start : start + 100]
            twin.send(some)
            twin.receive(len(some))
        twin.send([(b"CLIENT", b"INFO")])
        database = re.search(rb" db=(\d+)", twin.receive(1)[0])
        assert database is not None
        parts = [under_way] if under_way[:1] == [MULTI] else [[each] for each in under_way]
        return [[(b"SELECT", database[1]), *part] for part in parts]

    def _compare(self, rest: list[list[Request]]) -> None:
        """Both have the same, as soon as the twin has enough of what was under way."""
        while True:
            try:
                self.duel.compare_contents()
            except Difference as difference:
                if not rest:
                    raise AssertionError(f"kill {self.kills}: {difference}") from None
                part = rest.pop(0)
                self.duel.theirs.send(part)
                self.duel.theirs.receive(len(part))
            else:
                return

    def _expect_no(self, problems: list[str], where: str) -> None:
        if problems:
            raise AssertionError(f"kill {self.kills}: {where}: {problems}")
