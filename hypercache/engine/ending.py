"""How the server is asked to end, and who is asked before it does."""

from collections.abc import Awaitable, Callable
from typing import Final

from mypy_extensions import mypyc_attr

from hypercache.engine.waiting import Wait
from hypercache.reply import NO_REPLY

#: What those are told who have asked for the end, when it does not come.
CANNOT_SHUT_DOWN: Final = "ERR Errors trying to SHUTDOWN. Check logs."


class Ending:
    """SHUTDOWN's options, or a signal's.

    ``save`` is True (SAVE), False (NOSAVE) or None: as the settings have it. With ``force`` the
    server ends even if data cannot be saved.
    """

    def __init__(self, save: bool | None = None, force: bool = False) -> None:
        self.save = save
        self.force = force


class EndWait(Wait):
    """Until the server has ended: then there is no reply any more."""

    def __init__(self) -> None:
        super().__init__(0)

    def is_over(self, engine: object) -> bool:
        return False

    def reply(self, engine: object) -> object:
        return NO_REPLY


#: Awaited before the server ends; raises `hypercache.persistence.errors.SaveError`.
LastSave = Callable[[Ending], Awaitable[None]]


@mypyc_attr(allow_interpreted_subclasses=True)
class Shutdown:
    """What an engine without a server answers: it has nothing to end.

    ``saves`` are awaited in the reverse of their order: the last saves first, as the last stops
    first.
    """

    def __init__(self) -> None:
        self.saves: list[LastSave] = []

    def request(self, ending: Ending) -> bool:
        """Begin the ordered end, unless one is under way; False where there is none to begin."""
        return False

    def abort(self) -> bool:
        """Go on after all; False where no end is under way, or it is too late."""
        return False
