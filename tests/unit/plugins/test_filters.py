"""BF.* and CF.*: replies as RedisBloom's, what filters promise, and hostile input."""

import random
from collections.abc import Callable, Iterator

import pytest
from hypercache_filters import bloom_commands, cuckoo_commands
from hypercache_memory import MemoryBackend

from hypercache.backend import Backend
from hypercache.keyspace.kv_backend import KVBackend
from hypercache.supervision.host import Host
from hypercache.testing.engine import EngineHarness
from hypercache.testing.resp import ReplyError
from hypercache.testing.sorted_kv import SortedDictKV
from tests.support.sinks import MemorySink

WRONG_TYPE = ReplyError("WRONGTYPE Operation against a key holding the wrong kind of value")


def with_filters(harness: EngineHarness) -> EngineHarness:
    """The commands, as the plugin brings them."""
    host = Host(harness.engine, "filters", ".")
    host.add_commands(bloom_commands)
    host.add_commands(cuckoo_commands)
    return harness


@pytest.fixture(params=[MemoryBackend, lambda: KVBackend(SortedDictKV())], ids=["memory", "kv"])
def harness(request: pytest.FixtureRequest) -> Iterator[EngineHarness]:
    make: Callable[[], Backend] = request.param
    made = with_filters(EngineHarness(backend=make()))
    yield made
    made.close()


def dumped(reply: object) -> tuple[int, bytes]:
    """What SCANDUMP answers: where to go on, and a part."""
    assert isinstance(reply, list)
    cursor, data = reply
    return cursor, data or b""


def test_bloom_filter(harness: EngineHarness) -> None:
    call = harness.command
    assert call("BF.RESERVE", "b", "0.01", 1000) == "OK"
    assert call("BF.RESERVE", "b", "0.01", 1000) == ReplyError("ERR item exists")
    assert [call("BF.ADD", "b", "foo"), call("BF.ADD", "b", "foo")] == [1, 0]
    assert call("BF.MADD", "b", "foo", "bar", "bar") == [0, 1, 0]
    assert call("BF.EXISTS", "b", "foo") == 1
    assert call("BF.MEXISTS", "b", "foo", "none") == [1, 0]
    assert call("BF.MEXISTS", "nothing", "foo", "none") == [0, 0]
    assert (call("BF.CARD", "b"), call("BF.CARD", "nothing")) == (2, 0)
    assert call("BF.INFO", "nothing") == ReplyError("ERR not found")
    info = call("BF.INFO", "b")
    assert isinstance(info, list)
    names = [b"Capacity", b"Size", b"Number of filters", b"Number of items inserted"]
    assert info[::2] == [*names, b"Expansion rate"]
    assert (info[1], info[5], info[7], info[9]) == (1000, 1, 2, 2)
    assert call("BF.INFO", "b", "items") == [2]
    assert call("BF.INFO", "b", "none") == ReplyError("Invalid information value")
    assert call("BF.ADD", "made", "x") == 1
    assert call("BF.INFO", "made", "CAPACITY") == [100]


def test_bloom_replies_of_resp3(harness: EngineHarness) -> None:
    client = harness.client()
    client.command("HELLO", 3)
    assert client.command("BF.ADD", "b", "foo") is True
    assert client.command("BF.MADD", "b", "foo", "bar") == [False, True]
    assert client.command("BF.INFO", "b", "CAPACITY") == {b"Capacity": 100}
    info = client.command("BF.INFO", "b")
    assert isinstance(info, dict)
    assert info[b"Number of items inserted"] == 2
    assert client.command("CF.ADD", "c", "foo") is True
    assert client.command("CF.INSERT", "c", "ITEMS", "foo") == [True]
    assert client.command("CF.INSERTNX", "c", "ITEMS", "foo") == [0]
    assert client.command("CF.EXISTS", "c", "none") is False
    assert client.command("CF.COUNT", "c", "foo") == 2
    assert client.command("CF.DEL", "c", "foo") is True


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("x", 100), "ERR bad error rate"),
        (("nan", 100), "ERR bad error rate"),
        (("0", 100), "ERR error rate must be in the range (0.000000, 1.000000)"),
        (("1.0", 100), "ERR error rate must be in the range (0.000000, 1.000000)"),
        (("0.1", "x"), "ERR bad capacity"),
        (("0.1", 0), "ERR capacity must be in the range [1, 1073741824]"),
        (("0.1", 2**63), "ERR bad capacity"),
        (("0.1", 2**62), "ERR capacity must be in the range [1, 1073741824]"),
        (("0.000000000001", 2**30), "ERR Insufficient memory to create filter"),
        (("0.1", 100, "EXPANSION"), "ERR no expansion"),
        (("0.1", 100, "EXPANSION", "x"), "ERR bad expansion"),
        (("0.1", 100, "EXPANSION", 40000), "ERR expansion must be in the range [0, 32768]"),
        (("0.1", 100, "EXPANSION", 2, "NONSCALING"), "Nonscaling filters cannot expand"),
    ],
)
def test_bad_reserves_change_nothing(
    harness: EngineHarness, words: tuple[object, ...], error: str
) -> None:
    assert harness.command("BF.RESERVE", "b", *words) == ReplyError(error)
    assert harness.command("EXISTS", "b") == 0


def test_bloom_insert(harness: EngineHarness) -> None:
    call = harness.command
    assert call("BF.INSERT", "b", "NOCREATE", "ITEMS", "x") == ReplyError("ERR not found")
    words = ("CAPACITY", 10, "ERROR", "0.001", "EXPANSION", 3, "ITEMS", "x", "y")
    assert call("BF.INSERT", "b", *words) == [1, 1]
    assert call("BF.INFO", "b", "EXPANSION") == [3]
    assert call("BF.INSERT", "n", "CAPACITY", 2, "NONSCALING", "ITEMS", "1", "2", "3", "4") == [
        1,
        1,
        ReplyError("ERR non scaling filter is full"),
    ]
    assert call("BF.INFO", "n", "EXPANSION") == [None]
    assert call("BF.INSERT", "b", "WHAT", "x") == ReplyError("Unknown argument received")
    arity = ReplyError("ERR wrong number of arguments for 'bf.insert' command")
    assert call("BF.INSERT", "b", "CAPACITY", 10) == arity
    assert call("BF.INSERT", "b", "NOCREATE", "ITEMS") == arity


def test_growing_bloom_filter_keeps_its_error_rate(harness: EngineHarness) -> None:
    call = harness.command
    call("BF.RESERVE", "b", "0.02", 50)
    for start in range(0, 1500, 100):
        call("BF.MADD", "b", *[f"item {number}" for number in range(start, start + 100)])
    there = call("BF.MEXISTS", "b", *[f"item {number}" for number in range(1500)])
    assert there == [1] * 1500, "never a false negative"
    wrong = call("BF.MEXISTS", "b", *[f"other {number}" for number in range(2000)])
    assert isinstance(wrong, list)
    assert sum(wrong) <= 0.02 * 2000 * 1.5
    assert call("BF.INFO", "b", "FILTERS") in ([5], [6])


def test_cuckoo_filter(harness: EngineHarness) -> None:
    call = harness.command
    assert call("CF.RESERVE", "c", 1000) == "OK"
    assert call("CF.RESERVE", "c", 1000) == ReplyError("ERR item exists")
    assert [call("CF.ADD", "c", "x"), call("CF.ADD", "c", "x")] == [1, 1]
    assert call("CF.ADDNX", "c", "x") == 0
    assert call("CF.COUNT", "c", "x") == 2
    assert [call("CF.DEL", "c", "x") for _ in range(3)] == [1, 1, 0]
    assert call("CF.EXISTS", "c", "x") == 0
    assert call("CF.DEL", "nothing", "x") == ReplyError("Not found")
    assert call("CF.INSERT", "d", "NOCREATE", "ITEMS", "x") == ReplyError("ERR not found")
    assert call("CF.INSERT", "d", "CAPACITY", 64, "ITEMS", "x", "y") == [1, 1]
    assert call("CF.INSERTNX", "d", "ITEMS", "x", "z") == [0, 1]
    assert call("CF.MEXISTS", "d", "x", "none") == [1, 0]
    assert call("CF.INFO", "d") == [
        b"Size", 64 + 64, b"Number of buckets", 32, b"Number of filters", 1,
        b"Number of items inserted", 3, b"Number of items deleted", 0, b"Bucket size", 2,
        b"Expansion rate", 1, b"Max iterations", 20,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("x",), "Bad capacity"),
        ((2**63,), "Bad capacity"),
        ((0,), "Capacity must be in the range [2 * BUCKETSIZE, 1073741824]"),
        ((2**40,), "Capacity must be in the range [2 * BUCKETSIZE, 1073741824]"),
        ((9, "BUCKETSIZE", 5), "Capacity must be in the range [2 * BUCKETSIZE, 1073741824]"),
        ((64, "BUCKETSIZE", 256), "BUCKETSIZE: value must be in the range [1, 255]"),
        ((64, "BUCKETSIZE", "x"), "Couldn't parse BUCKETSIZE"),
        ((64, "MAXITERATIONS", 0), "MAXITERATIONS: value must be in the range [1, 65535]"),
        ((64, "EXPANSION", -1), "EXPANSION: value must be in the range [0, 32768]"),
        ((2**30,), "ERR Insufficient memory to create filter"),
    ],
)
def test_bad_cuckoo_reserves_change_nothing(
    harness: EngineHarness, words: tuple[object, ...], error: str
) -> None:
    assert harness.command("CF.RESERVE", "c", *words) == ReplyError(error)
    assert harness.command("EXISTS", "c") == 0


def test_full_cuckoo_filter(harness: EngineHarness) -> None:
    """Where it may not grow, it says so, and what it has stays."""
    call = harness.command
    call("CF.RESERVE", "c", 16, "EXPANSION", 0)
    added = [f"{n}" for n in range(40) if call("CF.ADD", "c", n) == 1]
    assert 10 < len(added) <= 16
    assert call("CF.ADD", "c", "more") == ReplyError("Filter is full")
    assert call("CF.INSERT", "c", "ITEMS", "more") == [-1]
    assert call("CF.MEXISTS", "c", *added) == [1] * len(added)
    call("CF.RESERVE", "d", 4, "BUCKETSIZE", 1, "MAXITERATIONS", 1)
    replies = {str(call("CF.ADD", "d", "same")) for _ in range(80)}
    assert str(ReplyError("Maximum expansions reached")) in replies


@pytest.mark.parametrize("seed", range(3))
def test_cuckoo_filter_has_what_a_bag_has(harness: EngineHarness, seed: int) -> None:
    """Random histories with growth and removals: never a false negative."""
    chance = random.Random(seed)
    call = harness.command
    call("CF.RESERVE", "c", 32, "BUCKETSIZE", 4, "EXPANSION", 2)
    bag: list[str] = []
    for _ in range(600):
        if bag and chance.random() < 0.4:
            item = bag.pop(chance.randrange(len(bag)))
            assert call("CF.DEL", "c", item) == 1
        else:
            item = str(chance.randrange(300))
            assert call("CF.ADD", "c", item) == 1
            bag.append(item)
    for item in set(bag):
        count = call("CF.COUNT", "c", item)
        assert isinstance(count, int)
        assert count >= bag.count(item)
    assert call("CF.MEXISTS", "c", *bag) == [1] * len(bag)


@pytest.mark.parametrize("kind", ["BF", "CF"])
def test_dumped_filters_load_again(harness: EngineHarness, kind: str) -> None:
    call = harness.command
    for number in range(3000):
        call(f"{kind}.ADD", "f", number)
    cursor, data = 0, b""
    while True:
        cursor, data = dumped(call(f"{kind}.SCANDUMP", "f", cursor))
        if cursor == 0:
            break
        assert call(f"{kind}.LOADCHUNK", "g", cursor, data) == "OK"
    assert call("GET", "f") == call("GET", "g")
    assert call(f"{kind}.LOADCHUNK", "f", 1, data or b"x") != "OK"
    payload = call("DUMP", "f")
    call("DEL", "f")
    assert call("RESTORE", "f", 0, payload) == "OK"
    assert call(f"{kind}.EXISTS", "f", 2999) == 1


@pytest.mark.parametrize("kind", ["BF", "CF"])
@pytest.mark.parametrize("seed", range(2))
def test_damaged_heads_do_no_harm(harness: EngineHarness, kind: str, seed: int) -> None:
    """Whatever stands in a head, it is refused or is a filter; it never takes much memory."""
    chance = random.Random(seed)
    call = harness.command
    call(f"{kind}.ADD", "f", "x")
    _, head = dumped(call(f"{kind}.SCANDUMP", "f", 0))
    text = call("GET", "f")
    assert isinstance(text, bytes)
    for _ in range(150):
        damaged = bytearray(head)
        at = chance.randrange(8, len(damaged))
        damaged[at] = chance.choice((0, 1, 0x7F, 0xFF))
        call("DEL", "g")
        small = chance.random() < 0.5 or len(damaged) != len(head)
        if small:
            call(f"{kind}.LOADCHUNK", "g", 1, bytes(damaged[: chance.randrange(len(damaged))]))
        else:
            whole = bytearray(text)
            whole[at] = damaged[at]
            call("SET", "g", bytes(whole))
        for words in (("EXISTS", "x"), ("ADD", "y"), ("INFO",), ("SCANDUMP", 1)):
            reply = call(f"{kind}.{words[0]}", "g", *words[1:])
            assert not str(reply).startswith("ERR internal")
        size = call("STRLEN", "g")
        assert isinstance(size, int)
        assert size < 2_000_000


def test_other_strings_are_no_filters(harness: EngineHarness) -> None:
    call = harness.command
    call("SET", "s", "value")
    call("LPUSH", "l", "value")
    call("CF.ADD", "c", "x")
    for key in ("s", "l", "c"):
        for words in (("ADD", "x"), ("RESERVE", "0.1", 10), ("CARD",), ("INFO",)):
            assert call(f"BF.{words[0]}", key, *words[1:]) == WRONG_TYPE
        assert call("BF.EXISTS", key, "x") == 0  # as RedisBloom says
        assert call("BF.MEXISTS", key, "x", "y") == [0, 0]
    assert [call("CF.EXISTS", "s", "x"), call("CF.COUNT", "s", "x")] == [0, 0]
    assert call("CF.DEL", "s", "x") == ReplyError("Not found")
    assert call("CF.ADD", "s", "x") == WRONG_TYPE


def test_what_changes_nothing_is_not_journalled(harness: EngineHarness) -> None:
    sink = MemorySink()
    harness.engine.settlement.add_sink(sink)
    for words in (
        ("BF.ADD", "b", "x"),
        ("BF.ADD", "b", "x"),
        ("BF.EXISTS", "b", "x"),
        ("CF.ADDNX", "c", "x"),
        ("CF.ADDNX", "c", "x"),
        ("CF.DEL", "c", "x"),
        ("CF.DEL", "c", "x"),
    ):
        harness.command(*words)
    assert sink.commands() == [
        [b"BF.ADD", b"b", b"x"],
        [b"CF.ADDNX", b"c", b"x"],
        [b"CF.DEL", b"c", b"x"],
    ]


def test_commands_that_fail_change_nothing(harness: EngineHarness) -> None:
    """What is journalled is executed again when a file is loaded, where it may not fail."""
    sink = MemorySink()
    harness.engine.settlement.add_sink(sink)
    call = harness.command
    call("CF.RESERVE", "c", 4, "BUCKETSIZE", 1, "EXPANSION", 0)
    replies = [call("CF.ADD", "c", number) for number in range(30)]
    assert ReplyError("Filter is full") in replies
    assert len(sink.commands()) == 1 + replies.count(1)
    there = call("GET", "c")
    assert call("CF.ADDNX", "c", "another") == ReplyError("Filter is full")
    assert call("GET", "c") == there


def test_very_strict_bloom_filters(harness: EngineHarness) -> None:
    call = harness.command
    for key, rate in (("a", "1e-300"), ("b", "1e-40"), ("c", "1e-17")):
        assert call("BF.RESERVE", key, rate, 100) == "OK"
        assert call("BF.MADD", key, *range(1000)) == [1] * 1000
        assert call("BF.MEXISTS", key, *range(1000)) == [1] * 1000


def test_bloom_filter_of_many_layers(harness: EngineHarness) -> None:
    """Each layer is stricter than the last, but has no more hashes than a layer may have."""
    call = harness.command
    call("BF.RESERVE", "b", "0.01", 10, "EXPANSION", 1)
    for start in range(0, 2400, 300):
        call("BF.MADD", "b", *range(start, start + 300))
    assert call("BF.MEXISTS", "b", *range(2400)) == [1] * 2400
    layers = call("BF.INFO", "b", "FILTERS")
    assert isinstance(layers, list)
    assert layers[0] > 130


@pytest.mark.parametrize("kind", ["BF", "CF"])
def test_chunks_beyond_the_end(harness: EngineHarness, kind: str) -> None:
    call = harness.command
    call(f"{kind}.ADD", "f", "x")
    there = call("GET", "f")
    for start in (2**63 - 1, 2**63 - 8, 2**62, 2000):
        assert isinstance(call(f"{kind}.LOADCHUNK", "f", start, "abcdef"), ReplyError)
        cursor, data = dumped(call(f"{kind}.SCANDUMP", "f", start))
        assert (cursor, data) == (0, b"")
    assert call("GET", "f") == there


def test_filter_with_more_items_than_its_head_knows(harness: EngineHarness) -> None:
    """It was dumped while it was written to."""
    call = harness.command
    call("CF.ADD", "s", "a")
    _, head = dumped(call("CF.SCANDUMP", "s", 0))
    assert call("CF.INSERT", "s", "ITEMS", "b", "c") == [1, 1]
    cursor, data = dumped(call("CF.SCANDUMP", "s", 1))
    assert call("CF.LOADCHUNK", "t", 1, head) == "OK"
    assert call("CF.LOADCHUNK", "t", cursor, data) == "OK"
    assert [call("CF.DEL", "t", item) for item in "abc"] == [1, 1, 1]
    assert call("CF.EXISTS", "t", "c") == 0
    info = call("CF.INFO", "t")
    assert isinstance(info, list)
    assert info[7] == 0


def test_cuckoo_filter_with_all_its_tables_takes_items_again(harness: EngineHarness) -> None:
    call = harness.command
    call("CF.RESERVE", "c", 64)
    everything = list(range(3000))
    added = call("CF.INSERT", "c", "ITEMS", *everything)
    assert isinstance(added, list)
    assert added.count(1) > 1800
    assert call("CF.ADD", "c", "more") == ReplyError("Maximum expansions reached")
    for number, reply in zip(everything, added, strict=True):
        assert reply == -1 or call("CF.DEL", "c", number) == 1
    assert call("CF.ADD", "c", "more") == 1


def test_many_items_at_once_are_as_many_one_by_one(harness: EngineHarness) -> None:
    """Also where a command works on copies of pages, and the filter grows amid it."""
    call = harness.command
    items = [f"item {number % 4000}" for number in range(5000)]
    for key in ("b", "b1"):
        call("BF.RESERVE", key, "0.01", 500)
    assert call("BF.MADD", "b", *items) == [call("BF.ADD", "b1", item) for item in items]
    assert call("GET", "b") == call("GET", "b1")
    assert call("CF.INSERT", "c", "ITEMS", *items) == [call("CF.ADD", "c1", i) for i in items]
    assert call("GET", "c") == call("GET", "c1")
