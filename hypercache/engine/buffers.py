"""What the buffers of clients hold: one pass over all of them, compiled since they may be many."""

from mypy_extensions import i64

from hypercache.engine.session import Session


def client_memory(session: Session) -> i64:
    """Bytes of a client's buffers: requests not yet executed, replies not yet sent."""
    pending: i64 = session.parser.buffered()
    return pending + session.output_bytes + session.queue_bytes


class ClientBuffers:
    """Of all clients together: bytes in ``total``, and the largest input and output of one."""

    def __init__(self, sessions: dict[int, Session]) -> None:
        self.total: i64 = 0
        self.largest_input: i64 = 0
        self.largest_output: i64 = 0
        for session in sessions.values():
            pending: i64 = session.parser.buffered()
            unsent: i64 = session.output_bytes
            self.total += pending + unsent + session.queue_bytes
            if pending > self.largest_input:
                self.largest_input = pending
            if unsent > self.largest_output:
                self.largest_output = unsent
