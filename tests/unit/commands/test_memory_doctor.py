"""MEMORY DOCTOR, STATS and PURGE: what they say of limits, and of what memory is used for."""

from hypercache.testing.engine import EngineHarness
from tests.support.scripts import with_scripts

MIB = 1 << 20
WELL = "Memory is used as it should be.\n"
EMPTY = "There is too little data here to judge how memory is used.\n"


def healthy(**settings: object) -> EngineHarness:
    """A harness with 8 MB of data in 800 keys, whose process takes as much as it should."""
    harness = EngineHarness()
    harness.engine.statistics.base_memory = 40 * MIB
    resident(harness, 50 * MIB)
    configure(harness, **settings)
    for number in range(800):
        assert harness.command("SET", number, "x" * 10_000) == "OK"
    return harness


def configure(harness: EngineHarness, **settings: object) -> None:
    for name, value in settings.items():
        assert harness.command("CONFIG", "SET", name.replace("_", "-"), str(value)) == "OK"


def resident(harness: EngineHarness, size: int) -> None:
    harness.engine.pressure.read_resident = lambda: size


def doctor(harness: EngineHarness) -> str:
    harness.tick()
    reply = harness.command("MEMORY", "DOCTOR")
    assert isinstance(reply, bytes)
    return reply.decode()


def starts(harness: EngineHarness) -> list[str]:
    """The word that each finding begins with."""
    return [line.partition(":")[0] for line in doctor(harness).splitlines()]


def test_nothing_to_say() -> None:
    assert doctor(EngineHarness()) == EMPTY
    assert doctor(healthy()) == WELL
    assert doctor(healthy(maxmemory=16 * MIB)) == WELL
    assert doctor(healthy(maxmemory=7 * MIB, maxmemory_policy="allkeys-lru")) == WELL


def test_a_limit_that_nothing_is_evicted_for() -> None:
    harness = healthy(maxmemory=9 * MIB)
    text = doctor(harness)
    assert text.startswith("Limit: the data take 7.")
    assert "of maxmemory, and nothing may be evicted (noeviction)." in text
    assert "refused above 9.00M" in text
    configure(harness, maxmemory_refuse_at_panic="yes")
    assert "refused above 8.55M" in doctor(harness)
    harness.command("FLUSHALL")
    harness.engine.statistics.peak_memory = 0
    assert doctor(harness) == EMPTY


def test_policies_that_find_little_or_nothing() -> None:
    harness = healthy(maxmemory=9 * MIB, maxmemory_policy="volatile-lru")
    harness.script("EXPIRE 1 1000\nEXPIRE 2 1000")
    text = doctor(harness)
    assert text.startswith("Policy: the data take 7.")
    assert "volatile-lru may evict 2 of 800 keys only" in text
    configure(harness, maxmemory=7 * MIB)
    harness.script("GET 5")
    assert doctor(harness).startswith("Eviction: the data take 7.")
    assert "evicted by volatile-lru: 0 of 798 keys have a deadline" in doctor(harness)
    harness.script("STORES CREATE other database 1 policy noeviction")
    assert "evicted by noeviction or volatile-lru: 0 of" in doctor(harness)
    for number in range(100):
        harness.command("EXPIRE", 100 + number, 1000)
    configure(harness, maxmemory=9 * MIB)
    harness.script("GET 5")
    assert doctor(harness) == WELL


def test_stores_at_their_own_limits() -> None:
    harness = healthy()
    for number, (name, policy) in enumerate(
        (("kept", "noeviction"), ("stuck", "volatile-lru"), ("cache", "allkeys-lru")), 1
    ):
        made = ("STORES", "CREATE", name, "database", number, "max-memory", 10_000)
        assert harness.command(*made, "policy", policy) == number
        harness.script(f"SELECT {number}")
        harness.command("SET", "key", "x" * 11_000)
        harness.script("GET key")
    lines = doctor(harness).splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("Store: the store 'kept' takes 11.")
    assert "its policy is noeviction" in lines[0] and "STORES SET kept max-memory" in lines[0]
    assert lines[1].startswith("Store: the store 'stuck'")
    assert "volatile-lru finds nothing to evict" in lines[1]


def test_a_process_that_is_too_large() -> None:
    harness = healthy(maxmemory_rss=100 * MIB)
    resident(harness, 97 * MIB)
    harness.advance(100)
    text = doctor(harness)
    assert text.startswith("Process: it takes 97.00M, 97.0% of maxmemory-rss. So the data may take")
    configure(harness, maxmemory_rss=0)
    assert starts(harness) == ["Fragmentation"]
    configure(harness, maxmemory=20 * MIB)
    assert starts(harness) == ["Fragmentation"]
    resident(harness, 110 * MIB)
    assert starts(harness) == ["Process", "Fragmentation"]
    assert "while its data take 7." in doctor(harness)


def test_containers() -> None:
    harness = healthy()
    harness.engine.pressure.container = 90 * MIB
    configure(harness, maxmemory_rss=0, maxmemory=1)
    configure(harness, maxmemory=0)
    assert "Set maxmemory to two thirds of that (60.00M) or less" in doctor(harness)
    configure(harness, maxmemory=100 * MIB)
    assert "less than maxmemory (100.00M)" in doctor(harness)
    resident(harness, 80 * MIB)
    assert starts(harness) == ["Process", "Container", "Fragmentation"]
    configure(harness, maxmemory_rss="99%", maxmemory=60 * MIB)
    resident(harness, 52 * MIB)
    assert doctor(harness) == WELL


def test_what_memory_is_used_for() -> None:
    harness = healthy()
    harness.engine.statistics.peak_memory = 20 * MIB
    resident(harness, 90 * MIB)
    assert starts(harness) == ["Peak", "Fragmentation"]
    harness.engine.statistics.peak_memory = 0
    resident(harness, 57 * MIB)
    assert doctor(harness) == WELL
    harness.first.send(b"*2\r\n$4\r\nECHO\r\n$3000000\r\n" + b"x" * 2_000_000)
    other = harness.client()
    reply = other.command("MEMORY", "DOCTOR")
    assert isinstance(reply, bytes)
    assert reply.startswith(b"Clients: their buffers take")


def test_many_scripts() -> None:
    harness = healthy()
    cache = with_scripts(harness)
    harness.engine.information["memory"] = [lambda: {"number_of_cached_scripts": len(cache)}]
    for number in range(1001):
        harness.command("SCRIPT", "LOAD", f"return {number}")
    assert doctor(harness).startswith("Scripts: 1001 are cached.")


def test_figures_and_purge() -> None:
    harness = healthy(maxmemory=9 * MIB)
    harness.advance(100)
    harness.tick()
    stats = harness.client(3).command("MEMORY", "STATS")
    assert isinstance(stats, dict)
    assert stats[b"limit"] == 9 * MIB
    assert stats[b"pressure.level"] == b"warning"
    assert stats[b"process.resident"] == 50 * MIB
    assert stats[b"container.limit"] == 0
    assert harness.command("MEMORY", "PURGE") == "OK"
