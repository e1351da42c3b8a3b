"""Work that takes long, in the log: how far it has come, at most once a second, and its end."""

import time
from collections.abc import Callable
from typing import Final

from hypercache.observability.logs import Logger

# Seconds between two events.
_PAUSE: Final = 1.0


class ProgressLog:
    """A `hypercache.backend_tools.Progress` that logs; made when the work begins."""

    def __init__(self, log: Logger, now: Callable[[], float] = time.monotonic) -> None:
        self._log = log
        self._now = now
        self._began = now()
        self._told = self._began

    def __call__(self, what: str, done: int, total: int) -> None:
        now = self._now()
        if done < total and now - self._told < _PAUSE:
            return
        self._told = now
        seconds = round(now - self._began, 1)
        self._log.info(
            "progress",
            message=f"{what}: {done} of {total} after {seconds} s",
            what=what,
            done=done,
            total=total,
            seconds=seconds,
        )
