"""LCS: the longest common subsequence of two strings.

Source: Wagner and Fischer, The String-to-String Correction Problem (1974). Where several
subsequences are longest, Redis' choice is made: from the end backwards, the first string
gives way only where that keeps more.
"""

from librt.vecs import append, vec
from mypy_extensions import i32, i64

from hypercache.backend import STRING
from hypercache.commands.arguments import SYNTAX_ERROR, parse_integer
from hypercache.engine.command import command
from hypercache.engine.context import Context
from hypercache.keyspace.keyspace import kind_of
from hypercache.reply import ErrorReply, Reply


class Match:
    """A run of bytes that both strings have, by the places of its first bytes."""

    def __init__(self, first: i64, second: i64) -> None:
        self.first: i64 = first
        self.second: i64 = second
        self.length: i64 = 1

    def extend(self) -> None:
        """The bytes before it match too."""
        self.first -= 1
        self.second -= 1
        self.length += 1

    def places(self, with_length: bool) -> list[object]:
        """How LCS shows it: where it begins and ends in each string."""
        last = self.length - 1
        shown: list[object] = [
            [self.first, self.first + last],
            [self.second, self.second + last],
        ]
        if with_length:
            shown.append(self.length)
        return shown


@command(
    "LCS key1:key key2:key [LEN] [IDX] [MINMATCHLEN min-match-len:integer] [WITHMATCHLEN]",
    group="string",
    since="7.0.0",
    complexity="O(N*M) where N and M are the lengths of the strings",
    flags="readonly",
    keys="RO access",
    summary="Find the longest common subsequence of two strings.",
)
def lcs(context: Context, args: list[bytes]) -> Reply:
    first = text_under(context, args[1])
    second = text_under(context, args[2])
    wants_length = False
    wants_places = False
    with_length = False
    shortest: i64 = 0
    at = 3
    while at < len(args):
        option = args[at].lower()
        if option == b"len":
            wants_length = True
        elif option == b"idx":
            wants_places = True
        elif option == b"withmatchlen":
            with_length = True
        elif option == b"minmatchlen" and at + 1 < len(args):
            at += 1
            shortest = parse_integer(args[at])
        else:
            raise ErrorReply(SYNTAX_ERROR)
        at += 1
    if wants_length and wants_places:
        raise ErrorReply("ERR If you want both the length and indexes, please just use IDX.")
    # The table that Redis would make; ours is no larger.
    if (len(first) + 1) * (len(second) + 1) * 4 > context.engine.max_bulk:
        raise ErrorReply(
            "ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len"
        )
    table = lengths(first, second, not wants_length)
    length = i64(table[len(table) - 1][len(second)])
    if wants_length:
        return length
    matches = find_matches(first, second, table)
    if not wants_places:
        matches.reverse()
        return b"".join([first[each.first : each.first + each.length] for each in matches])
    shown: list[object] = []
    for match in matches:
        if match.length >= shortest:
            shown.append(match.places(with_length))
    return {b"matches": shown, b"len": length}


def text_under(context: Context, key: bytes) -> bytes:
    """The string under a key, empty if there is none."""
    entry = context.db.view_any(key)
    if entry is None:
        return b""
    if kind_of(entry) != STRING:
        raise ErrorReply("ERR The specified keys must contain string values")
    return context.db.text(entry)


def lengths(first: bytes, second: bytes, keep: bool) -> list[vec[i32]]:
    """The table of lengths: row i has that of first[:i] and second[:j] in column j.

    Unless ``keep``, only the last row.
    """
    columns: i64 = len(second)
    row = vec[i32](capacity=columns + 1)
    j: i64 = 0
    while j <= columns:
        row = append(row, 0)
        j += 1
    table = [row]
    rows: i64 = len(first)
    i: i64 = 0
    while i < rows:
        byte: i64 = first[i]
        above = row
        row = vec[i32](capacity=columns + 1)
        longest: i32 = 0
        row = append(row, longest)
        j = 0
        while j < columns:
            if second[j] == byte:
                longest = above[j] + 1
            elif above[j + 1] > longest:
                longest = above[j + 1]
            row = append(row, longest)
            j += 1
        if keep:
            table.append(row)
        else:
            table[0] = row
        i += 1
    return table


def find_matches(first: bytes, second: bytes, table: list[vec[i32]]) -> list[Match]:
    """The runs of the subsequence, the last one first."""
    matches: list[Match] = []
    open_match: Match | None = None
    i: i64 = len(first)
    j: i64 = len(second)
    while i > 0 and j > 0:
        if first[i - 1] == second[j - 1]:
            i -= 1
            j -= 1
            if open_match is None:
                open_match = Match(i, j)
                matches.append(open_match)
            else:
                open_match.extend()
        else:
            open_match = None
            if table[i - 1][j] > table[i][j - 1]:
                i -= 1
            else:
                j -= 1
    return matches
