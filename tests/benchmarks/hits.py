"""Hit ratios at equal memory: ``python -m tests.benchmarks.hits --compiled PROGRAM --traces DIR``.

The same requests go to a real redis-server and to ours, under one eviction policy after the
other. A request is ``SET key value NX GET``: a cache that reads, and stores what it did not have.
Every server has the same room for data beside what it takes when it is empty: that of a share
of the workload's distinct keys, as redis-server accounts for them.

``--traces`` names a folder with public traces, which are not part of this project; docs/eviction.md
says where they are. Without it, only the made ones run: Zipf's law, and that with scans.
"""

from __future__ import annotations

import argparse
import gzip
import lzma
import struct
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from random import Random

from .charts import dot_chart
from .servers import BenchmarkError, Client, Server, ServerSpec, encode, free_port

VALUE = b"v" * 4096
PIPELINE = 16
REDIS = ("allkeys-lru", "allkeys-lfu")
OURS = (*REDIS, "allkeys-sieve", "allkeys-s3-fifo", "allkeys-w-tinylfu")
MISS = b"$-1\r\n"
#: The key is not there, and is not stored: in little room redis-server's own buffers are too much.
NO_ROOM = b"-OOM "

Requests = list[bytes]


def zipf(exponent: float, count: int, scans: bool) -> Requests:
    """Requests of which the k-th most popular of 20,000 keys has a share of 1 / k ** exponent."""
    random = Random(count)
    keys = 20_000
    weights = [1 / rank**exponent for rank in range(1, keys + 1)]
    requests = [b"%d" % key for key in random.choices(range(keys), weights, k=count)]
    if not scans:
        return requests
    mixed: Requests = []
    for number, key in enumerate(requests):
        mixed.append(key)
        if number % 10_000 == 9_999:  # keys that come once, half as many as there is room for
            mixed += [b"scan %d %d" % (number, each) for each in range(1_000)]
    return mixed


def lines(path: Path) -> Requests:
    """A key a line, perhaps compressed; lines that are no numbers are marks."""
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return [line for line in data.split() if line.isdigit()]


def numbers(path: Path) -> Requests:
    """Keys of four bytes each, compressed."""
    data = lzma.decompress(path.read_bytes())
    return [b"%d" % key for (key,) in struct.iter_unpack(">i", data[: len(data) // 4 * 4])]


def workloads(traces: Path | None, count: int) -> dict[str, Callable[[], Requests]]:
    """What is asked for, by name; read or made when it is its turn."""
    found: dict[str, Callable[[], Requests]] = {}
    for exponent in (0.7, 0.9, 1.1):
        found[f"Zipf {exponent}"] = partial(zipf, exponent, count, False)
    found["Zipf 0.9 and scans"] = partial(zipf, 0.9, count, True)
    for path in sorted(traces.iterdir()) if traces is not None else ():
        name = path.name.partition(".")[0]
        if path.name.endswith(".trace.xz"):
            found[name] = partial(numbers, path)
        elif path.name.endswith((".trace.gz", ".txt")):
            found[name] = partial(lines, path)
    return found


def ratio(client: Client, requests: Iterable[bytes]) -> float:
    """The share of the requests that found their key."""
    hits = asked = 0
    batch: list[bytes] = []

    def ask() -> None:
        nonlocal hits
        client.socket.sendall(b"".join(batch))
        for _ in batch:
            line = client.replies.readline()
            if line != MISS and not line.startswith(NO_ROOM):
                if line[:1] != b"$":
                    raise BenchmarkError(line.decode(errors="replace").strip())
                client.replies.read(len(VALUE) + 2)
                hits += 1
        batch.clear()

    for key in requests:
        asked += 1
        batch.append(encode(b"SET", b"key:" + key, VALUE, b"NX", b"GET"))
        if len(batch) == PIPELINE:
            ask()
    ask()
    return hits / asked


def used(client: Client) -> int:
    """What the server accounts for, with the buffers of a client that is at work."""
    ratio(client, [b"x"] * (PIPELINE * 4))
    client.call("FLUSHALL")
    for line in client.call("INFO", "memory").splitlines():
        if line.startswith(b"used_memory:"):
            return int(line.partition(b":")[2])
    raise BenchmarkError("INFO memory has no used_memory")


def room_of(client: Client, keys: int) -> int:
    """Bytes that so many keys take, by what a thousand take where there is no limit."""
    client.call("CONFIG", "SET", "maxmemory", "0")
    before = used(client)
    ratio(client, (b"%d" % key for key in range(1_000)))
    for line in client.call("INFO", "memory").splitlines():
        if line.startswith(b"used_memory:"):
            return (int(line.partition(b":")[2]) - before) * keys // 1_000
    raise BenchmarkError("INFO memory has no used_memory")


def measure(client: Client, policy: str, room: int, requests: Requests) -> float:
    """The hit ratio under a policy, from an empty server on."""
    client.call("CONFIG", "SET", "maxmemory", "0")
    client.call("CONFIG", "SET", "maxmemory-policy", policy)
    empty = used(client)
    client.call("CONFIG", "SET", "maxmemory", str(empty + room))
    return ratio(client, requests)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table as Markdown, and draw it where ``--svg`` says."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--compiled", required=True, help="our program")
    parser.add_argument("--redis-server", default="redis-server")
    parser.add_argument("--traces", type=Path)
    parser.add_argument("--only", help="workloads whose names contain this")
    parser.add_argument("--share", type=float, default=0.1, help="of the distinct keys: the room")
    parser.add_argument("--requests", type=int, default=150_000, help="at most, of each workload")
    parser.add_argument("--port", type=int, default=7300)
    parser.add_argument("--svg", type=Path)
    options = parser.parse_args(arguments)
    columns = [f"redis-server {policy}" for policy in REDIS] + [f"ours {name}" for name in OURS]
    rows: dict[str, list[float]] = {}
    print("| workload | requests | room, keys | " + " | ".join(columns) + " |")
    print("|---|--:|--:|" + "--:|" * len(columns))
    with tempfile.TemporaryDirectory(prefix="hypercache-hits-") as folder, ExitStack() as stack:
        specs = (
            ServerSpec("redis-server", (options.redis_server, "--save", "")),
            ServerSpec("ours", (options.compiled, "serve", "--save", "")),
        )
        clients = []
        for spec in specs:
            server = stack.enter_context(Server(spec, free_port(options.port), Path(folder)))
            clients.append(stack.enter_context(Client(server.port)))
        redis, ours = clients
        for name, read in workloads(options.traces, options.requests).items():
            if options.only and options.only not in name:
                continue
            requests = read()[: options.requests]
            keys = max(int(len(set(requests)) * options.share), 1)
            room = room_of(redis, keys)
            found = [measure(redis, policy, room, requests) for policy in REDIS]
            found += [measure(ours, policy, room, requests) for policy in OURS]
            rows[name] = found
            best = max(found)
            cells = [f"**{each:.1%}**" if each == best else f"{each:.1%}" for each in found]
            print(f"| {name} | {len(requests):,} | {keys:,} | " + " | ".join(cells) + " |")
            sys.stdout.flush()
    if options.svg:
        options.svg.write_text(dot_chart("Hit ratio at equal memory", columns, rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
