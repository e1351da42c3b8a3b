# mypyc: interpreted
"""KEYSTATS: which keys are asked for most, and which are largest, without looking at all keys.

A container of our own. Redis has no such report on the server's side.
"""

from typing import Final

from hypercache.commands.arguments import SYNTAX_ERROR
from hypercache.engine.command import command
from hypercache.engine.context import Context
from hypercache.keyspace import numbers
from hypercache.reply import OK, ErrorReply, Reply

_NO_SAMPLES: Final = (
    "ERR Hot keys are not counted. CONFIG SET hot-keys-sampling 100 looks at one of 100 commands."
)
_NOT_TRACKED: Final = (
    "ERR Big keys are not tracked. CONFIG SET big-keys-tracked 20 knows the 20 largest."
)
_TEN: Final = 10


@command(
    "KEYSTATS HOT [COUNT count:integer]",
    container="KEYSTATS",
    group="server",
    since="0.1.0",
    complexity="O(1), for the number of keys counted is bounded",
    flags="admin noscript loading stale",
    tips="nondeterministic_output",
    summary="Return the keys asked for most in the last minutes, ten unless told otherwise.",
)
def keystats_hot(context: Context, args: list[bytes]) -> Reply:
    """Of each: database, key, percent of the sampled accesses, estimated accesses a second."""
    hot = context.engine.observation.hot
    count = count_of(args)
    if hot.sampling == 0:
        raise ErrorReply(_NO_SAMPLES)
    return [
        {
            b"db": key.place[0],
            b"key": key.place[1],
            b"share": round(key.share, 2),
            b"rate": round(key.rate, 2),
        }
        for key in hot.hottest(count)
    ]


@command(
    "KEYSTATS BIG [COUNT count:integer]",
    container="KEYSTATS",
    group="server",
    since="0.1.0",
    complexity="O(N) where N is the setting big-keys-tracked",
    flags="admin noscript stale",
    tips="nondeterministic_output",
    summary="Return the keys that take most memory, ten unless told otherwise.",
)
def keystats_big(context: Context, args: list[bytes]) -> Reply:
    """Of each: database, key, bytes with all bookkeeping."""
    big = context.engine.observation.big
    count = count_of(args)
    if big.tracked == 0:
        raise ErrorReply(_NOT_TRACKED)
    return [
        {b"db": place[0], b"key": place[1], b"bytes": size} for place, size in big.largest(count)
    ]


def count_of(args: list[bytes]) -> int:
    """How many keys are asked for."""
    if len(args) == 2:
        return _TEN
    if len(args) != 4 or args[2].lower() != b"count":
        raise ErrorReply(SYNTAX_ERROR)
    count = numbers.parse_integer(args[3])
    if count is None or count < 1:
        raise ErrorReply("ERR count should be greater than 0")
    return count


@command(
    "KEYSTATS RESET",
    container="KEYSTATS",
    group="server",
    since="0.1.0",
    complexity="O(1)",
    flags="admin noscript loading stale",
    summary="Count hot keys anew, and look for the big ones anew.",
)
def keystats_reset(context: Context, args: list[bytes]) -> Reply:
    observation = context.engine.observation
    observation.hot.reset()
    observation.big.restart()
    return OK
