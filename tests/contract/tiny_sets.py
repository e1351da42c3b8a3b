"""Sets of the tiny backend, and such with one bug each that the kit must find."""

from collections.abc import Iterator

from hypercache.backend import SET, EncodingLimits, SetValue
from hypercache.keyspace.numbers import parse_integer

PER_SET = 50


class TinySet(SetValue):
    """A Python list, and a dict that knows where each member is."""

    def __init__(self, limits: EncodingLimits) -> None:
        super().__init__(SET)
        self.limits = limits
        self.items: dict[bytes, int] = {}
        self.order: list[bytes] = []
        self.bytes = 0
        self.name = "intset"

    def twin(self) -> "TinySet":
        """A set that shares nothing with this one."""
        copy = type(self)(self.limits)
        copy.items = dict(self.items)
        copy.order = list(self.order)
        copy.bytes = self.bytes
        copy.name = self.name
        return copy

    def length(self) -> int:
        return len(self.items)

    def memory(self) -> int:
        return PER_SET + self.bytes

    def encoding(self) -> str:
        return self.name

    def named(self, member: bytes) -> str:
        """The encoding with one more member."""
        if self.name == "hashtable":
            return self.name
        if self.name == "intset" and parse_integer(member) is not None:
            return "intset" if len(self.items) <= self.limits.set_integers else "hashtable"
        few = len(self.items) <= self.limits.set_entries
        short = all(len(item) <= self.limits.set_value for item in (*self.items, member))
        return "listpack" if few and short else "hashtable"

    def add(self, member: bytes) -> bool:
        if member in self.items:
            return False
        self.items[member] = len(self.order)
        self.order.append(member)
        self.bytes += len(member)
        self.changes += 1
        self.name = self.named(member)
        return True

    def remove(self, member: bytes) -> bool:
        if member not in self.items:
            return False
        place = self.items.pop(member)
        last = self.order.pop()
        if last != member:
            self.order[place] = last
            self.items[last] = place
        self.bytes -= len(member)
        self.changes += 1
        return True

    def contains(self, member: bytes) -> bool:
        return member in self.items

    def members(self) -> Iterator[bytes]:
        return iter(self.items)

    def scan(self, cursor: int, count: int) -> tuple[int, list[bytes]]:
        return 0, list(self.items)

    def sample(self, pick: int) -> bytes:
        return self.order[pick % len(self.order)]


class AddSaysNew(TinySet):
    def add(self, member: bytes) -> bool:
        super().add(member)
        return True


class CountsAddsOfNothing(TinySet):
    def add(self, member: bytes) -> bool:
        added = super().add(member)
        self.changes += not added
        return added


class StripsMembers(TinySet):
    def add(self, member: bytes) -> bool:
        return super().add(member.rstrip(b"\x00"))


class CutsMembers(TinySet):
    def contains(self, member: bytes) -> bool:
        return any(item.startswith(member[:511]) for item in self.items if len(item) > 511) or (
            len(member) < 512 and super().contains(member)
        )


class KeepsTheLowest(TinySet):
    def remove(self, member: bytes) -> bool:
        if len(self.items) > 100 and member == min(self.items):
            return False
        return super().remove(member)


class ListsTwice(TinySet):
    def members(self) -> Iterator[bytes]:
        yield from self.items
        if len(self.items) > 500:
            yield next(iter(self.items))


class ScansForwards(TinySet):
    def scan(self, cursor: int, count: int) -> tuple[int, list[bytes]]:
        following = cursor + count
        return (
            following if following < len(self.items) else 0,
            list(self.items)[cursor:following],
        )


class ScanNeverEnds(TinySet):
    def scan(self, cursor: int, count: int) -> tuple[int, list[bytes]]:
        return (cursor if cursor > 2**40 else 0), list(self.items)


class ScansGhosts(TinySet):
    def remove(self, member: bytes) -> bool:
        self.ghost = member
        return super().remove(member)

    def scan(self, cursor: int, count: int) -> tuple[int, list[bytes]]:
        start = cursor - 1 if cursor > 0 else len(self.items)
        ghosts = [self.ghost] if hasattr(self, "ghost") else []
        return max(start - count, 0) + (start > count), [*self.items, *ghosts]


class SamplesTheFirst(TinySet):
    def sample(self, pick: int) -> bytes:
        return self.order[0]


class SamplesAFew(TinySet):
    def sample(self, pick: int) -> bytes:
        return self.order[pick % len(self.order) % 100]


class TwinsShareTheirMembers(TinySet):
    def twin(self) -> "TinySet":
        copy = super().twin()
        copy.items = self.items
        return copy


class FloatsAreIntegers(TinySet):
    def named(self, member: bytes) -> str:
        name = super().named(member)
        return "intset" if member == b"1.0" else name


class GoesBack(TinySet):
    def remove(self, member: bytes) -> bool:
        removed = super().remove(member)
        if removed and len(self.items) == 1:
            self.name = "intset"
            self.name = self.named(next(iter(self.items)))
        return removed


class TwinsForgetTheirEncoding(TinySet):
    def twin(self) -> "TinySet":
        copy = super().twin()
        copy.name = "listpack"
        return copy


class SeeksOneByOne(TinySet):
    def contains(self, member: bytes) -> bool:
        return member in list(self.items)


#: The rule that must find it, and what is broken.
BROKEN_SETS: tuple[tuple[str, type[TinySet]], ...] = (
    ("a_set_holds_each_member_once", AddSaysNew),
    ("a_set_holds_each_member_once", CountsAddsOfNothing),
    ("a_set_holds_each_member_once", StripsMembers),
    ("a_set_holds_each_member_once", CutsMembers),
    ("a_set_holds_each_member_once", KeepsTheLowest),
    ("a_set_holds_each_member_once", ListsTwice),
    ("a_scan_misses_no_member_that_stays", ScansForwards),
    ("a_scan_misses_no_member_that_stays", ScanNeverEnds),
    ("a_scan_misses_no_member_that_stays", ScansGhosts),
    ("sample_reaches_members", SamplesTheFirst),
    ("sample_reaches_members", SamplesAFew),
    ("sets_do_not_mix", TwinsShareTheirMembers),
    ("sets_tell_their_encoding", FloatsAreIntegers),
    ("sets_tell_their_encoding", GoesBack),
    ("sets_tell_their_encoding", TwinsForgetTheirEncoding),
    ("large_sets_are_as_quick_as_small_ones", SeeksOneByOne),
)
