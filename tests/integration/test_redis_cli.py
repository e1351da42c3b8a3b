"""redis-cli against a real server: at a terminal, from a pipe, and its special modes."""

import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hypercache.testing.server import ServerProcess
from tests.support.resp import Client, encode
from tests.support.servers import tool
from tests.support.terminal import Terminal


def cli(server: ServerProcess, *arguments: str, stdin: bytes = b"") -> str:
    """What one run of redis-cli prints."""
    line = [tool("redis-cli"), "-p", str(server.port), *arguments]
    run = subprocess.run(line, input=stdin, capture_output=True, timeout=30, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout.decode()


def for_a_while(server: ServerProcess, seconds: float, *arguments: str) -> str:
    """What a mode that never ends prints in that time."""
    line = ["stdbuf", "-oL", tool("redis-cli"), "-p", str(server.port), *arguments]
    process = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    time.sleep(seconds)
    process.terminate()
    output, _ = process.communicate(timeout=10)
    return output.decode()


@pytest.fixture
def terminal(server: ServerProcess, tmp_path: Path) -> Iterator[Terminal]:
    command = [tool("redis-cli"), "-p", str(server.port)]
    environment = {"TERM": "xterm", "HOME": str(tmp_path), "REDISCLI_HISTFILE": "/dev/null"}
    with Terminal(command, environment) as opened:
        opened.expect("> ")
        yield opened


def test_interactive_session(terminal: Terminal, server: ServerProcess) -> None:
    for line, answer in [
        ("set greeting hello", "OK"),
        ("get greeting", '"hello"'),
        ("get missing", "(nil)"),
        ("incr counter", "(integer) 1"),
        ("mget greeting counter", '1) "hello"\n2) "1"'),
        ("incr greeting", "(error) ERR value is not an integer or out of range"),
        ('set binary "\\x00\\xff"', "OK"),
        ("get binary", '"\\x00\\xff"'),
        ("nosuch a b", "(error) ERR unknown command 'nosuch', with args beginning with: 'a' 'b' "),
    ]:
        terminal.type(line + "\r")
        terminal.expect(f"\n{answer}\n")
        terminal.expect("> ")
    terminal.type("quit\r")
    assert terminal.wait() == 0


def test_interactive_transaction_and_database(terminal: Terminal, server: ServerProcess) -> None:
    prompt = f"127.0.0.1:{server.port}"
    terminal.type("select 5\r")
    terminal.expect(f"{prompt}[5]> ")
    terminal.type("multi\r")
    terminal.expect(f"{prompt}[5](TX)> ")
    terminal.type("set key value\r")
    terminal.expect("QUEUED")
    terminal.expect(f"{prompt}[5](TX)> ")
    terminal.type("exec\r")
    terminal.expect("1) OK")
    terminal.expect(f"{prompt}[5]> ")
    terminal.type("hello 3\r")
    terminal.expect('3# "proto" => (integer) 3')


def test_interactive_help_and_hints(terminal: Terminal) -> None:
    """Help and the hints while typing come from our own COMMAND DOCS."""
    terminal.type("help setrange\r")
    text = terminal.expect("group: string")
    assert "SETRANGE key offset value" in text
    assert re.search(r"summary: \w+", text)
    assert "since: 2.2.0" in text
    terminal.expect("> ")
    terminal.type("help @transactions\r")
    text = terminal.expect("WATCH")
    assert "DISCARD" in text
    terminal.expect("> ")
    terminal.type("setrange ")
    terminal.expect("key offset value")


def test_resp3_output(server: ServerProcess) -> None:
    assert cli(server, "-3", "SET", "key", "1.5") == "OK\n"
    assert cli(server, "-3", "INCRBYFLOAT", "key", "1") == "2.5\n"
    assert "proto\n3\n" in cli(server, "-3", "HELLO").replace(" ", "\n")
    assert "# Server" in cli(server, "-3", "INFO", "server")


def test_pipe(server: ServerProcess, client: Client) -> None:
    requests = b"".join(encode("SET", f"key:{i}", i) for i in range(20_000))
    output = cli(server, "--pipe", stdin=requests)
    assert "errors: 0, replies: 20000" in output
    assert client.call("DBSIZE") == 20_000


def test_pipe_counts_errors(server: ServerProcess) -> None:
    requests = encode("SET", "a", "x") + encode("INCR", "a") + encode("GET", "a")
    line = [tool("redis-cli"), "-p", str(server.port), "--pipe"]
    run = subprocess.run(line, input=requests, capture_output=True, timeout=30, check=False)
    assert run.returncode == 1
    assert b"errors: 1, replies: 3" in run.stdout


def test_scan(server: ServerProcess, client: Client) -> None:
    client.pipeline(*[("SET", f"key:{i}", "x") for i in range(2000)])
    assert sorted(cli(server, "--scan").split()) == sorted(f"key:{i}" for i in range(2000))
    some = cli(server, "--scan", "--pattern", "key:1?").split()
    assert sorted(some) == [f"key:1{i}" for i in range(10)]


def test_bigkeys_and_memkeys(server: ServerProcess, client: Client) -> None:
    client.pipeline(*[("SET", f"key:{i}", "x") for i in range(50)])
    client.call("SET", "the-big-one", "x" * 20_000)
    output = cli(server, "--bigkeys")
    assert re.search(r"Biggest string found \W*the-big-one\W* has 20000 bytes", output)
    assert "Sampled 51 keys in the keyspace!" in output
    output = cli(server, "--memkeys")
    assert re.search(r"Biggest string found \W*the-big-one\W* has 2\d{4} bytes", output)


def test_stat(server: ServerProcess, client: Client) -> None:
    client.pipeline(*[("SET", f"key:{i}", "x") for i in range(7)])
    rows = for_a_while(server, 0.8, "--stat", "-i", "0.1").splitlines()
    assert re.match(r"keys +mem +clients +blocked +requests +connections", rows[1].strip())
    assert len(rows) >= 5
    for row in rows[2:4]:
        assert re.match(r"7 +\d+\.\d+[KM] +\d+ +0 +\d+ \(\+\d+\) +\d+", row.strip()), row


def test_latency(server: ServerProcess) -> None:
    """Milliseconds: minimum, maximum, average, number of samples."""
    least, most, mean, samples = map(float, cli(server, "--latency", "-i", "0.3").split())
    assert 0 <= least <= mean <= most
    assert samples >= 10
    assert mean < 50


def test_csv_json_and_repeat(server: ServerProcess) -> None:
    assert cli(server, "SET", "key", 'a "quoted" value') == "OK\n"
    assert cli(server, "--csv", "MGET", "key", "missing") == '"a \\"quoted\\" value",NULL\n'
    assert cli(server, "--json", "MGET", "key", "missing") == '["a \\"quoted\\" value",null]\n'
    assert cli(server, "-r", "3", "INCR", "n") == "1\n2\n3\n"
    assert cli(server, "-x", "SET", "piped", stdin=b"from stdin") == "OK\n"
    assert cli(server, "-n", "3", "DBSIZE") == "0\n"
