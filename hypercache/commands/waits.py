"""WAIT and WAITAOF: until what the client has written is safe in other places."""

from typing import TYPE_CHECKING, Final

from mypy_extensions import i64

from hypercache.commands.arguments import (
    parse_between,
    parse_integer,
    parse_not_negative,
    parse_timeout,
)
from hypercache.engine.command import command
from hypercache.engine.context import Context
from hypercache.engine.waiting import Wait
from hypercache.reply import ErrorReply, Reply

if TYPE_CHECKING:
    from hypercache.engine.engine import Engine

NO_FILE: Final = "ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled."
# A deadline in microseconds beyond this is none.
_NEVER: Final[i64] = 1 << 62


def deadline_in_microseconds(text: bytes, now: i64) -> i64:
    """The deadline of a `Wait` from a time in milliseconds; 0 is none. ``now`` likewise."""
    deadline = parse_timeout(text, now)
    return 0 if deadline > _NEVER // 1000 else deadline * 1000


class ReplicaWait(Wait):
    """Until so many replicas have everything up to an offset."""

    def __init__(self, deadline: i64, offset: i64, replicas: i64) -> None:
        super().__init__(deadline, on_gates=True)
        self.offset = offset
        self.replicas = replicas

    def is_over(self, engine: "Engine") -> bool:
        return engine.journal.acknowledged(self.offset) >= self.replicas

    def reply(self, engine: "Engine") -> object:
        return engine.journal.acknowledged(self.offset)


class FileWait(Wait):
    """Until everything up to an offset is on our disk (``local`` 1) and on those of replicas."""

    def __init__(self, deadline: i64, offset: i64, local: i64, replicas: i64) -> None:
        super().__init__(deadline, on_gates=True)
        self.offset = offset
        self.local = local
        self.replicas = replicas

    def is_over(self, engine: "Engine") -> bool:
        journal = engine.journal
        if self.local > 0 and not journal.has_local_file():
            return True
        if self.local > 0 and not journal.is_on_disk(self.offset):
            return False
        return journal.synced(self.offset) >= self.replicas

    def reply(self, engine: "Engine") -> object:
        journal = engine.journal
        if self.local > 0 and not journal.has_local_file():
            return ErrorReply(NO_FILE)  # it was switched off meanwhile
        return [int(journal.is_on_disk(self.offset)), journal.synced(self.offset)]


@command(
    "WAIT numreplicas:integer timeout:integer",
    group="generic",
    since="3.0.0",
    complexity="O(1)",
    categories="connection -keyspace",
    tips="request_policy:all_shards response_policy:agg_min",
    summary="Wait until replicas have what this client has written.",
)
def wait(context: Context, args: list[bytes]) -> Reply:
    replicas = parse_integer(args[1])
    deadline = deadline_in_microseconds(args[2], context.db.changes.now)
    request = ReplicaWait(deadline, context.written, replicas)
    return request.reply(context.engine) if request.is_over(context.engine) else request


@command(
    "WAITAOF numlocal:integer numreplicas:integer timeout:integer",
    group="generic",
    since="7.2.0",
    complexity="O(1)",
    flags="noscript",
    categories="connection -keyspace",
    tips="request_policy:all_shards response_policy:agg_min",
    summary="Wait until what this client has written is on disk, here and on replicas.",
)
def waitaof(context: Context, args: list[bytes]) -> Reply:
    local = parse_between(args[1], 0, 1)
    replicas = parse_not_negative(args[2])
    deadline = deadline_in_microseconds(args[3], context.db.changes.now)
    if local > 0 and not context.engine.journal.has_local_file():
        raise ErrorReply(NO_FILE)
    request = FileWait(deadline, context.written, local, replicas)
    return request.reply(context.engine) if request.is_over(context.engine) else request
