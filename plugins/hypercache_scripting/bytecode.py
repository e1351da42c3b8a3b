"""Compiled Lua 5.1 functions: calls of ours that would hide where they stand.

Lua 5.1 gives the frame of ``return f(x)`` to the function that is called. Where that is a C
function, as in redis-server, the frame stays until it returns, so an error in ``return
redis.call(...)`` names its line; ours are Lua functions, and the line would be lost. So the
calls of fields with the names of such functions are made ordinary ones: their frames stay. All
other tail calls are left as they are.

The layout is that of Lua's ldump.c, as built by lupa on 64-bit machines.
"""

from struct import Struct
from typing import Final

_HEADER_SIZE: Final = 12
# Functions of `redis` and the libraries that may raise.
_NAMES: Final = frozenset(
    name + b"\0"
    for name in (
        b"call pcall acl_check_cmd log set_repl setresp sha1hex random randomseed rep "
        b"decode encode pack unpack unpack_one unpack_limit size "
        b"tobit tohex bnot band bor bxor bswap lshift rshift arshift rol ror"
    ).split()
)

_GETTABLE: Final = 6
_CALL: Final = 28
_TAILCALL: Final = 29
# Instructions that put something into the register that their first operand names.
_WRITES: Final = frozenset((*range(7), *range(10, 22), _CALL, 36, 37))
# From here on an operand is the number of a constant.
_CONSTANT: Final = 256

_INT: Final = Struct("<i")
_WORD: Final = Struct("<I")
_SIZE: Final = Struct("<Q")

_NIL, _BOOLEAN, _NUMBER, _STRING = 0, 1, 3, 4
_SIZES: Final = {_NIL: 0, _BOOLEAN: 1, _NUMBER: 8}


def with_frames(dumped: bytes) -> bytes | None:
    """A dumped function in which calls of ours keep their frames; None if nothing changes."""
    reader = _Reader(dumped)
    reader.function()
    return bytes(reader.data) if reader.changed else None


class _Reader:
    """Reads a dumped function from front to back, and changes its instructions."""

    def __init__(self, dumped: bytes) -> None:
        self.data = bytearray(dumped)
        self.at = _HEADER_SIZE
        self.changed = False

    def integer(self) -> int:
        value: int = _INT.unpack_from(self.data, self.at)[0]
        self.at += 4
        return value

    def string(self) -> bytes:
        size: int = _SIZE.unpack_from(self.data, self.at)[0]
        begin = self.at + 8
        self.at = begin + size
        return bytes(self.data[begin : self.at])

    def constant(self) -> bytes:
        """A constant if it is a string, else nothing."""
        kind = self.data[self.at]
        self.at += 1
        if kind == _STRING:
            return self.string()
        self.at += _SIZES[kind]
        return b""

    def function(self) -> None:
        """A function and those inside it: name, sizes, code, constants, functions, debug data."""
        self.string()
        self.at += 12
        size = self.integer()
        code = self.at
        self.at += size * 4
        constants = [self.constant() for _ in range(self.integer())]
        self._keep_frames(code, size, constants)
        for _ in range(self.integer()):
            self.function()
        lines = self.integer()
        self.at += lines * 4
        for _ in range(self.integer()):
            self.string()
            self.at += 8
        for _ in range(self.integer()):
            self.string()

    def _keep_frames(self, code: int, size: int, constants: list[bytes]) -> None:
        words = list(_WORD.iter_unpack(self.data[code : code + size * 4]))
        for index, (word,) in enumerate(words):
            if word & 0x3F == _TAILCALL and self._calls_ours(words, index, constants):
                _WORD.pack_into(self.data, code + index * 4, (word & ~0x3F) | _CALL)
                self.changed = True

    def _calls_ours(self, words: list[tuple[int]], at: int, constants: list[bytes]) -> bool:
        """Whether a call's function comes from a table's field of such a name."""
        register = words[at][0] >> 6 & 0xFF
        for (word,) in reversed(words[:at]):
            if word >> 6 & 0xFF == register and word & 0x3F in _WRITES:
                field = word >> 14 & 0x1FF
                return (
                    word & 0x3F == _GETTABLE
                    and field >= _CONSTANT
                    and constants[field - _CONSTANT] in _NAMES
                )
        return False
