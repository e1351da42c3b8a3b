"""What Lua calls: commands, and the rest of what the sandbox asks of the server.

Every function here returns plain values and never raises: an exception would reach the script
as an object of Python's.
"""

from collections.abc import Callable
from hashlib import sha1
from typing import Final

from lupa.lua51 import LuaRuntime

from hypercache.engine.scripts import Script
from hypercache.engine.units import attempt
from hypercache.plugin import ErrorReply
from hypercache_scripting.conversion import (
    ENDED,
    ERROR,
    NO_MEMORY,
    STATUS,
    NoRoom,
    ToLua,
    argument,
)

# What a short value may take in Lua, whatever it is.
_LITTLE: Final = 8192
# Integers that are as they are in Lua.
_EXACT: Final = 1 << 53

# The statuses that commands mostly answer, made once: text with an error handler is slow.
_STATUSES: Final[dict[str, tuple[bytes, int]]] = {
    text: (text.encode(), STATUS)
    for text in ("OK", "PONG", "string", "list", "set", "zset", "hash", "stream", "none")
}


def without_limit(lua: LuaRuntime, action: Callable[[], object]) -> None:
    """Do something that frees memory while Lua's allocator refuses nothing.

    To free some it may take a little first: to collect garbage, Lua makes its table of strings
    anew and smaller, and outside of any call of Lua's an error ends the process.
    """
    limit = lua.get_max_memory()
    lua.set_max_memory(0)
    try:
        action()
    finally:
        lua.set_max_memory(limit)


class Calls:
    """The commands of the running script. ``room`` bytes of Lua's memory are for their replies.

    ``script`` is the running one, None when there is none; ``collected`` are arguments of a
    command that has more than are passed at once.
    """

    def __init__(self, lua: LuaRuntime, room: int) -> None:
        self.script: Script | None = None
        # While a library is loaded: whether that takes too long.
        self.overdue: Callable[[], bool] | None = None
        # Lua has no look for garbage when memory runs out: one for each script is enough.
        self.may_collect = False
        self.collected: list[object] = []
        self._lua = lua
        self._room = room
        self._used = lua.get_memory_used
        self._table = lua.table_from

    def room(self) -> int:
        """Bytes that may be handed to Lua now; negative when it has taken all by itself."""
        return self._room - self._used()

    def _is_full(self, size: int) -> bool:
        """Whether there is no room for so many bytes, not even after a collection."""
        if self._used() + size > self._room and self.may_collect:
            self.may_collect = False
            without_limit(self._lua, self._lua.gccollect)
        return self._used() + size > self._room

    def invoke(self, *arguments: object) -> object:
        """Run a command: its reply, or two values of which the second tells what the first is."""
        script = self.script
        if self._used() + _LITTLE > self._room and self._is_full(_LITTLE):
            return False, NO_MEMORY
        if script is None:
            return b"ERR redis.call is not available here", ERROR
        if not arguments:
            arguments = tuple(self.collected)
            self.collected.clear()
        try:
            args = [each if isinstance(each, bytes) else argument(each) for each in arguments]
            reply = script.call(args)
            if script.ended:
                return False, ENDED
            if isinstance(reply, bytes) and len(reply) < _LITTLE:
                return reply
            # Before int, and by itself: compiled, what may be an int becomes a number.
            if isinstance(reply, bool):
                if script.version == 3:
                    return reply
                return int(reply)
            if isinstance(reply, int) and -_EXACT < reply < _EXACT:
                return reply
            if isinstance(reply, str):
                known = _STATUSES.get(reply)
                if known is not None:
                    return known
                return reply.encode("utf-8", "surrogateescape"), STATUS
            if isinstance(reply, ErrorReply):
                return reply.text.rstrip("\r\n").encode("utf-8", "surrogateescape"), ERROR
            return self._converted(script, reply)
        except Exception as bug:  # noqa: BLE001 - see the top of this module
            return self._report(script, bug)

    def collect(self, *arguments: object) -> bool:
        """Take some of the arguments of a command, which `invoke` without any runs."""
        self.collected.extend(arguments)
        return True

    def _converted(self, script: Script, reply: object) -> object:
        """A reply that is not plain. While tables are made, Lua has no limit: see runtime.py."""
        lua = self._lua
        limit = lua.get_max_memory()
        lua.set_max_memory(0)
        try:
            try:
                value = ToLua(self._table, script.version, self.room()).value(reply)
            except NoRoom:
                if self._is_full(self._room // 2):
                    return False, NO_MEMORY
                value = ToLua(self._table, script.version, self.room()).value(reply)
        except NoRoom:
            return False, NO_MEMORY
        finally:
            lua.set_max_memory(limit)
        if self.room() < 0:
            return False, NO_MEMORY
        return value

    def _report(self, script: Script, bug: Exception) -> object:
        fields: dict[str, object] = {"script": script.script_name, "exception": bug}
        script.engine.reporter.report("error", "script_crashed", fields)
        return b"ERR internal error, see the server's log", ERROR

    def tick(self) -> bool:
        """Called while a script runs: whether it is to end at once."""
        script = self.script
        if script is None:
            return self.overdue is not None and self.overdue()
        bug = attempt(script.tick)
        if bug is not None:
            self._report(script, bug)
        return script.ended or bug is not None

    def set_version(self, version: int) -> bool:
        """Have replies in RESP2 or RESP3 from now on."""
        if self.script is not None:
            self.script.version = version
        return True

    def set_repl(self, flags: int) -> bool:
        """Journal what commands change from now on, or not."""
        if self.script is not None:
            self.script.repl = flags
        return True

    def sha1hex(self, data: bytes) -> bytes | bool:
        """The digest of some bytes, or False where there is no room for it."""
        return False if self._is_full(_LITTLE) else sha1hex(data)

    def permits(self, *arguments: object) -> bool | None:
        """Whether the caller may run a command; None for an unknown one."""
        script = self.script
        if script is None:
            return None
        permitted: list[bool | None] = []
        args = [argument(each) for each in arguments]
        bug = attempt(lambda: permitted.append(script.permits(args)))
        if bug is not None:
            self._report(script, bug)
            return False
        return permitted[0]


def sha1hex(data: bytes) -> bytes:
    """The SHA-1 of some bytes, in hexadecimal digits."""
    return sha1(data, usedforsecurity=False).hexdigest().encode()
