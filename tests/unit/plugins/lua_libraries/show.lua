-- Writes values down so that two Lua machines can be compared: what a call returns, or raises.

local function quoted(text)
    return '"' .. (text:gsub('[^ !#-%[%]-~]', function(letter)
        return ("\\%03d"):format(letter:byte())
    end)) .. '"'
end

local function show(value, depth)
    if type(value) == "string" then
        return quoted(value)
    elseif type(value) == "number" then
        return ("%.17g"):format(value)
    elseif type(value) ~= "table" then
        return (tostring(value):gsub("function.*", "function"))
    elseif depth > 20 then
        return "..."
    end
    local parts = {}
    for key, each in pairs(value) do
        parts[#parts + 1] = "[" .. show(key, depth + 1) .. "]=" .. show(each, depth + 1)
    end
    table.sort(parts)
    return "{" .. table.concat(parts, ", ") .. "}"
end

local function collect(...)
    return { n = select("#", ...), ... }
end

local function render(succeeded, results)
    if not succeeded then
        return "error: " .. tostring(results):gsub("\n", "\\n")
    end
    local parts = {}
    for index = 1, results.n do
        parts[index] = show(results[index], 0)
    end
    return table.concat(parts, " ")
end
