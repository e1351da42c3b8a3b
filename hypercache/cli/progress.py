"""How far a piece of work has come, on standard error."""

import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, TextIO

#: Seconds between two updates: of a line on a terminal, and between lines elsewhere.
_REDRAW: Final = 0.1
_NEXT_LINE: Final = 5.0
_BAR: Final = 30
_CLEAR: Final = "\r\x1b[K"


class ProgressBar:
    """Told of steps as `hypercache.backend_tools.Progress` is; shows them.

    On a terminal one line is drawn over and over. Elsewhere, in a log file for instance, a line
    is written every five seconds, and one when a piece of work is done.
    """

    def __init__(self, stream: TextIO, now: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._now = now
        self._redraws = stream.isatty()
        self._what = ""
        self._next = now() + (0.0 if self._redraws else _NEXT_LINE)
        self._drawn = False
        self._complete = False

    def __call__(self, what: str, done: int, total: int) -> None:
        """``done`` of ``total`` steps of ``what``; a total of 0 is not known yet."""
        if what != self._what:
            self.finish()
            self._what, self._complete = what, False
        complete = 0 < total <= done
        if self._complete or (self._now() < self._next and not complete):
            return
        self._complete = complete
        if self._redraws:
            self._next = self._now() + _REDRAW
            columns = shutil.get_terminal_size().columns
            self._stream.write(_CLEAR + _drawn(what, done, total)[: columns - 1])
            self._drawn = True
        else:
            self._next = self._now() + _NEXT_LINE
            self._stream.write(_written(what, done, total) + "\n")
        self._stream.flush()

    def finish(self) -> None:
        """Leave what was drawn as it is, and go on below it."""
        if self._drawn:
            self._stream.write("\n")
            self._stream.flush()
        self._drawn = False


@contextmanager
def shown_progress() -> Iterator[ProgressBar]:
    """A bar on standard error for the length of a piece of work."""
    progress = ProgressBar(sys.stderr)
    try:
        yield progress
    finally:
        progress.finish()


def _written(what: str, done: int, total: int) -> str:
    if total <= 0:
        return f"{what}: {done:,}"
    return f"{what}: {_percent(done, total)} % ({done:,} of {total:,})"


def _drawn(what: str, done: int, total: int) -> str:
    if total <= 0:
        return f"{what} {done:,}"
    bar = ("#" * (_BAR * min(done, total) // total)).ljust(_BAR, ".")
    return f"{what} [{bar}] {_percent(done, total):3} % {done:,} of {total:,}"


def _percent(done: int, total: int) -> int:
    return 100 * min(done, total) // total
