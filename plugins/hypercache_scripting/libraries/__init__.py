"""The libraries that scripts find beside Lua's own: cjson, cmsgpack, struct and bit.

They behave as those that redis-server 7.2 brings along, to the byte and to the word of their
errors, but are written in Lua: crossing into Python costs about a microsecond a call and more
for each table, and what no script can call needs no hiding. So no Python object is in their
reach. What they build is bounded by their own limits (nesting of 1,000 tables in JSON and 16
in MessagePack, as many values as fit a C function's stack) and by the machine's memory.
"""

from functools import cache
from importlib.resources import files
from typing import Final

from lupa.lua51 import LuaRuntime

#: The global tables that `install` makes.
LIBRARIES: Final = ("cjson", "cmsgpack", "struct", "bit")

#: What Lua says of the source of frames that are the libraries' own (``getinfo(level, "S")``):
#: whoever looks for the line of a script at fault passes over them, as over C's.
SOURCES: Final = frozenset(f"=[{name}]".encode() for name in (*LIBRARIES, "arguments", "floats"))


def install(lua: LuaRuntime) -> None:
    """Put the libraries' tables into a runtime's globals.

    To be called while ``debug`` and ``newproxy`` are still there: the libraries keep what
    they need of Lua for themselves, so nothing that a script changes changes them.
    """
    arguments = _run(lua, "arguments", lua.table_from(dict.fromkeys(SOURCES, True)))
    floats = _run(lua, "floats")
    for name in LIBRARIES:
        _run(lua, name, arguments, floats)


def _run(lua: LuaRuntime, name: str, *values: object) -> object:
    return lua.compile(_source(name), name=f"=[{name}]")(*values)


@cache
def _source(name: str) -> str:
    return files(__name__).joinpath(f"{name}.lua").read_text("utf-8")
