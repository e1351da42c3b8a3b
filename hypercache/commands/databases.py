"""Whole databases: counted, emptied and swapped."""

from typing import Final

from hypercache.commands.arguments import (
    MAX_INT,
    MIN_INT,
    NO_SUCH_DATABASE,
    SYNTAX_ERROR,
    parse_integer,
)
from hypercache.engine.command import command
from hypercache.engine.context import Context
from hypercache.keyspace.changes import SWAP
from hypercache.keyspace.swapping import swap
from hypercache.reply import OK, ErrorReply, Reply

_APART: Final = (
    "ERR databases of different backends cannot be swapped: MOVE or COPY takes single keys across"
)
_FLUSH_HISTORY: Final = (("4.0.0", "The option ASYNC."), ("6.2.0", "The option SYNC."))


@command(
    "DBSIZE",
    group="server",
    since="1.0.0",
    complexity="O(1)",
    flags="readonly fast",
    categories="keyspace",
    tips="request_policy:all_shards response_policy:agg_sum",
    summary="Count the keys of the current database.",
)
def dbsize(context: Context, args: list[bytes]) -> Reply:
    """Keys past their deadline count until they are removed, as in Redis."""
    return context.db.store.size()


@command(
    "FLUSHDB flush-type=[ASYNC | SYNC]",
    group="server",
    since="1.0.0",
    complexity="O(1); what was there is freed later",
    flags="write",
    categories="keyspace dangerous",
    tips="request_policy:all_shards response_policy:all_succeeded",
    history=_FLUSH_HISTORY,
    summary="Remove all keys of the current database.",
)
def flushdb(context: Context, args: list[bytes]) -> Reply:
    require_flush_type(args)
    context.db.flush()
    context.db.changes.rewrite(context.db.index, [b"FLUSHDB"])
    return OK


@command(
    "FLUSHALL flush-type=[ASYNC | SYNC]",
    group="server",
    since="1.0.0",
    complexity="O(N) where N is the number of databases; what was there is freed later",
    flags="write",
    categories="keyspace dangerous",
    tips="request_policy:all_shards response_policy:all_succeeded",
    history=_FLUSH_HISTORY,
    summary="Remove all keys of all databases.",
)
def flushall(context: Context, args: list[bytes]) -> Reply:
    """The reply waits for the snapshot that a plugin takes at once, if it does (Redis: rdbSave)."""
    require_flush_type(args)
    for keyspace in context.engine.keyspaces:
        keyspace.flush()
    if context.engine.stores.left_out:
        for keyspace in context.engine.keyspaces:
            context.db.changes.rewrite(keyspace.index, [b"FLUSHDB"])
    else:
        context.db.changes.rewrite(context.db.index, [b"FLUSHALL"])
    reply: Reply = OK
    for flushed in context.engine.flushed:
        reply = flushed() or reply
    return reply


def require_flush_type(args: list[bytes]) -> None:
    """ASYNC and SYNC are the same here: no flush takes time, none leaves a key visible."""
    if len(args) > 2 or (len(args) == 2 and args[1].lower() not in (b"async", b"sync")):
        raise ErrorReply(SYNTAX_ERROR)


@command(
    "SWAPDB index1:integer index2:integer",
    group="server",
    since="4.0.0",
    complexity="O(N) where N is the number of keys that clients watch in both databases",
    flags="write fast",
    categories="keyspace dangerous",
    summary="Exchange the contents of two databases.",
)
def swapdb(context: Context, args: list[bytes]) -> Reply:
    keyspaces = context.engine.keyspaces
    first = parse_index(args[1], "first")
    second = parse_index(args[2], "second")
    if not (0 <= first < len(keyspaces) and 0 <= second < len(keyspaces)):
        raise ErrorReply(NO_SUCH_DATABASE)
    if context.engine.stores.apart(keyspaces[first], keyspaces[second]):
        raise ErrorReply(_APART)
    swap(keyspaces[first], keyspaces[second], SWAP)
    if context.engine.stores.left_out and first != second:
        # Whether files have it depends on these two, not on the one that is selected.
        context.engine.changes.rewrite(first, args)
    return OK


def parse_index(text: bytes, which: str) -> int:
    """A number that may be that of a database; ``which`` for the error."""
    error = f"ERR invalid {which} DB index"
    index = parse_integer(text, error)
    if not MIN_INT <= index <= MAX_INT:
        raise ErrorReply(error)
    return index
