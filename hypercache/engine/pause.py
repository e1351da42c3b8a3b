"""CLIENT PAUSE: requests that wait until a time has come or CLIENT UNPAUSE says so.

While the server saves its data a last time, requests that change data wait as well, whatever
CLIENT PAUSE and UNPAUSE say.
"""

from mypy_extensions import i64

from hypercache.engine.command import MAY_REPLICATE, WRITE, Command
from hypercache.engine.context import Context
from hypercache.engine.waiting import Wait
from hypercache.reply import NO_REPLY


class Postponed(Wait):
    """A request that is executed when the pause is over, as if it came then."""

    def __init__(self, deadline: i64, args: list[bytes]) -> None:
        super().__init__(deadline)
        self.args = args

    def is_over(self, engine: object) -> bool:
        return False

    def reply(self, engine: object) -> object:
        return NO_REPLY


class Pause:
    """Until when (Unix microseconds), and whether only what changes data is postponed.

    ``held``: what changes data is, for as long as that is set.
    """

    def __init__(self) -> None:
        self.until: i64 = 0
        self.writes_only = False
        self.held = False

    def deadline(self) -> i64:
        """When what is postponed now comes anew; 0 when that is not known."""
        return 0 if self.held else self.until

    def is_over(self, now: i64) -> bool:
        """Whether nothing more has to wait."""
        return not self.held and now >= self.until

    def lets_reads(self, now: i64) -> bool:
        """Whether requests that change nothing are executed."""
        return self.writes_only or now >= self.until

    def begin(self, now: i64, until: i64, writes_only: bool) -> None:
        """Pause, or go on pausing: what is in force is never shortened nor loosened."""
        active = self.until > now
        self.until = max(self.until, until) if active else until
        self.writes_only = writes_only and (self.writes_only or not active)

    def concerns(self, context: Context, command: Command, now: i64) -> bool:
        """Whether a client's request is to be postponed."""
        if not self.lets_reads(now) or command.flags & (WRITE | MAY_REPLICATE):
            return True
        if command.name != b"exec" or context.queue is None:
            return False
        return any(each.command.flags & (WRITE | MAY_REPLICATE) for each in context.queue)
