"""Which process Linux is to kill when memory is short: ``/proc/self/oom_score_adj``."""

from pathlib import Path
from typing import Final

from hypercache.config import ConfigError, Settings

FILE: Final = Path("/proc/self/oom_score_adj")
_LARGEST: Final = 1000


class OomScore:
    """This process' score, as ``oom-score-adj`` and ``oom-score-adj-values`` have it.

    Until the first of them says otherwise the score is nobody's business here, and afterwards
    it is put back to what it was then.
    """

    def __init__(self, file: Path = FILE) -> None:
        self._file = file
        self._before: int | None = None

    def apply(self, settings: Settings) -> None:
        """Set the score of a primary. Raises `ConfigError` where the system refuses it."""
        mode = settings.oom_score_adj
        if mode == "no" and self._before is None:
            return
        try:
            before = self._before
            if before is None:
                before = self._before = int(self._file.read_text("ascii"))
            score = settings.oom_score_adj_values[0]
            if mode == "no":
                score = before
                self._before = None
            elif mode == "relative":
                score += before
            self._file.write_text(f"{max(min(score, _LARGEST), -_LARGEST)}\n", "ascii")
        except (OSError, ValueError) as error:
            raise ConfigError("Failed to set current oom_score_adj. Check server logs.") from error
