"""Buckets an eighth of an octave wide: where values go, and what percentiles they give."""

from hypothesis import given, settings
from hypothesis import strategies as st
from librt.vecs import vec
from mypy_extensions import i64

from hypercache.engine.command import Command, Declaration
from hypercache.engine.context import Context
from hypercache.engine.histogram import BUCKETS, by_octave, largest_in, percentile
from hypercache.reply import OK, Reply


def answer_ok(context: Context, args: list[bytes]) -> Reply:
    return OK


def command() -> Command:
    summary = "A command."
    return Command(Declaration("X", answer_ok, group="generic", since="1.0.0", summary=summary))


@settings(deadline=None, derandomize=True)
@given(st.integers(0, 2**62))
def test_every_value_falls_into_a_bucket_that_is_narrow_enough(value: int) -> None:
    found = command()
    found.record(value)
    bucket = [index for index, count in enumerate(found.buckets) if count]
    assert len(bucket) == 1
    largest = int(largest_in(bucket[0]))
    assert value <= largest <= value + value // 8
    assert bucket[0] == 0 or largest_in(bucket[0] - 1) < value


@settings(deadline=None, derandomize=True)
@given(st.lists(st.integers(0, 2**40), min_size=1), st.floats(0, 100))
def test_a_percentile_is_an_eighth_too_high_at_most(values: list[int], percent: float) -> None:
    found = command()
    for value in values:
        found.record(value)
    values.sort()
    rank = next(n for n in range(1, len(values) + 1) if n >= percent / 100 * len(values))
    exact = values[rank - 1]
    assert exact <= found.latency(percent) <= exact * 9 / 8


@settings(deadline=None, derandomize=True)
@given(st.lists(st.integers(0, 2**62)))
def test_octaves_are_the_powers_of_two(values: list[int]) -> None:
    found = command()
    for value in values:
        found.record(value)
    expected = [0] * 64 if values else []
    for value in values:
        expected[value.bit_length()] += 1
    assert found.histogram() == expected


def test_nothing_counted() -> None:
    assert percentile(vec[i64](), 50) == 0
    assert percentile(vec[i64]([0] * BUCKETS), 50) == 0
    assert by_octave(vec[i64]()) == []
