"""The machine fails under the LMDB backend: what was synced is there, and nothing is half there.

A disk of our own stands beside the real one: of every file it has what the file was at its
last sync, and of every folder the names at its last sync. When the machine fails, any pages
that were written since may have reached it as well, in any order.
"""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
from hypercache_lmdb import LMDBKV, LMDBSettings, environment

PAGE = 4096
# More than these stores use of a file; what follows are holes.
USED = 8 << 20
State = dict[bytes, bytes]


def content(path: Path) -> bytes:
    """What a file holds, less the zeros at its end."""
    with path.open("rb") as file:
        found = file.read(USED)
    assert len(found) < USED or found.endswith(bytes(PAGE))
    return found


class Disk:
    """What of a folder is safe from a failure of the machine."""

    def __init__(self, folder: Path, random: Random) -> None:
        self.folder = folder
        self.random = random
        self.contents: dict[str, bytes] = {}
        self.names: set[str] = set()

    def settle(self) -> None:
        """Everything is safe."""
        self.names = {path.name for path in self.folder.iterdir()}
        self.contents = {name: content(self.folder / name) for name in self.names}

    def synced(self, descriptor: int) -> None:
        """A file or the folder was synced."""
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        if path == self.folder:
            self.names = {each.name for each in path.iterdir()}
        elif path.parent == self.folder:
            self.contents[path.name] = content(path)

    def fail(self, target: Path) -> None:
        """Write to a folder what the disk may hold after a failure of the machine now."""
        target.mkdir()
        present = {path.name for path in self.folder.iterdir()}
        for name in self.names | present:
            sure = name in self.names and name in present
            if name != environment.OWNER_FILE and (sure or self.random.random() < 0.5):
                (target / name).write_bytes(self._remains(name))

    def _remains(self, name: str) -> bytes:
        """What was safe of a file, with any of the pages that were written since."""
        old = self.contents.get(name, b"")
        path = self.folder / name
        new = content(path) if path.exists() else old
        share = self.random.choice((0.0, 0.1, 0.5, 0.9, 1.0))
        size = self.random.choice((len(old), len(new)))
        pages = []
        for at in range(0, size, PAGE):
            source = new if self.random.random() < share else old
            pages.append(source[at : at + PAGE].ljust(min(PAGE, size - at), b"\x00"))
        return b"".join(pages)


class Machine:
    """A store in use on such a disk, and every state that it has committed."""

    def __init__(self, root: Path, random: Random, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root = root
        self.random = random
        self.failures = 0
        self.states: list[State] = [{}]
        self.safe = 0
        self.checkpoints = 0
        for name in ("fsync", "fdatasync"):
            monkeypatch.setattr(os, name, self._noting(getattr(os, name)))
        self._start(root / "0")

    def _noting(self, sync: Callable[[int], None]) -> Callable[[int], None]:
        def noted(descriptor: int) -> None:
            sync(descriptor)
            self.disk.synced(descriptor)

        return noted

    def _start(self, folder: Path) -> None:
        self.disk = Disk(folder, self.random)
        self.store = LMDBKV(LMDBSettings(path=str(folder), sync="always", log_size=1 << 16))
        if folder.exists():
            self.disk.settle()  # it is what the disk has
            self.store.open()
        else:
            self.store.open()
            self.disk.settle()  # LMDB has synced itself

    def step(self) -> None:
        """One thing that happens."""
        dice = self.random.random()
        if dice < 0.8:
            self.unit()
        elif dice < 0.9:
            self.store.sync()
            self.safe = len(self.states) - 1
        elif dice < 0.975:
            self.store.maintain()
        else:
            self.fail()

    def unit(self) -> None:
        """Commit a few changes, or take them back."""
        state = dict(self.states[-1])
        self.store.begin()
        for _ in range(self.random.randrange(1, 40)):
            key = b"%04d" % self.random.randrange(400)
            if self.random.random() < 0.3:
                assert self.store.delete(key) == (state.pop(key, None) is not None)
            else:
                state[key] = self.random.randbytes(self.random.choice((5, 60, 400, 3000)))
                self.store.put(key, state[key])
        if self.random.random() < 0.1:
            self.store.rollback()
        else:
            self.store.commit()
            self.states.append(state)

    def fail(self) -> None:
        """The machine fails, and starts again with what the disk has."""
        self.failures += 1
        folder = self.root / str(self.failures)
        self.disk.fail(folder)
        self.checkpoints += int(self.store.checkpoints)
        abandoned = self.disk.folder
        self.store.close()
        shutil.rmtree(abandoned)
        self._start(folder)
        found = dict(self.store.range(b"", b"\xff", 1 << 20))
        assert found in self.states[self.safe :], f"failure {self.failures}"
        self.states = [found]
        self.safe = 0


@pytest.mark.parametrize("seed", range(3))
def test_what_was_synced_survives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    machine = Machine(tmp_path, Random(seed), monkeypatch)
    for _ in range(400):
        machine.step()
    machine.fail()
    assert machine.failures > 3
    assert machine.checkpoints > 2
    machine.store.close()
