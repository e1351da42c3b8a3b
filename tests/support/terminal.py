"""A program at a terminal of its own (a pty), for tests of interactive use."""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self

CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Terminal:
    """Runs a command at a terminal of 200 columns and 50 lines, until the block ends."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 200, 0, 0))
        self._process = subprocess.Popen(
            command,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env={**os.environ, **environment},
            start_new_session=True,
        )
        os.close(slave)
        self._raw = b""
        self._seen = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._master)

    @property
    def text(self) -> str:
        """What the program wrote, without control sequences and carriage returns."""
        return CONTROL.sub("", self._raw.decode("utf-8", "replace")).replace("\r", "")

    def type(self, text: str) -> None:
        """Type text; a line ends with "\\r", as the return key sends it.

        Wait for the prompt before: programs discard what was typed ahead.
        """
        os.write(self._master, text.encode())

    def expect(self, wanted: str, seconds: float = 10.0) -> str:
        """Wait for text after what earlier calls found; everything up to its end."""
        deadline = time.monotonic() + seconds
        while (at := self.text.find(wanted, self._seen)) < 0:
            left = deadline - time.monotonic()
            if left <= 0 or not self._receive(left):
                raise AssertionError(f"{wanted!r} does not follow in {self.text!r}")
        found = self.text[self._seen : at + len(wanted)]
        self._seen = at + len(wanted)
        return found

    def wait(self, seconds: float = 10.0) -> int:
        """Wait for the program's end, taking what it writes; its exit status."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0 and self._receive(left):
            pass
        return self._process.wait(max(0.1, left))

    def _receive(self, seconds: float) -> bool:
        """Take what comes within the time; False at the end of the output or of the time."""
        if not select.select([self._master], [], [], seconds)[0]:
            return False
        try:
            data = os.read(self._master, 65536)
        except OSError:  # Linux' way to say that the other side is closed
            return False
        self._raw += data
        return bool(data)
