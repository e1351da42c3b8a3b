r"""Requests out of bytes, without input or output.

A request is a RESP array of bulk strings (``*2\r\n$3\r\nGET\r\n$1\r\nk\r\n``) or an inline
command (``GET k\r\n``). Limits and error texts are those of Redis 7.2. As there, only the
carriage return ends the line of a length, and the byte after it, like the two after a bulk
string, is skipped unseen. One difference: a NUL in a line is a byte like any other, where Redis
would never find the end of that line.

Time is linear in the bytes fed, however they are cut. A request inside one chunk is sliced
straight out of it. What a chunk's end cuts, a line or a bulk string, becomes a list of pieces,
joined once when its last byte is there; complete arguments are never looked at again.
"""

from typing import Final

from mypy_extensions import i64

from hypercache.protocol.errors import ProtocolError
from hypercache.protocol.inline import split_words

DEFAULT_MAX_BULK: Final = 512 * 1024 * 1024
READ_SIZE: Final = 16 * 1024

_MAX_LINE: Final = 64 * 1024
_MAX_COUNT: Final = 2**31 - 1
_GUEST_MAX_COUNT: Final = 10
_GUEST_MAX_BULK: Final = 16 * 1024
_PLAIN_DIGITS: Final = 5

# Pieces are merged by runs, so that a value that arrives byte by byte holds
# little more memory than its bytes.
_RUN: Final = 256
_SMALL_RUN: Final = _RUN * 1024

_STAR: Final = 42
_DOLLAR: Final = 36
_CR: Final = 13
_ZERO: Final = 48
_NINE: Final = 57


class RequestParser:
    """Turns the bytes of one connection into requests.

    ``authenticated`` is False while the client still has to log in: a stranger may send 10
    arguments of 16 KiB. ``max_bulk`` is the longest argument, in bytes (``proto-max-bulk-len``,
    in Redis 1 MiB or more; lengths below 100 are not held against it).
    ``wanted`` is how many bytes the next read may usefully take.
    """

    def __init__(self, authenticated: bool = True, max_bulk: i64 = DEFAULT_MAX_BULK) -> None:
        self.authenticated = authenticated
        self.max_bulk: i64 = max_bulk
        self.wanted: i64 = READ_SIZE
        self._data = b""
        self._at: i64 = 0
        self._queue: list[bytes] | None = None
        self._dead = False
        # The request that a chunk's end has cut: its arguments so far, how many are
        # missing, and how many bytes were read for it.
        self._arguments: list[bytes] | None = None
        self._left: i64 = 0
        self._taken: i64 = 0
        # The line or bulk string cut: its pieces, and what ends it. A bulk string ends
        # after so many bytes more; a line (0) with the mark.
        self._pieces: list[bytes] | None = None
        self._held: i64 = 0
        self._missing: i64 = 0
        self._mark = b""
        self._run: i64 = 0
        self._run_bytes: i64 = 0

    def feed(self, data: bytes) -> None:
        """Takes the next bytes of the connection. They are parsed by ``next``."""
        if self._dead:
            return
        if self._at < len(self._data):
            if self._queue is None:
                self._queue = []
            self._queue.append(data)
        else:
            self._data = data
            self._at = 0

    def next(self) -> list[bytes] | None:
        """The arguments of the next complete request; None when more bytes are needed.

        Raises ``ProtocolError`` once; after that the parser drops what it is fed.
        """
        if self._pieces is not None and not self._resume():
            return self._starve()
        data = self._data
        size: i64 = len(data)
        at: i64 = self._at
        begin: i64 = at
        char: i64
        arguments = self._arguments
        left: i64 = self._left
        while arguments is None:
            if at >= size:
                return self._starve()
            if data[at] != _STAR:
                words = self._words(data, at, size)
                if words is None:
                    return self._starve()
                if words:
                    return words
                at = self._at
                continue
            char = 0
            if at + 3 < size and data[at + 2] == _CR:
                char = data[at + 1]
            if _ZERO < char <= _NINE:
                left = char - _ZERO
                at += 4
            else:
                left = self._count(data, at, size)
                if left < 0:
                    return self._starve()
                at = self._at
            if left > 0:
                arguments = []
            else:
                begin = at
        while left > 0:
            length: i64 = -1
            start: i64 = at + 4
            if start < size and data[at] == _DOLLAR:
                first: i64 = data[at + 1]
                char = data[at + 2]
                if char == _CR and _ZERO <= first <= _NINE:
                    length = first - _ZERO
                elif data[at + 3] == _CR and _ZERO < first <= _NINE and _ZERO <= char <= _NINE:
                    length = first * 10 + char - 11 * _ZERO
                    start += 1
            if length < 0:
                length = self._length(data, at, size)
                start = self._at
            end: i64 = start + length
            if length < 0 or end + 2 > size:
                if length >= 0:
                    self._cut(data, start, b"", end + 2 - size)
                self._arguments = arguments
                self._left = left
                self._taken += at - begin
                return self._starve()
            arguments.append(data[start:end])
            at = end + 2
            left -= 1
        self._at = at
        self._arguments = None
        self._left = 0
        self._taken = 0
        return arguments

    def pending(self) -> bool:
        """Whether bytes fed wait to be parsed: False once ``next`` has returned None."""
        return self._at < len(self._data)

    def buffered(self) -> int:
        """How many bytes are held of requests that are not complete or not taken yet."""
        return self.unparsed() + self._taken

    def unparsed(self) -> i64:
        """How many of these are not part of an argument that is complete."""
        total: i64 = len(self._data) - self._at + self._held
        if self._queue is not None:
            for chunk in self._queue:
                total += len(chunk)
        return total

    def parsed(self) -> i64:
        """The bytes of the complete arguments of a request that is not complete."""
        total: i64 = 0
        if self._arguments is not None:
            for argument in self._arguments:
                total += len(argument)
        return total

    def announced(self) -> i64:
        """How many bytes are yet to come of the argument that is being received."""
        return self._missing if self._pieces is not None else 0

    def _starve(self) -> list[bytes] | None:
        """All of this chunk is used: goes on with what was fed meanwhile, if anything."""
        self._at = 0
        if self._queue is None:
            self._data = b""
            return None
        self._data = b"".join(self._queue)
        self._queue = None
        return self.next()

    def _count(self, data: bytes, at: i64, size: i64) -> i64:
        """The number of arguments of the request at ``at``, moving behind its line.

        0 counts as no request. -1 when the line is not complete.
        """
        end = self._line_end(data, at, size, "too big mbulk count string")
        if end < 0:
            return -1
        count = _strict_integer(data[at + 1 : end])
        if count is None or count > _MAX_COUNT:
            raise self._error("invalid multibulk length")
        if count > _GUEST_MAX_COUNT and not self.authenticated:
            raise self._error("unauthenticated multibulk length")
        self._at = end + 2
        return max(count, 0)

    def _length(self, data: bytes, at: i64, size: i64) -> i64:
        """The length of the bulk string at ``at``, moving to its first byte.

        -1 when its line is not complete.
        """
        start: i64 = at + 1
        if at + _PLAIN_DIGITS + 3 < size and data[at] == _DOLLAR and data[start] != _ZERO:
            plain: i64 = 0
            while start <= at + _PLAIN_DIGITS:
                char: i64 = data[start]
                if not _ZERO <= char <= _NINE:
                    break
                plain = plain * 10 + (char - _ZERO)
                start += 1
            if 0 < plain <= _GUEST_MAX_BULK and data[start] == _CR and plain <= self.max_bulk:
                self._at = start + 2
                return plain
        end = self._line_end(data, at, size, "too big bulk count string")
        if end < 0:
            return -1
        if data[at] != _DOLLAR:
            got = data[at : at + 1].replace(b"\r", b" ").replace(b"\n", b" ")
            raise self._error(f"expected '$', got '{got.decode('utf-8', 'surrogateescape')}'")
        length = _strict_integer(data[at + 1 : end])
        if length is None or not 0 <= length <= self.max_bulk:
            raise self._error("invalid bulk length")
        if length > _GUEST_MAX_BULK and not self.authenticated:
            raise self._error("unauthenticated bulk length")
        self._at = end + 2
        return length

    def _words(self, data: bytes, at: i64, size: i64) -> list[bytes] | None:
        """The words of the inline command at ``at``; None when its line is cut."""
        end: i64 = data.find(b"\n", at, at + _MAX_LINE + 1)
        if end < 0:
            if size - at > _MAX_LINE:
                raise self._error("too big inline request")
            self._cut(data, at, b"\n", 0)
            return None
        self._at = end + 1
        if end > at and data[end - 1] == _CR:
            end -= 1
        words = split_words(data[at:end])
        if words is None:
            raise self._error("unbalanced quotes in request")
        return words

    def _line_end(self, data: bytes, at: i64, size: i64, too_big: str) -> i64:
        """The index of the carriage return of a length; -1 when the line is not complete."""
        end: i64 = data.find(b"\r", at, at + _MAX_LINE + 1)
        if end < 0:
            if size - at > _MAX_LINE:
                raise self._error(too_big)
            self._cut(data, at, b"\r", 0)
            return -1
        if end + 1 >= size:
            self._cut(data, at, b"", 0)
            return -1
        return end

    def _cut(self, data: bytes, at: i64, mark: bytes, missing: i64) -> None:
        """Keeps this chunk from ``at`` on as the first piece of a line or bulk string."""
        piece = data[at:]
        self._data = b""
        self._at = 0
        self._mark = mark
        self._missing = missing
        self._pieces = [piece]
        self._held = len(piece)
        self._run = 0
        self._run_bytes = 0
        self.wanted = max(missing, READ_SIZE)

    def _resume(self) -> bool:
        """Goes on with what was cut. True once its end is there."""
        data = self._data
        size: i64 = len(data)
        if size == 0:
            return False
        pieces = self._pieces
        assert pieces is not None
        missing: i64 = self._missing
        if missing > size or (
            missing == 0 and data.find(self._mark) < 0 and self._held + size <= _MAX_LINE
        ):
            self._collect(pieces, data, size)
            return False
        if missing == 0:
            pieces.append(data)
            self._data = b"".join(pieces)
        else:
            self._complete(pieces, data, missing)
            self._at = missing
        self._pieces = None
        self._held = 0
        self.wanted = READ_SIZE
        return True

    def _collect(self, pieces: list[bytes], data: bytes, size: i64) -> None:
        """Another piece, and not the last."""
        pieces.append(data)
        self._data = b""
        self._held += size
        if self._missing > 0:
            self._missing -= size
            self.wanted = max(self._missing, READ_SIZE)
        self._run += 1
        self._run_bytes += size
        if self._run == _RUN:
            if self._run_bytes < _SMALL_RUN:
                run = b"".join(pieces[-_RUN:])
                del pieces[-_RUN:]
                pieces.append(run)
            self._run = 0
            self._run_bytes = 0

    def _complete(self, pieces: list[bytes], data: bytes, missing: i64) -> None:
        """The bulk string of these pieces and of the first ``missing`` bytes of ``data``."""
        if missing >= 2:
            pieces.append(data[: missing - 2])
        else:
            pieces[-1] = pieces[-1][:-1]
        arguments = self._arguments
        assert arguments is not None
        arguments.append(b"".join(pieces))
        self._left -= 1
        self._taken += self._held + missing

    def _error(self, reason: str) -> ProtocolError:
        """Kills the parser: nothing behind an error can be understood."""
        self._dead = True
        self._data = b""
        self._at = 0
        self._queue = None
        self._arguments = None
        self._left = 0
        self._taken = 0
        self._pieces = None
        self._held = 0
        return ProtocolError(reason)


def _strict_integer(digits: bytes) -> int | None:
    """The number that these bytes write in the one shortest way; None when they do not.

    64 bit signed, without sign ``+``, leading zeros or white space.
    """
    if digits == b"0":
        return 0
    unsigned = digits[1:] if digits[:1] == b"-" else digits
    if len(digits) > 20 or not unsigned.isdigit() or unsigned[0] == _ZERO:
        return None
    number = int(digits)
    return number if -(2**63) <= number < 2**63 else None
