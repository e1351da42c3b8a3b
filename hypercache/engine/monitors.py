"""Clients that watch every command as it is executed (MONITOR)."""

from typing import TYPE_CHECKING, Final

from mypy_extensions import i64

from hypercache.engine.guards import LOADING_BIT
from hypercache.engine.session import Session

if TYPE_CHECKING:
    from hypercache.engine.context import Context
    from hypercache.engine.engine import Engine

_ESCAPES: Final = {0x22: '\\"', 0x5C: "\\\\", 0x0A: "\\n", 0x0D: "\\r", 0x09: "\\t", 0x07: "\\a"}


def _shown_bytes() -> list[str]:
    """How each byte looks between quotes, as redis-cli reads it back."""
    shown = [chr(byte) if 0x20 <= byte <= 0x7E else f"\\x{byte:02x}" for byte in range(256)]
    for byte, text in _ESCAPES.items():
        shown[byte] = text
    shown[0x08] = "\\b"
    return shown


_SHOWN: Final = _shown_bytes()


def quoted(data: bytes) -> str:
    """An argument between quotes, in printable ASCII."""
    text = data.decode("latin-1")
    if text.isascii() and text.isprintable() and '"' not in text and "\\" not in text:
        return f'"{text}"'
    return '"' + "".join([_SHOWN[byte] for byte in data]) + '"'


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
        chunk = f"+{line}\r\n".encode("latin-1")
        for session in list(self.sessions.values()):
            if session is engine.serving:
                engine.pushes.append(line)  # follows the reply to the command
            elif not session.closing:
                session.send(chunk)

    def line(self, context: "Context", args: list[bytes]) -> str:
        """Unix time with microseconds, database, who has sent it, and the quoted arguments."""
        now: i64 = self.engine.time
        words = " ".join([quoted(arg) for arg in args])
        who = self.origin(context)
        return f"{now // 1000000}.{now % 1000000:06d} [{context.db.index} {who}] {words}"

    def origin(self, context: "Context") -> str:
        """Where a command comes from: an address, a Unix socket, or a script."""
        if not isinstance(context, Session):
            return "lua"
        if context.is_unix:
            return f"unix:{self.engine.configuration.settings.unixsocket}"
        return context.address
