"""PING, ECHO, SELECT, AUTH, HELLO, RESET and QUIT."""

import pytest

from hypercache.engine.guards import SUBSCRIBED_BIT
from hypercache.testing.engine import NOTHING, EngineHarness
from hypercache.testing.resp import ReplyError

WRONG_PASSWORD = ReplyError("WRONGPASS invalid username-password pair or user is disabled.")


def with_password(password: str) -> EngineHarness:
    harness = EngineHarness()
    harness.engine.acl.set_password(password)
    return harness


def error(harness: EngineHarness, *words: str | int) -> str:
    reply = harness.command(*words)
    assert isinstance(reply, ReplyError), reply
    return reply.text


def test_ping() -> None:
    harness = EngineHarness()
    assert harness.command("PING") == "PONG"
    assert harness.command("PING", "hello") == b"hello"
    assert error(harness, "PING", "a", "b") == "ERR wrong number of arguments for 'ping' command"


def test_ping_of_a_subscriber_has_the_shape_of_a_message_in_resp2_only() -> None:
    harness = EngineHarness()
    for version, alone, message in ((2, [b"pong", b""], [b"pong", b"hi"]), (3, "PONG", b"hi")):
        client = harness.client(version)
        client.session.armed |= SUBSCRIBED_BIT
        assert client.command("PING") == alone
        assert client.command("PING", "hi") == message


def test_echo() -> None:
    assert EngineHarness().command("ECHO", b"\x00\xff") == b"\x00\xff"


def test_select_changes_the_database_of_one_client() -> None:
    harness = EngineHarness(databases=4)
    other = harness.client()
    assert harness.command("SELECT", 3) == "OK"
    harness.command("SET", "key", "value")
    assert other.command("GET", "key") is None
    other.command("SELECT", 3)
    assert other.command("GET", "key") == b"value"


@pytest.mark.parametrize(
    ("index", "reason"),
    [
        ("4", "DB index is out of range"),
        ("-1", "DB index is out of range"),
        ("one", "value is not an integer or out of range"),
        ("", "value is not an integer or out of range"),
        ("01", "value is not an integer or out of range"),
        ("99999999999999999999", "value is not an integer or out of range"),
        (
            "2147483648",
            "value is out of range, value must between -2147483648 and 2147483647",
        ),
    ],
)
def test_select_refuses(index: str, reason: str) -> None:
    harness = EngineHarness(databases=4)
    assert error(harness, "SELECT", index) == f"ERR {reason}"
    assert harness.first.session.db.index == 0


def test_auth_without_a_password() -> None:
    harness = EngineHarness()
    assert error(harness, "AUTH", "secret") == (
        "ERR AUTH <password> called without any password configured for the default user. "
        "Are you sure your configuration is correct?"
    )
    assert harness.command("AUTH", "default", "anything") == "OK"
    assert harness.command("AUTH", "nobody", "anything") == WRONG_PASSWORD
    assert error(harness, "AUTH", "a", "b", "c") == "ERR syntax error"


def test_a_stranger_may_log_in_and_nothing_else() -> None:
    harness = with_password("secret")
    stranger = harness.client()
    assert stranger.command("GET", "key") == ReplyError("NOAUTH Authentication required.")
    assert stranger.command("AUTH", "wrong") == WRONG_PASSWORD
    assert stranger.command("AUTH", "somebody", "secret") == WRONG_PASSWORD
    assert stranger.command("GET", "key") == ReplyError("NOAUTH Authentication required.")
    assert stranger.command("AUTH", "secret") == "OK"
    assert stranger.command("GET", "key") is None
    assert stranger.command("AUTH", "default", "secret") == "OK"


def test_a_failed_login_leaves_a_client_as_it_was() -> None:
    harness = with_password("secret")
    assert harness.command("AUTH", "wrong") == WRONG_PASSWORD
    assert harness.command("PING") == "PONG"
    assert harness.engine.counters.denied_logins == 1


def test_passwords_are_bytes() -> None:
    harness = with_password(b"p\xff\xc3\xa9".decode("utf-8", "surrogateescape"))
    assert harness.client().command("AUTH", b"p\xff\xc3\xa9") == "OK"
    assert harness.client().command("AUTH", b"p\xff") == WRONG_PASSWORD


def test_everybody_is_let_in_once_the_password_is_gone() -> None:
    harness = with_password("secret")
    stranger = harness.client()
    harness.engine.acl.set_password("")
    assert stranger.command("PING") == "PONG"
    assert isinstance(harness.client().command("HELLO", 3), dict)


def test_hello_describes_the_server() -> None:
    harness = EngineHarness()
    expected = [b"server", b"redis", b"version", b"7.2.6", b"proto", 2, b"id", 1]
    expected += [b"mode", b"standalone", b"role", b"master", b"modules", []]
    assert harness.command("HELLO") == expected
    reply = harness.command("HELLO", "3")
    assert isinstance(reply, dict)
    assert reply[b"proto"] == 3
    assert list(reply) == expected[::2]
    assert harness.command("HELLO") == reply, "without a version it stays"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["1"], "NOPROTO unsupported protocol version"),
        (["4"], "NOPROTO unsupported protocol version"),
        (["three"], "ERR Protocol version is not an integer or out of range"),
        (["3", "WHAT"], "ERR Syntax error in HELLO option 'WHAT'"),
        (["3", "AUTH", "default"], "ERR Syntax error in HELLO option 'AUTH'"),
        (["3", "SETNAME"], "ERR Syntax error in HELLO option 'SETNAME'"),
        (
            ["3", "SETNAME", "two words"],
            "ERR Client names cannot contain spaces, newlines or special characters.",
        ),
        (["3", "AUTH", "nobody", "x"], WRONG_PASSWORD.text),
    ],
)
def test_hello_refuses_and_changes_nothing(words: list[str], expected: str) -> None:
    harness = EngineHarness()
    assert error(harness, "HELLO", *words) == expected
    assert (harness.first.session.version, harness.first.session.name) == (2, b"")


def test_hello_logs_in_and_names_a_client() -> None:
    harness = with_password("secret")
    stranger = harness.client()
    refused = stranger.command("HELLO", 3)
    assert refused == ReplyError(
        "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO "
        "<proto> AUTH <user> <pass> option can be used to authenticate the client and select the "
        "RESP protocol version at the same time"
    )
    reply = stranger.command("hello", 3, "setname", "worker", "auth", "default", "secret")
    assert isinstance(reply, dict)
    assert stranger.command("CLIENT", "GETNAME") == b"worker"


def test_hello_answers_in_the_version_it_switches_to() -> None:
    harness = EngineHarness()
    harness.first.send(b"HELLO 3\r\nHELLO 2\r\n")
    first, second = harness.first.replies()
    assert isinstance(first, dict)
    assert isinstance(second, list)


def test_reset_makes_a_connection_as_good_as_new() -> None:
    harness = with_password("secret")
    client = harness.client()
    client.command("HELLO", 3, "AUTH", "default", "secret", "SETNAME", "worker")
    client.command("CLIENT", "SETINFO", "LIB-NAME", "library")
    client.command("CLIENT", "NO-EVICT", "ON")
    client.command("CLIENT", "NO-TOUCH", "ON")
    client.command("SELECT", 2)
    client.command("WATCH", "key")
    client.command("MULTI")
    assert client.command("SET", "key", "value") == "QUEUED"
    assert client.command("RESET") == "RESET"
    session = client.session
    assert session.queue is None
    assert session.watched == {}
    assert (session.db.index, session.version, session.name) == (0, 2, b"")
    assert (session.no_evict, session.no_touch, session.authenticated) == (False, False, False)
    assert session.library_name == b"library", "the library behind it is the same"
    assert client.command("GET", "key") == ReplyError("NOAUTH Authentication required.")


def test_reset_switches_replies_on_and_is_answered_itself() -> None:
    harness = EngineHarness()
    assert harness.command("CLIENT", "REPLY", "OFF") is NOTHING
    assert harness.command("RESET") == "RESET"
    assert harness.command("PING") == "PONG"


def test_quit_answers_what_came_before_and_nothing_after() -> None:
    harness = EngineHarness()
    harness.first.send(b"SET key value\r\nQUIT now\r\nSET key other\r\n")
    assert harness.first.replies() == ["OK", "OK"]
    assert harness.first.closed
    assert harness.client().command("GET", "key") == b"value"


def test_quit_inside_a_transaction() -> None:
    harness = EngineHarness()
    harness.first.send(b"MULTI\r\nSET key value\r\nQUIT\r\n")
    assert harness.first.replies() == ["OK", "QUEUED", "OK"]
    assert harness.first.closed
    assert harness.client().command("EXISTS", "key") == 0
