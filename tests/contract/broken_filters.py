"""Bugs in filters of lookups, each with the rule that must find it."""

from hypercache.backend import Database, Entry
from tests.contract.tiny import TinyBackend, TinyDatabase


class _Filtered(TinyDatabase):
    """Right: its filter is a set of all keys that ever were there."""

    def __init__(self, backend: TinyBackend, index: int) -> None:
        super().__init__(backend, index)
        self.known: set[bytes] | None = None

    def filter_lookups(self, error_rate: float) -> None:
        self.known = set(self.entries) if error_rate else None

    def filter_statistics(self) -> dict[str, int]:
        return {} if self.known is None else {"keys": len(self.known)}

    def find(self, key: bytes) -> Entry | None:
        return None if self.known is not None and key not in self.known else super().find(key)

    def store(self, key: bytes, value: object, expire: int) -> Entry:
        self.note(key)
        return super().store(key, value, expire)

    def note(self, key: bytes) -> None:
        if self.known is not None:
            self.known.add(key)

    def move(self, key: bytes, target: Database, new_key: bytes) -> None:
        super().move(key, target, new_key)
        assert isinstance(target, _Filtered)
        target.note(new_key)

    def swap(self, other: Database) -> None:
        super().swap(other)
        assert isinstance(other, _Filtered)
        self.trade(other)

    def trade(self, other: "_Filtered") -> None:
        self.known, other.known = other.known, self.known


class NotesNoKey(_Filtered):
    def note(self, key: bytes) -> None:
        pass


class StaysWhenSwapped(_Filtered):
    def trade(self, other: _Filtered) -> None:
        pass


class CountsBackwards(_Filtered):
    def filter_statistics(self) -> dict[str, int]:
        return {"keys": -1}


#: The rule that must find it, and what is broken.
BROKEN_FILTERS: tuple[tuple[str, type[TinyDatabase]], ...] = (
    ("filters_deny_no_key", NotesNoKey),
    ("filters_deny_no_key", StaysWhenSwapped),
    ("filters_deny_no_key", CountsBackwards),
)
