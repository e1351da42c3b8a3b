"""The benchmark's arithmetic: what it reads from its sources, and what it makes of it."""

import pytest

from tests.benchmarks.compare import main
from tests.benchmarks.measure import Load, parse_csv, percentile
from tests.benchmarks.options import parse_arguments
from tests.benchmarks.plans import plan
from tests.benchmarks.profile_server import count_stacks
from tests.benchmarks.results import Measurement, Ratio, ratio, table
from tests.benchmarks.servers import BenchmarkError, ServerSpec, encode, parse_info

CSV = (
    '"test","rps","avg_latency_ms","min_latency_ms","p50_latency_ms","p95_latency_ms",'
    '"p99_latency_ms","max_latency_ms"\n'
    '"MSET (10 keys)","31786.40","1.257","0.200","1.031","2.815","5.143","13.175"\n'
)


def test_csv_of_redis_benchmark() -> None:
    assert parse_csv(CSV) == {"rps": 31786.40, "p50_ms": 1.031, "p99_ms": 5.143}


@pytest.mark.parametrize("text", ["", CSV.splitlines()[0], CSV + CSV, '"a","b"\n"1","2"\n'])
def test_other_output_is_an_error(text: str) -> None:
    with pytest.raises(BenchmarkError, match="redis-benchmark answered"):
        parse_csv(text)


def test_percentile_is_the_nearest_rank() -> None:
    values = [float(n) for n in range(1, 101)]
    assert percentile(values, 0.99) == 99.0
    assert percentile(values, 0.999) == 100.0
    assert percentile(values, 0.5) == 50.0
    assert percentile([7.0], 0.99) == 7.0


def test_ratios_are_taken_within_a_round() -> None:
    # The machine was twice as slow in round 2, for both: the ratio does not see it.
    found = ratio({1: 100.0, 2: 55.0, 3: 90.0}, {1: 100.0, 2: 50.0, 3: 100.0})
    assert found == Ratio(1.0, 0.9, 1.1)
    assert str(found) == "1.00 (0.90-1.10)"


def test_rounds_without_a_baseline_are_left_out() -> None:
    assert ratio({1: 10.0, 2: 20.0}, {2: 10.0}) == Ratio(2.0, 2.0, 2.0)
    assert ratio({1: 10.0}, {}) is None
    assert ratio({1: 10.0}, {1: 0.0}) is None


def test_table_of_a_part() -> None:
    def measured(server: str, round_: int, rss: float) -> Measurement:
        figures = {"rss_per_connection": rss, "idle_cpu_ms": 0.5}
        return Measurement("idle", "10 idle connections", server, round_, figures)

    measurements = [
        measured("redis-server", 1, 1000.0),
        measured("ours", 1, 1500.0),
        measured("redis-server", 2, 2000.0),
        measured("ours", 2, 2000.0),
        Measurement("memory", "other part", "ours", 1, {}),
    ]
    shown = table("idle", measurements, "redis-server")
    assert shown.header == ["load", "server", "RSS B/connection", "CPU ms per s", "x RSS"]
    assert shown.rows == [
        ["10 idle connections", "redis-server", "1,500", "0.50", ""],
        ["", "ours", "1,750", "0.50", "1.25 (1.00-1.50)"],
    ]
    lines = shown.render("### idle").splitlines()
    assert lines[0] == "### idle"
    assert len({len(line) for line in lines[2:]}) == 1


def test_info_fields() -> None:
    text = (
        "# Server\r\nredis_version:7.0.15\r\nexecutable:/a:b\r\n\r\n# Memory\r\nused_memory:5\r\n"
    )
    assert parse_info(text) == {
        "redis_version": "7.0.15",
        "executable": "/a:b",
        "used_memory": "5",
    }


def test_command_encoding() -> None:
    assert encode(b"SET", b"k", b"") == b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$0\r\n\r\n"


def test_port_in_a_server_command() -> None:
    assert ServerSpec("a", ("x", "serve", "p={port}")).command_line(7) == ["x", "serve", "p=7"]
    assert ServerSpec("a", ("x",)).command_line(7) == ["x", "--port", "7"]


def test_plan_covers_the_parts_and_sends_whole_pipelines() -> None:
    parts = "commands,clients,latency,values"
    words = ["--only", "set,ping", "--pipelines", "1,16", "--parts", parts]
    loads = plan(parse_arguments(words))
    assert [(part, load.command, load.pipeline) for part, load in loads] == [
        ("commands", "set", 1),
        ("commands", "set", 16),
        ("commands", "ping", 1),
        ("commands", "ping", 16),
        ("clients", "set", 1),
        ("latency", "set", 16),
        ("values", "set", 1),
        ("values", "set", 1),
    ]
    for _, load in loads:
        assert load.requests % (load.pipeline * load.clients) == 0
    assert [load.size for part, load in loads if part == "values"] == [1024, 16384]


def test_load_as_text_and_as_arguments() -> None:
    load = Load("ping", 1_000, pipeline=16)
    assert load.label == "PING, pipeline 16, 50 clients"
    assert Load("set", 1, size=16384, clients=1000).label == "SET 16 KB, pipeline 1, 1,000 clients"
    words = load.arguments(6379, 500)
    assert words[words.index("-t") + 1] == "ping_mbulk"
    assert words[words.index("-n") + 1] == "500"


def test_collapsed_stacks_of_py_spy() -> None:
    own, total = count_stacks("main (a.py:1);get (a.py:9) 3\nmain (a.py:1) 1\n")
    assert own == {"get (a.py:9)": 3, "main (a.py:1)": 1}
    assert total == {"main (a.py:1)": 4, "get (a.py:9)": 3}


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--redis-benchmark", "no-such-program"], "no program 'no-such-program'"),
        (["--redis-benchmark", "sh", "--servers", "x=sh"], "baseline redis-server is not among"),
        (["--redis-benchmark", "sh", "--servers", "x=no-such-program"], "x: no program"),
        (["--redis-benchmark", "sh", "--servers", "nobody"], "nobody is none of compiled"),
    ],
)
def test_what_is_missing_is_named(
    arguments: list[str], text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    assert text in capsys.readouterr().err
