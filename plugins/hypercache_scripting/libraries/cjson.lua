-- cjson: JSON text, encoded and decoded as Lua CJSON does.
--
-- Well-formed text is read with patterns that take a whole string, key or number at once;
-- whatever they do not match is looked at again token by token, which also finds what to
-- complain about, and where. Strings are taken as they are: no UTF-8 is checked.

local arguments = ...
local raise, bad_argument = arguments.raise, arguments.bad_argument
local check_integer, check_string = arguments.integer, arguments.string
local int = arguments.int
local byte, char, find, format = string.byte, string.char, string.find, string.format
local gsub, lower, match, sub = string.gsub, string.lower, string.match, string.sub
local concat, floor, getmetatable, next = table.concat, math.floor, getmetatable, next
local newproxy, rawget, select, tonumber, type = newproxy, rawget, select, tonumber, type
local huge = math.huge

local INT_MAX, INT_MIN = 2 ^ 31 - 1, -2 ^ 31
-- How many values may lie on the stack of a C function: it bounds the depth in the end.
local STACK = 8000

-- What stands for null: in Redis a light userdata that points nowhere, and so it prints.
local null = newproxy(true)
getmetatable(null).__tostring = function()
    return "userdata: (nil)"
end
getmetatable(null).__metatable = false

-- Encoding ----------------------------------------------------------------------------------

local ESCAPES = {}
for code = 0, 127 do
    ESCAPES[char(code)] = format("\\u%04x", code)
end
for letter, escaped in next, {
    ["\b"] = "\\b", ["\t"] = "\\t", ["\n"] = "\\n", ["\f"] = "\\f", ["\r"] = "\\r",
    ['"'] = '\\"', ["/"] = "\\/", ["\\"] = "\\\\",
} do
    ESCAPES[letter] = escaped
end

local SPECIAL = '[%c"/\\]'

local function quoted(text)
    if find(text, SPECIAL) then
        text = gsub(text, SPECIAL, ESCAPES)
    end
    return '"' .. text .. '"'
end

-- Keys as they begin a pair, for those that were encoded lately: they mostly come again.
local known, known_count = {}, 0
local MAX_KNOWN, MAX_KNOWN_LENGTH = 1000, 64

local function encoded_key(key)
    local encoded = quoted(key) .. ":"
    if #key <= MAX_KNOWN_LENGTH then
        if known_count == MAX_KNOWN then
            known, known_count = {}, 0
        end
        known[key] = encoded
        known_count = known_count + 1
    end
    return encoded
end

local function unfit(value, reason)
    raise("Cannot serialise %s: %s", type(value), reason)
end

local function encoded_number(config, number)
    if number - number ~= 0 then
        local policy = config.encode_invalid_numbers
        if policy == 0 then
            unfit(number, "must not be NaN or Inf")
        elseif policy == 2 then
            return "null"
        elseif number ~= number then
            return "nan"
        end
    end
    -- Lua itself writes numbers as %.14g; the format is nil where that is wanted.
    local other = config.number_format
    return other and format(other, number) or number
end

-- The length of a table that is an array, or -1.
local function array_length(config, value)
    local largest, items = 0, 0
    for key in next, value do
        items = items + 1
        -- Keys of arrays mostly come in order; then nothing need be asked about them.
        if key ~= items and (type(key) ~= "number" or key < 1 or key % 1 ~= 0) then
            return -1
        end
        if key > largest then
            largest = key <= INT_MAX and key or INT_MIN -- what C's cast leaves
        end
    end
    local ratio = config.encode_sparse_ratio
    if ratio > 0 and largest > items * ratio and largest > config.encode_sparse_safe then
        if config.encode_sparse_convert == 0 then
            unfit(value, "excessively sparse array")
        end
        return -1
    end
    return largest
end

local append

local function append_array(config, pieces, n, value, length, depth, used)
    local before = "["
    for index = 1, length do
        local each = rawget(value, index)
        local kind = type(each)
        n = n + 1
        if kind == "string" then
            pieces[n] = before .. quoted(each)
        elseif kind == "number" then
            pieces[n] = before .. encoded_number(config, each)
        else
            pieces[n] = before
            n = append(config, pieces, n, each, depth, used + 1)
        end
        before = ","
    end
    pieces[n + 1] = "]"
    return n + 1
end

local function append_object(config, pieces, n, value, depth, used)
    local before = "{"
    for key, each in next, value do
        local kind = type(key)
        if kind == "string" then
            key = known[key] or encoded_key(key)
        elseif kind == "number" then
            key = '"' .. encoded_number(config, key) .. '":'
        else
            unfit(key, "table key must be a number or string")
        end
        kind = type(each)
        n = n + 1
        if kind == "string" then
            pieces[n] = before .. key .. quoted(each)
        elseif kind == "number" then
            pieces[n] = before .. key .. encoded_number(config, each)
        elseif kind == "boolean" then
            pieces[n] = before .. key .. (each and "true" or "false")
        else
            pieces[n] = before .. key
            n = append(config, pieces, n, each, depth, used + 2)
        end
        before = ","
    end
    pieces[n + 1] = before == "{" and "{}" or "}"
    return n + 1
end

-- Append the pieces of a value to a list of n and return how many there are then. `used` is
-- how many values a C function would have on its stack by now.
append = function(config, pieces, n, value, depth, used)
    local kind = type(value)
    if kind == "table" then
        depth = depth + 1
        if depth > config.encode_max_depth or used + 3 > STACK then
            raise("Cannot serialise, excessive nesting (%d)", depth)
        end
        local length = array_length(config, value)
        if length > 0 then
            return append_array(config, pieces, n, value, length, depth, used)
        end
        return append_object(config, pieces, n, value, depth, used)
    end
    n = n + 1
    if kind == "string" then
        pieces[n] = quoted(value)
    elseif kind == "number" then
        pieces[n] = encoded_number(config, value)
    elseif kind == "boolean" then
        pieces[n] = value and "true" or "false"
    elseif kind == "nil" or value == null then
        pieces[n] = "null"
    else
        unfit(value, "type not supported")
    end
    return n
end

-- Tokens --------------------------------------------------------------------------------------

local UNESCAPES = {
    ['\\"'] = '"', ["\\\\"] = "\\", ["\\/"] = "/",
    ["\\b"] = "\b", ["\\f"] = "\f", ["\\n"] = "\n", ["\\r"] = "\r", ["\\t"] = "\t",
}

local PUNCTUATION = {
    ["{"] = "T_OBJ_BEGIN", ["}"] = "T_OBJ_END", ["["] = "T_ARR_BEGIN", ["]"] = "T_ARR_END",
    [":"] = "T_COLON", [","] = "T_COMMA",
}

local function utf8(code)
    local low = code % 64
    if code < 0x80 then
        return char(code)
    elseif code < 0x800 then
        return char(0xc0 + (code - low) / 64, 0x80 + low)
    end
    local middle = floor(code / 64) % 64
    if code < 0x10000 then
        return char(0xe0 + floor(code / 4096), 0x80 + middle, 0x80 + low)
    end
    local high = floor(code / 4096) % 64
    return char(0xf0 + floor(code / 262144), 0x80 + high, 0x80 + middle, 0x80 + low)
end

-- The UTF-8 of a \u escape at a position, a pair where it takes two, and what comes after it;
-- or nothing.
local function unicode_at(text, position)
    local code = tonumber(match(text, "^\\u(%x%x%x%x)", position) or "", 16)
    if not code or code < 0xd800 or code > 0xdfff then
        return code and utf8(code), position + 6
    end
    local low = tonumber(match(text, "^\\u(%x%x%x%x)", position + 6) or "", 16)
    if code > 0xdbff or not low or low < 0xdc00 or low > 0xdfff then
        return nil
    end
    return utf8((code - 0xd800) * 1024 + low - 0xdc00 + 0x10000), position + 12
end

-- The string whose quote is at a position, if all its escapes are plain ones, and the position
-- after it; or nil.
local function plain_string_at(text, position)
    local stop, before = position, nil
    repeat
        stop = find(text, '"', stop + 1, true)
        if not stop then
            return nil
        end
        before = stop - 1
        while byte(text, before) == 92 do
            before = before - 1
        end
    until (stop - before) % 2 == 1
    local escaped = sub(text, position + 1, stop - 1)
    -- An escaped backslash before another letter is found, too: that does no harm.
    if find(escaped, '\\[^"\\/bfnrt]') or find(escaped, "%z") then
        return nil
    end
    return gsub(escaped, "\\.", UNESCAPES), stop + 1
end

-- The string whose quote is at a position, and the position after it; else nil, what is wrong
-- with it, and where.
local function string_at(text, position)
    local plain, after = plain_string_at(text, position)
    if plain then
        return plain, after
    end
    local parts, n = {}, 0
    position = position + 1
    while true do
        local stop = find(text, '["\\%z]', position) or #text + 1
        n = n + 1
        parts[n] = sub(text, position, stop - 1)
        local found = byte(text, stop)
        if found == 34 then
            return concat(parts), stop + 1
        elseif found ~= 92 then
            return nil, "unexpected end of string", stop
        end
        local letter = UNESCAPES[sub(text, stop, stop + 1)]
        if letter then
            position = stop + 2
        elseif byte(text, stop + 1) ~= 117 then
            return nil, "invalid escape code", stop
        else
            letter, position = unicode_at(text, stop)
            if not letter then
                return nil, "invalid unicode escape code", stop
            end
        end
        n = n + 1
        parts[n] = letter
    end
end

-- The longest text at a position that C's strtod takes, or nil.
local function number_text(text, position)
    local sign = match(text, "^[-+]?", position)
    local start = position + #sign
    local hexadecimal = match(text, "^0[xX]%x+%.?%x*", start) or match(text, "^0[xX]%.%x+", start)
    if hexadecimal then
        return sign .. hexadecimal .. (match(text, "^[pP][-+]?%d+", start + #hexadecimal) or "")
    end
    local decimal = match(text, "^%d+%.?%d*", start) or match(text, "^%.%d+", start)
    if decimal then
        return sign .. decimal .. (match(text, "^[eE][-+]?%d+", start + #decimal) or "")
    end
    local word = lower(match(text, "^%a*", start))
    for _, name in next, { "infinity", "inf" } do
        if sub(word, 1, #name) == name then
            return sign .. name
        end
    end
    if sub(word, 1, 3) == "nan" then
        return sign .. "nan" .. (match(text, "^%([%w_]*%)", start + 3) or "")
    end
end

-- Whether what strtod may take at a position is no number of JSON.
local function is_invalid_number(text, position)
    local word = lower(match(text, "^-?(..?.?)", position) or "")
    return find(text, "^%+", position) or find(word, "^0[x%d]") or word == "inf" or word == "nan"
end

-- The number at a position, and the position after it; else nil, what is wrong, and where.
local function number_at(config, text, position)
    if config.decode_invalid_numbers == 0 and is_invalid_number(text, position) then
        return nil, "invalid number", position
    end
    local digits = number_text(text, position)
    if not digits then
        return nil, "invalid number", position
    end
    return tonumber(digits), position + #digits
end

-- The token that begins at a position: its name, where it is, its value and what comes after.
local function token_at(config, text, position)
    position = find(text, "[^ \t\n\r]", position) or #text + 1
    local first = sub(text, position, position)
    local name, value, after = PUNCTUATION[first], nil, position + 1
    if name or first == "" or first == "\0" then
        return name or "T_END", position, nil, after
    elseif first == '"' then
        local wrong
        value, after, wrong = string_at(text, position)
        return value and "T_STRING" or after, wrong or position, value, after
    end
    for word, constant in next, { ["true"] = true, ["false"] = false, null = null } do
        if sub(text, position, position + #word - 1) == word then
            return word == "null" and "T_NULL" or "T_BOOLEAN", position, constant, position + #word
        end
    end
    if find(first, "[-%d]")
        or find(first, "[+iInN]")
            and config.decode_invalid_numbers == 1
            and is_invalid_number(text, position)
    then
        value, after = number_at(config, text, position)
        return value and "T_NUMBER" or after, position, value, after
    end
    return "invalid token", position
end

local function unexpected(config, expected, text, position)
    local found, index = token_at(config, text, position)
    raise("Expected %s but found %s at character %d", expected, found, index)
end

-- Decoding ------------------------------------------------------------------------------------

-- Readers of values by their first byte: of a config, a text, a position, a depth and how many
-- values a C function would have on its stack; they return a value and the position after it.
local readers = {}

-- A value of which no reader knows the first byte, or where a reader's pattern fails.
local function odd_value(config, text, position, depth, used)
    local name, index, value, after = token_at(config, text, position)
    if name == "T_OBJ_BEGIN" or name == "T_ARR_BEGIN" then
        return readers[byte(text, index)](config, text, index, depth, used)
    elseif value == nil then
        raise("Expected value but found %s at character %d", name, index)
    end
    return value, after
end

-- Values behind white space.
local function skip_space(config, text, position, depth, used)
    position = find(text, "[^ \t\n\r]", position) or #text + 1
    return (readers[byte(text, position)] or odd_value)(config, text, position, depth, used)
end

for _, code in next, { 9, 10, 13, 32 } do
    readers[code] = skip_space
end

local function check_depth(config, position, depth, used)
    if depth > config.decode_max_depth or used > STACK then
        raise("Found too many nested data structures (%d) at character %d", depth, position)
    end
end

-- Where the text that is being decoded has its next backslash, as far as it was sought; strings
-- that end before it are taken as they are. 0 where strings may hold a NUL, which ends them.
local escape = 0

local function find_escape(text, position)
    if escape > 0 and escape < position then
        escape = find(text, "\\", position, true) or huge
    end
end

readers[34] = function(config, text, position)
    local stop = find(text, '"', position + 1, true)
    if not stop or stop > escape then
        find_escape(text, position)
        if not stop or stop > escape then
            local value, after = string_at(text, position)
            if value then
                return value, after
            end
            return odd_value(config, text, position)
        end
    end
    return sub(text, position + 1, stop - 1), stop + 1
end

-- A reader of numbers that match a pattern and that tonumber takes as a whole.
local function number_reader(pattern)
    return function(config, text, position)
        local digits = match(text, pattern, position)
        local number = digits and tonumber(digits)
        if number then
            return number, position + #digits
        end
        return odd_value(config, text, position)
    end
end

-- The patterns leave out what begins with a zero, but for fractions: it may be hexadecimal.
local read_number = number_reader("^-?[1-9]%d*%.?%d*[eE]?[-+]?%d*")
local read_fraction = number_reader("^0%.%d*[eE]?[-+]?%d*")

readers[45] = read_number
for code = 49, 57 do
    readers[code] = function(config, text, position)
        local digits = match(text, "^%d+", position)
        local stop = position + #digits
        local after = byte(text, stop)
        if after == 44 or after == 93 or after == 125 then
            return tonumber(digits), stop
        end
        return read_number(config, text, position)
    end
end

readers[48] = function(config, text, position)
    local after = byte(text, position + 1)
    if after == 44 or after == 93 or after == 125 then
        return 0, position + 1
    end
    return read_fraction(config, text, position)
end

local function word_reader(word, value)
    local pattern = "^" .. word
    return function(config, text, position)
        if find(text, pattern, position) then
            return value, position + #word
        end
        return odd_value(config, text, position)
    end
end

readers[102] = word_reader("false", false)
readers[110] = word_reader("null", null)
readers[116] = word_reader("true", true)

readers[91] = function(config, text, position, depth, used)
    depth = depth + 1
    check_depth(config, position, depth, used + 2)
    local result, index = {}, 0
    position = find(text, "[^ \t\n\r]", position + 1) or #text + 1
    local first = byte(text, position)
    if first == 93 then
        return result, position + 1
    end
    while true do
        index = index + 1
        result[index], position =
            (readers[first] or odd_value)(config, text, position, depth, used + 1)
        first = byte(text, position)
        if first ~= 44 and first ~= 93 then
            position = find(text, "[^ \t\n\r]", position) or #text + 1
            first = byte(text, position)
        end
        if first == 93 then
            return result, position + 1
        elseif first ~= 44 then
            unexpected(config, "comma or array end", text, position)
        end
        position = position + 1
        first = byte(text, position)
    end
end

-- The key at a position, and where its value begins.
local function odd_key(config, text, position)
    local name, index, key, after = token_at(config, text, position)
    if name ~= "T_STRING" then
        raise("Expected object key string but found %s at character %d", name, index)
    end
    local colon, where, _, start = token_at(config, text, after)
    if colon ~= "T_COLON" then
        raise("Expected colon but found %s at character %d", colon, where)
    end
    return key, start
end

readers[123] = function(config, text, position, depth, used)
    depth = depth + 1
    check_depth(config, position, depth, used + 3)
    local result = {}
    position = find(text, "[^ \t\n\r]", position + 1) or #text + 1
    if byte(text, position) == 125 then
        return result, position + 1
    end
    while true do
        local key
        local stop = byte(text, position) == 34 and find(text, '"', position + 1, true)
        if stop and stop < escape and byte(text, stop + 1) == 58 then
            key, position = sub(text, position + 1, stop - 1), stop + 2
        else
            find_escape(text, position)
            key, position = odd_key(config, text, position)
        end
        result[key], position =
            (readers[byte(text, position)] or odd_value)(config, text, position, depth, used + 2)
        local after = byte(text, position)
        if after ~= 44 and after ~= 125 then
            position = find(text, "[^ \t\n\r]", position) or #text + 1
            after = byte(text, position)
        end
        if after == 125 then
            return result, position + 1
        elseif after ~= 44 then
            unexpected(config, "comma or object end", text, position)
        end
        position = position + 1
        if byte(text, position) ~= 34 then
            position = find(text, "[^ \t\n\r]", position) or #text + 1
        end
    end
end

-- The module ----------------------------------------------------------------------------------

-- Complain about more arguments than there are settings.
local function check_count(count, most)
    if count > most then
        bad_argument(most + 1, "found too many arguments")
    end
end

-- Set one of the integers of a config, if a value is given, and return it.
local function integer_setting(config, name, index, value, least, most)
    if value ~= nil then
        value = int(check_integer(index, value, index))
        if value < least or value > most then
            bad_argument(1, format("expected integer between %d and %d", least, most))
        end
        config[name] = value
    end
    return config[name]
end

-- Set one of the choices of a config, if a value is given, and return it.
local function choice_setting(config, name, value, choices)
    if type(value) == "boolean" then
        config[name] = value and 1 or 0
    elseif value ~= nil then
        local chosen
        local word = check_string(1, value, 1)
        for number = 0, #choices do
            if choices[number] == word then
                chosen = number
            end
        end
        if not chosen then
            bad_argument(1, format("invalid option '%s'", word))
        end
        config[name] = chosen
    end
    local number = config[name]
    if number < 2 then
        return number == 1
    end
    return choices[number]
end

local SWITCH = { [0] = "off", "on" }
local INVALID_NUMBERS = { [0] = "off", "on", "null" }

-- Functions of a module with some config. What they call may raise, so none of them ends in
-- a call: an error is to find the frame of the function that the script called.

local function integer_function(config, name, most)
    return function(...)
        check_count(select("#", ...), 1)
        local setting = integer_setting(config, name, 1, (...), 1, most)
        return setting
    end
end

local function choice_function(config, name, choices)
    return function(...)
        check_count(select("#", ...), 1)
        local setting = choice_setting(config, name, (...), choices)
        return setting
    end
end

local function encode_function(config)
    return function(...)
        if select("#", ...) ~= 1 then
            bad_argument(1, "expected 1 argument")
        end
        local pieces = {}
        return concat(pieces, "", 1, append(config, pieces, 0, (...), 0, 1))
    end
end

local function decode_function(config)
    return function(...)
        if select("#", ...) ~= 1 then
            bad_argument(1, "expected 1 argument")
        end
        local text = check_string(1, (...), 1)
        if find(text, "^%z.") or find(text, "^.%z") then
            raise("JSON parser does not support UTF-16 or UTF-32")
        end
        escape = find(text, "%z") and 0 or find(text, "\\", 1, true) or huge
        local value, position = (readers[byte(text)] or odd_value)(config, text, 1, 0, 1)
        if position <= #text and token_at(config, text, position) ~= "T_END" then
            unexpected(config, "the end", text, position)
        end
        return value
    end
end

-- A module with a configuration of its own.
local function new()
    local config = {
        encode_sparse_convert = 0,
        encode_sparse_ratio = 2,
        encode_sparse_safe = 10,
        encode_max_depth = 1000,
        encode_number_precision = 14,
        encode_keep_buffer = 1,
        encode_invalid_numbers = 0,
        decode_invalid_numbers = 1,
        decode_max_depth = 1000,
    }
    return {
        _NAME = "cjson",
        _VERSION = "2.1.0",
        null = null,
        new = new,
        encode = encode_function(config),
        decode = decode_function(config),
        encode_sparse_array = function(...)
            check_count(select("#", ...), 3)
            local convert, ratio, safe = ...
            convert = choice_setting(config, "encode_sparse_convert", convert, SWITCH)
            ratio = integer_setting(config, "encode_sparse_ratio", 2, ratio, 0, INT_MAX)
            safe = integer_setting(config, "encode_sparse_safe", 3, safe, 0, INT_MAX)
            return convert, ratio, safe
        end,
        encode_number_precision = function(...)
            check_count(select("#", ...), 1)
            local digits = integer_setting(config, "encode_number_precision", 1, (...), 1, 14)
            config.number_format = digits ~= 14 and "%." .. digits .. "g" or nil
            return digits
        end,
        encode_max_depth = integer_function(config, "encode_max_depth", INT_MAX),
        decode_max_depth = integer_function(config, "decode_max_depth", INT_MAX),
        encode_keep_buffer = choice_function(config, "encode_keep_buffer", SWITCH),
        encode_invalid_numbers = choice_function(config, "encode_invalid_numbers", INVALID_NUMBERS),
        decode_invalid_numbers = choice_function(config, "decode_invalid_numbers", SWITCH),
    }
end

cjson = new()
