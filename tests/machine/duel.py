"""Two servers that get the same requests; every reply is compared, then all that is stored."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final, Protocol

from hypercache.engine.registry import Registry
from hypercache.testing.engine import EngineHarness
from hypercache.testing.resp import encode
from hypercache.testing.server import ServerProcess
from tests.machine.peers import OLDER
from tests.machine.replies import (
    Incomplete,
    Value,
    elements,
    end_of,
    may_answer,
    numbers_alike,
    parse,
    probe,
    reader_for,
    same,
)
from tests.machine.script import Request, Unit, needs_both

#: The databases that scripts reach.
DATABASES: Final = (b"0", b"1")

#: The key under which each side restores what the other has dumped.
DUMPED: Final = b"dumped"

#: Milliseconds after which the shorter times to live are over, the longer ones not.
LONG_PAUSE: Final = 2_000_000

#: How to read a value as a whole, by its type.
_WHOLE: Final[dict[bytes, Request]] = {
    b"string": (b"GET", b""),
    b"hash": (b"HGETALL", b""),
    b"list": (b"LRANGE", b"", b"0", b"-1"),
    b"set": (b"SMEMBERS", b""),
    b"zset": (b"ZRANGE", b"", b"0", b"-1", b"WITHSCORES"),
    b"stream": (b"XINFO", b"STREAM", b"", b"FULL", b"COUNT", b"0"),
}
_NEWER_DUMP: Final = b"-ERR DUMP payload version or checksum are wrong\r\n"
_NOT_QUEUED: Final = (b"MULTI", b"EXEC", b"DISCARD")


def _with_id(request: Request, identity: bytes) -> Request:
    """An XADD with the id that a server made where it says ``*``; unchanged if it made none."""
    stamp = identity.partition(b"-")[0]
    if not stamp.isdigit() or any(word.partition(b"-")[0] == stamp for word in request[2:]):
        return request  # an error, or an id that was given, and the star is a field
    star = request.index(b"*")
    return (*request[:star], identity, *request[star + 1 :])


class Difference(AssertionError):
    """The servers do not agree. ``name`` is the full name of the command."""

    def __init__(self, name: bytes, request: Request, ours: bytes, theirs: bytes) -> None:
        self.name = name
        self.request = request
        self.ours = ours
        self.theirs = theirs
        super().__init__(f"{list(request)}:\n  one says   {ours!r}\n  other says {theirs!r}")


class Side(Protocol):
    """One of both servers."""

    def send(self, requests: Sequence[Request]) -> None:
        """Send requests in one piece."""
        ...

    def receive(self, count: int) -> list[bytes]:
        """The next replies, as the bytes on the wire."""
        ...

    def pass_time(self, milliseconds: int) -> None:
        """Let time pass, if it is ours to say."""
        ...

    def close(self) -> None:
        """Let the server go."""
        ...


class SocketSide(Side):
    """A server process."""

    def __init__(self, server: ServerProcess) -> None:
        self._socket = server.connect(timeout=20.0)
        self._received = b""

    def send(self, requests: Sequence[Request]) -> None:
        self._socket.sendall(b"".join(encode(*request) for request in requests))

    def receive(self, count: int) -> list[bytes]:
        frames: list[bytes] = []
        place = 0
        while len(frames) < count:
            try:
                end = end_of(self._received, place)
            except Incomplete:
                data = self._socket.recv(1 << 18)
                if not data:
                    raise ConnectionError(f"closed after {self._received[place:]!r}") from None
                self._received = self._received[place:] + data
                place = 0
            else:
                frames.append(self._received[place:end])
                place = end
        self._received = self._received[place:]
        return frames

    def pass_time(self, milliseconds: int) -> None:
        """A server has its own clock."""

    def close(self) -> None:
        self._socket.close()


class EngineSide(Side):
    """An engine in this process, which gets a few requests at a time: its units have several."""

    ROUND: Final = 5

    def __init__(self, harness: EngineHarness) -> None:
        self.harness = harness
        self._received = b""

    def send(self, requests: Sequence[Request]) -> None:
        for start in range(0, len(requests), self.ROUND):
            few = requests[start : start + self.ROUND]
            self.harness.first.send(b"".join(encode(*request) for request in few))

    def receive(self, count: int) -> list[bytes]:
        data = self._received + self.harness.first.received()
        frames: list[bytes] = []
        place = 0
        for _ in range(count):
            end = end_of(data, place)
            frames.append(data[place:end])
            place = end
        self._received = data[place:]
        return frames

    def pass_time(self, milliseconds: int) -> None:
        self.harness.advance(milliseconds)
        self.harness.tick()

    def close(self) -> None:
        self.harness.close()


#: Replies that say that there is nothing.
_NOTHING: Final = frozenset(
    (b"$-1", b"*-1", b"_", b":0", b":-1", b":-2", b"*0", b"~0", b"%0", b"$0\r\n")
)


class Account:
    """How often each command answered, with an error or with something, and what was let pass.

    ``fruitful`` counts the successes whose reply is neither null, zero nor empty.
    """

    def __init__(self) -> None:
        self.requests = 0
        self.fruitful: Counter[bytes] = Counter()
        self.successes: Counter[bytes] = Counter()
        self.errors: Counter[bytes] = Counter()
        self.tolerated: Counter[bytes] = Counter()

    def add(self, name: bytes, frame: bytes) -> None:
        """Count a reply."""
        if frame.startswith(b"-"):
            self.errors[name] += 1
        else:
            self.successes[name] += 1
            if frame[:-2] not in _NOTHING:
                self.fruitful[name] += 1


class Duel:
    """Plays units to both sides.

    ``older`` tells that the other one is a redis-server before 7.2: it spells doubles with more
    digits, does not read every DUMP of ours, and differs as `tests.machine.peers.OLDER` says.
    """

    def __init__(
        self,
        registry: Registry,
        ours: Side,
        theirs: Side,
        *,
        older: bool = False,
    ) -> None:
        self.ours = ours
        self.theirs = theirs
        self.account = Account()
        self._registry = registry
        self._older = older
        self._queue: list[Request] = []
        self._batches = 0

    def restart(self, protocol: int) -> None:
        """Empty both servers; RESP2 or RESP3 from now on."""
        self._queue.clear()
        self._batches = 0
        for side in (self.ours, self.theirs):
            side.send([(b"RESET",), (b"HELLO", b"%d" % protocol), (b"FLUSHALL",)])
            side.receive(3)

    def play(self, units: Iterable[Unit]) -> None:
        """Send all that can be sent at once, and compare; raises `Difference`."""
        batch: list[Request] = []
        for request in (each for unit in units for each in unit):
            if needs_both(request):
                self._play_batch(batch)
                batch = []
                self._play_mirrored(request)
                continue
            asked = probe(request)
            if asked is not None:
                batch.append(asked)
            batch.append(request)
        self._play_batch(batch)

    def compare_contents(self) -> None:
        """Compare all keys of all databases: type, content, deadline, encoding."""
        self._compare([(b"SELECT", DATABASES[0])])
        for database in DATABASES:
            self._compare([(b"SELECT", database)])
            (listing,) = self._compare([(b"KEYS", b"*")])
            keys = sorted(each.text() for each in parse(listing).items())
            types = self._compare([(b"TYPE", key) for key in keys])
            reads: list[Request] = []
            for key, kind in zip(keys, types, strict=True):
                whole = _WHOLE[parse(kind).text()]
                place = whole.index(b"")
                reads.append((*whole[:place], key, *whole[place + 1 :]))
                reads.append((b"PEXPIRETIME", key))
                if key != DUMPED:  # Redis forgets there that a HyperLogLog may grow
                    reads.append((b"OBJECT", b"ENCODING", key))
            self._compare(reads)
        self._compare([(b"SELECT", DATABASES[0])])

    def _parse(self, frame: bytes) -> Value:
        return numbers_alike(parse(frame)) if self._older else parse(frame)

    def _exchange(self, batch: Sequence[Request]) -> list[tuple[bytes, bytes]]:
        """Both replies to each request."""
        self.account.requests += len(batch)
        self.ours.send(batch)
        self.theirs.send(batch)
        ours, theirs = self.ours.receive(len(batch)), self.theirs.receive(len(batch))
        return list(zip(ours, theirs, strict=True))

    def _compare(self, batch: Sequence[Request]) -> list[bytes]:
        """Send requests that look on, and compare; the replies."""
        replies = self._exchange(batch) if batch else []
        for request, (ours, theirs) in zip(batch, replies, strict=True):
            self._judge(request, ours, theirs)
        return [ours for ours, _ in replies]

    def _play_batch(self, batch: list[Request]) -> None:
        replies = self._exchange(batch) if batch else []
        universe = b""
        for request, (ours, theirs) in zip(batch, replies, strict=True):
            self._judge_queued(request, ours, theirs, universe)
            universe = theirs
        self._batches += 1
        for side in (self.ours, self.theirs):
            side.pass_time(LONG_PAUSE if self._batches % 4 == 0 else 1)

    def _judge_queued(
        self, request: Request, ours: bytes, theirs: bytes, universe: bytes = b""
    ) -> None:
        """Compare the replies to a request, or to those that it has executed (EXEC)."""
        word = request[0].upper()
        if ours == theirs == b"+QUEUED\r\n":
            self._queue.append(request)
            return
        executed, inner, their_inner = self._queue, elements(ours), elements(theirs)
        if word in _NOT_QUEUED:
            self._queue = []
        if word == b"EXEC" and inner is not None and their_inner is not None:
            if not len(inner) == len(their_inner) == len(executed):
                raise Difference(b"exec", request, ours, theirs)
            for queued, our, their in zip(executed, inner, their_inner, strict=True):
                self._judge(queued, our, their)
            return
        self._judge(request, ours, theirs, universe)

    def _judge(self, request: Request, ours: bytes, theirs: bytes, universe: bytes = b"") -> None:
        """Count a reply, and raise `Difference` if both differ in what they say."""
        command = self._registry.resolve(list(request))
        name = command.name if command is not None else b""
        self.account.add(name, ours)
        if ours == theirs:
            return
        if not ours.startswith(b"-") and not theirs.startswith(b"-"):
            tips = command.declaration.tips if command is not None else []
            our, their = self._parse(ours), self._parse(theirs)
            if same(reader_for(name, tips, request), our, their):
                return
            if probe(request) is not None and universe:
                members = self._parse(universe)
                if may_answer(request, our, members) and may_answer(request, their, members):
                    return
        if not self._older or name not in OLDER:
            raise Difference(name, request, ours, theirs)
        self.account.tolerated[name] += 1

    def _play_mirrored(self, request: Request) -> None:
        """Let our server choose, and bring the other one to the same state."""
        self.account.requests += 1
        self.ours.send([request])
        (ours,) = self.ours.receive(1)
        spops = request[0].upper() == b"SPOP"
        asked = request if spops else _with_id(request, parse(ours).text())
        self.theirs.send([asked])
        (theirs,) = self.theirs.receive(1)
        if request[0].upper() == b"DUMP" and ours[:2] != b"$-" and ours[:1] == theirs[:1] == b"$":
            self._exchange_dumps(ours, theirs)
            return
        if spops and ours != theirs and ours[:1] == theirs[:1] and ours[:1] in (b"$", b"*", b"~"):
            self._undo_pop(request, ours, theirs)
            self.account.add(b"spop", ours)
            return
        self._judge(request, ours, theirs)

    def _exchange_dumps(self, ours: bytes, theirs: bytes) -> None:
        """Restore on each side what the other has dumped; contents are compared later."""
        self.account.add(b"dump", ours)
        requests = [
            (b"RESTORE", DUMPED, b"0", parse(payload).text(), b"REPLACE")
            for payload in (theirs, ours)
        ]
        for side, request in zip((self.ours, self.theirs), requests, strict=True):
            side.send([request])
            (reply,) = side.receive(1)
            if reply == _NEWER_DUMP and side is self.theirs and self._older:
                side.send([requests[0]])
                (reply,) = side.receive(1)
            if reply != b"+OK\r\n":
                raise Difference(b"dump", request, ours, reply)

    def _undo_pop(self, request: Request, ours: bytes, theirs: bytes) -> None:
        """Give back to their set what they have popped, and take out what we have.

        Our members must all be there then, so this also shows that we popped what there was.
        """
        our, their = parse(ours), parse(theirs)
        mine = [each.text() for each in our.items()] or [our.text()]
        other = [each.text() for each in their.items()] or [their.text()]
        if len(mine) != len(other):
            raise Difference(b"spop", request, ours, theirs)
        if sorted(mine) == sorted(other):
            return
        key = request[1]
        self.theirs.send([(b"SADD", key, *other), (b"SREM", key, *mine)])
        back, out = self.theirs.receive(2)
        if back != b":%d\r\n" % len(other) or out != b":%d\r\n" % len(mine):
            raise Difference(b"spop", request, ours, theirs)
