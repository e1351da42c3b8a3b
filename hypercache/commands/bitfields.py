"""BITFIELD and BITFIELD_RO: integers of any width at any place in a string."""

from typing import Final

from mypy_extensions import i64

from hypercache.backend import StringValue
from hypercache.commands.arguments import SYNTAX_ERROR, parse_integer
from hypercache.commands.bitmaps import OFFSET_ERROR, parse_offset
from hypercache.engine.command import command
from hypercache.engine.context import Context
from hypercache.engine.keys import ACCESS, RO, RW, UPDATE
from hypercache.keyspace.changes import SETBIT
from hypercache.keyspace.keyspace import Keyspace
from hypercache.reply import ErrorReply, Reply

_TYPE_ERROR: Final = (
    "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but "
    "i64 is."
)

# What an operation does, and what it does where the integer is too narrow for the result.
_GET: Final[i64] = 0
_SET: Final[i64] = 1
_INCRBY: Final[i64] = 2
_WRAP: Final[i64] = 0
_SAT: Final[i64] = 1
_FAIL: Final[i64] = 2


class Field:
    """An integer in a string: ``bits`` wide, ``signed`` or not, from bit ``offset`` on.

    It lies in the bytes ``start <= i < stop``, ``shift`` bits from their end.
    """

    def __init__(self, signed: bool, bits: i64, offset: i64) -> None:
        self.signed = signed
        self.bits: i64 = bits
        self.start: i64 = offset >> 3
        self.stop: i64 = self.start + (((offset & 7) + bits + 7) >> 3)
        self.shift: i64 = -(offset + bits) & 7
        self.mask: int = (1 << int(bits)) - 1
        self.high: int = self.mask >> 1 if signed else self.mask
        self.low: int = -self.high - 1 if signed else 0

    def padded(self, data: bytes) -> bytes:
        """All bytes in which it lies: those beyond the end of the string count as zeros."""
        return data.ljust(self.stop - self.start, b"\0")

    def decode(self, data: bytes) -> int:
        """The integer, from its bytes."""
        return self.wrap(int.from_bytes(data, "big") >> int(self.shift))

    def encode(self, data: bytes, value: int) -> bytes:
        """Its bytes with another integer in them."""
        shift = int(self.shift)
        number = int.from_bytes(data, "big") & ~(self.mask << shift)
        number |= (value & self.mask) << shift
        return number.to_bytes(self.stop - self.start, "big")

    def wrap(self, value: int) -> int:
        """The value with only the lowest bits kept."""
        value &= self.mask
        return value - self.mask - 1 if value > self.high else value


class Operation:
    """One of the sub-commands of a call; ``value`` is what SET sets or INCRBY adds."""

    def __init__(self, action: i64, field: Field, overflow: i64, value: int) -> None:
        self.action: i64 = action
        self.field = field
        self.overflow: i64 = overflow
        self.value = value

    def result(self, old: int) -> int | None:
        """The integer to be stored in the place of ``old``; None where OVERFLOW FAIL forbids."""
        field = self.field
        if self.action == _INCRBY:
            new = old + self.value
        elif field.signed:
            new = self.value
        else:
            new = self.value & ((1 << 64) - 1)
        if field.low <= new <= field.high:
            return new
        if self.overflow == _FAIL:
            return None
        if self.overflow == _WRAP:
            return field.wrap(new)
        if new > field.high:
            return field.high
        # As in Redis: to set what is so far below that the distance leaves 64 bits is as above.
        wraps = self.action == _SET and field.high - new >= 1 << 63
        return field.high if wraps else field.low


def parse_field(context: Context, kind: bytes, place: bytes) -> Field:
    """A field from its type (``i16``, ``u8``) and its offset, in bits or (``#``) in fields."""
    signed = kind.startswith(b"i")
    if not signed and not kind.startswith(b"u"):
        raise ErrorReply(_TYPE_ERROR)
    bits = parse_integer(kind[1:], _TYPE_ERROR)
    if bits < 1 or bits > (64 if signed else 63):
        raise ErrorReply(_TYPE_ERROR)
    if not place.startswith(b"#"):
        return Field(signed, bits, parse_offset(context, place))
    index = parse_offset(context, place[1:])
    if int(index) * int(bits) >> 3 >= int(context.engine.max_bulk):
        raise ErrorReply(OFFSET_ERROR)
    return Field(signed, bits, index * bits)


def parse_operations(context: Context, args: list[bytes]) -> list[Operation]:
    """The sub-commands of a call, from args[2] on."""
    operations: list[Operation] = []
    overflow = _WRAP
    at = 2
    while at < len(args):
        name = args[at].lower()
        left = len(args) - at - 1
        if name == b"get" and left >= 2:
            field = parse_field(context, args[at + 1], args[at + 2])
            operations.append(Operation(_GET, field, overflow, 0))
            at += 3
        elif (name == b"set" or name == b"incrby") and left >= 3:
            field = parse_field(context, args[at + 1], args[at + 2])
            action = _SET if name == b"set" else _INCRBY
            operations.append(Operation(action, field, overflow, parse_integer(args[at + 3])))
            at += 4
        elif name == b"overflow" and left >= 1:
            overflow = parse_overflow(args[at + 1])
            at += 2
        else:
            raise ErrorReply(SYNTAX_ERROR)
    return operations


def parse_overflow(word: bytes) -> i64:
    """The word after OVERFLOW."""
    name = word.lower()
    if name == b"wrap":
        return _WRAP
    if name == b"sat":
        return _SAT
    if name == b"fail":
        return _FAIL
    raise ErrorReply("ERR Invalid OVERFLOW type specified")


def bitfield_keys(args: list[bytes]) -> list[tuple[int, int]] | None:
    """The key of BITFIELD, which is only read where every operation is GET."""
    at = 2
    while at < len(args):
        name = args[at].lower()
        left = len(args) - at - 1
        if name == b"get" and left >= 2:
            at += 3
        elif name == b"overflow" and left >= 1:
            at += 2
        else:
            return [(1, RW | ACCESS | UPDATE)]
    return [(1, RO | ACCESS)]


@command(
    "BITFIELD key [GET get-block=(encoding offset:integer)"
    " | write=([OVERFLOW overflow-block=(WRAP | SAT | FAIL)]"
    " write-operation=(SET set-block=(encoding offset:integer value:integer)"
    " | INCRBY incrby-block=(encoding offset:integer increment:integer)))]...",
    group="bitmap",
    since="3.2.0",
    complexity="O(1) for each operation",
    flags="write denyoom",
    keys="RW access update variable_flags",
    key_finder=bitfield_keys,
    summary="Read, set and add to integers of any width in a string.",
)
def bitfield(context: Context, args: list[bytes]) -> Reply:
    operations = parse_operations(context, args)
    stop: i64 = 0
    for operation in operations:
        if operation.action != _GET:
            stop = max(stop, operation.field.stop)
    if stop == 0:
        return read_fields(context.db, args[1], operations)
    value = context.db.edit_string(args[1], SETBIT)
    # Where the string grows, each operation counts as a change, as in Redis.
    grows = value.length() < stop
    replies: list[object] = []
    for operation in operations:
        replies.append(execute(value, operation, grows))
    if value.length() < stop:
        value.write(stop - 1, b"\0")
    return replies


def execute(value: StringValue, operation: Operation, always: bool) -> int | None:
    """Execute one operation, which writes if something changes, or ``always``; what it answers."""
    field = operation.field
    data = field.padded(value.read(field.start, field.stop))
    old = field.decode(data)
    if operation.action == _GET:
        return old
    new = operation.result(old)
    if new is None:
        return None
    if always or new != old:
        value.write(field.start, field.encode(data, new))
    return new if operation.action == _INCRBY else old


def read_fields(db: Keyspace, key: bytes, operations: list[Operation]) -> list[object]:
    """The replies of operations that are all GET."""
    entry = db.view_any(key)
    if entry is not None:
        db.text_length(entry)  # raises for what is no string, whatever the operations
    replies: list[object] = []
    for operation in operations:
        field = operation.field
        data = b"" if entry is None else db.part(entry, field.start, field.stop)
        replies.append(field.decode(field.padded(data)))
    return replies


@command(
    "BITFIELD_RO key [GET get-block=(encoding offset:integer)]...",
    group="bitmap",
    since="6.0.0",
    complexity="O(1) for each operation",
    flags="readonly fast",
    keys="RO access",
    summary="Read integers of any width in a string.",
)
def bitfield_ro(context: Context, args: list[bytes]) -> Reply:
    operations = parse_operations(context, args)
    for operation in operations:
        if operation.action != _GET:
            raise ErrorReply("ERR BITFIELD_RO only supports the GET subcommand")
    return read_fields(context.db, args[1], operations)
