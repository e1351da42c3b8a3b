-- What the code of a library sees while it is loaded, and how it is run.
--
-- Called with the doors of the sandbox and a function of the host that takes what is registered
-- and returns what is wrong with it. Returns a function that runs code, and returns nil or a
-- message.

local sandbox, take = ...
local globals, redis, readonly = sandbox.globals, sandbox.redis, sandbox.readonly
local error, next, select, setmetatable = globals.error, globals.next, globals.select,
    globals.setmetatable
local tostring, type, concat = globals.tostring, globals.type, globals.table.concat
local lower, sub = globals.string.lower, globals.string.sub
local apply, show = sandbox.apply, sandbox.show

local loading = false

local function raise(message)
    error({ err = "ERR " .. message }, 0)
end

-- A string, or a number as one; else nil.
local function text_of(value)
    local kind = type(value)
    if kind == "string" then
        return value
    elseif kind == "number" then
        return tostring(value)
    end
    return nil
end

local function check_text(value, name)
    return text_of(value)
        or raise(name .. " argument given to redis.register_function must be a string")
end

-- The flags in a table, parted by NULs: strings that the host knows or not.
local function flags_in(value)
    if type(value) ~= "table" then
        raise("flags argument to redis.register_function must be a table representing function "
            .. "flags")
    end
    local flags, count = {}, 0
    while value[count + 1] ~= nil do
        count = count + 1
        flags[count] = text_of(value[count]) or raise("unknown flag given")
    end
    return concat(flags, "\0")
end

-- The arguments that are given as fields of a table: name, callback, description and flags.
local function named(fields)
    if type(fields) ~= "table" then
        raise("calling redis.register_function with a single argument is only applicable to Lua "
            .. "table (representing named arguments).")
    end
    local name, callback, description
    local flags = ""
    for key, value in next, fields do
        key = lower(text_of(key)
            or raise("named argument key given to redis.register_function is not a string"))
        if key == "function_name" then
            name = check_text(value, key)
        elseif key == "description" then
            description = check_text(value, key)
        elseif key == "callback" then
            if type(value) ~= "function" then
                raise("callback argument given to redis.register_function must be a function")
            end
            callback = value
        elseif key == "flags" then
            flags = flags_in(value)
        else
            raise("unknown argument given to redis.register_function")
        end
    end
    if not name then
        raise("redis.register_function must get a function name argument")
    elseif not callback then
        raise("redis.register_function must get a callback argument")
    end
    return name, callback, description, flags
end

local function register_function(...)
    local count = select("#", ...)
    local name, callback, description, flags
    if not loading then
        raise("redis.register_function can only be called on FUNCTION LOAD command")
    elseif count < 1 or count > 2 then
        raise("wrong number of arguments to redis.register_function")
    elseif count == 1 then
        name, callback, description, flags = named((...))
    else
        name, callback = ...
        name = text_of(name)
            or raise("first argument to redis.register_function must be a string")
        if type(callback) ~= "function" then
            raise("second argument to redis.register_function must be a function")
        end
        flags = ""
    end
    local wrong = take(name, callback, description, flags)
    if wrong then
        raise(wrong)
    end
end

-- The globals while a library is loaded -----------------------------------------------------------

local missing = {
    __index = function(_, name)
        error("Script attempted to access nonexistent global variable '" .. tostring(name)
            .. "'", 2)
    end,
}

local shown = setmetatable({ register_function = register_function }, missing)
for name, value in next, redis do
    if name == "log" or sub(name, 1, 4) == "LOG_" or sub(name, 1, 13) == "REDIS_VERSION" then
        shown[name] = value
    end
end
local library_globals = setmetatable({ redis = readonly(shown) }, missing)

return function(code)
    show(library_globals)
    loading = true
    local failed, reason = apply(function()
        code()
    end, 0)
    loading = false
    show(globals)
    return failed and reason
end
