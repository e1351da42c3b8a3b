"""Clients that wait, and one that gives: who is served, with what, and in which order.

Every step is done on both servers, then the replies that any client has got are compared. A
server serves whom it can before it reads the next request, so two questions of the giver
later all replies have come.
"""

import select
from collections.abc import Sequence
from typing import Final

from hypercache.testing.calls import Tape
from hypercache.testing.resp import encode
from hypercache.testing.server import ServerProcess
from tests.machine.script import Request
from tests.support.resp import Client, connect

#: How many clients may wait at a time.
WAITERS: Final = 4

#: Waits for one key, which every redis-server serves alike.
WAITS: Final = (
    "BLPOP l1 0",
    "BRPOP l1 0",
    "BLPOP l3 0",
    "BLMOVE l1 l2 LEFT RIGHT 0",
    "BLMOVE l1 l1 LEFT RIGHT 0",
    "BLMOVE l1 z1 LEFT LEFT 0",
    "BRPOPLPUSH l1 l3 0",
    "BLMPOP 0 1 l1 LEFT COUNT 2",
    "BZPOPMIN z1 0",
    "BZMPOP 0 1 z1 MIN COUNT 2",
    "XREAD BLOCK 0 STREAMS x1 $",
    "XREAD COUNT 1 BLOCK 0 STREAMS x1 x2 0 $",
)
#: Waits for one of many keys, or for the group of a stream: 7.2 tries the keys in the order in
#: which they were asked for, its predecessors in that in which they were filled.
NEWER_WAITS: Final = (
    "BLPOP l1 l2 0",
    "BRPOP l2 l1 0",
    "BLMOVE l2 l1 RIGHT LEFT 0",
    "BRPOPLPUSH l2 l3 0",
    "BLMPOP 0 2 l1 l2 LEFT COUNT 2",
    "BLMPOP 0 2 l3 l1 RIGHT",
    "BZPOPMAX z2 z1 0",
    "BZMPOP 0 2 z2 z1 MIN COUNT 2",
    "XREADGROUP GROUP g c1 BLOCK 0 STREAMS x1 >",
    "XREADGROUP GROUP g c2 COUNT 1 NOACK BLOCK 0 STREAMS x1 >",
)
#: What the giver does; requests of one step are separated by ``;``. No STORE replaces a value
#: of another type: Redis serves nobody with what comes into its place. {n} is a number that grows.
GIFTS: Final = (
    "LPUSH l1 a",
    "RPUSH l1 a b c",
    "LPUSH l2 x y",
    "RPUSH l3 q",
    "RPUSHX l1 r",
    "LPOP l1",
    "DEL l1 l2",
    "SET l1 text",
    "RENAME l2 l1",
    "COPY l2 l1 REPLACE",
    "LMOVE l2 l1 LEFT LEFT",
    "RPOPLPUSH l1 l2",
    "SORT l2 ALPHA STORE l3",
    "LINSERT l2 BEFORE x w",
    "ZADD z1 1 a",
    "ZADD z1 1 a 2 b 3 c",
    "ZADD z2 5 z",
    "ZINCRBY z1 -1 a",
    "ZUNIONSTORE z1 2 z1 z2",
    "ZRANGESTORE z2 z1 0 -1",
    "RENAME z2 z1",
    "DEL z1",
    "SET z1 text",
    "GEOADD z2 13.36 38.11 Palermo",
    "XADD x1 {n}-1 f v",
    "XADD x2 {n}-1 f v",
    "XTRIM x1 MAXLEN 0",
    "XGROUP CREATE x1 g $ MKSTREAM",
    "MULTI;LPUSH l1 a;DEL l1;EXEC",
    "MULTI;LPUSH l1 a;DEL l1;RPUSH l1 b c;EXEC",
    "MULTI;XADD x1 {n}-1 f v;XADD x1 {n}-2 f w;EXEC",
    "SELECT 1;RPUSH l1 other;SELECT 0",
    "SWAPDB 0 1",
)
#: Gifts that fill several keys at once, or that end the waits of a group.
NEWER_GIFTS: Final = (
    "DEL x1",
    "XGROUP DESTROY x1 g",
    "SET x1 text",
    "FLUSHALL",
    "MULTI;LPUSH l1 a;LPUSH l2 b;EXEC",
    "MULTI;RPUSH l2 a;RPUSH l1 b;EXEC",
    "MULTI;DEL z1;ZADD z1 2 y;ZADD z2 1 x;EXEC",
)


class Waiting:
    """Some clients of one server, and the giver."""

    def __init__(self, server: ServerProcess, protocol: int) -> None:
        self.giver = connect(server, protocol)
        self.giver.call("FLUSHALL")
        self.waiters = [connect(server, protocol) for _ in range(WAITERS)]
        self.identities = [waiter.call("CLIENT", "ID") for waiter in self.waiters]
        self.busy = [False] * WAITERS

    def give(self, requests: Sequence[Request]) -> list[bytes]:
        """Send requests as the giver; its replies."""
        self.giver.send(b"".join(encode(*request) for request in requests))
        return [self.giver.read_frame() for _ in requests]

    def collect(self) -> list[bytes]:
        """What each waiter has got meanwhile, empty for those that wait on."""
        for _ in range(2):
            self.giver.call("PING")
        return [self._received(number) for number in range(WAITERS)]

    def _received(self, number: int) -> bytes:
        waiter = self.waiters[number]
        if not self.busy[number] or not _readable(waiter):
            return b""
        self.busy[number] = False
        return waiter.read_frame()

    def close(self) -> None:
        """Close all connections."""
        for client in (self.giver, *self.waiters):
            client.close()


def _readable(client: Client) -> bool:
    return bool(select.select([client.socket], [], [], 0)[0])


def play(
    servers: tuple[ServerProcess, ServerProcess], protocol: int, tape: Tape, is_newer: bool
) -> int:
    """Play what a tape says until it ends; AssertionError with all steps if replies differ.

    ``is_newer``: both are like 7.2. Returns how many waits were served or ended.
    """
    sides = [Waiting(server, protocol) for server in servers]
    waits = WAITS + (NEWER_WAITS if is_newer else ())
    gifts = GIFTS + (NEWER_GIFTS if is_newer else ())
    steps: list[str] = []
    ended = 0
    try:
        while not tape.is_over():
            replies = _step(sides, tape, waits, gifts, steps)
            found = [side.collect() for side in sides]
            assert replies[0] == replies[1], "\n".join([*steps, str(replies)])
            assert found[0] == found[1], "\n".join([*steps, str(found)])
            ended += sum(map(bool, found[0]))
    finally:
        for side in sides:
            side.close()
    return ended


def _step(
    sides: list[Waiting],
    tape: Tape,
    waits: Sequence[str],
    gifts: Sequence[str],
    steps: list[str],
) -> list[list[bytes]]:
    """Do one step on both sides; the giver's replies."""
    number = tape.below(WAITERS)
    kind = tape.below(8)
    if kind == 7:
        words = tape.pick((("TIMEOUT",), ("ERROR",), ()))
        steps.append(f"unblock {number} {' '.join(words)}")
        return [_unblock(side, number, words) for side in sides]
    if kind < 4 and not sides[0].busy[number]:
        request = tape.pick(waits)
        steps.append(f"{number}> {request}")
        for side in sides:
            side.waiters[number].send(encode(*request.split()))
            side.busy[number] = True
        return [[], []]
    text = tape.pick(gifts).replace("{n}", str(len(steps) + 1)) if kind else "DBSIZE"
    steps.append(f"> {text}")
    requests = [tuple(word.encode() for word in each.split()) for each in text.split(";")]
    return [side.give(requests) for side in sides]


def _unblock(side: Waiting, number: int, words: Sequence[str]) -> list[bytes]:
    identity = str(side.identities[number]).encode()
    return side.give([(b"CLIENT", b"UNBLOCK", identity, *(word.encode() for word in words))])
