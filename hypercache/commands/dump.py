# mypyc: interpreted
"""DUMP and RESTORE: values as bytes that another server takes, Redis among them."""

from typing import Final

from hypercache.backend import NO_EXPIRE
from hypercache.commands.arguments import SYNTAX_ERROR, format_integer, parse_integer
from hypercache.engine.command import command
from hypercache.engine.context import Context
from hypercache.keyspace.changes import RESTORE
from hypercache.rdb.content import store
from hypercache.rdb.dump import dump
from hypercache.rdb.errors import RdbError
from hypercache.rdb.lzf import Compressor
from hypercache.rdb.restore import is_valid_payload, restore
from hypercache.reply import OK, ErrorReply, Reply

_COMPRESSOR: Final = Compressor()
_BUSY: Final = "BUSYKEY Target key name already exists."
_BAD_PAYLOAD: Final = "ERR DUMP payload version or checksum are wrong"
_BAD_DATA: Final = "ERR Bad data format"
_HIGHEST_FREQUENCY: Final = 255
_LATEST: Final = (1 << 63) - 1


@command(
    "DUMP key",
    group="generic",
    since="2.6.0",
    complexity="O(1) to find the key and O(N*M) for N elements of the average size M",
    flags="readonly",
    keys="RO access",
    tips="nondeterministic_output",
    summary="Return a value as bytes from which RESTORE makes it again.",
)
def dump_(context: Context, args: list[bytes]) -> Reply:
    entry = context.db.view_any(args[1])
    if entry is None:
        return None
    compressed = context.engine.configuration.settings.rdbcompression
    return dump(entry, _COMPRESSOR if compressed else None)


class _Options:
    """What RESTORE is told behind the payload; ``idle`` in seconds, -1 when it is not told."""

    def __init__(self, args: list[bytes]) -> None:
        self.replace = False
        self.absolute = False
        self.idle = -1
        self.frequency = -1
        at = 4
        while at < len(args):
            option = args[at].lower()
            more = at + 1 < len(args)
            if option == b"replace":
                self.replace = True
            elif option == b"absttl":
                self.absolute = True
            elif option == b"idletime" and more and self.frequency < 0:
                at += 1
                self.idle = parse_integer(args[at])
                if self.idle < 0:
                    raise ErrorReply("ERR Invalid IDLETIME value, must be >= 0")
            elif option == b"freq" and more and self.idle < 0:
                at += 1
                self.frequency = parse_integer(args[at])
                if not 0 <= self.frequency <= _HIGHEST_FREQUENCY:
                    raise ErrorReply("ERR Invalid FREQ value, must be >= 0 and <= 255")
            else:
                raise ErrorReply(SYNTAX_ERROR)
            at += 1


@command(
    "RESTORE key ttl:integer serialized-value [REPLACE] [ABSTTL] [IDLETIME seconds:integer]"
    " [FREQ frequency:integer]",
    group="generic",
    since="2.6.0",
    complexity="O(N*M) for N elements of the average size M; O(N*M*log(N)) for sorted sets",
    flags="write denyoom",
    categories="dangerous",
    keys="OW update",
    history=(
        ("3.0.0", "The option REPLACE."),
        ("5.0.0", "The option ABSTTL."),
        ("5.0.0", "The options IDLETIME and FREQ."),
    ),
    summary="Make a key from the bytes of DUMP, with a time to live or none.",
)
def restore_(context: Context, args: list[bytes]) -> Reply:
    """IDLETIME has an effect where idle times are kept, FREQ under an LFU policy."""
    db = context.db
    key = args[1]
    options = _Options(args)
    if not options.replace and db.find(key) is not None:
        raise ErrorReply(_BUSY)
    ttl = parse_integer(args[2])
    if ttl < 0:
        raise ErrorReply("ERR Invalid TTL value, must be >= 0")
    payload = args[3]
    if not is_valid_payload(payload):
        raise ErrorReply(_BAD_PAYLOAD)
    try:
        content = restore(payload)
    except RdbError as error:
        context.engine.reporter.report("warning", "restore_refused", {"error": str(error)})
        raise ErrorReply(_BAD_DATA) from error
    deadline = NO_EXPIRE
    if ttl > 0:
        deadline = ttl if options.absolute else min(ttl + db.changes.now, _LATEST)
        if deadline <= db.changes.now:
            if db.delete(key):
                db.changes.rewrite(db.index, [b"DEL", key])
            return OK
    store(db, key, content, RESTORE)
    if deadline != NO_EXPIRE:
        db.set_expire(key, deadline)
    if db.changes.journalled:
        absolute = [b"0"] if deadline == NO_EXPIRE else [format_integer(deadline), b"ABSTTL"]
        effect = [b"RESTORE", key, absolute[0], payload, *absolute[1:], b"REPLACE"]
        db.changes.rewrite(db.index, effect)
    entry = db.find(key)
    if entry is not None:
        db.restored(key, entry, options.idle, options.frequency)
    return OK
