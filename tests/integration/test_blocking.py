"""Clients that wait for lists, over real connections."""

import time

import redis

from hypercache.testing.resp import Argument, encode
from hypercache.testing.server import ServerProcess
from tests.support.process import wait_until
from tests.support.resp import Client, connect, info


def await_blocked(client: Client, count: int) -> None:
    """Until so many clients wait."""
    wait_until(
        lambda: info(client, "clients")["blocked_clients"] == str(count), f"{count} blocked clients"
    )


def blocked(server: ServerProcess, client: Client, *requests: tuple[Argument, ...]) -> list[Client]:
    """A client each that waits with its request, in this order."""
    clients = []
    for number, request in enumerate(requests, 1):
        other = connect(server)
        other.send(encode(*request))
        clients.append(other)
        await_blocked(client, number)
    return clients


def test_clients_are_served_in_the_order_in_which_they_came(
    server: ServerProcess, client: Client
) -> None:
    waiting = blocked(server, client, *[("BLPOP", "k", 0)] * 5)
    for number in range(3):
        assert client.call("RPUSH", "k", number) == 1
    assert client.call("RPUSH", "k", 3, 4, 5) == 3
    for number, other in enumerate(waiting):
        assert other.read() == [b"k", b"%d" % number]
        other.close()
    assert client.call("LRANGE", "k", 0, -1) == [b"5"]


def test_a_chain_across_connections(server: ServerProcess, client: Client) -> None:
    last, middle, first = blocked(
        server,
        client,
        ("BLPOP", "c", 0),
        ("BRPOPLPUSH", "b", "c", 0),
        ("BLMOVE", "a", "b", "LEFT", "RIGHT", 0),
    )
    assert client.call("RPUSH", "a", "1") == 1
    assert first.read() == b"1"
    assert middle.read() == b"1"
    assert last.read() == [b"c", b"1"]
    assert client.call("DBSIZE") == 0
    for other in (first, middle, last):
        other.close()


def test_who_hangs_up_is_passed_over(server: ServerProcess, client: Client) -> None:
    first, second = blocked(server, client, ("BLPOP", "k", 0), ("BLPOP", "k", 0))
    first.reset()
    await_blocked(client, 1)
    client.call("RPUSH", "k", "1")
    assert second.read() == [b"k", b"1"]
    second.close()


def test_time_is_up_when_it_is(server: ServerProcess, client: Client) -> None:
    for seconds in (0.05, 0.2):
        began = time.monotonic()
        assert client.call("BLPOP", "none", seconds) is None
        elapsed = time.monotonic() - began
        # The server goes by the time of day, which may be corrected meanwhile.
        assert seconds - 0.01 <= elapsed < seconds + 0.15


def test_hundreds_wait_for_one_key(server: ServerProcess, client: Client) -> None:
    waiting = [connect(server) for _ in range(200)]
    for other in waiting:
        other.send(encode("BRPOP", "k", 0))
    await_blocked(client, 200)
    pushed = client.pipeline(*[("LPUSH", "k", number) for number in range(200)])
    assert pushed == [1] * 200
    taken = []
    for other in waiting:
        reply = other.read()
        assert isinstance(reply, list)
        taken.append(int(reply[1]))
        other.close()
    assert sorted(taken) == list(range(200))


def test_redis_py_waits(server: ServerProcess, client: Client) -> None:
    with redis.Redis(port=server.port, protocol=3) as library:
        assert library.blpop(["none"], timeout=0.01) is None
        client.call("RPUSH", "k", "1", "2", "3")
        assert library.blmove("k", "other", 0, "LEFT", "RIGHT") == b"1"
        assert library.blmpop(0, 2, "none", "k", direction="RIGHT", count=5) == [
            b"k",
            [b"3", b"2"],
        ]
