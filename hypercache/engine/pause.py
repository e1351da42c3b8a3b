"""CLIENT PAUSE: requests that wait until a time has come or CLIENT UNPAUSE says so."""

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
    """Until when (Unix microseconds), and whether only what changes data is postponed."""

    def __init__(self) -> None:
        self.until: i64 = 0
        self.writes_only = False

    def begin(self, now: i64, until: i64, writes_only: bool) -> None:
        """Pause, or go on pausing: what is in force is never shortened nor loosened."""
        active = self.until > now
        self.until = max(self.until, until) if active else until
        self.writes_only = writes_only and (self.writes_only or not active)

    def concerns(self, context: Context, command: Command) -> bool:
        """Whether a client's request is to be postponed."""
        if not self.writes_only or command.flags & (WRITE | MAY_REPLICATE):
            return True
        if command.name != b"exec" or context.queue is None:
            return False
        return any(each.command.flags & (WRITE | MAY_REPLICATE) for each in context.queue)
