-- cmsgpack: MessagePack, packed and unpacked with the choices of types that Redis makes.
--
-- A number with an integer value is packed as the shortest integer, another as a float where
-- that is exact and else as a double; a table with the keys 1 to n and no others is an array.
-- Tables nested 16 deep are nil, so circles end. Whatever no format is for is nil.

local arguments, floats = ...
local raise, bad_argument = arguments.raise, arguments.bad_argument
local check_integer, check_string = arguments.integer, arguments.string
local optional_integer, int = arguments.optional_integer, arguments.int
local word, from_float, from_double = floats.word, floats.from_float, floats.from_double
local to_float, to_double = floats.to_float, floats.to_double
local byte, char, sub = string.byte, string.char, string.sub
local concat, error, next = table.concat, error, next
local frexp, ldexp = math.frexp, math.ldexp
local select, type, unpack = select, type, unpack
local huge = math.huge

local MAX_NESTING = 16
local INT_MAX = 2 ^ 31 - 1
local INT64, WORD = 2 ^ 63, 2 ^ 32
-- How many values may lie on the stack of a C function: it bounds nesting and results.
local STACK = 8000
local MAX_RESULTS = STACK - 4

-- Packing ---------------------------------------------------------------------------------

-- The first bytes of what is short: strings, arrays, maps and numbers themselves.
local SHORT_STRING, SHORT_ARRAY, SHORT_MAP, SHORT_NUMBER = {}, {}, {}, {}
for length = 0, 31 do
    SHORT_STRING[length] = char(0xa0 + length)
end
for length = 0, 15 do
    SHORT_ARRAY[length] = char(0x90 + length)
    SHORT_MAP[length] = char(0x80 + length)
end
for number = -32, 127 do
    SHORT_NUMBER[number] = char(number % 256)
end

local function pair(x)
    local low = x % 256
    return char((x - low) / 256, low)
end

local function packed_integer(x)
    if x >= 0 then
        if x <= 0xff then
            return char(0xcc, x)
        elseif x <= 0xffff then
            return "\205" .. pair(x)
        elseif x < WORD then
            return "\206" .. word(x)
        end
        local low = x % WORD
        return "\207" .. word((x - low) / WORD) .. word(low)
    elseif x >= -128 then
        return char(0xd0, x % 256)
    elseif x >= -32768 then
        return "\209" .. pair(x % 65536)
    elseif x >= -WORD / 2 then
        return "\210" .. word(x % WORD)
    end
    local low = x % WORD
    return "\211" .. word((x - low) / WORD % WORD) .. word(low)
end

-- Whether a number is one in four bytes, too.
local function is_float(x)
    local fraction, exponent = frexp(x)
    if exponent >= -125 then
        return fraction * 2 ^ 24 % 1 == 0 and exponent <= 128 or x == huge or x == -huge
    end
    return ldexp(x, 149) % 1 == 0
end

local function packed_number(x)
    if x % 1 == 0 and x >= -INT64 and x < INT64 then
        return packed_integer(x)
    elseif is_float(x) then
        return "\202" .. from_float(x)
    end
    return "\203" .. from_double(x)
end

-- The first bytes of a string of a length that is not short.
local function string_header(length)
    if length <= 0xff then
        return char(0xd9, length)
    elseif length <= 0xffff then
        return "\218" .. pair(length)
    end
    return "\219" .. word(length % WORD)
end

-- The first bytes of an array or a map of a length that is not short, with those that mark them.
local function table_header(length, mark16, mark32)
    return length <= 0xffff and mark16 .. pair(length) or mark32 .. word(length % WORD)
end

-- How many keys a table has, and whether they are 1 to as many.
local function count_keys(value)
    local count, largest = 0, 0
    for key in next, value do
        count = count + 1
        -- Keys of arrays mostly come in order; then nothing need be asked about them.
        local ordinal = key == count
            or type(key) == "number" and key > 0 and key <= INT_MAX and key % 1 == 0
        if ordinal and largest then
            if key > largest then
                largest = key
            end
        else
            largest = nil
        end
    end
    return count, largest == count
end

local append

local function append_table(pieces, n, value, level)
    local count, whole = count_keys(value)
    n = n + 1
    if whole then
        count = #value
        pieces[n] = SHORT_ARRAY[count] or table_header(count, "\220", "\221")
        for index = 1, count do
            n = append(pieces, n, value[index], level)
        end
        return n
    end
    pieces[n] = SHORT_MAP[count] or table_header(count, "\222", "\223")
    for key, each in next, value do
        local length = type(key) == "string" and #key
        if length then
            pieces[n + 1] = SHORT_STRING[length] or string_header(length)
            pieces[n + 2] = key
            n = append(pieces, n + 2, each, level)
        else
            n = append(pieces, n, key, level)
            n = append(pieces, n, each, level)
        end
    end
    return n
end

-- Append the pieces of a value to a list of n and return how many there are then.
append = function(pieces, n, value, level)
    local kind = type(value)
    if kind == "string" then
        local length = #value
        pieces[n + 1] = SHORT_STRING[length] or string_header(length)
        pieces[n + 2] = value
        return n + 2
    elseif kind == "table" and level < MAX_NESTING then
        return append_table(pieces, n, value, level + 1)
    elseif kind == "number" then
        pieces[n + 1] = SHORT_NUMBER[value] or packed_number(value)
    elseif kind == "boolean" then
        pieces[n + 1] = value and "\195" or "\194"
    else
        pieces[n + 1] = "\192"
    end
    return n + 1
end

local function pack(...)
    local count = select("#", ...)
    if count == 0 then
        bad_argument(0, "MessagePack pack needs input.")
    end
    local pieces, n = {}, 0
    for index = 1, count do
        n = append(pieces, n, (select(index, ...)), 0)
    end
    return concat(pieces)
end

-- Unpacking ---------------------------------------------------------------------------------

local readers = {}

local function missing()
    raise("Missing bytes in input.")
end

-- The value that begins at a position, and the position after it. `used` is how many values
-- a C function would have on its stack by now.
local function value_at(text, position, used)
    local first = byte(text, position)
    if not first then
        missing()
    elseif used >= STACK then
        raise("stack overflow (too many return values at once; "
            .. "use unpack_one or unpack_limit instead.)")
    elseif first < 0x80 then
        return first, position + 1
    elseif first >= 0xa0 and first < 0xc0 then
        local stop = position + first - 0xa0
        if stop > #text then
            missing()
        end
        return sub(text, position + 1, stop), stop + 1
    elseif first >= 0xe0 then
        return first - 256, position + 1
    end
    local read = readers[first]
    if not read then
        raise("Bad data format in input.")
    end
    return read(text, position + 1, used)
end

-- The unsigned number in so many bytes at a position.
local function unsigned(text, position, size)
    local a, b, c, d = byte(text, position, position + size - 1)
    if size == 1 then
        return a or missing()
    elseif size == 2 then
        return b and a * 256 + b or missing()
    end
    return d and ((a * 256 + b) * 256 + c) * 256 + d or missing()
end

-- As many values as a length says.
local function array(text, position, length, used)
    if used + 2 > STACK then
        raise("stack overflow (in function mp_decode_to_lua_array)")
    end
    local result = {}
    for index = 1, length do
        result[index], position = value_at(text, position, used + 2)
    end
    return result, position
end

-- As many keys with their values as a length says.
local function map(text, position, length, used)
    local result, key, value = {}, nil, nil
    for _ = 1, length do
        key, position = value_at(text, position, used + 1)
        value, position = value_at(text, position, used + 2)
        if key == nil or key ~= key then
            -- Raised by Lua itself in C, so without a line.
            error(key == nil and "table index is nil" or "table index is NaN", 0)
        end
        result[key] = value
    end
    return result, position
end

-- A reader of numbers that are so many bytes, unsigned or of which the upper half is negative.
local function number_reader(size, wrap)
    local half = wrap and wrap / 2 or huge
    return function(text, position)
        local x = unsigned(text, position, size)
        return x >= half and x - wrap or x, position + size
    end
end

local function read_int64(text, position)
    local high = unsigned(text, position, 4)
    local low = unsigned(text, position + 4, 4)
    return (high >= WORD / 2 and high - WORD or high) * WORD + low, position + 8
end

local function read_float(text, position)
    if position + 3 > #text then
        missing()
    end
    return to_float(text, position), position + 4
end

local function read_double(text, position)
    if position + 7 > #text then
        missing()
    end
    return to_double(text, position), position + 8
end

local function string_reader(size)
    return function(text, position)
        local stop = position + size + unsigned(text, position, size) - 1
        if stop > #text then
            missing()
        end
        return sub(text, position + size, stop), stop + 1
    end
end

local function table_reader(read, size)
    return function(text, position, used)
        return read(text, position + size, unsigned(text, position, size), used)
    end
end

local function constant_reader(value)
    return function(_, position)
        return value, position
    end
end

for length = 0, 15 do
    readers[0x80 + length] = function(text, position, used)
        return map(text, position, length, used)
    end
    readers[0x90 + length] = function(text, position, used)
        return array(text, position, length, used)
    end
end
readers[0xc0] = constant_reader(nil)
readers[0xc2] = constant_reader(false)
readers[0xc3] = constant_reader(true)
readers[0xca] = read_float
readers[0xcb] = read_double
readers[0xcc] = number_reader(1)
readers[0xcd] = number_reader(2)
readers[0xce] = number_reader(4)
readers[0xcf] = read_int64 -- C puts it into a signed integer, too
readers[0xd0] = number_reader(1, 256)
readers[0xd1] = number_reader(2, 65536)
readers[0xd2] = number_reader(4, WORD)
readers[0xd3] = read_int64
readers[0xd9] = string_reader(1)
readers[0xda] = string_reader(2)
readers[0xdb] = string_reader(4)
readers[0xdc] = table_reader(array, 2)
readers[0xdd] = table_reader(array, 4)
readers[0xde] = table_reader(map, 2)
readers[0xdf] = table_reader(map, 4)

-- Up to `limit` values from an offset on, or all where both are 0: as a table, how many, and the
-- offset of the next or -1 at the end. A C function would have `used` arguments on its stack.
local function unpack_values(text, limit, offset, used)
    if offset < 0 or limit < 0 then
        raise("Invalid request to unpack with offset of %d and limit of %d.", int(offset), #text)
    elseif offset > #text then
        raise("Start offset %d greater than input length %d.", int(offset), #text)
    elseif limit == 0 and offset == 0 then
        limit = INT_MAX
    end
    local results, count, position = {}, 0, offset + 1
    local length = #text
    while position <= length and count < limit do
        if count == MAX_RESULTS then
            used = STACK
        end
        count = count + 1
        results[count], position = value_at(text, position, used + count - 1)
    end
    return results, count, position > length and -1 or position - 1
end

-- The module's functions call nothing that may raise as their last act: an error is to find the
-- frame of the function that the script called.
cmsgpack = {
    _NAME = "cmsgpack",
    _VERSION = "lua-cmsgpack 0.4.0",
    _COPYRIGHT = "Copyright (C) 2012, Salvatore Sanfilippo",
    _DESCRIPTION = "MessagePack C implementation for Lua",

    pack = pack,

    unpack = function(...)
        local count = select("#", ...)
        local results, found = unpack_values(check_string(1, (...), count), 0, 0, count)
        return unpack(results, 1, found)
    end,

    unpack_one = function(...)
        local text, offset = ...
        local count = select("#", ...)
        offset = optional_integer(2, offset, 0, count)
        local results, found, after = unpack_values(check_string(1, text, count), 1, offset, 1)
        return after, unpack(results, 1, found)
    end,

    unpack_limit = function(...)
        local text, limit, offset = ...
        local count = select("#", ...)
        limit = check_integer(2, limit, count)
        offset = optional_integer(3, offset, 0, count)
        local results, found, after = unpack_values(check_string(1, text, count), limit, offset, 1)
        if limit == 0 and offset == 0 then
            return unpack(results, 1, found)
        end
        return after, unpack(results, 1, found)
    end,
}
