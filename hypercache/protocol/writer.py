"""Python values as RESP2 or RESP3 bytes; ``types`` says which value becomes what."""

from typing import Final

from librt.strings import BytesWriter, write_i16_le
from mypy_extensions import i64

from hypercache.protocol.doubles import format_double
from hypercache.protocol.types import (
    OK,
    QUEUED,
    Attributed,
    BigNumber,
    Digits,
    ErrorReply,
    Members,
    NoReply,
    NullArray,
    PairedMap,
    Pairs,
    Push,
    Pushes,
    Verbatim,
)

# Values beyond this go out as chunks of their own, uncopied.
_BIG: Final = 8 * 1024
# The buffer is emptied into a chunk beyond this, which bounds its capacity.
_CHUNK: Final = 64 * 1024

_SHORT: Final = 1024
_BULK_HEADERS: Final[list[bytes]] = [b"$%d\r\n" % n for n in range(_SHORT + 1)]
_INTEGERS: Final[list[bytes]] = [b":%d\r\n" % n for n in range(_SHORT + 1)]
_ARRAY_HEADERS: Final[list[bytes]] = [b"*%d\r\n" % n for n in range(_SHORT + 1)]
_FEW: Final[list[bytes]] = [b"%d" % n for n in range(1000)]
_GROUPS: Final[list[bytes]] = [b"%03d" % n for n in range(1000)]
_CRLF: Final = 0x0A0D
_COLON: Final = 58
_DOLLAR: Final = 36
_STAR: Final = 42
_PERCENT: Final = 37
_TILDE: Final = 126
_GREATER: Final = 62
_BAR: Final = 124
_MAX_INTEGER: Final = 2**63 - 1
_MIN_INTEGER: Final = -(2**63)


class ReplyWriter:
    """Collects encoded replies until ``take``.

    ``version`` is that of the client whose replies are written, 2 or 3. Encoding a value that
    is no reply is a ``TypeError``.
    """

    def __init__(self, version: i64 = 2) -> None:
        self.version: i64 = version
        self._out = BytesWriter()
        self._chunks: list[bytes] = []
        self._flushed: i64 = 0

    @property
    def size(self) -> i64:
        """How many bytes wait to be taken."""
        return self._flushed + len(self._out)

    def take(self) -> list[bytes]:
        """Everything written since the last time, in order; mostly one chunk, or none."""
        if len(self._out) > 0:
            self._flush()
        chunks = self._chunks
        if chunks:
            self._chunks = []
            self._flushed = 0
        return chunks

    def take_bytes(self) -> bytes:
        """Like ``take``, in one piece."""
        return b"".join(self.take())

    def write(self, value: object) -> None:
        """Encodes any reply."""
        if isinstance(value, bytes):
            self.write_bulk(value)
        elif value is None:
            self.write_null()
        elif isinstance(value, str):
            self.write_status(value)
        elif isinstance(value, bool):
            self._write_bool(value)
        elif isinstance(value, int):
            self.write_integer(value)
        elif isinstance(value, list):
            self.write_array_header(len(value))
            for item in value:
                self.write(item)
        else:
            self._write_rare(value)

    def write_bulk(self, data: bytes) -> None:
        """A bulk string."""
        size: i64 = len(data)
        out = self._out
        if size <= _SHORT:
            out.write(_BULK_HEADERS[size])
            out.write(data)
        else:
            self._write_head(_DOLLAR, size)
            if size <= _BIG:
                out.write(data)
            else:
                self._flush()
                self._chunks.append(data)
                self._flushed += size
        write_i16_le(out, _CRLF)
        if len(out) > _CHUNK:
            self._flush()

    def write_integer(self, number: int) -> None:
        """An integer; beyond 64 bits a big number, in RESP2 a bulk string."""
        if 0 <= number <= _SHORT:
            self._write_line(_INTEGERS[number])
        elif 0 < number <= _MAX_INTEGER:
            self._write_head(_COLON, number)
        elif _MIN_INTEGER <= number < 0:
            self._write_line(b":%d\r\n" % number)
        elif self.version == 2:
            self.write_bulk(b"%d" % number)
        else:
            self._write_line(b"(%d\r\n" % number)

    def write_status(self, text: str) -> None:
        """A simple string; a line break in it becomes a space."""
        if text == OK:
            self._write_line(b"+OK\r\n")
        elif text == "PONG":
            self._write_line(b"+PONG\r\n")
        elif text == QUEUED:
            self._write_line(b"+QUEUED\r\n")
        else:
            self._write_line(b"+" + _one_line(text) + b"\r\n")

    def write_error(self, text: str) -> None:
        """An error, code word first; a line break in it becomes a space."""
        self._write_line(b"-" + _one_line(text.strip("\r\n")) + b"\r\n")

    def write_null(self) -> None:
        """The null of a bulk string."""
        self._write_line(b"$-1\r\n" if self.version == 2 else b"_\r\n")

    def write_null_array(self) -> None:
        """The null of an aggregate."""
        self._write_line(b"*-1\r\n" if self.version == 2 else b"_\r\n")

    def write_array_header(self, count: i64) -> None:
        """The head of an array: ``count`` values must follow."""
        if count <= _SHORT:
            self._write_line(_ARRAY_HEADERS[count])
        else:
            self._write_head(_STAR, count)

    def write_map_header(self, count: i64) -> None:
        """The head of a map: ``count`` keys and values must follow, in turn."""
        if self.version == 2:
            self.write_array_header(count * 2)
        else:
            self._write_head(_PERCENT, count)

    def write_set_header(self, count: i64) -> None:
        """The head of a set: ``count`` values must follow."""
        if self.version == 2:
            self.write_array_header(count)
        else:
            self._write_head(_TILDE, count)

    def write_push_header(self, count: i64) -> None:
        """The head of a push: ``count`` values must follow, the first its type."""
        if self.version == 2:
            self.write_array_header(count)
        else:
            self._write_head(_GREATER, count)

    def write_double(self, value: float) -> None:
        """A double; in RESP2 a bulk string."""
        if self.version == 2:
            self.write_bulk(format_double(value))
        else:
            self._write_line(b"," + format_double(value) + b"\r\n")

    def _write_bool(self, value: bool) -> None:
        if self.version == 2:
            self._write_line(b":1\r\n" if value else b":0\r\n")
        else:
            self._write_line(b"#t\r\n" if value else b"#f\r\n")

    def _write_rare(self, value: object) -> None:
        if isinstance(value, float):
            self.write_double(value)
        elif isinstance(value, Digits):
            if self.version == 2:
                self.write_bulk(value.text)
            else:
                self._write_line(b",%b\r\n" % value.text)
        elif isinstance(value, BigNumber):
            if self.version == 2:
                self.write_bulk(value.text)
            else:
                self._write_line(b"(%b\r\n" % value.text)
        elif isinstance(value, ErrorReply):
            self.write_error(value.text)
        elif isinstance(value, NullArray):
            self.write_null_array()
        elif isinstance(value, tuple):
            self.write_array_header(len(value))
            for item in value:
                self.write(item)
        elif isinstance(value, dict):
            self.write_map_header(len(value))
            self._write_items(value)
        elif isinstance(value, Pairs):
            self._write_pairs(value)
        elif isinstance(value, PairedMap):
            self._write_paired_map(value)
        elif isinstance(value, (set, frozenset)):
            self.write_set_header(len(value))
            for item in value:
                self.write(item)
        elif isinstance(value, Members):
            self.write_set_header(len(value.items))
            for item in value.items:
                self.write(item)
        elif isinstance(value, Push):
            self.write_push_header(len(value.items))
            for item in value.items:
                self.write(item)
        elif isinstance(value, Pushes):
            for push in value.items:
                self.write(push)
        elif isinstance(value, Verbatim):
            self._write_verbatim(value)
        elif isinstance(value, Attributed):
            if self.version != 2:
                self._write_head(_BAR, len(value.attributes))
                self._write_items(value.attributes)
            self.write(value.value)
        elif not isinstance(value, NoReply):
            raise TypeError(f"not a reply: {type(value).__name__}")

    def _write_items(self, items: dict[object, object]) -> None:
        for key, value in items.items():
            self.write(key)
            self.write(value)

    def _write_pairs(self, pairs: Pairs) -> None:
        nested = self.version != 2
        self.write_array_header(len(pairs.items) * (1 if nested else 2))
        for first, second in pairs.items:
            if nested:
                self.write_array_header(2)
            self.write(first)
            self.write(second)

    def _write_paired_map(self, pairs: PairedMap) -> None:
        if self.version == 2:
            self.write_array_header(len(pairs.items))
        else:
            self.write_map_header(len(pairs.items))
        for key, value in pairs.items:
            if self.version == 2:
                self.write_array_header(2)
            self.write(key)
            self.write(value)

    def _write_verbatim(self, value: Verbatim) -> None:
        if self.version == 2:
            self.write_bulk(value.text)
        else:
            self._write_line(b"=%d\r\n%b:" % (len(value.text) + 4, value.form))
            self._write_line(value.text)
            self._write_line(b"\r\n")

    def _write_head(self, mark: i64, number: i64) -> None:
        """A mark and a number of any size, not negative."""
        out = self._out
        out.append(mark)
        _write_digits(out, number)
        write_i16_le(out, _CRLF)
        if len(out) > _CHUNK:
            self._flush()

    def _write_line(self, line: bytes) -> None:
        self._out.write(line)
        if len(self._out) > _CHUNK:
            self._flush()

    def _flush(self) -> None:
        """Empties the buffer into a chunk."""
        out = self._out
        chunk = out.getvalue()
        self._chunks.append(chunk)
        self._flushed += len(chunk)
        out.truncate(0)


def encode(value: object, version: i64) -> bytes:
    """One reply by itself, for another session than the one being served."""
    writer = ReplyWriter(version)
    writer.write(value)
    return writer.take_bytes()


def _write_digits(out: BytesWriter, number: i64) -> None:
    """A number that is not negative, by groups of three digits."""
    if number < 1000:
        out.write(_FEW[number])
    else:
        _write_digits(out, number // 1000)
        out.write(_GROUPS[number % 1000])


def _one_line(text: str) -> bytes:
    """Text that cannot end the line of a simple string or error early."""
    line = text.encode("utf-8", "surrogateescape")
    if line.find(b"\n") >= 0 or line.find(b"\r") >= 0:
        return line.replace(b"\r", b" ").replace(b"\n", b" ")
    return line
