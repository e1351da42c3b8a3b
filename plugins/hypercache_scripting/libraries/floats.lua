-- Words and IEEE 754 numbers as big-endian bytes.
--
-- Lua tells no bits of a NaN but its sign, so each NaN becomes the quiet one of its sign.

local byte, char, format = string.byte, string.char, string.format
local floor, frexp, ldexp, huge = math.floor, math.frexp, math.ldexp, math.huge

local WORD = 2 ^ 32

-- A word as four bytes.
local function word(x)
    local low = x % 65536
    local high = (x - low) / 65536
    local d, b = low % 256, high % 256
    return char((high - b) / 256, b, (low - d) / 256, d)
end

-- A number to the next whole one, halves to the even one.
local function rounded(x)
    local whole = floor(x)
    local rest = x - whole
    if rest > 0.5 or (rest == 0.5 and whole % 2 == 1) then
        whole = whole + 1
    end
    return whole
end

-- Whether a sign is set, also that of zero and of NaN.
local function negative(x)
    if x ~= x then
        return format("%g", x) == "-nan"
    end
    return x < 0 or (x == 0 and 1 / x < 0)
end

-- A number in four bytes, rounded as C rounds it.
local function from_float(x)
    local sign = negative(x) and 2 ^ 31 or 0
    if x ~= x then
        return word(sign + 0x7fc00000)
    elseif x < 0 then
        x = -x
    end
    if x == huge then
        return word(sign + 0x7f800000)
    elseif x == 0 then
        return word(sign)
    end
    local _, exponent = frexp(x)
    if exponent < -125 then
        exponent = -125
    end
    -- A fraction that rounds up to the next power carries into the exponent, even to infinity.
    local bits = rounded(ldexp(x, 24 - exponent)) + (exponent + 125) * 2 ^ 23
    return word(sign + (bits < 0x7f800000 and bits or 0x7f800000))
end

-- A number in eight bytes.
local function from_double(x)
    local sign = negative(x) and 2 ^ 31 or 0
    if x ~= x then
        return word(sign + 0x7ff80000) .. "\0\0\0\0"
    elseif x < 0 then
        x = -x
    end
    if x == huge then
        return word(sign + 0x7ff00000) .. "\0\0\0\0"
    elseif x == 0 then
        return word(sign) .. "\0\0\0\0"
    end
    local _, exponent = frexp(x)
    if exponent < -1021 then
        exponent = -1021
    end
    local fraction = ldexp(x, 53 - exponent)
    local low = fraction % WORD
    return word(sign + (exponent + 1021) * 2 ^ 20 + (fraction - low) / WORD) .. word(low)
end

-- Infinity, or a NaN where there is a fraction.
local function beyond(sign, fraction)
    if fraction == 0 then
        return sign * huge
    end
    return sign < 0 and 0 / 0 or -(0 / 0)
end

-- The number in four bytes from a position on.
local function to_float(text, position)
    local a, b, c, d = byte(text, position, position + 3)
    local sign = a < 128 and 1 or -1
    local exponent = a % 128 * 2 + (b < 128 and 0 or 1)
    local fraction = (b % 128 * 256 + c) * 256 + d
    if exponent == 255 then
        return beyond(sign, fraction)
    elseif exponent == 0 then
        return sign * ldexp(fraction, -149)
    end
    return sign * ldexp(fraction + 2 ^ 23, exponent - 150)
end

-- The number in eight bytes from a position on.
local function to_double(text, position)
    local a, b, c, d, e, f, g, h = byte(text, position, position + 7)
    local sign = a < 128 and 1 or -1
    local exponent = a % 128 * 16 + floor(b / 16)
    local fraction = ((b % 16 * 256 + c) * 256 + d) * WORD + ((e * 256 + f) * 256 + g) * 256 + h
    if exponent == 2047 then
        return beyond(sign, fraction)
    elseif exponent == 0 then
        return sign * ldexp(fraction, -1074)
    end
    return sign * ldexp(fraction + 2 ^ 52, exponent - 1075)
end

return {
    word = word,
    from_float = from_float,
    from_double = from_double,
    to_float = to_float,
    to_double = to_double,
}
