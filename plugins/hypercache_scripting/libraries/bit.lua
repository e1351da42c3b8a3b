-- bit: operations on the 32 bits of numbers, as in Lua BitOp.
--
-- Numbers are taken modulo 2^32, fractions rounded to even, and results are signed. Beyond
-- 2^51 the bits are those that are left of a double that 2^52 + 2^51 was added to.

local arguments = ...
local number = arguments.number
local floor, frexp = math.floor, math.frexp
local format, select, sub = string.format, select, string.sub
local upper = string.upper

local WORD = 2 ^ 32
local SIGN = 2 ^ 31
local MAGIC = 2 ^ 52 + 2 ^ 51
local EXACT = 2 ^ 51

-- The conjunction of two nibbles: AND[a * 16 + b].
local AND = {}
for a = 0, 15 do
    for b = 0, 15 do
        local both, bit = 0, 1
        while bit < 16 do
            if a % (bit * 2) >= bit and b % (bit * 2) >= bit then
                both = both + bit
            end
            bit = bit * 2
        end
        AND[a * 16 + b] = both
    end
end

-- An argument as an unsigned word.
local function word(index, value, count)
    local x = number(index, value, count)
    if x > -EXACT and x < EXACT then
        return (x + MAGIC) % WORD
    end
    x = x + MAGIC
    if x ~= x or x - x ~= 0 then
        return 0
    end
    return frexp(x < 0 and -x or x) * 2 ^ 53 % WORD
end

-- A word as a signed number.
local function signed(x)
    return x >= SIGN and x - WORD or x
end

local function conjunction(a, b)
    local result, place = 0, 1
    while a > 0 and b > 0 do
        local low_a, low_b = a % 16, b % 16
        result = result + AND[low_a * 16 + low_b] * place
        a, b, place = (a - low_a) / 16, (b - low_b) / 16, place * 16
    end
    return result
end

local function disjunction(a, b)
    return a + b - conjunction(a, b)
end

local function difference(a, b)
    return a + b - 2 * conjunction(a, b)
end

-- A function that folds all its arguments, the last first, as complaints show.
local function folded(operation)
    return function(...)
        local count = select("#", ...)
        local result = word(1, (...), count)
        for index = count, 2, -1 do
            result = operation(result, word(index, (select(index, ...)), count))
        end
        return signed(result)
    end
end

local function left(x, by)
    return x * 2 ^ by % WORD
end

local function right(x, by)
    return floor(x / 2 ^ by)
end

local function rotated(x, by)
    return left(x, by) + right(x, 32 - by)
end

-- A function that shifts its first argument by the lowest five bits of its second.
local function shifted(operation)
    return function(...)
        local x, by = ...
        local count = select("#", ...)
        x = word(1, x, count)
        return signed(operation(x, word(2, by, count) % 32))
    end
end

bit = {
    tobit = function(...)
        return signed(word(1, (...), select("#", ...)))
    end,

    bnot = function(...)
        return signed(WORD - 1 - word(1, (...), select("#", ...)))
    end,

    band = folded(conjunction),
    bor = folded(disjunction),
    bxor = folded(difference),
    lshift = shifted(left),
    rshift = shifted(right),
    arshift = shifted(function(x, by)
        return floor(signed(x) / 2 ^ by) % WORD
    end),
    rol = shifted(rotated),
    ror = shifted(function(x, by)
        return rotated(x, (32 - by) % 32)
    end),

    bswap = function(...)
        local x = word(1, (...), select("#", ...))
        local a = x % 256
        local b = floor(x / 2 ^ 8) % 256
        local c = floor(x / 2 ^ 16) % 256
        return signed(((a * 256 + b) * 256 + c) * 256 + floor(x / 2 ^ 24))
    end,

    tohex = function(...)
        local x, digits = ...
        local count = select("#", ...)
        x = word(1, x, count)
        digits = count < 2 and 8 or signed(word(2, digits, count))
        local text = format("%04x%04x", floor(x / 2 ^ 16), x % 2 ^ 16)
        if digits < 0 then
            digits, text = -digits, upper(text)
        end
        return digits < 8 and sub(text, 9 - digits) or text
    end,
}
