"""Clients that watch every command as it is executed (MONITOR)."""

from typing import TYPE_CHECKING, Final

from mypy_extensions import i64

from hypercache.engine.context import REPLY_OFF
from hypercache.engine.guards import LOADING_BIT
from hypercache.engine.session import Session

if TYPE_CHECKING:
    from hypercache.engine.context import Context
    from hypercache.engine.engine import Engine

# The bytes that stand for themselves between quotes, and the letters of the others that have one.
_PLAIN: Final = bytes([byte for byte in range(0x20, 0x7F) if byte not in b'"\\'])
_LETTERS: Final = {0x22: '"', 0x5C: "\\", 0x0A: "n", 0x0D: "r", 0x09: "t", 0x07: "a", 0x08: "b"}


def quoted(data: bytes) -> bytes:
    """An argument between quotes, in printable ASCII, as redis-cli reads it back."""
    if data.translate(None, _PLAIN):
        return b'"' + "".join([_escaped(byte) for byte in data]).encode("ascii") + b'"'
    return b'"' + data + b'"'


def _escaped(byte: int) -> str:
    letter = _LETTERS.get(byte)
    if letter is not None:
        return f"\\{letter}"
    return chr(byte) if 0x20 <= byte <= 0x7E else f"\\x{byte:02x}"


class Monitors:
    """The monitoring clients, by their id. Each line is encoded once for all of them."""

    def __init__(self, engine: "Engine") -> None:
        self.engine = engine
        self.sessions: dict[int, Session] = {}

    def add(self, session: Session) -> None:
        """Show a client all commands from now on."""
        self.sessions[session.id] = session
        session.set_monitoring(True)
        self.engine.observation.rearm()

    def remove(self, context: "Context") -> None:
        """A client, if it monitors, monitors no longer (RESET), or is gone."""
        if self.sessions.pop(context.id, None) is not None:
            context.set_monitoring(False)
            self.engine.observation.rearm()

    def show(self, context: "Context", args: list[bytes]) -> None:
        """Show a command; secrets in its arguments are gone already."""
        engine = self.engine
        if not self.sessions or engine.armed & LOADING_BIT:
            return
        line = self.line(context, args)
        chunk = b"+%b\r\n" % line
        for session in list(self.sessions.values()):
            if session is engine.serving:
                engine.pushes.append(
                    line.decode("utf-8", "surrogateescape")
                )  # follows the reply to the command
            elif not session.closing and session.reply_mode != REPLY_OFF:
                session.send(chunk)

    def line(self, context: "Context", args: list[bytes]) -> bytes:
        """Unix time with microseconds, database, who has sent it, and the quoted arguments."""
        now: i64 = self.engine.time
        words = b" ".join([quoted(arg) for arg in args])
        seconds, rest = now // 1000000, now % 1000000
        index = context.db.index
        return b"%d.%06d [%d %b] %b" % (seconds, rest, index, self.origin(context), words)

    def origin(self, context: "Context") -> bytes:
        """Where a command comes from: an address, a Unix socket, or a script."""
        if not isinstance(context, Session):
            return b"lua"
        place = context.address
        if context.is_unix:
            place = f"unix:{self.engine.configuration.settings.unixsocket}"
        return place.encode("utf-8", "surrogateescape")
