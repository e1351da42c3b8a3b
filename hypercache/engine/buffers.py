"""What the buffers of clients hold: one pass over all of them, compiled since they may be many."""

from typing import Final

from mypy_extensions import i64

from hypercache.engine.session import Session

# Bytes that these take, measured: a client with its socket, a watched key, a subscription to
# a channel or pattern, a prefix of CLIENT TRACKING.
_CLIENT: Final[i64] = 3072
_WATCH: Final[i64] = 400
_SUBSCRIPTION: Final[i64] = 320
_PREFIX: Final[i64] = 400


def client_memory(session: Session) -> i64:
    """Bytes that a client takes, and all that is kept for it.

    That is requests not yet executed or queued by MULTI, replies not yet sent, watched keys,
    subscriptions, and prefixes that it tracks. An argument counts as soon as it is announced.
    """
    parser = session.parser
    memory: i64 = _CLIENT + parser.buffered() + parser.announced()
    memory += session.output_bytes + session.queue_bytes
    if session.watched:
        memory += _WATCH * len(session.watched)
    subscriptions = session.subscriptions
    if subscriptions is not None:
        memory += _SUBSCRIPTION * subscriptions.total()
    tracker = session.tracker
    if tracker is not None:
        memory += _PREFIX * len(tracker.prefixes)
    return memory


class ClientBuffers:
    """Of all clients together: bytes in ``total``, and the largest input and output of one."""

    def __init__(self, sessions: dict[int, Session]) -> None:
        self.total: i64 = 0
        self.largest_input: i64 = 0
        self.largest_output: i64 = 0
        for session in sessions.values():
            pending: i64 = session.parser.buffered()
            unsent: i64 = session.output_bytes
            self.total += client_memory(session)
            if pending > self.largest_input:
                self.largest_input = pending
            if unsent > self.largest_output:
                self.largest_output = unsent
