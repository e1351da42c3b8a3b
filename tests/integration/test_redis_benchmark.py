"""redis-benchmark runs its tests to the end, without an error reply."""

import csv
import subprocess

import pytest

from hypercache.testing.server import ServerProcess
from tests.support.servers import tool

COMMANDS = ("PING_INLINE", "PING_MBULK", "SET", "GET", "INCR", "MSET (10 keys)")


def benchmark(server: ServerProcess, *options: str) -> dict[str, float]:
    """Requests per second by test; an error reply would end it with a status."""
    line = [tool("redis-benchmark"), "-p", str(server.port), "--csv", "-n", "2000", *options]
    run = subprocess.run(line, capture_output=True, timeout=60, check=True, text=True)
    assert "WARNING" not in run.stderr, run.stderr
    rows = csv.DictReader(line for line in run.stdout.splitlines() if line.startswith('"'))
    return {row["test"]: float(row["rps"]) for row in rows}


@pytest.mark.parametrize(
    "options",
    [("-c", "50"), ("-c", "50", "-P", "16"), ("-c", "10", "-d", "1024"), ("-r", "1000", "-3")],
    ids=["plain", "pipelined", "kilobyte", "random-keys-resp3"],
)
def test_runs_to_the_end(server: ServerProcess, options: tuple[str, ...]) -> None:
    result = benchmark(server, "-t", "ping,set,get,incr,mset", *options)
    assert tuple(result) == COMMANDS
    assert all(rate > 100 for rate in result.values()), result


def test_any_command_line(server: ServerProcess) -> None:
    result = benchmark(server, "-r", "100", "APPEND", "key:__rand_int__", "x")
    assert len(result) == 1
