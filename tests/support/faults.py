"""File operations that fail, are short, or are the last of a process; and what they have synced.

It works inside a server that was started with `wrapper`: an order in a file says what happens.
"""

import errno
import functools
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

#: What changes files, or makes the changes last.
OPERATIONS: Final = (
    *("open", "write", "pwrite", "fsync", "fdatasync", "ftruncate", "truncate", "rename"),
    *("replace", "link", "unlink", "remove", "mkdir"),
)


class Faults:
    """Operations on files below ``folder``, and the ``order`` that a file has for them.

    ``kill NAME N``: the process ends before the N-th operation of that name, or of ``any``, since
    the order came. ``fail NAME ERROR``: that operation raises OSError. ``short``: writes take
    half of what they are given. Without such a file all is well.
    """

    def __init__(self, folder: str, order: str) -> None:
        self.folder = Path(folder)
        self.order = Path(order)
        self.current = ""
        self.count = 0
        self.lock = threading.Lock()

    def install(self) -> None:
        """Take the place of the functions of the module os."""
        for name in OPERATIONS:
            setattr(os, name, functools.partial(self.call, name, getattr(os, name)))

    def call(
        self, name: str, real: Callable[..., object], file: object, *rest: object, **options: object
    ) -> object:
        """One operation."""
        if not self._concerns(file) or (name == "open" and not _writes(rest[0])):
            return real(file, *rest, **options)
        words = self._words(name)
        if words[:1] == ["kill"] and self.count >= int(words[2]):
            os.kill(os.getpid(), signal.SIGKILL)
        if words[:2] == ["fail", name]:
            number = getattr(errno, words[2])
            raise OSError(number, os.strerror(number))
        if words == ["short"] and name == "write":
            data = rest[0]
            assert isinstance(data, (bytes, memoryview))
            return real(file, data[: (len(data) + 1) // 2])
        return real(file, *rest, **options)

    def _concerns(self, file: object) -> bool:
        if isinstance(file, int):
            path = Path(f"/proc/self/fd/{file}").readlink()
        else:
            assert isinstance(file, (str, bytes, os.PathLike))
            path = Path(os.fsdecode(file)).absolute()
        return path.is_relative_to(self.folder)

    def _words(self, name: str) -> list[str]:
        """The order, once this operation was counted if it concerns it."""
        with self.lock:
            try:
                order = self.order.read_text()
            except FileNotFoundError:
                order = ""
            if order != self.current:
                self.current, self.count = order, 0
            words = order.split()
            self.count += words[1:2] in (["any"], [name])
            return words


def _writes(flags: object) -> bool:
    assert isinstance(flags, int)
    return bool(flags & (os.O_WRONLY | os.O_RDWR))


def wrapper(modules: Path, source: str, kind: str, *arguments: str) -> list[str]:
    """What runs a Python program with ``kind(*arguments).install()``, of a source, done first.

    ``modules`` is a folder to be made for that.
    """
    modules.mkdir()
    (modules / "sitecustomize.py").write_text(
        f"import runpy\nrunpy.run_path({source!r})[{kind!r}](*{arguments!r}).install()\n"
    )
    path = [str(modules), os.environ.get("PYTHONPATH", "")]
    return ["env", f"PYTHONPATH={os.pathsep.join(filter(None, path))}"]


class Orders:
    """What a server's file operations are to do; ``wrapper`` is to run its command."""

    def __init__(self, folder: Path, modules: Path) -> None:
        self._file = modules.with_name(f"{modules.name}.order")
        arguments = (str(folder), str(self._file))
        self.wrapper = wrapper(modules, __file__, "Faults", *arguments)

    def give(self, order: str) -> None:
        """From now on; at once, for all threads of the server."""
        new = self._file.with_suffix(".new")
        new.write_text(order)
        new.replace(self._file)

    def withdraw(self) -> None:
        """All is well again."""
        self._file.unlink(missing_ok=True)
