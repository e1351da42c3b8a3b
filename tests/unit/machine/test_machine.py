"""The state machine's own judgement: what it lets pass, what it finds, and what it keeps."""

import pytest

from hypercache.testing.calls import Tape
from hypercache.testing.engine import EngineHarness
from tests.machine.duel import Difference, Duel, EngineSide
from tests.machine.machine import play_units, registry, sequence
from tests.machine.replies import (
    Incomplete,
    elements,
    end_of,
    may_answer,
    numbers_alike,
    parse,
    reader_for,
    same,
)
from tests.machine.script import TAPE_BYTES, Limits, Request, Script
from tests.machine.shrinking import shrunk

REGISTRY = registry()
REPLIES = [b"+OK\r\n", b":-5\r\n", b"$-1\r\n", b"$4\r\na\r\nb\r\n", b"*2\r\n*1\r\n:1\r\n$0\r\n\r\n"]
REPLIES += [b"%1\r\n$1\r\nk\r\n~2\r\n:1\r\n:2\r\n", b"_\r\n", b",1.5\r\n", b"*-1\r\n", b"*0\r\n"]


@pytest.mark.parametrize("frame", REPLIES)
def test_where_a_reply_ends(frame: bytes) -> None:
    assert end_of(frame + b"+NEXT\r\n", 0) == len(frame)
    for cut in range(len(frame)):
        with pytest.raises(Incomplete):
            end_of(frame[:cut], 0)


def test_elements_of_a_transaction() -> None:
    assert elements(b"*3\r\n+OK\r\n*1\r\n:1\r\n$1\r\nx\r\n") == [
        b"+OK\r\n",
        b"*1\r\n:1\r\n",
        b"$1\r\nx\r\n",
    ]
    assert elements(b"*-1\r\n") is None
    assert elements(b"-EXECABORT no\r\n") is None


def alike(name: bytes, request: Request, ours: bytes, theirs: bytes) -> bool:
    command = REGISTRY.get(name)
    tips = command.declaration.tips if command is not None else []
    return same(reader_for(name, tips, request), parse(ours), parse(theirs))


def bulks(*words: bytes) -> bytes:
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(w), w) for w in words)


def test_order_counts_only_where_there_is_one() -> None:
    ab, ba = bulks(b"a", b"b"), bulks(b"b", b"a")
    assert alike(b"keys", (b"KEYS", b"*"), ab, ba)
    assert not alike(b"lrange", (b"LRANGE", b"k", b"0", b"-1"), ab, ba)
    assert not alike(b"keys", (b"KEYS", b"*"), ab, bulks(b"a", b"a"))
    assert not alike(b"hgetall", (b"HGETALL", b"k"), bulks(b"a", b"b"), bulks(b"b", b"a"))
    pairs, turned = bulks(b"a", b"1", b"b", b"2"), bulks(b"b", b"2", b"a", b"1")
    assert alike(b"hgetall", (b"HGETALL", b"k"), pairs, turned)
    assert alike(b"sort", (b"SORT", b"k", b"by", b"nosort"), ab, ba)
    assert not alike(b"sort", (b"SORT", b"k", b"by", b"w*"), ab, ba)


def test_clocks_may_differ_a_little() -> None:
    assert alike(b"pttl", (b"PTTL", b"k"), b":100000\r\n", b":99100\r\n")
    assert not alike(b"pttl", (b"PTTL", b"k"), b":100000\r\n", b":100\r\n")
    assert not alike(b"ttl", (b"TTL", b"k"), b":-1\r\n", b":-2\r\n")
    ours = b"*1\r\n*4\r\n$3\r\n1-1\r\n$1\r\nc\r\n:12\r\n:1\r\n"
    assert alike(b"xpending", (b"XPENDING",), ours, ours.replace(b":12", b":700"))
    assert not alike(b"xpending", (b"XPENDING",), ours, ours.replace(b":1\r", b":2\r"))


@pytest.mark.parametrize(
    ("request_", "reply", "is_possible"),
    [
        ((b"SRANDMEMBER", b"s"), b"$1\r\na\r\n", True),
        ((b"SRANDMEMBER", b"s"), b"$1\r\nx\r\n", False),
        ((b"SRANDMEMBER", b"s", b"5"), bulks(b"b", b"a", b"c"), True),
        ((b"SRANDMEMBER", b"s", b"5"), bulks(b"b", b"a"), False),
        ((b"SRANDMEMBER", b"s", b"2"), bulks(b"a", b"a"), False),
        ((b"SRANDMEMBER", b"s", b"-2"), bulks(b"a", b"a"), True),
        ((b"SRANDMEMBER", b"s", b"-2"), bulks(b"a"), False),
    ],
)
def test_what_chance_may_answer(request_: Request, reply: bytes, is_possible: bool) -> None:
    universe = parse(bulks(b"a", b"b", b"c"))
    assert may_answer(request_, parse(reply), universe) == is_possible


def test_chosen_fields_have_their_own_values() -> None:
    universe = parse(bulks(b"f", b"1", b"g", b"2"))
    asked = (b"HRANDFIELD", b"h", b"1", b"WITHVALUES")
    assert may_answer(asked, parse(bulks(b"g", b"2")), universe)
    assert not may_answer(asked, parse(bulks(b"g", b"1")), universe)


def test_numbers_in_another_spelling() -> None:
    assert numbers_alike(parse(b"$3\r\n0.1\r\n")) == numbers_alike(
        parse(b"$19\r\n0.10000000000000001\r\n")
    )
    assert numbers_alike(parse(b"$3\r\n0.1\r\n")) != numbers_alike(parse(b"$3\r\n0.2\r\n"))


def test_what_is_shrunk_fails_still() -> None:
    found = shrunk(list(range(100)), lambda some: 17 in some and 60 in some)
    assert found == [17, 60]


def test_the_same_seed_gives_the_same_sequence() -> None:
    script = Script(REGISTRY.every(), Limits())
    assert sequence(script, "1/2") == sequence(script, "1/2")
    assert sequence(script, "1/2") != sequence(script, "1/3")


def test_limits_hold() -> None:
    limits = Limits(frozenset({b"get"}), {b"set": {b"NX"}}, {b"expire": 3})
    script = Script(REGISTRY.every(), limits)
    assert b"get" not in {each.name for each in script.commands}
    units = [script.unit(Tape(bytes([n % 256, n // 7 % 256]) * TAPE_BYTES)) for n in range(3000)]
    for request in (each for unit in units for each in unit):
        assert request[0].upper() != b"GET"
        assert request[0].upper() != b"SET" or b"NX" not in map(bytes.upper, request)
        assert request[0].upper() != b"EXPIRE" or len(request) <= 3


class Liar(EngineSide):
    """An engine whose STRLEN is wrong for one value."""

    def receive(self, count: int) -> list[bytes]:
        return [b":4\r\n" if frame == b":5\r\n" else frame for frame in super().receive(count)]


def test_a_difference_is_found_and_shrunk() -> None:
    ours, theirs = EngineHarness(), EngineHarness()
    duel = Duel(REGISTRY, EngineSide(ours), Liar(theirs))
    units: list[tuple[Request, ...]] = [((b"SET", b"a", b"x"),), ((b"SET", b"b", b"hello"),)]
    units += [((b"GET", b"a"),), ((b"STRLEN", b"b"),), ((b"GET", b"b"),)]
    with pytest.raises(AssertionError) as caught:
        play_units(duel, 2, units, "title")
    assert str(caught.value).splitlines()[:4] == ["title", "RESP2", "> SET b hello", "> STRLEN b"]


def test_contents_are_compared_too() -> None:
    ours, theirs = EngineHarness(), EngineHarness()
    duel = Duel(REGISTRY, EngineSide(ours), EngineSide(theirs))
    duel.restart(3)
    duel.play([((b"SADD", b"s", b"a", b"b", b"c"),), ((b"SPOP", b"s"),)])
    duel.compare_contents()
    theirs.command("SADD", "s", "x")
    with pytest.raises(Difference):
        duel.compare_contents()
