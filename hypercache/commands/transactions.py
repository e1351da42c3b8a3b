"""MULTI, EXEC and DISCARD; WATCH and UNWATCH for transactions that depend on what was read."""

from typing import Final

from hypercache.engine.acl.access import MULTI
from hypercache.engine.command import DENYOOM, command
from hypercache.engine.context import Context, Queued
from hypercache.engine.guards import ACL_BIT, MEMORY_BIT, NO_MEMORY
from hypercache.engine.waiting import Wait
from hypercache.reply import NULL_ARRAY, OK, ErrorReply, Reply

_ABORTED: Final = "EXECABORT Transaction discarded because of previous errors."


@command(
    "MULTI",
    group="transactions",
    since="1.2.0",
    complexity="O(1)",
    flags="noscript loading stale fast allow_busy",
    summary="Begin a transaction: what follows is queued until EXEC.",
)
def multi(context: Context, args: list[bytes]) -> Reply:
    if context.queue is not None:
        raise ErrorReply("ERR MULTI calls can not be nested")
    context.set_queueing(True)
    return OK


@command(
    "DISCARD",
    group="transactions",
    since="2.0.0",
    complexity="O(N) where N is the number of queued commands",
    flags="noscript loading stale fast allow_busy",
    summary="Forget the queued commands and the watched keys.",
)
def discard(context: Context, args: list[bytes]) -> Reply:
    if context.queue is None:
        raise ErrorReply("ERR DISCARD without MULTI")
    leave(context)
    return OK


def leave(context: Context) -> None:
    """End the transaction, whatever becomes of it."""
    context.set_queueing(False)
    context.engine.settlement.unwatch(context)


@command(
    "EXEC",
    group="transactions",
    since="1.2.0",
    complexity="that of the queued commands",
    flags="noscript loading stale skip_slowlog",
    summary="Run the queued commands in one step and return their replies.",
)
def exec_(context: Context, args: list[bytes]) -> Reply:
    """Nothing is run, and null returned, if a watched key has changed since WATCH.

    Errors of its commands undo nothing, but where the backend fails, nothing of it stays.
    """
    queue = context.queue
    if queue is None:
        raise ErrorReply("ERR EXEC without MULTI")
    engine = context.engine
    failed = context.queue_failed
    broken = context.watch_broken or engine.settlement.watches.has_expired_key(context)
    leave(context)
    if failed:
        raise ErrorReply(_ABORTED)
    if broken:
        return NULL_ARRAY
    context.in_exec = True
    before = engine.journal.offset
    replies: list[object] = []
    for queued in queue:
        refusal: ErrorReply | None = None
        if context.armed & ACL_BIT:
            refusal = refused(context, queued)
        if refusal is None and engine.armed & MEMORY_BIT and queued.command.flags & DENYOOM:
            refusal = short_of_memory(context)
        if refusal is not None:
            replies.append(refusal)
            continue
        reply = engine.tracking.perform(context, queued.command, queued.args)
        if engine.units.spoiled:
            engine.units.undo_transaction(context, before)
            raise discarded(reply)
        # Nobody waits inside a transaction: it is as if the time were up already.
        replies.append(reply.reply(engine) if isinstance(reply, Wait) else reply)
    engine.settlement.end_transaction(context)
    if context.tracker is not None:
        engine.tracking.end_caching(context)  # though it may have begun in here
    return replies


def refused(context: Context, queued: Queued) -> ErrorReply | None:
    """What becomes of a command that the client's user may not call any more."""
    engine = context.engine
    refusal = engine.acl.refusal(context, queued.command, queued.args, MULTI)
    if refusal is None:
        return None
    error = ErrorReply(
        "NOPERM ACLs rules changed between the moment the transaction was accumulated and the "
        "EXEC call. This command is no longer allowed for the following reason: " + refusal.reason()
    )
    engine.counters.count_error(error)
    return error


def short_of_memory(context: Context) -> ErrorReply | None:
    """What becomes of a command that needs room in a store which a SELECT before it has chosen.

    For the one that EXEC found selected, EXEC itself was refused.
    """
    if not context.engine.eviction.is_exhausted(context.db):
        return None
    error = ErrorReply(NO_MEMORY)
    context.engine.counters.count_error(error)
    return error


def discarded(reply: object) -> ErrorReply:
    """The backend has failed in a transaction, of which nothing stays."""
    reason = reply.text.removeprefix("ERR ") if isinstance(reply, ErrorReply) else ""
    return ErrorReply(f"EXECABORT Transaction discarded because of: {reason}")


@command(
    "WATCH key...",
    group="transactions",
    since="2.2.0",
    complexity="O(N) where N is the number of keys",
    flags="noscript loading stale fast allow_busy",
    keys="RO",
    summary="Let the next EXEC fail if one of these keys changes until then.",
)
def watch(context: Context, args: list[bytes]) -> Reply:
    if context.queue is not None:
        raise ErrorReply("ERR WATCH inside MULTI is not allowed")
    if not context.watch_broken:
        for key in args[1:]:
            context.engine.settlement.watch(context, key)
    return OK


@command(
    "UNWATCH",
    group="transactions",
    since="2.2.0",
    complexity="O(N) where N is the number of watched keys",
    flags="noscript loading stale fast allow_busy",
    summary="Watch no key any more.",
)
def unwatch(context: Context, args: list[bytes]) -> Reply:
    context.engine.settlement.unwatch(context)
    return OK
