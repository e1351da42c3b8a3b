"""Where log lines go: a file descriptor, one write a line, and never an error to the caller."""

import os
import sys
from pathlib import Path


class Output:
    """A log file, or standard output.

    Each line is handed to the kernel at once, so nothing is lost when the process dies. A
    write that fails (full disk, closed pipe) loses that line and is counted in ``lost``:
    a server does not stop because its log cannot be written.
    """

    def __init__(self) -> None:
        self.lost = 0
        self._path: Path | None = None
        self._descriptor = self._standard_output()
        self._torn = False

    @staticmethod
    def _standard_output() -> int:
        # When the process was started without one, descriptor 1 may be some client's socket.
        return -1 if sys.__stdout__ is None else 1

    def open(self, path: Path | None) -> None:
        """Write to the end of this file from now on; None is standard output.

        Raises ``OSError`` when the file cannot be opened; then everything stays as it was.
        """
        descriptor = self._standard_output()
        if path is not None:
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
            descriptor = os.open(path, flags, 0o644)
        if self._path is not None:
            os.close(self._descriptor)
        self._path = path
        self._descriptor = descriptor
        self._torn = False

    def reopen(self) -> None:
        """Open the log file again by its name, after something else renamed it away."""
        if self._path is not None:
            self.open(self._path)

    def is_terminal(self) -> bool:
        """Whether people look at it directly."""
        return self._descriptor >= 0 and os.isatty(self._descriptor)

    def write(self, line: str) -> None:
        """Write one line; the newline is added here."""
        data = line.encode("utf-8", "backslashreplace") + b"\n"
        if self._torn:
            data = b"\n" + data
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
        except OSError:
            self.lost += 1
            self._torn = 0 < len(rest) < len(data) or (self._torn and len(rest) == len(data))
        else:
            self._torn = False
