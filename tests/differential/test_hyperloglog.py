"""HyperLogLogs are the same strings in our server and in redis-server, byte for byte."""

import random

import pytest

from hypercache.testing.engine import EngineHarness
from hypercache.testing.server import ServerProcess
from tests.support.resp import connect

KEYS = ("a", "b", "c", "d")


def requests(chance: random.Random) -> list[list[str]]:
    """Random changes and counts, and in between other limits for the sparse encoding."""
    made: list[list[str]] = []
    for _ in range(150):
        some = chance.choices(KEYS, k=chance.choice((1, 1, 2, 3)))
        action = chance.random()
        if action < 0.65:
            many = chance.choice((0, 1, 1, 3, 20, 100))
            elements = [str(chance.randrange(100_000)) for _ in range(many)]
            made.append(["PFADD", some[0], *elements])
        elif action < 0.8:
            made.append(["PFCOUNT", *some])
        elif action < 0.9:
            made.append(["PFMERGE", *some])
        elif action < 0.95:
            made.append(["DEL", some[0]])
        else:
            limit = chance.choice(("0", "90", "3000"))
            made.append(["CONFIG", "SET", "hll-sparse-max-bytes", limit])
    return made


@pytest.mark.parametrize("seed", [1, 2])
def test_same_bytes(peer: ServerProcess, seed: int) -> None:
    ours = EngineHarness()
    with connect(peer) as theirs:
        for request in requests(random.Random(seed)):
            assert ours.command(*request) == theirs.call(*request), request
            for key in KEYS:
                assert ours.command("GET", key) == theirs.call("GET", key), request
        theirs.call("CONFIG", "SET", "hll-sparse-max-bytes", "3000")


@pytest.mark.parametrize("size", [10, 1000, 30_000])
def test_value_moves_between_servers(peer: ServerProcess, size: int) -> None:
    ours = EngineHarness()
    elements = [b"element %d" % number for number in range(size)]
    with connect(peer) as theirs:
        assert ours.command("PFADD", "k", *elements) == 1
        theirs.call("SET", "k", text_of(ours.command("GET", "k")))
        assert theirs.call("PFADD", "k", *elements) == 0
        assert theirs.call("PFCOUNT", "k") == ours.command("PFCOUNT", "k")
        assert theirs.call("PFADD", "k", *[b"another %d" % number for number in range(50)]) == 1
        ours.command("SET", "k", text_of(theirs.call("GET", "k")))
        assert ours.command("PFADD", "k", *elements) == 0
        assert ours.command("PFCOUNT", "k") == theirs.call("PFCOUNT", "k")


def text_of(reply: object) -> bytes:
    """A reply that is a string."""
    assert isinstance(reply, bytes)
    return reply
