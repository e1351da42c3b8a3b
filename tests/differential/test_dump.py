"""Values travel between redis-server and us: what one dumps, the other restores."""

from collections.abc import Iterator

import pytest
import redis

from hypercache.testing.server import ServerProcess

Request = tuple[object, ...]

LONG = b"x" * 5000
REPETITIVE = b"ab" * 3000  # what redis-server compresses


def members(count: int, form: str) -> list[object]:
    return [form % number for number in range(count)]


def pairs(count: int, value: object) -> list[object]:
    return [item for number in range(count) for item in (f"field:{number}", value)]


def scores(count: int) -> list[object]:
    return [item for number in range(count) for item in (number * 1.25 - 7, f"member:{number}")]


STREAM: list[Request] = [
    *[("XADD", "k", f"{n // 3 + 5}-{n % 3 + 1}", "a", n, "b", LONG[:9]) for n in range(230)],
    ("XADD", "k", "999-1", "other", "fields", "here", "too"),
    ("XDEL", "k", "7-2", "12-1"),
    ("XGROUP", "CREATE", "k", "g", "6-1"),
    ("XGROUP", "CREATE", "k", "idle", "$"),
    ("XREADGROUP", "GROUP", "g", "alice", "COUNT", "3", "STREAMS", "k", ">"),
    ("XREADGROUP", "GROUP", "g", "bob", "COUNT", "2", "STREAMS", "k", ">"),
    ("XGROUP", "CREATECONSUMER", "k", "g", "carol"),
]  # fmt: skip

#: Requests that make the value under ``k``, by a name that says what it is.
VALUES: dict[str, list[Request]] = {
    "empty string": [("SET", "k", "")],
    "integer": [("SET", "k", "-12345")],
    "large integer": [("SET", "k", "123456789012")],
    "long string": [("SET", "k", LONG)],
    "compressible string": [("SET", "k", REPETITIVE)],
    "binary string": [("SET", "k", bytes(range(256)))],
    "small hash": [("HSET", "k", "f", "v", "number", "17", "empty", "")],
    "large hash": [("HSET", "k", *pairs(700, "value"))],
    "hash of long values": [("HSET", "k", *pairs(3, LONG))],
    "small list": [("RPUSH", "k", "a", "", "17", "-3", "70000", "-5000000000", "b" * 70)],
    "large list": [("RPUSH", "k", *members(3000, "element:%d"))],
    "list of long elements": [("RPUSH", "k", LONG * 3, "short", REPETITIVE)],
    "set of integers": [("SADD", "k", *range(-30, 30))],
    "set of large integers": [("SADD", "k", 1, 1 << 40)],
    "small set": [("SADD", "k", "a", "b", "17")],
    "large set": [("SADD", "k", *members(700, "member:%d"))],
    "small sorted set": [("ZADD", "k", "1.5", "a", "-inf", "b", "inf", "c", "17", "d")],
    "large sorted set": [("ZADD", "k", *scores(400))],
    "stream": STREAM,
    "empty stream": [("XGROUP", "CREATE", "k", "g", "$", "MKSTREAM")],
}
NEEDS_7_2 = ("stream", "empty stream")

READS: dict[bytes, list[Request]] = {
    b"string": [("GET", "k")],
    b"hash": [("HGETALL", "k")],
    b"list": [("LRANGE", "k", 0, -1)],
    b"set": [("SMEMBERS", "k")],
    b"zset": [("ZRANGE", "k", 0, -1, "WITHSCORES")],
    b"stream": [
        ("XRANGE", "k", "-", "+"),
        ("XINFO", "STREAM", "k"),
        ("XINFO", "GROUPS", "k"),
        ("XPENDING", "k", "g", "-", "+", 100),
    ],
}
#: What depends on how the nodes of a stream are kept, or on the moment.
KEPT = {b"radix-tree-keys", b"radix-tree-nodes"}
IDLE = 2  # position in an entry of XPENDING


@pytest.fixture
def ours(server: ServerProcess) -> Iterator[redis.Redis]:
    with redis.Redis(port=server.port, protocol=3) as client:
        yield client


@pytest.fixture
def theirs(peer: ServerProcess) -> Iterator[redis.Redis]:
    with redis.Redis(port=peer.port, protocol=2) as client:
        yield client


def raw(client: redis.Redis, *request: object) -> object:
    """A reply without the conversions of redis-py."""
    client.response_callbacks.clear()
    return client.execute_command(*request)


def plain(reply: object) -> object:
    """A reply of either protocol in one shape."""
    if isinstance(reply, dict):
        return [item for pair in reply.items() for item in map(plain, pair)]
    if isinstance(reply, (list, tuple, set, frozenset)):
        return [plain(item) for item in reply]
    return b"%.17g" % reply if isinstance(reply, float) else reply


def content(client: redis.Redis) -> list[object]:
    """Type and content of ``k`` in a form that does not depend on order or protocol."""
    kind = raw(client, "TYPE", "k")
    found: list[object] = [kind]
    for request in READS[kind if isinstance(kind, bytes) else b"string"]:
        if (
            request[0] == "XPENDING"
            and kind == b"stream"
            and not raw(client, "XINFO", "GROUPS", "k")
        ):
            continue
        reply = plain(raw(client, *request))
        assert isinstance(reply, (list, bytes))
        found.append(arranged(request, reply))
    return found


def arranged(request: Request, reply: list[object] | bytes) -> object:
    """A reply without its order where it has none, and without what may differ."""
    if isinstance(reply, bytes):
        return reply
    name = request[0]
    if name == "SMEMBERS":
        return sorted(map(repr, reply))
    if name == "HGETALL":
        return sorted(zip(map(repr, reply[::2]), map(repr, reply[1::2]), strict=True))
    if name == "ZRANGE":
        flat = [item for pair in reply for item in (pair if isinstance(pair, list) else [pair])]
        return [item if at % 2 == 0 else float(str(item, "ascii")) for at, item in enumerate(flat)]
    if name == "XPENDING":
        return [entry[:IDLE] + entry[IDLE + 1 :] for entry in reply if isinstance(entry, list)]
    if request[:2] == ("XINFO", "STREAM"):
        return [pair for pair in zip(reply[::2], reply[1::2], strict=True) if pair[0] not in KEPT]
    return reply


def make(client: redis.Redis, name: str) -> None:
    client.delete("k")
    for request in VALUES[name]:
        raw(client, *request)


def knows_7_2(client: redis.Redis) -> bool:
    version = str(client.info("server")["redis_version"])
    return tuple(map(int, version.split(".")[:2])) >= (7, 2)


@pytest.mark.parametrize("name", VALUES)
def test_they_restore_what_we_dump(name: str, ours: redis.Redis, theirs: redis.Redis) -> None:
    make(ours, name)
    payload = raw(ours, "DUMP", "k")
    if name in NEEDS_7_2 and not knows_7_2(theirs):
        with pytest.raises(redis.ResponseError, match="version or checksum"):
            raw(theirs, "RESTORE", "k", 0, payload)
        return
    raw(theirs, "RESTORE", "k", 0, payload)
    assert content(theirs) == content(ours)


@pytest.mark.parametrize("name", VALUES)
def test_we_restore_what_they_dump(name: str, ours: redis.Redis, theirs: redis.Redis) -> None:
    make(theirs, name)
    raw(ours, "RESTORE", "k", 0, raw(theirs, "DUMP", "k"))
    assert content(ours) == content(theirs)


@pytest.mark.parametrize("name", VALUES)
def test_our_own_round(name: str, ours: redis.Redis) -> None:
    make(ours, name)
    before = content(ours)
    raw(ours, "RESTORE", "k", 0, raw(ours, "DUMP", "k"), "REPLACE")
    assert content(ours) == before
