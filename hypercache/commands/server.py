# mypyc: interpreted
"""The server as a whole: its time, its role, its end, and its name in large letters."""

from typing import Final

from hypercache.commands.arguments import SYNTAX_ERROR, parse_integer
from hypercache.engine.command import command
from hypercache.engine.context import Context
from hypercache.engine.ending import CANNOT_SHUT_DOWN, Ending, EndWait
from hypercache.engine.information import REDIS_VERSION
from hypercache.reply import OK, ErrorReply, Reply, Verbatim

# LOLWUT: a tesseract seen along a diagonal, and stars around it.
_TESSERACT: Final = """\
        +-------------------+
       /|                  /|
      / |     +-------+   / |
     +-------/-------/|--+  |
     |  |   +-------+ |  |  |
     |  |   | |     | |  |  |
     |  |   | +-----|-+  |  |
     |  |   |/      |/   |  |
     |  +---+-------+----|--+
     | /                 | /
     |/                  |/
     +-------------------+
"""
_SKY: Final = ".     *   '      "


@command(
    "TIME",
    group="server",
    since="2.6.0",
    complexity="O(1)",
    flags="loading stale fast",
    tips="nondeterministic_output",
    summary="Return the server's time: Unix seconds, and microseconds in that second.",
)
def time(context: Context, args: list[bytes]) -> Reply:
    # It stands still inside EXEC and scripts.
    now = context.db.changes.now * 1000 if context.in_exec else context.engine.time
    return [b"%d" % (now // 1_000_000), b"%d" % (now % 1_000_000)]


@command(
    "ROLE",
    group="server",
    since="2.8.12",
    complexity="O(1)",
    flags="noscript loading stale fast",
    categories="admin dangerous",
    summary="Return this server's part in replication: a primary, its offset, its replicas.",
)
def role(context: Context, args: list[bytes]) -> Reply:
    return [b"master", context.engine.journal.offset, []]


@command(
    "LOLWUT [VERSION version:integer]",
    group="server",
    since="5.0.0",
    flags="readonly fast",
    summary="Show a picture and the version.",
)
def lolwut(context: Context, args: list[bytes]) -> Reply:
    """Every time the stars stand elsewhere."""
    if len(args) >= 3 and args[1].lower() == b"version":
        parse_integer(args[2])
    chance = context.engine.chance
    picture = ""
    for line in _TESSERACT.splitlines():
        for mark in line.ljust(30):
            picture += _SKY[chance.below(len(_SKY))] if mark == " " else mark
        picture = picture.rstrip() + "\n"
    return Verbatim(f"{picture}\nRedis ver. {REDIS_VERSION}\n".encode())


@command(
    "SHUTDOWN [save-selector=(NOSAVE | SAVE)] [NOW] [FORCE] [ABORT]",
    group="server",
    since="1.0.0",
    complexity=(
        "O(N) when saving, where N is the total number of keys in all databases when saving "
        "data, otherwise O(1)"
    ),
    flags="admin noscript loading stale no_multi allow_busy",
    history=(("7.0.0", "Added the `NOW`, `FORCE` and `ABORT` modifiers."),),
    summary="Stop the server once data are saved and replies have left.",
)
def shutdown(context: Context, args: list[bytes]) -> Reply:
    """No reply when it succeeds: until then its client waits."""
    options = {each.lower() for each in args[1:]}
    if options - {b"nosave", b"save", b"now", b"force", b"abort"}:
        raise ErrorReply(SYNTAX_ERROR)
    if b"save" in options and b"nosave" in options:
        raise ErrorReply(SYNTAX_ERROR)
    engine = context.engine
    if b"abort" in options:
        if len(options) > 1:
            raise ErrorReply(SYNTAX_ERROR)
        if not engine.shutdown.abort():
            raise ErrorReply("ERR No shutdown in progress.")
        return OK
    if engine.scripts.is_busy and b"nosave" not in options:
        raise ErrorReply(engine.scripts.busy_text())
    save = None
    if options & {b"save", b"nosave"}:
        save = b"save" in options
    if not engine.shutdown.request(Ending(save, b"force" in options)):
        raise ErrorReply(CANNOT_SHUT_DOWN)
    engine.scripts.abandon()
    return EndWait()
