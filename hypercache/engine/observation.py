"""Who wants to know of each command: SLOWLOG, the latency monitor, MONITOR, hot keys.

The engine compares how long a command took with one number, `Engine.noted`, and calls
`Observation.note` from there on. Whoever wants to see every command makes that number -1.
"""

from typing import TYPE_CHECKING, Final

from mypy_extensions import i64

from hypercache.engine.big_keys import BigKeys
from hypercache.engine.command import ADMIN, FAST, SKIP_MONITOR, Command
from hypercache.engine.context import Context
from hypercache.engine.hot_keys import HotKeys
from hypercache.engine.latency import LatencyMonitor
from hypercache.engine.monitors import Monitors
from hypercache.engine.slowlog import SlowLog, redact

if TYPE_CHECKING:
    from hypercache.engine.engine import Engine

# No command takes as many microseconds.
NEVER: Final[i64] = 1 << 62
EVERYTHING: Final[i64] = -1


class Observation:
    """What is written down of commands that have run."""

    def __init__(self, engine: "Engine") -> None:
        self.engine = engine
        self.slowlog = SlowLog()
        self.latency = LatencyMonitor()
        self.monitors = Monitors(engine)
        self.hot = HotKeys(engine)
        self.big = BigKeys(engine)

    def set_slow(self, logged: i64, monitored: i64) -> None:
        """Log commands from so many microseconds on (-1: none), and monitor them (0: none)."""
        self.slowlog.threshold = logged
        self.latency.threshold = monitored
        self.rearm()

    def rearm(self) -> None:
        """Let the engine call `note` for the commands that somebody wants to know of."""
        noted = self.slowlog.threshold if self.slowlog.threshold >= 0 else NEVER
        if 0 < self.latency.threshold < noted:
            noted = self.latency.threshold
        if self.monitors.sessions or self.hot.sampling > 0:
            noted = EVERYTHING
        self.engine.noted = noted

    def note(self, context: Context, command: Command, args: list[bytes], elapsed: i64) -> None:
        """A command took ``elapsed`` microseconds: log and monitor it if that is long.

        The log leaves out those that stand for others (EXEC).
        """
        if self.monitors.sessions and not context.blocked:  # else it was shown when it blocked
            self.show(context, command, args)
        if self.hot.sampling > 0:
            self.hot.note(context, command, args)
        now = self.engine.time
        event = b"fast-command" if command.flags & FAST else b"command"
        self.latency.add(event, now, elapsed)
        if 0 <= self.slowlog.threshold <= elapsed and command.is_logged_when_slow():
            shown = redact(command, args, self.engine.configuration.is_secret)
            self.slowlog.add(now // 1000000, elapsed, shown, context.address, context.name)

    def show(self, context: Context, command: Command, args: list[bytes]) -> None:
        """Show a command to whoever monitors, unless it is one for administrators."""
        if self.monitors.sessions and not command.flags & (ADMIN | SKIP_MONITOR):
            self.announce(context, command, args)

    def announce(self, context: Context, command: Command, args: list[bytes]) -> None:
        """Show a command that runs others before these (EVAL), or one that was aborted (EXEC)."""
        if self.monitors.sessions:
            shown = redact(command, args, self.engine.configuration.is_secret)
            self.monitors.show(context, shown)
