# mypyc: interpreted
"""Options as the commands of filters take them, with RedisBloom's errors."""

from hypercache.keyspace import numbers
from hypercache.plugin import ErrorReply


def parse_number(text: bytes, error: str) -> int:
    """A signed integer of 64 bits; anything else is the error."""
    number = numbers.parse_integer(text)
    if number is None:
        raise ErrorReply(error)
    return number


def parse_rate(text: bytes, error: str) -> float:
    """A finite number; anything else is the error."""
    try:
        rate = float(text)
    except ValueError:
        raise ErrorReply(error) from None
    if rate != rate or text != text.strip() or b"_" in text:
        raise ErrorReply(error)
    return rate


class Words:
    """The arguments of a command from a position on, one after the other."""

    def __init__(self, args: list[bytes], at: int) -> None:
        self._args = args
        self._at = at

    def left(self) -> bool:
        """Whether there is another."""
        return self._at < len(self._args)

    def take(self) -> bytes:
        """The next one, as it is."""
        self._at += 1
        return self._args[self._at - 1]

    def next(self) -> bytes:
        """The next one, which names an option."""
        return self.take().lower()

    def next_or_arity(self, name: str) -> bytes:
        """The same; where there is none, the command has too few arguments."""
        return self.take_or_arity(name).lower()

    def take_or_arity(self, name: str) -> bytes:
        """The next one as it is; where there is none, the command has too few arguments."""
        if not self.left():
            raise ErrorReply(f"ERR wrong number of arguments for '{name}' command")
        return self.take()

    def rest_or_arity(self, name: str) -> list[bytes]:
        """All that are left, of which there has to be one."""
        rest = self._args[self._at :]
        if not rest:
            raise ErrorReply(f"ERR wrong number of arguments for '{name}' command")
        return rest
