"""How the code of a library is run, once, to register its functions (Redis: function_lua.c)."""

from importlib.resources import files
from re import compile as pattern
from time import monotonic
from typing import TYPE_CHECKING, Final, cast

from lupa.lua51 import LuaError

from hypercache.engine.scripts import FLAGS, Script
from hypercache.plugin import ErrorReply, Reply
from hypercache_scripting.runtime import CompileError, VirtualMachine

if TYPE_CHECKING:
    from collections.abc import Callable

#: What whoever chooses a bad name for a library or a function is told.
BAD_NAME: Final = (
    "Library names can only contain letters, numbers, or underscores(_) and must be at least "
    "one character long"
)

#: Seconds that a library may take to load.
DEADLINE: Final = 0.5

_NAME: Final = pattern(rb"[A-Za-z0-9_]+")


def is_name(name: bytes) -> bool:
    """Whether a library or a function may be called so."""
    return _NAME.fullmatch(name) is not None


class Function:
    """A function of a library, in the machine that has loaded it.

    ``callback`` is Lua's, ``flags`` are those of scripts.
    """

    def __init__(
        self,
        machine: VirtualMachine,
        name: bytes,
        callback: object,
        description: bytes | None,
        flags: int,
    ) -> None:
        self.name = name
        self.description = description
        self.flags = flags
        self._machine = machine
        self._callback = callback

    def flag_names(self) -> list[object]:
        """What the library declares of it."""
        return [name.decode() for name, flag in FLAGS.items() if self.flags & flag]

    def run(self, script: Script, keys: int, values: list[bytes]) -> Reply:
        """Call it with the first ``keys`` values and the others; raises `Failure`."""
        return self._machine.apply(self._callback, script, keys, values)


class Loader:
    """Runs the code of libraries in a virtual machine.

    Code sees no globals then but ``redis``, which can register functions and log.
    """

    def __init__(self, machine: VirtualMachine) -> None:
        self.machine = machine
        self._registered: dict[bytes, Function] = {}
        self._expires = 0.0
        source = files(__package__).joinpath("library.lua").read_text("utf-8")
        build = machine.lua.compile(source, name="=redis")
        self._run = cast("Callable[..., object]", build(machine.sandbox, self._register))

    def load(self, code: bytes) -> list[Function]:
        """What a library registers; raises `ErrorReply` where it cannot be loaded."""
        try:
            compiled = self.machine.compile(code, b"@user_function")
        except CompileError as error:
            raise ErrorReply(f"ERR Error compiling function: {error}") from error
        self._registered = {}
        self._expires = monotonic() + DEADLINE
        self.machine.calls.overdue = self._is_overdue
        try:
            failure = self._run(compiled)
        except LuaError as error:
            text = str(error) or "not enough memory"
            failure = f"ERR {text}".encode("utf-8", "surrogateescape")
        finally:
            self.machine.calls.overdue = None
        if self._expires == 0:
            failure = b"ERR FUNCTION LOAD timeout"
        if isinstance(failure, bytes):
            text = failure.decode("utf-8", "surrogateescape")
            raise ErrorReply(f"ERR Error registering functions: {text}")
        registered, self._registered = self._registered, {}
        return list(registered.values())

    def forget(self) -> None:
        """Free what nobody refers to any more.

        The machine itself stays: Lua and Python hold each other, so it could never be freed.
        """
        self._registered = {}
        self.machine.collect()

    def _is_overdue(self) -> bool:
        if monotonic() > self._expires:
            self._expires = 0
        return self._expires == 0

    def _register(
        self, name: bytes, callback: object, description: bytes | None, flags: bytes
    ) -> bytes | None:
        """Called by Lua: one more function; what is wrong with it is the answer."""
        if not is_name(name):
            return BAD_NAME.encode()
        # Redis finds functions in whatever case, so two of one library would be one.
        if name.lower() in self._registered:
            return b"Function already exists in the library"
        bits = 0
        for flag in flags.lower().split(b"\0") if flags else []:
            if flag not in FLAGS:
                return b"unknown flag given"
            bits |= FLAGS[flag]
        function = Function(self.machine, name, callback, description, bits)
        self._registered[name.lower()] = function
        return None
