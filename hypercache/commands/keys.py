"""Keys whatever their type: there or not, removed, renamed, moved and copied."""

from typing import Final

from hypercache.backend import KIND_NAMES
from hypercache.commands.arguments import NO_SUCH_KEY, SYNTAX_ERROR, parse_database
from hypercache.commands.carrying import carry, carry_copy
from hypercache.engine.command import command
from hypercache.engine.context import Context
from hypercache.keyspace.changes import COPY_TO, MOVE_FROM, MOVE_TO, RENAME_FROM, RENAME_TO
from hypercache.keyspace.keyspace import kind_of
from hypercache.reply import OK, ErrorReply, Reply

SAME_OBJECT: Final = "ERR source and destination objects are the same"


@command(
    "DEL key...",
    group="generic",
    since="1.0.0",
    complexity="O(N) where N is the number of keys; large values are freed later",
    flags="write",
    keys="RM delete",
    tips="request_policy:multi_shard response_policy:agg_sum",
    summary="Remove keys.",
)
def del_(context: Context, args: list[bytes]) -> Reply:
    return delete_keys(context, args)


@command(
    "UNLINK key...",
    group="generic",
    since="4.0.0",
    complexity="O(N) where N is the number of keys; large values are freed later",
    flags="write fast",
    keys="RM delete",
    tips="request_policy:multi_shard response_policy:agg_sum",
    summary="Remove keys; the same as DEL, which frees large values later too.",
)
def unlink(context: Context, args: list[bytes]) -> Reply:
    return delete_keys(context, args)


def delete_keys(context: Context, args: list[bytes]) -> int:
    """Remove the keys of DEL or UNLINK; how many there were."""
    db = context.db
    count = 0
    for at in range(1, len(args)):
        if db.delete(args[at]):
            count += 1
    return count


@command(
    "EXISTS key...",
    group="generic",
    since="1.0.0",
    complexity="O(N) where N is the number of keys",
    flags="readonly fast",
    keys="RO",
    tips="request_policy:multi_shard response_policy:agg_sum",
    history=(("3.0.3", "More than one key."),),
    summary="Count the keys that exist; one that is named twice counts twice.",
)
def exists(context: Context, args: list[bytes]) -> Reply:
    db = context.db
    count = 0
    for at in range(1, len(args)):
        if db.look(args[at]) is not None:
            count += 1
    return count


@command(
    "TOUCH key...",
    group="generic",
    since="3.2.1",
    complexity="O(N) where N is the number of keys",
    flags="readonly fast",
    keys="RO",
    tips="request_policy:multi_shard response_policy:agg_sum",
    summary="Count the keys that exist and start their idle times anew.",
)
def touch(context: Context, args: list[bytes]) -> Reply:
    """Unlike every other command, it does so for a client under CLIENT NO-TOUCH too."""
    db = context.db
    no_touch = db.changes.no_touch
    db.changes.set_no_touch(False)
    count = 0
    try:
        for at in range(1, len(args)):
            if db.view_any(args[at]) is not None:
                count += 1
    finally:
        db.changes.set_no_touch(no_touch)
    return count


@command(
    "TYPE key",
    group="generic",
    since="1.0.0",
    complexity="O(1)",
    flags="readonly fast",
    keys="RO",
    summary="Name the type of the value under a key, or none.",
)
def type_(context: Context, args: list[bytes]) -> Reply:
    entry = context.db.look(args[1])
    return "none" if entry is None else KIND_NAMES[kind_of(entry)]


@command(
    "RANDOMKEY",
    group="generic",
    since="1.0.0",
    complexity="O(1)",
    flags="readonly touches_arbitrary_keys",
    tips="request_policy:all_shards response_policy:special nondeterministic_output",
    summary="Return a random key of the current database.",
)
def randomkey(context: Context, args: list[bytes]) -> Reply:
    return context.db.random_key()


@command(
    "RENAME key newkey",
    group="generic",
    since="1.0.0",
    complexity="O(1)",
    flags="write",
    keys="RW access delete; OW update",
    summary="Give a key another name; what was there is replaced.",
)
def rename(context: Context, args: list[bytes]) -> Reply:
    require_source(context, args)
    if args[1] != args[2]:
        context.db.move(args[1], context.db, args[2], RENAME_FROM, RENAME_TO)
    return OK


@command(
    "RENAMENX key newkey",
    group="generic",
    since="1.0.0",
    complexity="O(1)",
    flags="write fast",
    keys="RW access delete; OW insert",
    history=(("3.2.0", "No error for a new name that is the old one."),),
    summary="Give a key another name unless that exists.",
)
def renamenx(context: Context, args: list[bytes]) -> Reply:
    db = context.db
    require_source(context, args)
    if db.find(args[2]) is not None:
        return 0
    db.move(args[1], db, args[2], RENAME_FROM, RENAME_TO)
    return 1


def require_source(context: Context, args: list[bytes]) -> None:
    """The key to be renamed must be there, even if its name stays the same."""
    if context.db.find(args[1]) is None:
        raise ErrorReply(NO_SUCH_KEY)


@command(
    "MOVE key db:integer",
    group="generic",
    since="1.0.0",
    complexity="O(1); O(N) where the databases have different backends",
    flags="write fast",
    keys="RW access update",
    summary="Move a key to another database unless it exists there.",
)
def move(context: Context, args: list[bytes]) -> Reply:
    db = context.db
    keyspaces = context.engine.keyspaces
    target = keyspaces[parse_database(args[2], len(keyspaces))]
    if target is db:
        raise ErrorReply(SAME_OBJECT)
    if db.find(args[1]) is None or target.find(args[1]) is not None:
        return 0
    context.engine.eviction.require_room(target)
    if context.engine.stores.apart(db, target):
        carry(context, args[1], target)
    else:
        db.move(args[1], target, args[1], MOVE_FROM, MOVE_TO)
    return 1


@command(
    "COPY source:key destination:key [DB destination-db:integer] [REPLACE]",
    group="generic",
    since="6.2.0",
    complexity="O(N) where N is the size of the value",
    flags="write denyoom",
    keys="RO access; OW update",
    summary="Copy a value with its time to live to another key or database.",
)
def copy(context: Context, args: list[bytes]) -> Reply:
    db = context.db
    keyspaces = context.engine.keyspaces
    target = db
    replace = False
    at = 3
    while at < len(args):
        option = args[at].lower()
        if option == b"replace":
            replace = True
        elif option == b"db" and at + 1 < len(args):
            at += 1
            target = keyspaces[parse_database(args[at], len(keyspaces))]
        else:
            raise ErrorReply(SYNTAX_ERROR)
        at += 1
    key = args[1]
    new_key = args[2]
    if target is db and key == new_key:
        raise ErrorReply(SAME_OBJECT)
    if db.view_any(key) is None or (target.find(new_key) is not None and not replace):
        return 0
    context.engine.eviction.require_room(target)
    if context.engine.stores.apart(db, target):
        carry_copy(context, key, target, new_key)
    else:
        db.copy(key, target, new_key, COPY_TO)
    return 1
