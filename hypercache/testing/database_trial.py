"""A database on trial: every call is made on it and on a model, and compared."""

from collections.abc import Callable
from random import Random
from typing import cast

from hypercache.backend import (
    KIND_NAMES,
    NO_EXPIRE,
    Database,
    Entry,
    HashValue,
    ListValue,
    SetValue,
    StreamValue,
    StringValue,
    Value,
    ZSetValue,
)
from hypercache.testing.conformance import Recorder, describe
from hypercache.testing.model import Data, Held, Model, Scores, empty
from hypercache.testing.stream_model import StreamModel, describe_stream, read_stream


class Bench(Recorder):
    """Where databases are on trial: the model of what they should hold, and a source of chance.

    ``place`` comes before the names of databases in steps and failures.
    """

    def __init__(
        self, check: str, rule: str, model: Model, random: Random, place: str = ""
    ) -> None:
        super().__init__(check, rule)
        self.place = place
        self.model = model
        self.random = random


def next_deadline(value: Value) -> int:
    """The earliest deadline of a field, if the value is a hash."""
    return int(value.next_deadline()) if isinstance(value, HashValue) else NO_EXPIRE


def plain(data: Data) -> object:
    """A value's content as a failure shows it."""
    if isinstance(data, Scores):
        return data.ordered()
    return describe_stream(data) if isinstance(data, StreamModel) else data


class DatabaseTrial:
    """One database and its model. Methods are those of `Database` and of the values."""

    def __init__(self, trial: Bench, index: int, database: Database) -> None:
        self.trial = trial
        self.index = index
        self.database = database
        self.name = f"{trial.place}db{index}"

    @property
    def model(self) -> dict[bytes, Held]:
        """What the database should hold."""
        return self.trial.model.databases[self.index]

    def _step(self, name: str, *args: object) -> str:
        return f"{self.name}.{name}({', '.join(describe(arg) for arg in args)})"

    # One key -------------------------------------------------------------------------------

    def find(self, key: bytes) -> Entry | None:
        """Look a key up; entry and model must agree."""
        step = self._step("find", key)
        entry = self.trial.call(step, lambda: self.database.find(key))
        self._compare(step, key, entry)
        return entry

    def put(self, key: bytes, value: bytes, expire: int = NO_EXPIRE) -> None:
        """Store a string."""
        step = self._step("put", key, value, expire)
        entry = self.trial.call(step, lambda: self.database.put(key, value, expire))
        self.model[key] = Held(value, expire)
        self._compare(step, key, entry)

    def create(self, key: bytes, kind: int) -> Value:
        """Store an empty value."""
        step = self._step("create", key, KIND_NAMES[kind].upper())
        entry = self.trial.call(step, lambda: self.database.create(key, kind))
        self.model[key] = Held(empty(kind))
        self._compare(step, key, entry)
        return cast(Value, entry.value)

    def unlink(self, key: bytes) -> None:
        """Remove a key."""
        step = self._step("unlink", key)
        removed = self.trial.call(step, lambda: self.database.unlink(key))
        self.trial.expect(step, self.model.pop(key, None) is not None, removed)

    def expire(self, key: bytes, deadline: int) -> None:
        """Set or remove a present key's deadline."""
        step = self._step("expire", key, deadline)
        self.trial.call(step, lambda: self.database.expire(key, deadline))
        self.model[key].expire = deadline

    def move(self, key: bytes, target: "DatabaseTrial", new_key: bytes) -> None:
        """Move a present key."""
        step = f"{self.name}.move({describe(key)}, {target.name}, {describe(new_key)})"
        self.trial.call(step, lambda: self.database.move(key, target.database, new_key))
        target.model[new_key] = self.model.pop(key)

    def copy(self, key: bytes, target: "DatabaseTrial", new_key: bytes) -> None:
        """Copy a present key."""
        step = f"{self.name}.copy({describe(key)}, {target.name}, {describe(new_key)})"
        self.trial.call(step, lambda: self.database.copy(key, target.database, new_key))
        target.model[new_key] = self.model[key].copy()

    def swap(self, other: "DatabaseTrial") -> None:
        """Exchange all keys with another database."""
        step = f"{self.name}.swap({other.name})"
        self.trial.call(step, lambda: self.database.swap(other.database))
        held = self.trial.model.databases
        held[self.index], held[other.index] = held[other.index], held[self.index]

    # Values --------------------------------------------------------------------------------

    def edit(self, key: bytes, step: str, change: Callable[[Value], object]) -> tuple[object, int]:
        """Change a present value in place, and report it as the keyspace does.

        What the change answered, and what it added to ``changes``.
        """
        value = self._value(key)
        before = value.memory()
        changes = value.changes
        deadline = next_deadline(value)
        answer = self.trial.call(f"{self._step('find', key)}.{step}", lambda: change(value))
        after = value.memory()
        if after != before:
            self.database.adjust(key, before, after)
        if next_deadline(value) != deadline:
            self._expire_fields(key, next_deadline(value))
        return answer, value.changes - changes

    def _expire_fields(self, key: bytes, deadline: int) -> None:
        step = self._step("expire_fields", key, deadline)
        self.trial.call(step, lambda: self.database.expire_fields(key, deadline))

    def _value(self, key: bytes) -> Value:
        entry = self.database.find(key)
        if entry is None or not isinstance(entry.value, Value):
            got = "None" if entry is None else describe(entry.value)
            self.trial.fail(f"find({describe(key)}) has a Value", got)
        return entry.value

    def set_field(self, key: bytes, field: bytes, value: bytes) -> None:
        """Set a field of a hash."""
        fields = cast(dict[bytes, bytes], self.model[key].data)
        step = f"set({describe(field)}, {describe(value)})"
        new = self.edit(key, step, lambda target: cast(HashValue, target).set(field, value))
        self.trial.expect(f"{step}, and what it adds to changes,", (field not in fields, 1), new)
        fields[field] = value
        self.model[key].deadlines.pop(field, None)

    def remove_field(self, key: bytes, field: bytes) -> None:
        """Remove a field of a hash."""
        fields = cast(dict[bytes, bytes], self.model[key].data)
        step = f"remove({describe(field)})"
        gone = self.edit(key, step, lambda target: cast(HashValue, target).remove(field))
        there = fields.pop(field, None) is not None
        self.trial.expect(f"{step}, and what it adds to changes,", (there, int(there)), gone)
        self.model[key].deadlines.pop(field, None)

    def get_field(self, key: bytes, field: bytes) -> None:
        """Read a field of a hash."""
        fields = cast(dict[bytes, bytes], self.model[key].data)
        step = f"get({describe(field)})"
        value = self.edit(key, step, lambda target: cast(HashValue, target).get(field))
        self.trial.expect(f"{step}, and what it adds to changes,", (fields.get(field), 0), value)

    def set_field_deadline(self, key: bytes, field: bytes, deadline: int) -> None:
        """Give a present field of a hash a deadline, or take it away."""
        deadlines = self.model[key].deadlines
        step = f"set_deadline({describe(field)}, {deadline})"
        done = self.edit(
            key, step, lambda target: cast(HashValue, target).set_deadline(field, deadline)
        )
        changed = int(deadline != NO_EXPIRE or field in deadlines)
        self.trial.expect(f"{step}, and what it adds to changes,", (None, changed), done)
        deadlines.pop(field, None)
        if deadline != NO_EXPIRE:
            deadlines[field] = deadline

    def hash(self, key: bytes) -> HashValue:
        """The hash under a key, to be read."""
        return cast(HashValue, self._value(key))

    def write(self, key: bytes, offset: int, data: bytes) -> None:
        """Overwrite a part of a string that is edited in place."""
        text = cast(bytearray, self.model[key].data)
        step = f"write({offset}, {describe(data)})"
        done = self.edit(key, step, lambda target: cast(StringValue, target).write(offset, data))
        self.trial.expect(f"{step}, and what it adds to changes,", (None, 1), done)
        text.extend(bytes(max(offset - len(text), 0)))
        text[offset : offset + len(data)] = data

    def read(self, key: bytes, start: int, stop: int) -> None:
        """Read a part of a string that is edited in place."""
        text = cast(bytearray, self.model[key].data)
        step = f"read({start}, {stop})"
        part = self.edit(key, step, lambda target: cast(StringValue, target).read(start, stop))
        self.trial.expect(
            f"{step}, and what it adds to changes,", (bytes(text[start:stop]), 0), part
        )

    # The whole database --------------------------------------------------------------------

    def due(self, now: int, limit: int) -> list[bytes]:
        """Keys past their deadline: never early, never twice, never more than ``limit``."""
        trial = self.trial
        step = self._step("due", now, limit)
        keys = trial.call(step, lambda: self.database.due(now, limit))
        trial.require(len(keys) <= limit, f"at most {limit} keys", keys)
        trial.require(len(set(keys)) == len(keys), "no key twice", keys)
        for key in keys:
            held = self.model.get(key)
            if held is None:
                trial.fail(f"{step} has present keys only", describe(key))
            trial.require(
                held.expire != NO_EXPIRE and held.expire <= now,
                f"{step} has only keys whose deadline is <= {now}",
                f"{describe(key)}, whose deadline is {held.expire}",
            )
        return keys

    def due_fields(self, now: int, limit: int) -> list[bytes]:
        """Keys of hashes with a field past its deadline: like `due`."""
        trial = self.trial
        step = self._step("due_fields", now, limit)
        keys = trial.call(step, lambda: self.database.due_fields(now, limit))
        trial.require(len(keys) <= limit, f"at most {limit} keys", keys)
        trial.require(len(set(keys)) == len(keys), "no key twice", keys)
        for key in keys:
            held = self.model.get(key)
            if held is None:
                trial.fail(f"{step} has present keys only", describe(key))
            trial.require(
                held.next_deadline != NO_EXPIRE and held.next_deadline <= now,
                f"{step} has only hashes with a field whose deadline is <= {now}",
                f"{describe(key)}, whose earliest deadline is {held.next_deadline}",
            )
        return keys

    def scan(self, cursor: int, count: int) -> tuple[int, list[bytes]]:
        """One step of a scan: present keys and a cursor that fits."""
        step = self._step("scan", cursor, count)
        following, keys = self.trial.call(step, lambda: self.database.scan(cursor, count))
        self.trial.require(0 <= following < 2**64, "a cursor from 0 to 2**64 - 1", following)
        for key in keys:
            self.trial.require(key in self.model, f"{step} has present keys only", key)
        return following, keys

    def sample(self, pick: int) -> bytes | None:
        """A random key."""
        step = self._step("sample", pick)
        key = self.trial.call(step, lambda: self.database.sample(pick))
        if key is None:
            self.trial.require(not self.model, f"{step} is a key", "None")
        else:
            self.trial.require(key in self.model, f"{step} is a present key or None", key)
        return key

    def clear(self) -> None:
        """Remove every key."""
        self.trial.call(self._step("clear"), self.database.clear)
        self.model.clear()

    def memory(self) -> int:
        """Bytes of the database."""
        return self.trial.call(self._step("memory"), self.database.memory)

    def memory_of(self, key: bytes) -> int:
        """Bytes of a present key."""
        return self.trial.call(self._step("memory_of", key), lambda: self.database.memory_of(key))

    # Comparing -----------------------------------------------------------------------------

    def verify(self) -> None:
        """Everything is as it should be."""
        trial = self.trial
        name = self.name
        self.compare()
        if any(held.deadlines for held in self.model.values()):
            trial.expect(f"{name}.has_volatile_fields()", True, self.database.has_volatile_fields())
        trial.expect(f"{name}.check()", [], self.database.check())

    def compare(self) -> None:
        """All keys are there as they should be."""
        trial = self.trial
        model = self.model
        name = self.name
        trial.expect(f"{name}.size()", len(model), self.database.size())
        volatile = sum(held.expire != NO_EXPIRE for held in model.values())
        trial.expect(f"{name}.volatile()", volatile, self.database.volatile())
        for key in model:
            self._compare(f"{name}.find({describe(key)})", key, self.database.find(key))
        keys = list(self.database.keys())
        trial.require(len(set(keys)) == len(keys), f"{name}.keys() has no key twice", keys)
        trial.expect(f"{name}.keys()", set(model), set(keys))

    def _compare(self, step: str, key: bytes, entry: Entry | None) -> None:
        """Fail unless the entry is that of the model."""
        trial = self.trial
        held = self.model.get(key)
        if held is None:
            trial.require(entry is None, f"{step} is None", "an entry")
            return
        if entry is None:
            trial.fail(f"{step} is an entry", "None")
        trial.expect(f"the deadline in {step}", held.expire, entry.expire)
        data = self._data(step, held, entry.value)
        trial.expect(f"the value in {step}", plain(held.data), plain(data))

    def _compare_deadlines(self, step: str, held: Held, value: HashValue) -> None:
        """The deadlines of a hash's fields are those of the model."""
        trial = self.trial
        trial.expect(f"next_deadline() in {step}", held.next_deadline, int(value.next_deadline()))
        if held.deadlines and isinstance(held.data, dict):
            for field in held.data:
                expected = held.deadlines.get(field, NO_EXPIRE)
                got = int(value.deadline(field))
                trial.expect(f"deadline({describe(field)}) in {step}", expected, got)

    def _data(self, step: str, held: Held, value: object) -> Data:
        """The content of what was found."""
        trial = self.trial
        if isinstance(value, bytes) and isinstance(held.data, bytes):
            return value
        if not isinstance(value, Value):
            trial.fail(f"the value in {step} is a Value", describe(value))
        trial.expect(f"the kind in {step}", held.kind, value.kind)
        trial.expect(f"the length in {step}", held.length, value.length())
        if isinstance(value, HashValue):
            pairs = list(value.items())
            trial.require(len(dict(pairs)) == len(pairs), "items() has no field twice", pairs)
            self._compare_deadlines(step, held, value)
            return dict(pairs)
        if isinstance(value, ListValue):
            return value.range(0, value.length())
        if isinstance(value, StreamValue):
            return read_stream(value)
        if isinstance(value, ZSetValue):
            return self._scores(step, value)
        if isinstance(value, SetValue):
            members = list(value.members())
            trial.require(len(set(members)) == len(members), "members() has none twice", members)
            return set(members)
        if not isinstance(value, StringValue):
            trial.fail(f"the value in {step} is a StringValue", type(value).__name__)
        text = value.read(0, value.length())
        return text if isinstance(held.data, bytes) else bytearray(text)

    def _scores(self, step: str, value: ZSetValue) -> Scores:
        """The members of a sorted set, by items(), which range() must agree with."""
        pairs = list(value.items())
        found = Scores(dict(pairs))
        self.trial.require(len(found) == len(pairs), "items() has no member twice", pairs)
        ranks = f"range(0, {len(pairs)}) in {step}"
        self.trial.expect(ranks, found.ordered(), value.range(0, len(pairs)))
        return found
