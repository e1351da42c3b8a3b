"""The bytes of append-only files: our lines, batches, manifests, and how they are read."""

from pathlib import Path
from zlib import crc32

import pytest
from hypercache_aof.annotations import (
    batch_line,
    end_line,
    may_become,
    opening_line,
    parse,
    time_line,
)
from hypercache_aof.batches import BatchEncoder
from hypercache_aof.manifest import Manifest
from hypercache_aof.manifest import parse as parse_manifest
from hypercache_aof.reading import AofReader
from hypothesis import given, settings
from hypothesis import strategies as st

from hypercache.engine.journal import Record
from hypercache.keyspace.changes import Effect
from hypercache.persistence.errors import LoadError
from tests.support.aof import FILES, folder_in

Unit = list[tuple[int, list[bytes]]]


def command(*words: bytes) -> bytes:
    """A command as it stands in a file."""
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in words)


def record(offset: int, *effects: Effect) -> Record:
    return Record(offset, effects[0], list(effects[1:]) or None)


def read(path: Path, data: bytes) -> tuple[list[Unit], AofReader]:
    """Each unit's commands with their databases, and the reader at the end."""
    path.write_bytes(data)
    reader = AofReader(path)
    units: list[Unit] = []
    try:
        while reader.next():
            units.append(list(zip(reader.databases, reader.commands, strict=True)))
    finally:
        reader.close()
    return units, reader


def refusal(path: Path, data: bytes) -> str:
    """What is said of a damaged file, behind its name."""
    with pytest.raises(LoadError) as caught:
        read(path, data)
    return str(caught.value).removeprefix(f"{path}: damaged at offset ")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "x.aof"


# Our lines --------------------------------------------------------------------------------------


def test_lines() -> None:
    body = command(b"PING")
    line = b"#HC:7,14,%08x," % crc32(body)
    line += b"%08x\r\n" % crc32(line)
    assert batch_line(7, 14, crc32(body)) == line
    found = parse(line)
    assert found is not None
    assert (found.offset, found.size, found.code, found.ends) == (7, 14, crc32(body), False)
    end = parse(end_line(9, 1234))
    assert end is not None
    assert (end.offset, end.size, end.ends) == (9, 1234, True)
    opening = parse(opening_line(3))
    assert opening is not None
    assert (opening.offset, opening.size) == (3, 0)
    assert time_line(17) == b"#TS:17\r\n"


@pytest.mark.parametrize("line", [batch_line(70, 14, 255), end_line(9, 1234), time_line(123)])
def test_beginnings_of_lines(line: bytes) -> None:
    for size in range(1, len(line)):
        assert may_become(line[:size]), line[:size]
        assert line[:4] == b"#TS:" or parse(line[:size]) is None
    for at in range(len(line)):
        damaged = line[:at] + b"!" + line[at + 1 :]
        assert parse(damaged) is None
        assert not may_become(damaged[: at + 1])


@pytest.mark.parametrize(
    "line",
    [
        b"#HC:\r\n",
        b"#HC:1,2,3\r\n",
        b"#HC:1,0,0,0,0\r\n",
        b"#HC:-1,0,00000000,00000000\r\n",
        b"#HC:%s,0,00000000,00000000\r\n" % (b"9" * 40),
        batch_line(1, 0, 0)[:-2] + b"\n",
        batch_line(1, 0, 255).upper(),
        batch_line(1, 0, 0).replace(b":1", b":01"),
    ],
)
def test_lines_that_are_none_of_ours(line: bytes) -> None:
    assert parse(line) is None


# Batches ----------------------------------------------------------------------------------------


def test_batches() -> None:
    encoder = BatchEncoder()
    first = record(5, Effect(0, [b"SET", b"k", b"v"]))
    several = record(7, Effect(2, [b"DEL", b"x"]), Effect(3, [b"SET", b"e", b""]))
    body = (
        command(b"SELECT", b"0") + command(b"SET", b"k", b"v")
        + command(b"SELECT", b"2") + command(b"MULTI") + command(b"DEL", b"x")
        + command(b"SELECT", b"3") + command(b"SET", b"e", b"") + command(b"EXEC")
    )  # fmt: skip
    assert encoder.encode([first, several]) == batch_line(7, len(body), crc32(body)) + body
    again = command(b"SET", b"k", b"v" * 5000)
    batch = encoder.encode([record(8, Effect(3, [b"SET", b"k", b"v" * 5000]))])
    assert batch == batch_line(8, len(again), crc32(again)) + again
    encoder.begin_file()
    batch = encoder.encode([record(9, Effect(3, [b"SET", b"k", b"v" * 5000]))])
    body = command(b"SELECT", b"3") + again
    assert batch == batch_line(9, len(body), crc32(body)) + body


def test_what_files_need_not_keep() -> None:
    encoder = BatchEncoder()
    message = Effect(5, [b"PUBLISH", b"c", b"m"], True)
    assert encoder.encode([record(1, message), record(3, message, message)]) == b""
    batch = encoder.encode([record(5, message, Effect(0, [b"DEL", b"k"])), record(6, message)])
    body = command(b"SELECT", b"0") + command(b"DEL", b"k")
    assert batch == batch_line(6, len(body), crc32(body)) + body


def test_times() -> None:
    encoder = BatchEncoder()
    deletion = [record(1, Effect(0, [b"DEL", b"k"]))]
    assert encoder.encode(deletion, 100).startswith(b"#TS:100\r\n#HC:1,")
    assert encoder.encode(deletion, 100).startswith(b"#HC:1,")
    assert encoder.encode(deletion).startswith(b"#HC:1,")
    assert encoder.encode(deletion, 101).startswith(b"#TS:101\r\n")
    encoder.begin_file()
    assert encoder.encode(deletion, 101).startswith(b"#TS:101\r\n")


@st.composite
def rounds(draw: st.DrawFn) -> list[list[Record]]:
    """The records of some rounds, with offsets."""
    args = st.lists(
        st.binary(max_size=40) | st.just(b"*1\r\n$4\r\nEXEC\r\n"), min_size=0, max_size=4
    )
    names = st.sampled_from([b"SET", b"DEL", b"LONGER", b"x" * 1500])
    effects = st.builds(
        lambda database, name, rest, transient: Effect(database, [name, *rest], transient),
        st.integers(0, 20), names, args, st.booleans(),
    )  # fmt: skip
    offset = 0
    found = []
    for batch in draw(
        st.lists(
            st.lists(st.lists(effects, min_size=1, max_size=3), min_size=1, max_size=3), max_size=3
        )
    ):
        records = []
        for each in batch:
            offset += len(each)
            records.append(record(offset, *each))
        found.append(records)
    return found


@settings(max_examples=20, deadline=None)
@given(rounds(), st.booleans())
def test_round_trip(
    tmp_path_factory: pytest.TempPathFactory, every: list[list[Record]], stamped: bool
) -> None:
    encoder = BatchEncoder()
    seconds = iter(range(1, 1000))
    batches = [encoder.encode(records, next(seconds) if stamped else 0) for records in every]
    data = opening_line(0) + b"".join(batches)
    data += end_line(every[-1][-1].offset if every else 0, len(data))
    units, reader = read(tmp_path_factory.getbasetemp() / "round_trip.aof", data)
    expected = [
        [(effect.database, effect.args) for each in records for effect in each.effects
         if not effect.transient]
        for records in every
    ]  # fmt: skip
    assert units == [unit for unit in expected if unit]
    assert (reader.torn, reader.ended, reader.annotated) == (False, True, True)
    assert reader.offset == (every[-1][-1].offset if every else 0)


# Reading ----------------------------------------------------------------------------------------


def test_files_of_stock_servers(path: Path) -> None:
    data = (
        b"#TS:5\r\n" + command(b"SELECT", b"0") + command(b"SET", b"a", b"1")
        + b"# a remark\r\n" + command(b"multi") + b"#TS:6\r\n" + command(b"set", b"a", b"2")
        + command(b"select", b"9") + command(b"del", b"b") + command(b"exec")
        + command(b"del", b"c")
    )  # fmt: skip
    units, reader = read(path, data)
    assert units == [
        [(0, [b"SET", b"a", b"1"])],
        [(0, [b"set", b"a", b"2"]), (9, [b"del", b"b"])],
        [(9, [b"del", b"c"])],
    ]
    assert (reader.offset, reader.torn, reader.annotated, reader.seconds) == (4, False, False, 6)


def test_stock_server_behind_us(path: Path) -> None:
    encoder = BatchEncoder()
    data = opening_line(10) + encoder.encode([record(12, Effect(1, [b"DEL", b"a"]))])
    data += end_line(12, len(data))
    data += command(b"SELECT", b"0") + command(b"DEL", b"b")
    units, reader = read(path, data)
    assert units == [[(1, [b"DEL", b"a"])], [(0, [b"DEL", b"b"])]]
    assert (reader.offset, reader.closed, reader.ended) == (13, True, False)
    _, reader = read(path, data + end_line(13, len(data)))
    assert (reader.offset, reader.closed, reader.ended) == (13, True, True)
    batch = encoder.encode([record(14, Effect(1, [b"DEL", b"a"]))])
    assert "a batch comes after the file's end" in refusal(path, data + batch)


@pytest.mark.parametrize("size", [100, 1 << 20])
def test_large_units(path: Path, size: int) -> None:
    """Larger than what is read at a time, as a batch, a command and a transaction."""
    value = b"v" * size
    batch = BatchEncoder().encode([record(1, Effect(0, [b"SET", b"a", value]))])
    plain = command(b"SET", b"a", value) + command(b"MULTI") + command(b"SET", b"b", value)
    units, reader = read(path, batch + plain + command(b"EXEC"))
    assert [len(unit) for unit in units] == [1, 1, 1]
    assert [unit[0][1][2] for unit in units] == [value] * 3
    units, reader = read(path, batch + plain)
    assert (len(units), reader.torn) == (2, True)
    assert reader.position == len(batch) + len(command(b"SET", b"a", value))
    many = command(b"RPUSH", *[b"x" * 50] * (size // 50))
    assert len(read(path, many)[0][0][0][1]) == size // 50 + 1


def test_lost_commands(path: Path) -> None:
    effects = [record(number, Effect(0, [b"SET", b"a", b"value"])) for number in range(1, 6)]
    batch = BatchEncoder().encode(effects)
    path.write_bytes(batch[:-3])
    reader = AofReader(path)
    assert not reader.next()
    assert (reader.torn, reader.position, reader.lost()) == (True, 0, 5)
    reader.close()


@pytest.mark.parametrize(
    ("data", "offset", "text"),
    [
        (b"hello\r\n", 0, "there is no command here"),
        (command(b"PING") + b"x", 14, "there is no command here"),
        (b"*0\r\n", 0, "a command has no name"),
        (b"*-1\r\n", 1, "this is no number"),
        (b"*1\n$4\r\nPING\r\n", 2, "this is no number"),
        (b"*1\r\n:4\r\nPING\r\n", 4, "'$' is missing"),
        (b"*1\r\n$3\r\nPING\r\n", 11, "an argument is longer than its length"),
        (b"*1\r\n$9999999999999999999999\r\nPING\r\n", 4, "a number is too large"),
        (command(b"EXEC"), 14, "a transaction ends that never began"),
        (command(b"MULTI") * 2, 30, "a transaction begins inside another"),
        (command(b"SELECT", b"x"), 23, "SELECT names no database"),
        (command(b"MULTI") + b"x", 15, "there is no command here"),
        (b"#" + b"x" * 5000, 0, "a line has no end"),
        (b"#nothing", 0, "a line has no end"),
        (opening_line(5) + b"#nothing\r\n", len(opening_line(5)), "a line is damaged"),
        (opening_line(5) + opening_line(4), len(opening_line(5)), "the journal's offset is 4 here"),
        (end_line(5, 10), 0, "the file's last line belongs to offset 10"),
        (batch_line(5, 14, 1) + command(b"PING"), len(batch_line(5, 14, 1)), "the checksum of"),
        (command(b"PING") + opening_line(5), 14, "a batch comes after the file's end"),
    ],
)
def test_damage(path: Path, data: bytes, offset: int, text: str) -> None:
    assert refusal(path, data).startswith(f"{offset}: {text}")


@pytest.mark.parametrize("body", [b"*1\r\n$4\r\nPI", command(b"MULTI") + command(b"DEL", b"a")])
def test_damage_under_a_right_checksum(path: Path, body: bytes) -> None:
    assert "a batch ends amid a" in refusal(path, batch_line(5, len(body), crc32(body)) + body)


# Manifests --------------------------------------------------------------------------------------


def test_manifest_round_trip(tmp_path: Path) -> None:
    folder = folder_in(tmp_path, 'my "file"\n')
    FILES.make_folder(folder.path)
    manifest = folder.read()
    assert (manifest.files(), manifest.sealed) == ([], False)
    manifest.new_base(folder.stem)
    manifest.new_increment(folder.stem)
    manifest.new_increment(folder.stem)
    manifest.new_base(folder.stem)
    manifest.new_increment(folder.stem)
    manifest.retire(1)
    folder.write(manifest)
    found = folder.read()
    assert found.sealed
    assert found.encode() == manifest.encode()
    assert [(file.name, file.kind) for file in found.files()] == [
        ('my "file"\n.2.base.rdb', "b"),
        ('my "file"\n.3.incr.aof', "i"),
    ]
    assert [file.number for file in found.history] == [2, 1, 1]
    assert (found.last_base, found.last_increment) == (2, 3)
    for file in found.history:
        folder.path_of(file).touch()
    without = folder.remove_history(found)
    assert folder.names() == [folder.manifest_path.name]
    assert (without.history, folder.read().history) == ([], [])
    assert [file.number for file in without.files()] == [2, 3]
    mode = folder.manifest_path.stat().st_mode
    assert mode & 0o777 == 0o600


def test_numbers_are_never_used_again(tmp_path: Path) -> None:
    folder = folder_in(tmp_path)
    FILES.make_folder(folder.path)
    for name in ("appendonly.aof.7.incr.aof", "appendonly.aof.4.base.rdb", "other.9.base.rdb"):
        (folder.path / name).touch()
    manifest = folder.read()
    assert manifest.new_increment(folder.stem).name == "appendonly.aof.8.incr.aof"
    assert manifest.new_base(folder.stem).name == "appendonly.aof.5.base.rdb"


def test_manifest_of_a_stock_server() -> None:
    data = (
        b"# a remark\nfile a.2.base.rdb seq 2 type b\nFILE \"a\\x20b\" SEQ 1 TYPE h new thing\n"
        b"  file a.3.incr.aof seq 3 type i \t\r\n"
    )  # fmt: skip
    manifest = parse_manifest(data, Path("m"))
    assert not manifest.sealed
    assert [file.name for file in manifest.files()] == ["a.2.base.rdb", "a.3.incr.aof"]
    assert manifest.history[0].name == "a b"


@pytest.mark.parametrize(
    ("data", "offset", "text"),
    [
        (b"", 0, "Found an empty AOF manifest"),
        (b"# remark\n", 0, "Found an empty AOF manifest"),
        (b"\n", 0, "Invalid AOF manifest file format"),
        (b"# x\nfile a seq 1\n", 4, "Invalid AOF manifest file format"),
        (b"file a seq 0 type b\n", 0, "Invalid AOF manifest file format"),
        (b"file a seq 1 type b more\n", 0, "Invalid AOF manifest file format"),
        (b'file "a seq 1 type b\n', 0, "Invalid AOF manifest file format"),
        (b"file ../a seq 1 type b\n", 0, "File can't be a path, just a filename"),
        (b"file a seq 1 type x\n", 0, "Unknown AOF file type"),
        (b"file a seq 1 type b\n" * 2, 20, "Found duplicate base file information"),
        (b"file a seq 1 type i\n" * 2, 20, "Found a non-monotonic sequence number"),
        (b"file %s seq 1 type i\n" % (b"a" * 1024), 0, "The AOF manifest file contains too long"),
        (b"file a seq 1 type i", 0, "its last line has no end"),
        (b"#HC:19,00000000\nfile a seq 1 type i\n", 0, "its checksum is wrong"),
    ],
)
def test_damaged_manifest(data: bytes, offset: int, text: str) -> None:
    with pytest.raises(LoadError, match=f"^m: damaged at offset {offset}: {text}"):
        parse_manifest(data, Path("m"))


@pytest.mark.parametrize(
    ("stem", "line"), [("it#1", b"file it#1.1.b"), ("it's", b"file \"it's.1.b")]
)
def test_names_have_quotes_where_they_need_them(stem: str, line: bytes) -> None:
    manifest = Manifest()
    manifest.new_base(stem)
    assert line in manifest.encode()
    assert parse_manifest(manifest.encode(), Path("m")).files()[0].name == f"{stem}.1.base.rdb"
