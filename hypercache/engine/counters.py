"""What a server counts while it runs; INFO shows it, CONFIG RESETSTAT begins anew."""

from typing import Final

from mypy_extensions import i64

from hypercache.reply import ErrorReply

# Different error codes that INFO errorstats keeps apart.
MAX_ERROR_CODES: Final = 128


class Counters:
    """Plain numbers that the engine and the transports add to.

    A cycle is a round of the transport; its lengths are in microseconds.
    """

    def __init__(self) -> None:
        self.commands: i64 = 0
        self.reads: i64 = 0
        self.writes: i64 = 0
        self.bytes_in: i64 = 0
        self.bytes_out: i64 = 0
        self.errors: dict[str, int] = {}
        self.error_replies: i64 = 0
        self.connections: i64 = 0
        self.rejected_connections: i64 = 0
        self.output_limit_disconnections: i64 = 0
        self.query_limit_disconnections: i64 = 0
        self.evicted_clients: i64 = 0
        # What ACL rules have refused.
        self.denied_logins: i64 = 0
        self.denied_commands: i64 = 0
        self.denied_keys: i64 = 0
        self.denied_channels: i64 = 0
        # Snapshots that were begun, whatever became of them.
        self.snapshots: i64 = 0
        self.cycles: i64 = 0
        self.longest_cycle: i64 = 0
        self.busiest_cycle: i64 = 0
        self.tick_microseconds: i64 = 0
        self.expire_microseconds: i64 = 0
        self.expire_time_caps: i64 = 0
        # When the present cycle began, 0 before its first command, and the commands before it.
        self.cycle_began: i64 = 0
        self.cycle_commands: i64 = 0
        self._commands_seen: i64 = 0

    def count_error(self, error: ErrorReply) -> None:
        """Count an error reply under its code."""
        self.error_replies += 1
        code = error.code()
        if code in self.errors:
            self.errors[code] += 1
        elif len(self.errors) < MAX_ERROR_CODES:
            self.errors[code] = 1

    def count_cycle(self, now: i64) -> None:
        """Count a round, and remember the longest and the busiest."""
        self.cycles += 1
        if self.cycle_began > 0:
            elapsed: i64 = now - self.cycle_began
            if elapsed > self.longest_cycle:
                self.longest_cycle = elapsed
            executed: i64 = self.commands - self.cycle_commands
            if executed > self.busiest_cycle:
                self.busiest_cycle = executed
            self.cycle_began = 0
            self.cycle_commands = self.commands

    def is_idle(self) -> bool:
        """Whether no command has run since this was last asked."""
        idle = self.commands == self._commands_seen
        self._commands_seen = self.commands
        return idle
