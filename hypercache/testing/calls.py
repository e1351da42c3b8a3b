"""Random calls of a command, generated from its declaration.

    calls = Calls(registry.get(b"zadd"), Pools(keys=(b"a", b"b")))
    calls.draw(Tape(os.urandom(40)))            # [b"ZADD", b"b", b"1", b"hello"]

Every choice is read from a `Tape` of bytes, so a tape stands for a call: Hypothesis draws and
shrinks tapes (`hypercache.testing.strategies`), a seeded random generator makes millions of
them. Options come in any order and tokens in any case, as clients may send them. The words
come from small pools, so that calls meet on the same keys, fields and values.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias, TypeVar

from hypercache.engine.command import Command
from hypercache.engine.grammar import BLOCK, ONEOF, PURE_TOKEN, Argument

Pool: TypeAlias = tuple[bytes, ...]

#: The most repetitions of an argument that may be repeated.
REPETITIONS: Final = 3

_MAX: Final = b"9223372036854775807"
_MIN: Final = b"-9223372036854775808"
_JUNK: Final = (b"", b"x", b"-1", b"1.5", b" 1", b"\x00\xff\r\n", _MAX + b"0", b"nan", b"EX", b"*")

_T = TypeVar("_T")


class Tape:
    """Choices, read from bytes. Past the end every choice is the first one."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._place = 0

    def below(self, count: int) -> int:
        """A number from 0 to ``count`` - 1, at most 65,535."""
        width = 1 if count <= 16 else 2
        word = int.from_bytes(self._data[self._place : self._place + width], "big")
        self._place += width
        return word * count >> 8 * width

    def is_over(self) -> bool:
        """Whether all bytes are used up."""
        return self._place >= len(self._data)

    def pick(self, choices: Sequence[_T]) -> _T:
        """One of some things."""
        return choices[self.below(len(choices))]


@dataclass(frozen=True)
class Pools:
    """Where the words of generated calls come from, by the type of the argument.

    ``named`` comes first: the pool of an argument with that very name, such as ``field``,
    ``db`` or ``timeout``. ``times`` are Unix times in seconds or milliseconds.
    """

    keys: Pool = (b"a", b"b", b"c")
    strings: Pool = (b"", b"1", b"-7", b"hello", b"\x00\xff\r\n", b"x" * 70)
    integers: Pool = (b"0", b"1", b"-1", b"2", b"10", b"100", _MAX, _MIN)
    doubles: Pool = (b"0", b"1", b"-1.5", b"3.0e3", b"1e-7", b"inf", b"-inf")
    patterns: Pool = (b"*", b"a*", b"?", b"[a-c]", b"[^a]", b"\\a", b"")
    times: Pool = (b"1", b"4102444800", b"4102444800000", _MAX)
    named: dict[str, Pool] = field(default_factory=dict)

    def of(self, argument: Argument) -> Pool:
        """The words for a plain argument."""
        if argument.name in self.named:
            return self.named[argument.name]
        by_type = {
            "key": self.keys,
            "integer": self.integers,
            "double": self.doubles,
            "pattern": self.patterns,
            "unix-time": self.times,
        }
        return by_type.get(argument.type, self.strings)


#: Adds words to a call.
_Part: TypeAlias = Callable[[Tape, list[bytes]], None]


class Calls:
    """The calls of one command."""

    def __init__(self, command: Command, pools: Pools) -> None:
        self.command = command
        self._name = [_spellings(word) for word in command.declaration.words]
        self._arguments = _sequence(command.declaration.arguments, pools)

    def valid(self, tape: Tape) -> list[bytes]:
        """A call that the syntax allows; a value may still be refused."""
        call = [tape.pick(word) for word in self._name]
        self._arguments(tape, call)
        return call

    def draw(self, tape: Tape) -> list[bytes]:
        """A call, name included: mostly as the syntax has it, one in eight slightly wrong."""
        spoils = tape.below(8) == 7
        call = self.valid(tape)
        return _spoiled(tape, call, len(self._name)) if spoils else call


def _sequence(items: list[Argument], pools: Pools) -> _Part:
    """The words of some arguments in a row; neighbouring options are shuffled."""
    parts: list[_Part] = []
    options: list[_Part] = []
    last: list[_Part] = []
    index = 0
    while index < len(items):
        item = items[index]
        index += 1
        if item.optional and _begins_with_token(item):
            # What takes all words that follow would swallow the other options.
            greedy = item.multiple and not item.multiple_token
            (last if greedy else options).append(_item(item, pools))
            continue
        parts += [*_shuffled(options), *last]
        options, last = [], []
        if index < len(items) and _counts(item, items[index]):
            parts.append(_counted(items[index], pools))
            index += 1
        else:
            parts.append(_item(item, pools))
    return _joined([*parts, *_shuffled(options), *last])


def _counts(item: Argument, following: Argument) -> bool:
    """Whether it is the number of those that follow: numkeys, numfields."""
    return item.name.startswith("num") and item.type == "integer" and following.multiple


def _item(item: Argument, pools: Pools) -> _Part:
    """The words of an argument, or none if it is optional."""
    given = _given(item, pools)
    if not item.optional:
        return given

    def perhaps(tape: Tape, call: list[bytes]) -> None:
        if tape.below(2):
            given(tape, call)

    return perhaps


def _given(item: Argument, pools: Pools) -> _Part:
    """The words of an argument that is there."""
    if item.type == PURE_TOKEN:
        return _token(str(item.token))
    once = _once(item, pools)
    token = _token(item.token) if item.token is not None else None
    if token is not None and (item.multiple_token or not item.multiple):
        once = _joined([token, once])
    if not item.multiple:
        return once
    several = _repeated(once)
    return _joined([token, several]) if token is not None and not item.multiple_token else several


def _once(item: Argument, pools: Pools) -> _Part:
    """The words of an argument without the token before it."""
    if item.type == ONEOF:
        return _one_of([_given(each, pools) for each in item.arguments])
    if item.type == BLOCK:
        if len(item.arguments) > 1 and all(each.multiple for each in item.arguments):
            return _in_step([_once(each, pools) for each in item.arguments])
        return _sequence(item.arguments, pools)
    words = pools.of(item)

    def plain(tape: Tape, call: list[bytes]) -> None:
        call.append(words[tape.below(len(words))])

    return plain


def _begins_with_token(item: Argument) -> bool:
    """Whether its first word tells what it is, so that it may change places."""
    if item.token is not None:
        return True
    if item.type == ONEOF:
        return all(_begins_with_token(each) for each in item.arguments)
    return item.type == BLOCK and _begins_with_token(item.arguments[0])


def _spellings(word: str) -> Pool:
    """A token as clients may write it."""
    return (word.upper().encode(), word.lower().encode(), word.title().encode())


def _token(word: str) -> _Part:
    spellings = _spellings(word)
    return lambda tape, call: call.append(spellings[tape.below(3)])


def _joined(parts: list[_Part]) -> _Part:
    def all_of_them(tape: Tape, call: list[bytes]) -> None:
        for part in parts:
            part(tape, call)

    return parts[0] if len(parts) == 1 else all_of_them


def _one_of(parts: list[_Part]) -> _Part:
    return lambda tape, call: parts[tape.below(len(parts))](tape, call)


def _repeated(once: _Part) -> _Part:
    def several(tape: Tape, call: list[bytes]) -> None:
        for _ in range(1 + tape.below(REPETITIONS)):
            once(tape, call)

    return several


def _in_step(parts: list[_Part]) -> _Part:
    """Each argument equally often (XREAD: as many ids as keys)."""

    def in_step(tape: Tape, call: list[bytes]) -> None:
        count = 1 + tape.below(REPETITIONS)
        for part in parts:
            for _ in range(count):
                part(tape, call)

    return in_step


def _counted(item: Argument, pools: Pools) -> _Part:
    """Some words behind their number."""
    once = _once(item, pools)
    least = 0 if item.optional else 1

    def counted(tape: Tape, call: list[bytes]) -> None:
        count = least + tape.below(REPETITIONS + 1 - least)
        call.append(b"%d" % count)
        for _ in range(count):
            once(tape, call)

    return counted


def _shuffled(options: list[_Part]) -> list[_Part]:
    """One part for all options, in any order; no part for no options."""

    def shuffled(tape: Tape, call: list[bytes]) -> None:
        rest = list(options)
        while rest:
            rest.pop(tape.below(len(rest)))(tape, call)

    return [shuffled] if len(options) > 1 else options


def _spoiled(tape: Tape, call: list[bytes], name_words: int) -> list[bytes]:
    """A call with one word too few, too many, twice or of the wrong kind; its name is whole."""
    place = name_words + tape.below(len(call) + 1 - name_words)
    junk = tape.pick(_JUNK)
    if place == len(call):
        return [*call, junk]
    changes: tuple[list[bytes], ...] = (
        [junk, call[place]],
        [],
        [junk],
        [call[place], call[place]],
    )
    return [*call[:place], *tape.pick(changes), *call[place + 1 :]]
