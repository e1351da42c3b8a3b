"""What becomes of connected clients when users change or go."""

import pytest

from hypercache.engine.command import Declaration
from hypercache.engine.context import Context
from hypercache.engine.guards import ACL_BIT
from hypercache.testing.engine import NOTHING, EngineHarness, HarnessClient
from hypercache.testing.resp import ReplyError


@pytest.fixture
def harness() -> EngineHarness:
    return EngineHarness()


def as_user(harness: EngineHarness, name: str, *rules: str, version: int = 2) -> HarnessClient:
    """A client of a user, which is made or changed."""
    assert harness.command("ACL", "SETUSER", name, "on", ">pw", *rules) == "OK"
    client = harness.client(version)
    assert client.command("AUTH", name, "pw") == "OK"
    return client


def category(harness: EngineHarness, name: str) -> list[object]:
    names = harness.command("ACL", "CAT", name)
    assert isinstance(names, list)
    return names


def is_guarded(client: HarnessClient) -> bool:
    return bool(client.session.armed & ACL_BIT)


def test_only_restricted_users_are_guarded(harness: EngineHarness) -> None:
    assert not is_guarded(harness.first)
    alice = as_user(harness, "alice", "~*", "&*", "+@all")
    assert not is_guarded(alice)
    for rules in ("-get", "+get", "resetkeys", "resetchannels"):
        harness.command("ACL", "SETUSER", "alice", "reset", "~*", "&*", "+@all", rules)
        assert is_guarded(alice) is (rules != "+get")
    harness.command("ACL", "SETUSER", "alice", "reset", "on", "(~* &* +@all)")
    assert not is_guarded(alice)
    alice.command("RESET")
    assert alice.session.user is harness.engine.acl.default


def test_clients_of_a_removed_user_are_cut_off(harness: EngineHarness) -> None:
    first, second = (as_user(harness, "alice", "+@all") for _ in range(2))
    other = as_user(harness, "bob", "+@all")
    assert harness.command("ACL", "DELUSER", "alice") == 1
    assert (first.closed, second.closed, other.closed) == (True, True, False)


def test_who_removes_itself_gets_its_reply(harness: EngineHarness) -> None:
    alice = as_user(harness, "alice", "+@all")
    assert alice.command("ACL", "DELUSER", "alice") == 1
    assert alice.closed


def test_subscribers_are_cut_off_when_they_may_not_listen_any_more(harness: EngineHarness) -> None:
    def listeners() -> dict[str, HarnessClient]:
        rules = ("+@all", "resetchannels", "&a*", "&b", "&c*")
        clients = {}
        for verb, name in (("SUBSCRIBE", "a1"), ("PSUBSCRIBE", "c*"), ("SSUBSCRIBE", "b")):
            clients[verb] = as_user(harness, "alice", *rules)
            assert clients[verb].command(verb, name) is not NOTHING
        clients["none"] = as_user(harness, "alice", *rules)
        return clients

    def cut_off(*rules: str) -> set[str]:
        clients = listeners()
        assert harness.command("ACL", "SETUSER", "alice", *rules) == "OK"
        gone = {verb for verb, client in clients.items() if client.closed}
        for client in clients.values():
            client.disconnect()
        return gone

    assert cut_off("&d") == set()
    assert cut_off("resetchannels", "&a1", "&b", "&c*") == set()
    assert cut_off("resetchannels", "(&*)") == set()
    assert cut_off("clearselectors", "resetchannels", "&a1", "(&b)", "(&c*)") == set()
    assert cut_off("clearselectors", "resetchannels", "&a1", "&b", "&c?*") == {"PSUBSCRIBE"}
    assert cut_off("resetchannels", "&a1") == {"PSUBSCRIBE", "SSUBSCRIBE"}
    assert cut_off("resetchannels") == {"SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE"}


def test_a_subscriber_that_takes_its_own_channels_away(harness: EngineHarness) -> None:
    alice = as_user(harness, "alice", "+@all", "allchannels", version=3)
    alice.send(b"SUBSCRIBE a\r\n")
    alice.received()
    assert alice.command("ACL", "SETUSER", "alice", "resetchannels") == "OK"
    assert alice.closed


def test_a_client_that_waits_is_refused_when_it_is_its_turn(harness: EngineHarness) -> None:
    alice = as_user(harness, "alice", "~*", "+@all")
    assert alice.command("BLPOP", "l", "0") is NOTHING
    harness.command("ACL", "SETUSER", "alice", "resetkeys")
    assert harness.command("RPUSH", "l", "v") == 1
    assert alice.replies() == [ReplyError("NOPERM No permissions to access a key")]
    assert harness.command("LLEN", "l") == 1


def test_renamed_commands_keep_their_names_in_rules() -> None:
    harness = EngineHarness()
    harness.engine.registry.rename(b"get", b"fetch")
    harness.engine.registry.rename(b"set", b"")
    alice = as_user(harness, "alice", "~*", "+get", "+set")
    assert alice.command("FETCH", "k") is None
    assert isinstance(alice.command("GET", "k"), ReplyError)
    harness.command("ACL", "SETUSER", "alice", "-get")
    assert alice.command("FETCH", "k") == ReplyError(
        "NOPERM User alice has no permissions to run the 'get' command"
    )
    assert harness.command("ACL", "SETUSER", "alice", "+fetch") == ReplyError(
        "ERR Error in ACL SETUSER modifier '+fetch': Unknown command or category name in ACL"
    )
    assert b"set" in category(harness, "write")


def run(context: Context, args: list[bytes]) -> object:
    return b"ran"


EXTRA = [
    Declaration("EXTRA", run, group="generic", since="1.0.0", summary="Runs.", flags="fast"),
    Declaration("TOOL USE", run, group="generic", since="1.0.0", summary="Runs.", container="TOOL"),
]


def test_commands_of_plugins_come_and_go(harness: EngineHarness) -> None:
    harness.engine.add_commands(EXTRA, "plugin")
    full = as_user(harness, "full", "~*", "&*", "+@all")
    lacking = as_user(harness, "lacking", "+@all", "-extra")
    some = as_user(harness, "some", "+extra", "+tool|use", "(-@all +@fast)")
    every = (full, lacking, some)
    assert [each.command("EXTRA") == b"ran" for each in every] == [True, False, True]
    assert [each.command("TOOL", "USE") == b"ran" for each in every] == [True, True, True]
    harness.engine.remove_commands("plugin")
    line = harness.command("ACL", "LIST")
    assert isinstance(full.command("EXTRA"), ReplyError)
    assert harness.command("ACL", "SETUSER", "some", "on") == "OK"
    harness.engine.add_commands(EXTRA, "plugin")
    assert harness.command("ACL", "LIST") == line
    assert [each.command("EXTRA") == b"ran" for each in every] == [True, False, True]
    assert b"extra" in category(harness, "fast")


def test_commands_that_come_later_are_for_those_who_may_everything(
    harness: EngineHarness,
) -> None:
    lacking = as_user(harness, "lacking", "+@all", "-get")
    fast = as_user(harness, "fast", "-@all", "+@fast")
    some = as_user(harness, "some", "+ping")
    harness.engine.add_commands(EXTRA, "plugin")
    allowed = [each.command("EXTRA") == b"ran" for each in (lacking, fast, some)]
    assert allowed == [True, True, False]


def test_passwords_that_are_made_up(harness: EngineHarness) -> None:
    lengths = {0: 64, 1: 1, 4: 1, 5: 2, 256: 64, 4096: 1024}
    for bits, length in lengths.items():
        words = [str(bits)] if bits else []
        made = harness.command("ACL", "GENPASS", *words)
        assert isinstance(made, bytes)
        assert len(made) == length
        assert not made.strip(b"0123456789abcdef")
    assert harness.command("ACL", "GENPASS") != harness.command("ACL", "GENPASS")


@pytest.mark.parametrize(
    "call",
    [
        "GEORADIUS a 0 0 1 km STORE a STORE b",
        "GEORADIUSBYMEMBER a m 1 km storedist b STORE a",
        "PFMERGE b",
        "MIGRATE 127.0.0.1 1 '' 0 1 KEYS a KEYS b",
    ],
)
def test_no_key_gets_past_the_rules(harness: EngineHarness, call: str) -> None:
    """Where redis-server looks at the first STORE only, or at no key at all."""
    alice = as_user(harness, "alice", "~a", "~KEYS", "+@all")
    words = ["" if word == "''" else word for word in call.split()]
    assert alice.command(*words) == ReplyError("NOPERM No permissions to access a key")
