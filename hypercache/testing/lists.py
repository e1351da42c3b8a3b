"""A list on trial: every call is made on it and on a plain Python list, and compared."""

from collections.abc import Callable
from typing import cast

from hypercache.backend import LIST, ListValue, Value
from hypercache.testing.conformance import describe
from hypercache.testing.database_trial import DatabaseTrial


class ListTrial:
    """The list under a key of a database on trial. Methods are those of `ListValue`."""

    def __init__(self, database: DatabaseTrial, key: bytes) -> None:
        self.database = database
        self.key = key

    @classmethod
    def create(cls, database: DatabaseTrial, key: bytes) -> "ListTrial":
        """A new empty list under a key."""
        database.create(key, LIST)
        return cls(database, key)

    @property
    def model(self) -> list[bytes]:
        """What the list should hold."""
        return cast(list[bytes], self.database.model[self.key].data)

    def _expect(
        self, step: str, call: Callable[[ListValue], object], answer: object, changes: int
    ) -> None:
        """Make a call, and compare what it answers and what it adds to ``changes``."""

        def change(value: Value) -> object:
            return call(cast(ListValue, value))

        done = self.database.edit(self.key, step, change)
        self.database.trial.expect(f"{step}, and what it adds to changes,", (answer, changes), done)

    def push_left(self, element: bytes) -> None:
        """Put an element before the first."""
        step = f"push_left({describe(element)})"
        self._expect(step, lambda value: value.push_left(element), None, 1)
        self.model.insert(0, element)

    def push_right(self, element: bytes) -> None:
        """Put an element behind the last."""
        step = f"push_right({describe(element)})"
        self._expect(step, lambda value: value.push_right(element), None, 1)
        self.model.append(element)

    def pop_left(self) -> None:
        """Take the first element off."""
        self._expect("pop_left()", lambda value: value.pop_left(), self.model[0], 1)
        del self.model[0]

    def pop_right(self) -> None:
        """Take the last element off."""
        self._expect("pop_right()", lambda value: value.pop_right(), self.model[-1], 1)
        del self.model[-1]

    def get(self, index: int) -> None:
        """Read the element at a position."""
        self._expect(f"get({index})", lambda value: value.get(index), self.model[index], 0)

    def set(self, index: int, element: bytes) -> None:
        """Replace the element at a position."""
        step = f"set({index}, {describe(element)})"
        self._expect(step, lambda value: value.set(index, element), None, 1)
        self.model[index] = element

    def range(self, start: int, stop: int) -> None:
        """Read the elements between two positions."""
        step = f"range({start}, {stop})"
        self._expect(step, lambda value: value.range(start, stop), self.model[start:stop], 0)

    def insert(self, index: int, element: bytes) -> None:
        """Put an element before the one at a position."""
        step = f"insert({index}, {describe(element)})"
        self._expect(step, lambda value: value.insert(index, element), None, 1)
        self.model.insert(index, element)

    def remove_range(self, start: int, stop: int) -> None:
        """Remove the elements between two positions."""
        step = f"remove_range({start}, {stop})"
        self._expect(step, lambda value: value.remove_range(start, stop), None, stop - start)
        del self.model[start:stop]

    def remove(self, element: bytes, limit: int, backwards: bool) -> None:
        """Remove equal elements."""
        step = f"remove({describe(element)}, {limit}, {backwards})"
        places = [place for place, item in enumerate(self.model) if item == element]
        gone = places[max(len(places) - limit, 0) :] if backwards else places[:limit]
        self._expect(
            step, lambda value: value.remove(element, limit, backwards), len(gone), len(gone)
        )
        for place in reversed(gone):
            del self.model[place]

    def find(self, element: bytes, skip: int, count: int, depth: int, backwards: bool) -> None:
        """Seek equal elements."""
        step = f"find({describe(element)}, {skip}, {count}, {depth}, {backwards})"
        order = range(len(self.model))
        looked = list(reversed(order) if backwards else order)[:depth]
        places = [place for place in looked if self.model[place] == element]
        self._expect(
            step,
            lambda value: value.find(element, skip, count, depth, backwards),
            places[skip : skip + count],
            0,
        )
