-- struct: numbers and strings as packed bytes, with C's sizes, byte orders and alignment.
--
-- Sizes are those of 64-bit Linux: 2 bytes for h, 4 for i and f, 8 for l, T and d.

local arguments, floats = ...
local raise, bad_argument = arguments.raise, arguments.bad_argument
local check_number, check_string = arguments.number, arguments.string
local optional_integer, truncate = arguments.optional_integer, arguments.truncate
local word, from_float, from_double = floats.word, floats.from_float, floats.from_double
local to_float, to_double = floats.to_float, floats.to_double
local byte, find, format = string.byte, string.find, string.format
local match, rep, reverse, sub = string.match, string.rep, string.reverse, string.sub
local concat, floor, select, tonumber = table.concat, math.floor, select, tonumber
local unpack = unpack

local INT_MAX = 2 ^ 31 - 1
local INT64, UINT64, WORD = 2 ^ 63, 2 ^ 64, 2 ^ 32
local MAX_INTEGER = 32 -- bytes
local MAX_ALIGNMENT = 8
-- How many values may lie on the stack of a C function; struct.unpack may not return more.
local MAX_RESULTS = 7994

local SIZES = { b = 1, B = 1, h = 2, H = 2, l = 8, L = 8, T = 8, f = 4, d = 8, x = 1 }
local INTEGERS = {
    b = true, B = true, h = true, H = true, l = true, L = true, T = true, i = true, I = true,
}

-- The number at a position of a format or its default, and the position after it.
local function size_at(text, position, default)
    local digits = match(text, "^%d+", position)
    if not digits then
        return default, position
    end
    -- Leading zeros may be many; more digits than these are too much anyway.
    local size = tonumber(digits)
    if size > INT_MAX then
        raise("integral size overflow")
    end
    return size, position + #digits
end

-- The size in bytes of an option, 0 where it has none, and the position after it.
local function option_size(text, option, position)
    if option == "c" then
        return size_at(text, position, 1)
    elseif option == "i" or option == "I" then
        local size, after = size_at(text, position, 4)
        if size > MAX_INTEGER then
            raise("integral size %d is larger than limit of %d", size, MAX_INTEGER)
        end
        return size, after
    end
    return SIZES[option] or 0, position
end

-- The bits of a number that a mask of few bits has.
local function masked(x, mask)
    local result, place = 0, 1
    while place <= mask do
        if x % (place * 2) >= place and mask % (place * 2) >= place then
            result = result + place
        end
        place = place * 2
    end
    return result
end

-- How many bytes an option of some size needs before it, at an offset from 0 on.
--
-- C computes it with masks, so sizes that are no powers of two give odd results.
local function padding(offset, alignment, option, size)
    if alignment == 1 or size == 0 or option == "c" then
        return 0
    elseif size > alignment then
        size = alignment
    end
    local mask = size - 1
    return masked(size - masked(offset, mask), mask)
end

-- Obey an option that is no value: byte order and alignment then, and where to go on.
local function control(text, option, position, little, alignment)
    if option == " " then
        return little, alignment, position
    elseif option == ">" then
        return false, alignment, position
    elseif option == "<" then
        return true, alignment, position
    elseif option == "!" then
        alignment, position = size_at(text, position, MAX_ALIGNMENT)
        local power = alignment
        while power > 1 do
            power = power / 2
        end
        if power ~= 1 then
            raise("alignment %d is not a power of 2", alignment)
        end
        return little, alignment, position
    end
    bad_argument(1, format("invalid format option '%s'", option))
end

-- A format up to its first NUL, where C ends it.
local function check_format(value, count)
    return match(check_string(1, value, count), "^%Z*")
end

-- A number as an integer of some bytes; beyond eight they are zero.
local function packed_integer(x, size, little)
    if x < 0 then
        x = truncate(x)
    elseif x ~= x then
        x = INT64
    else
        x = x < UINT64 and floor(x) or 0
    end
    local low = x % WORD
    if size <= 4 then
        local text = sub(word(low), 5 - size)
        return little and reverse(text) or text
    end
    local text = word((x - low) / WORD % WORD) .. word(low)
    if size > 8 then
        text = rep("\0", size - 8) .. text
    else
        text = sub(text, 9 - size)
    end
    return little and reverse(text) or text
end

-- The integer in bytes of which the lowest come last.
local function unpacked_integer(text, signed)
    local size = #text
    if size <= 2 then
        local a, b = byte(text, 1, 2)
        local x = b and a * 256 + b or a or 0
        local wrap = 2 ^ (size * 8)
        return signed and x >= wrap / 2 and x - wrap or x
    elseif size > 8 then
        text = sub(text, -8)
    elseif size < 8 then
        text = rep("\0", 8 - size) .. text
    end
    local a, b, c, d, e, f, g, h = byte(text, 1, 8)
    local high = ((a * 256 + b) * 256 + c) * 256 + d
    local low = ((e * 256 + f) * 256 + g) * 256 + h
    if signed and size > 0 then
        -- Sizes over 8 bytes have their sign where a shift by 64 bits more would find it.
        local sign = 2 ^ ((size - 1) % 8 * 8 + 7)
        if sign < WORD then
            if high > 0 or low >= sign then
                return low % sign - sign
            end
        elseif high >= sign / WORD then
            high = high % (sign / WORD) - sign / WORD
        end
    end
    return high * WORD + low
end

local function pack(...)
    local count = select("#", ...)
    local values = { ... }
    local text = check_format(values[1], count)
    count = count + 1 -- C marks the end of the arguments with a nil
    local little, alignment, total, argument = true, 1, 0, 2
    local parts, n, position = {}, 0, 1
    while position <= #text do
        local option, size, piece = sub(text, position, position)
        size, position = option_size(text, option, position + 1)
        local before = padding(total, alignment, option, size)
        if before > 0 then
            n = n + 1
            parts[n] = rep("\0", before)
        end
        total = total + before
        local value = values[argument]
        if INTEGERS[option] then
            piece = packed_integer(check_number(argument, value, count), size, little)
        elseif option == "x" then
            piece = "\0"
        elseif option == "f" or option == "d" then
            value = check_number(argument, value, count)
            piece = option == "f" and from_float(value) or from_double(value)
            piece = little and reverse(piece) or piece
        elseif option == "c" or option == "s" then
            piece = check_string(argument, value, count)
            size = size > 0 and size or #piece
            if #piece < size then
                bad_argument(argument + 1, "string too short")
            end
            piece = sub(piece, 1, size)
            if option == "s" then
                piece, size = piece .. "\0", size + 1
            end
        else
            little, alignment, position = control(text, option, position, little, alignment)
        end
        if piece then
            n = n + 1
            parts[n] = piece
            if option ~= "x" then
                argument = argument + 1
            end
        end
        total = total + size
    end
    return concat(parts)
end

-- The number of an option in its bytes.
local function unpacked_number(option, bytes, little)
    if little then
        bytes = reverse(bytes)
    end
    if option == "f" then
        return to_float(bytes, 1)
    elseif option == "d" then
        return to_double(bytes, 1)
    end
    return unpacked_integer(bytes, option == "b" or option == "h" or option == "l" or option == "i")
end

-- Complain unless there are so many bytes at an offset; one below 0 is huge in C.
local function check_room(data, offset, size)
    if offset < 0 or offset > #data - size then
        bad_argument(2, "data string too short")
    end
end

-- A number as C casts it to a size on most machines: what is negative or no number is huge.
local function size_of(x)
    if x >= UINT64 or (x > -1 and x < 1) then
        return 0
    end
    return x >= 1 and floor(x) or INT64
end

local function unpack_(...)
    local text, data, offset = ...
    local count = select("#", ...)
    text, data = check_format(text, count), check_string(2, data, count)
    offset = optional_integer(3, offset, 1, count) - 1
    if offset == -1 then
        bad_argument(3, "offset must be 1 or greater")
    end
    local little, alignment, position = true, 1, 1
    local results, n = {}, 0
    while position <= #text do
        local option, size = sub(text, position, position)
        size, position = option_size(text, option, position + 1)
        offset = offset + padding(offset, alignment, option, size)
        check_room(data, offset, size)
        if n > MAX_RESULTS then
            raise("stack overflow (too many results)")
        end
        if INTEGERS[option] or option == "f" or option == "d" then
            n = n + 1
            results[n] = unpacked_number(option, sub(data, offset + 1, offset + size), little)
        elseif option == "c" then
            if size == 0 then
                size = n > 0 and tonumber(results[n])
                if not size then
                    raise("format 'c0' needs a previous size")
                end
                size = size_of(size)
                check_room(data, offset, size)
                n = n - 1
            end
            n = n + 1
            results[n] = sub(data, offset + 1, offset + size)
        elseif option == "s" then
            local stop = find(data, "\0", offset + 1, true)
            if not stop then
                raise("unfinished string in data")
            end
            n = n + 1
            results[n] = sub(data, offset + 1, stop - 1)
            size = stop - offset
        elseif option ~= "x" then
            little, alignment, position = control(text, option, position, little, alignment)
        end
        offset = offset + size
    end
    results[n + 1] = offset + 1
    return unpack(results, 1, n + 1)
end

local function size(...)
    local text = check_format((...), select("#", ...))
    local little, alignment, position, offset = true, 1, 1, 0
    while position <= #text do
        local option, width = sub(text, position, position)
        width, position = option_size(text, option, position + 1)
        offset = offset + padding(offset, alignment, option, width)
        if option == "s" then
            bad_argument(1, "option 's' has no fixed size")
        elseif option == "c" and width == 0 then
            bad_argument(1, "option 'c0' has no fixed size")
        elseif not find(option, "%w") then
            little, alignment, position = control(text, option, position, little, alignment)
        end
        offset = offset + width
    end
    return offset
end

struct = { pack = pack, unpack = unpack_, size = size }
