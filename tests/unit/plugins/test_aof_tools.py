"""``hypercache check aof`` and the part of ``convert`` that reads and writes such folders."""

import shutil
from pathlib import Path

import pytest
from hypercache_aof.annotations import opening_line
from hypercache_aof.tools import AofTools

from hypercache.backend_tools import unheard
from hypercache.persistence.capture import Capture
from hypercache.persistence.errors import LoadError
from hypercache.persistence.loader import Loader
from hypercache.testing.engine import EngineHarness
from hypercache.testing.resp import encode
from tests.support.aof import FolderWriter, digest, folder_in

TOOLS = AofTools()


class Folder:
    """A folder of three increments, each with a key of its own, and what it looks like whole."""

    def __init__(self, path: Path) -> None:
        self.folder = folder_in(path)
        self.path = self.folder.path
        harness = EngineHarness()
        harness.command("SET", "base", "x" * 100)
        harness.command("SET", "base2", "x" * 100)
        writer = FolderWriter(harness, self.folder)
        for key in ("one", "two", "three"):
            harness.command("SET", key, "1")
            harness.command("SET", key + key, "1")
            if key != "three":
                writer.rotate()
        writer.end()
        self.manifest = writer.manifest
        self.files = [self.folder.path_of(file) for file in self.manifest.files()]
        self.keys = self.loaded()

    def check(self, fix: bool = False) -> list[str]:
        return TOOLS.check(self.path, fix, unheard)

    def fix(self) -> list[str]:
        """The words about a repair, after which all is well, behind what was wrong."""
        found = self.check()
        words = self.check(fix=True)
        assert words[: len(found)] == found
        assert self.check() == []
        return words[len(found) :]

    def loaded(self, path: Path | None = None) -> set[bytes]:
        harness = EngineHarness()
        loader = Loader(harness.engine)
        loader.begin()
        TOOLS.load(path or self.path, loader, unheard)
        loader.end()
        keys = harness.command("KEYS", "*")
        assert isinstance(keys, list)
        return set(keys)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def flip(path: Path, at: int) -> bytes:
    """Damage a byte; what the file was."""
    data = path.read_bytes()
    path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
    return data


def test_whole_folders(folder: Folder) -> None:
    seen: list[tuple[str, int, int]] = []
    assert TOOLS.check(folder.path, False, lambda *progress: seen.append(progress)) == []
    total = sum(path.stat().st_size for path in folder.files)
    assert seen[-1] == ("check", total, total)
    assert folder.check(fix=True) == []
    assert TOOLS.check(folder.folder.manifest_path, False, unheard) == []
    assert all(TOOLS.check(path, False, unheard) == [] for path in folder.files)


def test_recognizes(folder: Folder, tmp_path: Path) -> None:
    for path in (folder.path, folder.folder.manifest_path, *folder.files[1:]):
        assert TOOLS.recognizes(path), path
    assert not TOOLS.recognizes(folder.files[0])  # an RDB, until its name says what it is
    assert TOOLS.recognizes(folder.files[0].rename(tmp_path / "appendonly.aof"))
    assert not TOOLS.recognizes(tmp_path)
    (tmp_path / "x").write_bytes(b"hello")
    assert not TOOLS.recognizes(tmp_path / "x")
    with pytest.raises(LoadError, match="none cannot be read: No such file"):
        TOOLS.recognizes(tmp_path / "none")


def test_torn_tail(folder: Folder) -> None:
    last = folder.files[-1]
    data = last.read_bytes()
    end = data.rindex(b"#HC:", 0, data.rindex(b"#HC:"))
    last.write_bytes(data[: end + 60])
    (problem,) = folder.check()
    assert problem.startswith(f"{last}: ends amid what begins at offset {end}: 60 bytes are not")
    (words,) = folder.fix()
    kept = last.with_name(f"{last.name}.cut-{end}")
    assert words == (
        f"{last} was cut at offset {end}: 60 bytes with 1 commands are lost; they are kept in"
        f" {kept.name}"
    )
    assert last.read_bytes() + kept.read_bytes() == data[: end + 60]
    assert folder.loaded() == folder.keys - {b"threethree"}


def test_damage_amid_the_increments(folder: Folder) -> None:
    """What is behind it is not repeated: it may build on what is lost."""
    damaged, last = folder.files[2:]
    data = flip(damaged, damaged.read_bytes().index(b"twotwo"))
    begin = data.rindex(b"#HC:", 0, data.index(b"twotwo"))
    (problem,) = folder.check()
    assert problem.startswith(f"{damaged}: damaged at offset ")
    size = last.stat().st_size
    cut, dropped = folder.fix()
    lost = len(data) - begin
    assert cut.startswith(f"{damaged} was cut at offset {begin}: {lost} bytes with 1 commands")
    assert dropped == (
        f"{last} is behind the damage: {size} bytes with 2 commands are lost; they are kept in"
        f" {last.name}.cut"
    )
    assert folder.loaded() == folder.keys - {b"twotwo", b"three", b"threethree"}
    assert last.with_name(f"{last.name}.cut").stat().st_size == size


def test_missing_files(folder: Folder) -> None:
    folder.files[2].unlink()
    (problem,) = folder.check()
    assert problem.startswith(f"{folder.files[2]} cannot be read: No such file")
    words = folder.fix()
    assert words[0] == f"{folder.files[2]} is missing, and with it what it held"
    assert folder.loaded() == {b"base", b"base2", b"one", b"oneone"}
    folder.files[0].unlink()
    assert folder.check(fix=True)[-1] == "nothing was changed: there are no data without it"


def test_damaged_base(folder: Folder) -> None:
    base = folder.files[0]
    data = base.read_bytes()
    base.write_bytes(data[:-12])  # amid the second key
    words = folder.fix()
    assert words[0].startswith(f"{base} was cut at offset ")
    assert words[1] == f"it is kept as it was in {base.name}.damaged"
    assert base.with_name(f"{base.name}.damaged").read_bytes() == data[:-12]
    assert len(words) == 5  # the increments are behind the damage, too
    assert len(folder.loaded()) == 1


def test_base_whose_damage_cannot_be_found(folder: Folder) -> None:
    data = flip(folder.files[0], folder.files[0].read_bytes().index(b"base2"))
    words = folder.check(fix=True)
    assert words[-1].startswith("nothing was changed: ")
    assert folder.files[0].read_bytes() != data
    assert sorted(folder.path.iterdir()) == sorted([*folder.files, folder.folder.manifest_path])


def test_a_file_without_its_end(folder: Folder) -> None:
    path = folder.files[1]
    data = path.read_bytes()
    path.write_bytes(data[: data.rindex(b"#HC:")])
    words = folder.fix()
    assert words[0].startswith(f"{path} stays as it is up to its end at offset ")
    assert len(words) == 3
    assert folder.loaded() == {b"base", b"base2", b"one", b"oneone"}


def test_cut_twice(folder: Folder) -> None:
    """What was cut before is not overwritten."""
    last = folder.files[-1]
    data = last.read_bytes()
    for name in ("", ".2", ".3"):
        last.write_bytes(data + b"x" + name.encode())
        folder.fix()
        kept = last.with_name(f"{last.name}.cut-{len(data)}{name}")
        assert kept.read_bytes() == b"x" + name.encode()


def test_damaged_manifest(folder: Folder) -> None:
    path = folder.folder.manifest_path
    data = flip(path, 40)
    assert folder.fix() == [
        f"{path} was written anew for {', '.join(file.name for file in folder.files)}; it is"
        f" kept in {path.name}.damaged"
    ]
    assert path.read_bytes() == data
    assert folder.loaded() == folder.keys


def test_damaged_manifest_that_leaves_a_doubt(folder: Folder) -> None:
    path = folder.folder.manifest_path
    flip(path, 40)
    other = folder.path / "appendonly.aof.9.base.rdb"
    shutil.copy(folder.files[0], other)
    assert folder.check(fix=True)[-1].startswith("nothing was changed: it is not clear which")
    other.unlink()
    flip(folder.files[2], 40)
    assert "nothing was changed: the files do not fit together" in folder.check(fix=True)[-1]


def test_folder_with_several_manifests(folder: Folder) -> None:
    (folder.path / "other.manifest").touch()
    with pytest.raises(LoadError, match=r"a folder has one manifest, and here are: append.*other"):
        folder.check()
    assert TOOLS.check(folder.folder.manifest_path, False, unheard) == []


def test_single_files(tmp_path: Path) -> None:
    path = tmp_path / "appendonly.aof"
    data = encode("SET", "a", "1") + encode("SET", "b", "2")
    path.write_bytes(data + b"*1\r\n")
    (problem,) = TOOLS.check(path, False, unheard)
    assert f"ends amid what begins at offset {len(data)}" in problem
    with pytest.raises(LoadError, match="ends amid"):
        TOOLS.load(path, Loader(EngineHarness().engine), unheard)
    assert len(TOOLS.check(path, True, unheard)) == 2
    assert path.read_bytes() == data
    path.write_bytes(data + opening_line(2))
    assert "a batch comes after" in TOOLS.check(path, True, unheard)[0]
    assert path.read_bytes() == data


def test_save(tmp_path: Path) -> None:
    harness = EngineHarness()
    for line in ("SET a 1", "SELECT 3", "HSET h f v", "PEXPIREAT h 1900000000000"):
        harness.command(*line.split())
    target = tmp_path / "appendonlydir"
    TOOLS.save(target, lambda encoder: Capture(harness.engine, encoder), unheard)
    assert TOOLS.check(target, False, unheard) == []
    other = EngineHarness()
    loader = Loader(other.engine)
    loader.begin()
    TOOLS.load(target, loader, unheard)
    loader.end()
    assert digest(other.engine) == digest(harness.engine)
    assert other.engine.journal.offset == harness.engine.journal.offset
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in target.iterdir())
