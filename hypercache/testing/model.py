"""What a backend should hold: plain Python, slow and plainly right."""

from hypercache.backend import HASH, LIST, NO_EXPIRE, SET, STRING

#: ``bytes``: a string that was put. ``bytearray``: one that is edited in place. ``dict``: a hash.
#: ``list``: a list. ``set``: a set.
Data = bytes | bytearray | dict[bytes, bytes] | list[bytes] | set[bytes]


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
        return HASH if isinstance(self.data, dict) else STRING

    @property
    def length(self) -> int:
        """Bytes of a string, fields of a hash, elements of a list, members of a set."""
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
