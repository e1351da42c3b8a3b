"""What is played: units of requests, each made from a tape of choices.

Most units are one call of a data command. Calls that might wait for others are wrapped into a
transaction, where they do not. Some units are whole transactions, fill a key with many
elements (so that it changes its encoding), or change the database.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from hypercache.engine.command import BLOCKING, Command
from hypercache.engine.grammar import Argument
from hypercache.testing.calls import Calls, Tape
from tests.machine.vocabulary import KEYS, LONG, TIMES, words_for

Request: TypeAlias = tuple[bytes, ...]
Unit: TypeAlias = tuple[Request, ...]

#: Bytes of choices that a unit reads at most; beyond them, it repeats the first choice.
TAPE_BYTES: Final = 56

SCANS: Final = (b"SCAN", b"HSCAN", b"SSCAN", b"ZSCAN")
#: Commands that answer by chance, and the request that tells what they may choose from.
CHOOSERS: Final[dict[bytes, Request]] = {
    b"SRANDMEMBER": (b"SMEMBERS",),
    b"HRANDFIELD": (b"HGETALL",),
    b"ZRANDMEMBER": (b"ZRANGE", b"0", b"-1", b"WITHSCORES"),
    b"RANDOMKEY": (b"KEYS", b"*"),
}

MULTI: Final[Request] = (b"MULTI",)
EXEC: Final[Request] = (b"EXEC",)

#: Data commands that are never sent, and why not.
LEFT_OUT: Final[dict[bytes, str]] = {
    b"migrate": "connects to whatever the arguments name",
    b"pfselftest": "takes seconds",
}

#: Something under the keys: a sequence begins with it, for most commands need a key.
FURNITURE: Final[tuple[Unit, ...]] = (
    ((b"MSET", b"str:1", b"10", b"str:2", b"hello", b"str:3", b"3.5"),),
    ((b"DEL", b"hash:1"), (b"HSET", b"hash:1", b"f1", b"1", b"f2", b"two", b"f3", b"3.5")),
    (
        (b"DEL", b"hash:2"),
        (b"HSET", b"hash:2", b"f1", b"b", b"", b"empty"),
        (b"PEXPIREAT", b"hash:2", b"4102444800000"),
    ),
    ((b"DEL", b"list:1"), (b"RPUSH", b"list:1", b"3", b"1", b"2", b"1")),
    ((b"DEL", b"list:2"), (b"RPUSH", b"list:2", b"a", b"hello", b"b", b"a", b"")),
    ((b"DEL", b"set:1"), (b"SADD", b"set:1", b"1", b"2", b"3")),
    ((b"DEL", b"set:2"), (b"SADD", b"set:2", b"a", b"b", b"3")),
    ((b"DEL", b"zset:1"), (b"ZADD", b"zset:1", b"1", b"a", b"2", b"b", b"2", b"c", b"-1.5", b"d")),
    ((b"DEL", b"zset:2"), (b"ZADD", b"zset:2", b"0", b"a", b"0", b"b", b"0", b"c")),
    (
        (b"DEL", b"geo:1"),
        (b"GEOADD", b"geo:1", b"13.361389", b"38.115556", b"Palermo")
        + (b"15.087269", b"37.502669", b"Catania", b"-77.03", b"-12.04", b"Lima"),
    ),
    (
        (b"DEL", b"geo:2"),
        (b"GEOADD", b"geo:2", b"10.75", b"59.91", b"Oslo", b"-78.47", b"-0.18", b"Quito"),
    ),
    (
        (b"DEL", b"stream:1"),
        (b"XADD", b"stream:1", b"1-1", b"f1", b"a"),
        (b"XADD", b"stream:1", b"2-0", b"f1", b"b", b"f2", b"c"),
        (b"XGROUP", b"CREATE", b"stream:1", b"g1", b"0"),
        (b"XREADGROUP", b"GROUP", b"g1", b"c1", b"COUNT", b"1", b"STREAMS", b"stream:1", b">"),
    ),
    (
        (b"DEL", b"stream:2"),
        (b"XGROUP", b"CREATE", b"stream:2", b"g2", b"$", b"MKSTREAM"),
        (b"XADD", b"stream:2", b"1-1", b"f1", b"a"),
        (b"XADD", b"stream:2", b"1-2", b"f1", b"b"),
        (b"XREADGROUP", b"GROUP", b"g2", b"c2", b"STREAMS", b"stream:2", b">"),
    ),
    ((b"DEL", b"bits:1"), (b"SETBIT", b"bits:1", b"7", b"1")),
    ((b"DEL", b"bits:2"), (b"SETBIT", b"bits:2", b"100", b"1")),
    ((b"SET", b"str:2", b"hello", b"EX", b"100000"),),
    ((b"DEL", b"hll:1"), (b"PFADD", b"hll:1", b"a", b"b", b"c")),
    ((b"DEL", b"hll:2"), (b"PFADD", b"hll:2", b"c", b"d")),
)


def _numbered(*before: bytes, count: int, item: tuple[bytes, ...]) -> Request:
    """A request with many arguments: ``item`` again and again, %d being its number."""
    return before + tuple(word.replace(b"%d", b"%d" % n) for n in range(count) for word in item)


#: Units that take a key beyond the sizes at which encodings change.
LARGE: Final[tuple[Unit, ...]] = (
    (_numbered(b"RPUSH", b"list:3", count=200, item=(b"%d", b"element %d")),),
    (_numbered(b"HSET", b"hash:3", count=140, item=(b"f%d", b"%d")),),
    (_numbered(b"HSET", b"hash:3", count=520, item=(b"f%d", b"value %d")),),
    (_numbered(b"SADD", b"set:3", count=140, item=(b"member %d",)),),
    (_numbered(b"SADD", b"set:3", count=520, item=(b"%d",)),),
    (_numbered(b"ZADD", b"zset:3", count=140, item=(b"%d", b"member %d")),),
    (_numbered(b"GEOADD", b"geo:2", count=60, item=(b"%d.5", b"%d.25", b"place %d")),),
    (_numbered(b"PFADD", b"hll:3", count=400, item=(b"element %d",)),),
    tuple((b"XADD", b"stream:2", b"8-%d" % n, b"f1", b"%d" % n) for n in range(120)),
    ((b"SETRANGE", b"str:3", b"20000", LONG),),
    ((b"SETBIT", b"bits:3", b"100000", b"1"),),
)
_SWITCHES: Final[tuple[Unit, ...]] = (
    ((b"SELECT", b"1"),),
    ((b"SELECT", b"0"),),
    ((b"SELECT", b"0"),),
    ((b"SWAPDB", b"0", b"1"),),
    ((b"FLUSHDB",),),
    ((b"DBSIZE",),),
    ((b"EXEC",),),
    ((b"NOSUCH", b"str:1"),),
)


def needs_both(request: Request) -> bool:
    """Whether a server's reply decides what the other is asked: SPOP, DUMP, XADD with ``*``."""
    name = request[0].upper()
    return name in (b"SPOP", b"DUMP") or (name == b"XADD" and b"*" in request)


@dataclass(frozen=True)
class Limits:
    """What must not be sent, by command: all of ``commands``, some ``words``, longer calls."""

    commands: frozenset[bytes] = frozenset()
    words: Mapping[bytes, set[bytes]] = field(default_factory=dict)
    lengths: Mapping[bytes, int] = field(default_factory=dict)

    def allow(self, name: bytes, words: list[bytes]) -> bool:
        """Whether a call may be sent, whose words are in upper case."""
        longest = self.lengths.get(name, len(words))
        return len(words) <= longest and self.words.get(name, set()).isdisjoint(words)


class Script:
    """Makes units of the commands that the limits leave."""

    def __init__(self, commands: Iterable[Command], limits: Limits) -> None:
        self.commands = [
            each for each in commands if is_exercised(each) and each.name not in limits.commands
        ]
        self._limits = limits
        self.calls = [Calls(each, words_for(each)) for each in self.commands]
        streams = [each for each in self.calls if each.command.declaration.group == "stream"]
        self._calls = self.calls + streams
        names = {each.name.partition(b"|")[0].upper() for each in self.commands}
        self.furniture = [
            unit for unit in FURNITURE if all(request[0] in names for request in unit)
        ]
        self._large = [unit for unit in LARGE if unit[0][0] in names]

    def unit(self, tape: Tape) -> Unit:
        """One unit; the first choices give the simplest."""
        kind = tape.below(16)
        if kind == 12:
            return tape.pick(self.furniture)
        if kind == 13 and tape.below(4) == 3:
            return tape.pick(self._large)
        if kind == 14 and tape.below(4) == 3:
            return tape.pick(_SWITCHES)
        if kind == 15:
            return self._transaction(tape)
        return self._call(tape)

    def _transaction(self, tape: Tape) -> Unit:
        """Some calls in a transaction, but for those whose replies are of chance."""
        calls = [each for _ in range(1 + tape.below(3)) for each in self._call(tape)]
        return (MULTI, *(each for each in calls if each != EXEC and not _is_chancy(each)), EXEC)

    def _call(self, tape: Tape) -> Unit:
        """A call of some command."""
        return self.call(tape.pick(self._calls), tape)

    def call(self, calls: Calls, tape: Tape) -> Unit:
        """A call of a command, with what it needs before and after; empty if it will not do."""
        request = tuple(calls.draw(tape))
        words = [word.upper() for word in request]
        if not self._limits.allow(calls.command.name, words) or _is_arbitrary(words):
            return ()
        request += _whole(words)
        if _is_lexical(words):
            return (*_LEXICON, _of_lexicon(request))
        if words[0].startswith(b"SORT"):
            return _of_copy(request)
        return (MULTI, request, EXEC) if _may_wait(calls.command, request) else (request,)


def _is_chancy(request: Request) -> bool:
    """Whether its reply depends on chance or on the other server; MULTI starts another one."""
    name = request[0].upper()
    return request == MULTI or name in CHOOSERS or needs_both(request)


def _is_arbitrary(words: list[bytes]) -> bool:
    """Whether servers may differ: for a cursor that nobody gave, and where a millisecond counts.

    The third case is SORT that takes some of several elements in no certain order: those of a
    set, unsorted, and such as have equal weights as texts.
    """
    if words[0] in (b"EXPIRE", b"PEXPIRE") and len(words) > 2 and words[2] in TIMES:
        return b"GT" in words or b"LT" in words
    if words[0] in SCANS:
        return b"".join(words[1 if words[0] == b"SCAN" else 2 :][:1]) not in (b"0", b"", b"X")
    if not words[0].startswith(b"SORT") or b"BY" not in words:
        return False
    pattern = b"".join(words[words.index(b"BY") + 1 :][:1])
    unsorted = b"*" not in pattern or b"ALPHA" in words
    return unsorted and (b"LIMIT" in words or b"STORE" in words)


def _whole(words: list[bytes]) -> tuple[bytes, ...]:
    """What makes a scan one of everything: how many steps it takes is each server's own affair."""
    return (b"COUNT", b"1000") if words[0] in SCANS and b"COUNT" not in words else ()


#: Members of one score: only among them ranges by name are certain.
_LEXICON: Final[Unit] = (
    (b"DEL", b"lexicon"),
    (
        b"ZADD",
        b"lexicon",
        *(word for name in (b"a", b"b", b"c", b"d", b"") for word in (b"0", name)),
    ),
)


def _is_lexical(words: list[bytes]) -> bool:
    """Whether it asks for a range by name."""
    by_name = words[0].startswith(b"Z") and words[0].endswith((b"BYLEX", b"LEXCOUNT"))
    return by_name or (words[0].startswith(b"ZRANGE") and b"BYLEX" in words)


def _of_lexicon(request: Request) -> Request:
    """The same request of the key whose members have one score."""
    place = 2 if request[0].upper() == b"ZRANGESTORE" else 1
    return (*request[:place], b"lexicon", *request[place + 1 :])


def _of_copy(request: Request) -> Unit:
    """A SORT of a copy: Redis leaves a sorted set that was sorted in another encoding."""
    copy = b"to sort"
    before = ((b"DEL", copy), (b"COPY", *request[1:2], copy))
    return (*before, (*request[:1], copy, *request[2:]), (b"DEL", copy))


def _may_wait(command: Command, request: Request) -> bool:
    """Whether a call may wait for other clients; XREAD does so only where it is asked to."""
    if not command.flags & BLOCKING:
        return False
    return command.declaration.group != "stream" or b"BLOCK" in map(bytes.upper, request)


def is_exercised(command: Command) -> bool:
    """Whether it is a data command of ours; containers and their help texts are not."""
    declaration = command.declaration
    is_data = declaration.group in KEYS and command.subcommands is None
    return is_data and declaration.words[1:] != ["help"] and command.name not in LEFT_OUT


def tokens(arguments: Iterable[Argument]) -> set[bytes]:
    """All literal words of some arguments."""
    found: set[bytes] = set()
    for each in arguments:
        if each.token is not None:
            found.add(each.token.encode())
        found |= tokens(each.arguments)
    return found
