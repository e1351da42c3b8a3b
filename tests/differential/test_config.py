"""CONFIG against redis-server: every directive it knows, its default, and what it refuses.

The redis-server is the one in PATH: 7.0 in Debian 12, or our target, 7.2. The settings here
need no server of ours: `Configuration` is what answers CONFIG.
"""

from collections.abc import Iterator

import pytest

from hypercache.config import BY_NAME, ConfigError, Configuration, load
from hypercache.config.kinds import Memory, MemoryOrPercent
from tests.support.resp import Client, ReplyError, connect
from tests.support.servers import RedisProcess

#: Defaults that differ, and why.
DIFFERENT = {
    "port": "given on the command line",
    "bind": "given on the command line",
    "dir": "given on the command line",
    "save": "given on the command line",
    "pidfile": "7.0 shows the file it would write if it went to the background",
}

#: What 7.2 changed.
NEWER = ("cluster-announce-human-nodename", "set-max-listpack-entries", "set-max-listpack-value")
HIDDEN_SINCE = ("aof-disable-auto-gc",)
NEW_WORDS = {
    "loglevel": ", nothing",
    "maxmemory-policy": ", allkeys-s3-fifo, allkeys-sieve, allkeys-w-tinylfu, session",
}

#: Settings that a test must not touch on a living server, and why.
UNTOUCHED = {
    "port": "moves the listener",
    "bind": "moves the listener",
    "tls-port": "starts TLS",
    "tls-cluster": "starts TLS",
    "tls-replication": "starts TLS",
    "dir": "protected",
    "dbfilename": "protected",
    "requirepass": "shuts us out",
    "appendonly": "forks",
    "oom-score-adj": "needs privileges",
    "oom-score-adj-values": "needs privileges",
    "maxclients": "depends on the limits of the process",
    "client-output-buffer-limit": "tested apart",
    "activedefrag": "depends on the allocator it was built with",
    "locale-collate": "depends on the locales installed",
}

VALUES = """
0 1 -1 2 5% 101% 100 1000 65536 1k 1kb 1Mb 1gb 1tb 01 +1 1.5 yes no YES maybe x
9223372036854775807 9223372036854775808 18446744073709551616 -2147483649 2147483648
allkeys-lfu VOLATILE-TTL everysec always debug NOTICE save nosave local ip hostname
disabled swapdb allchannels resetchannels AKE gxE q 99.9
""".split()  # noqa: SIM905
VALUES += ["", " ", "1 2", "60 1 30 2", "60 0", "0 1", "1 2 3", "nosave save", "now force", "50 99"]
VALUES += ["a/b", "{title}", "{title} {x}", "{", "127.0.0.1", "a_b", "Ελλάδα", "master 1 1 1"]


@pytest.fixture(scope="module")
def redis() -> Iterator[Client]:
    """A redis-server of this module's own, since its settings are changed."""
    with RedisProcess() as server, connect(server) as client:
        yield client


@pytest.fixture(scope="module")
def ours() -> Configuration:
    configuration = load(["--loglevel", "nothing"], {})
    configuration.subscribe_any(["port", "bind", "tls-port"], lambda: None)
    return configuration


def all_settings(client: Client) -> dict[str, str]:
    reply = client.call("CONFIG", "GET", "*")
    assert isinstance(reply, list)
    texts = [item.decode("utf-8", "surrogateescape") for item in reply]
    return dict(zip(texts[::2], texts[1::2], strict=True))


def test_every_directive_of_redis_is_known_with_its_default(redis: Client) -> None:
    theirs = all_settings(redis)
    mine = dict(load([], {}).get("*"))
    assert len(theirs) > 180
    assert set(theirs) - set(mine) <= set(HIDDEN_SINCE)
    theirs = {name: value for name, value in theirs.items() if name in mine}
    different = {name for name, value in theirs.items() if mine[name] != value}
    assert different <= set(DIFFERENT), {name: theirs[name] for name in different}


def attempts() -> list[str]:
    return sorted(
        name
        for name, each in BY_NAME.items()
        if not (
            each.ours
            or each.hidden
            or each.file_only
            or each.fixed
            or name in UNTOUCHED
            or name in NEWER
        )
    )


@pytest.mark.parametrize("name", attempts())
def test_what_is_set_and_what_is_refused(redis: Client, ours: Configuration, name: str) -> None:
    before = shown(redis, name)
    ours.set([(name, before)])
    for value in VALUES:
        if not is_refused_here_on_purpose(name, value):
            compare(redis, ours, name, value)
    assert redis.call("CONFIG", "SET", name, before) == "OK"


BUFFER_LIMITS = ["slave 1 2 3", "replica 1kb 1mb 0", "slave 1 2", "x 1 1 1", "slave -1 1 1", ""]
BUFFER_LIMITS += ["slave 1 1 -1", "slave 1 1 1x", "slave 1x 1 1", "SLAVE 1 1 1 Replica 2 2 2", " "]
BUFFER_LIMITS += ["slave  1 2 3", "master 1 1 1", "slave 01 1 1"]


@pytest.mark.parametrize("value", BUFFER_LIMITS)
def test_output_buffer_limits(redis: Client, ours: Configuration, value: str) -> None:
    name = "client-output-buffer-limit"
    before = shown(redis, name)
    ours.set([(name, before)])
    compare(redis, ours, name, value)
    assert redis.call("CONFIG", "SET", name, before) == "OK"


def compare(redis: Client, ours: Configuration, name: str, value: str) -> None:
    """CONFIG SET on both: the same reply, and afterwards the same value."""
    theirs = redis.call("CONFIG", "SET", name, value)
    if isinstance(theirs, ReplyError):
        new = NEW_WORDS.get(name, "")
        theirs = ReplyError(theirs.text.removesuffix(new) + new)
    try:
        ours.set([(name, value)])
    except ConfigError as error:
        mine: object = ReplyError(str(error))
    else:
        mine = "OK"
    assert mine == theirs, value
    assert ours.get(name) == [(name, shown(redis, name))], value


def shown(client: Client, name: str) -> str:
    reply = client.call("CONFIG", "GET", name)
    assert isinstance(reply, list)
    return str(reply[1].decode("utf-8", "surrogateescape"))


def is_refused_here_on_purpose(name: str, value: str) -> bool:
    """Bytes that Redis reads as something that nobody meant.

    An empty text is 0 to it, and what is too large for its variables is cut or turns negative.
    """
    if not isinstance(BY_NAME[name].kind, Memory | MemoryOrPercent):
        return False
    return value == "" or value in ("9223372036854775808", "18446744073709551616")
