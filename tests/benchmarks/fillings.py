"""What the measurements store: keys of every type, with elements as applications have them."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice

from .servers import BenchmarkError, Client, encode

#: Elements of one request, and requests of one send.
CHUNK = 200
BATCH = 50

Request = tuple[bytes, ...]


@dataclass(frozen=True)
class Filling:
    """Some keys of a type with so many elements each; ``element`` makes the words of one."""

    command: bytes
    keys: int
    elements: int
    noun: str
    element: Callable[[int, random.Random], Request]

    @property
    def label(self) -> str:
        """How a report names it."""
        return f"{self.keys:,} {self.noun} of {self.elements:,}"

    def requests(self) -> Iterator[Request]:
        """The requests that store it; the same in every run."""
        source = random.Random(1)
        for key in range(self.keys):
            name = b"%b:%06d" % (self.noun.split()[-1].encode(), key)
            if self.command == b"XADD":
                for number in range(self.elements):
                    yield (self.command, name, b"*", *self.element(number, source))
                continue
            for start in range(0, self.elements, CHUNK):
                numbers = range(start, min(start + CHUNK, self.elements))
                words = [word for n in numbers for word in self.element(n, source)]
                yield (self.command, name, *words)


def _field(number: int, source: random.Random) -> Request:
    return b"field:%d" % number, b"value:%010d" % source.randrange(10**10)


def _scored(number: int, source: random.Random) -> Request:
    return b"%.2f" % (source.random() * 1e6), b"member:%07d" % number


def _member(number: int, source: random.Random) -> Request:
    return (b"member:%07d" % number,)


def _element(number: int, source: random.Random) -> Request:
    return (b"element:%010d" % source.randrange(10**10),)


def _number(number: int, source: random.Random) -> Request:
    return (b"%d" % source.randrange(10**9),)


#: Fields of 7 bytes with values of 16; members of 14 bytes with scores of two decimals;
#: elements of 18 bytes; numbers of 9.
BY_TYPE = (
    Filling(b"HSET", 100_000, 10, "hashes", _field),
    Filling(b"HSET", 500, 2_000, "hashes", _field),
    Filling(b"ZADD", 100_000, 10, "sorted sets", _scored),
    Filling(b"ZADD", 1_000, 1_000, "sorted sets", _scored),
    Filling(b"RPUSH", 100_000, 10, "lists", _element),
    Filling(b"RPUSH", 1_000, 1_000, "lists", _element),
    Filling(b"SADD", 100_000, 10, "sets", _member),
    Filling(b"SADD", 1_000, 1_000, "sets", _member),
    Filling(b"SADD", 100_000, 10, "sets of numbers", _number),
    Filling(b"SADD", 1_000, 1_000, "sets of numbers", _number),
    Filling(b"XADD", 50_000, 10, "streams", _field),
    Filling(b"XADD", 500, 2_000, "streams", _field),
)


def send_all(client: Client, requests: Iterator[Request]) -> None:
    """Send requests in pipelines.

    Raises:
        BenchmarkError: one of them was refused.
    """
    while batch := list(islice(requests, BATCH)):
        client.socket.sendall(b"".join(encode(*request) for request in batch))
        for request in batch:
            try:
                client.skip_reply()
            except BenchmarkError as error:
                raise BenchmarkError(f"{request[:2]}: {error}") from error
