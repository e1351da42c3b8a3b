# mypyc: interpreted
"""SAVE, BGSAVE and LASTSAVE."""

from typing import TYPE_CHECKING, Final

from hypercache.plugin import Context, ErrorReply, Reply, Wait, command
from hypercache.reply import OK
from hypercache_snapshot.saver import Run, Saver

if TYPE_CHECKING:
    from hypercache.engine.engine import Engine

_UNDER_WAY: Final = "ERR Background save already in progress"
_OTHER_UNDER_WAY: Final = (
    "ERR Another child process is active (AOF?): can't BGSAVE right now. Use BGSAVE SCHEDULE in "
    "order to schedule a BGSAVE whenever possible."
)


class SaveWait(Wait):
    """Until a save is over."""

    def __init__(self, run: Run) -> None:
        super().__init__(0, on_gates=True)
        self.run = run

    def is_over(self, engine: "Engine") -> bool:
        return self.run.over

    def reply(self, engine: "Engine") -> object:
        return OK if self.run.succeeded else ErrorReply("ERR")


def saver_of(context: Context) -> Saver:
    """What the plugin shares with its commands."""
    saver = context.engine.shared["snapshot"]
    assert isinstance(saver, Saver)
    return saver


@command(
    "SAVE",
    group="server",
    since="1.0.0",
    complexity="O(N) where N is the total number of keys in all databases",
    flags="admin noscript no_async_loading no_multi",
    summary="Write a snapshot of all databases, and answer once it is on the disk.",
)
def save(context: Context, args: list[bytes]) -> Reply:
    """Only its own client waits: others are served."""
    saver = saver_of(context)
    if saver.current is not None:
        raise ErrorReply(_UNDER_WAY)
    return SaveWait(saver.begin(in_background=False))


@command(
    "BGSAVE [SCHEDULE]",
    group="server",
    since="1.0.0",
    complexity="O(1)",
    flags="admin noscript no_async_loading",
    history=(("3.2.2", "Added the `SCHEDULE` option."),),
    summary="Write a snapshot of all databases while clients are served.",
)
def bgsave(context: Context, args: list[bytes]) -> Reply:
    schedule = False
    if len(args) > 1:
        if len(args) > 2 or args[1].lower() != b"schedule":
            raise ErrorReply("ERR syntax error")
        schedule = True
    saver = saver_of(context)
    if saver.current is not None:
        raise ErrorReply(_UNDER_WAY)
    if context.in_exec or context.engine.capture is not None:
        if not (schedule or context.in_exec):
            raise ErrorReply(_OTHER_UNDER_WAY)
        saver.scheduled = True
        return "Background saving scheduled"
    saver.begin(in_background=True)
    return "Background saving started"


@command(
    "LASTSAVE",
    group="server",
    since="1.0.0",
    complexity="O(1)",
    flags="loading stale fast",
    categories="admin dangerous",
    tips="nondeterministic_output",
    summary="Return when the last snapshot was complete, in Unix seconds.",
)
def lastsave(context: Context, args: list[bytes]) -> Reply:
    return saver_of(context).saved_at
