"""Calls generated from declarations keep to the syntax, and the spoiled ones keep their name."""

from hypothesis import given, settings
from hypothesis import strategies as st

from hypercache.engine.command import Command
from hypercache.engine.grammar import UNLIMITED, Syntax
from hypercache.engine.keys import find_keys
from hypercache.testing.strategies import Pools, arguments, valid_arguments
from tests.unit.engine.test_grammar import SYNTAXES, declare

POOLS = Pools(keys=(b"key-a", b"key-b"), named={"count": (b"7",)})


COMMANDS = [
    declare(case["syntax"], case.get("words", 1), case.get("keys", "")) for case in SYNTAXES
]
# Built once: building a strategy costs more than drawing from it.
VALID = [(command, valid_arguments(command, POOLS)) for command in COMMANDS]
SPOILED = [(command, arguments(command, POOLS)) for command in COMMANDS]


@given(data=st.data(), chosen=st.sampled_from(VALID))
@settings(max_examples=200, deadline=None)
def test_valid_calls_keep_to_the_syntax(
    data: st.DataObject, chosen: tuple[Command, st.SearchStrategy[list[bytes]]]
) -> None:
    command, strategy = chosen
    call = data.draw(strategy)
    declaration = command.declaration
    syntax = Syntax(declaration.words, declaration.arguments)
    assert syntax.minimum() <= len(call)
    assert syntax.maximum() == UNLIMITED or len(call) <= syntax.maximum()
    assert b"|".join(call[: len(declaration.words)]).lower() == command.name
    for position, _ in find_keys(command, call) or []:
        assert call[position] in (*POOLS.keys, b"")  # MIGRATE: empty where KEYS may follow


@given(data=st.data(), chosen=st.sampled_from(SPOILED))
@settings(max_examples=200, deadline=None)
def test_other_calls_keep_their_name(
    data: st.DataObject, chosen: tuple[Command, st.SearchStrategy[list[bytes]]]
) -> None:
    command, strategy = chosen
    call = data.draw(strategy)
    assert b"|".join(call[: len(command.declaration.words)]).lower() == command.name


def test_every_alternative_and_order_is_generated() -> None:
    command = declare("SCAN cursor:integer [MATCH pattern:pattern] [COUNT count:integer]")
    orders: set[tuple[bytes, ...]] = set()

    @given(valid_arguments(command, POOLS))
    @settings(max_examples=200, deadline=None, database=None)
    def collect(call: list[bytes]) -> None:
        orders.add(tuple(word.upper() for word in call[2::2]))
        assert b"7" in call or b"COUNT" not in [word.upper() for word in call]

    collect()
    assert orders == {
        (),
        (b"MATCH",),
        (b"COUNT",),
        (b"MATCH", b"COUNT"),
        (b"COUNT", b"MATCH"),
    }


def test_counts_agree_with_what_they_count() -> None:
    zunion = declare("ZUNION numkeys:integer key... [WITHSCORES]", keys="RO access")
    xread = declare("XREAD STREAMS (key... id...)", keys="RO access")

    @given(valid_arguments(zunion, POOLS), valid_arguments(xread, POOLS))
    @settings(max_examples=50, deadline=None)
    def check(union: list[bytes], read: list[bytes]) -> None:
        found = find_keys(zunion, union)
        assert found is not None
        assert len(found) == int(union[1])
        streams = find_keys(xread, read)
        assert streams is not None
        assert 2 * len(streams) == len(read) - 2

    check()
