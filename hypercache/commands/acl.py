# mypyc: interpreted
"""ACL: users, what they may do, and what they were refused."""

import secrets
from typing import Final

from hypercache.commands.arguments import misused, parse_integer
from hypercache.engine.acl.description import (
    describe_channels,
    describe_commands,
    describe_keys,
    user_flags,
    user_line,
)
from hypercache.engine.acl.file import AclFileError
from hypercache.engine.acl.rules import has_spaces
from hypercache.engine.acl.selectors import Selector
from hypercache.engine.acl.users import check
from hypercache.engine.command import CATEGORIES, command
from hypercache.engine.context import Context
from hypercache.reply import OK, ErrorReply, Members, Reply, printable, quotable

_MAX_PASSWORD_BITS: Final = 4096
_NO_FILE: Final = (
    "ERR This Redis instance is not configured to use an ACL file. You may want to specify users "
    "via the ACL SETUSER command and then issue a CONFIG REWRITE (assuming you have a Redis "
    "configuration file set) in order to store users in the Redis configuration."
)
_NOT_SAVED: Final = (
    "ERR There was an error trying to save the ACLs. Please check the server logs for more "
    "information"
)


@command(
    "ACL CAT [category]",
    container="ACL",
    group="server",
    since="6.0.0",
    complexity="O(1) since the categories and commands are a fixed set.",
    flags="noscript loading stale",
    summary="List the categories of commands, or the commands of one.",
)
def acl_cat(context: Context, args: list[bytes]) -> Reply:
    if len(args) > 3:
        raise misused(args)
    if len(args) == 2:
        return [name.encode() for name in CATEGORIES]
    name = printable(args[2]).lower()
    if name not in CATEGORIES:
        raise ErrorReply(f"ERR Unknown category '{quotable(args[2])[:128]}'")
    bit = 1 << CATEGORIES.index(name)
    every = context.engine.registry.originals()
    return [each.name for each in every if each.categories & bit]


@command(
    "ACL SETUSER username [rule...]",
    container="ACL",
    group="server",
    since="6.0.0",
    complexity="O(N). Where N is the number of rules provided.",
    flags="admin noscript loading stale",
    tips="request_policy:all_nodes response_policy:all_succeeded",
    history=(
        ("6.2.0", "Added Pub/Sub channel patterns."),
        ("7.0.0", "Added selectors and key based permissions."),
    ),
    summary="Make a user, or change one, by rules that all hold or none.",
)
def acl_setuser(context: Context, args: list[bytes]) -> Reply:
    if has_spaces(args[2]):
        raise ErrorReply("ERR Usernames can't contain spaces or null characters")
    context.engine.acl.set_user(args[2], args[3:])
    return OK


@command(
    "ACL DELUSER username...",
    container="ACL",
    group="server",
    since="6.0.0",
    complexity="O(1) amortized time considering the typical user.",
    flags="admin noscript loading stale",
    tips="request_policy:all_nodes response_policy:all_succeeded",
    summary="Remove users and close their connections.",
)
def acl_deluser(context: Context, args: list[bytes]) -> Reply:
    if b"default" in args[2:]:
        raise ErrorReply("ERR The 'default' user cannot be removed")
    return sum([context.engine.acl.delete_user(name) for name in args[2:]])


@command(
    "ACL GETUSER username",
    container="ACL",
    group="server",
    since="6.0.0",
    complexity="O(N). Where N is the number of password, command and pattern rules that the user"
    " has.",
    flags="admin noscript loading stale",
    history=(
        ("6.2.0", "Added Pub/Sub channel patterns."),
        (
            "7.0.0",
            "Added selectors and changed the format of key and channel patterns from a list to"
            " their rule representation.",
        ),
    ),
    summary="Describe a user.",
)
def acl_getuser(context: Context, args: list[bytes]) -> Reply:
    """Flags, digests of passwords, then keys, channels and commands of each selector."""
    user = context.engine.acl.users.get(args[2])
    if user is None:
        return None
    flags: list[object] = [*user_flags(user)]
    return {
        b"flags": Members(flags),
        b"passwords": [*user.passwords],
        **_selector(user.selectors[0]),
        b"selectors": [_selector(each) for each in user.selectors[1:]],
    }


def _selector(selector: Selector) -> dict[object, object]:
    return {
        b"commands": describe_commands(selector),
        b"keys": describe_keys(selector),
        b"channels": describe_channels(selector),
    }


@command(
    "ACL LIST",
    container="ACL",
    group="server",
    since="6.0.0",
    complexity="O(N). Where N is the number of configured users.",
    flags="admin noscript loading stale",
    summary="Describe all users as lines of a file.",
)
def acl_list(context: Context, args: list[bytes]) -> Reply:
    access = context.engine.acl
    return [user_line(access.users[name]) for name in access.names()]


@command(
    "ACL USERS",
    container="ACL",
    group="server",
    since="6.0.0",
    complexity="O(N). Where N is the number of configured users.",
    flags="admin noscript loading stale",
    summary="List the names of all users.",
)
def acl_users(context: Context, args: list[bytes]) -> Reply:
    return context.engine.acl.names()


@command(
    "ACL WHOAMI",
    container="ACL",
    group="server",
    since="6.0.0",
    complexity="O(1)",
    flags="noscript loading stale",
    summary="Return the name of this connection's user.",
)
def acl_whoami(context: Context, args: list[bytes]) -> Reply:
    return context.user.name


@command(
    "ACL GENPASS [bits:integer]",
    container="ACL",
    group="server",
    since="6.0.0",
    complexity="O(1)",
    flags="noscript loading stale",
    summary="Return a random password that nobody guesses.",
)
def acl_genpass(context: Context, args: list[bytes]) -> Reply:
    """Hexadecimal digits, as many as so many bits need: 256 unless told otherwise."""
    if len(args) > 3:
        raise misused(args)
    bits = 256
    if len(args) == 3:
        bits = parse_integer(args[2])
    if not 0 < bits <= _MAX_PASSWORD_BITS:
        raise ErrorReply(
            "ERR ACL GENPASS argument must be the number of bits for the output password, a "
            f"positive number up to {_MAX_PASSWORD_BITS}"
        )
    return secrets.token_hex((bits + 7) // 8)[: (bits + 3) // 4].encode()


@command(
    "ACL LOG [operation=(count:integer | RESET)]",
    container="ACL",
    group="server",
    since="6.0.0",
    complexity="O(N) with N being the number of entries shown.",
    flags="admin noscript loading stale",
    history=(("7.2.0", "Added entry ID, timestamp created, and timestamp last updated."),),
    summary="Return what was refused of late, ten entries unless told otherwise, or forget it.",
)
def acl_log(context: Context, args: list[bytes]) -> Reply:
    log = context.engine.acl.log
    if len(args) > 3:
        raise misused(args)
    count = 10
    if len(args) == 3:
        if args[2].lower() == b"reset":
            log.reset()
            return OK
        count = parse_integer(args[2])
    now = context.engine.time // 1000
    reply: list[object] = []
    for entry in log.entries[: max(count, 0)]:
        shown: dict[object, object] = {
            b"count": entry.count,
            b"reason": entry.reason.encode(),
            b"context": entry.where.encode(),
            b"object": entry.subject,
            b"username": entry.user,
            b"age-seconds": (now - entry.updated) / 1000,
            b"client-info": entry.client,
            b"entry-id": entry.number,
            b"timestamp-created": entry.created,
            b"timestamp-last-updated": entry.updated,
        }
        reply.append(shown)
    return reply


@command(
    "ACL DRYRUN username command [arg...]",
    container="ACL",
    group="server",
    since="7.0.0",
    complexity="O(1).",
    flags="admin noscript loading stale",
    summary="Tell whether a user might make a call, without making it.",
)
def acl_dryrun(context: Context, args: list[bytes]) -> Reply:
    engine = context.engine
    user = engine.acl.users.get(args[2])
    if user is None:
        raise ErrorReply(f"ERR User '{quotable(args[2])}' not found")
    call = args[3:]
    meant = engine.registry.resolve(call)
    if meant is None:
        raise ErrorReply(f"ERR Command '{quotable(args[3])}' not found")
    if len(call) < meant.minimum or (meant.maximum >= 0 and len(call) > meant.maximum):
        raise ErrorReply(f"ERR wrong number of arguments for '{printable(meant.name)}' command")
    refusal = check(user, meant, call)
    return OK if refusal is None else refusal.full_text().encode("utf-8", "surrogateescape")


@command(
    "ACL LOAD",
    container="ACL",
    group="server",
    since="6.0.0",
    complexity="O(N). Where N is the number of configured users.",
    flags="admin noscript loading stale",
    summary="Replace all users by those of the ACL file, unless it has a mistake.",
)
def acl_load(context: Context, args: list[bytes]) -> Reply:
    store = context.engine.acl.store
    if store is None:
        raise ErrorReply(_NO_FILE)
    try:
        store.load()
    except AclFileError as error:
        raise ErrorReply(f"ERR {error}") from None
    return OK


@command(
    "ACL SAVE",
    container="ACL",
    group="server",
    since="6.0.0",
    complexity="O(N). Where N is the number of configured users.",
    flags="admin noscript loading stale",
    tips="request_policy:all_nodes response_policy:all_succeeded",
    summary="Write all users to the ACL file.",
)
def acl_save(context: Context, args: list[bytes]) -> Reply:
    engine = context.engine
    store = engine.acl.store
    if store is None:
        raise ErrorReply(_NO_FILE)
    try:
        store.save()
    except OSError as error:
        engine.reporter.report("warning", "acl_save_failed", {"message": str(error)})
        raise ErrorReply(_NOT_SAVED) from None
    return OK
