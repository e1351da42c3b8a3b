"""Publish and subscribe: messages to whoever listens now; nothing is kept."""

from hypercache.commands.arguments import misused
from hypercache.engine.command import command
from hypercache.engine.context import Context
from hypercache.engine.pubsub import CHANNELS, PATTERNS, SHARD_CHANNELS
from hypercache.engine.session import Session
from hypercache.keyspace.glob import matches
from hypercache.reply import ErrorReply, Reply


@command(
    "SUBSCRIBE channel...",
    group="pubsub",
    since="2.0.0",
    complexity="O(N) where N is the number of channels",
    flags="pubsub noscript loading stale",
    summary="Listen to channels.",
)
def subscribe(context: Context, args: list[bytes]) -> Reply:
    return listen(context, CHANNELS, args)


@command(
    "PSUBSCRIBE pattern:pattern...",
    group="pubsub",
    since="2.0.0",
    complexity="O(N) where N is the number of patterns",
    flags="pubsub noscript loading stale",
    summary="Listen to all channels that match one of some glob patterns.",
)
def psubscribe(context: Context, args: list[bytes]) -> Reply:
    return listen(context, PATTERNS, args)


@command(
    "SSUBSCRIBE shardchannel#0...",
    group="pubsub",
    since="7.0.0",
    complexity="O(N) where N is the number of shard channels",
    flags="pubsub noscript loading stale",
    keys="not_key",
    summary="Listen to sharded channels.",
)
def ssubscribe(context: Context, args: list[bytes]) -> Reply:
    if context.in_exec:
        raise denied(args)
    return listen(context, SHARD_CHANNELS, args)


def listen(context: Context, kind: int, args: list[bytes]) -> Reply:
    """Subscribe a client; who expects one reply to every command (a script) cannot be one."""
    if not isinstance(context, Session):
        raise denied(args)
    return context.engine.pubsub.subscribe(context, kind, args[1:])


def denied(args: list[bytes]) -> ErrorReply:
    """What answers a client that may not wait for messages."""
    name = args[0].decode().upper()
    return ErrorReply(f"ERR {name} isn't allowed for a DENY BLOCKING client")


@command(
    "UNSUBSCRIBE [channel...]",
    group="pubsub",
    since="2.0.0",
    complexity="O(N) where N is the number of channels",
    flags="pubsub noscript loading stale",
    summary="Listen no longer to some channels, or to any.",
)
def unsubscribe(context: Context, args: list[bytes]) -> Reply:
    return context.engine.pubsub.unsubscribe(context, CHANNELS, args[1:])


@command(
    "PUNSUBSCRIBE [pattern:pattern...]",
    group="pubsub",
    since="2.0.0",
    complexity="O(N) where N is the number of patterns",
    flags="pubsub noscript loading stale",
    summary="Listen no longer to some glob patterns, or to any.",
)
def punsubscribe(context: Context, args: list[bytes]) -> Reply:
    return context.engine.pubsub.unsubscribe(context, PATTERNS, args[1:])


@command(
    "SUNSUBSCRIBE [shardchannel#0...]",
    group="pubsub",
    since="7.0.0",
    complexity="O(N) where N is the number of shard channels",
    flags="pubsub noscript loading stale",
    keys="not_key",
    summary="Listen no longer to some sharded channels, or to any.",
)
def sunsubscribe(context: Context, args: list[bytes]) -> Reply:
    return context.engine.pubsub.unsubscribe(context, SHARD_CHANNELS, args[1:])


@command(
    "PUBLISH channel message",
    group="pubsub",
    since="2.0.0",
    complexity="O(N+M) where N is the number of clients that get the message and M the number"
    " of patterns that anybody listens to",
    flags="pubsub loading stale fast may_replicate",
    summary="Send a message to all who listen to a channel; return how many there are.",
)
def publish(context: Context, args: list[bytes]) -> Reply:
    engine = context.engine
    receivers = engine.pubsub.publish(args[1], args[2])
    engine.changes.relay(context.db.index, args)
    return engine.pubsub.confirm(receivers)


@command(
    "SPUBLISH shardchannel#0 message",
    group="pubsub",
    since="7.0.0",
    complexity="O(N) where N is the number of clients that get the message",
    flags="pubsub loading stale fast may_replicate",
    keys="not_key",
    summary="Send a message to all who listen to a sharded channel; return how many there are.",
)
def spublish(context: Context, args: list[bytes]) -> Reply:
    engine = context.engine
    receivers = engine.pubsub.publish_sharded(args[1], args[2])
    engine.changes.relay(context.db.index, args)
    return engine.pubsub.confirm(receivers)


@command(
    "PUBSUB CHANNELS [pattern:pattern]",
    container="PUBSUB",
    group="pubsub",
    since="2.8.0",
    complexity="O(N) where N is the number of channels that anybody listens to",
    flags="pubsub loading stale",
    summary="Return the channels that anybody listens to by name, all or those that match.",
)
def pubsub_channels(context: Context, args: list[bytes]) -> Reply:
    return heard(context, CHANNELS, args)


@command(
    "PUBSUB SHARDCHANNELS [pattern:pattern]",
    container="PUBSUB",
    group="pubsub",
    since="7.0.0",
    complexity="O(N) where N is the number of sharded channels that anybody listens to",
    flags="pubsub loading stale",
    summary="Return the sharded channels that anybody listens to, all or those that match.",
)
def pubsub_shardchannels(context: Context, args: list[bytes]) -> Reply:
    return heard(context, SHARD_CHANNELS, args)


def heard(context: Context, kind: int, args: list[bytes]) -> Reply:
    """The names that anybody listens to and that match."""
    if len(args) > 3:
        raise misused(args)
    names = context.engine.pubsub.of(kind)
    if len(args) == 2:
        return list(names)
    return [name for name in names if matches(args[2], name, False)]


@command(
    "PUBSUB NUMSUB [channel...]",
    container="PUBSUB",
    group="pubsub",
    since="2.8.0",
    complexity="O(N) where N is the number of channels asked for",
    flags="pubsub loading stale",
    summary="Return channels, each with the number of clients that listen to it by name.",
)
def pubsub_numsub(context: Context, args: list[bytes]) -> Reply:
    return counted(context, CHANNELS, args)


@command(
    "PUBSUB SHARDNUMSUB [shardchannel...]",
    container="PUBSUB",
    group="pubsub",
    since="7.0.0",
    complexity="O(N) where N is the number of sharded channels asked for",
    flags="pubsub loading stale",
    summary="Return sharded channels, each with the number of clients that listen to it.",
)
def pubsub_shardnumsub(context: Context, args: list[bytes]) -> Reply:
    return counted(context, SHARD_CHANNELS, args)


def counted(context: Context, kind: int, args: list[bytes]) -> Reply:
    """Names, each followed by the number of its listeners."""
    reply: list[object] = []
    for name in args[2:]:
        reply.append(name)
        reply.append(context.engine.pubsub.count(kind, name))
    return reply


@command(
    "PUBSUB NUMPAT",
    container="PUBSUB",
    group="pubsub",
    since="2.8.0",
    complexity="O(1)",
    flags="pubsub loading stale",
    summary="Return the number of patterns that anybody listens to.",
)
def pubsub_numpat(context: Context, args: list[bytes]) -> Reply:
    return len(context.engine.pubsub.patterns)
