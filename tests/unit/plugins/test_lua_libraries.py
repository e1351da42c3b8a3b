"""The libraries of scripts against what a redis-server 7.2 recorded, and against Python's."""

import json
import re
import struct
from functools import cache
from typing import Protocol, cast

import pytest
from hypercache_scripting.libraries import LIBRARIES, install
from hypothesis import given, settings
from hypothesis import strategies as st
from lupa.lua51 import LuaError, LuaRuntime

from tests.support.lua_cases import CASES, load, script

json_values = st.recursive(
    st.booleans() | st.integers(-(10**14) + 1, 10**14 - 1) | st.text(),
    lambda inner: st.lists(inner, min_size=1) | st.dictionaries(st.text(min_size=1), inner),
    max_leaves=20,
)


class Function(Protocol):
    """A Lua function: of bytes and numbers."""

    def __call__(self, *arguments: object) -> object: ...


@cache
def runtime() -> LuaRuntime:
    """A machine with the libraries; its globals are nobody's but the tests'."""
    lua = LuaRuntime(
        encoding=None,
        register_eval=False,
        register_builtins=False,
        unpack_returned_tuples=True,
    )
    install(lua)
    # As in the sandbox, in which the functions of libraries find no globals either.
    lua.execute(b"setmetatable(_G, {__index = error, __newindex = error})")
    return lua


def evaluate(expression: bytes) -> Function:
    """A function of the machine with the libraries."""
    return cast(Function, runtime().eval(expression))


@pytest.mark.parametrize("library", LIBRARIES)
def test_results_and_errors_are_those_of_redis(library: str) -> None:
    different = []
    for expression, expected in load(CASES / f"{library}.txt"):
        given = runtime().compile(script(expression), name=b"@user_script")().decode("ascii")
        if given != expected:
            different.append(f"\n> {expression}\n- {expected}\n+ {given}")
    assert not different, "".join(different)


def test_scripts_reach_nothing_but_lua_through_the_libraries() -> None:
    """No Python object, and no function of C that could be more than it seems."""
    found = runtime().execute(
        b"""
        local found = {}
        for _, library in ipairs({cjson, cjson.new(), cmsgpack, struct, bit}) do
          for name, value in pairs(library) do
            local kind = type(value)
            if kind == "function" and debug.getinfo(value, "S").what ~= "Lua"
              or kind == "table" or kind == "thread"
              or kind == "userdata" and getmetatable(value) then
              found[#found + 1] = name
            end
          end
        end
        return table.concat(found, " ")
        """
    )
    assert found == b""


def test_libraries_are_not_changed_by_what_scripts_change() -> None:
    lua = LuaRuntime(encoding=None, register_eval=False, register_builtins=False)
    install(lua)
    lua.execute(b"string.find, string.byte, table.concat, type, select = nil, nil, nil, nil, nil")
    lua.execute(b"math.floor, string.sub, unpack, tonumber, error = nil, nil, nil, nil, nil")
    assert lua.eval(b"cjson.encode(cjson.decode('[1,{}]'))") == b"[1,{}]"
    assert lua.eval(b"cmsgpack.pack(cmsgpack.unpack('\\146\\1\\161a'))") == b"\x92\x01\xa1a"
    assert lua.eval(b"struct.pack('>H', struct.unpack('<H', '\\1\\0'))") == b"\0\1"
    assert lua.eval(b"bit.tohex(bit.band(0xff, 0x0f))") == b"0000000f"


@settings(max_examples=25, deadline=None)
@given(json_values)
def test_json_of_lua_is_that_of_python(value: object) -> None:
    encoded = evaluate(b"function(text) return cjson.encode(cjson.decode(text)) end")
    ours = encoded(json.dumps(value).encode())
    assert isinstance(ours, bytes)
    assert json.loads(ours) == value


@settings(max_examples=25, deadline=None)
@given(json_values)
def test_message_pack_gives_back_what_was_packed(value: object) -> None:
    again = evaluate(
        b"function(text)"
        b" return cjson.encode(cmsgpack.unpack(cmsgpack.pack(cjson.decode(text)))) end"
    )
    ours = again(json.dumps(value).encode())
    assert isinstance(ours, bytes)
    # Both have but one kind of empty table.
    assert json.loads(ours) == value


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from("<>"),
    st.integers(-(2**31), 2**31 - 1),
    st.floats(allow_nan=False),
    st.floats(width=32, allow_nan=False),
    st.integers(0, 2**16 - 1),
)
def test_structures_are_those_of_python(
    order: str, whole: int, double: float, single: float, short: int
) -> None:
    values = (whole, double, single, short)
    layout = f"{order}idfH".encode()
    expected = struct.pack(layout, *values)
    assert evaluate(b"struct.pack")(layout, *values) == expected
    assert evaluate(b"struct.unpack")(layout, expected) == (*values, len(expected) + 1)


@settings(max_examples=25, deadline=None)
@given(st.integers(-(2**31), 2**31 - 1), st.integers(-(2**31), 2**31 - 1), st.integers(0, 31))
def test_bits_are_those_of_python(a: int, b: int, by: int) -> None:
    def signed(x: int) -> int:
        return (x + 2**31) % 2**32 - 2**31

    word = a % 2**32
    given = evaluate(
        b"function(a, b, by) return bit.band(a, b), bit.bor(a, b), bit.bxor(a, b),"
        b" bit.lshift(a, by), bit.rshift(a, by), bit.arshift(a, by), bit.rol(a, by) end"
    )(a, b, by)
    shifts = (signed(word << by), signed(word >> by), a >> by)
    assert given == (a & b, a | b, a ^ b, *shifts, signed(word << by | word >> (32 - by)))


COMPLAINTS = re.compile(
    r"(Expected|Missing bytes|Bad data format|bad argument|stack overflow|table index is"
    r"|JSON parser|unfinished string|format 'c0'|integral size|alignment)"
)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=40) | st.text('[]{}:,"\\u0eE+-.nulltrfase \n', max_size=20))
def test_hostile_input_is_told_of_with_one_of_the_known_complaints(text: bytes | str) -> None:
    data = text.encode() if isinstance(text, str) else text
    for name in (b"cjson.decode", b"cmsgpack.unpack", b"struct.size", b"struct.pack"):
        try:
            evaluate(name)(data)
        except LuaError as error:
            assert COMPLAINTS.match(str(error)), str(error)
    try:
        evaluate(b"function(text) return struct.unpack('<!Bc0sf>i3Ld', text) end")(data)
    except LuaError as error:
        assert COMPLAINTS.match(str(error).removeprefix('[string "<python>"]:1: ')), str(error)
