"""Consumer groups of a `KVBackend`'s streams, with their consumers and pending entries."""

from mypy_extensions import i64

from hypercache.backend import BackendError, StreamGroup, StreamValue
from hypercache.keyspace.kv_handle import Handle
from hypercache.keyspace.kv_stream_layout import (
    CONSUMER,
    CONSUMER_NAME,
    PENDING,
    PENDING_OF,
    ConsumerState,
    GroupState,
    State,
    decode_consumer,
    decode_group,
    decode_pending,
    encode_pending,
)
from hypercache.keyspace.layout import Namer, after, number
from hypercache.streams import Consumer, Pending


class KVGroup(StreamGroup):
    """A group, read from the store each time: nothing of it is kept here but its key."""

    def __init__(self, stream: StreamValue, handle: Handle, namer: Namer, key: bytes) -> None:
        self.stream = stream
        self.handle = handle
        self.namer = namer
        self.key = key

    def _load(self) -> GroupState:
        self.handle.use()
        raw = self.handle.kv.get(self.key)
        if raw is None:
            raise BackendError("a consumer group was used after it was removed")
        return decode_group(raw)

    def _save(self, state: GroupState, pending: i64) -> None:
        """Store the group with another number of pending entries, if it has another."""
        if pending != state.pending:
            state.pending = pending
            self.handle.kv.put(self.key, state.encode())

    def _settle(self) -> None:
        """The end of a change."""
        self.handle.settle(self.handle.record.length)
        self.stream.changes += 1

    def _under(self, state: GroupState, tag: bytes) -> bytes:
        return self.handle.prefix + state.under(tag)

    # The group itself --------------------------------------------------------------------------

    def name(self) -> bytes:
        return self._load().name

    def last_id(self) -> bytes:
        return self._load().last_id

    def entries_read(self) -> int:
        return self._load().entries_read

    def set_position(self, last_id: bytes, entries_read: int) -> None:
        state = self._load()
        state.last_id = last_id
        state.entries_read = entries_read
        with self.handle.store:
            self.handle.kv.put(self.key, state.encode())
            self._settle()

    # Pending entries -----------------------------------------------------------------------------

    def pending_count(self) -> int:
        return self._load().pending

    def pending(self, entry_id: bytes) -> Pending | None:
        state = self._load()
        raw = self.handle.kv.get(self._under(state, PENDING) + entry_id)
        if raw is None:
            return None
        owner, time, count = decode_pending(raw)
        return Pending(entry_id, self._consumer_state(state, owner).name, time, count)

    def set_pending(self, pending: Pending) -> None:
        handle = self.handle
        state = self._load()
        owner = self._consumer_number(state, pending.consumer)
        if owner is None:
            raise BackendError(f"set_pending: there is no consumer {pending.consumer!r}")
        key = self._under(state, PENDING) + pending.id
        raw = encode_pending(owner, pending.time, pending.count)
        old = handle.kv.get(key)
        with handle.store:
            if old is None:
                handle.add(key, raw)
                self._save(state, state.pending + 1)
                self._own(state, owner, pending.id)
            else:
                handle.replace(key, raw, old)
                previous = decode_pending(old)[0]
                if previous != owner:
                    self._disown(state, previous, pending.id)
                    self._own(state, owner, pending.id)
            self._settle()

    def remove_pending(self, entry_id: bytes) -> bool:
        handle = self.handle
        state = self._load()
        key = self._under(state, PENDING) + entry_id
        old = handle.kv.get(key)
        if old is None:
            return False
        with handle.store:
            handle.drop(key, old)
            self._save(state, state.pending - 1)
            self._disown(state, decode_pending(old)[0], entry_id)
            self._settle()
        return True

    def _own(self, state: GroupState, consumer: bytes, entry_id: bytes) -> None:
        """Give a consumer a pending entry."""
        self.handle.add(self._under(state, PENDING_OF) + consumer + entry_id, b"")
        self._count(state, consumer, 1)

    def _disown(self, state: GroupState, consumer: bytes, entry_id: bytes) -> None:
        """Take a pending entry from a consumer."""
        self.handle.drop(self._under(state, PENDING_OF) + consumer + entry_id, b"")
        self._count(state, consumer, -1)

    def _count(self, state: GroupState, consumer: bytes, difference: i64) -> None:
        owner = self._consumer_state(state, consumer)
        owner.pending += difference
        self.handle.kv.put(self._under(state, CONSUMER) + consumer, owner.encode())

    def pending_bounds(self) -> tuple[bytes, bytes] | None:
        state = self._load()
        if state.pending == 0:
            return None
        prefix = self._under(state, PENDING)
        stop = after(prefix)
        first = self.handle.kv.range(prefix, stop, 1)[0][0]
        last = self.handle.kv.range(prefix, stop, 1, True)[0][0]
        return first[len(prefix) :], last[len(prefix) :]

    def pending_range(
        self, start: bytes, stop: bytes, limit: i64, consumer: bytes | None
    ) -> list[Pending]:
        state = self._load()
        kv = self.handle.kv
        entries = self._under(state, PENDING)
        if limit < 1:
            return []
        if consumer is None:
            pairs = kv.range(entries + start, entries + stop + b"\x00", int(limit))
        else:
            owner = self._consumer_number(state, consumer)
            if owner is None:
                return []
            prefix = self._under(state, PENDING_OF) + owner
            owned = kv.range(prefix + start, prefix + stop + b"\x00", int(limit))
            pairs = []
            for key, _ in owned:
                place = entries + key[len(prefix) :]
                pairs.append((place, kv.get(place) or b""))
        names: dict[bytes, bytes] = {}
        found: list[Pending] = []
        for key, raw in pairs:
            owner, time, count = decode_pending(raw)
            name = names.get(owner)
            if name is None:
                name = self._consumer_state(state, owner).name
                names[owner] = name
            found.append(Pending(key[len(entries) :], name, time, count))
        return found

    # Consumers -----------------------------------------------------------------------------------

    def _consumer_number(self, state: GroupState, name: bytes) -> bytes | None:
        """The six bytes by which a consumer's keys have it, or None."""
        return self.handle.kv.get(self._under(state, CONSUMER_NAME) + self.namer.name(name))

    def _consumer_state(self, state: GroupState, consumer: bytes) -> ConsumerState:
        """What is stored of a consumer that is there."""
        raw = self.handle.kv.get(self._under(state, CONSUMER) + consumer)
        if raw is None:
            raise BackendError("the store is damaged: a consumer is missing")
        return decode_consumer(raw)

    def consumers(self) -> list[Consumer]:
        state = self._load()
        found: list[Consumer] = []
        for _, raw in self.handle.pairs(self._under(state, CONSUMER)):
            found.append(_present(decode_consumer(raw)))
        found.sort(key=_name)
        return found

    def consumer(self, name: bytes) -> Consumer | None:
        state = self._load()
        consumer = self._consumer_number(state, name)
        return None if consumer is None else _present(self._consumer_state(state, consumer))

    def set_consumer(self, name: bytes, seen: i64, active: i64) -> bool:
        handle = self.handle
        state = self._load()
        consumer = self._consumer_number(state, name)
        with handle.store:
            if consumer is not None:
                owner = self._consumer_state(state, consumer)
                owner.seen = seen
                owner.active = active
                handle.kv.put(self._under(state, CONSUMER) + consumer, owner.encode())
                return False
            stream = State(handle.record.extra)
            consumer = number(stream.next_number)
            stream.next_number += 1
            handle.set_extra(stream.encode())
            handle.add(self._under(state, CONSUMER_NAME) + self.namer.name(name), consumer)
            key = self._under(state, CONSUMER) + consumer
            handle.add(key, ConsumerState(seen, active, 0, name).encode())
            self._settle()
        return True

    def remove_consumer(self, name: bytes) -> bool:
        handle = self.handle
        state = self._load()
        consumer = self._consumer_number(state, name)
        if consumer is None:
            return False
        with handle.store:
            prefix = self._under(state, PENDING_OF) + consumer
            owned = 0
            for entry, _ in handle.pairs(prefix):
                key = self._under(state, PENDING) + entry[len(prefix) :]
                handle.drop(key, handle.kv.get(key) or b"")
                owned += 1
            handle.drop_all(prefix)
            key = self._under(state, CONSUMER) + consumer
            handle.drop(key, handle.kv.get(key) or b"")
            handle.drop(self._under(state, CONSUMER_NAME) + self.namer.name(name), consumer)
            self._save(state, state.pending - owned)
            self._settle()
        return True


def _present(state: ConsumerState) -> Consumer:
    return Consumer(state.name, state.seen, state.active, state.pending)


def _name(consumer: Consumer) -> bytes:
    return consumer.name
