"""Damaged snapshots: no flipped bit and no missing byte goes unseen, and --fix saves the rest."""

import random
from pathlib import Path
from typing import Final

import pytest
from hypercache_snapshot.reader import SnapshotReader
from hypercache_snapshot.repair import repair
from hypercache_snapshot.survey import survey
from hypercache_snapshot.tools import SnapshotTools

from hypercache.backend_tools import unheard
from hypercache.persistence.errors import LoadError, SaveError
from hypercache.persistence.file_system import FileSystem
from hypercache.testing.engine import EngineHarness
from tests.support.contents import values
from tests.support.snapshots import fill, loaded, save

CHANCE: Final = random.Random(7)
TOOLS: Final = SnapshotTools()


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> tuple[EngineHarness, bytes]:
    """An engine with a bit of everything, and the bytes of its snapshot."""
    harness = EngineHarness()
    fill(harness)
    path = save(harness.engine, tmp_path_factory.mktemp("saved") / "a.hcs")
    return harness, path.read_bytes()


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The bytes of a snapshot of two keys."""
    harness = EngineHarness()
    harness.command("SET", "key", "value")
    harness.command("HSET", "hash", "field", "value")
    return save(harness.engine, tmp_path_factory.mktemp("small") / "a.hcs").read_bytes()


def fails(path: Path) -> str:
    """Why a file is not loaded."""
    with pytest.raises(LoadError) as error:
        reader = SnapshotReader(path, None)
        try:
            while reader.step(1 << 20):
                pass
        finally:
            reader.close()
    assert f"{path}: damaged at offset " in str(error.value)
    assert f"'hypercache check snapshot {path} --fix'" in str(error.value)
    return str(error.value)


def test_every_flipped_byte_is_found(small: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.hcs"
    for at in range(len(small)):
        for mask in (1 << at % 8, 0xFF):
            data = bytearray(small)
            data[at] ^= mask
            path.write_bytes(data)
            fails(path)


def test_every_cut_is_found(small: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.hcs"
    for size in range(len(small)):
        path.write_bytes(small[:size])
        fails(path)
    path.write_bytes(small + b"\0")
    assert "1 bytes behind the end" in fails(path)


def frames(data: bytes) -> list[bytes]:
    """What stands before the first frame, and the frames."""
    parts = data.split(b"\xf7HCF")
    return [parts[0], *(b"\xf7HCF" + part for part in parts[1:])]


def test_missing_and_doubled_frames_are_found(
    saved: tuple[EngineHarness, bytes], tmp_path: Path
) -> None:
    path = tmp_path / "a.hcs"
    parts = frames(saved[1])
    assert len(parts) > 8
    for at in range(1, len(parts)):
        path.write_bytes(b"".join(parts[:at] + parts[at + 1 :]))
        fails(path)
        path.write_bytes(b"".join(parts[:at] + parts[at : at + 1] * 2 + parts[at + 1 :]))
        fails(path)


def repaired(path: Path, damaged: bytes) -> list[str]:
    """What --fix says of a damaged file; it leaves one that can be loaded, or all as it was."""
    path.write_bytes(damaged)
    words = TOOLS.check(path, True, unheard)
    assert words
    beside = path.with_name(path.name + ".damaged")
    if "repaired" in words[-1]:
        assert TOOLS.check(path, False, unheard) == []
        assert beside.read_bytes() == damaged
        beside.unlink()
    else:
        assert path.read_bytes() == damaged
    assert [each for each in path.parent.iterdir() if each.name != path.name] == []
    return words


def test_fix_keeps_what_is_whole_and_nothing_else(
    saved: tuple[EngineHarness, bytes], tmp_path: Path
) -> None:
    harness, data = saved
    before = values(harness.engine)
    path = tmp_path / "a.hcs"
    parts = frames(data)
    left = set()
    for at in range(1, len(parts), 2):
        damaged = bytearray(data)
        start = sum(map(len, parts[:at]))
        damaged[start + CHANCE.randrange(len(parts[at]))] ^= 1 << CHANCE.randrange(8)
        words = repaired(path, bytes(damaged))
        assert words[0].startswith(f"{path}: offset {start}: ")
        found = values(loaded(path, now=harness.clock.now).engine)
        assert found.items() <= before.items()  # each value is there as it was, or not at all
        left.add(len(found))
    assert len(before) in left  # the damage was in the head, or in the end
    assert len(left) > 3


def test_fix_of_a_cut_file(saved: tuple[EngineHarness, bytes], tmp_path: Path) -> None:
    harness, data = saved
    path = tmp_path / "a.hcs"
    words = repaired(path, data[: len(data) - 10])
    assert "the file ends amid a frame" in words[0]
    assert (
        f"{len(values(harness.engine))} of {len(values(harness.engine))} keys are left"
        in (words[-2])
    )
    words = repaired(path, data[: len(data) * 2 // 3])
    found = values(loaded(path, now=harness.clock.now).engine)
    assert 0 < len(found) < len(values(harness.engine))
    assert f" {len(found)} of {len(values(harness.engine))} keys are left" in "\n".join(words)
    words = repaired(path, data[:100])
    assert words[-1] == f"{path}: nothing was changed: no key can be saved"


def test_fix_names_values_of_which_a_part_is_missing(
    saved: tuple[EngineHarness, bytes], tmp_path: Path
) -> None:
    parts = frames(saved[1])
    path = tmp_path / "a.hcs"
    said = set()
    for at in range(2, len(parts) - 1):
        words = repaired(path, b"".join(parts[:at] + parts[at + 1 :]))
        assert "1 frames before this one are missing" in words[0]
        said |= {word.partition(": lost, ")[2] for word in words}
    assert "because a part is missing: b'stream:large' of database 3" in said


def test_fix_of_a_damaged_preamble_and_head(
    saved: tuple[EngineHarness, bytes], tmp_path: Path
) -> None:
    harness, data = saved
    path = tmp_path / "dump-20261122T120000.500000Z-0000000000000009.hcs"
    damaged = bytearray(data)
    damaged[0] ^= 1
    damaged[60] ^= 1
    words = repaired(path, bytes(damaged))
    assert "no snapshot" in words[0]
    assert loaded(path, now=harness.clock.now).engine.recovery.keys_loaded == len(
        values(harness.engine)
    )
    cut = damaged[: len(data) - 10]
    words = repaired(path, bytes(cut))
    assert words[-2] == f"{path}: the time and the offset of the journal are lost"
    reader = SnapshotReader(path, None)
    reader.close()
    assert (reader.head.time, reader.head.offset) == (1_795_348_800_500_000, 0)


def test_text_that_is_no_snapshot(tmp_path: Path) -> None:
    path = tmp_path / "a.hcs"
    path.write_bytes(b"text" * 1000)
    assert not TOOLS.recognizes(path)
    words = TOOLS.check(path, True, unheard)
    assert words == [f"{path}: this is no snapshot in the native format"]
    assert not TOOLS.recognizes(tmp_path)
    with pytest.raises(LoadError, match="cannot be read: No such file"):
        TOOLS.check(tmp_path / "none", False, unheard)


class FullDisk(FileSystem):
    """There is room for the beginning of a file."""

    def write(self, descriptor: int, data: bytes | memoryview) -> int:
        if len(data) > 200:
            raise OSError(28, "No space left on device")
        return super().write(descriptor, data)


def test_fix_on_a_full_disk_leaves_everything_as_it_was(
    saved: tuple[EngineHarness, bytes], tmp_path: Path
) -> None:
    path = tmp_path / "a.hcs"
    path.write_bytes(saved[1][:-1])
    with pytest.raises(OSError, match="No space left"):
        repair(path, survey(path, unheard), FullDisk(), unheard)
    assert [each.name for each in tmp_path.iterdir()] == ["a.hcs"]
    assert path.read_bytes() == saved[1][:-1]
    with pytest.raises(SaveError, match="cannot be repaired"):
        (tmp_path / "a.hcs.saving").mkdir()
        TOOLS.check(path, True, unheard)


def test_several_repairs_keep_each_damaged_file(
    saved: tuple[EngineHarness, bytes], tmp_path: Path
) -> None:
    path = tmp_path / "a.hcs"
    for _ in range(3):
        path.write_bytes(saved[1][:-1])
        assert "repaired" in TOOLS.check(path, True, unheard)[-1]
    names = sorted(each.name for each in tmp_path.iterdir())
    assert names == ["a.hcs", "a.hcs.damaged", "a.hcs.damaged.2", "a.hcs.damaged.3"]
