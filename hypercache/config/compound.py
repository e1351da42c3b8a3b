"""The kinds of settings that have a notation of their own, and the types they give."""

import re
from typing import Final

from attrs import evolve, frozen

from hypercache.config.errors import ConfigError
from hypercache.config.kinds import INT_MAX, ULONG_MAX, WRONG_NUMBER, Kind
from hypercache.config.text import (
    format_memory,
    parse_integer,
    parse_memory,
    quote_if_needed,
    yaml_scalar,
)


@frozen
class SavePoint:
    """A snapshot is due ``seconds`` after the last one if ``changes`` happened."""

    seconds: int
    changes: int


@frozen
class BufferLimit:
    """When unsent replies are too many: ``hard`` bytes, or ``soft`` for seconds; 0 is never."""

    hard: int
    soft: int
    seconds: int


@frozen
class BufferLimits:
    """The limits of each class of clients."""

    normal: BufferLimit
    replica: BufferLimit
    pubsub: BufferLimit


@frozen
class Endpoint:
    """Where a server listens."""

    host: str
    port: int


class Save(Kind[tuple[SavePoint, ...]]):
    """Pairs of seconds and changes. Every directive of a load adds to those before."""

    multiple = True

    def parse(
        self, words: list[str], current: tuple[SavePoint, ...], fresh: bool
    ) -> tuple[SavePoint, ...]:
        if words in ([], [""]):
            return ()
        numbers = [parse_integer(word) for word in words]
        points = [] if fresh else list(current)
        for at in range(0, len(numbers), 2):
            seconds, changes = (*numbers[at : at + 2], None)[:2]
            if seconds is None or changes is None or seconds < 1 or changes < 0:
                raise ConfigError("Invalid save parameters")
            points.append(SavePoint(seconds, changes))
        return tuple(points)

    def show(self, value: tuple[SavePoint, ...]) -> str:
        return " ".join(f"{point.seconds} {point.changes}" for point in value)

    def lines(self, value: tuple[SavePoint, ...]) -> list[list[str]]:
        return [[str(point.seconds), str(point.changes)] for point in value] or [[""]]

    def allowed(self) -> str:
        return "pairs of seconds (1 or more) and changes (0 or more), or empty for none"


class OutputBufferLimits(Kind[BufferLimits]):
    """Class, hard limit, soft limit and seconds; classes that are not named keep theirs."""

    multiple = True

    _CLASSES: Final = {
        "normal": "normal",
        "slave": "replica",
        "replica": "replica",
        "pubsub": "pubsub",
    }

    def parse(self, words: list[str], current: BufferLimits, fresh: bool) -> BufferLimits:
        if len(words) % 4:
            raise ConfigError("Wrong number of arguments in buffer limit configuration.")
        limits = {}
        for at in range(0, len(words), 4):
            name = self._CLASSES.get(words[at].lower())
            if name is None:
                raise ConfigError("Invalid client class specified in buffer limit configuration.")
            hard, soft = parse_memory(words[at + 1]), parse_memory(words[at + 2])
            seconds = parse_integer(words[at + 3])
            if hard is None or soft is None or seconds is None or not 0 <= seconds <= INT_MAX:
                raise ConfigError(
                    "Error in hard, soft or soft_seconds setting in buffer limit configuration."
                )
            limits[name] = BufferLimit(min(hard, ULONG_MAX), min(soft, ULONG_MAX), seconds)
        return evolve(current, **limits)

    def show(self, value: BufferLimits) -> str:
        return " ".join(
            f"{name} {limit.hard} {limit.soft} {limit.seconds}"
            for name, limit in self._by_name(value, "slave")
        )

    def lines(self, value: BufferLimits) -> list[list[str]]:
        return [
            [name, format_memory(limit.hard), format_memory(limit.soft), str(limit.seconds)]
            for name, limit in self._by_name(value, "replica")
        ]

    @staticmethod
    def _by_name(value: BufferLimits, replica: str) -> list[tuple[str, BufferLimit]]:
        return [("normal", value.normal), (replica, value.replica), ("pubsub", value.pubsub)]

    def allowed(self) -> str:
        return "groups of: class (normal, replica, pubsub), hard limit, soft limit, seconds"


class Addresses(Kind[tuple[str, ...]]):
    """Addresses to listen on; one that begins with ``-`` may be unavailable."""

    multiple = True
    _MOST: Final = 16

    def parse(self, words: list[str], current: tuple[str, ...], fresh: bool) -> tuple[str, ...]:
        if len(words) > self._MOST:
            raise ConfigError("Too many bind addresses specified.")
        return () if words == [""] else tuple(words)

    def show(self, value: tuple[str, ...]) -> str:
        return " ".join(value)

    def lines(self, value: tuple[str, ...]) -> list[list[str]]:
        return [list(value) or [""]]

    def allowed(self) -> str:
        return f"up to {self._MOST} addresses, * for all of IPv4 and ::* for all of IPv6"


class Percentiles(Kind[tuple[float, ...]]):
    """Percentiles between 0 and 100."""

    multiple = True

    def parse(self, words: list[str], current: tuple[float, ...], fresh: bool) -> tuple[float, ...]:
        if words == [""]:
            return ()
        values = []
        for word in words:
            if not re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?", word.lower()):
                raise ConfigError("Invalid latency-tracking-info-percentiles parameters")
            values.append(float(word))
        if any(not 0 <= value <= 100 for value in values):
            raise ConfigError(
                "latency-tracking-info-percentiles parameters should sit between [0.0,100.0]"
            )
        return tuple(values)

    def show(self, value: tuple[float, ...]) -> str:
        return " ".join(f"{number:f}".rstrip("0").rstrip(".") for number in value)

    def lines(self, value: tuple[float, ...]) -> list[list[str]]:
        return [self.show(value).split() or [""]]

    def allowed(self) -> str:
        return "numbers from 0 to 100, or empty for none"


class PressureLevels(Kind[tuple[int, ...]]):
    """Three percentages of a limit, each larger than the one before."""

    multiple = True

    def parse(self, words: list[str], current: tuple[int, ...], fresh: bool) -> tuple[int, ...]:
        if len(words) != 3:
            raise ConfigError(WRONG_NUMBER)
        numbers = [parse_integer(word) for word in words]
        levels = tuple(number for number in numbers if number is not None and 1 <= number <= 100)
        if len(levels) != 3 or not levels[0] < levels[1] < levels[2]:
            raise ConfigError("argument must be three ascending percentages from 1 to 100")
        return levels

    def show(self, value: tuple[int, ...]) -> str:
        return " ".join(map(str, value))

    def lines(self, value: tuple[int, ...]) -> list[list[str]]:
        return [list(map(str, value))]

    def allowed(self) -> str:
        return "three ascending integers from 1 to 100"


class OomScores(Kind[tuple[int, ...]]):
    """Three scores of Linux' out-of-memory killer."""

    multiple = True

    def parse(self, words: list[str], current: tuple[int, ...], fresh: bool) -> tuple[int, ...]:
        if len(words) != 3:
            raise ConfigError(WRONG_NUMBER)
        scores = [parse_integer(word) for word in words]
        values = tuple(score for score in scores if score is not None and abs(score) <= 2000)
        if len(values) != 3:
            raise ConfigError(
                "Invalid oom-score-adj-values, elements must be between -2000 and 2000."
            )
        return values

    def show(self, value: tuple[int, ...]) -> str:
        return " ".join(map(str, value))

    def lines(self, value: tuple[int, ...]) -> list[list[str]]:
        return [[str(score) for score in value]]

    def allowed(self) -> str:
        return "three integers from -2000 to 2000"


class EventClasses(Kind[str]):
    """Letters of keyspace events, each once and in a fixed order; ``A`` is resolved."""

    _ALL: Final = "g$lshzxetd"
    _ORDER: Final = _ALL + "nKEm"

    def parse(self, words: list[str], current: str, fresh: bool) -> str:
        letters = set(words[0].replace("A", self._ALL))
        if letters - set(self._ORDER):
            raise ConfigError("Invalid event class character. Use 'Ag$lshzxeKEtmdn'.")
        return "".join(letter for letter in self._ORDER if letter in letters)

    def show(self, value: str) -> str:
        if not value.startswith(self._ALL):
            return value
        # Redis does not show n beside A.
        return "A" + value[len(self._ALL) :].replace("n", "")

    def lines(self, value: str) -> list[list[str]]:
        return [[value.replace(self._ALL, "A")]]

    def allowed(self) -> str:
        return "letters of Ag$lshzxeKEtmdn, or empty"


class ReplicaOf(Kind[Endpoint | None]):
    """Host and port of a primary, or ``no one``."""

    multiple = True

    def parse(self, words: list[str], current: Endpoint | None, fresh: bool) -> Endpoint | None:
        if words == [""]:
            return None
        if len(words) != 2:
            raise ConfigError(WRONG_NUMBER)
        if [word.lower() for word in words] == ["no", "one"]:
            return None
        port = parse_integer(words[1])
        if port is None or not 0 <= port <= 65535:
            raise ConfigError("Invalid master port")
        return Endpoint(words[0], port)

    def show(self, value: Endpoint | None) -> str:
        return f"{value.host} {value.port}" if value else ""

    def lines(self, value: Endpoint | None) -> list[list[str]]:
        return [[value.host, str(value.port)]] if value else []

    def allowed(self) -> str:
        return "a host and a port, or no one"


class Repeated(Kind[tuple[tuple[str, ...], ...]]):
    """A directive that only a file knows and that may come often: all of them, in order."""

    multiple = True

    def __init__(self, least: int, most: int, allowed: str) -> None:
        self._least = least
        self._most = most
        self._allowed = allowed

    def parse(
        self, words: list[str], current: tuple[tuple[str, ...], ...], fresh: bool
    ) -> tuple[tuple[str, ...], ...]:
        if not self._least <= len(words) <= self._most:
            raise ConfigError("Bad directive or wrong number of arguments")
        return (*current, tuple(words))

    def show(self, value: tuple[tuple[str, ...], ...]) -> str:
        return "; ".join(" ".join(words) for words in value)

    def lines(self, value: tuple[tuple[str, ...], ...]) -> list[list[str]]:
        return [list(words) for words in value]

    def yaml(self, value: tuple[tuple[str, ...], ...]) -> str:
        items = [" ".join(quote_if_needed(word) for word in words) for words in value]
        return "[" + ", ".join(yaml_scalar(item) for item in items) + "]"

    def allowed(self) -> str:
        return self._allowed
