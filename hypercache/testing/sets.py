"""A set on trial: every call is made on it and on a plain Python set, and compared."""

from collections.abc import Callable
from typing import cast

from hypercache.backend import SET, SetValue, Value
from hypercache.testing.conformance import describe
from hypercache.testing.database_trial import DatabaseTrial


class SetTrial:
    """The set under a key of a database on trial. Methods are those of `SetValue`."""

    def __init__(self, database: DatabaseTrial, key: bytes) -> None:
        self.database = database
        self.key = key

    @classmethod
    def create(cls, database: DatabaseTrial, key: bytes) -> "SetTrial":
        """A new empty set under a key."""
        database.create(key, SET)
        return cls(database, key)

    @property
    def model(self) -> set[bytes]:
        """What the set should hold."""
        return cast(set[bytes], self.database.model[self.key].data)

    def _call(self, step: str, call: Callable[[SetValue], object]) -> tuple[object, int]:
        """What a call answers, and what it adds to ``changes``."""

        def change(value: Value) -> object:
            return call(cast(SetValue, value))

        return self.database.edit(self.key, step, change)

    def _expect(
        self, step: str, call: Callable[[SetValue], object], answer: object, changes: int
    ) -> None:
        done = self._call(step, call)
        self.database.trial.expect(f"{step}, and what it adds to changes,", (answer, changes), done)

    def add(self, member: bytes) -> None:
        """Add a member."""
        new = member not in self.model
        self._expect(
            f"add({describe(member)})", lambda value: value.add(member), new, 1 if new else 0
        )
        self.model.add(member)

    def remove(self, member: bytes) -> None:
        """Remove a member."""
        there = member in self.model
        step = f"remove({describe(member)})"
        self._expect(step, lambda value: value.remove(member), there, 1 if there else 0)
        self.model.discard(member)

    def contains(self, member: bytes) -> None:
        """Ask for a member."""
        step = f"contains({describe(member)})"
        self._expect(step, lambda value: value.contains(member), member in self.model, 0)

    def sample(self, pick: int) -> bytes:
        """A random member."""
        step = f"sample({pick})"
        member, changes = self._call(step, lambda value: value.sample(pick))
        trial = self.database.trial
        trial.expect(f"what {step} adds to changes", 0, changes)
        trial.require(member in self.model, f"{step} is a member", describe(member))
        return cast(bytes, member)

    def scan(self, cursor: int, count: int) -> tuple[int, list[bytes]]:
        """One step of a scan: present members, and a cursor that fits."""
        step = f"scan({cursor}, {count})"
        answer, changes = self._call(step, lambda value: value.scan(cursor, count))
        following, members = cast(tuple[int, list[bytes]], answer)
        trial = self.database.trial
        trial.expect(f"what {step} adds to changes", 0, changes)
        trial.require(0 <= following < 2**64, "a cursor from 0 to 2**64 - 1", following)
        for member in members:
            trial.require(member in self.model, f"{step} has members only", member)
        return following, members

    def encoding(self, expected: str) -> None:
        """The name of the encoding."""
        trial = self.database.trial
        entry = self.database.find(self.key)
        value = cast(SetValue, None if entry is None else entry.value)
        what = f"encoding() of the {len(self.model)} members of {describe(self.key)}"
        trial.expect(what, expected, trial.attempt(value.encoding))
