-- How functions of C libraries complain: about their arguments, and at whose line.
--
-- The libraries are Lua, but scripts are to see what they saw of C: an error is told with the
-- line of the script that called the library, and an argument under the name by which the
-- script called the function.
--
-- The chunk is given the sources of the libraries' chunks, and returns its functions.

local error, getinfo, format = error, debug.getinfo, string.format
local floor, tonumber, type = math.floor, tonumber, type

local INT64 = 2 ^ 63

-- A table of what the frames of the libraries say of their source.
local OURS = ...

-- The level (seen by whoever calls this) of the frame that called into a library. Calls that a
-- library makes as its last act leave frames without a source between its own.
local function caller()
    local level, last = 2, 2
    local frame = getinfo(level, "S")
    while frame and (OURS[frame.source] or frame.what == "tail") do
        if OURS[frame.source] then
            last = level
        end
        level = level + 1
        frame = getinfo(level, "S")
    end
    return last
end

-- Raise a message, formatted, with the line of the script.
local function raise(message, ...)
    error(format(message, ...), caller())
end

-- Raise a complaint about an argument of the library function that was called.
local function bad_argument(index, message)
    local level = caller()
    local called = getinfo(level - 1, "n")
    if called.namewhat == "method" then
        index = index - 1
        if index == 0 then
            error(format("calling '%s' on bad self (%s)", called.name, message), level)
        end
    end
    error(format("bad argument #%d to '%s' (%s)", index, called.name or "?", message), level)
end

-- Raise that an argument has another type; count is how many there are.
local function bad_type(index, expected, value, count)
    local got = index > count and "no value" or type(value)
    bad_argument(index, expected .. " expected, got " .. got)
end

-- An argument as a number.
local function number(index, value, count)
    return tonumber(value) or bad_type(index, "number", value, count)
end

-- A number as C casts it to 64 bits: cut, and the lowest where it does not fit.
local function truncate(value)
    if value >= -INT64 and value < INT64 then
        return value < 0 and -floor(-value) or floor(value)
    end
    return -INT64
end

-- An integer of 64 bits as C casts it to 32.
local function int(value)
    return (value + 2 ^ 31) % 2 ^ 32 - 2 ^ 31
end

-- An argument as an integer of 64 bits.
local function integer(index, value, count)
    return truncate(number(index, value, count))
end

-- An argument as an integer, or the default where there is none.
local function optional_integer(index, value, default, count)
    if value == nil then
        return default
    end
    return integer(index, value, count)
end

-- An argument as a string.
local function string(index, value, count)
    local kind = type(value)
    if kind == "string" then
        return value
    elseif kind == "number" then
        return value .. ""
    end
    bad_type(index, "string", value, count)
end

return {
    raise = raise,
    bad_argument = bad_argument,
    number = number,
    truncate = truncate,
    int = int,
    integer = integer,
    optional_integer = optional_integer,
    string = string,
}
