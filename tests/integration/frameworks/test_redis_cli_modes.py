"""redis-cli's modes that rest on pub/sub, scripts, users, tracking and MONITOR."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hypercache.testing.server import ServerProcess
from tests.support.resp import Client
from tests.support.servers import StartServer, tool
from tests.support.terminal import Terminal


def cli(server: ServerProcess, *arguments: str, status: int = 0, **environment: str) -> str:
    """What one run of redis-cli prints."""
    line = [tool("redis-cli"), "-p", str(server.port), *arguments]
    run = subprocess.run(
        line, capture_output=True, text=True, timeout=30, env=os.environ | environment
    )
    assert run.returncode == status, run.stdout + run.stderr
    return run.stdout + run.stderr


class Listening:
    """A redis-cli that prints what the server sends until it is ended."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def read(self, lines: int) -> list[str]:
        """The next lines, without what ends them."""
        assert self._process.stdout is not None
        return [self._process.stdout.readline().rstrip("\n") for _ in range(lines)]


@contextmanager
def listening(server: ServerProcess, *arguments: str) -> Iterator[Listening]:
    line = ["stdbuf", "-oL", tool("redis-cli"), "-p", str(server.port), *arguments]
    process = subprocess.Popen(line, stdout=subprocess.PIPE, text=True)
    try:
        yield Listening(process)
    finally:
        process.terminate()
        process.communicate(timeout=10)


def test_subscribers(server: ServerProcess, client: Client) -> None:
    with listening(server, "SUBSCRIBE", "news", "sports") as plain:
        assert plain.read(6) == ["subscribe", "news", "1", "subscribe", "sports", "2"]
        with listening(server, "--csv", "PSUBSCRIBE", "n*") as quoted:
            assert quoted.read(2)[1] == '"psubscribe","n*",1'
            assert client.call("PUBLISH", "news", "hello") == 2
            assert quoted.read(1) == ['"pmessage","n*","news","hello"']
        assert plain.read(3) == ["message", "news", "hello"]
    assert cli(server, "PUBLISH", "news", "again") in ("0\n", "1\n")


def test_monitor(server: ServerProcess, client: Client) -> None:
    with listening(server, "MONITOR") as monitor:
        assert monitor.read(1) == ["OK"]
        client.call("SET", "key", 'a "quoted"\n value')
        (line,) = monitor.read(1)
        assert line.endswith('] "SET" "key" "a \\"quoted\\"\\n value"')
        assert " [0 127.0.0.1:" in line


def test_script_files(server: ServerProcess, tmp_path: Path) -> None:
    script = tmp_path / "script.lua"
    script.write_text("redis.call('SET', KEYS[1], ARGV[1]) return {KEYS[1], ARGV[1], #ARGV}")
    printed = cli(server, "--eval", str(script), "key", ",", "value", "second")
    assert printed == "key\nvalue\n2\n"
    assert cli(server, "GET", "key") == "value\n"
    script.write_text("return nonsense(")
    assert "Error compiling script" in cli(server, "--eval", str(script))


def test_users(start_server: StartServer) -> None:
    server = start_server({"requirepass": "secret"})
    assert "NOAUTH Authentication required." in cli(server, "PING")
    assert cli(server, "-a", "secret", "--no-auth-warning", "PING") == "PONG\n"
    assert cli(server, "PING", REDISCLI_AUTH="secret") == "PONG\n"
    rules = ("on", ">hush", "~a*", "+@read")
    assert cli(server, "ACL", "SETUSER", "reader", *rules, REDISCLI_AUTH="secret") == "OK\n"
    reader = ("--user", "reader", "--pass", "hush", "--no-auth-warning")
    assert cli(server, *reader, "GET", "abc") == "\n"
    assert "NOPERM" in cli(server, *reader, "-e", "GET", "other", status=1)
    assert "WRONGPASS" in cli(server, "--user", "reader", "--pass", "x", "PING", status=0)


def test_pushed_invalidations(server: ServerProcess, client: Client, tmp_path: Path) -> None:
    command = [tool("redis-cli"), "-3", "-p", str(server.port)]
    environment = {"TERM": "xterm", "HOME": str(tmp_path), "REDISCLI_HISTFILE": "/dev/null"}
    with Terminal(command, environment) as terminal:
        terminal.expect("> ")
        for line, answer in [("client tracking on", "OK"), ("get key", "(nil)")]:
            terminal.type(line + "\r")
            terminal.expect(f"\n{answer}\n")
            terminal.expect("> ")
        client.call("SET", "key", "value")
        terminal.type("ping\r")
        terminal.expect("-> invalidate: 'key'")


def test_hot_keys(server: ServerProcess, client: Client) -> None:
    client.call("CONFIG", "SET", "maxmemory-policy", "allkeys-lfu")
    try:
        client.pipeline(*[("SET", f"key:{i}", "x") for i in range(20)])
        client.pipeline(*[("GET", "key:7")] * 300)
        assert "hot key found with counter" in cli(server, "--hotkeys")
        assert 'keyname: "key:7"' in cli(server, "--hotkeys")
    finally:
        client.call("CONFIG", "SET", "maxmemory-policy", "noeviction")
