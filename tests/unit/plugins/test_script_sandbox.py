"""Nothing but the sandbox is within a script's reach, and nothing outlives one."""

from collections.abc import Iterator

import pytest
from hypercache_scripting.cache import ScriptCache
from hypercache_scripting.plugin import ScriptingSettings

from hypercache.testing.engine import EngineHarness
from hypercache.testing.resp import ReplyError
from tests.support.scripts import with_scripts


@pytest.fixture(scope="module")
def harness() -> Iterator[EngineHarness]:
    """An engine with scripts, for all attempts: what one leaves behind, the next would find."""
    harness = EngineHarness()
    with_scripts(harness)
    yield harness
    harness.close()


#: Walks everything that can be reached, and names what is no plain thing of Lua's.
WALK = """
local seen, found = {}, {}
local function visit(name, value)
    local kind = type(value)
    if kind == 'userdata' then found[#found + 1] = name .. ' ' .. tostring(value) end
    if (kind ~= 'table' and kind ~= 'function') or seen[value] then return end
    seen[value] = true
    if kind == 'function' then visit(name .. '()', getfenv(value)) end
    local meta = getmetatable(value)
    if meta then visit(name .. '<meta>', meta) end
    if kind == 'table' then
        for k, v in pairs(value) do
            visit(name .. '.key', k)
            visit(name .. '.' .. tostring(k), v)
        end
    end
end
visit('_G', _G)
visit('string', getmetatable(''))
visit('env', getfenv(0))
for level = 1, 20 do
    local ok, environment = pcall(getfenv, level)
    if ok then visit('level' .. level, environment) end
end
return found
"""


def test_no_object_of_the_server_is_within_reach(harness: EngineHarness) -> None:
    found = harness.command("EVAL", WALK, 0)
    assert isinstance(found, list)
    assert [name for name in found if not name.startswith(b"_G.cjson.null")] == []


@pytest.mark.parametrize(
    "word",
    [
        "python",
        "os",
        "io",
        "debug",
        "package",
        "require",
        "module",
        "dofile",
        "loadfile",
        "print",
    ],
)
def test_what_lua_has_besides_is_gone(harness: EngineHarness, word: str) -> None:
    assert harness.command("EVAL", f"return {word}", 0) == ReplyError(
        f"ERR user_script:1: Script attempted to access nonexistent global variable '{word}' "
        f"script: {sha(harness, f'return {word}')}, on @user_script:1."
    )
    assert harness.command("EVAL", f"return rawget(_G, '{word}') == nil", 0) == 1
    assert harness.command("EVAL", f"return getfenv(0).{word}", 0) != b""
    assert harness.command("EVAL", f"return rawget(getfenv(0), '{word}') == nil", 0) == 1


def sha(harness: EngineHarness, text: str) -> str:
    digest = harness.command("SCRIPT", "LOAD", text)
    assert isinstance(digest, bytes)
    return digest.decode()


#: Attempts to leave something behind or to get out; each returns 1 where it has succeeded.
ESCAPES = [
    # Environments.
    "setfenv(0, {}) return 1",
    "setfenv(redis.call, {}) return 1",
    "setfenv(pcall, {}) return 1",
    "setfenv(string.rep, {}) return 1",
    "setfenv(cjson.encode, {}) return 1",
    "for l = 2, 9 do setfenv(l, {}) end return 1",
    "getfenv(redis.call).x = 1 return 1",
    "getfenv(string.rep).debug = {traceback = error} return 1",
    "for l = 0, 9 do if pcall(getfenv, l) and getfenv(l) ~= _G then return 1 end end",
    "for _, f in pairs(string) do if getfenv(f) ~= _G then return 1 end end",
    "for _, f in pairs(cjson) do"
    " if type(f) == 'function' and getfenv(f) ~= _G then return 1 end end",
    # Metatables.
    "getmetatable('').__index = function() return 1 end return 1",
    "getmetatable('').x = 1 return 1",
    "rawset(getmetatable(''), 'x', 1) return 1",
    "setmetatable(getmetatable(''), {}) return 1",
    "setmetatable(string, {}) return 1",
    "getmetatable(_G).__index = nil return 1",
    "rawset(getmetatable(_G), '__index', nil) return 1",
    "getmetatable(redis).__index = {} return 1",
    "string.rep = nil return 1",
    "rawset(string, 'rep', nil) return 1",
    "table.insert(string, 1) return 1",
    "table.insert(getmetatable(''), 1) return 1",
    "cjson.encode = nil return 1",
    "rawset(redis, 'call', nil) return 1",
    # Finalizers, which would run amid another script.
    "getmetatable(newproxy(true)).__gc = function() end return 1",
    "rawset(getmetatable(newproxy(true)), '__gc', error)"
    " return rawget(getmetatable(newproxy(true)), '__gc')",
    "local p = newproxy(true) getmetatable(p).__metatable = nil return 1",
    "local m = getmetatable(newproxy(true)) return getmetatable(m)",
    # Code that is not text.
    "local f = loadstring(string.dump(function() return 1 end)) return f()",
    "local d, n = string.dump(function() return 1 end), 0"
    " local f = load(function() n = n + 1 return n == 1 and d or nil end) return f()",
    "local d, n = string.dump(function() return 1 end), 0 local f = load(function()"
    " n = n + 1 return n <= #d and d:sub(n, n) or nil end) return f()",
    "return loadstring('\\27Lua')()",
    # The garbage collector.
    "collectgarbage('stop') return collectgarbage('count') == 0",
    "return collectgarbage('nosuch')",
]


@pytest.mark.parametrize("text", ESCAPES)
def test_escape_fails_and_leaves_nothing(harness: EngineHarness, text: str) -> None:
    assert harness.command("EVAL", text, 0) != 1
    assert harness.command("EVAL", "return getfenv() == _G and getfenv(0) == _G", 0) == 1
    assert harness.command("EVAL", "return ('x'):rep(2) .. cjson.encode({1})", 0) == b"xx[1]"
    assert harness.command("EVAL", "return pcall(function() return x end)", 0) is None
    assert harness.command("EVAL", "return redis.call('ECHO', _VERSION)", 0) == b"Lua 5.1"


@pytest.mark.parametrize(
    "text",
    [
        "local ok, e = pcall(redis.call, 'nosuch') return type(e)",
        "local ok, e = pcall(redis.call, {}) return type(e)",
        "local ok, e = pcall(redis.call) return type(e)",
        "local ok, e = pcall(redis.sha1hex) return type(e)",
        "local ok, e = pcall(redis.log) return type(e)",
        "local ok, e = pcall(string.rep, 'x', 2^40) return type(e)",
        "local ok, e = pcall(string.rep, 'x', 1e9) return type(e)",
    ],
)
def test_what_pcall_catches_is_text(harness: EngineHarness, text: str) -> None:
    assert harness.command("EVAL", text, 0) == b"string"


@pytest.mark.parametrize(
    "text",
    [
        "local k xpcall(function() redis.call('nosuch') end, function(e) k = type(e) end) return k",
        "local ok, e = coroutine.resume(coroutine.create(function() redis.call('nosuch') end))"
        " return type(e)",
        "return type(redis.pcall('nosuch'))",
        "return type(redis.pcall({}))",
        "return type(redis.pcall())",
    ],
)
def test_errors_of_commands_are_tables(harness: EngineHarness, text: str) -> None:
    assert harness.command("EVAL", text, 0) == b"table"


@pytest.mark.parametrize("value", ["_G", "redis", "print", "string.rep", "coroutine.create"])
def test_what_is_no_value_of_redis_becomes_none_of_python(
    harness: EngineHarness, value: str
) -> None:
    reply = harness.command("EVAL", f"return {{rawget(_G, 'x'), type({value}) and {value}}}", 0)
    assert reply == [] or isinstance(reply, ReplyError)
    assert harness.command("EVAL", f"return redis.call('SET', 'k', {value})", 0) != "OK"


def test_a_script_finds_its_globals_as_they_were(harness: EngineHarness) -> None:
    text = "local before = x_y == nil; setfenv(1, {x_y = 1}); return 1"
    for _ in range(2):
        reply = harness.command("EVAL", text, 0)
        assert isinstance(reply, ReplyError)
        assert "nonexistent global variable 'x_y'" in reply.text
    assert harness.command("EVAL", "return {KEYS[1], #ARGV}", 1, "a", "b") == [b"a", 1]
    assert harness.command("EVAL", "return {#KEYS, #ARGV}", 0) == [0, 0]


# Memory ------------------------------------------------------------------------------------------

MEMORY = 8 << 20

#: Scripts that take all the memory there is, in their own ways and through replies.
GREEDY = [
    "local t = {} while true do t[#t + 1] = {} end",
    "local s = 'x' while true do s = s .. s end",
    "return string.rep('x', 1e8)",
    "local t = {} while true do t[#t + 1] = redis.call('GET', 'big') .. #t end",
    "local t = {} while true do t[#t + 1] = redis.call('LRANGE', 'list', 0, -1) end",
    "local t = {} while true do t[#t + 1] = redis.sha1hex(tostring(#t)) end",
    "local t = {} while true do t[#t + 1] = coroutine.create(function() end) end",
    "local t = {} while true do t[#t + 1] = assert(loadstring('return ' .. #t)) end",
    "local function r(n) return {r(n + 1), n} end return r(1)",
    "local t = {} for i = 1, 60 do t = {t, t} end return t",
    "local t = {} while true do t[#t + 1] = newproxy(true) end",
    # The reply itself is what there is no room for.
    "local t = {} pcall(function() while true do t[#t + 1] = {#t} end end) return t",
    "local t = {} while pcall(function() t[#t + 1] = ('x'):rep(1000) .. #t end) do end"
    " while true do t[#t + 1] = redis.pcall('PING', {}) end",
    "local t = {} while pcall(function() t[#t + 1] = ('x'):rep(1000) .. #t end) do end"
    " for i = 1, 100 do redis.pcall('GET', 'big') redis.pcall({}, t) redis.pcall() end"
    " error({err = 'full'})",
]


@pytest.fixture(scope="module")
def tight() -> Iterator[tuple[EngineHarness, ScriptCache]]:
    """An engine whose scripts have little memory."""
    harness = EngineHarness()
    cache = with_scripts(harness, ScriptingSettings(memory=MEMORY))
    harness.command("SET", "big", b"x" * 500_000)
    harness.command("RPUSH", "list", *(b"element" for _ in range(2000)))
    yield harness, cache
    harness.close()


@pytest.mark.parametrize("text", GREEDY)
def test_memory_is_bounded_and_comes_back(
    tight: tuple[EngineHarness, ScriptCache], text: str
) -> None:
    harness, cache = tight
    reply = harness.command("EVAL", text, 0)
    assert isinstance(reply, ReplyError)
    assert cache.vm.used() <= MEMORY
    assert harness.command("EVAL", "return #redis.call('LRANGE', 'list', 0, -1)", 0) == 2000
    assert harness.command("EVAL", "return #redis.call('GET', 'big')", 0) == 500_000
    harness.command("SCRIPT", "FLUSH")
    assert cache.vm.used() < 2 << 20


def test_garbage_is_collected_where_there_is_no_memory_at_all(
    tight: tuple[EngineHarness, ScriptCache],
) -> None:
    """Lua's table of strings, large from one script, shrinks while another has taken the rest."""
    harness, cache = tight
    for _ in range(3):
        for item in ("'k' .. i", "{i}"):
            text = f"local t = {{}} for i = 1, 1e9 do t[i] = {item} end"
            assert isinstance(harness.command("EVAL", text, 0), ReplyError)
        assert harness.command("EVAL", "return 1", 0) == 1
    cache.vm.collect()
    assert cache.vm.used() < 2 << 20


def test_more_arguments_than_there_is_memory_are_refused(
    tight: tuple[EngineHarness, ScriptCache],
) -> None:
    harness, _ = tight
    reply = harness.command("EVAL", "return #ARGV[1]", 0, b"x" * MEMORY)
    assert reply == ReplyError("ERR not enough memory")
    assert harness.command("EVAL", "return #ARGV[1]", 0, b"x" * 1_000_000) == 1_000_000
    reply = harness.command("EVAL", "return #redis.call('ECHO', ARGV[1])", 0, b"x" * 1_000_000)
    assert reply == 1_000_000
    assert harness.command("EVAL", "return {#KEYS, #ARGV}", 5000, *range(20_000)) == [5000, 15000]


def test_scripts_that_only_eval_has_brought_make_room() -> None:
    harness = EngineHarness()
    with_scripts(harness, ScriptingSettings(cached_scripts=3))
    kept = sha(harness, "return 'kept'")
    first = "e0e1f9fabfc9d4800c877a703b823ac0578ff8db"
    assert harness.command("EVAL", "return 1", 0) == 1
    for number in (2, 3, 1, 4):
        harness.command("EVAL", f"return {number}", 0)
    assert harness.command("SCRIPT", "EXISTS", kept, first) == [1, 1]
    harness.command("EVAL", "return 5", 0)
    harness.command("EVAL", "return 6", 0)
    harness.command("EVAL", "return 7", 0)
    assert harness.command("SCRIPT", "EXISTS", kept, first) == [1, 0]
    harness.close()
