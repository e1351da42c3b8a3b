"""Faults on purpose: what they do, and that a store that answers short is found out in words."""

import time
from typing import cast

import pytest

from hypercache.backend import (
    HASH,
    LIST,
    NO_EXPIRE,
    SET,
    STREAM,
    ZSET,
    Backend,
    BackendError,
    BackendFull,
    Database,
    HashValue,
    ListValue,
    SetValue,
    StreamValue,
    ZSetValue,
)
from hypercache.keyspace.kv_backend import KVBackend
from hypercache.keyspace.ordered import OrderedKV
from hypercache.streams import MIN_ID
from hypercache.testing import (
    ConformanceError,
    FaultPlan,
    FaultyBackend,
    FaultyKV,
    SortedDictKV,
    backend_checks,
    ordered_checks,
)
from hypercache.testing.faults import KV_CALLS
from tests.contract.stores import SALT
from tests.contract.tiny import TinyBackend

FULL = BackendFull("no room left")


def opened(plan: FaultPlan) -> FaultyKV:
    kv = FaultyKV(SortedDictKV(), plan)
    kv.open()
    return kv


# The plan --------------------------------------------------------------------------------------


def test_fault_happens_at_its_call_and_as_often_as_planned() -> None:
    plan = FaultPlan()
    kv = opened(plan)
    plan.raise_at(2, FULL, call="get", times=2)
    outcomes = []
    for _ in range(5):
        kv.range(b"a", b"b", 1)
        try:
            kv.get(b"key")
            outcomes.append("fine")
        except BackendFull:
            outcomes.append("full")
    assert outcomes == ["fine", "full", "full", "fine", "fine"]
    assert (plan.calls, plan.happened) == (10, 2)


def test_calls_are_counted_from_the_plan_on_and_can_be_forgotten() -> None:
    plan = FaultPlan()
    kv = opened(plan)
    kv.get(b"key")
    plan.raise_at(1, FULL)
    with pytest.raises(BackendFull):
        kv.get(b"key")
    plan.raise_at(1, FULL)
    plan.forget()
    assert kv.get(b"key") is None


def test_stall_waits_and_goes_on() -> None:
    plan = FaultPlan()
    kv = opened(plan)
    plan.stall_at(1, lambda: time.sleep(0.01), call="put")
    kv.begin()
    began = time.perf_counter()
    kv.put(b"key", b"value")
    assert time.perf_counter() - began >= 0.01
    kv.commit()
    assert kv.get(b"key") == b"value"


def test_failed_commit_is_over_and_undone() -> None:
    plan = FaultPlan()
    kv = opened(plan)
    kv.begin()
    kv.put(b"key", b"value")
    plan.raise_at(1, FULL)
    with pytest.raises(BackendFull):
        kv.commit()
    assert kv.get(b"key") is None
    kv.begin()
    kv.commit()


def test_plan_of_a_backend_knows_its_methods() -> None:
    plan = FaultPlan()
    backend = FaultyBackend(TinyBackend(), plan)
    database = backend.open(1)[0]
    backend.begin()
    plan.raise_at(1, FULL, call="put")
    with pytest.raises(BackendFull):
        database.put(b"key", b"value", NO_EXPIRE)
    with pytest.raises(BackendError, match=r"to be rolled back: BackendFull: no room left"):
        backend.commit()
    backend.rollback()
    backend.begin()
    database.put(b"key", b"value", NO_EXPIRE)
    backend.commit()
    plan.shorten_at(1, call="find")
    assert database.find(b"key") is None
    assert database.find(b"key") is not None


#: Rules that call all that a `FaultyBackend` hands on.
THROUGH = (
    "the_access_clock_is_kept",
    "due_is_never_early",
    "field_deadlines_follow_their_hash",
    "swap_exchanges_two_databases",
    "memory_is_balanced",
    "statistics_are_numbers",
    "a_snapshot_stays_as_it_was",
    "sync_runs_beside_units",
    "a_durable_backend_keeps_its_data",
    "a_failure_leaves_the_last_commit",
    "a_failed_commit_is_undone",
    "a_failed_read_changes_nothing",
    "a_stall_changes_nothing",
    "failed_work_beside_units_is_harmless",
    "random_programs_agree_with_a_model",
)


@pytest.mark.parametrize("name", THROUGH)
def test_backend_without_faults_is_as_good_as_the_one_inside(name: str) -> None:
    def wrapped(kv: OrderedKV, plan: FaultPlan | None = None) -> FaultyBackend:
        return FaultyBackend(KVBackend(kv), plan or FaultPlan())

    def reopen(old: Backend) -> Backend:
        assert isinstance(old, FaultyBackend)
        assert isinstance(old.backend, KVBackend)
        assert isinstance(old.backend.kv, SortedDictKV)
        return wrapped(SortedDictKV(old.backend.kv.data))

    (check,) = [each for each in backend_checks() if each.name == name]
    check.run(
        lambda: wrapped(SortedDictKV()),
        reopen=reopen,
        faulty=lambda plan: wrapped(SortedDictKV(), plan),
        examples=10,
    )


# Stores that answer short ----------------------------------------------------------------------

#: What a store has to be short in, the rule that finds it, and words of its failure.
SHORT = (
    ("get", "keys_and_values", "get("),
    ("range", "order", "range("),
    ("put", "keys_and_values", "get("),
    ("exchange", "exchange", "get("),
    ("delete", "keys_and_values", "delete("),
    ("delete_range", "order", "range("),
    ("commit", "transactions", "delete("),
)


@pytest.mark.parametrize(("call", "name", "words"), SHORT, ids=[each[0] for each in SHORT])
@pytest.mark.parametrize("number", [1, 2])
def test_store_that_is_short_is_found_out(call: str, name: str, words: str, number: int) -> None:
    def make() -> OrderedKV:
        plan = FaultPlan()
        plan.shorten_at(number if call != "commit" else 1, call=call, times=1 << 30)
        return FaultyKV(SortedDictKV(), plan)

    (check,) = [each for each in ordered_checks() if each.name == name]
    with pytest.raises(ConformanceError) as caught:
        check.run(make)
    assert words in f"{caught.value.expected} | {caught.value.got}"


def test_names_of_calls_are_those_of_methods() -> None:
    assert [name for name in KV_CALLS if not hasattr(OrderedKV, name)] == []


def fill(databases: list[Database]) -> None:
    """Values of every type, changes and removals."""
    first, second = databases
    hash_ = cast(HashValue, first.create(b"hash", HASH).value)
    list_ = cast(ListValue, first.create(b"list", LIST).value)
    set_ = cast(SetValue, first.create(b"set", SET).value)
    zset = cast(ZSetValue, first.create(b"zset", ZSET).value)
    stream = cast(StreamValue, first.create(b"stream", STREAM).value)
    for number in range(20):
        deadline = 1000 + number if number % 2 else NO_EXPIRE
        first.put(b"key %d" % number, b"v" * 150 * number, deadline)
        hash_.set(b"field %d" % number, b"value")
        list_.push_right(b"element")
        set_.add(b"member %d" % number)
        zset.set(b"member %d" % number, 1.5)
    hash_.set_deadline(b"field 3", 77)
    first.expire_fields(b"hash", 77)
    zset.remove(b"member 7")
    stream.append(MIN_ID[:-1] + b"\x01", [b"n", b"v"])
    stream.create_group(b"group", MIN_ID, 0).set_consumer(b"consumer", 1, 1)
    for key in (b"key 3", b"key 19", b"set"):
        first.unlink(key)
    first.expire(b"zset", 77)
    first.move(b"list", second, b"moved")
    first.copy(b"hash", second, b"copied")


def stored(plan: FaultPlan, call: str = "", number: int = 0) -> tuple[SortedDictKV, list[str]]:
    """What a store has after a unit in which one call was short, and what is said of it."""
    kv = SortedDictKV()
    backend = KVBackend(FaultyKV(kv, plan), salt=SALT)
    databases = backend.open(2)
    if number:
        plan.shorten_at(number, call=call)
    backend.begin()
    try:
        fill(databases)
        backend.commit()
        again = KVBackend(SortedDictKV(kv.data))
        return kv, [text for database in again.open(2) for text in database.check()]
    except BackendError as error:
        return kv, [str(error)]


@pytest.mark.parametrize("call", ["put", "exchange", "delete", "delete_range"])
def test_every_write_that_was_short_is_found(call: str) -> None:
    whole, found = stored(FaultPlan())
    assert found == []
    number, harmful = 1, 0
    while True:
        plan = FaultPlan()
        kv, found = stored(plan, call, number)
        if plan.happened == 0:
            break
        if kv.data != whole.data:
            assert found, f"the {number}th {call} was short"
            assert all(text.strip() for text in found)
            harmful += 1
        number += 1
    assert harmful > 0
