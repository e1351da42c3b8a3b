"""One Lua 5.1 virtual machine in a sandbox, and how a script runs in it.

`VirtualMachine` is what EVAL and FUNCTION each have one of. ``lua`` is lupa's runtime
(``encoding=None``: Lua strings are bytes); ``sandbox.lua`` builds in it what scripts see, and
leaves nothing else within their reach. ``sandbox`` are its doors:

- ``globals``: the table behind the globals that scripts see; ``redis`` the one behind theirs;
- ``environment``: the read-only table that is a script's environment;
- ``readonly(table)``: a read-only table that shows another.

    vm = VirtualMachine(256 << 20)
    function = vm.compile(b"return redis.call('GET', KEYS[1])", b"@user_script")
    reply = vm.evaluate(function, script, 1, [b"key", b"argument"])

Memory. Lupa pushes values onto Lua's stack from Python frames, which an error of Lua's
allocator would jump over: that must never happen. So nothing is pushed unless the limit of the
allocator is far: of ``memory`` bytes, a third and a megabyte are left to what scripts do by
themselves, and replies that would not fit into the rest are refused with a code, which takes no
memory. Scripts get "not enough memory" either way, and the machine goes on.
"""

from collections.abc import Callable
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Final, cast

from lupa.lua51 import LuaError, LuaRuntime

from hypercache.engine.scripts import Script
from hypercache.engine.units import attempt
from hypercache.plugin import ErrorReply, Reply
from hypercache_scripting.bytecode import with_frames
from hypercache_scripting.calls import Calls, without_limit
from hypercache_scripting.conversion import Row, from_lua
from hypercache_scripting.libraries import SOURCES, install

if TYPE_CHECKING:
    from collections.abc import Mapping

#: The version of Redis whose behaviour scripts find.
REDIS_VERSION: Final = b"7.2.6"
REDIS_VERSION_NUMBER: Final = 0x00070206

# What Lua's allocator may have beside what is given to replies: see above.
_RESERVE: Final = 1 << 20
# Values of so many bytes are taken without asking for room.
_LITTLE: Final = 4096
# Most keys and arguments that are passed on Lua's stack; more come as tables.
_ON_STACK: Final = 200

# The first of several values that come back where a script has failed.
_FAILED: Final = -1
_BROKEN: Final = -2


# The stubs of lupa do not know its options.
_new_runtime: Final = cast("Callable[..., LuaRuntime]", LuaRuntime)


class CompileError(Exception):
    """Source that Lua cannot compile; the text is Lua's message."""


class Failure(Exception):
    """A script has raised an error. ``counted``: a command's, which statistics have already."""

    def __init__(self, text: str, counted: bool) -> None:
        super().__init__(text)
        self.text = text
        self.counted = counted


class VirtualMachine:
    """Lua with nothing but the sandbox in it. ``memory`` is the limit of all its objects."""

    def __init__(self, memory: int, log: Callable[[int, str], None]) -> None:
        self.memory = memory
        self.lua = _new_runtime(
            encoding=None,
            register_eval=False,
            register_builtins=False,
            unpack_returned_tuples=True,
            max_memory=memory,
        )
        self.calls = Calls(self.lua, (memory - _RESERVE) * 2 // 3)
        install(self.lua)
        host: Mapping[bytes, object] = {
            b"invoke": self.calls.invoke,
            b"collect": self.calls.collect,
            b"tick": self.calls.tick,
            b"setresp": self.calls.set_version,
            b"set_repl": self.calls.set_repl,
            b"acl_check": self.calls.permits,
            b"sha1hex": self.calls.sha1hex,
            b"with_frames": with_frames,
            b"log": _logger(log),
            b"sources": self.lua.table_from(dict.fromkeys(SOURCES, True)),
            b"memory": memory,
            b"version": REDIS_VERSION,
            b"version_number": REDIS_VERSION_NUMBER,
        }
        build = self.lua.compile(_source(), name="=redis")
        self.sandbox = cast("Mapping[bytes, object]", build(self.lua.table_from(host)))
        self.collect()
        self._base: int = self.lua.get_memory_used(total=True)
        self._compile = self._door(b"compile")
        self._evaluate = self._door(b"evaluate")
        self._evaluate_tables = self._door(b"evaluate_tables")
        self._apply = self._door(b"apply")
        self._apply_tables = self._door(b"apply_tables")
        self._chunk = self._door(b"chunk")
        self._forget = self._door(b"forget")

    def _door(self, name: bytes) -> Callable[..., object]:
        return cast("Callable[..., object]", self.sandbox[name])

    def extend(self) -> None:
        """Give scripts what only those of EVAL have in their table ``redis``."""
        self._door(b"extend")()

    def used(self) -> int:
        """Bytes that scripts take, beyond the machine and its libraries."""
        return max(self.lua.get_memory_used(total=True) - self._base, 0)

    def collect(self) -> None:
        """Free what no script refers to any more."""
        without_limit(self.lua, self.lua.gccollect)

    def has_room(self, size: int) -> bool:
        """Whether so many bytes can be handed to Lua, after a collection where one is needed."""
        if self.calls.room() < size:
            self.collect()
        return self.calls.room() >= size

    def compile(self, source: bytes, name: bytes) -> object:
        """Compile text into a function of no arguments; raises `CompileError`.

        ``name`` is how errors call it: ``@user_script``.
        """
        # What compiling takes is bounded by Lua's limit; what is dumped, by this.
        if not self.has_room(len(source) * 8 + 65536):
            raise CompileError("not enough memory")
        try:
            compiled = self._compile(source, name)
        except LuaError as error:
            raise CompileError(str(error) or "not enough memory") from error
        if isinstance(compiled, tuple):
            raise CompileError(compiled[1].decode("utf-8", "surrogateescape"))
        return compiled

    def evaluate(self, function: object, script: Script, keys: int, values: list[bytes]) -> Reply:
        """Run a script whose globals KEYS and ARGV are the first ``keys`` values and the others.

        Raises `Failure`, and nothing else.
        """
        self._make_room(values)
        if len(values) <= _ON_STACK:
            return self._run(script, self._evaluate, function, keys, *values)
        tables = self.tables(keys, values)
        return self._run(script, self._evaluate_tables, function, *tables)

    def apply(self, function: object, script: Script, keys: int, values: list[bytes]) -> Reply:
        """Like `evaluate`, for a function that gets the two tables as its arguments."""
        self._make_room(values)
        if len(values) <= _ON_STACK:
            return self._run(script, self._apply, function, keys, *values)
        return self._run(script, self._apply_tables, function, *self.tables(keys, values))

    def _make_room(self, values: list[bytes]) -> None:
        """Raise `Failure` unless Lua can take these values."""
        size = 0
        for value in values:
            size += len(value) + 100
        if size > _LITTLE and not self.has_room(size):
            raise Failure("ERR not enough memory", False)

    def tables(self, keys: int, values: list[bytes]) -> tuple[object, object]:
        """Two tables of Lua: the first so many values, and the others. There must be room."""
        return self.lua.table_from(values[:keys]), self.lua.table_from(values[keys:])

    def _run(self, script: Script, door: Callable[..., object], *arguments: object) -> Reply:
        if self.calls.room() < 0 and not self.has_room(0):
            raise Failure("ERR not enough memory", False)
        self.calls.script = script
        self.calls.may_collect = True
        try:
            result = door(*arguments)
            if isinstance(result, tuple):
                return self._settle(script, result)
            return from_lua(result, script.version)
        except LuaError as error:
            without_limit(self.lua, self._forget)
            reason = str(error) or "not enough memory"
            text = f"ERR Error running script {script.script_name}, {reason:.100}"
            raise Failure(text, False) from error
        finally:
            self.calls.script = None
            self.calls.collected.clear()

    def _settle(self, script: Script, result: tuple[object, ...]) -> Reply:
        """The reply in several values: the items of a row, or what has gone wrong."""
        code = result[0]
        if code == _BROKEN:
            text = _text(result[1])
            raise Failure(f"ERR Error running script {script.script_name}, {text:.100}", False)
        if code == _FAILED:
            text, source, line = _text(result[1]), result[2], result[3]
            if source is not False and line is not False:
                text += f" script: {script.script_name}, on {_text(source)}:{_text(line)}."
            raise Failure(text, result[4] is True)
        items = list(result[1:])
        while code:
            more = cast("tuple[object, ...]", self._chunk(len(items) + 1))
            code = more[0]
            items.extend(more[1:])
        assert script.caller is not None
        row = Row(items, script.version, script.caller.version)
        reply = row.reply()
        if isinstance(reply, ErrorReply):
            raise Failure(reply.text, not row.errors)
        for error in row.errors:
            script.engine.counters.count_error(error)
        return reply


@cache
def _source() -> str:
    return files(__package__).joinpath("sandbox.lua").read_text("utf-8")


def _logger(log: Callable[[int, str], None]) -> Callable[[int, bytes], bool]:
    def logged(level: int, text: bytes) -> bool:
        return attempt(lambda: log(level, text.decode("utf-8", "replace"))) is None

    return logged


def _text(value: object) -> str:
    """A string or number of Lua as text."""
    return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else str(value)
