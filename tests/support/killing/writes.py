"""The writes of a client: random, each with a number, such that none goes without a trace."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from tests.support.killing.model import Request, State

#: Sets one key and pushes to another: both or none.
SCRIPT: Final = (
    "redis.call('SET', KEYS[1], ARGV[1]) redis.call('RPUSH', KEYS[2], ARGV[1]) "
    "return redis.status_reply('OK')"
)
#: Keys of each type, and elements that lists and the like grow to.
KEYS: Final = 3
LONGEST: Final = 40
#: How often a write is a transaction, and how often one that empties or swaps databases.
TRANSACTIONS: Final = 0.15
LARGE: Final = 0.01
#: Milliseconds until keys expire that are to expire, and until others do.
SOON: Final = (1, 400)
LATE: Final = 3_600_000


@dataclass
class Write:
    """What a client asked for at once, and what came of it. Times as ``time.monotonic``.

    ``wall`` are the times of day in milliseconds between which it was executed. ``witness`` is
    what a transaction pushes to a list that all clients share, ``place`` where that went, and
    ``replies`` are those of the requests.
    """

    number: int
    requests: list[Request]
    in_transaction: bool = False
    witness: str = ""
    place: int = 0
    replies: list[object] = field(default_factory=list)
    acknowledged: float | None = None
    refused: bool = False
    wall: tuple[int, int] = (0, 0)

    def apply(self, state: State) -> list[object]:
        """Do to a state what this does to a server; the replies."""
        if self.refused:
            return []
        return [state.execute(request, *self.wall) for request in self.requests]


class Source:
    """Random writes that suit a state, which is changed as if they were executed."""

    def __init__(self, seed: str, name: str, databases: tuple[int, int]) -> None:
        self.random = random.Random(seed)
        self.name = name
        self.databases = databases
        self.state = State()
        self.number = 0
        self._entries = 0

    def next(self, now: int) -> Write:
        """The next write, at a time of day in milliseconds."""
        self.number += 1
        write = Write(self.number, [], wall=(now, now))
        chance = self.random.random()
        if chance < LARGE:
            self._add(write, self._whole())
        elif chance < LARGE + TRANSACTIONS:
            write.in_transaction = True
            if self.random.random() < 0.5:
                write.witness = f"{self.name}:{write.number}"
            for _ in range(self.random.randrange(2, 5)):
                self._add(write, self._some(now))
        else:
            self._add(write, self._some(now))
        return write

    def _add(self, write: Write, request: Request) -> None:
        self.state.execute(request, *write.wall)
        write.requests.append(request)

    def _whole(self) -> Request:
        if self.random.random() < 0.3:
            return ("FLUSHDB",)
        return ("SWAPDB", *map(str, self.databases))

    def _some(self, now: int) -> Request:
        make = self.random.choice(_KINDS)
        return make(self, f"{self.name}:{self.number}", now)

    def _key(self, kind: str) -> str:
        return f"{kind}{self.random.randrange(KEYS)}"

    def _present(self, kind: str = "") -> str | None:
        keys = [key for key in self.state.keys if key.startswith(kind) and key[0] != "e"]
        return self.random.choice(keys) if keys else None

    def _length(self, key: str) -> int:
        held = self.state.keys.get(key)
        return len(held.content) if held and isinstance(held.content, (list, set, dict)) else 0

    # Kinds of writes -------------------------------------------------------------------------

    def text(self, stamp: str, now: int) -> Request:
        chance = self.random.random()
        if chance < 0.2:
            return ("SET", self._key("s"), stamp, "PXAT", str(now + LATE + self.number))
        if chance < 0.3:
            return ("SET", self._key("s"), stamp * self.random.randrange(1, 300))
        return ("SET", self._key("s"), stamp)

    def longer(self, stamp: str, now: int) -> Request:
        key = self._key("s")
        held = self.state.keys.get(key)
        if held and len(str(held.content)) > LONGEST * 10:
            return ("GETDEL", key)
        return ("APPEND", key, stamp)

    def count(self, stamp: str, now: int) -> Request:
        return ("INCRBY", self._key("n"), str(self.random.randrange(1, 10)))

    def short_lived(self, stamp: str, now: int) -> Request:
        return ("SET", self._key("e"), stamp, "PX", str(self.random.randint(*SOON)))

    def push(self, stamp: str, now: int) -> Request:
        key = self._key("l")
        length = self._length(key)
        if length > LONGEST:
            return ("LTRIM", key, "1", str(length // 2))
        chance = self.random.random()
        if length and chance < 0.2:
            return ("LPOP", key)
        if length and chance < 0.4:
            return ("LMOVE", key, self._key("l"), "RIGHT", "LEFT")
        return (self.random.choice(("RPUSH", "LPUSH")), key, stamp, "again")

    def hash(self, stamp: str, now: int) -> Request:
        key = self._key("h")
        if self._length(key) > LONGEST:
            return ("DEL", key)
        if self._length(key) and self.random.random() < 0.2:
            held = self.state.keys[key].content
            assert isinstance(held, dict)
            return ("HDEL", key, self.random.choice(list(held)))
        return ("HSET", key, f"f{self.random.randrange(10)}", stamp, stamp, "1")

    def members(self, stamp: str, now: int) -> Request:
        key = self._key("t")
        if self._length(key) > LONGEST:
            return ("SPOP", key, "1000000")
        if self._length(key) and self.random.random() < 0.1:
            return ("SUNIONSTORE", self._key("t"), key, self._key("t"))
        return ("SADD", key, stamp, f"{self.random.randrange(50)}")

    def scores(self, stamp: str, now: int) -> Request:
        key = self._key("z")
        if self._length(key) > LONGEST:
            return ("DEL", key)
        if self.random.random() < 0.3:
            return ("ZINCRBY", key, str(self.number), "sum")
        return ("ZADD", key, str(self.number), stamp)

    def stream(self, stamp: str, now: int) -> Request:
        key = self._key("x")
        if self._length(key) > LONGEST:
            return ("DEL", key)
        self._entries += 1
        return ("XADD", key, f"{self.number}-{self._entries}", "f", stamp)

    def script(self, stamp: str, now: int) -> Request:
        if self._length("l0") > LONGEST:
            return ("DEL", "l0")
        return ("EVAL", SCRIPT, "2", self._key("s"), "l0", stamp)

    def deadline(self, stamp: str, now: int) -> Request:
        key = self._present()
        if key is None:
            return self.text(stamp, now)
        held = self.state.keys[key]
        if held.deadline is not None and self.random.random() < 0.5:
            return ("PERSIST", key)
        if self.random.random() < 0.5:
            return ("PEXPIREAT", key, str(now + LATE + self.number))
        return ("PEXPIRE", key, str(LATE + self.number))

    def other_name(self, stamp: str, now: int) -> Request:
        key = self._present()
        if key is None:
            return self.text(stamp, now)
        target = key[0] + str((int(key[1]) + 1) % KEYS)
        if self.random.random() < 0.5:
            return ("COPY", key, target, "REPLACE")
        return ("RENAME", key, target)


_KINDS: Final[tuple[Callable[[Source, str, int], Request], ...]] = (
    Source.text,
    Source.text,
    Source.longer,
    Source.count,
    Source.count,
    Source.short_lived,
    Source.push,
    Source.push,
    Source.hash,
    Source.members,
    Source.scores,
    Source.stream,
    Source.script,
    Source.deadline,
    Source.other_name,
)
