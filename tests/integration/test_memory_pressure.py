"""Memory pressure in a whole server: levels crossed up and down under load, and what is told."""

import json
import threading
from pathlib import Path

import pytest
import redis

from hypercache.testing.server import ServerFailed, ServerProcess
from tests.support.process import wait_until
from tests.support.servers import StartServer

CONFIGURATION = """\
maxmemory: 6mb
memory-pressure-levels: [50, 70, 90]
maxmemory-rss: 4gb
log-format: json
save: ""
"""


def events(server: ServerProcess) -> list[tuple[object, object]]:
    """Each crossing in the log: the levels before and after."""
    lines = [json.loads(line) for line in server.output.splitlines() if line[:1] == "{"]
    told = [line for line in lines if line["event"] == "memory_pressure"]
    assert all(line["source"] == "data" and line["limit"] == 6 << 20 for line in told)
    return [(line["previous"], line["pressure"]) for line in told]


def test_levels_are_crossed_up_and_down_under_load(
    start_server: StartServer, tmp_path: Path
) -> None:
    file = tmp_path / "server.yaml"
    file.write_text(CONFIGURATION)
    server = start_server(config=file, directory=tmp_path)
    port = server.port
    refused = threading.Event()
    failures: list[Exception] = []

    def write(name: str) -> None:
        """Write until it is refused: what fits in is there, and nothing but OOM is heard."""
        with redis.Redis(port=port) as client:
            try:
                for number in range(20_000):
                    client.set(f"{name}:{number}", "x" * 2000)
            except redis.exceptions.OutOfMemoryError:
                refused.set()
            except redis.exceptions.RedisError as error:
                failures.append(error)

    with redis.Redis(port=port) as client:
        client.set("watched", "value")
        writers = [threading.Thread(target=write, args=(name,)) for name in "abc"]
        for writer in writers:
            writer.start()
        while not refused.is_set() and not failures:
            assert client.get("watched") == b"value"
        for writer in writers:
            writer.join()
        assert not failures
        wait_until(lambda: client.info("memory")["memory_pressure"] == "panic", "panic")
        with pytest.raises(redis.exceptions.OutOfMemoryError):
            client.rpush("list", 1)
        assert client.get("watched") == b"value"  # nothing else breaks
        assert client.delete("watched") == 1
        client.config_set("maxmemory-policy", "allkeys-sieve")
        assert client.rpush("list", 1) == 1
        client.config_set("maxmemory-policy", "noeviction")
        keys = client.keys("?:*")
        client.delete(*keys[: len(keys) // 5])
        wait_until(lambda: client.info("memory")["memory_pressure"] == "critical", "critical")
        client.flushall()
        wait_until(lambda: client.info("memory")["memory_pressure"] == "normal", "normal")
        assert client.info("memory")["memory_pressure_data_panic_count"] == 1
        assert client.info("memory")["memory_process_limit"] == 4 << 30
        assert client.config_rewrite()
    server.stop()
    told = events(server)
    order = ["normal", "warning", "critical", "panic"]
    assert told[0][0] == "normal" and told[-1][1] == "normal"
    assert [before for before, _ in told[1:]] == [after for _, after in told[:-1]]
    top = [after for _, after in told].index("panic")
    rises = [order.index(str(after)) for _, after in told[: top + 1]]
    assert rises == sorted(set(rises))
    assert [after for _, after in told[top + 1 :]] == ["critical", "normal"]
    assert "memory-pressure-levels: [50, 70, 90]" in file.read_text()


def test_a_limit_below_the_empty_process_stops_the_start(
    start_server: StartServer, tmp_path: Path
) -> None:
    with pytest.raises(ServerFailed, match="maxmemory-rss is 1048576 bytes: the process takes"):
        start_server({"maxmemory-rss": "1mb"}, directory=tmp_path)
