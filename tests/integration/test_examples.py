"""The worked examples, built and installed as outsiders would, in real server processes."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, cast

import pytest
import redis

from hypercache.testing.server import ServerProcess
from tests.support.packages import install_projects
from tests.support.process import wait_until
from tests.support.sources import EXAMPLES, ROOT

Start = Callable[..., ServerProcess]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which both examples are installed."""
    return install_projects(EXAMPLES, tmp_path_factory.mktemp("examples"))


@pytest.fixture
def start(site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Starts servers that find the examples, all in the same folder; they end with the test."""
    monkeypatch.setenv("PYTHONPATH", str(site), prepend=":")
    with ExitStack() as stack:

        def started(**settings: str) -> ServerProcess:
            server = ServerProcess(settings=settings, directory=tmp_path).start()
            stack.callback(server.kill)
            return server

        yield started


def hypercache(*words: str | Path) -> str:
    """What the command line prints; it must succeed."""
    command = [sys.executable, "-P", "-m", "hypercache", *map(str, words)]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout


def client_of(server: ServerProcess) -> Any:
    """A client of redis-py; its methods are typed for both of its forms, so not usefully."""
    return cast(Any, redis.Redis(port=server.port, protocol=2))


# The backend -------------------------------------------------------------------------------------


def fill(client: Any) -> None:
    """Something of every type."""
    client.set("string", "value")
    client.set("deadline", "value", px=10_000_000)
    client.set("long", b"x" * 1_000_000)
    client.setbit("bits", 1_000_000, 1)
    client.hset("hash", mapping={f"field {number}": number for number in range(1000)})
    client.rpush("list", *range(1000))
    client.sadd("set", *range(1000))
    client.zadd("ranking", {f"member {number}": number for number in range(1000)})
    client.pfadd("loglog", *range(1000))
    client.geoadd("places", (13.4, 52.5, "Berlin", 2.35, 48.86, "Paris"))
    client.xadd("stream", {"field": "value"}, id="1-1")
    client.xgroup_create("stream", "group", id="0")
    client.xreadgroup("group", "consumer", {"stream": ">"})


def examine(client: Any) -> None:
    """All that `fill` left is there."""
    assert client.dbsize() == 11
    assert client.get("string") == b"value"
    assert 9_000_000 < client.pttl("deadline") <= 10_000_000
    assert client.get("long") == b"x" * 1_000_000
    assert client.bitpos("bits", 1) == 1_000_000
    assert client.hlen("hash") == 1000
    assert client.hget("hash", "field 500") == b"500"
    assert client.lrange("list", 499, 500) == [b"499", b"500"]
    assert client.smembers("set") == {b"%d" % number for number in range(1000)}
    assert client.zrank("ranking", "member 900") == 900
    assert 950 < client.pfcount("loglog") < 1050
    assert 870 < client.geodist("places", "Berlin", "Paris", "km") < 885
    assert client.xrange("stream") == [(b"1-1", {b"field": b"value"})]
    assert client.xpending("stream", "group")["pending"] == 1


def test_sqlite_serves_every_type_and_keeps_it(start: Start, tmp_path: Path) -> None:
    """After SIGKILL, as after an ordered end."""
    settings = {"backend": "sqlite", "backend-settings": "path=keys.sqlite synchronous=always"}
    server = start(**settings)
    client = client_of(server)
    fill(client)
    examine(client)
    assert client.info("backend")["sqlite_log_bytes"] > 1_000_000
    transaction = client.pipeline().rename("set", "other").delete("list")
    transaction.rename("other", "set").rpush("list", *range(1000)).execute()
    server.kill()
    server = start(**settings)
    examine(client_of(server))
    assert server.stop() == 0
    assert (tmp_path / "keys.sqlite").exists()
    examine(client_of(start(**settings)))


def test_sqlite_is_copied_while_a_server_uses_it(start: Start, tmp_path: Path) -> None:
    server = start(backend="sqlite")
    fill(client_of(server))
    source, target = tmp_path / "hypercache.sqlite", tmp_path / "copy.sqlite"
    hypercache("copy", "sqlite", source, target)
    client_of(server).flushall()
    assert server.stop() == 0
    copied = start(**{"backend": "sqlite", "backend-settings.path": "copy.sqlite"})
    examine(client_of(copied))


def test_sqlite_refuses_writes_before_the_disk_is_full(start: Start) -> None:
    client = client_of(start(**{"backend": "sqlite", "backend-settings.reserve": str(1 << 60)}))
    with pytest.raises(redis.ResponseError, match="bytes are free on the disk"):
        client.set("key", "value")
    assert client.get("key") is None
    assert client.delete("key") == 0


@pytest.mark.parametrize(
    ("option", "error"),
    [
        ("synchronous=now", "'synchronous' must be one of always, everysec, no, is 'now'"),
        ("path=nowhere/keys", "nowhere/keys: unable to open database file"),
    ],
)
def test_wrong_settings_stop_the_start(start: Start, option: str, error: str) -> None:
    server = ServerProcess(settings={"backend": "sqlite", "backend-settings": option})
    server.launch()
    assert server.wait_ended() == 1
    [line] = [line for line in server.output.splitlines() if "start_failed" in line]
    assert error in json.loads(line)["error"]
    assert "Traceback" not in server.output


# The plugin --------------------------------------------------------------------------------------


def test_tally_counts_and_reports(start: Start) -> None:
    server = start(plugins="tally tally.report=0.05 tally.separator=/")
    client = client_of(server)
    client.mset({"user/1": "Ada", "user/2": "Grace", "page/1": "text"})
    assert client.execute_command("TALLY.TOP", 1) == [b"user", 2]
    assert client.info("tally") == {"tally_changes": 3, "tally_groups": 2}

    def reports() -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in server.output.splitlines() if line[:1] == "{"]
        return [line for line in lines if line["event"] == "tally" and line["changes"]]

    wait_until(lambda: bool(reports()), "there is a report")
    report = reports()[0]
    assert report["component"] == "plugin.tally"
    assert report["top"] == {"user": 2, "page": 1}
    assert server.stop() == 0


# What is installed -------------------------------------------------------------------------------


def test_both_are_listed_as_the_manual_has_it(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    for listing, name, page in (
        ("backends", "sqlite", "writing-a-backend.md"),
        ("plugins", "tally", "writing-a-plugin.md"),
    ):
        assert f"{name}  hypercache-{name} 1.0.0\n" in hypercache(listing)
        shown = f"$ hypercache {listing} {name}\n{hypercache(listing, name)}$ "
        assert shown in (ROOT / "docs" / page).read_text("utf-8")
