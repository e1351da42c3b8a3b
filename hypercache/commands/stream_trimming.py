"""Trimming streams: the options that XADD and XTRIM share, and what they remove."""

from typing import Final

from mypy_extensions import i64

from hypercache.backend import StreamValue
from hypercache.commands.arguments import SYNTAX_ERROR, format_integer, parse_integer
from hypercache.commands.stream_ids import format_id, parse_id
from hypercache.reply import ErrorReply
from hypercache.streams import MAX_ID, MIN_ID

# `Trimming.strategy`.
NONE: Final = 0
MAXLEN: Final = 1
MINID: Final = 2

# What ``~`` removes at most in one call: entries of so many nodes, within these limits.
_NODES: Final = 100
_DEFAULT_LIMIT: Final = 10000
_HIGHEST_LIMIT: Final = 1000000


class Trimming:
    """The options before the id of XADD, or those of XTRIM, and where the id is then."""

    def __init__(self, args: list[bytes], adding: bool) -> None:
        self.strategy = NONE
        self.approximate = False
        self.no_make = False
        self.limit: i64 = -1
        self.length: i64 = 0
        self.lowest = MIN_ID
        #: XADD: the index of the id, and the id; None for ``*``, the milliseconds of ``ms-*``.
        self.id_at = 0
        self.id: bytes | None = None
        self.id_is_whole = False
        at = 2
        while at < len(args) and not (adding and args[at] == b"*"):
            read = self._option(args, at)
            if read == 0 and adding and args[at].lower() == b"nomkstream":
                self.no_make = True
                read = 1
            if read == 0:
                if not adding:
                    raise ErrorReply(SYNTAX_ERROR)
                self._take_id(args[at])
                break
            at += read
        self.id_at = at
        self._check(adding)

    def _option(self, args: list[bytes], at: int) -> int:
        """Read an option with its values; how many words it took, 0 if it is none of these."""
        left = len(args) - at - 1
        option = args[at].lower() if left > 0 else b""
        if option == b"limit":
            self.limit = parse_integer(args[at + 1])
            if self.limit < 0:
                raise ErrorReply("ERR The LIMIT argument must be >= 0.")
            return 2
        if option != b"maxlen" and option != b"minid":
            return 0
        if self.strategy != NONE:
            raise ErrorReply(
                "ERR syntax error, MAXLEN and MINID options at the same time are not compatible"
            )
        words = 2
        if left >= 2 and (args[at + 1] == b"~" or args[at + 1] == b"="):
            self.approximate = args[at + 1] == b"~"
            words = 3
        threshold = args[at + words - 1]
        if option == b"minid":
            self.strategy = MINID
            self.lowest = parse_id(threshold)
            return words
        self.strategy = MAXLEN
        self.length = parse_integer(threshold)
        if self.length < 0:
            raise ErrorReply("ERR The MAXLEN argument must be >= 0.")
        return words

    def _take_id(self, text: bytes) -> None:
        self.id_is_whole = not text.endswith(b"-*") or text.find(b"-") != len(text) - 2
        self.id = parse_id(text if self.id_is_whole else text[:-2])

    def _check(self, adding: bool) -> None:
        if self.limit > 0 and self.strategy == NONE:
            raise ErrorReply(
                "ERR syntax error, LIMIT cannot be used without specifying a trimming strategy"
            )
        if not adding and self.strategy == NONE:
            raise ErrorReply("ERR syntax error, XTRIM must be called with a trimming strategy")
        if self.limit >= 0 and not self.approximate:
            raise ErrorReply("ERR syntax error, LIMIT cannot be used without the special ~ option")

    def trim(self, stream: StreamValue, node_entries: i64) -> int:
        """Remove what is too much; how many entries. ``node_entries``: of a full node."""
        if self.approximate:
            return self._trim_nodes(stream, node_entries)
        if self.strategy == MINID:
            return stream.remove_below(self.lowest)
        excess = stream.length() - self.length
        if excess <= 0:
            return 0
        stream.remove_first(excess)
        return excess

    def _trim_nodes(self, stream: StreamValue, node_entries: i64) -> int:
        """Remove whole nodes, as long as nothing goes that is to stay."""
        limit = self.limit
        if limit < 0:
            limit = node_entries * _NODES
            if limit <= 0:
                limit = _DEFAULT_LIMIT
            limit = min(limit, _HIGHEST_LIMIT)
        removed: i64 = 0
        most = self.length if self.strategy == MAXLEN else 0
        while stream.length() > most:
            count, last = stream.first_node()
            if limit > 0 and removed + count > limit:
                break
            if self.strategy == MAXLEN and stream.length() - count < self.length:
                break
            if self.strategy == MINID and last >= self.lowest:
                break
            stream.remove_first(count)
            removed += count
        return removed

    def exact(self, args: list[bytes], stream: StreamValue) -> list[bytes]:
        """The arguments with which ``=`` does what ``~`` has done, for the journal."""
        if not self.approximate:
            return args
        if self.strategy == MAXLEN:
            limit = [b"MAXLEN", b"=", format_integer(stream.length())]
        else:
            lowest = stream.first_id() if stream.length() > 0 else MAX_ID
            limit = [b"MINID", b"=", format_id(lowest)]
        return args[:2] + limit + args[self.id_at :]
