"""Hypothesis strategies for calls of a command, generated from its declaration.

    @given(arguments(registry.get(b"zadd"), Pools(keys=(b"a", b"b"))))
    def test_...(call: list[bytes]) -> None: ...

Options come in any order and tokens in any case, as clients may send them. The words come
from small pools, so that calls meet on the same keys, fields and values.
"""

from dataclasses import dataclass, field
from typing import Final, TypeAlias

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from hypercache.engine.command import Command
from hypercache.engine.grammar import BLOCK, NO_KEY, ONEOF, PURE_TOKEN, Argument

Words: TypeAlias = list[bytes]
Pool: TypeAlias = tuple[bytes, ...]

#: The most repetitions of an argument that may be repeated.
REPETITIONS: Final = 3

_MAX: Final = b"9223372036854775807"
_MIN: Final = b"-9223372036854775808"
_JUNK: Final = (b"", b"x", b"-1", b"1.5", b" 1", b"\x00\xff\r\n", _MAX + b"0", b"nan", b"EX", b"*")


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

    def of(self, argument: Argument) -> SearchStrategy[bytes]:
        """A word for a plain argument."""
        if argument.name in self.named:
            return st.sampled_from(self.named[argument.name])
        by_type = {
            "key": self.keys,
            "integer": self.integers,
            "double": self.doubles,
            "pattern": self.patterns,
            "unix-time": self.times,
        }
        return st.sampled_from(by_type.get(argument.type, self.strings))


def arguments(command: Command, pools: Pools) -> SearchStrategy[list[bytes]]:
    """Calls of a command, name included: mostly as its syntax has it, some slightly wrong."""
    valid = valid_arguments(command, pools)
    name_words = len(command.declaration.words)
    spoiled = valid.flatmap(lambda call: _spoiled(call, name_words))
    return st.one_of(valid, valid, valid, spoiled)


def valid_arguments(command: Command, pools: Pools) -> SearchStrategy[list[bytes]]:
    """Calls that the syntax of a command allows; a value may still be refused."""
    name = [_spelled(word) for word in command.declaration.words]
    return _joined([*name, _sequence(command.declaration.arguments, pools)])


def _sequence(items: list[Argument], pools: Pools) -> SearchStrategy[Words]:
    """The words of some arguments in a row; neighbouring options are shuffled."""
    parts: list[SearchStrategy[Words]] = []
    options: list[SearchStrategy[Words]] = []
    last: list[SearchStrategy[Words]] = []
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
        if item.name == "numkeys" and index < len(items) and items[index].key_spec != NO_KEY:
            least = 0 if items[index].optional else 1
            parts.append(_counted(pools.of(items[index]), least))
            index += 1
        else:
            parts.append(_item(item, pools))
    return _joined([*parts, *_shuffled(options), *last])


def _item(item: Argument, pools: Pools) -> SearchStrategy[Words]:
    """The words of an argument, or none if it is optional."""
    given = _given(item, pools)
    return st.one_of(_nothing(), given) if item.optional else given


def _given(item: Argument, pools: Pools) -> SearchStrategy[Words]:
    """The words of an argument that is there."""
    if item.type == PURE_TOKEN:
        return _spelled(str(item.token))
    once = _once(item, pools)
    token = _spelled(item.token) if item.token is not None else None
    if token is not None and (item.multiple_token or not item.multiple):
        once = _joined([token, once])
    if item.multiple:
        once = st.lists(once, min_size=1, max_size=REPETITIONS).map(_concatenated)
        if token is not None and not item.multiple_token:
            once = _joined([token, once])
    return once


def _once(item: Argument, pools: Pools) -> SearchStrategy[Words]:
    """The words of an argument without the token before it."""
    if item.type == ONEOF:
        return st.one_of([_given(each, pools) for each in item.arguments])
    if item.type == BLOCK:
        if len(item.arguments) > 1 and all(each.multiple for each in item.arguments):
            return st.integers(1, REPETITIONS).flatmap(
                lambda count: _joined([_repeated(each, count, pools) for each in item.arguments])
            )
        return _sequence(item.arguments, pools)
    return pools.of(item).map(lambda word: [word])


def _repeated(item: Argument, count: int, pools: Pools) -> SearchStrategy[Words]:
    """An argument exactly so many times (XREAD: as many ids as keys)."""
    once = _once(item, pools)
    return st.lists(once, min_size=count, max_size=count).map(_concatenated)


def _counted(words: SearchStrategy[bytes], least: int) -> SearchStrategy[Words]:
    """Some words behind their number."""
    several = st.lists(words, min_size=least, max_size=REPETITIONS)
    return several.map(lambda found: [str(len(found)).encode(), *found])


def _begins_with_token(item: Argument) -> bool:
    """Whether its first word tells what it is, so that it may change places."""
    if item.token is not None:
        return True
    if item.type == ONEOF:
        return all(_begins_with_token(each) for each in item.arguments)
    return item.type == BLOCK and _begins_with_token(item.arguments[0])


def _shuffled(options: list[SearchStrategy[Words]]) -> list[SearchStrategy[Words]]:
    """One part for all options, in any order; no part for no options."""
    return [st.permutations(options).flatmap(_joined)] if len(options) > 1 else options


def _spelled(word: str) -> SearchStrategy[Words]:
    """A token as clients may write it."""
    return st.sampled_from([[text.encode()] for text in (word.upper(), word.lower(), word.title())])


def _nothing() -> SearchStrategy[Words]:
    return st.builds(list)


def _joined(parts: list[SearchStrategy[Words]]) -> SearchStrategy[Words]:
    if len(parts) == 1:
        return parts[0]
    return st.tuples(*parts).map(lambda found: _concatenated(list(found)))


def _concatenated(parts: list[Words]) -> Words:
    return [word for part in parts for word in part]


@st.composite
def _spoiled(draw: st.DrawFn, call: Words, name_words: int) -> Words:
    """A call with one word too few, too many, twice or of the wrong kind; its name is whole."""
    place = draw(st.integers(name_words, len(call)))
    junk = draw(st.sampled_from(_JUNK))
    changes = [[*call[:place], junk, *call[place:]]]
    if place < len(call):
        changes.append([*call[:place], *call[place + 1 :]])
        changes.append([*call[:place], junk, *call[place + 1 :]])
        changes.append([*call[: place + 1], *call[place:]])
    return draw(st.sampled_from(changes))
