"""SORT: what transcripts cannot show."""

import random

import pytest

from hypercache.testing.engine import EngineHarness
from tests.unit.commands.test_changes import observe


def test_events(harness: EngineHarness) -> None:
    harness.script("RPUSH l 2 1\nSET s text")
    assert observe(
        harness,
        "SORT l",
        "SORT l STORE d",
        "SORT l STORE s",
        "SORT l LIMIT 9 1 STORE d",
        "SORT l LIMIT 9 1 STORE d",
        "SORT l STORE l",
    ) == ["sortstore d", "sortstore s", "del d", "sortstore l"]
    assert harness.command("OBJECT", "ENCODING", "l") == b"listpack"


@pytest.mark.parametrize("kind", ["RPUSH", "SADD", "ZADD"])
def test_any_elements_in_any_order(harness: EngineHarness, kind: str) -> None:
    """Random elements with random weights, compared with Python's own sorting."""
    chance = random.Random(5)
    numbers = chance.sample(range(-1000, 1000), 200)
    for number in numbers:
        harness.command(kind, "k", *([number] if kind == "ZADD" else []), number)
        harness.command("SET", f"w_{number}", abs(number) % 7)
    texts = [str(number).encode() for number in numbers]

    def by_weight(text: bytes) -> tuple[int, bytes]:
        return abs(int(text)) % 7, text

    assert harness.command("SORT", "k") == sorted(texts, key=int)
    assert harness.command("SORT", "k", "ALPHA", "DESC") == sorted(texts, reverse=True)
    expected = sorted(texts, key=by_weight)
    assert harness.command("SORT", "k", "BY", "w_*") == expected
    assert harness.command("SORT", "k", "BY", "w_*", "LIMIT", 20, 50) == expected[20:70]
    expected.reverse()
    assert harness.command("SORT", "k", "BY", "w_*", "DESC", "STORE", "d") == 200
    assert harness.command("LRANGE", "d", 0, -1) == expected


def test_what_is_stored_does_not_depend_on_the_order_of_a_set(harness: EngineHarness) -> None:
    """Replicas and files repeat the command on a set whose order may be another."""
    members = [f"member {number}" for number in range(300)]
    for key, order in (("a", members), ("b", members[::-1])):
        for member in order:
            harness.command("SADD", key, member)
        assert harness.command("SORT", key, "ALPHA", "BY", "none_*", "STORE", f"to_{key}") == 300
    stored = harness.command("LRANGE", "to_a", 0, -1)
    assert stored == harness.command("LRANGE", "to_b", 0, -1)


def test_fields_and_keys_that_have_expired_count_for_nothing(harness: EngineHarness) -> None:
    harness.script("RPUSH l 1 2 3\nHSET h_1 w 30 n 1\nSET w_1 30\nSET w_2 20\nSET w_3 10")
    harness.script("PEXPIRE w_1 10\nHPEXPIRE h_1 10 FIELDS 1 w")
    assert harness.command("SORT", "l", "BY", "w_*", "GET", "h_*->w") == [None, None, b"30"]
    harness.advance(20)
    assert harness.command("SORT", "l", "BY", "w_*", "GET", "h_*->w") == [None, None, None]
    assert harness.command("SORT", "l", "BY", "w_*") == [b"1", b"3", b"2"]
    assert harness.command("SORT", "l", "BY", "h_*->w", "GET", "h_*->n") == [b"1", None, None]
