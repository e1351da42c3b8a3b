"""The memory backend's hashes against a dict, packed and in a table, and deadlines of fields."""

from hypercache_memory import pairs
from hypercache_memory.field_deadlines import FieldDeadlines
from hypercache_memory.hashes import MOST_PACKED, MemoryHash
from hypothesis import given, settings
from hypothesis import strategies as st

from hypercache.backend import NO_EXPIRE, EncodingLimits

#: Lengths around those where a length takes more bytes, and where a hash gets a table.
SIZES = (0, 1, 2, 126, 127, 128, 129, 255, 256, 700, 2100)
TEXTS = st.one_of(
    st.binary(max_size=3), st.sampled_from([b"t" * size for size in SIZES]), st.just(b"a" * 127)
)
STEPS = st.lists(st.tuples(st.sampled_from(["set", "set", "set", "remove"]), TEXTS, TEXTS))


def fresh() -> MemoryHash:
    return MemoryHash(EncodingLimits())


def filled(size: int) -> MemoryHash:
    fields = fresh()
    for number in range(size):
        fields.set(b"field:%d" % number, b"value:%d" % number)
    return fields


@given(STEPS)
def test_a_hash_is_a_dict(steps: list[tuple[str, bytes, bytes]]) -> None:
    fields = fresh()
    model: dict[bytes, bytes] = {}
    for name, field, value in steps:
        if name == "set":
            assert fields.set(field, value) == (field not in model)
            model[field] = value
        else:
            assert fields.remove(field) == (model.pop(field, None) is not None)
        assert fields.length() == len(model)
        assert fields.get(field) == model.get(field)
    assert dict(fields.items()) == model
    assert dict(fields.scan(0, 1 << 40)[1]) == model
    twin = fields.copy()
    twin.set(b"more", b"in the copy only")
    assert dict(fields.items()) == model
    for pick in range(len(model)):
        assert fields.sample(pick)[0] in model


@given(st.dictionaries(TEXTS, TEXTS, max_size=20))
def test_pairs_come_out_as_they_went_in(model: dict[bytes, bytes]) -> None:
    packed = b""
    for field, value in model.items():
        assert pairs.find(packed, field) < 0
        packed = pairs.added(packed, field, value)
    assert pairs.unpacked(packed) == list(model.items())
    for number, (field, value) in enumerate(model.items()):
        at = pairs.find(packed, field)
        assert pairs.text(packed, pairs.following(packed, at)) == value
        assert pairs.nth(packed, number) == (field, value)
        replaced = dict(pairs.unpacked(pairs.replaced(packed, at, b"n" * 200)))
        assert replaced == model | {field: b"n" * 200}
        assert dict(pairs.unpacked(pairs.without(packed, at))) == {
            other: text for other, text in model.items() if other != field
        }


def test_what_looks_like_a_field_inside_a_value_is_none() -> None:
    fields = fresh()
    fields.set(b"a", b"\x01b\x01c")
    fields.set(b"x", b"")
    assert fields.get(b"b") is None
    assert fields.get(b"\x01b\x01c") is None
    assert fields.get(b"") is None
    assert not fields.remove(b"b")


def test_a_small_hash_keeps_its_order() -> None:
    fields = filled(4)
    fields.set(b"field:1", b"another value")
    fields.remove(b"field:0")
    fields.set(b"field:0", b"v")
    assert [field for field, _ in fields.items()] == [b"field:%d" % n for n in (1, 2, 3, 0)]


def test_small_hashes_take_little() -> None:
    empty = fresh().memory()
    assert filled(10).memory() - empty < 260
    assert filled(MOST_PACKED).memory() - empty < 1600
    assert filled(MOST_PACKED + 1).memory() - empty > 5000


def test_memory_comes_back() -> None:
    fields = filled(1000)
    assert fields.memory() > 100_000
    for number in range(990):
        fields.remove(b"field:%d" % number)
    assert fields.memory() < 4000
    assert fields.copy().memory() == fields.memory()
    fields.set_deadline(b"field:999", 5)
    most = fields.memory()
    fields.set_deadline(b"field:999", NO_EXPIRE)
    assert fields.memory() < most


def test_the_encoding_follows_the_limits_one_way() -> None:
    limits = EncodingLimits()
    limits.hash_entries = 3
    limits.hash_value = 5
    fields = MemoryHash(limits)
    for number in range(3):
        fields.set(b"%d" % number, b"12345")
    assert fields.encoding() == "listpack"
    limits.hash_entries = 2
    fields.set(b"2", b"again")
    assert fields.encoding() == "listpack"
    limits.hash_entries = 3
    fields.set(b"3", b"")
    assert fields.encoding() == "hashtable"
    fields.remove(b"3")
    assert fields.encoding() == "hashtable"
    assert fields.copy().encoding() == "hashtable"
    for field, value in ((b"123456", b""), (b"", b"123456")):
        fields = MemoryHash(limits)
        fields.set(field, value)
        assert fields.encoding() == "hashtable"
    fields = filled(200)
    assert fields.encoding() == "listpack"


def test_shedding_frees_in_slices() -> None:
    fields = filled(1000)
    slices = [fields.shed(300) for _ in range(4)]
    assert slices == [300, 300, 300, 100]
    assert fields.shed(300) == 0


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(st.sampled_from(["set", "set", "remove", "due"]), st.integers(0, 5)), max_size=400
    )
)
def test_deadlines_are_kept_in_order(steps: list[tuple[str, int]]) -> None:
    deadlines = FieldDeadlines()
    model: dict[bytes, int] = {}
    for number, (name, which) in enumerate(steps):
        field = b"%d" % which
        if name == "set":
            model[field] = number * 7919 % 50
            deadlines.set(field, model[field])
        elif name == "remove":
            assert deadlines.remove(field) == (model.pop(field, None) is not None)
        else:
            due = deadlines.due(25, which)
            assert len(set(due)) == len(due)
            expected = sorted(each for each in model.values() if each <= 25)[:which]
            assert [model[each] for each in due] == expected
        assert deadlines.earliest == min(model.values(), default=NO_EXPIRE)
        assert deadlines.get(field) == model.get(field, NO_EXPIRE)
        assert len(deadlines) == len(model)


def test_renewing_a_deadline_leaves_nothing_behind() -> None:
    deadlines = FieldDeadlines()
    for number in range(10_000):
        deadlines.set(b"f", 1000)
        deadlines.set(b"g", 2000 + number)
    assert len(deadlines._heap) < 100
    assert deadlines.due(1 << 60, 10) == [b"f", b"g"]


def test_check_finds_what_is_wrong() -> None:
    fields = filled(100)
    fields.set_deadline(b"field:1", 5)
    assert fields.check() == []
    assert fields._table is not None
    assert fields._deadlines is not None
    fields._table.content += 1
    fields._table.members.items[3] = b"another"
    fields._deadlines.set(b"none", 7)
    assert len(fields.check()) == 3
    fields = filled(10)
    fields._count += 1
    assert fields.check() == ["a hash counts 11 fields, 10 are packed"]
