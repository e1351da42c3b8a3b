"""Memory pressure: levels, who hears of them, and what the process' memory means for the data."""

from hypothesis import given
from hypothesis import strategies as st

from hypercache.engine.gauge import THRESHOLDS, Gauge
from hypercache.engine.pressure import PressureChange
from hypercache.testing.engine import EngineHarness
from hypercache.testing.resp import ReplyError

OOM = ReplyError("OOM command not allowed when used memory > 'maxmemory'.")
MIB = 1 << 20


def configured(**settings: object) -> EngineHarness:
    """A harness with settings, whose process takes what ``rss`` says (see `resident`)."""
    harness = EngineHarness()
    resident(harness, 50 * MIB)
    harness.engine.statistics.base_memory = 40 * MIB
    configure(harness, **settings)
    return harness


def configure(harness: EngineHarness, **settings: object) -> None:
    for name, value in settings.items():
        assert harness.command("CONFIG", "SET", name.replace("_", "-"), str(value)) == "OK"


def resident(harness: EngineHarness, size: int) -> None:
    """The process takes so many bytes from now on."""
    harness.engine.pressure.read_resident = lambda: size


def look(harness: EngineHarness, milliseconds: int = 100) -> list[tuple[object, object]]:
    """Some time later: what was reported, as level of the event and of the pressure."""
    harness.recorder.reports.clear()
    harness.advance(milliseconds)
    harness.tick()
    return [
        (level, fields["pressure"])
        for level, event, fields in harness.recorder.reports
        if event == "memory_pressure"
    ]


def info(harness: EngineHarness, section: str = "memory") -> dict[str, str]:
    reply = harness.command("INFO", section)
    assert isinstance(reply, bytes)
    lines = [line.split(":", 1) for line in reply.decode().splitlines() if ":" in line]
    return {line[0]: line[1] for line in lines}


def fill(harness: EngineHarness, percent: float) -> None:
    """Have the data take a part of maxmemory, with one value."""
    harness.command("DEL", "filler")
    room = harness.engine.memory.maxmemory * percent / 100 - harness.engine.memory.used()
    assert harness.command("SET", "filler", "x" * int(room - 120)) == "OK"


# Gauges ----------------------------------------------------------------------------------------


def test_a_gauge_rises_at_its_thresholds_and_falls_below_them() -> None:
    gauge = Gauge("data")
    gauge.hold_to(1000, THRESHOLDS)
    uses = (0, 849, 850, 849, 830, 829, 899, 900, 949, 950, 931, 930, 929, 5000, 880, 879, 0)
    names = []
    for used in uses:
        gauge.look(used)
        names.append(gauge.name()[0])
    assert "".join(names) == "nnwwwnwccpppcpcwn"
    assert gauge.crossings == [0, 2, 1, 2]


def test_without_a_limit_the_level_is_normal() -> None:
    gauge = Gauge("data")
    gauge.look(1 << 50)
    assert (gauge.name(), gauge.percent()) == ("normal", 0.0)
    gauge.hold_to(100, THRESHOLDS)
    assert gauge.look(100)
    gauge.hold_to(0, THRESHOLDS)
    assert gauge.look(100)
    assert gauge.name() == "normal"


@given(
    st.integers(1, 1 << 60),
    st.sets(st.integers(1, 100), min_size=3, max_size=3).map(sorted).map(tuple),
    st.lists(st.floats(0, 1.5), min_size=1, max_size=20),
)
def test_a_level_stands_between_its_thresholds(
    limit: int, thresholds: tuple[int, ...], parts: list[float]
) -> None:
    gauge = Gauge("data")
    gauge.hold_to(limit, thresholds)
    for part in (*parts, 0.0):
        used = int(limit * part)
        before = gauge.level
        assert gauge.look(used) == (gauge.level != before)
        reached = sum(used * 100 >= limit * percent for percent in thresholds)
        assert gauge.level >= reached
        assert gauge.level == reached or gauge.level <= before
        if gauge.level > reached:  # held by the margin only
            percent = thresholds[gauge.level - 1]
            assert used * 100 >= limit * (percent - 2) - 100
    assert gauge.name() == "normal"


# Levels of the data ----------------------------------------------------------------------------


def test_the_data_rise_and_fall_and_every_crossing_is_told_once() -> None:
    harness = configured(maxmemory=MIB, maxmemory_rss=100 * MIB)
    assert look(harness) == []
    assert info(harness)["memory_pressure"] == "normal"
    told = []
    for percent in (50, 84, 86, 84, 91, 96, 94, 99, 92, 95.5, 80, 87):
        fill(harness, percent)
        told.append(look(harness))
    assert told == [
        [], [], [("warning", "warning")], [], [("warning", "critical")], [("error", "panic")],
        [], [], [("info", "critical")], [("error", "panic")], [("info", "normal")],
        [("warning", "warning")],
    ]  # fmt: skip
    fields = info(harness)
    assert fields["memory_pressure"] == fields["memory_pressure_data"] == "warning"
    assert fields["memory_pressure_level"] == "1"
    assert fields["memory_pressure_process"] == "normal"
    counts = [fields[f"memory_pressure_data_{name}_count"] for name in ("warning", "critical")]
    assert (counts, fields["memory_pressure_data_panic_count"]) == (["2", "1"], "2")
    harness.command("CONFIG", "RESETSTAT")
    assert info(harness)["memory_pressure_data_panic_count"] == "0"


def test_what_a_report_says() -> None:
    harness = configured(maxmemory=MIB, maxmemory_rss=100 * MIB)
    fill(harness, 91)
    look(harness)
    ((level, event, fields),) = harness.recorder.reports
    used = harness.engine.memory.used()
    assert (level, event) == ("warning", "memory_pressure")
    assert fields == {
        "message": fields["message"],
        "source": "data",
        "pressure": "critical",
        "previous": "normal",
        "used": used,
        "limit": MIB,
        "rss": 50 * MIB,
    }
    message = str(fields["message"])
    assert message.startswith("The data take 9") and "of 1.00M: critical." in message
    assert "policy that evicts" in message
    configure(harness, maxmemory_policy="allkeys-lru", maxmemory=used)
    assert look(harness) == [("info", "panic")]
    assert "evicted at the limit" in str(harness.recorder.reports[0][2]["message"])


def test_it_is_looked_ten_times_a_second_at_most() -> None:
    harness = configured(maxmemory=MIB)
    look(harness)
    fill(harness, 99)
    assert look(harness, 99) == []
    assert look(harness, 1) == [("error", "panic")]


def test_levels_are_a_setting() -> None:
    harness = configured(maxmemory=MIB, memory_pressure_levels="50 60 100")
    fill(harness, 70)
    assert look(harness) == [("warning", "critical")]
    configure(harness, memory_pressure_levels="50 60 70")
    fill(harness, 70.5)
    assert look(harness) == [("error", "panic")]
    configure(harness, maxmemory=0)
    assert look(harness) == [("info", "normal")]
    bad = (
        "",
        "85",
        "85 90",
        "85 90 95 99",
        "90 85 95",
        "85 85 95",
        "0 90 95",
        "85 90 101",
        "a b c",
    )
    for levels in bad:
        reply = harness.command("CONFIG", "SET", "memory-pressure-levels", levels)
        assert isinstance(reply, ReplyError), levels
    assert harness.command("CONFIG", "GET", "memory-pressure-levels") == [
        b"memory-pressure-levels",
        b"50 60 70",
    ]


def test_stores_have_levels_of_their_own() -> None:
    harness = configured()
    assert harness.command("STORES", "CREATE", "small", "database", 3, "max-memory", 100_000) == 3
    harness.script("SELECT 3")
    harness.command("SET", "key", "x" * 92_000)
    assert look(harness) == [("warning", "critical")]
    fields = harness.recorder.reports[0][2]
    assert (fields["source"], fields["store"], fields["limit"]) == ("store", "small", 100_000)
    assert "The store 'small' takes" in str(fields["message"])
    described = harness.command("STORES", "INFO", "small")
    assert isinstance(described, list)
    found = dict(zip(described[::2], described[1::2], strict=True))
    assert found[b"memory_pressure"] == b"critical"
    assert found[b"memory_pressure_critical_count"] == found[b"memory_pressure_warning_count"] == 1
    assert found[b"memory_pressure_panic_count"] == 0
    assert "memory_pressure=critical" in info(harness, "stores")["store3"]
    assert info(harness)["memory_pressure"] == "normal"
    assert harness.command("STORES", "SET", "small", "max-memory", 0) == "OK"
    assert look(harness) == [("info", "normal")]
    assert look(harness) == []
    assert not harness.engine.pressure.stores


# Refusing --------------------------------------------------------------------------------------


def test_writes_are_refused_at_the_limit_or_at_the_panic_level() -> None:
    harness = configured(maxmemory=MIB)
    fill(harness, 97)
    look(harness)
    assert harness.command("SET", "key", "x") == "OK"
    configure(harness, maxmemory_refuse_at_panic="yes")
    assert harness.command("SET", "key", "x") == OOM
    assert harness.script("GET key\nDEL key\nSET key x") == [b"x", 1, OOM]
    assert info(harness)["memory_limit"] == str(MIB // 100 * 95)
    configure(harness, memory_pressure_levels="80 90 99")
    assert harness.command("SET", "key", "x") == "OK"
    configure(harness, memory_pressure_levels="85 90 95", maxmemory_policy="allkeys-lru")
    assert harness.command("SET", "key", "x") == "OK"
    assert harness.command("EXISTS", "filler") == 1
    configure(harness, maxmemory_policy="noeviction")
    assert harness.command("SET", "key", "x") == OOM
    configure(harness, maxmemory_refuse_at_panic="no")
    assert harness.command("SET", "key", "x") == "OK"


def test_a_store_refuses_at_its_panic_level_if_it_evicts_nothing() -> None:
    harness = configured(maxmemory_refuse_at_panic="yes")
    harness.command("STORES", "CREATE", "small", "database", 1, "max-memory", 100_000)
    harness.script("SELECT 1")
    harness.command("SET", "key", "x" * 96_000)
    assert harness.command("SET", "other", "x") == OOM
    assert harness.command("STORES", "SET", "small", "policy", "allkeys-lru") == "OK"
    assert harness.script("SET other x\nDBSIZE") == ["OK", 2]


def test_a_cache_at_its_limit_refuses_nothing() -> None:
    harness = configured(
        maxmemory=MIB, maxmemory_policy="allkeys-lru", maxmemory_refuse_at_panic="yes"
    )
    told = []
    for number in range(3000):
        assert harness.command("SET", number, "x" * 1000) == "OK"
        if number % 100 == 0:
            told += look(harness)
    assert told[-1] == ("info", "panic")
    assert 1 <= len(told) <= 3


# The process -----------------------------------------------------------------------------------


def test_what_the_process_is_measured_against() -> None:
    harness = configured()
    fields = info(harness)
    assert (fields["memory_process_limit"], fields["memory_process_limit_by"]) == ("0", "none")
    configure(harness, maxmemory=100 * MIB)
    fields = info(harness)
    assert fields["memory_process_limit_by"] == "maxmemory"
    assert int(fields["memory_process_limit"]) == (40 + 100 + 64) * MIB
    harness.engine.pressure.container = 200 * MIB
    configure(harness, maxmemory=1000 * MIB)
    fields = info(harness)
    assert fields["memory_process_limit_by"] == "container"
    assert int(fields["memory_process_limit"]) == 200 * MIB
    assert fields["memory_container_limit"] == str(200 * MIB)
    configure(harness, maxmemory_rss="80%")
    fields = info(harness)
    assert fields["memory_process_limit_by"] == "maxmemory-rss"
    assert int(fields["memory_process_limit"]) == 160 * MIB
    configure(harness, maxmemory_rss="1gb")
    assert int(info(harness)["memory_process_limit"]) == 1024 * MIB
    configure(harness, maxmemory_rss=0)
    assert info(harness)["memory_process_limit_by"] == "container"


def test_a_container_that_is_too_small_for_maxmemory_is_told_once() -> None:
    harness = configured(maxmemory=100 * MIB)
    harness.engine.pressure.container = 200 * MIB
    configure(harness, maxmemory=200 * MIB)
    configure(harness, maxmemory=201 * MIB)
    configure(harness, maxmemory_rss="50%")
    configure(harness, maxmemory=201 * MIB)
    ((level, event, fields),) = harness.recorder.reports
    assert (level, event) == ("warning", "container_is_smaller")
    assert (fields["container"], fields["maxmemory"]) == (200 * MIB, 201 * MIB)
    assert "ends the process" in str(fields["message"])


def test_a_limit_below_the_empty_process_is_refused() -> None:
    harness = configured(maxmemory_rss=60 * MIB)
    reply = harness.command("CONFIG", "SET", "maxmemory-rss", 30 * MIB, "maxmemory", MIB)
    assert isinstance(reply, ReplyError)
    assert "without any data" in reply.text
    kept = [b"maxmemory-rss", b"%d" % (60 * MIB)]
    assert harness.command("CONFIG", "GET", "maxmemory-rss") == kept
    assert info(harness)["memory_process_limit"] == str(60 * MIB)
    for bad in ("-1", "101%", "many", "-5%"):
        assert isinstance(harness.command("CONFIG", "SET", "maxmemory-rss", bad), ReplyError)


def test_more_than_the_data_explain_is_told_and_refuses_nothing() -> None:
    harness = configured(maxmemory=100 * MIB)
    for size, expected in ((170, []), (180, ["warning"]), (300, ["critical"]), (100, ["normal"])):
        resident(harness, size * MIB)
        assert [pressure for _, pressure in look(harness)] == expected
        assert harness.command("SET", "key", "x") == "OK"
    assert info(harness)["memory_pressure_process_panic_count"] == "0"


def test_at_panic_the_data_may_grow_no_further() -> None:
    harness = configured(maxmemory_rss=100 * MIB)
    harness.command("SET", "large", "x" * 100_000)
    resident(harness, 96 * MIB)
    assert look(harness) == [("error", "panic")]
    assert "may grow no further" in str(harness.recorder.reports[0][2]["message"])
    assert harness.command("SET", "key", "x") == "OK"
    assert harness.command("SET", "key", "x") == OOM
    assert harness.script("GET key\nDEL key\nSET key x\nDEL key large\nSET key x") == [
        b"x", 1, "OK", 2, "OK",
    ]  # fmt: skip
    harness.command("SET", "large", "x" * 90_000)  # what was freed serves what comes
    assert harness.command("SET", "key", "y") == "OK"
    resident(harness, 150 * MIB)
    look(harness, 5000)
    assert harness.command("SET", "key", "z") == "OK"  # nothing to evict: no ceiling falls
    resident(harness, 92 * MIB)
    assert look(harness) == [("info", "critical")]
    harness.command("SET", "large", "x" * 200_000)
    assert harness.command("SET", "key", "x") == "OK"


def test_above_its_limit_the_process_makes_the_data_shrink_down_to_the_half() -> None:
    harness = configured(maxmemory=4 * MIB, maxmemory_rss=100 * MIB, maxmemory_policy="allkeys-lru")
    memory = harness.engine.memory
    for number in range(1000):
        harness.command("SET", number, "x" * 1000)
    began = memory.used()
    resident(harness, 96 * MIB)
    look(harness)
    assert memory.limit == began
    resident(harness, 100 * MIB + 10_000)
    trimmed: list[int] = []
    harness.engine.pressure.give_back = lambda: trimmed.append(harness.now)
    sizes = []
    for number in range(40):
        look(harness, 500)
        assert harness.command("SET", f"new:{number}", "x" * 1000) == "OK"
        harness.command("PING")
        sizes.append(memory.used())
    assert began - 14_000 <= sizes[1] <= began - 9_000  # by the excess, once a second
    assert sizes[1] <= sizes[0] and sizes[3] < sizes[1] - 9_000
    assert len(trimmed) == 20  # once with each step
    resident(harness, 200 * MIB)
    for _ in range(60):
        look(harness, 1000)
        harness.command("PING")
        assert memory.used() >= began // 2 - 2000
    assert began // 2 - 2000 <= memory.used() <= began // 2
    assert harness.command("SET", "key", "x") == "OK"
    resident(harness, 80 * MIB)
    look(harness)
    assert memory.limit == 4 * MIB
    configure(harness, maxmemory_rss=0)
    assert memory.limit == 4 * MIB


def test_giving_back_takes_a_fiftieth_of_the_time_at_most() -> None:
    harness = configured(maxmemory_rss=100 * MIB)
    harness.engine.observation.set_slow(-1, 1000)
    asked: list[int] = []

    def slow() -> None:
        asked.append(harness.now)
        harness.clock.now += 200_000

    harness.engine.pressure.give_back = slow
    resident(harness, 110 * MIB)
    for _ in range(25):
        look(harness, 1000)
    assert [moment - asked[0] for moment in asked] == [0, 10_200, 20_400]
    events = harness.command("LATENCY", "LATEST")
    assert isinstance(events, list)
    assert [(each[0], each[2]) for each in events] == [(b"memory-trim", 200)]


def test_a_limit_that_is_lifted_frees_the_data() -> None:
    harness = configured(maxmemory_rss=100 * MIB)
    resident(harness, 99 * MIB)
    look(harness)
    harness.command("SET", "key", "x" * 1000)
    assert harness.command("SET", "key", "x") == OOM
    configure(harness, maxmemory_rss=0)
    assert harness.command("SET", "key", "x") == "OK"
    assert look(harness) == [("info", "normal")]


def test_what_most_of_the_data_took_is_given_back_in_a_quiet_second() -> None:
    harness = configured()
    asked: list[int] = []
    harness.engine.pressure.give_back = lambda: asked.append(harness.now)
    for number in range(5):
        harness.command("SET", number, "x" * 8 * MIB)
    look(harness)
    harness.script("DEL 0 1")  # less than the half
    for _ in range(30):
        look(harness)
    assert not asked
    harness.script("DEL 2")
    for _ in range(30):
        harness.script("GET x\nGET y")
        look(harness)
    assert not asked  # too busy
    for _ in range(30):
        look(harness)
    assert len(asked) == 1
    harness.script("DEL 3")  # too little
    for _ in range(30):
        look(harness)
    assert len(asked) == 1
    harness.script("DEL 4")
    for _ in range(30):
        look(harness)
    assert len(asked) == 2


# Followers -------------------------------------------------------------------------------------


def test_followers_hear_of_every_change() -> None:
    harness = configured(maxmemory=MIB)
    heard: list[PressureChange] = []
    harness.engine.pressure.followers.append(heard.append)
    fill(harness, 96)
    look(harness)
    harness.command("DEL", "filler")
    look(harness)
    assert [(each.source, each.store, each.previous, each.level) for each in heard] == [
        ("data", "", "normal", "panic"),
        ("data", "", "panic", "normal"),
    ]
    assert [each.is_rise() for each in heard] == [True, False]
    assert heard[0].limit == MIB and 0.95 * MIB < heard[0].used < MIB
    assert not heard[0].evicts
