-- The sandbox of one virtual machine: run once in a fresh Lua 5.1 state, before any script.
--
-- A script sees `environment`, an empty table that reads through to `globals` and lets nothing be
-- written; libraries are shown through such tables too, so nothing that outlives a script can be
-- changed by one. Every way to an error value, an environment, a metatable of ours or a coroutine
-- leads through a function of this file. Lua functions of ours stand between scripts and the
-- server's: what those return are strings, numbers and booleans, a table at most, never an
-- object of the server, and they never raise.
--
-- Level numbers of `error` and `getinfo` count this file's functions, hence the constants.

local host = ...

local getinfo, sethook, getmeta =
    debug.getinfo, debug.sethook, debug.getmetatable
local assert, error, getfenv, getmetatable, loadstring, next, pairs, pcall, rawequal, rawget,
    rawset, select, setfenv, setmetatable, tonumber, tostring, type, unpack, xpcall, newproxy,
    collectgarbage =
    assert, error, getfenv, getmetatable, loadstring, next, pairs, pcall, rawequal, rawget,
    rawset, select, setfenv, setmetatable, tonumber, tostring, type, unpack, xpcall, newproxy,
    collectgarbage
local byte, dump, find, gsub, match, rep =
    string.byte, string.dump, string.find, string.gsub, string.match, string.rep
local concat, insert, foreach = table.concat, table.insert, table.foreach
local floor = math.floor
local create, resume = coroutine.create, coroutine.resume
local invoke, tick, sha1hex, with_frames =
    host.invoke, host.tick, host.sha1hex, host.with_frames

-- The sources of functions that are no script's.
local ours = host.sources
ours[getinfo(1, "S").source] = true
-- Instructions between two looks at the clock.
local INTERVAL = 100000
-- How deep a reply may nest.
local DEPTH = 256

local root = getfenv(1)
local globals, environment = {}, {}
-- What stands for what: the read-only tables that scripts see, and the tables behind them. It keeps
-- neither alive: scripts can make such tables (newproxy), and what they make must go with them.
local targets = setmetatable({}, { __mode = "kv" })
-- Set when the running script is to end at once, whatever it catches: the error it ends with.
local ending = nil

-- Read-only tables ----------------------------------------------------------------------------

local function refuse()
    error("Attempt to modify a readonly table", 2)
end

-- `meta` is what scripts see for its metatable.
local function readonly(target, meta, proxy)
    proxy = proxy or {}
    targets[proxy] = target
    return setmetatable(proxy, { __index = target, __newindex = refuse, __metatable = meta or false })
end

local function raise(message)
    error({ err = "ERR " .. message }, 0)
end

function globals.rawset(t, k, v)
    if targets[t] then
        error("Attempt to modify a readonly table", 0)
    end
    return rawset(t, k, v)
end

function globals.rawget(t, k)
    return rawget(targets[t] or t, k)
end

function globals.next(t, k)
    return next(targets[t] or t, k)
end

local shown_next = globals.next

function globals.pairs(t)
    if targets[t] then
        return shown_next, t, nil
    end
    return pairs(t)
end

function globals.setmetatable(t, meta)
    if targets[t] then
        error("Attempt to modify a readonly table", 0)
    end
    return setmetatable(t, meta)
end

-- Userdata of a script may have any metamethod but a finalizer, which would run in others' time.
function globals.newproxy(like)
    if like ~= true then
        return newproxy(like)
    end
    local made = newproxy(true)
    local meta = getmeta(made)
    local shown = {}
    targets[shown] = meta
    meta.__metatable = setmetatable(shown, {
        __index = meta,
        __newindex = function(_, k, v)
            if k == "__gc" or k == "__metatable" then
                error("Attempt to modify a readonly table", 2)
            end
            meta[k] = v
        end,
        __metatable = false,
    })
    return made
end

function globals.collectgarbage(option, argument)
    if option == "count" or option == "collect" or option == nil then
        return collectgarbage(option)
    elseif option == "step" then
        return collectgarbage(option, argument)
    elseif option == "stop" or option == "restart" then
        return 0
    elseif option == "setpause" or option == "setstepmul" then
        return 200
    end
    error("bad argument #1 to 'collectgarbage' (invalid option '" .. tostring(option) .. "')", 2)
end

-- Environments ----------------------------------------------------------------------------------

function globals.getfenv(f)
    if type(f) == "number" and f > 0 then
        f = f + 1
    elseif f == nil then
        f = 2
    end
    local found = getfenv(f)
    if found == root then
        return environment
    end
    return found
end

function globals.setfenv(f, t)
    if type(f) == "number" then
        local info = f > 0 and getinfo(f + 1, "f")
        f = info and info.func
    end
    if type(f) ~= "function" or type(t) ~= "table" then
        error("'setfenv' cannot change environment of given object", 2)
    end
    local info = getinfo(f, "S")
    if info.what == "C" or ours[info.source] then
        error("'setfenv' cannot change environment of given object", 2)
    end
    return setfenv(f, t)
end

-- Code ------------------------------------------------------------------------------------------

-- Compile text. Binary code, which Lua 5.1 does not verify, is read as the text that it is not.
local function compile(code, name)
    if byte(code, 1) == 27 then
        code = " " .. code
    end
    local f, message = loadstring(code, name)
    if not f then
        return nil, message
    end
    return setfenv(f, environment)
end

-- The same for a script, whose calls of Redis keep their frames: see bytecode.py.
local function compile_script(code, name)
    local f, message = compile(code, name)
    if not f then
        return nil, message
    end
    local changed = with_frames(dump(f))
    return changed and setfenv(loadstring(changed, name), environment) or f
end

function globals.loadstring(code, name)
    if type(code) == "number" then
        code = tostring(code)
    end
    if type(code) ~= "string" then
        error("bad argument #1 to 'loadstring' (string expected, got " .. type(code) .. ")", 2)
    end
    return compile(code, type(name) == "string" and name or code)
end

function globals.load(reader, name)
    local parts, count = {}, 0
    while true do
        local ok, part = pcall(reader)
        if ending then
            error(ending, 0)
        elseif not ok then
            return nil, part
        elseif part == nil or part == "" then
            break
        elseif type(part) ~= "string" then
            return nil, "reader function must return a string"
        end
        count = count + 1
        parts[count] = part
    end
    return compile(concat(parts), type(name) == "string" and name or "=(load)")
end

-- Errors ----------------------------------------------------------------------------------------

-- Scripts from before Redis 7 expect a string where an error is a table now.
local function caught(ok, ...)
    if ending then
        error(ending, 0)
    elseif ok then
        return true, ...
    end
    local reason = ...
    if type(reason) == "table" then
        local text = reason.err
        if type(text) == "string" or type(text) == "number" then
            return false, text
        end
    end
    return false, reason
end

function globals.pcall(...)
    return caught(pcall(...))
end

local function passed(...)
    if ending then
        error(ending, 0)
    end
    return ...
end

function globals.xpcall(f, handler)
    return passed(xpcall(f, handler))
end

-- What an error becomes on its way out of a script: a table that says where it happened.
local function locate(reason)
    if type(reason) ~= "table" or targets[reason] then
        reason = { err = "ERR " .. tostring(reason) }
    end
    local level = 2
    local info = getinfo(level, "Sl")
    while info and (info.what == "C" or info.what == "tail" or ours[info.source]) do
        level = level + 1
        info = getinfo(level, "Sl")
    end
    if info then
        rawset(reason, "source", info.source)
        rawset(reason, "line", info.currentline)
    end
    return reason
end

-- Coroutines, which have each a hook of its own -------------------------------------------------

local function interrupt()
    if tick() then
        ending = { err = "ERR Script killed by user with SCRIPT KILL..." }
        error(ending, 0)
    end
end

sethook(interrupt, "", INTERVAL)

local function begin(f)
    local made = create(f)
    sethook(made, interrupt, "", INTERVAL)
    return made
end

local function unwrapped(ok, ...)
    if ending then
        error(ending, 0)
    elseif ok then
        return ...
    end
    error((...), 0)
end

local coroutines = {
    create = begin,
    resume = function(...)
        return passed(resume(...))
    end,
    wrap = function(f)
        local made = begin(f)
        return function(...)
            return unwrapped(resume(made, ...))
        end
    end,
    running = coroutine.running,
    status = coroutine.status,
    yield = coroutine.yield,
}

-- redis.call and redis.pcall -------------------------------------------------------------------

local accepted = { string = true, number = true }

-- What speaks against the arguments of a command, or nil.
local function objection(count, ...)
    if count == 0 then
        return "Please specify at least one argument for this redis lib call"
    end
    if count <= 4 then
        local a, b, c, d = ...
        if accepted[type(a)] and (count < 2 or accepted[type(b)])
            and (count < 3 or accepted[type(c)]) and (count < 4 or accepted[type(d)]) then
            return nil
        end
    else
        local all = { ... }
        local i = 1
        while i <= count and accepted[type(all[i])] do
            i = i + 1
        end
        if i > count then
            return nil
        end
    end
    return "Lua redis lib command arguments must be strings or integers"
end

-- The replies that are no plain string, number, boolean or table: see `Kind` in calls.py.
local function special(kind, value, raised)
    if kind == 1 then
        return { ok = value }
    elseif kind == 2 then
        local failure = { err = value, ignore_error_stats_update = true }
        if raised then
            error(failure, 0)
        end
        return failure
    elseif kind == 3 then
        ending = { err = "ERR the script was ended" }
        error(ending, 0)
    end
    error("not enough memory", 0)
end

-- Most arguments that one call of the server's functions takes.
local MOST = 1000

-- Run a command; its arguments in several pieces if they are many.
local function run(...)
    local count = select("#", ...)
    if count <= MOST then
        return invoke(...)
    end
    local all = { ... }
    for first = 1, count, MOST do
        host.collect(unpack(all, first, first + MOST - 1 < count and first + MOST - 1 or count))
    end
    return invoke()
end

-- The usual calls, of two and three arguments, are looked at here: that saves calls of Lua's.
local function redis_call(...)
    local count = select("#", ...)
    local a, b, c = ...
    if count < 2 or count > 3 or not (accepted[type(a)] and accepted[type(b)])
        or count == 3 and not accepted[type(c)] then
        local wrong = objection(count, ...)
        if wrong then
            error({ err = "ERR " .. wrong }, 0)
        end
    end
    local value, kind
    if count <= MOST then
        value, kind = invoke(...)
    else
        value, kind = run(...)
    end
    if kind then
        return special(kind, value, true)
    end
    return value
end

local function redis_pcall(...)
    local wrong = objection(select("#", ...), ...)
    if wrong then
        return { err = "ERR " .. wrong }
    end
    local value, kind = run(...)
    if kind then
        return special(kind, value, false)
    end
    return value
end

-- The rest of the API ---------------------------------------------------------------------------

local redis = {
    call = redis_call,
    pcall = redis_pcall,
    LOG_DEBUG = 0,
    LOG_VERBOSE = 1,
    LOG_NOTICE = 2,
    LOG_WARNING = 3,
    REPL_NONE = 0,
    REPL_AOF = 1,
    REPL_SLAVE = 2,
    REPL_REPLICA = 2,
    REPL_ALL = 3,
    REDIS_VERSION = host.version,
    REDIS_VERSION_NUM = host.version_number,
}

function redis.log(...)
    local count = select("#", ...)
    if count < 2 then
        raise("redis.log() requires two arguments or more.")
    end
    local level = tonumber((...))
    if not level then
        raise("First argument must be a number (log level).")
    end
    level = level < 0 and -floor(-level) or floor(level)
    if not (level >= 0 and level <= 3) then
        raise("Invalid debug level.")
    end
    local parts = {}
    for i = 2, count do
        local part = (select(i, ...))
        if accepted[type(part)] then
            parts[#parts + 1] = part
        end
    end
    host.log(level, concat(parts, " "))
end

function redis.sha1hex(...)
    if select("#", ...) ~= 1 then
        raise("wrong number of arguments")
    end
    local text = ...
    return sha1hex(accepted[type(text)] and tostring(text) or "") or error("not enough memory", 0)
end

-- An error as redis.pcall returns it; without a code it gets the code ERR.
function redis.error_reply(...)
    local text = ...
    if select("#", ...) ~= 1 or type(text) ~= "string" then
        return { err = "ERR wrong number or type of arguments" }
    end
    text = match(text, "^%-?(%Z*)")
    local code, message = match(text, "^([^ ]*) (.*)$")
    if not code then
        code, message = "ERR", text
    end
    return { err = code .. " " .. gsub(gsub(message, "^[\r\n]+", ""), "[\r\n]+$", "") }
end

function redis.status_reply(...)
    if select("#", ...) ~= 1 or type((...)) ~= "string" then
        return { err = "ERR wrong number or type of arguments" }
    end
    return { ok = (...) }
end

function redis.setresp(...)
    if select("#", ...) ~= 1 then
        raise("redis.setresp() requires one argument.")
    end
    local version = floor(tonumber((...)) or 0)
    if version ~= 2 and version ~= 3 then
        raise("RESP version must be 2 or 3.")
    end
    host.setresp(version)
end

function redis.set_repl(...)
    if select("#", ...) ~= 1 then
        raise("redis.set_repl() requires one argument.")
    end
    local flags = floor(tonumber((...)) or 0)
    if not (flags >= 0 and flags <= 3) then
        raise("Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE.")
    end
    host.set_repl(flags)
end

function redis.acl_check_cmd(...)
    local wrong = objection(select("#", ...), ...)
    if wrong then
        raise(wrong)
    end
    local allowed = host.acl_check(...)
    if allowed == nil then
        raise("Invalid command passed to redis.acl_check_cmd()")
    end
    return allowed
end

-- math.random: Redis' generator, the same on every machine (drand48) ------------------------------

local x0, x1, x2 = 0x330E, 0xABCD, 0x1234

local function random_integer()
    local low = 0xE66D * x0 + 0xB
    local middle = 0xE66D * x1 + 0xDEEC * x0 + floor(low / 65536)
    local high = 0xE66D * x2 + 0xDEEC * x1 + 0x5 * x0 + floor(middle / 65536)
    x0, x1, x2 = low % 65536, middle % 65536, high % 65536
    return x2 * 32768 + floor(x1 / 2)
end

local function integer(name, position, value)
    local number = tonumber(value)
    if not number then
        error("bad argument #" .. position .. " to '" .. name .. "' (number expected, got "
            .. (value == nil and "no value" or type(value)) .. ")", 3)
    end
    return number < 0 and -floor(-number) or floor(number)
end

function math.random(...)
    local count = select("#", ...)
    local r = random_integer() % 2147483647 / 2147483647
    if count == 0 then
        return r
    elseif count > 2 then
        error("wrong number of arguments", 2)
    end
    local low, high = 1, nil
    if count == 1 then
        high = integer("random", 1, (...))
    else
        low, high = integer("random", 1, (...)), integer("random", 2, (select(2, ...)))
    end
    if low > high then
        error("bad argument #" .. count .. " to 'random' (interval is empty)", 2)
    end
    return floor(r * (high - low + 1)) + low
end

function math.randomseed(seed)
    seed = integer("randomseed", 1, seed) % 4294967296
    x0, x1, x2 = 0x330E, seed % 65536, floor(seed / 65536)
end

-- What does not fit the memory is refused at once: filling it takes Lua seconds.
function string.rep(...)
    local text, count = ...
    local wrong = not accepted[type(text)] and 1 or not tonumber(count) and 2
    if wrong then
        local given = select("#", ...) < wrong and "no value" or type((select(wrong, ...)))
        error("bad argument #" .. wrong .. " to 'rep' (" .. (wrong == 1 and "string" or "number")
            .. " expected, got " .. given .. ")", 2)
    end
    if #tostring(text) * tonumber(count) > host.memory then
        error("not enough memory", 0)
    end
    return rep(text, count)
end

function table.insert(t, ...)
    if targets[t] then
        error("Attempt to modify a readonly table", 0)
    end
    return insert(t, ...)
end

function table.foreach(t, f)
    return foreach(targets[t] or t, f)
end

-- Replies: a flat row of strings and numbers; `false` and a code stand before anything else ------

local row, length = {}, 0

local function put(...)
    for i = 1, select("#", ...) do
        row[length + i] = (select(i, ...))
    end
    length = length + select("#", ...)
end

local flatten

-- The tables that stand for one value. True when `t` is such a table, and is in the row.
local function flatten_special(t, depth)
    local value = rawget(t, "err")
    if type(value) == "string" then
        put(false, 2, value, rawget(t, "ignore_error_stats_update") == true and 1 or 0)
        return true
    end
    value = rawget(t, "ok")
    if type(value) == "string" then
        put(false, 3, value)
        return true
    end
    value = rawget(t, "double")
    if type(value) == "number" then
        put(false, 4, value)
        return true
    end
    value = rawget(t, "big_number")
    if type(value) == "string" then
        put(false, 5, value)
        return true
    end
    value = rawget(t, "verbatim_string")
    if type(value) == "table" then
        local form, text = rawget(value, "format"), rawget(value, "string")
        if type(form) == "string" and type(text) == "string" then
            put(false, 6, form, text)
            return true
        end
    end
    value = rawget(t, "map")
    if type(value) == "table" then
        put(false, 7, 0)
        local place, count = length, 0
        for k, v in next, value do
            flatten(k, depth)
            flatten(v, depth)
            count = count + 1
        end
        row[place] = count
        return true
    end
    value = rawget(t, "set")
    if type(value) == "table" then
        put(false, 8, 0)
        local place, count = length, 0
        for k in next, value do
            flatten(k, depth)
            count = count + 1
        end
        row[place] = count
        return true
    end
    return false
end

function flatten(value, depth)
    local kind = type(value)
    if kind == "string" or kind == "number" then
        length = length + 1
        row[length] = value
    elseif kind == "boolean" then
        put(false, value and 9 or 10)
    elseif kind ~= "table" then
        put(false, 11)
    elseif depth >= DEPTH then
        put(false, 2, "ERR reached lua stack limit", 0)
    else
        local t = targets[value] or value
        if not flatten_special(t, depth + 1) then
            row[length + 1], row[length + 2], row[length + 3] = false, 1, 0
            length = length + 3
            local place, i = length, 1
            local item = rawget(t, 1)
            while item ~= nil do
                flatten(item, depth + 1)
                i = i + 1
                item = rawget(t, i)
            end
            row[place] = i - 1
        end
    end
end

-- As many items of the row as fit on Lua's stack, from one on; `remaining` others follow.
local CHUNK = 4000

local function chunk(first)
    local last = length
    if last >= first + CHUNK then
        last = first + CHUNK - 1
    end
    local items, left = row, length - last
    if left == 0 then
        row, length = {}, 0
    end
    return left, unpack(items, first, last)
end

-- Let go of a row that nobody fetches to its end.
local function forget()
    row, length = {}, 0
end

-- Running ---------------------------------------------------------------------------------------

-- What a script has returned: one plain value, or a code and what belongs to it.
local function settled(ok, value)
    globals.KEYS, globals.ARGV = nil, nil
    if not ok then
        if type(value) ~= "table" then
            return -2, tostring(value)
        end
        local text = rawget(value, "err")
        if not accepted[type(text)] then
            text = "ERR unknown error"
        end
        local source, line = rawget(value, "source"), rawget(value, "line")
        return -1, text, accepted[type(source)] and source or false,
            accepted[type(line)] and line or false,
            rawget(value, "ignore_error_stats_update") == true
    end
    local kind = type(value)
    if kind == "table" then
        row, length = {}, 0
        flatten(value, 0)
        return chunk(1)
    elseif kind == "string" or kind == "number" or kind == "boolean" then
        return value
    end
    return nil
end

local function parted(count, ...)
    if count == 0 then
        return {}, { ... }
    end
    local keys, rest = { ... }, {}
    for i = count + 1, select("#", ...) do
        rest[i - count] = keys[i]
        keys[i] = nil
    end
    return keys, rest
end

local function parted_one(key, ...)
    return { key }, { ... }
end

local function evaluate(f, keys, arguments)
    ending = nil
    globals.KEYS, globals.ARGV = keys, arguments
    setfenv(f, environment)
    return settled(xpcall(f, locate))
end

local function apply(f, keys, arguments)
    ending = nil
    return settled(xpcall(function()
        return f(keys, arguments)
    end, locate))
end

-- The globals that scripts see ------------------------------------------------------------------

for _, name in next, { "string", "math", "table", "cjson", "cmsgpack", "struct", "bit" } do
    if root[name] then
        globals[name] = readonly(root[name])
    end
end
for _, name in next, { "assert", "error", "gcinfo", "getmetatable", "ipairs", "rawequal", "select",
    "tonumber", "tostring", "type", "unpack", "_VERSION" } do
    globals[name] = root[name]
end
globals.coroutine = readonly(coroutines)
globals.redis = readonly(redis)
globals._G = environment
getmeta("").__metatable = readonly({ __index = globals.string })

local function missing(_, name)
    error("Script attempted to access nonexistent global variable '" .. tostring(name) .. "'", 2)
end

setmetatable(globals, { __index = missing })
readonly(globals, readonly({ __index = missing }), environment)
-- What a function of this file has for its environment, and C functions too: nothing is in it.
for name in pairs(root) do
    root[name] = nil
end

return {
    globals = globals,
    redis = redis,
    environment = environment,
    compile = compile_script,
    -- What scripts of EVAL have besides, and functions have not.
    extend = function()
        function redis.breakpoint()
            return false
        end
        function redis.debug() end
        function redis.replicate_commands()
            return true
        end
    end,
    -- Lupa looks for this name before each call, which must not take memory then.
    debug = false,
    readonly = readonly,
    -- What code finds for its globals from now on: those of scripts, or a library's while it loads.
    show = function(target)
        getmeta(environment).__index = target
        targets[environment] = target
    end,
    chunk = chunk,
    forget = forget,
    evaluate = function(f, count, ...)
        if count == 1 then
            return evaluate(f, parted_one(...))
        end
        return evaluate(f, parted(count, ...))
    end,
    evaluate_tables = evaluate,
    apply = function(f, count, ...)
        if count == 1 then
            return apply(f, parted_one(...))
        end
        return apply(f, parted(count, ...))
    end,
    apply_tables = apply,
}
