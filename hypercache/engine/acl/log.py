"""What was refused (ACL LOG): the latest entries, alike ones counted together."""

from typing import Final

from mypy_extensions import i64

# Alike entries are one while no more time passes between them, in milliseconds.
GROUPING: Final[i64] = 60_000
# Bytes of a key, channel or name that an entry keeps: clients choose how long these are.
KEPT: Final = 1024
# Among how many of the latest entries an alike one is sought.
SEARCHED: Final = 10


class LogEntry:
    """One kind of refusal. Times are Unix milliseconds; ``client`` is who was refused last.

    ``reason`` is ``auth | command | key | channel``, ``where`` ``toplevel | multi | lua``,
    ``subject`` the command, key or channel.
    """

    def __init__(
        self, reason: str, where: str, subject: bytes, user: bytes, client: bytes, now: i64
    ) -> None:
        self.reason = reason
        self.where = where
        self.subject = shortened(subject)
        self.user = shortened(user)
        self.client = client
        self.created: i64 = now
        self.updated: i64 = now
        self.count = 1
        self.number = 0

    def is_like(self, other: "LogEntry") -> bool:
        """Whether both are the same refusal, not long apart."""
        return (
            self.reason == other.reason
            and self.where == other.where
            and self.subject == other.subject
            and self.user == other.user
            and -GROUPING <= self.updated - other.updated <= GROUPING
        )


class AclLog:
    """The latest refusals, newest first, at most ``limit`` (acllog-max-len)."""

    def __init__(self) -> None:
        self.limit = 128
        self.entries: list[LogEntry] = []
        self._next = 0

    def add(self, entry: LogEntry) -> None:
        """Note a refusal."""
        for at in range(min(SEARCHED, len(self.entries))):
            known = self.entries[at]
            if known.is_like(entry):
                known.client = entry.client
                known.updated = entry.updated
                known.count += 1
                del self.entries[at]
                self.entries.insert(0, known)
                return
        entry.number = self._next
        self._next += 1
        self.entries.insert(0, entry)
        del self.entries[self.limit :]

    def reset(self) -> None:
        """Forget all entries; numbers go on."""
        self.entries.clear()


def shortened(text: bytes) -> bytes:
    """A text, of which the end is only counted where it is too long to be kept."""
    if len(text) <= KEPT:
        return text
    return text[:KEPT] + b"... (%d more bytes)" % (len(text) - KEPT)
