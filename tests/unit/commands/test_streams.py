"""Streams: what a transcript cannot show, such as time, waiting, nodes and the journal."""

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hypercache.streams import MAX_ID, MIN_ID, StreamValue
from hypercache.testing.engine import NOTHING, START, EngineHarness, HarnessClient
from hypercache.testing.resp import Argument, ReplyError
from tests.unit.commands.conftest import BACKENDS, make_backend
from tests.unit.commands.test_effects import Journalled, Keeper, replay

NOW = START // 1000
GONE = "NOGROUP No such key 's' or consumer group 'g' in XREADGROUP with GROUP option"
WRONG_TYPE = "WRONGTYPE Operation against a key holding the wrong kind of value"


def waiting(harness: EngineHarness, *arguments: Argument) -> HarnessClient:
    """A client that waits for a command."""
    client = harness.client()
    assert client.command(*arguments) is NOTHING
    return client


def fields_of(reply: object) -> dict[bytes, object]:
    """A map as RESP2 shows it."""
    assert isinstance(reply, list)
    return dict(zip(reply[::2], reply[1::2], strict=True))


# Ids ------------------------------------------------------------------------------------


def test_ids_follow_the_clock_and_never_go_back(harness: EngineHarness) -> None:
    def add() -> object:
        return harness.command("XADD", "s", "*", "f", "v")

    assert add() == b"%d-0" % NOW
    assert add() == b"%d-1" % NOW
    harness.advance(5)
    assert add() == b"%d-0" % (NOW + 5)
    harness.clock.now -= 3_000_000
    assert add() == b"%d-1" % (NOW + 5)
    assert harness.command("XADD", "s", f"{NOW + 9}-18446744073709551615", "f", "v")
    assert add() == b"%d-0" % (NOW + 10)


# Waiting --------------------------------------------------------------------------------


def test_xread_waits_for_what_comes_after_the_call(harness: EngineHarness) -> None:
    harness.command("XADD", "s", "1-1", "n", 1)
    reader = waiting(harness, "XREAD", "BLOCK", 0, "STREAMS", "s", "t", "$", "$")
    harness.command("XDEL", "s", "1-1")
    harness.command("XGROUP", "CREATE", "t", "g", "$", "MKSTREAM")
    harness.command("SET", "other", "v")
    assert reader.replies() == []
    harness.command("XADD", "t", "1-1", "n", 2)
    assert reader.replies() == [[[b"t", [[b"1-1", [b"n", b"2"]]]]]]
    assert harness.command("XLEN", "t") == 1


def test_all_readers_of_a_stream_are_served_at_once(harness: EngineHarness) -> None:
    readers = [waiting(harness, "XREAD", "BLOCK", 0, "STREAMS", "s", id_) for id_ in ("0", "$")]
    later = waiting(harness, "XREAD", "BLOCK", 100, "STREAMS", "s", "1-5")
    harness.command("XADD", "s", "1-1", "n", 1)
    for reader in readers:
        assert reader.replies() == [[[b"s", [[b"1-1", [b"n", b"1"]]]]]]
    assert later.replies() == []
    harness.advance(100)
    assert later.replies() == [None]


def test_a_reader_survives_the_loss_of_its_stream(harness: EngineHarness) -> None:
    harness.command("XADD", "s", "5-1", "n", 1)
    reader = waiting(harness, "XREAD", "BLOCK", 0, "STREAMS", "s", "$")
    harness.command("DEL", "s")
    harness.command("SET", "s", "v")
    assert reader.replies() == []
    harness.command("DEL", "s")
    harness.command("XADD", "s", "1-1", "n", 2)
    assert reader.replies() == []
    harness.command("XADD", "s", "5-2", "n", 3)
    assert reader.replies() == [[[b"s", [[b"5-2", [b"n", b"3"]]]]]]


def test_consumers_wait_in_turn(harness: EngineHarness) -> None:
    harness.command("XGROUP", "CREATE", "s", "g", "$", "MKSTREAM")
    first, second = (
        waiting(harness, "XREADGROUP", "GROUP", "g", name, "BLOCK", 0, "STREAMS", "s", ">")
        for name in "ab"
    )
    harness.command("XADD", "s", "1-1", "n", 1)
    assert first.replies() == [[[b"s", [[b"1-1", [b"n", b"1"]]]]]]
    assert second.replies() == []
    harness.command("XADD", "s", "1-2", "n", 2)
    assert second.replies() == [[[b"s", [[b"1-2", [b"n", b"2"]]]]]]
    assert harness.command("XPENDING", "s", "g", "-", "+", 9) == [
        [b"1-1", b"a", 0, 1],
        [b"1-2", b"b", 0, 1],
    ]


def test_a_group_that_is_set_back_wakes_nobody(harness: EngineHarness) -> None:
    harness.command("XADD", "s", "1-1", "n", 1)
    harness.command("XGROUP", "CREATE", "s", "g", "$")
    client = waiting(harness, "XREADGROUP", "GROUP", "g", "c", "BLOCK", 0, "STREAMS", "s", ">")
    harness.command("XGROUP", "SETID", "s", "g", 0)
    harness.command("XGROUP", "CREATE", "s", "h", 0)
    harness.command("XGROUP", "CREATECONSUMER", "s", "g", "d")
    assert client.replies() == []
    harness.command("XADD", "s", "1-2", "n", 2)
    assert client.replies() == [[[b"s", [[b"1-1", [b"n", b"1"]], [b"1-2", [b"n", b"2"]]]]]]


@pytest.mark.parametrize(
    ("loss", "error"),
    [
        (["DEL", "s"], GONE),
        (["UNLINK", "s"], GONE),
        (["SET", "s", "v"], WRONG_TYPE),
        (["RENAME", "other", "s"], WRONG_TYPE),
        (["XGROUP", "DESTROY", "s", "g"], GONE),
        (["FLUSHALL"], GONE),
        (["FLUSHDB"], GONE),
        (["SWAPDB", "0", "1"], GONE),
        (["MOVE", "s", "1"], GONE),
    ],
    ids=" ".join,
)
def test_a_consumer_is_told_of_the_loss_of_its_group(
    harness: EngineHarness, loss: list[str], error: str
) -> None:
    harness.command("XGROUP", "CREATE", "s", "g", "$", "MKSTREAM")
    harness.command("SET", "other", "v")
    client = waiting(harness, "XREADGROUP", "GROUP", "g", "c", "BLOCK", 0, "STREAMS", "s", ">")
    harness.command(*loss)
    assert client.replies() == [ReplyError(error)]


def test_a_consumer_is_told_when_its_stream_expires(harness: EngineHarness) -> None:
    harness.command("XGROUP", "CREATE", "s", "g", "$", "MKSTREAM")
    harness.command("PEXPIRE", "s", 50)
    client = waiting(harness, "XREADGROUP", "GROUP", "g", "c", "BLOCK", 0, "STREAMS", "s", ">")
    harness.advance(200)
    harness.command("EXISTS", "s")
    assert client.replies() == [ReplyError(GONE)]


def test_consumers_times(harness: EngineHarness) -> None:
    harness.command("XADD", "s", "1-1", "n", 1)
    harness.command("XGROUP", "CREATE", "s", "g", 0)
    harness.command("XGROUP", "CREATECONSUMER", "s", "g", "c")
    harness.advance(100)

    def times() -> tuple[object, object]:
        reply = harness.command("XINFO", "CONSUMERS", "s", "g")
        assert isinstance(reply, list)
        fields = fields_of(reply[0])
        return fields[b"idle"], fields[b"inactive"]

    assert times() == (100, -1)
    harness.command("XREADGROUP", "GROUP", "g", "c", "STREAMS", "s", ">")
    harness.advance(30)
    assert times() == (30, 30)
    harness.command("XREADGROUP", "GROUP", "g", "c", "STREAMS", "s", ">")
    assert times() == (0, 30)
    harness.advance(5)
    harness.command("XCLAIM", "s", "g", "c", 1000, "1-1")
    assert times() == (0, 35)
    harness.command("XAUTOCLAIM", "s", "g", "c", 0, "-")
    assert times() == (0, 0)


# Nodes ----------------------------------------------------------------------------------


def _entries() -> Iterator[list[Argument]]:
    for n in range(240):
        entry_id = f"{n // 4 + 1000}-{n % 4 + (0 if n // 4 % 3 else 5)}"
        fields: tuple[list[Argument], ...] = (
            ["n", n],
            ["n", "x" * (n * 7 % 90)],
            ["a", 1, "b", -n],
            ["n", n * 10 ** (n % 18)],
            ["n", "007"],
            ["n", "y" * (200 if n % 40 == 4 else 2)],
        )
        yield ["XADD", "s", entry_id, *fields[n % 6]]
        if n % 13 == 12:
            yield ["XDEL", "s", entry_id]


@pytest.mark.parametrize(
    ("entries", "size", "nodes", "lengths"),
    [
        (100, 4096, [1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 3, 3], [222] * 7 + [129] * 10 + [37] * 3),
        (
            10,
            4096,
            [2, 4, 6, 8, 10, 12, 13, 15, 17, 19, 21, 23],
            [203, 185, 185, 166, 166, 148, 148, 138, 128, 119]
            + [101, 101, 82, 82, 64, 64, 44, 44, 26, 26],
        ),
        (
            0,
            300,
            [2, 4, 5, 7, 8, 10, 11, 13, 14, 16, 17, 19],
            [208, 187, 187, 176, 165, 154, 143, 132, 120, 120]
            + [100, 100, 89, 77, 65, 65, 42, 42, 21, 21],
        ),
        (
            100,
            1000,
            [1, 1, 2, 2, 2, 3, 3, 4, 4, 5, 5, 5],
            [222, 222, 180, 180, 180, 180, 180, 136, 136, 136]
            + [136, 93, 93, 93, 93, 93, 51, 51, 51, 51],
        ),
    ],
)
def test_nodes_end_where_redis_ends_them(
    entries: int, size: int, nodes: list[int], lengths: list[int]
) -> None:
    """The numbers are those of redis-server 7.2.6."""
    harness = EngineHarness()
    limits = harness.engine.backend.limits
    limits.stream_entries = entries
    limits.stream_bytes = size
    counted = []
    for number, request in enumerate(_entries()):
        harness.command(*request)
        if number % 20 == 19:
            fields = fields_of(harness.command("XINFO", "STREAM", "s"))
            counted.append(fields[b"radix-tree-keys"])
    assert counted == nodes
    left = []
    for length in range(200, 0, -20):
        harness.command("XTRIM", "s", "MAXLEN", "~", length, "LIMIT", 0)
        left.append(harness.command("XLEN", "s"))
        harness.command("XTRIM", "s", "MINID", "~", 1060 - length // 4)
        left.append(harness.command("XLEN", "s"))
    assert left == lengths
    harness.close()


def test_trimming_nodes_stops_at_its_limit() -> None:
    harness = EngineHarness()
    harness.engine.backend.limits.stream_entries = 4
    for number in range(480):
        harness.command("XADD", "s", f"1-{number + 1}", "n", number)
    assert harness.command("XTRIM", "s", "MAXLEN", "~", 0, "LIMIT", 3) == 0
    assert harness.command("XTRIM", "s", "MAXLEN", "~", 0, "LIMIT", 11) == 8
    assert harness.command("XTRIM", "s", "MAXLEN", "~", 0) == 400
    assert harness.command("XTRIM", "s", "MINID", "~", "1-447", "LIMIT", 0) == 36
    assert harness.command("XADD", "s", "MAXLEN", "~", 20, "LIMIT", 4, "2-1", "n", 1) == b"2-1"
    assert harness.command("XLEN", "s") == 33
    harness.close()


# The journal ----------------------------------------------------------------------------


def test_ids_and_trimming_are_journalled_as_they_came_out(harness: EngineHarness) -> None:
    journal = Journalled(harness)
    assert journal.effects("XADD", "s", "*", "f", "v") == [f"XADD s {NOW}-0 f v"]
    assert journal.effects("XADD", "s", f"{NOW}-*", "f", "v") == [f"XADD s {NOW}-1 f v"]
    assert journal.effects("XADD", "s", "MAXLEN", 5, "*", "f", "v") == [
        f"XADD s MAXLEN 5 {NOW}-2 f v"
    ]
    assert journal.effects(
        "XADD", "s", "LIMIT", 7, "MAXLEN", "~", 9, "NOMKSTREAM", "*", "f", "v"
    ) == [f"XADD s MAXLEN = 4 {NOW}-3 f v"]
    assert journal.effects("XADD", "s", "MINID", "~", 1, "*", "f", "v") == [
        f"XADD s MINID = {NOW}-0 {NOW}-4 f v"
    ]
    assert journal.effects("XTRIM", "s", "MINID", NOW) == []
    assert journal.effects("XTRIM", "s", "MAXLEN", "~", 0, "LIMIT", 0) == ["XTRIM s MAXLEN = 0"]
    assert journal.effects("XTRIM", "s", "MAXLEN", 0) == []
    assert journal.effects("XDEL", "s", f"{NOW}-4") == []
    assert journal.effects("XSETID", "s", f"{NOW}-9") == [f"XSETID s {NOW}-9"]


def test_deliveries_are_journalled_as_claims(harness: EngineHarness) -> None:
    journal = Journalled(harness)
    for number in (1, 2, 3):
        harness.command("XADD", "s", f"1-{number}", "n", number)
    assert journal.effects("XGROUP", "CREATE", "s", "g", "0") == ["XGROUP CREATE s g 0"]
    tail = f"TIME {NOW} RETRYCOUNT 1 FORCE JUSTID LASTID"
    assert journal.effects("XREADGROUP", "GROUP", "g", "c", "COUNT", 2, "STREAMS", "s", ">") == [
        "XGROUP CREATECONSUMER s g c",
        f"XCLAIM s g c 0 1-1 {tail} 1-1",
        f"XCLAIM s g c 0 1-2 {tail} 1-2",
        "XGROUP SETID s g 1-2 ENTRIESREAD 2",
    ]
    assert journal.effects("XREADGROUP", "GROUP", "g", "c", "STREAMS", "s", "0") == []
    assert journal.effects("XREADGROUP", "GROUP", "g", "d", "NOACK", "STREAMS", "s", ">") == [
        "XGROUP CREATECONSUMER s g d",
        "XGROUP SETID s g 1-3 ENTRIESREAD 3",
    ]
    create = ["XGROUP CREATECONSUMER s g e"]
    assert journal.effects("XREADGROUP", "GROUP", "g", "e", "STREAMS", "s", ">") == create
    assert journal.effects("XREADGROUP", "GROUP", "g", "e", "STREAMS", "s", ">") == []
    assert journal.effects("XREADGROUP", "GROUP", "g", "e", "STREAMS", "s", ">") == []
    assert journal.effects("XCLAIM", "s", "g", "d", 0, "1-1", "IDLE", 5, "RETRYCOUNT", 7) == [
        f"XCLAIM s g d 0 1-1 TIME {NOW - 5} RETRYCOUNT 7 FORCE JUSTID LASTID 1-3"
    ]
    assert journal.effects("XCLAIM", "s", "g", "d", 9999, "1-1", "LASTID", "1-9") == [
        "XGROUP SETID s g 1-9 ENTRIESREAD 3"
    ]
    harness.command("XDEL", "s", "1-2")
    assert journal.effects("XAUTOCLAIM", "s", "g", "d", 0, "-", "JUSTID") == [
        f"XCLAIM s g d 0 1-1 TIME {NOW} RETRYCOUNT 7 FORCE JUSTID LASTID 1-9",
        f"XCLAIM s g c 0 1-2 TIME {NOW} RETRYCOUNT 2 FORCE JUSTID LASTID 1-9",
    ]
    assert journal.effects("XACK", "s", "g", "1-1", "1-2") == ["XACK s g 1-1 1-2"]
    assert journal.effects("XACK", "s", "g", "1-1") == []
    assert journal.effects("XGROUP", "DELCONSUMER", "s", "g", "d") == ["XGROUP DELCONSUMER s g d"]


def test_a_consumer_that_waited_is_journalled_when_it_is_served(harness: EngineHarness) -> None:
    harness.command("XGROUP", "CREATE", "s", "g", "$", "MKSTREAM")
    waiting(harness, "XREADGROUP", "GROUP", "g", "c", "BLOCK", 0, "STREAMS", "s", ">")
    journal = Journalled(harness)
    assert journal.effects("XADD", "s", "1-1", "n", 1) == [
        "XADD s 1-1 n 1",
        f"XCLAIM s g c 0 1-1 TIME {NOW} RETRYCOUNT 1 FORCE JUSTID LASTID 1-1",
        "XGROUP SETID s g 1-1 ENTRIESREAD 1",
    ]


IDS = st.sampled_from(["1-1", "1-2", "2-1", "2-2", "3-1", "4-1", "5-1", "6-1"])
NEW_IDS = st.one_of(IDS, st.sampled_from(["*", "3-*"]))
GROUPS = st.sampled_from(["g", "h"])
CONSUMERS = st.sampled_from(["a", "b"])
COUNTS = st.sampled_from([0, 1, 2, 3])


def _request(*parts: "str | st.SearchStrategy[object]") -> "st.SearchStrategy[list[object]]":
    return st.tuples(*[st.just(each) if isinstance(each, str) else each for each in parts]).map(
        list
    )


REQUESTS = st.one_of(
    _request("XADD", "s", NEW_IDS, "n", COUNTS),
    _request("XADD", "s", NEW_IDS, "n", COUNTS, "m", COUNTS),
    _request("XADD", "s", st.sampled_from(["MAXLEN", "MINID"]), COUNTS, NEW_IDS, "n", COUNTS),
    _request("XADD", "s", "MAXLEN", "~", COUNTS, NEW_IDS, "n", COUNTS),
    _request("XTRIM", "s", "MINID", "~", IDS),
    _request("XTRIM", "s", "MINID", IDS),
    _request("XDEL", "s", IDS, IDS),
    _request("XSETID", "s", IDS),
    _request("XGROUP", "CREATE", "s", GROUPS, IDS, "MKSTREAM"),
    _request("XGROUP", "SETID", "s", GROUPS, IDS),
    _request("XGROUP", "DESTROY", "s", GROUPS),
    _request("XGROUP", "DELCONSUMER", "s", GROUPS, CONSUMERS),
    _request("XREADGROUP", "GROUP", GROUPS, CONSUMERS, "COUNT", COUNTS, "STREAMS", "s", ">"),
    _request("XREADGROUP", "GROUP", GROUPS, CONSUMERS, "NOACK", "STREAMS", "s", ">"),
    _request("XREADGROUP", "GROUP", GROUPS, CONSUMERS, "STREAMS", "s", IDS),
    _request("XACK", "s", GROUPS, IDS, IDS),
    _request("XCLAIM", "s", GROUPS, CONSUMERS, COUNTS, IDS, IDS, "FORCE"),
    _request("XCLAIM", "s", GROUPS, CONSUMERS, "0", IDS, "LASTID", IDS),
    _request("XAUTOCLAIM", "s", GROUPS, CONSUMERS, COUNTS, "-", "COUNT", "2"),
    _request("COPY", "s", "s2", "REPLACE"),
)


def _content(harness: EngineHarness, key: bytes) -> object:
    """What replaying has to give: not the times and counts that Redis does not repeat either."""
    entry = harness.engine.keyspaces[0].find(key)
    if entry is None:
        return None
    stream = entry.value
    assert isinstance(stream, StreamValue)
    groups = {}
    for group in stream.groups():
        pending = group.pending_range(MIN_ID, MAX_ID, 1000, None)
        groups[group.name()] = group.last_id(), [(each.id, each.consumer) for each in pending]
        own = [group.pending_range(MIN_ID, MAX_ID, 1000, name) for name in (b"a", b"b")]
        assert sorted(each.id for some in own for each in some) == [each.id for each in pending]
    entries = stream.range(MIN_ID, MAX_ID, 1000, False)
    state = stream.last_id(), stream.max_deleted_id(), stream.entries_added()
    assert stream.length() == len(entries)
    return entries, state, groups


@settings(max_examples=15, deadline=None)
@given(backend=st.sampled_from(BACKENDS), requests=st.lists(REQUESTS, max_size=40))
def test_replaying_the_effects_gives_the_same_streams(
    backend: str, requests: list[list[Argument]]
) -> None:
    original = EngineHarness(make_backend(backend))
    keeper = Keeper()
    original.engine.settlement.add_sink(keeper)
    for request in requests:
        original.command(*request)
        original.advance(1)
    copy = EngineHarness()
    copy.clock.now = original.clock.now
    replay(keeper.records, copy)
    for key in (b"s", b"s2"):
        assert _content(copy, key) == _content(original, key)
    for harness in (original, copy):
        assert harness.engine.keyspaces[0].store.check() == []
        harness.close()


# Digests --------------------------------------------------------------------------------


def test_digests_are_those_of_redis(harness: EngineHarness) -> None:
    harness.engine.protected_commands["DEBUG"] = "yes"
    harness.command("XADD", "s", "1-1", "n", 1, "m", "")
    harness.command("XADD", "s", "1-2", "n", 2)
    harness.command("XADD", "s", "18446744073709551615-0", "n", 3)
    harness.command("XDEL", "s", "1-2")
    harness.command("XGROUP", "CREATE", "s", "g", 0)
    harness.command("XGROUP", "CREATE", "e", "g", 0, "MKSTREAM")
    assert harness.command("DEBUG", "DIGEST-VALUE", "s", "e") == [
        "66a101b1eec1ebe8b443e4a0b73a623fdd3a8d66",
        "06bd01623de1d087bbd377851096317b1af476a2",
    ]
