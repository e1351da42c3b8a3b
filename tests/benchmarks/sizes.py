"""What an operation costs on a key of 100, 10,000 and 1,000,000 elements.

The server's CPU time of a pipeline of operations, divided by their number: what the client
takes does not count. DEL and UNLINK of a whole key are timed by the clock, for they are
about how long everybody else has to wait.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from .fillings import CHUNK, Request, send_all
from .results import Measurement, Table
from .servers import BenchmarkError, Client, Server, encode

SIZES = (100, 10_000, 1_000_000)
#: Operations of one pipeline. Each is measured `REPEATS` times; the median counts.
OPERATIONS = 500
REPEATS = 5

KEY = b"measured"


def keys_of(size: int) -> list[bytes]:
    """The keys that a pipeline works on in turn: none may double or run empty in it."""
    return [b"%b:%d" % (KEY, n) for n in range(max(1, 2 * OPERATIONS // size))]


@dataclass(frozen=True)
class Operation:
    """One row of the table: a request with the places that `Places` fills.

    Operations of a type run in order and leave as many elements as there were.
    """

    text: str
    name: str = ""

    @property
    def label(self) -> str:
        """How the table names it: by its command, if not otherwise."""
        return self.name or self.text.partition(" ")[0]


class Places:
    """What stands for the places in requests on a key of so many elements.

    ``new`` is a member that is not there at first, ``old`` one that is; the others are drawn at
    random. Scores are spread, so that the n-th member is not the n-th in order.
    """

    def __init__(self, size: int, source: random.Random) -> None:
        self.size = size
        self.source = source
        self.keys = keys_of(size)

    def fill(self, text: str, number: int) -> Request:
        """The words of the n-th request."""
        some = self.source.randrange(self.size)
        places = {
            "{key}": self.keys[number % len(self.keys)],
            "{n}": b"%d" % (number + 1),
            "{new}": b"new:%07d" % number,
            "{old}": member(some),
            "{score}": score(some),
            "{rank}": b"%d" % some,
            "{end}": b"%d" % (some + 9),
            "{bit}": b"%d" % (8 * some),
            "{id}": b"1-%d" % (some + 1),
            "{new-id}": b"2-%d" % (number + 1),
        }
        return tuple(places.get(word, word.encode()) for word in text.split())


def member(number: int) -> bytes:
    """A member that is there from the beginning."""
    return b"member:%07d" % number


def score(number: int) -> bytes:
    """Its score."""
    return b"%d" % (number * 7919 % 1_000_003)


@dataclass(frozen=True)
class Kind:
    """A type: how a key of it is filled, and what is done with it."""

    name: str
    fill: Callable[[int], Iterator[Request]]
    operations: Sequence[Operation]


def _in_chunks(
    command: bytes, element: Callable[[int], Request]
) -> Callable[[int], Iterator[Request]]:
    """Requests of many elements each."""

    def fill(size: int) -> Iterator[Request]:
        for start in range(0, size, CHUNK):
            numbers = range(start, min(start + CHUNK, size))
            yield (command, KEY, *(word for n in numbers for word in element(n)))

    return fill


def _entries(size: int) -> Iterator[Request]:
    for number in range(size):
        yield (b"XADD", KEY, b"1-%d" % (number + 1), b"field", b"value:%d" % number)


def _zeros(size: int) -> Iterator[Request]:
    yield (b"SETRANGE", KEY, b"%d" % (size - 1), b"x")


KINDS = (
    Kind(
        "list",
        _in_chunks(b"RPUSH", lambda n: (b"element:%07d" % n,)),
        (
            Operation("LPUSH {key} {new}"),
            Operation("RPOP {key}"),
            Operation("LINDEX {key} 0", "LINDEX first"),
            Operation("LINDEX {key} -1", "LINDEX last"),
            Operation("LINDEX {key} {rank}", "LINDEX anywhere"),
            Operation("LSET {key} -1 {new}", "LSET last"),
            Operation("LRANGE {key} 0 9", "LRANGE first 10"),
            Operation("LRANGE {key} -10 -1", "LRANGE last 10"),
        ),
    ),
    Kind(
        "set",
        _in_chunks(b"SADD", lambda n: (member(n),)),
        (
            Operation("SADD {key} {new}"),
            Operation("SREM {key} {new}"),
            Operation("SISMEMBER {key} {old}"),
            Operation("SRANDMEMBER {key}"),
            Operation("SADD {key} {new}", "SADD before SPOP"),
            Operation("SPOP {key}"),
        ),
    ),
    Kind(
        "hash",
        _in_chunks(b"HSET", lambda n: (member(n), b"value:%d" % n)),
        (
            Operation("HSET {key} {new} {n}"),
            Operation("HGET {key} {old}"),
            Operation("HRANDFIELD {key}"),
            Operation("HDEL {key} {new}"),
        ),
    ),
    Kind(
        "sorted set",
        _in_chunks(b"ZADD", lambda n: (score(n), member(n))),
        (
            Operation("ZADD {key} {score} {new}"),
            Operation("ZINCRBY {key} 1000 {new}"),
            Operation("ZREM {key} {new}"),
            Operation("ZSCORE {key} {old}"),
            Operation("ZRANK {key} {old}"),
            Operation("ZCOUNT {key} {score} +inf"),
            Operation("ZRANGE {key} {rank} {end}", "ZRANGE 10 by rank"),
            Operation("ZRANGE {key} {score} +inf BYSCORE LIMIT 0 10", "ZRANGE 10 by score"),
        ),
    ),
    Kind(
        "stream",
        _entries,
        (
            Operation("XADD {key} {new-id} field value"),
            Operation("XRANGE {key} {id} + COUNT 10", "XRANGE 10"),
            Operation("XDEL {key} {new-id}"),
        ),
    ),
    Kind(
        "bitmap of bytes",
        _zeros,
        (Operation("SETBIT {key} {bit} 1"), Operation("GETBIT {key} {bit}")),
    ),
)


def cost(server: Server, kind: Kind, size: int) -> dict[str, float]:
    """Microseconds of each operation of a type on keys of so many elements, by its name."""
    found: dict[str, float] = {}
    with Client(server.port) as client:
        for name in ("DEL", "UNLINK"):
            _refill(server, client, kind, size)
            started = time.perf_counter()
            client.call(name, keys_of(size)[0].decode())
            found[f"{name} {kind.name}"] = (time.perf_counter() - started) * 1e6
        _refill(server, client, kind, size)
        runs: dict[str, list[float]] = {}
        for repeat in range(REPEATS):
            for operation in kind.operations:
                took = _run(server, client, operation, size, repeat)
                runs.setdefault(operation.label, []).append(took)
        client.call("UNLINK", *(key.decode() for key in keys_of(size)))
    return found | {name: median(times) for name, times in runs.items()}


def _refill(server: Server, client: Client, kind: Kind, size: int) -> None:
    for key in keys_of(size):
        client.call("UNLINK", key.decode())
        send_all(client, (_renamed(request, key) for request in kind.fill(size)))
    server.settle()  # it may grow a table, free what was unlinked, write to the disk


def _renamed(request: Request, key: bytes) -> Request:
    return (request[0], key, *request[2:])


def _run(server: Server, client: Client, operation: Operation, size: int, repeat: int) -> float:
    """CPU microseconds of one operation, in a pipeline."""
    places = Places(size, random.Random(repeat))
    first = repeat * OPERATIONS
    requests = [places.fill(operation.text, n) for n in range(first, first + OPERATIONS)]
    data = b"".join(encode(*request) for request in requests)
    before = server.cpu_seconds()
    client.socket.sendall(data)
    try:
        for _ in requests:
            client.skip_reply()
    except BenchmarkError as error:
        raise BenchmarkError(f"{operation.label}: {error}") from error
    return (server.cpu_seconds() - before) / OPERATIONS * 1e6


def size_table(measurements: Sequence[Measurement], baseline: str) -> Table:
    """A row for each operation and server: its cost by size, ratios, and how it grows."""
    costs: dict[tuple[str, str], dict[int, float]] = {}
    for one in measurements:
        if one.part == "sizes":
            size = int(one.load.rpartition(" at ")[2].replace(",", ""))
            for name, value in one.figures.items():
                costs.setdefault((name, one.server), {})[size] = value
    sizes = sorted({size for by_size in costs.values() for size in by_size})
    header = ["operation", "server", *(f"us at {size:,}" for size in sizes)]
    header += [*(f"x at {size:,}" for size in sizes), "growth"]
    rows: list[list[str]] = []
    for name, server in sorted(costs, key=lambda pair: (_order(pair[0]), pair[1] != baseline)):
        by_size, base = costs[name, server], costs.get((name, baseline), {})
        row = ["" if rows and server != baseline else name, server]
        row += [f"{by_size[size]:,.2f}" if size in by_size else "" for size in sizes]
        for size in sizes:
            rated = server != baseline and base.get(size) and size in by_size
            row.append(f"{by_size[size] / base[size]:.2f}" if rated else "")
        grows = sizes[0] in by_size and sizes[-1] in by_size
        row.append(f"{by_size[sizes[-1]] / by_size[sizes[0]]:.1f}" if grows else "")
        rows.append(row)
    return Table(header, rows)


def _order(name: str) -> int:
    """The place of an operation: with its type, whole keys last."""
    names = [operation.label for kind in KINDS for operation in kind.operations]
    names += [f"{command} {kind.name}" for kind in KINDS for command in ("DEL", "UNLINK")]
    return names.index(name)
