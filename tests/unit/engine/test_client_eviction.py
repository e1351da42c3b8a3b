"""maxmemory-clients: whose memory counts, and who is cut off first."""

from hypercache.config import load
from hypercache.engine.buffers import client_memory
from hypercache.engine.client_eviction import SMALLEST
from hypercache.server import Server
from hypercache.testing.engine import EngineHarness, HarnessClient
from hypercache.testing.resp import encode

KB = 1024
MB = 1024 * KB


class Slow(HarnessClient):
    """A client that reads nothing."""

    def deliver(self) -> None:
        """Leaves all where it is."""


def holding(harness: EngineHarness, size: int) -> HarnessClient:
    """A client that has sent so many bytes of an argument."""
    client = harness.client()
    client.send(b"*2\r\n$%d\r\n%s" % (size, b"v" * size))
    return client


def limit(harness: EngineHarness, size: int) -> None:
    """maxmemory-clients has changed; the round after it."""
    harness.engine.delivery.eviction.set_limit(size)
    harness.end_round()


def evicted(harness: EngineHarness) -> int:
    return int(harness.engine.counters.evicted_clients)


def consistent(harness: EngineHarness) -> bool:
    """Whether the sum that is kept is that of all clients."""
    sessions = harness.engine.sessions.values()
    return harness.engine.delivery.eviction.total == sum(map(client_memory, sessions))


def test_the_largest_are_cut_off_first_and_no_more_than_needed() -> None:
    harness = EngineHarness()
    small = [holding(harness, 128 * KB) for _ in range(3)]
    large = [holding(harness, 3 * MB) for _ in range(3)]
    middle = [holding(harness, MB) for _ in range(3)]
    limit(harness, 16 * MB)
    assert evicted(harness) == 0
    limit(harness, 7 * MB)
    assert [client.closed for client in large] == [True, True, False], "who came first"
    limit(harness, 4 * MB)
    assert [client.closed for client in large] == [True] * 3
    assert not any(client.closed for client in small + middle)
    limit(harness, 1)
    assert all(client.closed for client in middle)
    assert [client.closed for client in small] == [True] * 3
    assert not harness.first.closed
    assert evicted(harness) == 9
    assert harness.engine.delivery.eviction.limit == SMALLEST
    assert consistent(harness)


def test_a_client_that_asks_not_to_be_evicted_counts_but_stays() -> None:
    harness = EngineHarness()
    limit(harness, MB)
    harness.command("CLIENT", "NO-EVICT", "ON")
    client = harness.client()
    client.command("CLIENT", "NO-EVICT", "ON")
    other = harness.client()
    client.send(b"*2\r\n$%d\r\n%s" % (2 * MB, b"v" * 2 * MB))
    assert not client.closed
    assert other.closed, "memory is too much, and nobody else is left"
    assert harness.command("PING") == "PONG"
    client.send(b"\r\n$1\r\nx\r\n")
    client.command("CLIENT", "NO-EVICT", "OFF")
    assert consistent(harness)
    client.send(b"*2\r\n$%d\r\n%s" % (2 * MB, b"v" * 2 * MB))
    assert client.closed


def test_an_announced_argument_counts_before_it_has_come() -> None:
    harness = EngineHarness()
    limit(harness, MB)
    client = harness.client()
    client.send(b"*2\r\n$%d\r\nv" % (2 * MB))
    assert client.closed


def test_what_a_transaction_queues_counts() -> None:
    harness = EngineHarness()
    limit(harness, MB)
    client = harness.client()
    client.command("MULTI")
    for _ in range(3):
        assert client.command("SET", "key", b"v" * 300 * KB) == "QUEUED"
    client.command("SET", "key", b"v" * 300 * KB)
    assert client.closed
    assert harness.command("EXISTS", "key") == 0
    assert consistent(harness)


def test_watched_keys_subscriptions_and_prefixes_count() -> None:
    harness = EngineHarness()
    harness.command("CLIENT", "NO-EVICT", "ON")
    limit(harness, 1)
    for words in (
        ("WATCH",),
        ("SUBSCRIBE",),
        ("PSUBSCRIBE",),
        ("SSUBSCRIBE",),
        ("CLIENT", "TRACKING", "ON", "BCAST", "PREFIX"),
    ):
        client = harness.client()
        for number in range(1000):
            client.send(encode(*words, f"{number:04}"))
        assert client.closed, words
    assert evicted(harness) == 5
    assert consistent(harness)


def test_output_that_is_not_read_counts_until_it_has_left() -> None:
    harness = EngineHarness()
    limit(harness, MB)
    harness.command("SET", "key", b"v" * 400 * KB)
    slow = Slow(harness)
    slow.send(encode("GET", "key"))
    slow.send(encode("GET", "key"))
    assert not slow.closed
    chunks = slow.session.take()
    slow.session.sent(sum(map(len, chunks)))
    assert consistent(harness)
    slow.send(encode("GET", "key") * 2)
    assert not slow.closed
    slow.send(encode("GET", "key"))
    assert slow.closed
    assert slow.session.output == []


def test_a_batch_of_large_replies_ends_where_memory_does() -> None:
    harness = EngineHarness()
    limit(harness, 4 * MB)
    harness.command("SET", "key", b"v" * MB)
    slow = Slow(harness)
    slow.send(encode("GET", "key") * 50 + encode("SET", "end", 1))
    assert slow.closed
    assert harness.command("EXISTS", "end") == 0


def test_messages_to_others_count() -> None:
    harness = EngineHarness()
    limit(harness, MB)
    slow = Slow(harness)
    slow.send(encode("SUBSCRIBE", "channel"))
    for _ in range(3):
        assert harness.command("PUBLISH", "channel", b"v" * 300 * KB) == 1
    harness.command("PUBLISH", "channel", b"v" * 300 * KB)
    assert slow.closed
    assert harness.command("PUBLISH", "channel", b"v") == 0
    assert consistent(harness)


def test_whoever_is_killed_anyway_costs_nobody_else_the_connection() -> None:
    harness = EngineHarness()
    limit(harness, 2 * MB)
    large = holding(harness, MB)
    other = holding(harness, 900 * KB)
    harness.engine.delivery.kill(large.session)
    holding(harness, 900 * KB)
    assert not other.closed
    assert evicted(harness) == 0


def test_without_a_limit_nobody_has_an_account() -> None:
    harness = EngineHarness()
    limit(harness, MB)
    client = holding(harness, 100 * KB)
    assert client.session.account is not None
    limit(harness, 0)
    assert client.session.account is None
    assert harness.engine.delivery.eviction.total == 0
    holding(harness, 5 * MB)
    limit(harness, 20 * MB)
    assert consistent(harness)
    text = harness.command("INFO", "stats")
    assert isinstance(text, bytes)
    assert b"evicted_clients:0" in text


def test_the_settings_reach_the_engine() -> None:
    server = Server(load(["--maxmemory-clients", "1mb", "--tracking-table-max-keys", "5"]))
    eviction = server.engine.delivery.eviction
    assert (eviction.limit, server.engine.tracking.max_keys) == (MB, 5)
    server.configuration.set([("maxmemory-clients", "10%"), ("maxmemory", "100mb")])
    assert eviction.limit == 10 * MB
    server.configuration.set([("maxmemory", "0")])
    assert eviction.limit == 0, "a part of nothing is no limit"
    server.configuration.set([("tracking-table-max-keys", "0")])
    assert server.engine.tracking.max_keys == 0
