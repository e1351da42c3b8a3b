"""The ordered end: who keeps data saves them a last time, or the server goes on.

Redis: prepareForShutdown and finishShutdown, whose order and answers these are. The saving lies
between the rounds here, so that reads are answered meanwhile, and SHUTDOWN ABORT is heard;
requests that change data wait, and nothing is acknowledged that is not in the file.
"""

from collections.abc import Callable

import trio

from hypercache.engine.ending import CANNOT_SHUT_DOWN, Ending, EndWait, Shutdown
from hypercache.engine.engine import Engine
from hypercache.observability.logs import get_logger
from hypercache.persistence.errors import SaveError
from hypercache.reply import ErrorReply


class OrderedEnd(Shutdown):
    """``ending`` is the one under way; ``requested`` is called when one begins."""

    def __init__(self, engine: Engine, requested: Callable[[], None]) -> None:
        super().__init__()
        self.ending: Ending | None = None
        self._engine = engine
        self._tell = requested
        self._log = get_logger("server")
        self._requested = trio.Event()
        self._saving = trio.CancelScope()
        # Whether the end is to be awaited, and may be aborted: neither before all is loaded, nor
        # once everything is saved.
        self._open = False

    def request(self, ending: Ending) -> bool:
        if self.ending is not None:
            return True
        if ending.save and not (self.saves or self._engine.backend.durable):
            reason = "nothing here can save the data"
            self._log.warning("shutdown_refused", message=reason, reason=reason)
            if not ending.force:
                return False
        self.ending = ending
        self._engine.waits.hold_writes()
        self._requested.set()
        self._tell()
        return True

    def insist(self, ending: Ending) -> None:
        """Begin the end, or have the one under way go on whatever happens."""
        self.request(ending)
        if self.ending is not None:
            self.ending.force = True

    def abort(self) -> bool:
        if self.ending is None or not self._open:
            return False
        self._log.info("shutdown_aborted", message="Shutdown manually aborted.")
        self._go_on()
        return True

    async def wait(self) -> None:
        """Return when the server is to end, and all data are saved that are to be."""
        self._open = True
        while True:
            await self._requested.wait()
            ending = self.ending
            if ending is None:
                continue  # it was aborted before this task came to it
            self._saving = trio.CancelScope()
            with self._saving:
                error = await self._save(ending)
            if ending is not self.ending:
                continue  # aborted
            if not error or ending.force:
                self._open = False
                return
            self._log.error(
                "shutdown_failed",
                message="Errors trying to shut down the server. Check the logs for more"
                " information.",
                error=error,
            )
            self._go_on()

    async def _save(self, ending: Ending) -> str:
        """Ask everybody for the last save; what has gone wrong, in words."""
        self._engine.end_round()
        for save in reversed(self.saves):
            try:
                await save(ending)
            except SaveError as error:
                message = "Error trying to save the DB, can't exit."
                if ending.force:
                    message = "Error trying to save the DB. Exit anyway."
                self._log.error("last_save_failed", message=message, error=str(error))
                if not ending.force:
                    return str(error)
        return ""

    def _go_on(self) -> None:
        """The server does not end: tell who has asked for it, and let writes come again."""
        waits = self._engine.waits
        self.ending = None
        self._requested = trio.Event()
        self._saving.cancel()
        for parked in list(waits.parked.values()):
            if isinstance(parked.wait, EndWait):
                waits.complete(parked, ErrorReply(CANNOT_SHUT_DOWN))
        waits.release_writes()
        self._engine.gates_moved()
