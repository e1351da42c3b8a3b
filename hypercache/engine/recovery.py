"""How the data come back at the start: from where, and how far that has come (INFO, LOADING)."""

from typing import TYPE_CHECKING

from mypy_extensions import i64

if TYPE_CHECKING:
    from hypercache.engine.engine import Engine


class Recovery:
    """Times are Unix microseconds. ``source`` names the plugin that has brought the data back.

    It is empty as long as there are none: a plugin that recovers looks at it first, so that of
    several only the first does. ``elapsed`` is how long it took in all.
    """

    def __init__(self, engine: "Engine") -> None:
        self.engine = engine
        self.source = ""
        self.path = ""
        self.active = False
        self.began: i64 = 0
        self.elapsed: i64 = 0
        self.total_bytes: i64 = 0
        self.loaded_bytes: i64 = 0
        self.keys_loaded: i64 = 0
        self.keys_expired: i64 = 0
        self.commands: i64 = 0

    def begin(self, source: str, path: str, total_bytes: i64) -> None:
        """A plugin begins to load files of so many bytes; ``path`` is what it names in logs."""
        self.source = source
        self.path = path
        self.active = True
        self.began = self.engine.clock.microseconds()
        self.total_bytes = total_bytes
        self.loaded_bytes = 0

    def advance(self, loaded_bytes: i64) -> None:
        """So many bytes have been loaded."""
        self.loaded_bytes = loaded_bytes

    def end(self) -> None:
        """Everything is loaded: the engine's clocks and counters start from here."""
        self.active = False
        self.elapsed = self.engine.clock.microseconds() - self.began
