"""A plugin for HyperCache that tells who writes so much: it counts changes by groups of keys."""

import sys
from collections import Counter
from typing import Final, cast

import attrs
import trio

from hypercache.plugin import (
    OK,
    ChangeObserver,
    Context,
    ErrorReply,
    Plugin,
    PluginHost,
    Reply,
    Touch,
    command,
)

#: The group of what belongs to no other: keys without a separator, groups beyond the limit.
OTHERS: Final = b"(others)"
#: A key may have megabytes; as much of it is kept, in bytes.
LONGEST: Final = 64


@attrs.frozen
class TallySettings:
    #: What ends the group in a key: user:17 and user:18 belong to the group user.
    separator: str = attrs.field(default=":", validator=attrs.validators.min_len(1))
    #: How many groups are counted; changes of all others count together.
    groups: int = attrs.field(default=1000, validator=attrs.validators.ge(1))
    #: Seconds between two reports in the log; 0 for none.
    report: float = attrs.field(default=0.0, validator=attrs.validators.ge(0))


class Counts(ChangeObserver):
    """Changes of keys since the start, or the last reset."""

    def __init__(self, separator: bytes, limit: int) -> None:
        self.separator = separator
        self.limit = limit
        self.changes = 0
        self.groups: Counter[bytes] = Counter()

    def changed(self, touches: list[Touch]) -> None:
        for touch in touches:
            if touch.key is not None:  # it is None where a whole database was emptied
                self.changes += 1
                self.groups[self.group_of(touch.key)] += 1

    def group_of(self, key: bytes) -> bytes:
        """The group in which to count a key."""
        group, separator, _ = key.partition(self.separator)
        if not separator:
            return OTHERS
        group = group[:LONGEST]
        return group if group in self.groups or len(self.groups) < self.limit else OTHERS

    def reset(self) -> None:
        """Begin anew."""
        self.changes = 0
        self.groups.clear()


class Tally(Plugin):
    """Counts changes by the first part of their keys: TALLY.TOP tells who writes so much."""

    settings_type = TallySettings
    settings: TallySettings

    async def run(self, host: PluginHost, task_status: trio.TaskStatus[None]) -> None:
        counts = Counts(self.settings.separator.encode(), self.settings.groups)
        host.add_observer(counts)
        host.share(counts)
        host.add_commands(sys.modules[__name__])
        host.add_information(
            "tally",
            lambda: {"tally_changes": counts.changes, "tally_groups": len(counts.groups)},
        )
        task_status.started()
        while True:
            await trio.sleep(self.settings.report or float("inf"))
            top = {group.decode("utf-8", "replace"): n for group, n in counts.groups.most_common(5)}
            host.log.info("tally", changes=counts.changes, top=top)


@command(
    "TALLY.TOP [count]",
    group="module",
    since="1.0.0",
    complexity="O(N*log(N)) with N the number of groups",
    flags="readonly",
    summary="The groups of keys that change most, with their numbers of changes.",
)
def top(context: Context, args: list[bytes]) -> Reply:
    counts = cast(Counts, context.engine.shared["tally"])
    if len(args) > 1 and not (args[1].isdigit() and len(args[1]) < 10):
        return ErrorReply("ERR value is out of range, must be positive")
    return dict(counts.groups.most_common(int(args[1]) if len(args) > 1 else 10))


@command(
    "TALLY.RESET",
    group="module",
    since="1.0.0",
    complexity="O(N) with N the number of groups",
    flags="fast",
    summary="Count from zero again.",
)
def reset(context: Context, args: list[bytes]) -> Reply:
    cast(Counts, context.engine.shared["tally"]).reset()
    return OK
