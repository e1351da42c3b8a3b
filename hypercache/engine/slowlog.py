"""The log of slow commands (SLOWLOG), bounded in entries and in what an entry may hold."""

from collections import deque
from collections.abc import Callable
from typing import Final

from mypy_extensions import i64

from hypercache.engine.command import Command
from hypercache.reply import printable

# Redis' limits: arguments of an entry, and bytes of an argument.
MAX_ARGUMENTS: Final = 32
MAX_ARGUMENT_BYTES: Final = 128
REDACTED: Final = b"(redacted)"


class SlowCommand:
    """One entry. Times in Unix seconds and microseconds; arguments are shortened copies."""

    def __init__(
        self, number: int, at: i64, duration: i64, args: list[bytes], client: str, name: bytes
    ) -> None:
        self.number = number
        self.at = at
        self.duration = duration
        self.args = args
        self.client = client
        self.name = name


class SlowLog:
    """The latest slow commands, newest first.

    ``threshold`` is in microseconds: 0 logs everything, a negative one nothing.
    """

    def __init__(self) -> None:
        self.threshold: i64 = 10_000
        self._next = 0
        self._entries: deque[SlowCommand] = deque(maxlen=128)

    def resize(self, length: int) -> None:
        """Keep at most ``length`` entries (slowlog-max-len)."""
        self._entries = deque(list(self._entries)[:length], maxlen=length)

    def add(self, at: i64, duration: i64, args: list[bytes], client: str, name: bytes) -> None:
        """Log a command that took ``duration`` microseconds."""
        self._entries.appendleft(SlowCommand(self._next, at, duration, shorten(args), client, name))
        self._next += 1

    def latest(self, count: int) -> list[SlowCommand]:
        """Up to ``count`` entries, newest first; all for -1."""
        entries = list(self._entries)
        return entries if count < 0 else entries[:count]

    def length(self) -> int:
        """Number of entries."""
        return len(self._entries)

    def reset(self) -> None:
        """Forget all entries; numbers go on."""
        self._entries.clear()


def redact(command: Command, args: list[bytes], is_secret: Callable[[str], bool]) -> list[bytes]:
    """The arguments without passwords; ``is_secret`` tells which settings are."""
    secret = secrets_in(command.name, args, is_secret)
    if not secret:
        return args
    return [REDACTED if at in secret else arg for at, arg in enumerate(args)]


def secrets_in(name: bytes, args: list[bytes], is_secret: Callable[[str], bool]) -> list[int]:
    """The indices of what nobody else may see; as Redis, with user names and all rules."""
    count = len(args)
    if name == b"auth":
        return list(range(1, count))
    if name == b"acl|setuser":
        return list(range(2, count))
    secret: list[int] = []
    if name == b"config|set":
        for at in range(2, count - 1, 2):
            if is_secret(printable(args[at])):
                secret.append(at + 1)
    elif name == b"hello" or name == b"migrate":
        for at in range(2, count):
            option = args[at].lower()
            if option == b"auth":
                secret += [at + 1, at + 2] if name == b"hello" else [at + 1]
            elif option == b"auth2" and name == b"migrate":
                secret += [at + 1, at + 2]
    return secret


def shorten(args: list[bytes]) -> list[bytes]:
    """A copy of an argument list with Redis' marks where something was left out."""
    kept = args if len(args) <= MAX_ARGUMENTS else args[: MAX_ARGUMENTS - 1]
    short: list[bytes] = []
    for arg in kept:
        if len(arg) > MAX_ARGUMENT_BYTES:
            more = len(arg) - MAX_ARGUMENT_BYTES
            arg = arg[:MAX_ARGUMENT_BYTES] + b"... (%d more bytes)" % more
        short.append(arg)
    if len(args) > MAX_ARGUMENTS:
        short.append(b"... (%d more arguments)" % (len(args) - MAX_ARGUMENTS + 1))
    return short
