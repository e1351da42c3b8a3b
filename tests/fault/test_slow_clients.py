"""Clients that do not read, read slowly, write slowly or leave in the middle of a reply."""

import time

from hypercache.testing.server import ServerProcess
from tests.support.health import MEGABYTE, stays_well
from tests.support.process import resident_bytes, wait_until
from tests.support.resp import Client, connect, encode, info
from tests.support.servers import StartServer

KILOBYTE = b"x" * 1000


def test_reader_that_pauses_gets_everything(server: ServerProcess) -> None:
    """30 MB of replies wait for a client while others work, then arrive whole and in order."""
    with stays_well(server, memory=96 * MEGABYTE), connect(server, timeout=20.0) as slow:
        slow.call("SET", "key", KILOBYTE)
        slow.send((encode("GET", "key") + encode("INCR", "n")) * 30_000)
        time.sleep(1.0)
        for number in range(1, 30_001):
            assert slow.read() == KILOBYTE
            assert slow.read() == number


def test_clients_that_never_read(server: ServerProcess) -> None:
    """Twenty at once, each with more replies than its socket takes."""
    with stays_well(server, memory=96 * MEGABYTE):
        with connect(server) as client:
            client.call("SET", "key", KILOBYTE)
        deaf = [connect(server) for _ in range(20)]
        for client in deaf:
            client.send(encode("GET", "key") * 5_000)
        time.sleep(0.5)
        for client in deaf:
            client.reset()


def test_output_limit_ends_a_client_that_never_reads(start_server: StartServer) -> None:
    """client-output-buffer-limit: the client goes, its memory comes back, others notice nothing."""
    server = start_server({"client-output-buffer-limit": "normal 4mb 0 0"})
    with connect(server) as client:
        client.call("SET", "key", b"x" * 100_000)
    with stays_well(server):
        before = resident_bytes(server.pid)
        with connect(server) as deaf, connect(server) as observer:
            deaf.send(encode("GET", "key") * 1_000)
            peak = before

            def ended() -> bool:
                nonlocal peak
                peak = max(peak, resident_bytes(server.pid))
                return info(observer, "clients")["connected_clients"] == "3"

            wait_until(ended, "the client is disconnected")
            assert peak - before < 64 * MEGABYTE
            received = deaf.read_to_end()
            assert len(received) < 50 * MEGABYTE


def test_soft_output_limit(start_server: StartServer) -> None:
    """Over the soft limit for longer than allowed: disconnected."""
    server = start_server({"client-output-buffer-limit": "normal 0 1mb 1"})
    with stays_well(server), connect(server) as deaf:
        deaf.call("SET", "key", b"x" * 100_000)
        started = time.monotonic()
        deaf.send(encode("GET", "key") * 100)
        with connect(server) as observer:
            wait_until(
                lambda: info(observer, "clients")["connected_clients"] == "3",
                "the client is disconnected",
            )
        assert time.monotonic() - started > 0.7


def test_disconnects_in_the_middle_of_a_reply(server: ServerProcess) -> None:
    with connect(server) as client:
        client.call("SET", "big", b"x" * 2_000_000)
    with stays_well(server):
        for number in range(100):
            client = connect(server)
            client.send(encode("GET", "big") * 3)
            assert client.socket.recv(10) == b"$2000000\r\n"
            if number % 2:
                client.reset()
            else:
                client.close()


def test_half_closed_connection_gets_its_replies(server: ServerProcess) -> None:
    """As ``printf ... | nc`` does it: no more requests, but the replies are awaited."""
    with stays_well(server), connect(server) as client:
        client.send_last(encode("PING") + encode("ECHO", "last"))
        assert client.read_to_end() == b"+PONG\r\n$4\r\nlast\r\n"


def test_slow_writers(server: ServerProcess) -> None:
    """Two hundred clients send one byte now and then; all are answered in the end."""
    request = encode("INCR", "slow")
    with stays_well(server):
        writers: list[Client] = [connect(server) for _ in range(200)]
        for at in range(len(request)):
            for writer in writers:
                writer.send(request[at : at + 1])
        answers = [writer.read() for writer in writers]
        assert sorted(map(str, answers)) == sorted(str(n) for n in range(1, 201))
        for writer in writers:
            writer.close()


def test_large_pipeline_does_not_starve_others(server: ServerProcess) -> None:
    """200,000 requests of one client in one go, read as they come."""
    count = 200_000
    with stays_well(server, memory=128 * MEGABYTE), connect(server, timeout=30.0) as client:
        client.send(encode("PING") * count)
        expected = b"+PONG\r\n" * count
        received = 0
        while received < len(expected):
            data = client.socket.recv(1 << 20)
            assert data
            assert data == expected[received : received + len(data)]
            received += len(data)


def test_slow_subscriber_is_cut_off_and_others_hear_all(server: ServerProcess) -> None:
    """Its messages are given up with it; those of others come whole and in order."""
    with stays_well(server), connect(server) as publisher:
        publisher.call("CONFIG", "SET", "client-output-buffer-limit", "pubsub 1mb 0 0")
        with connect(server) as deaf, connect(server) as good:
            for client in (deaf, good):
                assert client.call("SUBSCRIBE", "news") == [b"subscribe", b"news", 1]
            heard: object = 2
            number = 0
            while heard == 2 and number < 2_000:
                number += 1
                payload = b"%d:" % number + KILOBYTE * 20
                heard = publisher.call("PUBLISH", "news", payload)
                assert good.read() == [b"message", b"news", payload]
            assert heard == 1
            dropped = info(publisher, "stats")["client_output_buffer_limit_disconnections"]
            assert dropped == "1"
            assert len(deaf.read_to_end()) < 30 * MEGABYTE
        publisher.call("CONFIG", "SET", "client-output-buffer-limit", "pubsub 32mb 8mb 60")
