"""Our server and redis-server side by side: every request goes to both."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from hypercache.testing.server import ServerProcess
from tests.differential.strategies import POOL, SHORT, Request
from tests.support.resp import connect, decode, encode

#: Replies that read a clock, and by how much they may differ (in their own unit).
CLOCKS = {
    b"TTL": 2,
    b"PTTL": 2000,
    b"EXPIRETIME": 2,
    b"PEXPIRETIME": 2000,
    b"OBJECT IDLETIME": 2,
}
#: The databases that the strategies reach.
DATABASES = (b"0", b"1", b"2", b"15")


def name_of(request: Request) -> bytes:
    """The command's name in upper case, with its sub-command for OBJECT."""
    count = 2 if request[0].upper() == b"OBJECT" else 1
    return b" ".join(request[:count]).upper()


def ends_soon(request: Request) -> bool:
    """Whether the request may give a key a time to live of a few milliseconds."""
    takes_it = name_of(request) in (b"PSETEX", b"PEXPIRE") or b"PX" in map(bytes.upper, request)
    return takes_it and any(argument in SHORT for argument in request)


def alike(request: Request, ours: object, theirs: object) -> bool:
    """Whether replies that differ say the same, as far as they can: order, chance and clocks."""
    name = name_of(request)
    if name in CLOCKS and isinstance(ours, int) and isinstance(theirs, int):
        return ours >= 0 and theirs >= 0 and abs(ours - theirs) <= CLOCKS[name]
    if name == b"RANDOMKEY":
        return isinstance(ours, bytes) and isinstance(theirs, bytes)
    # INCRBYFLOAT leaves an object of its own (embstr) behind even where the result is a whole
    # number; we look at the value, and take it for one of the shared numbers.
    if name == b"OBJECT ENCODING":
        return (ours, theirs) == (b"int", b"embstr")
    if name == b"OBJECT REFCOUNT":
        return (ours, theirs) == (2147483647, 1)
    if isinstance(ours, list) and isinstance(theirs, list):
        if name == b"KEYS":
            return sorted(ours) == sorted(theirs)
        if name == b"SCAN":
            return bool(ours[0] == theirs[0]) and sorted(set(ours[1])) == sorted(set(theirs[1]))
    return False


class Connection:
    """The same connection to both servers."""

    def __init__(self, ours: ServerProcess, theirs: ServerProcess) -> None:
        self._ours = connect(ours)
        self._theirs = connect(theirs)
        self._queue: list[Request] = []

    def reset(self, protocol: int) -> None:
        """Back to the state of a new connection, in RESP2 or RESP3."""
        self.compare((b"RESET",))
        self._queue.clear()
        if protocol == 3:
            self.send((b"HELLO", b"3"))
            self._ours.read_frame()
            self._theirs.read_frame()

    def compare(self, request: Request) -> tuple[object, bool]:
        """Send a request to both and `judge` the replies."""
        self.send(request)
        return self.judge(request)

    def send(self, *requests: Request) -> None:
        """Send requests to both in one piece."""
        data = b"".join(encode(*request) for request in requests)
        self._ours.send(data)
        self._theirs.send(data)

    def judge(self, request: Request) -> tuple[object, bool]:
        """Read the replies to a request; AssertionError if they differ.

        Returns redis-server's reply, and whether it may have left a key that ends soon.
        """
        our_frame, their_frame = self._ours.read_frame(), self._theirs.read_frame()
        reply = decode(their_frame)
        executed = [request]
        if reply == "QUEUED":
            self._queue.append(request)
            executed = []
        elif name_of(request) in (b"EXEC", b"DISCARD"):
            executed, self._queue = self._queue, []
        if our_frame != their_frame:
            same = self._alike(request, executed, decode(our_frame), reply)
            assert same, f"{request}: ours {our_frame!r}, redis-server {their_frame!r}"
        return reply, any(map(ends_soon, executed))

    def close(self) -> None:
        """Close both."""
        self._ours.close()
        self._theirs.close()

    @staticmethod
    def _alike(request: Request, executed: list[Request], ours: object, theirs: object) -> bool:
        if name_of(request) != b"EXEC":
            return alike(request, ours, theirs)
        if not isinstance(ours, list) or not isinstance(theirs, list):
            return False
        return len(ours) == len(theirs) == len(executed) and all(
            our == their or alike(queued, our, their)
            for queued, our, their in zip(executed, ours, theirs, strict=True)
        )


class Rivals:
    """Two connections to each of both servers, and one that looks at the result."""

    def __init__(self, ours: ServerProcess, theirs: ServerProcess) -> None:
        self._servers = ours, theirs
        self._open()

    def play(self, protocol: int, steps: Sequence[tuple[int, Request]]) -> None:
        """Run a sequence from scratch and compare every reply, then all that is stored."""
        with self._fresh(protocol):
            for number, request in steps:
                _, soon = self._connections[number].compare(request)
                if soon:
                    self._let_keys_end()

    def play_at_once(self, protocol: int, requests: Sequence[Request]) -> None:
        """Send a sequence in one piece and compare likewise; no key may end in a moment."""
        with self._fresh(protocol):
            self._connections[0].send(*requests)
            for request in requests:
                self._connections[0].judge(request)

    def close(self) -> None:
        """Close all connections."""
        for connection in (*self._connections, self._observer):
            connection.close()

    def _open(self) -> None:
        self._connections = [Connection(*self._servers) for _ in range(2)]
        self._observer = Connection(*self._servers)

    @contextmanager
    def _fresh(self, protocol: int) -> Iterator[None]:
        """Empty both servers before, compare what is in them after."""
        try:
            self._observer.compare((b"FLUSHALL",))
            for connection in self._connections:
                connection.reset(protocol)
            yield
            self._compare_contents()
        except BaseException:
            self.close()  # replies may be on their way that the next example must not see
            self._open()
            raise

    def _let_keys_end(self) -> None:
        """Wait until short-lived keys are over on both sides, and have them removed."""
        time.sleep(0.004)
        for database in DATABASES:
            self._observer.compare((b"SELECT", database))
            self._observer.compare((b"EXISTS", *POOL))

    def _compare_contents(self) -> None:
        for database in DATABASES:
            self._observer.compare((b"SELECT", database))
            keys, _ = self._observer.compare((b"KEYS", b"*"))
            assert isinstance(keys, list)
            for key in keys:
                self._observer.compare((b"GET", key))
                self._observer.compare((b"PTTL", key))
                self._observer.compare((b"OBJECT", b"ENCODING", key))
