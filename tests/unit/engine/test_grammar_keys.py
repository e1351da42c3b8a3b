"""Which words of a call are keys, found by the key specifications of its declaration."""

import pytest

from hypercache.engine.command import Command
from hypercache.engine.keys import ACCESS, OW, RO, UPDATE, find_keys
from tests.unit.engine.test_grammar import SYNTAXES, declare

COMMANDS = {
    case["syntax"].split()[0]: declare(case["syntax"], case.get("words", 1), case.get("keys", ""))
    for case in SYNTAXES
    if case.get("keys")
}


def keys_of(command: Command, call: str) -> list[str] | None:
    words = call.encode().split()
    found = find_keys(command, words)
    return None if found is None else [words[position].decode() for position, _ in found]


@pytest.mark.parametrize(
    ("call", "keys"),
    [
        ("SET k v EX 10", "k"),
        ("MSET k1 v1 k2 v2", "k1 k2"),
        ("MSET k1 v1 k2", "k1 k2"),
        ("COPY a b DB 1", "a b"),
        ("BLPOP a b c 0", "a b c"),
        ("BITOP AND d a b", "d a b"),
        ("PFMERGE d a b", "d a b"),
        ("LCS a b LEN", "a b"),
        ("OBJECT ENCODING k", "k"),
        ("MEMORY USAGE k SAMPLES 5", "k"),
        ("ZUNION 2 a b WEIGHTS 1 2", "a b"),
        ("ZUNIONSTORE d 2 a b", "d a b"),
        ("EVAL script 2 a b c", "a b"),
        ("BLMPOP 0 2 a b LEFT", "a b"),
        ("XREAD COUNT 2 STREAMS a b 0 0", "a b"),
        ("XREADGROUP GROUP streams c streams a b > >", "a b"),
        ("GEORADIUS k 1 2 3 m", "k"),
        ("GEORADIUS k 1 2 3 m store d", "k d"),
        ("GEORADIUS k 1 2 3 m STOREDIST d", "k d"),
        ("XADD k * f v", "k"),
    ],
)
def test_keys_of_a_call(call: str, keys: str) -> None:
    assert keys_of(COMMANDS[call.split()[0]], call) == keys.split()


@pytest.mark.parametrize(
    "call",
    [
        "ZUNION 3 a b",
        "ZUNION 0 a b",
        "ZUNION x a b",
        "ZUNION -1 a b",
        "ZUNION 99999999999999999999 a b",
        "EVAL script 0",
        "BLPOP 0",
        "PFMERGE d",
        "SORT k",
        "XREAD COUNT 1 STREAMS",
    ],
)
def test_keys_that_a_call_does_not_tell(call: str) -> None:
    assert keys_of(COMMANDS[call.split()[0]], call) is None


def test_names_that_are_no_keys_are_left_out() -> None:
    assert keys_of(COMMANDS["SUNSUBSCRIBE"], "SUNSUBSCRIBE a b") == []


def test_flags_go_with_their_keys() -> None:
    found = find_keys(COMMANDS["COPY"], [b"COPY", b"a", b"b"])
    assert found == [(1, RO | ACCESS), (2, OW | UPDATE)]


def test_a_key_finder_comes_before_the_specifications() -> None:
    command = declare("SORT key [STORE destination:key]", keys="RO access; OW update")
    command.key_finder = lambda args: [(len(args) - 1, OW)]
    assert find_keys(command, [b"SORT", b"k", b"STORE", b"d"]) == [(3, OW)]


def test_a_keyword_is_sought_backwards_from_a_negative_index() -> None:
    (_, spec) = COMMANDS["MIGRATE"].key_specs
    call = b"MIGRATE h 1 KEYS 0 5 COPY keys a b"
    assert spec.positions(call.split()) == [8, 9]
