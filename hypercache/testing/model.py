"""What a backend should hold: plain Python, slow and plainly right."""

from hypercache.backend import HASH, LIST, NO_EXPIRE, SET, STREAM, STRING, ZSET
from hypercache.testing.stream_model import StreamModel


class Scores:
    """The members of a sorted set with their scores."""

    def __init__(self, by_member: dict[bytes, float]) -> None:
        self.by_member = by_member

    def __len__(self) -> int:
        return len(self.by_member)

    def ordered(self) -> list[tuple[bytes, float]]:
        """Members and scores, from the lowest."""
        return sorted(self.by_member.items(), key=lambda pair: (pair[1], pair[0]))

    def copy(self) -> "Scores":
        """One that shares nothing with this."""
        return Scores(self.by_member.copy())


#: ``bytes``: a string that was put. ``bytearray``: one that is edited in place. ``dict``: a hash.
#: ``list``: a list. ``set``: a set. `Scores`: a sorted set. `StreamModel`: a stream.
Data = bytes | bytearray | dict[bytes, bytes] | list[bytes] | set[bytes] | Scores | StreamModel


class Held:
    """A key's value and deadline; ``deadlines`` are those of a hash's fields."""

    __slots__ = ("data", "deadlines", "expire")

    def __init__(self, data: Data, expire: int = NO_EXPIRE) -> None:
        self.data = data
        self.expire = expire
        self.deadlines: dict[bytes, int] = {}

    @property
    def kind(self) -> int:
        """The number of the value's kind."""
        if isinstance(self.data, list):
            return LIST
        if isinstance(self.data, set):
            return SET
        if isinstance(self.data, Scores):
            return ZSET
        if isinstance(self.data, StreamModel):
            return STREAM
        return HASH if isinstance(self.data, dict) else STRING

    @property
    def length(self) -> int:
        """Bytes of a string, elements of a container."""
        return len(self.data)

    @property
    def next_deadline(self) -> int:
        """The earliest deadline of a field."""
        return min(self.deadlines.values(), default=NO_EXPIRE)

    def copy(self) -> "Held":
        """One that shares nothing with this."""
        data = self.data if isinstance(self.data, bytes) else self.data.copy()
        twin = Held(data, self.expire)
        twin.deadlines = self.deadlines.copy()
        return twin


def empty(kind: int) -> Data:
    """The empty value that `Database.create` makes."""
    if kind == LIST:
        return []
    if kind == SET:
        return set()
    if kind == ZSET:
        return Scores({})
    if kind == STREAM:
        return StreamModel()
    return {} if kind == HASH else bytearray()


class Model:
    """The keys of all databases."""

    def __init__(self, databases: int) -> None:
        self.databases: list[dict[bytes, Held]] = [{} for _ in range(databases)]

    def copy(self) -> "Model":
        """One that shares nothing with this."""
        twin = Model(0)
        for keys in self.databases:
            twin.databases.append({key: held.copy() for key, held in keys.items()})
        return twin
