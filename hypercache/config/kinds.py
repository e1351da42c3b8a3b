"""The kinds of values a setting may have: how each is read, shown and written.

Whatever the source, a value arrives as a list of words, the arguments that follow the
directive's name. The reasons in errors are those of Redis, word for word.
"""

import errno
import os
import re
import stat
from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path
from typing import Final, Generic, TypeVar

from hypercache.config.errors import ConfigError
from hypercache.config.text import (
    format_memory,
    parse_integer,
    parse_memory,
    quote_if_needed,
    split_arguments,
    yaml_scalar,
)

T = TypeVar("T")

WRONG_NUMBER: Final = "wrong number of arguments"

INT_MIN: Final = -(1 << 31)
INT_MAX: Final = (1 << 31) - 1
UINT_MAX: Final = (1 << 32) - 1
LONG_MAX: Final = (1 << 63) - 1
ULONG_MAX: Final = (1 << 64) - 1

#: Upper ends that only say how wide Redis' variable is.
_NO_LIMIT: Final = (INT_MAX, UINT_MAX, LONG_MAX, ULONG_MAX)

Check = Callable[[str], None]


class Kind(Generic[T]):
    """One kind of value. ``multiple``: takes any number of words, and says itself how many."""

    multiple: bool = False

    def words(self, data: object) -> list[str]:
        """The words that a list or mapping of YAML stands for; its scalars are texts."""
        if isinstance(data, dict):
            return [word for name, item in data.items() for word in [name, *self.words(item)]]
        if isinstance(data, list):
            return [word for item in data for word in self.words(item)]
        return split_arguments(str(data)) or [str(data)]

    def parse(self, words: list[str], current: T, fresh: bool) -> T:
        """The value that these words mean; a `ConfigError` holds the reason why not.

        ``current`` is the value so far and ``fresh`` tells that no directive of this load
        set it yet (always so at run time): some directives build on what was said before.
        """
        raise NotImplementedError

    def show(self, value: T) -> str:
        """The value as CONFIG GET answers it."""
        raise NotImplementedError

    def lines(self, value: T) -> list[list[str]]:
        """The words of each directive that together give this value in a redis.conf."""
        return [[self.show(value)]]

    def yaml(self, value: T) -> str:
        """The value as our YAML writes it, on one line."""
        lines = self.lines(value) or [[""]]
        if not self.multiple or lines == [[""]]:
            return yaml_scalar(lines[0][0])
        words = [[quote_if_needed(word) for word in line] for line in lines]
        items = words[0] if len(words) == 1 else [" ".join(line) for line in words]
        if len(items) == 1:
            return yaml_scalar(items[0])
        return "[" + ", ".join(yaml_scalar(item) for item in items) + "]"

    def allowed(self) -> str:
        """What may stand here, in words that complete "allowed: ..."."""
        raise NotImplementedError


class YesNo(Kind[bool]):
    """``yes`` or ``no``."""

    def parse(self, words: list[str], current: bool, fresh: bool) -> bool:
        word = words[0].lower()
        if word not in ("yes", "no"):
            raise ConfigError("argument must be 'yes' or 'no'")
        return word == "yes"

    def show(self, value: bool) -> str:
        return "yes" if value else "no"

    def allowed(self) -> str:
        return "yes or no"


class Number(Kind[int]):
    """An integer in a range; one beyond ``clamp`` is accepted and moved to its nearer end."""

    def __init__(self, low: int, high: int, clamp: tuple[int, int] | None = None) -> None:
        self.low = low
        self.high = high
        self.clamp = clamp

    def read(self, word: str) -> int:
        """The number that a word means, in or out of range."""
        value = parse_integer(word)
        if value is None:
            raise ConfigError("argument couldn't be parsed into an integer")
        return value

    def text(self, value: int) -> str:
        """A number in this kind's notation."""
        return str(value)

    def parse(self, words: list[str], current: int, fresh: bool) -> int:
        value = self.read(words[0])
        if not self.low <= value <= self.high:
            low, high = self.text(self.low), self.text(self.high)
            raise ConfigError(f"argument must be between {low} and {high} inclusive")
        if self.clamp:
            return min(max(value, self.clamp[0]), self.clamp[1])
        return value

    def show(self, value: int) -> str:
        return self.text(value)

    def allowed(self) -> str:
        low, high = self.clamp or (self.low, self.high)
        if high not in _NO_LIMIT:
            return f"an integer from {low} to {high}"
        return "an integer" if low < -1 else f"an integer, {low} or more"


class Octal(Number):
    """A number in octal notation: permissions."""

    def read(self, word: str) -> int:
        if not re.fullmatch("[0-7]{1,21}", word):
            raise ConfigError("argument couldn't be parsed as an octal number")
        return int(word, 8)

    def text(self, value: int) -> str:
        return f"{value:o}"

    def allowed(self) -> str:
        return f"an octal number from {self.low:o} to {self.high:o}"


class Memory(Number):
    """A number of bytes, with or without a unit."""

    def read(self, word: str) -> int:
        value = parse_memory(word)
        if value is None:
            raise ConfigError("argument must be a memory value")
        return value

    def lines(self, value: int) -> list[list[str]]:
        return [[format_memory(value)]]

    def allowed(self) -> str:
        low, high = self.clamp or (self.low, self.high)
        if high in _NO_LIMIT:
            return f"bytes, {format_memory(low)} or more"
        return f"bytes from {format_memory(low)} to {format_memory(high)}"


class MemoryOrPercent(Kind[int]):
    """Bytes, or a percentage of another limit, held as a negative number (``-5`` is 5%)."""

    def parse(self, words: list[str], current: int, fresh: bool) -> int:
        word = words[0]
        value = parse_memory(word)
        if value is not None:
            if value > LONG_MAX:
                raise ConfigError(f"argument must be between -100 and {LONG_MAX} inclusive")
            return value
        percent = parse_integer(word[:-1]) if word.endswith("%") else None
        if percent is None or percent < 0:
            raise ConfigError("argument must be a memory or percent value")
        if percent > 100:
            raise ConfigError("percentage argument must be less or equal to 100")
        return -percent

    def show(self, value: int) -> str:
        return f"{-value}%" if value < 0 else str(value)

    def lines(self, value: int) -> list[list[str]]:
        return [[self.show(value) if value < 0 else format_memory(value)]]

    def allowed(self) -> str:
        return "bytes, or 0% to 100%"


class Text(Kind[str]):
    """Any text, unless ``check`` finds something against it."""

    def __init__(self, allowed: str = "any text", check: Check | None = None) -> None:
        self._allowed = allowed
        self._check = check

    def parse(self, words: list[str], current: str, fresh: bool) -> str:
        if self._check:
            self._check(words[0])
        return words[0]

    def show(self, value: str) -> str:
        return value

    def allowed(self) -> str:
        return self._allowed


class Choice(Kind[str]):
    """One of a few names; ``synonyms`` maps further names to them.

    What is installed under a ``group`` of entry points may be chosen too, and followed by options
    in parentheses; nobody looks there for one of the names.
    """

    def __init__(
        self, names: tuple[str, ...], synonyms: dict[str, str] | None = None, group: str = ""
    ) -> None:
        self.names = names
        self._synonyms = synonyms or {}
        self._group = group

    def parse(self, words: list[str], current: str, fresh: bool) -> str:
        word = words[0].lower()
        word = self._synonyms.get(word, word)
        name = word.partition("(")[0] if self._group else word
        if name not in self.names and name not in self._every():
            raise ConfigError(self.reason())
        return word

    def _every(self) -> list[str]:
        """The names, and what is installed beside them."""
        if not self._group:
            return list(self.names)
        found = {point.name for point in entry_points(group=self._group)}
        return [*self.names, *sorted(found.difference(self.names))]

    def reason(self) -> str:
        """Redis' words for a name that is none of these."""
        return f"argument(s) must be one of the following: {', '.join(self._every())}"

    def show(self, value: str) -> str:
        return value

    def allowed(self) -> str:
        others = ", or another one that is installed" if self._group else ""
        return "one of " + ", ".join(self.names) + others


class Flags(Kind[tuple[str, ...]]):
    """Any of a few names together; ``none`` is what the empty set is called."""

    multiple = True

    def __init__(self, none: str, names: tuple[str, ...], exclusive: tuple[str, str, str]) -> None:
        self.none = none
        self.names = names
        self._exclusive = exclusive

    def parse(self, words: list[str], current: tuple[str, ...], fresh: bool) -> tuple[str, ...]:
        given = {word.lower() for word in words}
        if not given or given - {self.none, *self.names}:
            every = ", ".join((self.none, *self.names))
            raise ConfigError(f"argument(s) must be one of the following: {every}")
        first, second, reason = self._exclusive
        if first in given and second in given:
            raise ConfigError(reason)
        return tuple(name for name in self.names if name in given)

    def show(self, value: tuple[str, ...]) -> str:
        return " ".join(value) or self.none

    def lines(self, value: tuple[str, ...]) -> list[list[str]]:
        return [list(value) or [self.none]]

    def allowed(self) -> str:
        return f"{self.none}, or any of " + ", ".join(self.names)


class Directory(Kind[str]):
    """A directory that exists; a relative path starts from the directory so far."""

    def parse(self, words: list[str], current: str, fresh: bool) -> str:
        if not words[0] or "\0" in words[0]:
            raise ConfigError(os.strerror(errno.ENOENT))
        path = Path(current) / words[0]
        try:
            mode = path.stat().st_mode
        except OSError as error:
            raise ConfigError(os.strerror(error.errno or errno.EIO)) from error
        if not stat.S_ISDIR(mode):
            raise ConfigError(os.strerror(errno.ENOTDIR))
        if not os.access(path, os.X_OK):
            raise ConfigError(os.strerror(errno.EACCES))
        return str(path.resolve())

    def show(self, value: str) -> str:
        return value

    def allowed(self) -> str:
        return "a directory that exists"
