# mypyc: interpreted
"""The parts of DEBUG that look at how keys are kept, or move what Redis' tests move."""

import secrets
from typing import Final

from hypercache.commands.arguments import misused
from hypercache.config import ConfigError
from hypercache.engine.context import Context
from hypercache.keyspace import numbers
from hypercache.reply import OK, ErrorReply, Reply, Verbatim

_NO_SUCH_KEY: Final = "ERR no such key"
_NO_HASH_TABLE: Final = (
    "ERR The value stored at the specified key is not represented using an hash table"
)
_RESET_TIMES: Final = (b"never", b"reset")


def show_tables(context: Context, args: list[bytes]) -> Reply:
    """HTSTATS: sizes only; the tables are Python's, which shows no more of them."""
    index = numbers.parse_integer(args[0])
    if index is None:
        raise ErrorReply("ERR value is not an integer or out of range")
    if not 0 <= index < len(context.engine.keyspaces):
        raise ErrorReply("ERR Out of range database")
    store = context.engine.keyspaces[index].store
    keys, deadlines = store.overhead()
    return Verbatim(
        b"[Dictionary HT]\n number of elements: %d\n bytes: %d\n"
        b"[Expires HT]\n number of elements: %d\n bytes: %d\n"
        % (store.size(), keys, store.volatile(), deadlines)
    )


def show_value_table(context: Context, args: list[bytes]) -> Reply:
    """HTSTATS-KEY: no value is a hash table that one could look into."""
    if context.db.store.find(args[0]) is None:
        raise ErrorReply(_NO_SUCH_KEY)
    raise ErrorReply(_NO_HASH_TABLE)


def change_replication_id(context: Context, args: list[bytes]) -> Reply:
    context.engine.statistics.replication_id = secrets.token_hex(20)
    return OK


def tune_reply_buffer(context: Context, args: list[bytes]) -> Reply:
    """REPLYBUFFER: clients have no buffer of a size that changes; the words are checked."""
    option, value = args[0].lower(), args[1]
    if option == b"peak-reset-time":
        if value.lower() not in _RESET_TIMES and numbers.parse_integer(value) is None:
            raise ErrorReply("ERR value is not an integer or out of range")
    elif option != b"resizing":
        raise misused([b"debug", b"replybuffer"])
    return OK


def rewrite_all_settings(context: Context, args: list[bytes]) -> Reply:
    try:
        context.engine.configuration.rewrite(force=True)
    except ConfigError as error:
        raise ErrorReply(f"ERR CONFIG-REWRITE-FORCE-ALL failed: {error}") from error
    return OK
