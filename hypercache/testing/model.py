"""What a backend should hold: plain Python, slow and plainly right."""

from hypercache.backend import HASH, NO_EXPIRE, STRING

#: ``bytes``: a string that was put. ``bytearray``: one that is edited in place. ``dict``: a hash.
Data = bytes | bytearray | dict[bytes, bytes]


class Held:
    """A key's value and deadline."""

    __slots__ = ("data", "expire")

    def __init__(self, data: Data, expire: int = NO_EXPIRE) -> None:
        self.data = data
        self.expire = expire

    @property
    def kind(self) -> int:
        """The number of the value's kind."""
        return HASH if isinstance(self.data, dict) else STRING

    @property
    def length(self) -> int:
        """Bytes of a string, fields of a hash."""
        return len(self.data)

    def copy(self) -> "Held":
        """One that shares nothing with this."""
        data = self.data if isinstance(self.data, bytes) else self.data.copy()
        return Held(data, self.expire)


def empty(kind: int) -> Data:
    """The empty value that `Database.create` makes."""
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
