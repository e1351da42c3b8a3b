"""Small disks that a test can fill: a file system of their own, or the next best thing."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.support import quota
from tests.support.faults import wrapper

_MB: Final = 1 << 20


class SmallDisk:
    """A folder with room for so many bytes. ``wrapper`` is to run the commands that use it."""

    def __init__(self, folder: Path, size: int) -> None:
        self.folder = folder
        self.size = size
        self.wrapper: list[str] = []

    def fill(self) -> None:
        """Leave no room."""
        with (self.folder / "ballast").open("ab") as file:
            for step in (_MB, 4096):
                try:
                    while True:
                        os.write(file.fileno(), bytes(step))
                except OSError:
                    continue

    def free(self) -> None:
        """Give back the room that `fill` has taken."""
        (self.folder / "ballast").unlink()


class BelievedDisk(SmallDisk):
    """Not a disk, but processes that believe it: they are started with `tests.support.quota`."""

    def __init__(self, folder: Path, size: int) -> None:
        super().__init__(folder, size)
        self._quota = folder.with_name("quota")
        modules = folder.with_name("modules")
        self.wrapper = wrapper(modules, quota.__file__, "Quota", str(folder), str(self._quota))
        self.free()

    def fill(self) -> None:
        self._quota.write_text("0")

    def free(self) -> None:
        self._quota.write_text(str(self.size))


@contextmanager
def small_disk(folder: Path, size: int) -> Iterator[SmallDisk]:
    """A disk in an empty folder: a tmpfs if we may mount one, else one that is believed."""
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    if os.environ.get("HYPERCACHE_TEST_DISK") == "quota" or _fails(mount):
        yield BelievedDisk(folder, size)
        return
    try:
        yield SmallDisk(folder, size)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def _fails(command: list[str]) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode != 0
    except OSError:
        return True
