"""The parts of the benchmark that measure data types: what they send, and their tables."""

import random

import pytest

from tests.benchmarks.defaults import COMMANDS, RATED, DefaultLoad, geometric_mean, mean_table
from tests.benchmarks.fillings import BY_TYPE, CHUNK, Filling
from tests.benchmarks.options import parse_arguments
from tests.benchmarks.plans import plan
from tests.benchmarks.results import Measurement
from tests.benchmarks.sizes import (
    KEY,
    KINDS,
    OPERATIONS,
    Kind,
    Places,
    keys_of,
    score,
    size_table,
)


def test_default_list_is_run_whole_and_in_order_at_each_pipeline() -> None:
    loads = [load for _, load in plan(parse_arguments(["--parts", "defaults"]))]
    assert [load.command for load in loads] == [*COMMANDS, *COMMANDS]
    assert {load.pipeline for load in loads[: len(COMMANDS)]} == {1}
    assert all(load.requests % (load.pipeline * load.clients) == 0 for load in loads)


def test_what_pops_runs_as_often_as_what_pushes() -> None:
    loads = {load.command: load for _, load in plan(parse_arguments(["--parts", "defaults"]))}
    for push, pop in (("lpush", "lpop"), ("rpush", "rpop"), ("sadd", "spop"), ("zadd", "zpopmin")):
        assert loads[push].requests == loads[pop].requests
        assert COMMANDS.index(push) < COMMANDS.index(pop)


def test_the_rated_commands_are_those_of_data_types() -> None:
    assert len(RATED) == 14
    assert {"set", "get", "incr", "ping"}.isdisjoint(RATED)


def test_arguments_of_a_default_load() -> None:
    words = DefaultLoad("lpush", 1_000, pipeline=16).arguments(6379, 500)
    assert words[words.index("-d") + 1] == "3"
    assert words[words.index("-t") + 1] == "lpush"
    words = DefaultLoad("lrange_500", 1_000).arguments(6379, 500)
    assert "-t" not in words
    assert words[-4:] == ["lrange", "mylist", "0", "449"]


def test_geometric_mean() -> None:
    assert geometric_mean([2.0, 8.0]) == pytest.approx(4.0)
    assert geometric_mean([0.5]) == pytest.approx(0.5)


def test_means_are_of_rated_commands_alone() -> None:
    def measured(command: str, server: str, rps: float) -> Measurement:
        return Measurement("defaults", f"{command}, pipeline 16", server, 1, {"rps": rps})

    rows = mean_table(
        [
            measured("LPUSH", "redis-server", 100.0),
            measured("LPUSH", "ours", 50.0),
            measured("SADD", "redis-server", 100.0),
            measured("SADD", "ours", 200.0),
            measured("PING", "redis-server", 100.0),
            measured("PING", "ours", 1.0),
            measured("HSET", "redis-server", 100.0),  # ours failed: it is not counted
        ],
        "redis-server",
    ).rows
    assert rows == [["pipeline 16", "ours", "1.000", "1.250", "0.500", "2"]]


@pytest.mark.parametrize("filling", BY_TYPE, ids=lambda filling: str(filling.noun))
def test_fillings_hold_what_their_label_says(filling: Filling) -> None:
    words_each = len(filling.element(0, random.Random(1)))
    requests = filling.requests()
    found = 0
    while found < filling.elements:
        command, _, *words = next(requests)
        assert command == filling.command
        assert len(words) <= CHUNK * words_each
        found += len(words) // words_each
    assert found == filling.elements
    assert filling.label == f"{filling.keys:,} {filling.noun} of {filling.elements:,}"


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: str(kind.name))
def test_operations_fill_their_places(kind: Kind) -> None:
    places = Places(100, random.Random(1))
    assert next(kind.fill(100))[1] == KEY
    for operation in kind.operations:
        words = places.fill(operation.text, OPERATIONS)
        assert words[1] in keys_of(100)
        assert not any(b"{" in word for word in words)


def test_a_pipeline_leaves_small_keys_about_as_large_as_they_are() -> None:
    assert len(keys_of(100)) == 10
    assert len(keys_of(1_000_000)) == 1


def test_scores_are_spread() -> None:
    scores = [int(score(n)) for n in range(1_000)]
    assert len(set(scores)) == 1_000
    assert scores != sorted(scores)


def test_table_of_sizes() -> None:
    def measured(size: str, server: str, cost: float) -> Measurement:
        return Measurement("sizes", f"set at {size}", server, 1, {"SADD": cost, "DEL set": 9.0})

    table = size_table(
        [
            measured("100", "redis-server", 1.0),
            measured("100", "ours", 2.0),
            measured("1,000,000", "redis-server", 4.0),
            measured("1,000,000", "ours", 3.0),
        ],
        "redis-server",
    )
    sizes = ["us at 100", "us at 1,000,000", "x at 100", "x at 1,000,000"]
    assert table.header == ["operation", "server", *sizes, "growth"]
    assert table.rows[:2] == [
        ["SADD", "redis-server", "1.00", "4.00", "", "", "4.0"],
        ["", "ours", "2.00", "3.00", "2.00", "0.75", "1.5"],
    ]
    assert [row[0] for row in table.rows] == ["SADD", "", "DEL set", ""]
