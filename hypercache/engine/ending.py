"""How the server is asked to end, and who is asked before it does."""

from collections.abc import Awaitable, Callable


class Ending:
    """SHUTDOWN's options, or a signal's.

    ``save`` is True (SAVE), False (NOSAVE) or None: as the settings have it. With ``force`` the
    server ends even if data cannot be saved.
    """

    def __init__(self, save: bool | None = None, force: bool = False) -> None:
        self.save = save
        self.force = force


#: Awaited before the server ends; raises `hypercache.persistence.errors.SaveError`.
LastSave = Callable[[Ending], Awaitable[None]]
