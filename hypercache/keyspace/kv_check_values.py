# mypyc: interpreted
"""Whether the elements of one value of a `KVBackend` are what its record says."""

from collections import Counter
from collections.abc import Iterator
from itertools import zip_longest

from hypercache.backend import NO_EXPIRE
from hypercache.keyspace import layout
from hypercache.keyspace.kv_chunks import decode_chunk, encode_chunk, split
from hypercache.keyspace.kv_labels import NONE, label_of
from hypercache.keyspace.kv_lists import packed_size
from hypercache.keyspace.kv_positions import (
    BEHIND_CHUNKS,
    OPEN,
    encode_span,
    level_of_label,
    span_key,
)
from hypercache.keyspace.kv_ranks import TOP, decode_count, level_of
from hypercache.keyspace.kv_scores import decode_element, encode_member, longest_place
from hypercache.keyspace.kv_store import CHUNK, OBJECT_PREFIXES
from hypercache.keyspace.kv_stream_layout import (
    CONSUMER,
    CONSUMER_NAME,
    ENTRY,
    GROUP,
    PENDING,
    PENDING_OF,
    GroupState,
    State,
    decode_consumer,
    decode_group,
    decode_pending,
)
from hypercache.keyspace.layout import Namer, Record
from hypercache.keyspace.ordered import OrderedKV
from hypercache.listpack import string_size


def walk(kv: OrderedKV, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
    """All pairs whose keys begin with ``prefix``, in order."""
    start = prefix
    stop = layout.after(prefix)
    while True:
        pairs = kv.range(start, stop, CHUNK)
        yield from pairs
        if len(pairs) < CHUNK:
            return
        start = pairs[-1][0] + b"\x00"


class ValueAudit:
    """A walk through one object."""

    def __init__(self, kv: OrderedKV, namer: Namer, record: Record) -> None:
        self.kv = kv
        self.namer = namer
        self.record = record
        self.number = layout.number(record.object)
        self.prefix = layout.ELEMENT + self.number
        self.wrong: list[str] = []

    def used(self) -> int:
        """Bytes of all that lies under the object."""
        return sum(
            len(key) + len(value) + self.kv.pair_overhead
            for prefix in OBJECT_PREFIXES
            for key, value in walk(self.kv, prefix + self.number)
        )

    def run(self) -> list[str]:
        """What is wrong, in words."""
        self._compare("bytes of elements", self.record.used, self.used())
        if self.record.form == layout.FIELDS:
            self._fields()
        elif self.record.form == layout.MEMBERS:
            self._compare("members", self.record.length, len(self._names(self.prefix)))
        elif self.record.form == layout.CHUNKS:
            self._chunks()
        elif self.record.form == layout.RANKED:
            self._ranked()
        elif self.record.form == layout.LOG:
            self._log()
        return self.wrong

    def _compare(self, what: str, counted: int, found: int) -> None:
        if counted != found:
            self.wrong.append(f"counts {counted} {what}, has {found}")

    def _names(self, prefix: bytes) -> dict[bytes, bytes]:
        """All names under a prefix, and of what; each must be that of what it stands for."""
        names: dict[bytes, bytes] = {}
        for key, raw in walk(self.kv, prefix):
            name = key[len(prefix) :]
            original = layout.decode_field(name, raw)[0]
            if self.namer.name(original) != name:
                self.wrong.append(f"has {original!r} under another's name")
            names[name] = original
        return names

    def _fields(self) -> None:
        names = self._names(self.prefix)
        self._compare("fields", self.record.length, len(names))
        deadlines = layout.FIELD_DEADLINE + self.number
        due = layout.FIELD_DUE + self.number
        expected: dict[bytes, bytes] = {}
        earliest = NO_EXPIRE
        for key, raw in walk(self.kv, deadlines):
            name = key[len(deadlines) :]
            expected[raw + name] = names.get(name, b"") if layout.is_digest(name) else b""
            deadline = layout.decode_deadline(raw)
            earliest = deadline if earliest == NO_EXPIRE else min(earliest, deadline)
            if name not in names:
                self.wrong.append(f"has a deadline for the field {name!r}, which is not there")
        if expected != {key[len(due) :]: raw for key, raw in walk(self.kv, due)}:
            self.wrong.append("has an index of its fields' deadlines that differs from them")
        if earliest != layout.earliest_deadline(self.record):
            self.wrong.append("has another earliest deadline of its fields than it says")

    def _chunks(self) -> None:
        elements = 0
        packed = 0
        levels: list[list[tuple[bytes, int]]] = [[] for _ in range(TOP + 1)]
        found: list[tuple[bytes, bytes]] = []
        for key, chunk in walk(self.kv, self.prefix):
            label = key[len(self.prefix) :]
            if label >= BEHIND_CHUNKS:
                found.append((label, chunk))
                continue
            run = decode_chunk(chunk)
            if elements > 0:
                for level in levels[1 : 1 + level_of_label(self.namer, label)]:
                    level.append((label, elements))
            elements += len(run)
            packed += sum(map(string_size, run))
            if encode_chunk(run) != chunk or len(split(run)) != 1:
                self.wrong.append(f"has a chunk that is not one under {key!r}")
        expected: list[tuple[bytes, bytes]] = []
        for number, level in enumerate(levels):
            for (label, position), following in zip_longest(level, level[1:]):
                raw = OPEN if following is None else encode_span(following[1] - position)
                expected.append((span_key(number, label), raw))
        if found != expected:
            self.wrong.append("has an index of its chunks that differs from them")
        self._compare("elements", self.record.length, elements)
        self._compare("bytes of a listpack", packed_size(self.record), packed)

    def _ranked(self) -> None:
        """The index is what its elements make it, whatever was added and removed."""
        height = self.record.extra[0]
        longest = longest_place(self.kv.max_key_size)
        members: dict[bytes, bytes] = {}
        order: list[tuple[float, bytes]] = []
        levels: list[list[tuple[bytes, int]]] = [[(b"", 0)] for _ in range(height)]
        prefix = self.prefix + b"\x00"
        for rank, (key, raw) in enumerate(walk(self.kv, prefix)):
            place = key[len(prefix) :]
            member, score = decode_element(place, raw)
            order.append((score, member))
            name = self.namer.name(member)
            is_long = len(member) > longest
            label = label_of(place) if is_long else NONE
            members[name] = encode_member(name, member, score, label)
            if level_of(name) > height:
                self.wrong.append(f"has fewer levels than {member!r}")
            for level in levels[: level_of(name)]:
                level.append((place, rank))
        if order != sorted(order):
            self.wrong.append("has an index that is not in order")
        self._compare("members", self.record.length, len(members))
        prefix = self.prefix + layout.ZSET_MEMBER
        if members != {key[len(prefix) :]: raw for key, raw in walk(self.kv, prefix)}:
            self.wrong.append("has an index that differs from its members")
        for number, level in enumerate(levels, 1):
            prefix = self.prefix + bytes((number,))
            ranks = [rank for _, rank in level[1:]] + [len(order)]
            expected = [
                (place, following - rank)
                for (place, rank), following in zip(level, ranks, strict=True)
            ]
            found = [(key[len(prefix) :], decode_count(raw)) for key, raw in walk(self.kv, prefix)]
            if found != expected or (len(level) == 1 and number == height):
                self.wrong.append(f"has wrong counts on level {number} of its index")

    def _log(self) -> None:
        state = State(self.record.extra)
        prefix = self.prefix + ENTRY
        ids = [key[len(prefix) :] for key, _ in walk(self.kv, prefix)]
        self._compare("entries", self.record.length, len(ids))
        if ids and ids[-1] > state.last_id:
            self.wrong.append("has entries behind the last id")
        groups: set[bytes] = set()
        prefix = self.prefix + GROUP
        for key, raw in walk(self.kv, prefix):
            group = decode_group(raw)
            groups.add(layout.number(group.number))
            if self.namer.name(group.name) != key[len(prefix) :]:
                self.wrong.append(f"has the group {group.name!r} under another's name")
            self._group(group)
        for tag in (CONSUMER_NAME, CONSUMER, PENDING, PENDING_OF):
            prefix = self.prefix + tag
            for key, raw in walk(self.kv, prefix):
                if key[len(prefix) : len(prefix) + layout.NUMBER] not in groups:
                    self.wrong.append(f"has {tag!r} of a group that is not there")
                if tag == CONSUMER_NAME and int.from_bytes(raw, "big") >= state.next_number:
                    self.wrong.append("would give a consumer's number twice")

    def _group(self, group: GroupState) -> None:
        """Numbers, names and pending entries of a group's consumers agree."""
        prefix = self.prefix + group.under(PENDING)
        pending = Counter[bytes]()
        owned: set[bytes] = set()
        for key, raw in walk(self.kv, prefix):
            consumer = decode_pending(raw)[0]
            pending[consumer] += 1
            owned.add(consumer + key[len(prefix) :])
        if group.pending != pending.total():
            self.wrong.append(f"counts {group.pending} pending entries, has {pending.total()}")
        prefix = self.prefix + group.under(PENDING_OF)
        if owned != {key[len(prefix) :] for key, _ in walk(self.kv, prefix)}:
            self.wrong.append("has pending entries that differ from those of the consumers")
        prefix = self.prefix + group.under(CONSUMER)
        names: dict[bytes, bytes] = {}
        for key, raw in walk(self.kv, prefix):
            number = key[len(prefix) :]
            state = decode_consumer(raw)
            names[self.namer.name(state.name)] = number
            if state.pending != pending.pop(number, 0):
                self.wrong.append(f"has a wrong count of pending entries of {state.name!r}")
        if pending:
            self.wrong.append("has pending entries of a consumer that is not there")
        prefix = self.prefix + group.under(CONSUMER_NAME)
        if names != {key[len(prefix) :]: number for key, number in walk(self.kv, prefix)}:
            self.wrong.append("has names of consumers that differ from them")
