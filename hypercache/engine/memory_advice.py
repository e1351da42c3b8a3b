# mypyc: interpreted
"""What an operator is told of memory: sentences for the log."""

from typing import TYPE_CHECKING, Final

from hypercache.engine.usage import human

if TYPE_CHECKING:
    from hypercache.engine.pressure import PressureChange

_EVICTING: Final = "Keys are evicted at the limit."
_REFUSING: Final = (
    "Nothing may be evicted: commands that may grow the data are refused at the limit. Delete "
    "keys, raise the limit, or choose a policy that evicts."
)
#: What to do about the process, by what its limit stands for.
_PROCESS: Final = {
    "maxmemory-rss": (
        "At its panic level the data may grow no further. Lower maxmemory, or raise maxmemory-rss."
    ),
    "container": (
        "At the container's limit the system ends the process. Lower maxmemory, set maxmemory-rss, "
        "or give the container more."
    ),
    "maxmemory": "That is more than its data explain: MEMORY DOCTOR tells of what it may be.",
}


def too_large(maximum: int, container: int) -> str:
    """What it means that maxmemory is more than the container may take."""
    return (
        f"The container may take {human(container)}, less than maxmemory ({human(maximum)}): the "
        "system ends the process before anything is evicted or refused. Lower maxmemory."
    )


def advice(change: "PressureChange", basis: str) -> str:
    """What a change of a level means, and what to do."""
    if change.source == "process":
        what = "The process takes"
    elif change.source == "store":
        what = f"The store {change.store!r} takes"
    else:
        what = "The data take"
    text = f"{what} {human(change.used)}"
    if change.limit:
        text += f", {100 * change.used / change.limit:.1f}% of {human(change.limit)}"
    text += f": {change.level}."
    if not change.is_rise():
        return text
    if change.source == "process":
        return f"{text} {_PROCESS[basis]}"
    return f"{text} {_EVICTING if change.evicts else _REFUSING}"
