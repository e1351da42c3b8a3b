"""What a journal says, repeated on an empty engine, gives the same data: for random commands.

Append-only files and replicas rest on this. The times at which consumers were last seen are
left out: repeating moves them, as in Redis. So is reading the own pending entries once more:
that counts a delivery, and is journalled neither here nor there.
"""

import random
from typing import Final

import pytest

from hypercache.backend import NO_EXPIRE, Entry
from hypercache.engine.journal import Record, Sink
from hypercache.keyspace.digest import digest_value
from hypercache.keyspace.kv_backend import KVBackend
from hypercache.persistence.errors import LoadError
from hypercache.persistence.loader import Loader
from hypercache.streams import MAX_ID, MIN_ID, StreamGroup, StreamValue
from hypercache.testing import SortedDictKV
from hypercache.testing.engine import EngineHarness
from hypercache.testing.resp import encode
from hypercache.values import HashValue
from tests.machine.machine import registry, sequence
from tests.machine.script import Limits, Script, Unit

SCRIPT: Final = Script(registry().every(), Limits())
SEEDS: Final = 12


class Journal(Sink):
    """Keeps every record."""

    def __init__(self) -> None:
        super().__init__("journal")
        self.records: list[Record] = []

    def write(self, records: list[Record]) -> None:
        self.records += records


def rereads(unit: Unit) -> bool:
    """Whether it has a consumer read what it has got before: its ids are not all ``>``."""
    for request in unit:
        words = [word.upper() for word in request]
        if words[0] == b"XREADGROUP" and b"STREAMS" in words:
            names = words[words.index(b"STREAMS") + 1 :]
            if set(names[len(names) // 2 :]) != {b">"}:
                return True
    return False


def group_state(group: StreamGroup) -> object:
    pending = group.pending_range(MIN_ID, MAX_ID, group.pending_count(), None)
    return (
        group.name(),
        group.last_id(),
        group.entries_read(),
        [(each.id, each.consumer, each.time, each.count) for each in pending],
        sorted(each.name for each in group.consumers()),
    )


def state_of(entry: Entry) -> object:
    """Everything that clients can find out about a key, but when it was used."""
    value = entry.value
    more: object = None
    if isinstance(value, StreamValue):
        more = (
            value.last_id(),
            value.max_deleted_id(),
            value.entries_added(),
            sorted(map(repr, map(group_state, value.groups()))),
        )
    elif isinstance(value, HashValue) and value.next_deadline() != NO_EXPIRE:
        more = sorted((field, value.deadline(field)) for field, _ in value.items())
    return digest_value(entry), entry.expire, more


def contents(harness: EngineHarness) -> dict[tuple[int, bytes], object]:
    found: dict[tuple[int, bytes], object] = {}
    for keyspace in harness.engine.keyspaces:
        for key in list(keyspace.store.keys()):
            entry = keyspace.store.find(key)
            assert entry is not None
            found[keyspace.index, key] = state_of(entry)
    return found


def repeated(records: list[Record]) -> dict[tuple[int, bytes], object]:
    """What an empty engine has after these records."""
    target = EngineHarness()
    target.clock.now += 10**15  # long after: everything with a deadline is past it
    loader = Loader(target.engine)
    loader.begin()
    for record in records:
        for effect in record.effects:
            try:
                loader.command(effect.database, list(effect.args))
            except LoadError as error:
                raise AssertionError(f"{effect.args}: {error}") from error
    assert target.engine.journal.offset == 0
    found = contents(target)
    for keyspace in target.engine.keyspaces:
        assert keyspace.store.check() == []
    target.close()
    return found


@pytest.mark.parametrize("kind", ["memory", "kv"])
def test_repeating_a_journal_gives_the_same_data(kind: str) -> None:
    for number in range(SEEDS):
        seed = f"replay/{kind}/{number}"
        harness = EngineHarness(KVBackend(SortedDictKV()) if kind == "kv" else None)
        journal = Journal()
        harness.engine.settlement.add_sink(journal)
        chance = random.Random(seed)
        for unit in sequence(SCRIPT, seed)[1]:
            if rereads(unit):
                continue
            harness.first.send(b"".join(encode(*request) for request in unit))
            if chance.random() < 0.05:
                harness.advance(chance.choice((1, 1000, 10**6)))
                harness.tick()
        assert repeated(journal.records) == contents(harness), seed
        harness.close()
