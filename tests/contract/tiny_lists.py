"""Lists of the tiny backend, and such with one bug each that the kit must find."""

from hypercache.backend import LIST, EncodingLimits, ListValue
from hypercache.listpack import OVERHEAD, fits_again, outgrows, string_size

PER_LIST = 50


class TinyList(ListValue):
    """A Python list."""

    def __init__(self, limits: EncodingLimits, items: list[bytes] | None = None) -> None:
        super().__init__(LIST)
        self.limits = limits
        self.items = [] if items is None else items
        self.bytes = sum(map(len, self.items))
        self.packed = OVERHEAD + sum(map(string_size, self.items))
        self.large = False

    def twin(self) -> "TinyList":
        """A list that shares nothing with this one."""
        copy = type(self)(self.limits, list(self.items))
        copy.large = self.large
        return copy

    def length(self) -> int:
        return len(self.items)

    def memory(self) -> int:
        return PER_LIST + self.bytes

    def encoding(self) -> str:
        return "quicklist" if self.large else "listpack"

    def came(self, element: bytes) -> None:
        """Account for an element that has just come."""
        count = len(self.items)
        self.large |= outgrows(self.limits.list_size, self.packed + len(element), count)
        self.bytes += len(element)
        self.packed += string_size(element)

    def went(self, elements: list[bytes]) -> None:
        """Account for elements that have just gone."""
        self.changes += len(elements)
        self.bytes -= sum(map(len, elements))
        self.packed -= sum(map(string_size, elements))
        if fits_again(self.limits.list_size, self.packed, len(self.items)):
            self.large = False

    def push_left(self, element: bytes) -> None:
        self.insert(0, element)

    def push_right(self, element: bytes) -> None:
        self.insert(len(self.items), element)

    def pop_left(self) -> bytes:
        element = self.items.pop(0)
        self.went([element])
        return element

    def pop_right(self) -> bytes:
        element = self.items.pop()
        self.went([element])
        return element

    def get(self, index: int) -> bytes:
        return self.items[index]

    def set(self, index: int, element: bytes) -> None:
        old = self.items[index]
        self.items[index] = element
        self.came(element)
        self.went([old])

    def range(self, start: int, stop: int) -> list[bytes]:
        return self.items[start:stop]

    def insert(self, index: int, element: bytes) -> None:
        self.items.insert(index, element)
        self.changes += 1
        self.came(element)

    def remove_range(self, start: int, stop: int) -> None:
        gone = self.items[start:stop]
        del self.items[start:stop]
        self.went(gone)

    def remove(self, element: bytes, limit: int, backwards: bool) -> int:
        places = self.find(element, 0, limit, len(self.items), backwards)
        for place in sorted(places, reverse=True):
            del self.items[place]
        self.went([element] * len(places))
        return len(places)

    def find(self, element: bytes, skip: int, count: int, depth: int, backwards: bool) -> list[int]:
        order = range(len(self.items))
        places = list(reversed(order) if backwards else order)[:depth]
        return [place for place in places if self.items[place] == element][skip : skip + count]


class PushesOnTheOtherSide(TinyList):
    def push_left(self, element: bytes) -> None:
        self.insert(1 if len(self.items) > 300 else 0, element)


class PopsNoChange(TinyList):
    def pop_right(self) -> bytes:
        element = super().pop_right()
        self.changes -= 1
        return element


class CutsElements(TinyList):
    def push_right(self, element: bytes) -> None:
        super().push_right(element[:65_535])


class ForgetsTheMiddle(TinyList):
    def range(self, start: int, stop: int) -> list[bytes]:
        return [item for item in self.items[start:stop] if len(item) < 5_000]


class RangesShareTheirList(TinyList):
    def range(self, start: int, stop: int) -> list[bytes]:
        return self.items if stop - start == len(self.items) - 1 else self.items[start:stop]


class SetsOneBeside(TinyList):
    def set(self, index: int, element: bytes) -> None:
        super().set(index - 1 if index == 128 else index, element)


class InsertsBehind(TinyList):
    def insert(self, index: int, element: bytes) -> None:
        super().insert(index + 1 if index == 300 else index, element)


class CountsNoEqualSet(TinyList):
    def set(self, index: int, element: bytes) -> None:
        if self.items[index] != element:
            super().set(index, element)


class RemovesOneTooMany(TinyList):
    def remove_range(self, start: int, stop: int) -> None:
        super().remove_range(start, stop + 1 if stop - start == 150 else stop)


class CountsRangesOnce(TinyList):
    def remove_range(self, start: int, stop: int) -> None:
        changes = self.changes
        super().remove_range(start, stop)
        self.changes = changes + min(stop - start, 1)


class RemovesForwardsOnly(TinyList):
    def remove(self, element: bytes, limit: int, backwards: bool) -> int:
        return super().remove(element, limit, False)


class FindsParts(TinyList):
    def find(self, element: bytes, skip: int, count: int, depth: int, backwards: bool) -> list[int]:
        if element != b"a" * 129:
            return super().find(element, skip, count, depth, backwards)
        return [place for place, item in enumerate(self.items) if element in item][:count]


class LooksTooFar(TinyList):
    def find(self, element: bytes, skip: int, count: int, depth: int, backwards: bool) -> list[int]:
        return super().find(element, skip, count, depth + 1, backwards)


class CopiesShareElements(TinyList):
    def twin(self) -> "TinyList":
        copy = super().twin()
        copy.items = self.items
        return copy


class StaysLarge(TinyList):
    def went(self, elements: list[bytes]) -> None:
        large = self.large
        super().went(elements)
        self.large = large


class CountsElementsOnly(TinyList):
    def came(self, element: bytes) -> None:
        super().came(element)
        self.large = len(self.items) > 4


class WritesAllAnew(TinyList):
    def push_left(self, element: bytes) -> None:
        self.items = [bytes(bytearray(item)) for item in self.items]
        super().push_left(element)


class AddsUpItsMemory(TinyList):
    def memory(self) -> int:
        return PER_LIST + sum(len(item) for item in self.items)


#: The rule that must find it, and what is broken.
BROKEN_LISTS: tuple[tuple[str, type[TinyList]], ...] = (
    ("a_list_keeps_its_order", PushesOnTheOtherSide),
    ("a_list_keeps_its_order", PopsNoChange),
    ("a_list_keeps_its_order", CutsElements),
    ("a_list_is_read_anywhere", ForgetsTheMiddle),
    ("a_list_is_read_anywhere", RangesShareTheirList),
    ("a_list_is_edited_anywhere", SetsOneBeside),
    ("a_list_is_edited_anywhere", InsertsBehind),
    ("a_list_is_edited_anywhere", CountsNoEqualSet),
    ("ranges_are_removed_from_lists", RemovesOneTooMany),
    ("ranges_are_removed_from_lists", CountsRangesOnce),
    ("equal_elements_are_found_and_removed", RemovesForwardsOnly),
    ("equal_elements_are_found_and_removed", FindsParts),
    ("equal_elements_are_found_and_removed", LooksTooFar),
    ("lists_do_not_mix", CopiesShareElements),
    ("lists_tell_their_encoding", StaysLarge),
    ("lists_tell_their_encoding", CountsElementsOnly),
    ("the_ends_of_long_lists_are_near", WritesAllAnew),
    ("the_ends_of_long_lists_are_near", AddsUpItsMemory),
)
