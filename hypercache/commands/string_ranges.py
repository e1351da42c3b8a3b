"""Parts of strings: APPEND, SETRANGE, GETRANGE and STRLEN.

What they change becomes a `StringValue`, edited in place from then on, until a whole new
string replaces it. Redis does the same: OBJECT ENCODING answers "raw" for it.
"""

from mypy_extensions import i64

from hypercache.backend import NO_EXPIRE
from hypercache.commands.arguments import parse_integer
from hypercache.engine.command import command
from hypercache.engine.context import Context
from hypercache.keyspace.changes import APPEND, SETRANGE
from hypercache.reply import ErrorReply, Reply


def require_length(context: Context, length: i64, more: i64) -> None:
    """Raise for a string that would be longer than proto-max-bulk-len."""
    # The difference, since the sum might leave 64 bits.
    if more > context.engine.max_bulk - length:
        raise ErrorReply("ERR string exceeds maximum allowed size (proto-max-bulk-len)")


@command(
    "APPEND key value",
    group="string",
    since="2.0.0",
    complexity="O(M) where M is the length of the value, over many calls",
    flags="write denyoom fast",
    keys="RW insert",
    summary="Add to the end of a string, which is empty while there is none.",
)
def append(context: Context, args: list[bytes]) -> Reply:
    db = context.db
    key = args[1]
    data = args[2]
    entry = db.find(key)
    if entry is None:
        db.set(key, data, NO_EXPIRE, APPEND)
        return len(data)
    length = db.text_length(entry)
    require_length(context, length, len(data))
    db.edit_string(key, APPEND).write(length, data)
    return length + len(data)


@command(
    "SETRANGE key offset:integer value",
    group="string",
    since="2.2.0",
    complexity="O(M) where M is the length of the value, over many calls",
    flags="write denyoom",
    keys="RW update",
    summary="Overwrite part of a string, filling a gap before it with zero bytes.",
)
def setrange(context: Context, args: list[bytes]) -> Reply:
    db = context.db
    key = args[1]
    data = args[3]
    offset = parse_integer(args[2])
    if offset < 0:
        raise ErrorReply("ERR offset is out of range")
    entry = db.find(key)
    length: i64 = 0 if entry is None else db.text_length(entry)
    if len(data) == 0:
        return length
    require_length(context, offset, len(data))
    db.edit_string(key, SETRANGE).write(offset, data)
    return max(length, offset + len(data))


@command(
    "GETRANGE key start:integer end:integer",
    group="string",
    since="2.4.0",
    complexity="O(N) where N is the length of the reply",
    flags="readonly",
    keys="RO access",
    summary="Return part of a string; negative places count from its end.",
)
def getrange(context: Context, args: list[bytes]) -> Reply:
    return text_range(context, args)


@command(
    "SUBSTR key start:integer end:integer",
    group="string",
    since="1.0.0",
    complexity="O(N) where N is the length of the reply",
    flags="readonly",
    keys="RO access",
    deprecated_since="2.0.0",
    replaced_by="`GETRANGE`",
    summary="Return part of a string; negative places count from its end.",
)
def substr(context: Context, args: list[bytes]) -> Reply:
    return text_range(context, args)


def text_range(context: Context, args: list[bytes]) -> bytes:
    """The bytes from place args[2] to place args[3], both included, of the string args[1]."""
    start = parse_integer(args[2])
    end = parse_integer(args[3])
    db = context.db
    entry = db.view_any(args[1])
    if entry is None:
        return b""
    length: i64 = db.text_length(entry)
    if start < 0 and end < 0 and start > end:
        return b""
    if start < 0:
        start = max(start + length, 0)
    if end < 0:
        end = max(end + length, 0)
    if end >= length:
        end = length - 1
    if start > end:
        return b""
    return db.part(entry, start, end + 1)


@command(
    "STRLEN key",
    group="string",
    since="2.2.0",
    complexity="O(1)",
    flags="readonly fast",
    keys="RO",
    summary="Return the length of a string in bytes, 0 if there is none.",
)
def strlen(context: Context, args: list[bytes]) -> Reply:
    entry = context.db.view_any(args[1])
    return 0 if entry is None else context.db.text_length(entry)
