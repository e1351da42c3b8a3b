"""SCAN's guarantee: what is there from beginning to end is returned."""

from hypothesis import given, settings
from hypothesis import strategies as st

from hypercache.testing.engine import EngineHarness
from tests.unit.commands.conftest import BACKENDS, make_backend


def step(harness: EngineHarness, cursor: bytes, *options: str | int) -> tuple[bytes, list[bytes]]:
    """One call of SCAN."""
    reply = harness.command("SCAN", cursor, *options)
    assert isinstance(reply, list)
    return reply[0], reply[1]


@settings(max_examples=40, deadline=None)
@given(
    backend=st.sampled_from(BACKENDS),
    count=st.sampled_from([1, 3, 10, 1000]),
    stay=st.integers(0, 80),
    changes=st.lists(st.tuples(st.sampled_from(["SET", "DEL"]), st.integers(0, 200)), max_size=200),
)
def test_a_full_iteration_returns_what_stays(
    backend: str, count: int, stay: int, changes: list[tuple[str, int]]
) -> None:
    harness = EngineHarness(make_backend(backend))
    staying = {f"stay:{number}".encode() for number in range(stay)}
    for key in staying:
        harness.command("SET", key, "v")
    for number in range(0, 200, 2):
        harness.command("SET", f"other:{number}", "v")
    found: set[bytes] = set()
    cursor = b"0"
    calls = 0
    while calls == 0 or cursor != b"0":
        cursor, keys = step(harness, cursor, "COUNT", count)
        found |= set(keys)
        for command, number in changes[calls * 5 : calls * 5 + 5]:
            key = f"other:{number}"
            harness.command(command, key, *(["v"] if command == "SET" else []))
        calls += 1
        assert calls < 10_000
    assert staying <= found


def test_steps_are_about_as_long_as_asked(harness: EngineHarness) -> None:
    for number in range(1000):
        harness.command("SET", f"key:{number}", "v")
    cursor, keys = step(harness, b"0")
    assert cursor != b"0"
    assert 5 <= len(keys) <= 20
    cursor, keys = step(harness, b"0", "COUNT", 100)
    assert 50 <= len(keys) <= 200
    cursor, keys = step(harness, b"0", "COUNT", 10**18)
    assert (cursor, len(keys)) == (b"0", 1000)


def test_a_filter_hides_keys_but_not_the_cursor(harness: EngineHarness) -> None:
    for number in range(100):
        harness.command("SET", f"key:{number}", "v")
    harness.command("HSET", "hash", "f", "v")
    found: list[bytes] = []
    cursor = b"0"
    while True:
        cursor, keys = step(harness, cursor, "TYPE", "hash", "MATCH", "h*")
        found += keys
        if cursor == b"0":
            break
    assert found == [b"hash"]


def test_cursors_that_nobody_gave_out(harness: EngineHarness) -> None:
    for number in range(20):
        harness.command("SET", f"key:{number}", "v")
    for cursor in (b"1", b"17", b"-1", b"9223372036854775808", b"18446744073709551615"):
        following, keys = step(harness, cursor)
        assert int(following) < 2**64
        assert len(keys) <= 20
