"""The parts of the benchmark that measure stores on disk: what they start, send and read."""

import os
import random
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.benchmarks.catalogue import POLICIES, chosen_servers, known_servers
from tests.benchmarks.larger import disk_bytes, parse_status
from tests.benchmarks.limits import MemoryGroup, find_hierarchy
from tests.benchmarks.measure import Checkpoints, Load, waiting_times
from tests.benchmarks.options import parse_arguments
from tests.benchmarks.plans import GROUPS, plan
from tests.benchmarks.restart import wait_for_full_log
from tests.benchmarks.results import METRICS, Measurement, find_baseline, table
from tests.benchmarks.servers import BenchmarkError, Client, Server, ServerSpec, free_port
from tests.benchmarks.snapshot import children, file_bytes, private, resident
from tests.benchmarks.traffic import Traffic, drive, latencies, zipf_weights

MB = 1 << 20
#: How names of servers end, ours and the one of redis-server beside it.
KEPT = {"native": "rdb", "rdb": "rdb", "everysec": "everysec", "lmdb": "everysec"}


class FakeServer:
    """Answers INFO with one set of fields after another; the last stays."""

    def __init__(self, *infos: dict[str, int]) -> None:
        self.infos = [{name: str(value) for name, value in info.items()} for info in infos]

    def read_info(self) -> dict[str, str]:
        return self.infos.pop(0) if len(self.infos) > 1 else self.infos[0]


@contextmanager
def answering(reply: Callable[[bytes], bytes]) -> Iterator[int]:
    """A server on a port of its own that answers whatever it receives, in one thread each."""

    def serve(connection: socket.socket) -> None:
        with connection:
            while data := connection.recv(1 << 16):
                connection.sendall(reply(data))

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:  # closed
                return
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=accept, daemon=True).start()
        yield int(listener.getsockname()[1])
        listener.shutdown(socket.SHUT_RDWR)


# Servers ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", POLICIES)
def test_servers_sync_as_their_names_say(policy: str) -> None:
    known = known_servers(parse_arguments([]))
    ours = known[f"compiled-lmdb-{policy}"]
    assert ours.command[-4:] == ("--backend", "lmdb", "--backend-settings.sync", policy)
    assert ours.claims["hypercache_backend"] == "lmdb"
    theirs = known[f"redis-server-{policy}"].command
    assert theirs[theirs.index("--appendonly") + 1] == "yes"
    assert theirs[theirs.index("--appendfsync") + 1] == policy


def test_every_part_has_its_servers() -> None:
    options = parse_arguments(["--compiled", "sh", "--interpreted", "sh"])
    known = known_servers(options)
    for name in ("redis-server", *(f"redis-server-{policy}" for policy in POLICIES)):
        assert known[name].command[0] == "redis-server"
    parts = {part: [spec.name for spec in chosen_servers(part, options)] for part in METRICS}
    assert parts["backends"] == ["compiled", "compiled-lmdb"]
    assert parts["larger"] == ["compiled-lmdb"]
    assert {"compiled-noeviction", "compiled-allkeys-sieve"} <= set(parts["eviction"])
    assert {"compiled-lmdb", "compiled", "redis-server"} <= set(parts["sizes"])
    assert "compiled-lmdb" not in parts["commands"]


def test_the_baseline_is_the_closest_name() -> None:
    servers = ["compiled-lmdb-always", "redis-server-always", "compiled"]
    assert find_baseline(servers, "redis-server") == "redis-server-always"
    assert find_baseline(servers, "compiled") == "compiled"
    assert find_baseline(servers, "valkey-server") is None
    assert find_baseline(servers, "") is None


def test_a_server_finds_its_folder_again(tmp_path: Path) -> None:
    command = ("redis-server", "--port", "{port}", "--appendonly", "yes", "--save", "")
    with Server(ServerSpec("redis", command), free_port(0), tmp_path) as server:
        with Client(server.port) as client:
            client.fill(10, 3)
        server.settle()
        first = server.pid
        server.kill()
        server.start()
        assert server.pid != first
        with Client(server.port) as client:
            assert client.call("DBSIZE") == b"10"
        assert disk_bytes(server.home) > 0
    assert not server.home.exists()


# Loads -----------------------------------------------------------------------------------------


def test_parts_of_stores() -> None:
    loads = plan(parse_arguments(["--parts", "backends,sync,readers"]))
    assert [(part, load.command, load.pipeline, load.policy) for part, load in loads] == [
        ("backends", "set", 16, ""),
        ("backends", "get", 16, ""),
        ("backends", "set", 1, ""),
        ("backends", "get", 1, ""),
        ("sync", "set", 1, "always"),
        ("sync", "set", 1, "everysec"),
        ("sync", "set", 1, "no"),
        ("readers", "set", 1, "always"),
        ("readers", "set", 16, "everysec"),
    ]
    assert {load.keys for part, load in loads if part == "backends"} == {1_000_000}


def test_every_load_belongs_to_a_group() -> None:
    grouped = [part for group in GROUPS for part in group]
    assert len(grouped) == len(set(grouped))
    assert {part for part, _ in plan(parse_arguments([]))} == set(grouped)


def test_a_policy_chooses_the_servers() -> None:
    load = Load("set", 50, policy="no", keys=1_000_000)
    assert load.label == "sync no: SET 64 B, pipeline 1, 50 clients, 1,000,000 keys"
    assert load.suits("redis-server-no")
    assert not load.suits("redis-server-always")
    assert Load("set", 50).suits("redis-server")


def test_zipf_weights_fall_with_the_rank() -> None:
    assert zipf_weights(3, 1.0) == pytest.approx([1, 1 + 1 / 2, 1 + 1 / 2 + 1 / 3])
    drawn = random.Random(1).choices(range(1000), cum_weights=zipf_weights(1000), k=10_000)
    assert drawn.count(0) > 5 * drawn.count(20) > 0


def test_requests_of_traffic() -> None:
    get = Traffic("GET", 10, 5).requests()
    assert next(get).startswith(b"*2\r\n$3\r\nGET\r\n$16\r\nkey:00000000000")
    assert next(Traffic("SET", 10, 5).requests()).endswith(b"\r\n$5\r\nyyyyy\r\n")
    assert Traffic("GET", 10, 5).reply() == (b"$5\r\n", 11)
    assert Traffic("GET", 2, 5, zipf_weights(2)).label == "GET, zipf keys"


@pytest.mark.parametrize(("command", "reply"), [("GET", b"$3\r\nabc\r\n"), ("SET", b"+OK\r\n")])
def test_traffic_counts_every_request(command: str, reply: bytes) -> None:
    received: list[bytes] = []

    def answer(data: bytes) -> bytes:
        received.append(data)
        return reply

    with answering(answer) as port:
        took = drive(port, Traffic(command, 10, 3, clients=4), 0.05)
    assert len(took) == len(received) >= 4
    assert took == sorted(took)


@pytest.mark.parametrize("reply", [b"$-1\r\n", b"-ERR no\r\n", b"$4\r\nabcd\r\n"])
def test_traffic_accepts_no_wrong_reply(reply: bytes) -> None:
    with answering(lambda _: reply) as port, pytest.raises(BenchmarkError, match="a wrong reply"):
        drive(port, Traffic("GET", 10, 3, clients=1), 5.0)


def test_figures_of_latencies() -> None:
    figures = latencies([n / 1000 for n in range(1, 101)], 2.0)
    assert figures == pytest.approx({"rps": 50, "p50_ms": 50, "p99_ms": 99, "longest_ms": 100})
    assert waiting_times([0.001, 0.002])["probe_max_ms"] == pytest.approx(2.0)


def test_replies_of_any_form_are_skipped() -> None:
    replies = b"*3\r\n$-1\r\n:1\r\n*1\r\n$2\r\nab\r\n" + b"*-1\r\n" + b"+OK\r\n" + b"-ERR bad\r\n"
    with answering(lambda _: replies) as port, Client(port) as client:
        client.socket.sendall(b"x")
        for _ in range(3):
            client.skip_reply()
        with pytest.raises(BenchmarkError, match="ERR bad"):
            client.skip_reply()


# What is read ----------------------------------------------------------------------------------


def seen_by(*infos: dict[str, int]) -> Checkpoints:
    """What a watcher that saw these answers makes of them."""
    found = Checkpoints(FakeServer(infos[0]))
    found.seen += [{name: str(value) for name, value in info.items()} for info in infos[1:]]
    return found


def test_checkpoints_of_a_run() -> None:
    def info(commands: int, count: int, microseconds: int) -> dict[str, int]:
        return {
            "total_commands_processed": commands,
            "lmdb_checkpoints": count,
            "lmdb_last_checkpoint_usec": microseconds,
        }

    # The longest of them all happened before.
    watched = seen_by(info(10, 7, 99_000), info(30, 8, 5_000), info(110, 9, 2_000))
    assert watched.figures(2.0) == {"writes": 50.0, "checkpoints": 2, "checkpoint_ms": 5.0}
    quiet = seen_by(info(10, 7, 99_000), info(30, 7, 99_000))
    assert quiet.figures(1.0) == {"writes": 20.0, "checkpoints": 0, "checkpoint_ms": 0.0}


def test_a_server_without_checkpoints_has_no_figures_of_them() -> None:
    watched = seen_by({"total_commands_processed": 1}, {"total_commands_processed": 5})
    assert watched.figures(1.0) == {"writes": 4.0}


def test_a_log_is_full_when_it_is_as_long_as_it_was() -> None:
    sizes = [10, 60, 100, 5, 50, 89, 90, 95]
    server = FakeServer(*({"lmdb_log_bytes": size} for size in sizes))
    assert wait_for_full_log(server) == 90
    assert server.infos == [{"lmdb_log_bytes": "95"}]


def test_a_log_that_never_shrinks_is_as_full_as_it_gets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.benchmarks.restart.WATCH_SECONDS", 0.05)
    server = FakeServer({"aof_current_size": 10}, {"aof_current_size": 20})
    assert wait_for_full_log(server) == 20


def test_resident_memory_of_a_process() -> None:
    text = "Name:\tx: y\nVmRSS:\t  2048 kB\nRssAnon:\t  512 kB\n"
    assert parse_status(text) == {"rss_mb": 2.0, "anonymous_mb": 0.5}


def test_holes_take_no_room(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with (tmp_path / "folder" / "sparse").open("wb") as file:
        file.truncate(100 * MB)
    assert disk_bytes(tmp_path) < MB
    with (tmp_path / "full").open("wb") as file:
        file.write(os.urandom(MB))
        os.fsync(file.fileno())
    assert MB <= disk_bytes(tmp_path) < 2 * MB


def test_what_no_server_has_a_figure_for_is_empty() -> None:
    measurements = [
        Measurement("restart", "x", "redis-server-everysec", 1, {"start_ms": 200.0}),
        Measurement("restart", "x", "ours", 1, {"start_ms": 100.0, "recovered": 3.0}),
    ]
    shown = table("restart", measurements, "redis-server")
    column = {heading: n for n, heading in enumerate(shown.header)}
    assert [row[column["operations recovered"]] for row in shown.rows] == ["", "3"]
    assert [row[column["x first reply"]] for row in shown.rows] == ["", "0.50"]
    assert not [one for one in table("restart", measurements, "").header if one.startswith("x ")]


# Limits of memory ------------------------------------------------------------------------------

MOUNTS = "proc /proc proc rw 0 0\ncgroup2 /sys/fs/cgroup/unified cgroup2 rw,nosuid 0 0\n"
OLD = "cgroup /sys/fs/cgroup/memory cgroup rw,memory 0 0\n"


def test_groups_of_both_versions() -> None:
    found = find_hierarchy(MOUNTS, "0::/user.slice\n")
    assert found.folder == Path("/sys/fs/cgroup/unified")
    assert found.limit == "memory.max"
    found = find_hierarchy(MOUNTS + OLD, "4:memory:/here/below\n0::/\n")
    assert found.folder == Path("/sys/fs/cgroup/memory/here/below")
    assert found.limit == "memory.limit_in_bytes"


def test_no_groups_at_all() -> None:
    with pytest.raises(BenchmarkError, match="no control groups"):
        find_hierarchy("proc /proc proc rw 0 0\n", "0::/\n")


def test_memory_that_cannot_be_limited(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    nowhere = find_hierarchy(f"cgroup2 {tmp_path / 'none'} cgroup2 rw 0 0\n", "")
    monkeypatch.setattr("tests.benchmarks.limits.find_hierarchy", lambda *_: nowhere)
    with pytest.raises(BenchmarkError, match=r"memory cannot be limited here: .*none.*root"):
        MemoryGroup(MB)


def test_a_server_is_compared_with_the_one_that_keeps_data_in_the_same_way() -> None:
    servers = ["redis-server-rdb", "redis-server-everysec", "compiled-native", "compiled-everysec"]
    found = [find_baseline(servers, "redis-server", f"compiled-{name}") for name in KEPT]
    assert found == [f"redis-server-{name}" for name in KEPT.values()]
    assert find_baseline(["redis-server", *servers], "redis-server", "compiled") == "redis-server"
    assert find_baseline(servers, "redis-server", "compiled") == "redis-server-rdb"
    assert find_baseline(servers, "valkey-server", "compiled-rdb") is None


def test_what_an_append_only_file_costs() -> None:
    rates = {"compiled": 100.0, "compiled-always": 50.0, "redis-server-always": 25.0}
    measurements = [Measurement("durable", "x", name, 1, {"rps": rates[name]}) for name in rates]
    shown = table("durable", measurements, "redis-server")
    column = {heading: n for n, heading in enumerate(shown.header)}
    assert [row[column["x own without"]] for row in shown.rows] == ["", "0.50", ""]
    assert [row[column["x requests/s"]] for row in shown.rows] == ["4.00", "2.00", ""]


def test_private_memory_of_processes() -> None:
    assert resident(os.getpid()) > MB
    assert private(os.getpid()) > MB
    assert private(2**22 + 1) == 0
    with subprocess.Popen(["sleep", "10"]) as child:
        assert child.pid in children(os.getpid())
        child.kill()
    assert children(2**22 + 1) == []


def test_the_newest_snapshot_counts(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match="has left no file"):
        file_bytes(tmp_path)
    for number, name in enumerate(("dump.rdb", "dump-1.hcs", "other.txt"), 1):
        (tmp_path / name).write_bytes(bytes(number))
        os.utime(tmp_path / name, (number, number))
    assert file_bytes(tmp_path) == 2
