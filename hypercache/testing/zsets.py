"""A sorted set on trial: every call is made on it and on a dict that is sorted, and compared."""

from collections.abc import Callable
from typing import cast

from hypercache.backend import ZSET, Value, ZSetValue
from hypercache.testing.conformance import describe
from hypercache.testing.database_trial import DatabaseTrial
from hypercache.testing.model import Scores


class ZSetTrial:
    """The sorted set under a key of a database on trial. Methods are those of `ZSetValue`."""

    def __init__(self, database: DatabaseTrial, key: bytes) -> None:
        self.database = database
        self.key = key

    @classmethod
    def create(cls, database: DatabaseTrial, key: bytes) -> "ZSetTrial":
        """A new empty sorted set under a key."""
        database.create(key, ZSET)
        return cls(database, key)

    @property
    def scores(self) -> dict[bytes, float]:
        """What the sorted set should hold."""
        return cast(Scores, self.database.model[self.key].data).by_member

    @property
    def ordered(self) -> list[tuple[bytes, float]]:
        """The same in order."""
        return cast(Scores, self.database.model[self.key].data).ordered()

    def call(self, step: str, call: Callable[[ZSetValue], object]) -> object:
        """Make a call that changes nothing."""

        def change(value: Value) -> object:
            return call(cast(ZSetValue, value))

        answer, changes = self.database.edit(self.key, step, change)
        self.database.trial.expect(f"what {step} adds to changes", 0, changes)
        return answer

    def _expect(
        self, step: str, call: Callable[[ZSetValue], object], answer: object, changes: int
    ) -> None:
        """Make a call, and compare what it answers and what it adds to ``changes``."""

        def change(value: Value) -> object:
            return call(cast(ZSetValue, value))

        done = self.database.edit(self.key, step, change)
        self.database.trial.expect(f"{step}, and what it adds to changes,", (answer, changes), done)

    def set(self, member: bytes, score: float) -> None:
        """Give a member a score."""
        old = self.scores.get(member)
        step = f"set({describe(member)}, {score})"
        changes = int(old is None or old != score)
        self._expect(step, lambda value: value.set(member, score), old is None, changes)
        if changes:
            self.scores[member] = score

    def remove(self, member: bytes) -> None:
        """Remove a member."""
        there = member in self.scores
        step = f"remove({describe(member)})"
        self._expect(step, lambda value: value.remove(member), there, int(there))
        self.scores.pop(member, None)

    def remove_range(self, start: int, stop: int) -> None:
        """Remove the members between two ranks."""
        step = f"remove_range({start}, {stop})"
        self._expect(step, lambda value: value.remove_range(start, stop), None, stop - start)
        for member, _ in self.ordered[start:stop]:
            del self.scores[member]

    def score(self, member: bytes) -> None:
        """Read the score of a member."""
        step = f"score({describe(member)})"
        self._expect(step, lambda value: value.score(member), self.scores.get(member), 0)

    def rank(self, member: bytes) -> None:
        """Read the rank of a member."""
        ranks = {each: rank for rank, (each, _) in enumerate(self.ordered)}
        step = f"rank({describe(member)})"
        self._expect(step, lambda value: value.rank(member), ranks.get(member, -1), 0)

    def rank_of_score(self, score: float, after: bool) -> None:
        """Count the members with lower scores."""
        count = sum(other < score or (after and other == score) for other in self.scores.values())
        step = f"rank_of_score({score}, {after})"
        self._expect(step, lambda value: value.rank_of_score(score, after), count, 0)

    def rank_of_lex(self, member: bytes, after: bool) -> None:
        """Count the lower members; all have one score."""
        count = sum(other < member or (after and other == member) for other in self.scores)
        step = f"rank_of_lex({describe(member)}, {after})"
        self._expect(step, lambda value: value.rank_of_lex(member, after), count, 0)

    def range(self, start: int, stop: int) -> None:
        """Read the members between two ranks."""
        step = f"range({start}, {stop})"
        self._expect(step, lambda value: value.range(start, stop), self.ordered[start:stop], 0)
