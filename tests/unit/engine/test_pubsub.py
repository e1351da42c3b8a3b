"""Publish and subscribe where a transcript cannot show it: silence, memory, limits, fairness."""

import pytest

from hypercache.engine import pubsub
from hypercache.engine.context import Context
from hypercache.engine.settlement import ChangeObserver
from hypercache.keyspace.changes import Touch
from hypercache.reply import ErrorReply
from hypercache.testing.engine import NOTHING, EngineHarness, HarnessClient
from hypercache.testing.resp import Push, ReplyError, encode
from tests.support.scripts import with_scripts


class Slow(HarnessClient):
    """A client that never reads."""

    def deliver(self) -> None:
        """Takes nothing."""


@pytest.fixture
def harness() -> EngineHarness:
    return EngineHarness()


def subscriber(harness: EngineHarness, *channels: str, version: int = 2) -> HarnessClient:
    client = harness.client(version)
    client.send(encode("SUBSCRIBE", *channels))
    client.received()
    return client


def slow_subscriber(harness: EngineHarness) -> Slow:
    slow = Slow(harness)
    slow.session.receive(encode("SUBSCRIBE", "news"))
    harness.end_round()
    return slow


def nobody_listens(harness: EngineHarness) -> bool:
    known = harness.engine.pubsub
    return not (known.channels or known.patterns or known.shard_channels)


def test_silence_does_not_reach_pushes(harness: EngineHarness) -> None:
    client = harness.client(3)
    client.command("CLIENT", "REPLY", "OFF")
    client.send(encode("SUBSCRIBE", "news") + encode("PUBLISH", "news", "a") + encode("GET", "k"))
    assert client.replies() == [
        Push((b"subscribe", b"news", 1)),
        Push((b"message", b"news", b"a")),
    ]
    for request in (("MULTI",), ("SUBSCRIBE", "more"), ("PUBLISH", "news", "b"), ("EXEC",)):
        client.send(encode(*request))
    assert client.replies() == [
        Push((b"subscribe", b"more", 2)),
        Push((b"message", b"news", b"b")),
    ]
    client.send(encode("CLIENT", "REPLY", "ON") + encode("CLIENT", "REPLY", "SKIP"))
    client.send(encode("UNSUBSCRIBE", "news") + encode("PING"))
    assert client.replies() == ["OK", Push((b"unsubscribe", b"news", 1)), "PONG"]


def test_exec_shows_every_confirmation(harness: EngineHarness) -> None:
    client = harness.client()
    for request in (("MULTI",), ("SUBSCRIBE", "a", "b"), ("PUBLISH", "a", "x")):
        client.send(encode(*request))
    client.received()
    client.send(encode("EXEC"))
    assert client.received() == (
        b"*2\r\n*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n*3\r\n$9\r\nsubscribe\r\n$1\r\nb\r\n:2\r\n"
        b":1\r\n*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\nx\r\n"
    )


def test_version_changes_inside_a_transaction(harness: EngineHarness) -> None:
    client = harness.client()
    for request in (("MULTI",), ("SUBSCRIBE", "news"), ("HELLO", "3"), ("EXEC",)):
        client.send(encode(*request))
    client.received()
    assert client.command("GET", "k") is None
    assert harness.command("PUBLISH", "news", "x") == 1
    assert client.received().startswith(b">3\r\n")


def test_disconnected_clients_listen_to_nothing(harness: EngineHarness) -> None:
    client = subscriber(harness, "news", "other")
    other = subscriber(harness, "news")
    client.send(encode("PSUBSCRIBE", "a*") + encode("SSUBSCRIBE", "s"))
    client.disconnect()
    assert harness.command("PUBSUB", "NUMSUB", "news", "other") == [b"news", 1, b"other", 0]
    other.disconnect()
    assert nobody_listens(harness)


def test_killed_by_type(harness: EngineHarness) -> None:
    plain = harness.client()
    clients = [subscriber(harness, "news", version=version) for version in (2, 3)]
    lines = str(harness.command("CLIENT", "LIST", "TYPE", "pubsub")).split("\\n")
    assert [line for line in lines if "flags=P" in line and "sub=1 psub=0 ssub=0" in line][1:]
    assert harness.command("CLIENT", "KILL", "TYPE", "pubsub") == 2
    assert all(client.closed for client in clients)
    assert not plain.closed
    assert nobody_listens(harness)


def test_killed_client_gets_nothing_more(harness: EngineHarness) -> None:
    slow = slow_subscriber(harness)
    harness.first.send(
        encode("CLIENT", "KILL", "ID", slow.session.id) + encode("PUBLISH", "news", "x")
    )
    assert slow.closed
    assert harness.first.replies() == [1, 1]


def test_a_message_is_encoded_once_for_each_version(harness: EngineHarness) -> None:
    slow = [slow_subscriber(harness) for _ in range(3)]
    harness.command("PUBLISH", "news", "hello")
    chunks = [client.session.output[-1] for client in slow]
    assert chunks[0].endswith(b"hello\r\n")
    assert chunks[0] is chunks[1] is chunks[2]


def test_who_cannot_be_sent_messages_cannot_subscribe(harness: EngineHarness) -> None:
    context = Context(harness.engine, 0, harness.engine.keyspaces[0])
    for word in (b"SUBSCRIBE", b"PSUBSCRIBE", b"SSUBSCRIBE"):
        command = harness.engine.registry.find([word, b"x"])
        reply = harness.engine.call(context, command, [word, b"x"])
        assert isinstance(reply, ErrorReply)
        assert reply.text == f"ERR {word.decode()} isn't allowed for a DENY BLOCKING client"
    assert nobody_listens(harness)


def test_slow_subscriber_is_cut_off_and_nobody_else(harness: EngineHarness) -> None:
    harness.engine.delivery.limit("pubsub", 1000, 0, 0)
    slow = slow_subscriber(harness)
    quick = subscriber(harness, "news")
    for _ in range(12):
        assert not slow.closed
        harness.command("PUBLISH", "news", "x" * 60)
        if slow.closed:
            break
    assert slow.closed
    assert slow.session.output == []
    assert harness.engine.counters.output_limit_disconnections == 1
    level, event, fields = harness.recorder.reports[-1]
    assert (level, event) == ("warning", "client_output_buffer_limit")
    assert fields["class"] == "pubsub"
    quick.received()
    assert harness.command("PUBLISH", "news", "last") == 1
    assert quick.replies() == [[b"message", b"news", b"last"]]


def test_limit_goes_by_class(harness: EngineHarness) -> None:
    harness.engine.delivery.limit("pubsub", 100, 0, 0)
    reader = Slow(harness)
    reader.session.receive(encode("ECHO", "x" * 500))
    harness.end_round()
    assert not reader.closed
    reader.session.receive(encode("SUBSCRIBE", "news"))
    harness.end_round()
    assert reader.closed  # a subscriber now, with more unread than those may have
    harness.engine.delivery.limit("normal", 100, 0, 0)
    assert harness.client().session.limit is not None
    harness.engine.delivery.limit("normal", 0, 0, 0)
    assert harness.first.session.limit is None


def test_soft_limit_counts_the_seconds_above_it(harness: EngineHarness) -> None:
    harness.engine.delivery.limit("pubsub", 0, 100, 10)
    slow = slow_subscriber(harness)
    harness.command("PUBLISH", "news", "x" * 200)
    harness.advance(9_000)
    harness.command("PUBLISH", "news", "x")
    harness.engine.delivery.sweep()
    assert not slow.closed
    harness.advance(2_000)
    harness.command("ECHO", "x")
    harness.engine.delivery.sweep()
    assert slow.closed
    assert nobody_listens(harness)


def crowd(harness: EngineHarness, listener: HarnessClient) -> None:
    """Let a channel have as many listeners as it takes to exceed a round with two messages."""
    audience = dict.fromkeys(range(pubsub.FAN_OUT // 2 + 1), listener.session)
    harness.engine.pubsub.channels[b"crowd"] = audience


def test_publishers_to_many_give_others_their_turn(harness: EngineHarness) -> None:
    crowd(harness, subscriber(harness, "news"))
    publisher, other = harness.client(), harness.client()
    reached = pubsub.FAN_OUT // 2 + 1
    publisher.session.receive(encode("PUBLISH", "crowd", "x") * 3 + encode("PING"))
    other.session.receive(encode("GET", "k") + encode("PUBLISH", "news", "x") * 2)
    harness.end_round()
    assert publisher.replies() == [reached]
    assert other.replies() == [None]
    harness.advance(1)
    assert publisher.replies() == [reached, reached, "PONG"]
    assert other.replies() == [1, 1]


def test_nobody_waits_inside_a_transaction(harness: EngineHarness) -> None:
    crowd(harness, subscriber(harness, "news"))
    reached = pubsub.FAN_OUT // 2 + 1
    requests = [("MULTI",), *[("PUBLISH", "crowd", "x")] * 3, ("EXEC",)]
    harness.first.send(b"".join(encode(*request) for request in requests))
    assert harness.first.replies() == ["OK", *["QUEUED"] * 3, [reached] * 3]


def test_published_messages_go_to_replicas_and_not_to_files(harness: EngineHarness) -> None:
    harness.engine.changes.journalled = True
    for command in ("PUBLISH", "SPUBLISH"):
        context = harness.first.session
        found = harness.engine.registry.find([command.encode(), b"news", b"x"])
        found.function(context, [command.encode(), b"news", b"x"])
    effects = harness.engine.changes.effects
    assert [(effect.args[0], effect.transient) for effect in effects] == [
        (b"PUBLISH", True),
        (b"SPUBLISH", True),
    ]


def test_waiting_clients_are_served_before_their_pusher_hears_of_it(
    harness: EngineHarness,
) -> None:
    harness.command("CONFIG", "SET", "notify-keyspace-events", "El")
    waiting = harness.client()
    assert waiting.command("BLPOP", "list", 0) is NOTHING
    client = harness.client(3)
    client.send(encode("SUBSCRIBE", "__keyevent@0__:lpush", "__keyevent@0__:lpop"))
    client.received()
    client.send(encode("LPUSH", "list", "a") + encode("PING"))
    assert client.replies() == [
        1,
        Push((b"message", b"__keyevent@0__:lpush", b"list")),
        Push((b"message", b"__keyevent@0__:lpop", b"list")),
        "PONG",
    ]


def test_expiry_is_told(harness: EngineHarness) -> None:
    harness.command("CONFIG", "SET", "notify-keyspace-events", "AKEnm")
    listener = harness.client()
    listener.send(encode("PSUBSCRIBE", "__keyevent*"))
    listener.received()

    def events() -> list[object]:
        return [(frame[2], frame[3]) for frame in listener.replies() if isinstance(frame, list)]

    harness.command("SET", "lazy", "v", "PX", 10)
    harness.command("SET", "active", "v", "PX", 10)
    events()
    harness.advance(11)
    harness.command("GET", "lazy")
    assert events() == [
        (b"__keyevent@0__:expired", b"lazy"),
        (b"__keyevent@0__:keymiss", b"lazy"),
    ]
    harness.advance(2000)  # the calendar of deadlines is coarse
    harness.tick()
    assert events() == [(b"__keyevent@0__:expired", b"active")]
    harness.command("SET", "again", "v", "PX", 10)
    harness.advance(11)
    events()
    harness.command("SET", "again", "v")
    assert events() == [
        (b"__keyevent@0__:expired", b"again"),
        (b"__keyevent@0__:new", b"again"),
        (b"__keyevent@0__:set", b"again"),
    ]


def test_nobody_observes_without_events(harness: EngineHarness) -> None:
    changes = harness.engine.changes
    for letters in ("", "KE", "A", "lshzn"):
        harness.command("CONFIG", "SET", "notify-keyspace-events", letters)
        assert not changes.observed
        assert not changes.tells_new
        assert not changes.tells_misses
    for letters in ("Kl", "KEA", "Em", "En"):
        harness.command("CONFIG", "SET", "notify-keyspace-events", letters)
        assert changes.observed
        assert changes.tells_new == ("n" in letters)
        assert changes.tells_misses == ("m" in letters)
        assert harness.engine.settlement.notifications is not None
    harness.command("CONFIG", "SET", "notify-keyspace-events", "")
    assert not changes.observed


def test_other_observers_see_changes_only(harness: EngineHarness) -> None:
    class Observer(ChangeObserver):
        def changed(self, touches: list[Touch]) -> None:
            seen.extend(touch.event.name for touch in touches)

    seen: list[str] = []
    harness.engine.settlement.observe(Observer())
    harness.command("CONFIG", "SET", "notify-keyspace-events", "Kmn")
    harness.command("GET", "k")
    harness.command("SET", "k", "v")
    assert seen == ["set"]


def test_replies_beyond_the_limit_cut_the_client_off(harness: EngineHarness) -> None:
    harness.command("HSET", "hash", "field", "value")
    harness.command("SADD", "set", "member")
    harness.command("ZADD", "zset", 1, "member")
    for command, key in (("HRANDFIELD", "hash"), ("SRANDMEMBER", "set"), ("ZRANDMEMBER", "zset")):
        harness.engine.delivery.limit("normal", 0, 0, 0)
        client = harness.client()
        refused = ReplyError("ERR value is out of range")
        assert client.command(command, key, -999_999_999) == refused
        assert client.command(command, "none", -999_999_999) == []
        harness.engine.delivery.limit("normal", 1_000_000, 0, 0)
        client.send(encode("PING") + encode(command, key, -999_999_999) + encode("PING"))
        assert client.closed
        assert client.replies() == []
        assert not harness.first.closed


def test_what_a_script_publishes_follows_its_reply(harness: EngineHarness) -> None:
    with_scripts(harness)
    harness.command("CONFIG", "SET", "notify-keyspace-events", "E$")
    client = harness.client(3)
    client.send(encode("SUBSCRIBE", "news", "__keyevent@0__:set"))
    client.received()
    listener = subscriber(harness, "news")
    script = (
        "redis.call('publish', 'news', 'a') redis.call('set', 'k', 'v')"
        " return redis.call('publish', 'news', 'b')"
    )
    client.send(encode("EVAL", script, 0) + encode("PING"))
    assert client.replies() == [
        2,
        Push((b"message", b"news", b"a")),
        Push((b"message", b"__keyevent@0__:set", b"k")),
        Push((b"message", b"news", b"b")),
        "PONG",
    ]
    assert [message[2] for message in listener.replies() if isinstance(message, list)] == [
        b"a",
        b"b",
    ]
    refused = harness.command("EVAL", "return redis.call('subscribe', 'news')", 0)
    assert "This Redis command is not allowed from script" in str(refused)
