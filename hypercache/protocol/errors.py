"""The one error that bytes from a client can cause."""


class ProtocolError(Exception):
    """The bytes are no RESP: ``text`` is the whole error line a client is told, code word first.

    Nothing after them can be understood, so the connection closes once the client was told.
    """

    def __init__(self, reason: str) -> None:
        """``reason`` is what follows ``Protocol error:``."""
        super().__init__(reason)
        self.text = "ERR Protocol error: " + reason
