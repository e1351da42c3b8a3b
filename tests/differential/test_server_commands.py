"""The connection, client, configuration and monitoring commands answer as redis-server does.

Byte for byte, above all where they refuse; what differs by nature (addresses, times,
memory) is compared in its form only.
"""

import re
import shlex
from collections.abc import Iterator

import pytest

from hypercache.testing.server import ServerProcess
from tests.support.resp import Client, connect, encode
from tests.support.servers import RedisProcess, server_process

MARK = b"$3\r\n<>!\r\n"

REFUSED = """
PING a b
ECHO
SELECT -1
SELECT 16
SELECT abc
SELECT 01
SELECT 99999999999
SELECT 99999999999999999999
AUTH
AUTH secret
AUTH nobody secret
AUTH a b c
HELLO 1
HELLO 4
HELLO x
HELLO 99999999999999999999
HELLO 2 WHAT
HELLO 2 AUTH default
HELLO 2 SETNAME
HELLO 2 SETNAME 'a b'
HELLO 2 AUTH nobody x
CLIENT
CLIENT NOSUCH
CLIENT SETNAME 'a b'
CLIENT REPLY MAYBE
CLIENT NO-EVICT MAYBE
CLIENT KILL
CLIENT KILL 1.2.3.4:5
CLIENT KILL ID x
CLIENT KILL ID 0
CLIENT KILL ID 10 wrong
CLIENT KILL TYPE odd
CLIENT KILL USER nobody
CLIENT KILL SKIPME perhaps
CLIENT LIST FOO
CLIENT LIST TYPE
CLIENT LIST TYPE odd
CLIENT LIST ID
CLIENT LIST ID x
CLIENT UNBLOCK x
CLIENT UNBLOCK 99 SOON
CLIENT UNBLOCK 99 ERROR x
CLIENT PAUSE x
CLIENT PAUSE -1
CLIENT PAUSE 1 READ
CLIENT PAUSE 1 ALL x
CONFIG
CONFIG NOSUCH
CONFIG GET
CONFIG SET hz
CONFIG SET nosuch 1
CONFIG SET hz 10 timeout
CONFIG SET hz 10 hz 20
CONFIG SET hz 10 timeout x
CONFIG SET databases 4
CONFIG REWRITE
CONFIG RESETSTAT x
SLOWLOG GET x
SLOWLOG GET -2
SLOWLOG GET 1 2
SLOWLOG NOSUCH
MEMORY USAGE
MEMORY USAGE key ALL
MEMORY USAGE key SAMPLES
MEMORY USAGE key SAMPLES -1
MEMORY USAGE key SAMPLES x
LATENCY NOSUCH
LATENCY HISTORY
ROLE x
TIME x
LOLWUT VERSION x
SHUTDOWN ABORT
SHUTDOWN LATER
SHUTDOWN SAVE NOSAVE
SHUTDOWN ABORT NOW
DEBUG
DEBUG NOSUCH
DEBUG SLEEP
DEBUG OBJECT missing
DEBUG POPULATE x
DEBUG POPULATE -1
DEBUG PROTOCOL thing
DEBUG ERROR 'ODD one'
"""

ANSWERED = """
PING
PING hello
ECHO hello
SELECT 15
CLIENT GETNAME
CLIENT SETNAME me
CLIENT NO-EVICT on
CLIENT KILL ID 99999
CLIENT KILL TYPE pubsub
CLIENT KILL TYPE master ID 7
CLIENT LIST TYPE pubsub
CLIENT LIST ID 99999
CLIENT UNBLOCK 99999
CLIENT UNBLOCK 99999 error
CLIENT UNPAUSE
CONFIG GET maxmemory-policy
CONFIG GET nosuch
CONFIG SET timeout 0
CONFIG RESETSTAT
SLOWLOG RESET
SLOWLOG LEN
SLOWLOG GET
MEMORY USAGE missing
LATENCY LATEST
LATENCY HISTORY nosuch
LATENCY RESET
LATENCY HISTOGRAM nosuch
INFO nosuch
ROLE
DEBUG SLEEP 0
DEBUG SET-ACTIVE-EXPIRE 1
DEBUG DIGEST
DEBUG DIGEST-VALUE
DEBUG PROTOCOL string
DEBUG PROTOCOL integer
DEBUG PROTOCOL double
DEBUG PROTOCOL bignum
DEBUG PROTOCOL null
DEBUG PROTOCOL array
DEBUG PROTOCOL set
DEBUG PROTOCOL map
DEBUG PROTOCOL attrib
DEBUG PROTOCOL verbatim
DEBUG PROTOCOL true
DEBUG PROTOCOL false
RESET
"""

# Fields of INFO that only Redis' own build and buffers give a meaning.
LEFT_OUT = (
    "atomicvar_api gcc_version reply_buffer_shrinks reply_buffer_expands total_reads_processed "
    "total_writes_processed"
)


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[ServerProcess, ServerProcess]]:
    settings = {"enable-debug-command": "yes"}
    with server_process(settings) as ours, RedisProcess(settings=settings) as theirs:
        yield ours, theirs


@pytest.fixture(params=[2, 3], ids=["RESP2", "RESP3"])
def pair(
    request: pytest.FixtureRequest, servers: tuple[ServerProcess, ServerProcess]
) -> Iterator[tuple[Client, Client]]:
    """New connections to our server and to redis-server, which holds the same: nothing."""
    ours, theirs = servers
    with connect(ours, request.param) as first, connect(theirs, request.param) as second:
        for client in (first, second):
            client.call("FLUSHALL")
        yield first, second


def answer(client: Client, words: list[str]) -> bytes:
    """The very bytes of an answer, found by the answer to an ECHO behind it."""
    client.send(encode(*words) + encode("ECHO", "<>!"))
    data = b""
    while not data.endswith(MARK):
        received = client.socket.recv(1 << 16)
        assert received, "the server has closed the connection"
        data += received
    return data.removesuffix(MARK)


@pytest.mark.parametrize("line", REFUSED.strip().splitlines())
def test_the_same_refusal(pair: tuple[Client, Client], line: str) -> None:
    ours, theirs = (answer(client, shlex.split(line)) for client in pair)
    assert theirs.startswith(b"-")
    assert ours == theirs


@pytest.mark.parametrize("line", ANSWERED.strip().splitlines())
def test_the_same_answer(pair: tuple[Client, Client], line: str) -> None:
    ours, theirs = (answer(client, shlex.split(line)) for client in pair)
    assert not theirs.startswith(b"-")
    assert ours == theirs


def test_the_same_data_have_the_same_digest(pair: tuple[Client, Client]) -> None:
    for client in pair:
        client.call("DEBUG", "POPULATE", 20, "key", 30)
        client.call("SET", "number", 12345)
        client.call("APPEND", "edited", "hello")
        client.call("SETRANGE", "edited", 3, "p!")
        client.call("HSET", "hash", "field", "value", "other", b"\x00\xff")
        client.call("SELECT", 3)
        client.call("SET", "leaving", "soon", "EX", 1000)
    for words in (["DEBUG", "DIGEST"], ["DEBUG", "DIGEST-VALUE", "leaving", "missing"]):
        ours, theirs = (answer(client, words) for client in pair)
        assert ours == theirs


def fields_of(reply: bytes) -> list[str]:
    """Names of the fields of a line of CLIENT LIST."""
    return [field.partition("=")[0] for field in reply.decode().split(" ")]


def test_client_info_has_the_fields_of_redis_in_its_order(pair: tuple[Client, Client]) -> None:
    ours, theirs = (fields_of(answer(client, ["CLIENT", "INFO"])) for client in pair)
    added_in_7_2 = ["lib-name", "lib-ver"]
    assert ours[1:] in (theirs[1:], theirs[1:] + added_in_7_2)


def test_info_has_the_fields_of_redis(pair: tuple[Client, Client]) -> None:
    found = []
    for client in pair:
        text = answer(client, ["INFO", "everything"]).decode()
        found.append(set(re.findall(r"^(\w+):", text, re.MULTILINE)))
    ours, theirs = found
    missing = {name for name in theirs - ours if not name.startswith(("cmdstat", "latency_"))}
    assert missing <= set(LEFT_OUT.split())
