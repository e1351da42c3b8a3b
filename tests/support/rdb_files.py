"""RDB files of an engine's keys, and sample keys of every type and encoding."""

from collections.abc import Callable
from pathlib import Path

from hypercache.engine.engine import Engine
from hypercache.keyspace.digest import NOTHING, digest_database
from hypercache.persistence.capture import Capture
from hypercache.persistence.loader import Loader
from hypercache.persistence.rdb_reader import RdbReader
from hypercache.persistence.rdb_writer import RdbEncoder

Call = Callable[..., object]

LONG = b"x" * 5000
REPETITIVE = b"ab" * 40_000  # longer than what is compressed at once
#: After everything that a test does.
LATER = 1_900_000_000_000


def save(engine: Engine, path: Path, encoder: RdbEncoder | None = None) -> None:
    """What `hypercache.persistence.saving` does, without threads."""
    encoder = encoder or RdbEncoder()
    capture = Capture(engine, encoder)
    try:
        while capture.step(500):
            pass
    finally:
        capture.close()
    path.write_bytes(b"".join(map(encoder.finish, encoder.take())) + encoder.trailer())


def load(engine: Engine, path: Path, *, steps: int = 1 << 20, preamble: bool = False) -> RdbReader:
    """Load a whole file; the reader, which is closed."""
    loader = Loader(engine)
    loader.begin()
    reader = RdbReader(path, loader, preamble=preamble)
    try:
        while reader.step(steps):
            pass
    finally:
        reader.close()
    loader.end()
    return reader


def digest(engine: Engine) -> str:
    """As DEBUG DIGEST: of all keys, values and deadlines."""
    found = NOTHING
    for keyspace in engine.keyspaces:
        found = digest_database(keyspace.index, keyspace.store, found)
    return found.hex()


def fill_small(call: Call) -> None:
    """A few keys of every type, in few bytes."""
    call("SET", "text", "some text of more than twenty bytes" * 2)
    call("SET", "number", "-1234")
    call("PEXPIREAT", "number", LATER)
    call("HSET", "hash", "field", "value", "n", 70_000)
    call("RPUSH", "list", "a", 300, "b" * 70)
    call("SADD", "numbers", 1, 2, 70_000)
    call("SADD", "set", "a", "b")
    call("ZADD", "scores", 1.5, "a", 2, "b")
    call("SELECT", 3)
    call("XADD", "stream", "5-1", "f", "v", "g", "w")
    call("XADD", "stream", "5-2", "f", "v", "g", "x")
    call("XGROUP", "CREATE", "stream", "group", "0")
    call("XREADGROUP", "GROUP", "group", "alice", "COUNT", 1, "STREAMS", "stream", ">")
    call("SELECT", 0)


def fill(call: Call) -> None:
    """Keys of every type and encoding, small and large, in two databases."""
    fill_small(call)
    for database in (0, 5):
        call("SELECT", database)
        _fill_strings(call)
        _fill_containers(call)
        _fill_streams(call)
    call("SELECT", 0)


def _fill_strings(call: Call) -> None:
    for number in (0, 5, -128, 128, 40_000, -(1 << 31), 1 << 31, 1 << 40, "007", "-0", "-"):
        call("SET", f"string:{number}", number)
    call("SET", "empty", "")
    call("SET", "binary", bytes(range(256)))
    call("SET", "repetitive", REPETITIVE)
    call("APPEND", "appended", REPETITIVE)
    call("SETBIT", "bits", 100_000, 1)
    call("PFADD", "counter", *range(50))
    call("PEXPIREAT", "binary", LATER + 7)


def _fill_containers(call: Call) -> None:
    texts = ["", 0, -1, 127, 128, -4096, 4096, 1 << 20, -(1 << 30), 1 << 40, "b" * 63, "c" * 64]
    call("RPUSH", "l", *texts, "long" * 20, LONG)
    call("RPUSH", "l:large", *[f"element:{number}" for number in range(1500)], LONG * 2, "end")
    call("HSET", "h", *[item for at, text in enumerate(texts) for item in (f"f{at}", text)])
    call("HSET", "h:long", "f", LONG)
    call("HSET", "h:large", *[item for n in range(700) for item in (f"field:{n}", f"value {n}")])
    call("SADD", "s", *texts)
    call("SADD", "s:large", *[f"member {number}" for number in range(700)])
    for bits in (10, 20, 40):
        call("SADD", f"i:{bits}", *[(number << bits) - 7 for number in range(-20, 20)])
    scores = [0, 1.5, -3, 1e300, 5e-324, "inf", "-inf", 0.1, 123456789012345678, 1 << 20]
    call("ZADD", "z", *[item for at, each in enumerate(scores) for item in (each, f"m{at}")])
    call("ZADD", "z:large", *[item for n in range(700) for item in (n * 1.25 - 7, f"m{n}")])


def _fill_streams(call: Call) -> None:
    for number in range(230):
        call("XADD", "x", f"{number // 3 + 5}-{number % 3 + 1}", "a", number, "b", "nine char")
    call("XADD", "x", "999-1", "other", "fields", "here", "too")
    call("XADD", "x", "18446744073709551615-5", "large", LONG)
    call("XDEL", "x", "7-2", "12-1")
    call("XGROUP", "CREATE", "x", "g", "6-1")
    call("XGROUP", "CREATE", "x", "idle", "$")
    call("XREADGROUP", "GROUP", "g", "alice", "COUNT", 3, "STREAMS", "x", ">")
    call("XREADGROUP", "GROUP", "g", "bob", "COUNT", 2, "STREAMS", "x", ">")
    call("XGROUP", "CREATE", "x:empty", "g", "$", "MKSTREAM")
