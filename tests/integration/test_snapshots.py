"""Snapshots of a server process: at its end, by command, and where they cannot be written."""

import shutil
import signal
from pathlib import Path

import pytest

from hypercache.testing.server import ServerFailed
from tests.support.process import wait_until
from tests.support.resp import Client, Disconnected, ReplyError, connect, info
from tests.support.servers import StartServer

RULE = {"save": "3600 1", "rdb-key-save-delay": "0"}
REFUSED = ReplyError("ERR Errors trying to SHUTDOWN. Check logs.")


def snapshots(folder: Path) -> list[str]:
    return sorted([path.name for path in folder.iterdir() if path.suffix in (".hcs", ".rdb")])


def test_the_data_are_back_after_a_signal(start_server: StartServer, tmp_path: Path) -> None:
    first = start_server(RULE, directory=tmp_path)
    with connect(first) as client:
        client.call("SET", "key", "value")
        client.call("HSET", "hash", "field", "1")
        first.send_signal(signal.SIGTERM)
        assert first.wait_ended() == 0
    assert len(snapshots(tmp_path)) == 1
    with connect(start_server(RULE, directory=tmp_path)) as client:
        assert client.call("GET", "key") == b"value"
        assert client.call("HGETALL", "hash") == [b"field", b"1"]
        assert info(client, "persistence")["rdb_last_load_keys_loaded"] == "2"


def test_signals_may_stand_for_an_end_without_saving(
    start_server: StartServer, tmp_path: Path
) -> None:
    server = start_server(RULE | {"shutdown-on-sigint": "nosave"}, directory=tmp_path)
    with connect(server) as client:
        client.call("SET", "key", "value")
    server.send_signal(signal.SIGINT)
    assert server.wait_ended() == 0
    assert snapshots(tmp_path) == []


def test_a_server_that_cannot_save_goes_on(start_server: StartServer, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    server = start_server(RULE | {"snapshot-format": "rdb"}, directory=folder)
    with connect(server) as client:
        client.call("SET", "key", "value")
        shutil.move(folder, tmp_path / "elsewhere")
        assert client.call("SHUTDOWN") == REFUSED
        assert client.call("SET", "key", "more") == "OK"
        server.send_signal(signal.SIGTERM)  # refused as well, and no second one follows
        shutil.move(tmp_path / "elsewhere", folder)
        with pytest.raises((Disconnected, ConnectionError)):
            client.call("SHUTDOWN", "SAVE")
    assert server.wait_ended() == 0
    assert snapshots(folder) == ["dump.rdb"]


def test_an_end_is_aborted_while_data_are_saved(start_server: StartServer, tmp_path: Path) -> None:
    server = start_server(RULE | {"rdb-key-save-delay": "10000000"}, directory=tmp_path)
    with connect(server) as asking, connect(server) as writing, connect(server) as other:
        other.call("SET", "key", "1")
        asking.send(b"SHUTDOWN\r\n")
        wait_until(
            lambda: info(other, "persistence")["rdb_bgsave_in_progress"] == "1", "the saving begins"
        )
        writing.send(b"INCR key\r\n")
        assert other.call("GET", "key") == b"1"
        assert other.call("SHUTDOWN", "ABORT") == "OK"
        assert asking.read() == REFUSED
        assert writing.read() == 2
        assert snapshots(tmp_path) == []
        with pytest.raises((Disconnected, ConnectionError)):
            other.call("SHUTDOWN", "NOSAVE")
    assert server.wait_ended() == 0


def test_commands_of_plugins_are_there_before_the_append_only_file(
    start_server: StartServer, tmp_path: Path
) -> None:
    """Those of filters are in it as they were called."""
    settings = {"appendonly": "yes", "appendfsync": "always"}
    server = start_server(settings, directory=tmp_path)
    with connect(server) as client:
        assert client.call("BF.MADD", "b", "x", "y") == [1, 1]
        client.call("CF.RESERVE", "c", "4", "BUCKETSIZE", "1", "EXPANSION", "0")
        replies = [client.call("CF.ADD", "c", str(number)) for number in range(12)]
        assert any(isinstance(reply, ReplyError) for reply in replies)
        filters = [client.call("GET", key) for key in "bc"]
    server.kill()
    with connect(start_server(settings, directory=tmp_path)) as client:
        assert [client.call("GET", key) for key in "bc"] == filters


def persistence(client: Client) -> dict[str, str]:
    return info(client, "persistence")


def test_two_servers_do_not_share_an_append_only_folder(
    start_server: StartServer, tmp_path: Path
) -> None:
    """The second would end the file that the first goes on with."""
    settings = {"appendonly": "yes", "appendfsync": "always"}
    server = start_server(settings, directory=tmp_path)
    with pytest.raises(ServerFailed, match="appendonlydir is in use by another server"):
        start_server(settings, directory=tmp_path)
    other = start_server({"appendonly": "no"}, directory=tmp_path)
    with connect(server) as client, connect(other) as late:
        late.call("CONFIG", "SET", "appendonly", "yes")
        wait_until(lambda: persistence(late)["aof_last_bgrewrite_status"] == "err", "refused")
        assert client.call("SET", "key", "1") == "OK"
        late.call("CONFIG", "SET", "appendonly", "no")
        client.call("CONFIG", "SET", "appendonly", "no")
        wait_until(lambda: persistence(client)["aof_enabled"] == "0", "off")
        late.call("CONFIG", "SET", "appendonly", "yes")
        wait_until(lambda: persistence(late)["aof_last_bgrewrite_status"] == "ok", "on again")
