"""The contract between a `Capture`, which walks the keys, and a file format."""

from collections.abc import Mapping

from mypy_extensions import i64, mypyc_attr

from hypercache.backend import Entry
from hypercache.keyspace.eviction import EvictionPolicy


class Origin:
    """What is captured: when (Unix microseconds), the journal's offset then, and how much.

    ``sizes`` are the keys and the keys with a deadline of each database, by its number; empty
    databases are left out. ``libraries`` are the sources of all functions. ``policy`` says how the
    use of keys is kept where that is worth it (``lru``: seconds since the last, ``lfu``: see
    `hypercache.keyspace.frequency`), else it is empty. ``policies`` are those of the databases, by
    number: they know what `Entry.access` of their keys means.
    """

    def __init__(
        self,
        time: i64,
        offset: i64,
        used_memory: i64,
        sizes: Mapping[int, tuple[int, int]],
        libraries: list[bytes],
        policy: str = "",
    ) -> None:
        self.time = time
        self.offset = offset
        self.used_memory = used_memory
        self.sizes = sizes
        self.libraries = libraries
        self.policy = policy
        self.policies: list[EvictionPolicy] = []


@mypyc_attr(allow_interpreted_subclasses=True)
class ValueParts:
    """A large value amid its encoding.

    The value does not change before all parts are written (`Capture` finishes them first), though
    others do, and rounds pass between two parts: iterators, cursors and positions of it stay good.
    A key that is removed or replaced takes nothing away, either.
    """

    def write(self, count: i64) -> bool:
        """Encode about ``count`` more elements; False once all are encoded."""
        raise NotImplementedError


@mypyc_attr(allow_interpreted_subclasses=True)
class Encoder:
    """Makes the bytes of a file that holds all keys. All calls come from the server's thread.

    `begin` comes first and `end` last. Keys come in any order, those of different databases
    mixed, each once. Between `open` and the end of its parts `key` is called for others too:
    what it encodes lies before or behind the large value, never inside. Nothing may block.
    """

    def begin(self, origin: Origin) -> None:
        """The file's head."""
        raise NotImplementedError

    def key(self, database: int, key: bytes, entry: Entry) -> None:
        """A key, its deadline and its whole value."""
        raise NotImplementedError

    def long_string(self) -> int:
        """Bytes of a string from which on `open` is called for it as well: as good as never."""
        return 1 << 62

    def open(self, database: int, key: bytes, entry: Entry) -> ValueParts:
        """A key with a large value, one at a time: see `ValueParts`.

        One of `LARGE` elements or more, or a string of at least `long_string` bytes.
        """
        raise NotImplementedError

    def end(self) -> None:
        """The file's end."""
        raise NotImplementedError

    def pending(self) -> int:
        """About how many bytes `take` would give."""
        raise NotImplementedError

    def take(self) -> list[bytes]:
        """The bytes since the last call, in their order."""
        raise NotImplementedError

    def finish(self, chunk: bytes) -> bytes:
        """What is to be written for a chunk of `take`: called in a worker thread, in order.

        For compression and checksums, which would delay clients. Between two calls of it only
        the other methods are called.
        """
        return chunk

    def trailer(self) -> bytes:
        """What comes behind everything, once all chunks went through `finish`; as `finish`."""
        return b""
