"""RDB files: what comes back, what is refused, and that damage is never taken for data."""

import random
import tracemalloc
from pathlib import Path

import pytest

from hypercache.backend_tools import unheard
from hypercache.engine.libraries import Libraries
from hypercache.persistence.capture import Capture
from hypercache.persistence.encoder import Encoder, Origin
from hypercache.persistence.errors import LoadError
from hypercache.persistence.loader import Loader
from hypercache.persistence.rdb_reader import RdbReader
from hypercache.persistence.rdb_tools import RdbTools
from hypercache.persistence.rdb_writer import RdbEncoder
from hypercache.rdb import forms
from hypercache.rdb.crc64 import crc64
from hypercache.rdb.primitives import Writer
from hypercache.testing.engine import EngineHarness
from tests.support.rdb_files import LATER, digest, fill, fill_small, load, save

HEAD = b"REDIS0011"
END = bytes((forms.EOF,))


def sealed(body: bytes, head: bytes = HEAD) -> bytes:
    """A file with an end and the right checksum."""
    whole = head + body + END
    return whole + crc64(whole).to_bytes(8, "little")


def text(value: bytes) -> bytes:
    writer = Writer()
    writer.string(value)
    return writer.out.getvalue()


def pair(key: bytes, value: bytes) -> bytes:
    return bytes((forms.STRING,)) + text(key) + text(value)


def loaded(path: Path, body: bytes) -> EngineHarness:
    path.write_bytes(sealed(body))
    harness = EngineHarness()
    load(harness.engine, path)
    return harness


@pytest.mark.parametrize("version", [10, 11])
@pytest.mark.parametrize("compression", [False, True])
def test_everything_comes_back(tmp_path: Path, version: int, compression: bool) -> None:
    path = tmp_path / "dump.rdb"
    before = EngineHarness()
    fill(before.command)
    save(before.engine, path, RdbEncoder(version, compression))
    after = EngineHarness()
    reader = load(after.engine, path, steps=3000)
    assert digest(after.engine) == digest(before.engine)
    assert reader.keys == sum(each.store.size() for each in before.engine.keyspaces)
    assert reader.facts[b"aof-base"] == b"0"
    assert reader.loaded == reader.whole == path.stat().st_size
    for each in before.engine.keyspaces:
        assert after.engine.keyspaces[each.index].store.volatile() == each.store.volatile()


def test_long_strings(tmp_path: Path) -> None:
    """Longer than what is read, compressed or copied at once."""
    path = tmp_path / "dump.rdb"
    chance = random.Random(7)
    before = EngineHarness()
    for number, size in enumerate((1_500_000, 70_000, 1_048_570, 1_048_576, 30)):
        before.command("SET", f"random:{number}", chance.randbytes(size))
    before.command("SET", "alike", b"abc" * 30_000)
    before.command("HSET", "hash", "f", b"alike" * 20_000, "g", chance.randbytes(70_000))
    before.command("SETRANGE", "edited", 17_000_000, "end")
    before.command("SETRANGE", "compressed", 170_000, "end")
    save(before.engine, path)
    assert path.stat().st_size < 21_500_000
    after = EngineHarness()
    load(after.engine, path)
    assert digest(after.engine) == digest(before.engine)


def test_deadlines_of_fields_come_back(tmp_path: Path) -> None:
    path = tmp_path / "dump.rdb"
    before = EngineHarness()
    for key, count in (("small", 3), ("large", 600)):
        before.command("HSET", key, *[item for n in range(count) for item in (f"f{n}", "v")])
        before.command("HPEXPIREAT", key, LATER, "FIELDS", 1, "f1")
        before.command("HPEXPIREAT", key, LATER - 5, "FIELDS", 1, "f2")
    save(before.engine, path)
    after = EngineHarness()
    load(after.engine, path)
    for key in ("small", "large"):
        reply = after.command("HPEXPIRETIME", key, "FIELDS", 3, "f0", "f1", "f2")
        assert reply == [-1, LATER, LATER - 5]
    assert digest(after.engine) == digest(before.engine)


def test_what_changes_while_a_large_value_is_open(tmp_path: Path) -> None:
    path = tmp_path / "dump.rdb"
    harness = EngineHarness()
    harness.command("RPUSH", "large", *range(2000))
    harness.command("SET", "other", b"before")
    encoder = RdbEncoder()
    encoder.begin(Origin(0, 0, 0, {0: (2, 0)}, []))
    store = harness.engine.keyspaces[0].store
    large = store.find(b"large")
    other = store.find(b"other")
    assert large is not None and other is not None
    parts = encoder.open(0, b"large", large)
    assert parts.write(100)
    chunks = encoder.take()
    encoder.key(3, b"other", other)
    while parts.write(100):
        chunks += encoder.take()
    encoder.key(0, b"last", other)
    encoder.end()
    chunks += encoder.take()
    path.write_bytes(b"".join(map(encoder.finish, chunks)) + encoder.trailer())
    after = EngineHarness()
    load(after.engine, path)
    assert after.command("LLEN", "large") == 2000
    assert after.command("GET", "last") == b"before"
    after.command("SELECT", 3)
    assert after.command("GET", "other") == b"before"


class Library(Libraries):
    """Keeps sources, as a plugin would."""

    def __init__(self, *sources: bytes) -> None:
        self.kept = list(sources)

    def sources(self) -> list[bytes]:
        return self.kept

    def restore(self, sources: list[bytes]) -> None:
        self.kept = list(sources)


def test_functions(tmp_path: Path) -> None:
    path = tmp_path / "dump.rdb"
    before = EngineHarness()
    before.engine.libraries = Library(b"#!lua name=a\n" + b"code " * 50, b"#!lua name=b\n")
    save(before.engine, path)
    with pytest.raises(LoadError, match="functions cannot be loaded"):
        load(EngineHarness().engine, path)
    after = EngineHarness()
    after.engine.libraries = Library()
    load(after.engine, path)
    assert after.engine.libraries.sources() == before.engine.libraries.sources()


@pytest.mark.parametrize("drop", [False, True])
def test_keys_past_their_deadline(tmp_path: Path, drop: bool) -> None:
    path = tmp_path / "dump.rdb"
    before = EngineHarness()
    before.command("SET", "short", "v", "PX", 1000)
    before.command("RPUSH", "list", *range(3000))
    before.command("PEXPIRE", "list", 1000)
    before.command("SET", "stays", "v")
    save(before.engine, path)
    after = EngineHarness()
    after.advance(2000)
    loader = Loader(after.engine)
    loader.begin()
    reader = RdbReader(path, loader, drop_expired=drop)
    while reader.step(1000):
        pass
    reader.close()
    assert after.engine.keyspaces[0].store.size() == (1 if drop else 3)
    assert loader.expired == (2 if drop else 0)
    assert reader.keys == 3
    loader.end()
    assert after.command("GET", "short") is None


@pytest.mark.parametrize(
    ("policy", "question", "answer"),
    [("allkeys-lru", "IDLETIME", 500), ("volatile-lfu", "FREQ", 77)],
)
def test_access_clocks(tmp_path: Path, policy: str, question: str, answer: int) -> None:
    path = tmp_path / "dump.rdb"
    before = EngineHarness()
    before.command("CONFIG", "SET", "maxmemory-policy", policy)
    before.command("SET", "a", "v")
    payload = before.command("DUMP", "a")
    assert isinstance(payload, bytes)
    option = "IDLETIME" if question == "IDLETIME" else "FREQ"
    before.command("RESTORE", "a", 0, payload, "REPLACE", option, answer)
    save(before.engine, path)
    after = EngineHarness()
    after.command("CONFIG", "SET", "maxmemory-policy", policy)
    load(after.engine, path)
    assert after.command("OBJECT", question, "a") == answer
    plain = EngineHarness()
    load(plain.engine, path)
    assert plain.command("GET", "a") == b"v"


def test_a_preamble_tells_where_it_ends(tmp_path: Path) -> None:
    path = tmp_path / "base.rdb"
    before = EngineHarness()
    fill_small(before.command)
    save(before.engine, path, RdbEncoder(preamble=True))
    size = path.stat().st_size
    with path.open("ab") as file:
        file.write(b"*1\r\n$4\r\nPING\r\n")
    reader = load(EngineHarness().engine, path, preamble=True)
    assert (reader.loaded, reader.facts[b"aof-base"]) == (size, b"1")
    with pytest.raises(LoadError, match="14 bytes behind the end"):
        load(EngineHarness().engine, path)


def test_what_other_servers_write(tmp_path: Path) -> None:
    """Valkey's slots of a cluster, data of modules, deadlines in seconds, hints, unknown facts."""
    module = bytes((forms.MODULE_AUX,)) + b"\x81" + bytes(8)
    module += b"\x02\x02\x05" + text(b"data") + b"\x04" + bytes(8) + b"\x03" + bytes(4)
    module += b"\x01\x09\x00"
    body = bytes((forms.AUX,)) + text(b"valkey-ver") + text(b"8.0.1") + module
    body += bytes((forms.SELECT, 2, forms.SLOT_INFO)) + b"\x40\x50\x01\x00"
    body += bytes((forms.RESIZE, 1, 1, forms.EXPIRE_SECONDS)) + (LATER // 1000).to_bytes(
        4, "little"
    )
    body += bytes((forms.FREQUENCY, 9)) + pair(b"key", b"value")
    harness = loaded(tmp_path / "dump.rdb", body)
    harness.command("SELECT", 2)
    assert harness.command("GET", "key") == b"value"
    assert harness.command("PEXPIRETIME", "key") == LATER


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (bytes((forms.MODULE_2,)) + text(b"k") + b"\x00", "a module of Redis"),
        (bytes((23,)) + text(b"k") + b"\x00", "form 23 are not known"),
        (bytes((243,)), "unknown kind 243"),
        (bytes((forms.FUNCTION_OF_CANDIDATE,)), "candidates of Redis 7.0"),
        (bytes((forms.SELECT,)) + b"\x40\x63" + pair(b"k", b"v"), "set 'databases' to 100"),
        (bytes((forms.SET, 1)) + b"k\x02" + text(b"m") * 2, "an element twice"),
        (bytes((forms.STRING, 1)) + b"k\x81" + b"\x7f" * 8, "longer than what is left"),
        (bytes((forms.STRING, 1)) + b"k\x80" + b"\x7f" * 4, "longer than what is left"),
        (bytes((forms.STRING, 1)) + b"k\xc3\x01\x80\x7f\xff\xff\xff\x00", "longer than it can be"),
        (bytes((forms.SET, 1)) + b"k\x80\x7f\xff\xff\xff", "more elements than it has bytes"),
        (
            bytes((forms.EXPIRE_MILLISECONDS,)) + b"\xff" * 7 + b"\x80" + pair(b"k", b"v"),
            "deadline",
        ),
    ],
)
def test_what_cannot_be_loaded(tmp_path: Path, body: bytes, words: str) -> None:
    with pytest.raises(LoadError, match=words) as caught:
        loaded(tmp_path / "dump.rdb", pair(b"first", b"value") + body)
    assert str(tmp_path / "dump.rdb") in str(caught.value)
    assert "offset" in str(caught.value)


def test_empty_values_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "dump.rdb"
    body = bytes((forms.EXPIRE_MILLISECONDS,)) + LATER.to_bytes(8, "little")
    body += bytes((forms.HASH, 1)) + b"k\x00" + bytes((forms.LIST_QUICKLIST_2, 1)) + b"l\x00"
    path.write_bytes(sealed(body + pair(b"stays", b"value")))
    harness = EngineHarness()
    reader = load(harness.engine, path)
    assert (reader.keys, reader.empty) == (1, 2)
    assert harness.command("KEYS", "*") == [b"stays"]
    assert harness.command("TTL", "stays") == -1


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "no RDB file"),
        (b"REDI", "no RDB file"),
        (b"VALKEY080", "Valkey 9"),
        (b"REDIS", "no version"),
        (b"REDISxyzw", "no version"),
        (b"REDIS0004", "of version 4, and versions 5 to 12 are read"),
        (b"REDIS0013", "of version 13"),
        (HEAD, "cut"),
        (sealed(b"")[:-1], "cut"),
        (sealed(b"")[:-1] + b"?", "the checksum is wrong"),
    ],
)
def test_heads_and_ends(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "dump.rdb"
    path.write_bytes(content)
    with pytest.raises(LoadError, match=words):
        load(EngineHarness().engine, path)


def test_without_a_checksum(tmp_path: Path) -> None:
    path = tmp_path / "dump.rdb"
    before = EngineHarness()
    before.command("SET", "k", "v")
    save(before.engine, path, RdbEncoder(checksum=False))
    assert path.read_bytes().endswith(END + bytes(8))
    load(EngineHarness().engine, path)


def is_refused(path: Path, content: bytes, *, checksum: bool = True) -> bool:
    path.write_bytes(content)
    reader = RdbReader(path, None, checksum=checksum)
    try:
        while reader.step(1 << 20):
            pass
    except LoadError:
        return True
    finally:
        reader.close()
    return False


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A small file of all types."""
    path = tmp_path_factory.mktemp("small") / "dump.rdb"
    harness = EngineHarness()
    fill_small(harness.command)
    save(harness.engine, path)
    return path.read_bytes()


def test_no_damage_is_taken_for_data(tmp_path: Path, small: bytes) -> None:
    path = tmp_path / "dump.rdb"
    assert not is_refused(path, small)
    chance = random.Random(11)
    for at in range(len(small)):
        assert is_refused(path, small[:at])
        flipped = bytes((small[at] ^ (1 << chance.randrange(8)),))
        assert is_refused(path, small[:at] + flipped + small[at + 1 :])


def test_damage_without_a_checksum_crashes_nothing(tmp_path: Path, small: bytes) -> None:
    path = tmp_path / "dump.rdb"
    chance = random.Random(12)
    refused = 0
    tracemalloc.start()
    for at in range(9, len(small)):
        changed = bytes((chance.randrange(256),))
        content = small[:at] + changed + small[at + 1 :]
        refused += is_refused(path, content, checksum=False)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert refused > len(small) // 4
    assert peak < 4 << 20


def tools_save(path: Path, harness: EngineHarness) -> None:
    def capture(encoder: Encoder) -> Capture:
        return Capture(harness.engine, encoder)

    RdbTools().save(path, capture, unheard)


def test_tools(tmp_path: Path) -> None:
    path = tmp_path / "dump.rdb"
    harness = EngineHarness()
    fill(harness.command)
    tools_save(path, harness)
    tools = RdbTools()
    assert tools.recognizes(path)
    assert not tools.recognizes(tmp_path)
    assert tools.check(path, False, unheard) == []
    assert [each.name for each in tmp_path.iterdir()] == ["dump.rdb"]
    assert path.stat().st_mode & 0o777 == 0o600
    after = EngineHarness()
    loader = Loader(after.engine)
    loader.begin()
    tools.load(path, loader, unheard)
    loader.end()
    assert digest(after.engine) == digest(harness.engine)
    with pytest.raises(LoadError, match="cannot be read"):
        tools.check(tmp_path / "missing", False, unheard)


def test_repair(tmp_path: Path) -> None:
    path = tmp_path / "dump.rdb"
    body = b"".join(pair(b"key:%d" % number, b"value") for number in range(10))
    whole = sealed(body)
    size = len(pair(b"key:0", b"value"))
    path.write_bytes(whole[: len(HEAD) + 4 * size + 3])
    tools = RdbTools()
    damage = tools.check(path, False, unheard)
    assert len(damage) == 1
    assert f"in what begins at {len(HEAD) + 4 * size}: " in damage[0]
    assert "--fix" in damage[0]
    words = tools.check(path, True, unheard)[1]
    assert "4 keys are left, and the 3 bytes behind them are lost" in words
    assert path.read_bytes() == sealed(body[: 4 * size])
    assert tools.check(path, True, unheard) == []


def test_what_cannot_be_repaired(tmp_path: Path) -> None:
    path = tmp_path / "dump.rdb"
    tools = RdbTools()
    for content, words in (
        (HEAD + b"?", "no key lies before"),
        (sealed(pair(b"k", b"v"))[:-1] + b"?", "what is damaged cannot be known"),
    ):
        path.write_bytes(content)
        assert words in tools.check(path, True, unheard)[1]
        assert path.read_bytes() == content


def test_encoders_refuse_what_they_cannot_write() -> None:
    with pytest.raises(ValueError, match="version 9"):
        RdbEncoder(9)
