"""CLIENT: names, descriptions, replies switched off, connections closed."""

import pytest

from hypercache.testing.engine import NOTHING, EngineHarness, HarnessClient
from hypercache.testing.resp import ReplyError, Verbatim
from tests.support.clients import described, info

FIELDS = (
    "id addr laddr fd name age idle flags db sub psub ssub multi qbuf qbuf-free argv-mem multi-mem "
    "rbs rbp obl oll omem tot-mem events cmd user redir resp lib-name lib-ver"
)


def addressed(harness: EngineHarness, address: str, local: str = "127.0.0.1:6379") -> HarnessClient:
    client = harness.client()
    client.session.address = address
    client.session.local_address = local
    return client


def test_ids_are_never_given_again() -> None:
    harness = EngineHarness()
    assert harness.command("CLIENT", "ID") == 1
    second = harness.client()
    assert second.command("CLIENT", "ID") == 2
    second.disconnect()
    assert harness.client().command("CLIENT", "ID") == 3


def test_the_name_of_a_connection() -> None:
    harness = EngineHarness()
    assert harness.command("CLIENT", "GETNAME") is None
    assert harness.command("CLIENT", "SETNAME", "worker-1") == "OK"
    assert harness.command("CLIENT", "GETNAME") == b"worker-1"
    assert harness.command("CLIENT", "SETNAME", "") == "OK"
    assert harness.command("CLIENT", "GETNAME") is None


@pytest.mark.parametrize("name", ["two words", "line\nbreak", "\x7f", "é"])
def test_names_that_would_break_the_list(name: str) -> None:
    harness = EngineHarness()
    refused = "cannot contain spaces, newlines or special characters."
    assert harness.command("CLIENT", "SETNAME", name) == ReplyError(f"ERR Client names {refused}")
    for attribute in ("lib-name", "LIB-VER"):
        reply = harness.command("CLIENT", "SETINFO", attribute, name)
        assert reply == ReplyError(f"ERR {attribute} {refused}")
    fields = info(harness.first)
    assert (fields["name"], fields["lib-name"], fields["lib-ver"]) == ("", "", "")


def test_setinfo_tells_the_library() -> None:
    harness = EngineHarness()
    assert harness.command("CLIENT", "SETINFO", "LIB-NAME", "lib") == "OK"
    assert harness.command("CLIENT", "SETINFO", "lib-ver", "1.2") == "OK"
    fields = info(harness.first)
    assert (fields["lib-name"], fields["lib-ver"]) == ("lib", "1.2")
    reply = harness.command("CLIENT", "SETINFO", "LIB-AGE", "3")
    assert reply == ReplyError("ERR Unrecognized option 'LIB-AGE'")


def test_info_has_every_field_in_order() -> None:
    harness = EngineHarness()
    client = addressed(harness, "127.0.0.1:5000")
    client.session.descriptor = 9
    harness.clock.now += 3_000_000
    client.command("SELECT", 5)
    harness.clock.now += 2_000_000
    fields = info(client)
    assert list(fields) == FIELDS.split()
    expected = {
        "id": "2",
        "addr": "127.0.0.1:5000",
        "laddr": "127.0.0.1:6379",
        "fd": "9",
        "age": "5",
        "idle": "0",
        "flags": "N",
        "db": "5",
        "multi": "-1",
        "qbuf": "26",  # the request itself
        "argv-mem": "10",
        "events": "r",
        "cmd": "client|info",
        "user": "default",
        "redir": "-1",
        "resp": "2",
    }
    assert {name: fields[name] for name in expected} == expected


def test_info_is_verbatim_in_resp3() -> None:
    client = EngineHarness().client(3)
    reply = client.command("CLIENT", "INFO")
    assert isinstance(reply, Verbatim)
    assert reply.form == "txt"


def test_list_shows_what_is_special_about_a_client() -> None:
    harness = EngineHarness()
    busy = harness.client()
    busy.command("WATCH", "key")
    busy.command("MULTI")
    busy.command("SET", "other", "value")
    busy.session.is_unix = True
    busy.session.no_evict = True
    busy.session.no_touch = True
    harness.command("SET", "key", "changed")
    harness.clock.now += 7_000_000
    first, second = described(harness.command("CLIENT", "LIST"))
    assert first["flags"] == "N"
    assert second["flags"] == "xdUeT"
    assert (second["multi"], second["idle"], second["cmd"]) == ("1", "7", "set")
    assert int(second["multi-mem"]) > 0
    assert (second["qbuf"], second["argv-mem"]) == ("0", "0"), "it executes nothing now"


def test_list_shows_requests_and_replies_that_wait() -> None:
    harness = EngineHarness()
    other = harness.client()
    other.send(b"*2\r\n$3\r\nGET\r\n$3\r\nk")
    other.session.output_bytes = 1000
    fields = described(harness.command("CLIENT", "LIST"))[1]
    assert (fields["omem"], fields["events"]) == ("1000", "rw")
    assert 0 < int(fields["qbuf"]) <= 18
    assert int(fields["tot-mem"]) > 1000 + int(fields["qbuf"])


def test_list_by_id_and_by_type() -> None:
    harness = EngineHarness()
    for _ in range(3):
        harness.client()

    def ids(*words: str | int) -> list[str]:
        return [fields["id"] for fields in described(harness.command("CLIENT", "LIST", *words))]

    assert ids() == ["1", "2", "3", "4"]
    assert ids("ID", 4, 2, 99) == ["4", "2"]
    assert ids("TYPE", "NORMAL") == ["1", "2", "3", "4"]
    assert ids("type", "pubsub") == ids("type", "replica") == ids("type", "master") == []


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["FOO"], "ERR syntax error"),
        (["TYPE"], "ERR syntax error"),
        (["ID"], "ERR syntax error"),
        (["TYPE", "normal", "x"], "ERR syntax error"),
        (["TYPE", "odd"], "ERR Unknown client type 'odd'"),
        (["ID", "1", "x"], "ERR Invalid client ID"),
    ],
)
def test_list_refuses(words: list[str], expected: str) -> None:
    assert EngineHarness().command("CLIENT", "LIST", *words) == ReplyError(expected)


def test_reply_off_and_on() -> None:
    harness = EngineHarness()
    assert harness.command("CLIENT", "REPLY", "OFF") is NOTHING
    assert harness.command("SET", "key", "1") is NOTHING
    assert harness.command("NOSUCH") is NOTHING
    assert harness.command("CLIENT", "REPLY", "SKIP") is NOTHING
    assert harness.command("INCR", "key") is NOTHING
    assert harness.command("CLIENT", "REPLY", "ON") == "OK"
    assert harness.command("GET", "key") == b"2"


def test_reply_skip_leaves_out_one_reply() -> None:
    harness = EngineHarness()
    harness.first.send(b"CLIENT REPLY SKIP\r\nINCR key\r\nINCR key\r\n")
    assert harness.first.replies() == [2]
    harness.first.send(b"CLIENT REPLY SKIP\r\nNOSUCH\r\nINCR key\r\n")
    assert harness.first.replies() == [3]
    harness.first.send(b"CLIENT REPLY SKIP\r\nCLIENT REPLY SKIP\r\nINCR key\r\nINCR key\r\n")
    assert harness.first.replies() == [5]
    harness.first.send(b"CLIENT REPLY SKIP\r\nCLIENT REPLY ON\r\nINCR key\r\n")
    assert harness.first.replies() == ["OK", 6]
    harness.first.send(b"CLIENT REPLY SKIP\r\nCLIENT REPLY OFF\r\nINCR key\r\n")
    assert harness.first.replies() == []
    assert harness.command("CLIENT", "REPLY", "ON") == "OK"


def test_reply_refuses_other_words() -> None:
    harness = EngineHarness()
    assert harness.command("CLIENT", "REPLY", "MAYBE") == ReplyError("ERR syntax error")
    assert harness.command("PING") == "PONG"


def test_no_evict_and_no_touch_are_switches() -> None:
    harness = EngineHarness()
    for word in ("NO-EVICT", "NO-TOUCH"):
        assert harness.command("CLIENT", word, "ON") == "OK"
        assert info(harness.first)["flags"] in ("e", "T")
        assert harness.command("CLIENT", word, "off") == "OK"
        assert harness.command("CLIENT", word, "2") == ReplyError("ERR syntax error")


def test_no_touch_leaves_the_idle_times_alone_for_this_client_only() -> None:
    harness = EngineHarness()
    harness.command("SET", "key", "value")
    harness.clock.now += 10_000_000
    harness.tick()
    quiet = harness.client()
    quiet.send(b"CLIENT NO-TOUCH ON\r\nGET key\r\n")
    assert harness.command("OBJECT", "IDLETIME", "key") == 10
    quiet.command("GET", "key")
    assert harness.command("OBJECT", "IDLETIME", "key") == 10
    harness.command("GET", "key")
    assert harness.command("OBJECT", "IDLETIME", "key") == 0


def test_kill_by_address_the_old_way() -> None:
    harness = EngineHarness()
    other = addressed(harness, "127.0.0.1:5000")
    missing = harness.command("CLIENT", "KILL", "127.0.0.1:1")
    assert missing == ReplyError("ERR No such client")
    assert harness.command("CLIENT", "KILL", "127.0.0.1:5000") == "OK"
    assert other.closed
    assert list(harness.engine.sessions) == [1]


def test_kill_oneself_lets_the_reply_through() -> None:
    harness = EngineHarness()
    client = addressed(harness, "127.0.0.1:5000")
    client.send(b"CLIENT KILL 127.0.0.1:5000\r\nPING\r\n")
    assert client.replies() == ["OK"]
    assert client.closed


def test_kill_by_filters() -> None:
    harness = EngineHarness()
    clients = [addressed(harness, f"127.0.0.1:{port}") for port in (5001, 5002, 5003, 5004)]
    clients[3].session.local_address = "127.0.0.1:7000"
    assert harness.command("CLIENT", "KILL", "ID", 99) == 0
    assert harness.command("CLIENT", "KILL", "ADDR", "127.0.0.1:5001", "ID", 3) == 0
    assert harness.command("CLIENT", "KILL", "ADDR", "127.0.0.1:5001", "ID", 2) == 1
    assert harness.command("CLIENT", "KILL", "laddr", "127.0.0.1:7000") == 1
    assert [client.closed for client in clients] == [True, False, False, True]
    assert harness.command("CLIENT", "KILL", "TYPE", "replica") == 0
    assert harness.command("CLIENT", "KILL", "USER", "default", "TYPE", "normal") == 2
    assert all(client.closed for client in clients)
    assert harness.command("CLIENT", "KILL", "SKIPME", "yes") == 0
    assert not harness.first.closed
    assert harness.command("CLIENT", "KILL", "SKIPME", "no") == 1
    assert harness.first.closed


def test_kill_by_age() -> None:
    harness = EngineHarness()
    old = harness.client()
    harness.clock.now += 60_000_000
    young = harness.client()
    assert harness.command("CLIENT", "KILL", "MAXAGE", 61) == 0
    assert harness.command("CLIENT", "KILL", "MAXAGE", 60) == 1
    assert (old.closed, young.closed) == (True, False)


def test_a_killed_client_is_neither_listed_nor_killed_again_in_the_same_round() -> None:
    harness = EngineHarness()
    harness.client()
    harness.first.send(b"CLIENT KILL ID 2\r\nCLIENT KILL ID 2\r\nCLIENT LIST\r\n")
    first, second, listed = harness.first.replies()
    assert (first, second) == (1, 0)
    assert [fields["id"] for fields in described(listed)] == ["1"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], "ERR wrong number of arguments for 'client|kill' command"),
        (["ID", "0"], "ERR client-id should be greater than 0"),
        (["ID", "x"], "ERR client-id should be greater than 0"),
        (["ID", "10", "wrong"], "ERR syntax error"),
        (["FOO", "10"], "ERR syntax error"),
        (["TYPE", "odd"], "ERR Unknown client type 'odd'"),
        (["USER", "nobody"], "ERR No such user 'nobody'"),
        (["SKIPME", "perhaps"], "ERR syntax error"),
        (["MAXAGE", "-1"], "ERR maxage should be greater than 0"),
    ],
)
def test_kill_refuses(words: list[str], expected: str) -> None:
    harness = EngineHarness()
    harness.client()
    assert harness.command("CLIENT", "KILL", *words) == ReplyError(expected)
    assert len(harness.engine.sessions) == 2


def test_help_and_unknown_sub_commands() -> None:
    harness = EngineHarness()
    lines = harness.command("CLIENT", "HELP")
    assert isinstance(lines, list)
    assert lines[0] == "CLIENT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"
    unknown = harness.command("CLIENT", "MAINT_NOTIFICATIONS", "ON")
    assert unknown == ReplyError("ERR unknown subcommand 'MAINT_NOTIFICATIONS'. Try CLIENT HELP.")
