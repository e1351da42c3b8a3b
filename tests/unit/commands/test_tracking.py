"""CLIENT TRACKING: redirection, time, the bounded table. Transcripts have the rest."""

import pytest

from hypercache.engine.tracking import CHANNEL
from hypercache.testing.engine import NOTHING, EngineHarness, HarnessClient
from hypercache.testing.resp import Push, encode
from tests.support.clients import described, info


def invalidation(*keys: str) -> Push:
    return Push((b"invalidate", [key.encode() for key in keys]))


ALL_KEYS = Push((b"invalidate", None))


def ask(client: HarnessClient, *words: str | int) -> list[object]:
    """All that comes after a command: its reply, and messages before and behind it."""
    client.send(encode(*words))
    return client.replies()


def listener(harness: EngineHarness) -> tuple[HarnessClient, int]:
    """A RESP2 client that listens to the invalidations of others, and its number."""
    client = harness.client()
    client.command("SUBSCRIBE", CHANNEL)
    return client, client.session.id


def stats(harness: EngineHarness) -> list[int]:
    """Tracking clients, keys, readers of keys and prefixes, as INFO shows them."""
    text = harness.command("INFO", "clients", "stats")
    assert isinstance(text, bytes)
    fields = dict(line.split(":") for line in text.decode().split() if ":" in line)
    names = ("clients", "total_keys", "total_items", "total_prefixes")
    return [int(fields[f"tracking_{name}"]) for name in names]


# Redirection ---------------------------------------------------------------------------------


def test_invalidations_are_redirected_to_a_subscriber(harness: EngineHarness) -> None:
    other, number = listener(harness)
    tracking = harness.client()
    assert tracking.command("CLIENT", "TRACKING", "ON", "REDIRECT", number) == "OK"
    assert tracking.command("CLIENT", "GETREDIR") == number
    tracking.command("GET", "key")
    assert tracking.command("SET", "key", 1) == "OK"
    assert other.replies() == [[b"message", CHANNEL, [b"key"]]]
    harness.command("FLUSHALL")
    assert other.replies() == [[b"message", CHANNEL, None]]
    tracking.command("CLIENT", "TRACKING", "OFF")
    tracking.command("CLIENT", "TRACKING", "ON", "BCAST", "REDIRECT", number)
    harness.command("MSET", "b", 1, "a", 1)
    assert other.replies() == [[b"message", CHANNEL, [b"a", b"b"]]]
    assert described(harness.command("CLIENT", "LIST"))[2]["redir"] == str(number)


def test_a_receiver_that_speaks_resp3_gets_pushes(harness: EngineHarness) -> None:
    other = harness.client(3)
    tracking = harness.client()
    tracking.command("CLIENT", "TRACKING", "ON", "REDIRECT", other.session.id)
    tracking.command("GET", "key")
    harness.command("SET", "key", 1)
    assert other.replies() == [invalidation("key")]
    tracking.command("GET", "key")
    assert ask(other, "SET", "key", 2) == ["OK", invalidation("key")]


def test_nobody_is_told_who_could_not_understand(harness: EngineHarness) -> None:
    silent = harness.client()
    silent.command("CLIENT", "TRACKING", "ON")
    silent.command("GET", "key")
    assert harness.command("SET", "key", 1) == "OK"
    assert silent.replies() == []
    silent.command("CLIENT", "TRACKING", "ON", "REDIRECT", 1)
    silent.command("GET", "key")
    assert harness.command("SET", "key", 2) == "OK", "it listens to no channel"


def test_a_redirection_breaks_with_the_receiver(harness: EngineHarness) -> None:
    other, number = listener(harness)
    tracking = harness.client(3)
    tracking.command("CLIENT", "TRACKING", "ON", "REDIRECT", number)
    tracking.command("GET", "key")
    other.disconnect()
    assert described(harness.command("CLIENT", "LIST"))[1]["flags"] == "t"
    harness.command("SET", "key", 1)
    broken = Push((b"tracking-redir-broken", number))
    assert tracking.replies() == [broken]
    assert described(harness.command("CLIENT", "LIST"))[1]["flags"] == "tR"
    reply = tracking.command("CLIENT", "TRACKINGINFO")
    assert isinstance(reply, dict)
    assert reply[b"flags"] == {b"on", b"broken_redirect"}
    assert ask(tracking, "GET", "key") == [b"1"]
    assert ask(tracking, "SET", "key", 2) == ["OK", broken]
    tracking.command("CLIENT", "TRACKING", "ON")
    assert info(tracking)["flags"] == "t"


# Time, eviction, disconnections ----------------------------------------------------------------


def test_keys_that_expire_are_told(harness: EngineHarness) -> None:
    default, bcast = harness.client(3), harness.client(3)
    default.command("CLIENT", "TRACKING", "ON")
    bcast.command("CLIENT", "TRACKING", "ON", "BCAST", "NOLOOP")
    bcast.command("SET", "lazy", 1, "PX", 10)
    bcast.command("SET", "active", 1, "PX", 20)
    default.command("MGET", "lazy", "active")
    bcast.received()
    harness.clock.now += 15_000
    assert ask(bcast, "GET", "lazy") == [None, invalidation("lazy")]
    assert default.replies() == [invalidation("lazy")]
    harness.clock.now += 5_000_000
    harness.tick()
    assert bcast.replies() == default.replies() == [invalidation("active")]


def test_clients_that_have_gone_are_not_told(harness: EngineHarness) -> None:
    for options in ((), ("BCAST",)):
        gone = harness.client(3)
        gone.command("CLIENT", "TRACKING", "ON", *options)
        gone.command("GET", "key")
        gone.disconnect()
    assert stats(harness) == [0, 0, 0, 0]
    assert not harness.engine.changes.observed
    assert harness.command("SET", "key", 1) == "OK"


def test_changes_are_looked_at_only_while_somebody_tracks(harness: EngineHarness) -> None:
    client = harness.client(3)
    client.command("CLIENT", "TRACKING", "ON")
    client.command("CLIENT", "TRACKING", "ON", "NOLOOP")
    client.command("MGET", "a", "b")
    assert harness.engine.changes.observed
    assert stats(harness) == [1, 2, 2, 0]
    client.command("CLIENT", "TRACKING", "OFF")
    client.command("CLIENT", "TRACKING", "OFF")
    assert not harness.engine.changes.observed
    assert stats(harness) == [0, 0, 0, 0]
    assert client.session.armed == 0


def test_readers_and_prefixes_are_counted(harness: EngineHarness) -> None:
    first, second, third = (harness.client(3) for _ in range(3))
    for client in (first, second):
        client.command("CLIENT", "TRACKING", "ON")
        client.command("MGET", "a", "b", "a")
    first.command("GET", "c")
    third.command("CLIENT", "TRACKING", "ON", "BCAST", "PREFIX", "x", "PREFIX", "yy")
    assert stats(harness) == [3, 3, 5, 2]
    assert info(third)["flags"] == "tB"
    harness.command("SET", "a", 1)
    assert first.replies() == second.replies() == [invalidation("a")]
    assert stats(harness) == [3, 2, 3, 2]
    third.disconnect()
    assert stats(harness) == [2, 2, 3, 0]


def test_prefixes_of_many_lengths(harness: EngineHarness) -> None:
    clients = {}
    for prefix in ("", "u", "user", "user:1", "v"):
        clients[prefix] = harness.client(3)
        clients[prefix].command("CLIENT", "TRACKING", "ON", "BCAST", "PREFIX", prefix)
    harness.command("SET", "user:1", 1)
    told = [prefix for prefix, client in clients.items() if client.replies()]
    assert told == ["", "u", "user", "user:1"]
    clients["user"].disconnect()
    harness.command("SET", "use", 1)
    told = [prefix for prefix, client in clients.items() if client.replies()]
    assert told == ["", "u"]


def test_one_message_tells_all_changes_of_a_round(harness: EngineHarness) -> None:
    client = harness.client(3)
    client.command("CLIENT", "TRACKING", "ON", "BCAST")
    harness.first.send(encode("SET", "b", 1) + encode("SET", "a", 1) + encode("SET", "b", 2))
    assert client.replies() == [invalidation("a", "b")]


def test_noloop_leaves_out_what_the_client_was_last_to_change(harness: EngineHarness) -> None:
    client = harness.client(3)
    client.command("CLIENT", "TRACKING", "ON", "BCAST", "NOLOOP")
    client.session.receive(encode("MSET", "a", 1, "b", 1, "c", 1))
    harness.first.send(encode("SET", "b", 2))
    assert client.replies() == ["OK", invalidation("b")]


def test_what_scripts_read_is_tracked_for_their_caller(harness: EngineHarness) -> None:
    client = harness.client(3)
    client.command("CLIENT", "TRACKING", "ON", "NOLOOP")
    engine = harness.engine
    engine.enter(client.session)
    script = engine.scripts.begin(client.session, "name", 0, False, True)
    assert script.call([b"GET", b"read"]) is None
    assert script.call([b"GET", b"written"]) is None
    assert script.call([b"SET", b"written", b"1"]) == "OK"
    engine.scripts.end(script)
    engine.leave(client.session)
    assert stats(harness)[1] == 1
    harness.command("MSET", "read", 1, "written", 2)
    assert client.replies() == [invalidation("read")]


# The bounded table -----------------------------------------------------------------------------


def test_keys_beyond_the_limit_are_forgotten_and_told_before_the_reply(
    harness: EngineHarness,
) -> None:
    tracking = harness.engine.tracking
    tracking.set_max_keys(2)
    client = harness.client(3)
    client.command("CLIENT", "TRACKING", "ON", "NOLOOP")
    client.command("MGET", "a", "b", "c")
    assert stats(harness)[1] == 2, "the next command of anybody makes room"
    (first,) = client.replies()
    assert first in [invalidation(key) for key in "abc"]
    client.command("MGET", "a", "b", "c")
    second, reply = ask(client, "PING")
    assert (reply, stats(harness)[1]) == ("PONG", 2)
    assert second in [invalidation(key) for key in "abc"]


def test_a_lower_limit_is_reached_with_growing_effort(harness: EngineHarness) -> None:
    client = harness.client(3)
    client.command("CLIENT", "TRACKING", "ON")
    client.command("MGET", *(f"key{number}" for number in range(1000)))
    sizes = []
    harness.engine.tracking.set_max_keys(1)
    for _ in range(5):
        harness.command("PING")
        sizes.append(len(harness.engine.tracking.table))
    assert sizes == [900, 700, 400, 1, 1]
    assert len(client.replies()) == 999
    client.command("MGET", "key1", "key2")
    harness.tick()
    assert stats(harness)[1] == 1, "background work makes room as well"


def test_a_limit_of_0_is_none(harness: EngineHarness) -> None:
    client = harness.client(3)
    harness.engine.tracking.set_max_keys(0)
    client.command("CLIENT", "TRACKING", "ON")
    client.command("MGET", *(f"key{number}" for number in range(100)))
    assert ask(client, "PING") == ["PONG"]
    assert stats(harness)[1] == 100


def test_which_keys_are_forgotten_is_chance() -> None:
    def survivors(seed: int) -> list[bytes]:
        harness = EngineHarness(seed=seed)
        harness.engine.tracking.set_max_keys(10)
        client = harness.client(3)
        client.command("CLIENT", "TRACKING", "ON")
        client.command("MGET", *(f"key{number}" for number in range(60)))
        harness.command("PING")
        return sorted(harness.engine.tracking.table._keys)

    assert survivors(1) == survivors(1)
    assert len({tuple(survivors(seed)) for seed in range(5)}) > 1


# What nobody should lose ------------------------------------------------------------------------


@pytest.mark.parametrize("mode", [(), ("OPTIN",), ("OPTOUT",)])
def test_a_client_that_waits_is_told_behind_its_reply(
    harness: EngineHarness, mode: tuple[str, ...]
) -> None:
    client = harness.client(3)
    client.command("CLIENT", "TRACKING", "ON", *mode)
    if mode == ("OPTIN",):
        client.command("CLIENT", "CACHING", "YES")
    client.command("LRANGE", "to", 0, -1)
    assert client.command("BLMOVE", "from", "to", "LEFT", "LEFT", 0) is NOTHING
    harness.first.send(encode("RPUSH", "from", "x") + encode("PING"))
    assert harness.first.replies() == [1, "PONG"]
    assert client.replies() == [b"x", invalidation("to")]


def test_a_blocked_read_is_remembered_from_its_beginning(harness: EngineHarness) -> None:
    client = harness.client(3)
    client.command("CLIENT", "TRACKING", "ON")
    assert client.command("XREAD", "BLOCK", 0, "STREAMS", "stream", "$") is NOTHING
    harness.command("XADD", "stream", "1-1", "field", "value")
    first, second = client.replies()
    assert {type(first), type(second)} == {Push, dict}
    harness.command("XADD", "stream", "1-2", "field", "value")
    assert client.replies() == [invalidation("stream")]


def test_reset_ends_tracking(harness: EngineHarness) -> None:
    client = harness.client(3)
    client.command("CLIENT", "TRACKING", "ON", "OPTIN")
    client.command("CLIENT", "CACHING", "YES")
    assert client.command("RESET") == "RESET"
    assert (client.session.tracker, client.session.armed) == (None, 0)
    assert info(client)["redir"] == "-1"


def test_caching_that_begins_in_a_transaction_ends_with_it(harness: EngineHarness) -> None:
    client = harness.client(3)
    for words in (
        ("MULTI",),
        ("CLIENT", "TRACKING", "ON", "OPTOUT"),
        ("CLIENT", "CACHING", "NO"),
        ("GET", "inside"),
        ("EXEC",),
        ("GET", "behind"),
    ):
        client.command(*words)
    harness.command("MSET", "inside", 1, "behind", 1)
    assert client.replies() == [invalidation("behind")]
