"""What a server says to clients about who may come in, and what it knows about them."""

import re
import time

import pytest

from tests.support.process import wait_until
from tests.support.resp import Client, ReplyError, Verbatim, connect, info
from tests.support.servers import StartServer

WRONG_PASSWORD = ReplyError("WRONGPASS invalid username-password pair or user is disabled.")
NO_AUTH = ReplyError("NOAUTH Authentication required.")


def client_fields(client: Client) -> dict[str, str]:
    """The fields of CLIENT INFO by name."""
    reply = client.call("CLIENT", "INFO")
    text = reply.text if isinstance(reply, Verbatim) else reply
    assert isinstance(text, bytes)
    assert text.endswith(b"\n")
    pairs = (field.partition("=") for field in text.decode().strip().split(" "))
    return {name: value for name, _, value in pairs}


def test_password(start_server: StartServer) -> None:
    server = start_server({"requirepass": "secret"})
    with connect(server) as client:
        assert client.call("GET", "key") == NO_AUTH
        assert client.call("PING") == NO_AUTH
        assert client.call("NOSUCHCOMMAND") == ReplyError(
            "ERR unknown command 'NOSUCHCOMMAND', with args beginning with: "
        )
        assert client.call("GET") == ReplyError("ERR wrong number of arguments for 'get' command")
        assert client.call("AUTH", "wrong") == WRONG_PASSWORD
        assert client.call("AUTH", "nobody", "secret") == WRONG_PASSWORD
        assert client.call("AUTH", "default", "secret", "more") == ReplyError("ERR syntax error")
        assert client.call("AUTH", "secret") == "OK"
        assert client.call("GET", "key") is None
        assert client.call("AUTH", "default", "secret") == "OK"
    with connect(server) as client:
        assert client.call("QUIT") == "OK"
        assert client.read_to_end() == b""


def test_no_password_configured(client: Client) -> None:
    assert client.call("AUTH", "anything") == ReplyError(
        "ERR AUTH <password> called without any password configured for the default user. "
        "Are you sure your configuration is correct?"
    )
    assert client.call("AUTH", "default", "anything") == "OK"


def test_hello_with_password(start_server: StartServer) -> None:
    server = start_server({"requirepass": "secret"})
    with connect(server) as client:
        assert client.call("HELLO", "3") == ReplyError(
            "NOAUTH HELLO must be called with the client already authenticated, otherwise the "
            "HELLO <proto> AUTH <user> <pass> option can be used to authenticate the client and "
            "select the RESP protocol version at the same time"
        )
        assert client.call("HELLO", "3", "AUTH", "default", "wrong") == WRONG_PASSWORD
        assert client.call("GET", "key") == NO_AUTH
        reply = client.call("HELLO", "3", "AUTH", "default", "secret", "SETNAME", "worker")
        assert isinstance(reply, dict)
        assert reply[b"proto"] == 3
        assert client.call("GET", "key") is None
        assert client_fields(client)["name"] == "worker"


def test_hello(client: Client) -> None:
    noproto = ReplyError("NOPROTO unsupported protocol version")
    assert client.call("HELLO", "4") == noproto
    assert client.call("HELLO", "1") == noproto
    assert client.call("HELLO", "three") == ReplyError(
        "ERR Protocol version is not an integer or out of range"
    )
    assert client.call("HELLO", "3", "SETNAME") == ReplyError(
        "ERR Syntax error in HELLO option 'SETNAME'"
    )
    reply = client.call("HELLO", "3")
    assert isinstance(reply, dict)
    assert list(reply) == [
        b"server",
        b"version",
        b"proto",
        b"id",
        b"mode",
        b"role",
        b"modules",
    ]
    assert reply[b"server"] == b"redis"
    assert (reply[b"mode"], reply[b"role"], reply[b"modules"]) == (b"standalone", b"master", [])
    assert client.call("CLIENT", "ID") == reply[b"id"]
    flat = client.call("HELLO", "2")
    assert isinstance(flat, list)
    assert flat[4:6] == [b"proto", 2]
    assert isinstance(client.call("HELLO"), list)


def test_maxclients(start_server: StartServer) -> None:
    server = start_server({"maxclients": "5"})
    clients = [connect(server) for _ in range(5)]
    assert [client.call("PING") for client in clients] == ["PONG"] * 5
    with connect(server) as refused:
        assert refused.read_to_end() == b"-ERR max number of clients reached\r\n"
    assert info(clients[0], "stats")["rejected_connections"] == "1"
    clients.pop().close()
    wait_until(lambda: info(clients[0], "clients")["connected_clients"] == "4", "one has gone")
    with connect(server) as client:
        assert client.call("PING") == "PONG"
    for client in clients:
        client.close()


def test_idle_timeout(start_server: StartServer) -> None:
    server = start_server({"timeout": "1"})
    with connect(server) as idle, connect(server) as busy:
        started = time.monotonic()
        while idle.silent(0.1) and time.monotonic() < started + 8:
            assert busy.call("PING") == "PONG"
        assert 0.9 <= time.monotonic() - started <= 4
        assert idle.read_to_end() == b""
        assert busy.call("PING") == "PONG"


def test_protected_mode(start_server: StartServer) -> None:
    """From elsewhere, without a password: refused with the way out. Loopback is let in."""
    server = start_server()
    with connect(server) as client:
        assert client.call("PING") == "PONG"
        assert client.call("CONFIG", "GET", "protected-mode") == [b"protected-mode", b"yes"]


def test_client_info_fields(client: Client) -> None:
    """The fields of Redis 7.2, in its order."""
    host, port = client.socket.getsockname()
    server_host, server_port = client.socket.getpeername()
    client.call("CLIENT", "SETNAME", "probe")
    assert client.call("CLIENT", "SETINFO", "LIB-NAME", "raw") == "OK"
    assert client.call("CLIENT", "SETINFO", "LIB-VER", "1.2") == "OK"
    client.call("SELECT", "9")
    fields = client_fields(client)
    expected = (
        "id addr laddr fd name age idle flags db sub psub ssub multi qbuf qbuf-free argv-mem "
        "multi-mem rbs rbp obl oll omem tot-mem events cmd user redir resp lib-name lib-ver"
    )
    assert " ".join(fields) == expected
    assert fields["addr"] == f"{host}:{port}"
    assert fields["laddr"] == f"{server_host}:{server_port}"
    assert (fields["name"], fields["db"], fields["flags"]) == ("probe", "9", "N")
    assert (fields["cmd"], fields["user"], fields["resp"]) == ("client|info", "default", "2")
    assert (fields["lib-name"], fields["lib-ver"]) == ("raw", "1.2")
    assert (fields["multi"], fields["redir"]) == ("-1", "-1")


def test_client_list_has_everybody(client: Client, server: object) -> None:
    before = client.call("CLIENT", "LIST")
    assert isinstance(before, bytes)
    assert before.count(b"\n") >= 1
    own = client.call("CLIENT", "ID")
    only = client.call("CLIENT", "LIST", "ID", str(own))
    assert isinstance(only, bytes)
    assert only.startswith(f"id={own} ".encode())
    assert only.count(b"\n") == 1


@pytest.mark.parametrize("protocol", [2, 3])
def test_info_fields_that_clients_read(start_server: StartServer, protocol: int) -> None:
    server = start_server()
    with connect(server, protocol) as client:
        fields = info(client)
    assert re.fullmatch(r"7\.2\.\d+", fields["redis_version"])
    assert fields["redis_mode"] == "standalone"
    assert fields["tcp_port"] == str(server.port)
    assert fields["process_id"] == str(server.pid)
    assert re.fullmatch("[0-9a-f]{40}", fields["run_id"])
    assert fields["role"] == "master"
    assert fields["maxmemory_policy"] == "noeviction"
    assert fields["loading"] == "0"
    assert fields["cluster_enabled"] == "0"
    numbers = (
        "uptime_in_seconds connected_clients blocked_clients used_memory used_memory_rss "
        "used_memory_peak maxmemory total_connections_received total_commands_processed "
        "instantaneous_ops_per_sec rejected_connections expired_keys evicted_keys keyspace_hits "
        "keyspace_misses connected_slaves master_repl_offset rdb_changes_since_last_save "
        "rdb_last_save_time aof_enabled"
    )
    for name in numbers.split():
        assert fields[name].isdigit(), f"{name}:{fields[name]}"


def test_info_counts(client: Client) -> None:
    client.call("CONFIG", "RESETSTAT")
    client.call("SET", "a", "1", "PX", "100000")
    client.call("SET", "b", "1")
    client.call("GET", "a")
    client.call("GET", "missing")
    client.call("INCR", "missing", "too many")
    fields = info(client)
    assert (fields["keyspace_hits"], fields["keyspace_misses"]) == ("1", "1")
    assert re.match(r"keys=2,expires=1,avg_ttl=\d+", fields["db0"])
    assert fields["cmdstat_set"].startswith("calls=2,usec=")
    assert "rejected_calls=1,failed_calls=0" in fields["cmdstat_incr"]
    assert fields["errorstat_ERR"] == "count=1"
