"""Hashes: fields and their values under one key."""

from typing import cast

from mypy_extensions import i64

from hypercache.backend import HASH, HashValue
from hypercache.engine.command import command
from hypercache.engine.context import Context
from hypercache.keyspace.changes import HDEL, HSET, Event
from hypercache.reply import OK, ErrorReply, Reply


def view_hash(context: Context, key: bytes) -> HashValue | None:
    """The hash under a key, to be read."""
    return cast(HashValue | None, context.db.view(key, HASH))


def make_hash(context: Context, key: bytes, event: Event) -> HashValue:
    """The hash under a key, to be changed; a new one if there is none."""
    return cast(HashValue, context.db.make(key, HASH, event))


def set_fields(context: Context, args: list[bytes], name: str) -> int:
    """Set the fields of HSET or HMSET; how many of them are new."""
    size: i64 = len(args)
    if size & 1:
        raise ErrorReply(f"ERR wrong number of arguments for '{name}' command")
    fields = make_hash(context, args[1], HSET)
    count: i64 = 0
    at: i64 = 2
    while at < size:
        if fields.set(args[at], args[at + 1]):
            count += 1
        at += 2
    return count


@command(
    "HSET key data=(field value)...",
    group="hash",
    since="2.0.0",
    complexity="O(N) where N is the number of fields set",
    flags="write denyoom fast",
    keys="RW update",
    history=(("4.0.0", "More than one field."),),
    summary="Set fields of a hash and count those that are new.",
)
def hset(context: Context, args: list[bytes]) -> Reply:
    return set_fields(context, args, "hset")


@command(
    "HMSET key data=(field value)...",
    group="hash",
    since="2.0.0",
    complexity="O(N) where N is the number of fields set",
    flags="write denyoom fast",
    keys="RW update",
    deprecated_since="4.0.0",
    replaced_by="`HSET` with several fields",
    summary="Set fields of a hash.",
)
def hmset(context: Context, args: list[bytes]) -> Reply:
    set_fields(context, args, "hmset")
    return OK


@command(
    "HSETNX key field value",
    group="hash",
    since="2.0.0",
    complexity="O(1)",
    flags="write denyoom fast",
    keys="RW insert",
    summary="Set a field of a hash unless it exists.",
)
def hsetnx(context: Context, args: list[bytes]) -> Reply:
    fields = make_hash(context, args[1], HSET)
    if fields.get(args[2]) is not None:
        return 0
    fields.set(args[2], args[3])
    return 1


@command(
    "HGET key field",
    group="hash",
    since="2.0.0",
    complexity="O(1)",
    flags="readonly fast",
    keys="RO access",
    summary="Return the value of a field.",
)
def hget(context: Context, args: list[bytes]) -> Reply:
    fields = view_hash(context, args[1])
    return None if fields is None else fields.get(args[2])


@command(
    "HMGET key field...",
    group="hash",
    since="2.0.0",
    complexity="O(N) where N is the number of fields asked for",
    flags="readonly fast",
    keys="RO access",
    summary="Return the values of many fields; null where there is none.",
)
def hmget(context: Context, args: list[bytes]) -> Reply:
    fields = view_hash(context, args[1])
    values: list[object] = []
    for at in range(2, len(args)):
        values.append(None if fields is None else fields.get(args[at]))
    return values


@command(
    "HGETALL key",
    group="hash",
    since="2.0.0",
    complexity="O(N) where N is the number of fields",
    flags="readonly",
    keys="RO access",
    tips="nondeterministic_output_order",
    summary="Return all fields of a hash with their values.",
)
def hgetall(context: Context, args: list[bytes]) -> Reply:
    fields = view_hash(context, args[1])
    return {} if fields is None else dict(fields.items())


@command(
    "HKEYS key",
    group="hash",
    since="2.0.0",
    complexity="O(N) where N is the number of fields",
    flags="readonly",
    keys="RO access",
    tips="nondeterministic_output_order",
    summary="Return all fields of a hash.",
)
def hkeys(context: Context, args: list[bytes]) -> Reply:
    fields = view_hash(context, args[1])
    names: list[object] = []
    if fields is not None:
        for field, _ in fields.items():
            names.append(field)
    return names


@command(
    "HVALS key",
    group="hash",
    since="2.0.0",
    complexity="O(N) where N is the number of fields",
    flags="readonly",
    keys="RO access",
    tips="nondeterministic_output_order",
    summary="Return all values of a hash.",
)
def hvals(context: Context, args: list[bytes]) -> Reply:
    fields = view_hash(context, args[1])
    values: list[object] = []
    if fields is not None:
        for _, value in fields.items():
            values.append(value)
    return values


@command(
    "HLEN key",
    group="hash",
    since="2.0.0",
    complexity="O(1)",
    flags="readonly fast",
    keys="RO",
    summary="Count the fields of a hash.",
)
def hlen(context: Context, args: list[bytes]) -> Reply:
    fields = view_hash(context, args[1])
    return 0 if fields is None else fields.length()


@command(
    "HSTRLEN key field",
    group="hash",
    since="3.2.0",
    complexity="O(1)",
    flags="readonly fast",
    keys="RO",
    summary="Return the length of a field's value in bytes, 0 if there is none.",
)
def hstrlen(context: Context, args: list[bytes]) -> Reply:
    fields = view_hash(context, args[1])
    value = None if fields is None else fields.get(args[2])
    return 0 if value is None else len(value)


@command(
    "HEXISTS key field",
    group="hash",
    since="2.0.0",
    complexity="O(1)",
    flags="readonly fast",
    keys="RO",
    summary="Tell whether a hash has a field.",
)
def hexists(context: Context, args: list[bytes]) -> Reply:
    fields = view_hash(context, args[1])
    return 0 if fields is None or fields.get(args[2]) is None else 1


@command(
    "HDEL key field...",
    group="hash",
    since="2.0.0",
    complexity="O(N) where N is the number of fields named",
    flags="write fast",
    keys="RW delete",
    history=(("2.4.0", "More than one field."),),
    summary="Remove fields of a hash, and its key with the last of them.",
)
def hdel(context: Context, args: list[bytes]) -> Reply:
    fields = cast(HashValue | None, context.db.edit(args[1], HASH, HDEL))
    count = 0
    if fields is not None:
        for at in range(2, len(args)):
            if fields.remove(args[at]):
                count += 1
    return count
