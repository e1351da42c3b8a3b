# mypyc: interpreted
"""A capture becomes a file: in steps between the rounds, written by a thread, put in place whole.

`Saving` is the way while clients are served, `save_now` the one for tools and for commands that
may block. Both write to a temporary file in the target's folder, which takes the target's
place once it is on the disk: a file under the target's own name is always whole. What a killed
process has left is removed by `remove_leftovers`.
"""

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import trio

from hypercache.backend_tools import Progress, unheard
from hypercache.engine.units import attempt
from hypercache.persistence.capture import Capture
from hypercache.persistence.encoder import Encoder
from hypercache.persistence.errors import SaveError
from hypercache.persistence.file_system import FileSystem

#: What the name of a file that is being written ends with.
TEMPORARY: Final = ".saving"
# Microseconds of a step: as long as what the others did since the last one, within bounds.
LEAST_STEP: Final = 500
MOST_STEP: Final = 3_000
# Bytes that the encoder gathers before they go to the thread, and that may wait there.
CHUNK: Final = 256 << 10
QUEUE: Final = 4 << 20
# Bytes after which the thread has the disk take what was written: at the end little is left.
SYNC_EVERY: Final = 4 << 20


class Saved:
    """A file that is in its place: its size in bytes, and how long it took in seconds."""

    def __init__(self, path: Path, size: int, seconds: float) -> None:
        self.path = path
        self.size = size
        self.seconds = seconds


def temporary(path: Path) -> Path:
    """The name that a file has while it is written."""
    return path.with_name(path.name + TEMPORARY)


def remove_leftovers(folder: Path, pattern: str, file_system: FileSystem) -> list[Path]:
    """Remove what was never finished of files with such names (a glob); what that was.

    Only to be called while nobody saves there: at the start. Raises OSError.
    """
    leftovers = sorted(folder.glob(pattern + TEMPORARY))
    for path in leftovers:
        file_system.remove(path)
    return leftovers


class _File:
    """The temporary file. Every method blocks and raises OSError, or what `finish` raises."""

    def __init__(self, path: Path, encoder: Encoder, file_system: FileSystem) -> None:
        self.path = path
        self.size = 0
        self._encoder = encoder
        self._files = file_system
        self._descriptor = -1
        self._synced = 0

    def create(self) -> None:
        self._descriptor = self._files.create(temporary(self.path))

    def write(self, chunk: bytes) -> None:
        self._put(self._encoder.finish(chunk))
        if self.size - self._synced >= SYNC_EVERY:
            self._files.sync(self._descriptor)
            self._synced = self.size

    def _put(self, data: bytes) -> None:
        self._files.write_all(self._descriptor, data)
        self.size += len(data)

    def complete(self) -> None:
        """Everything was written: put the file in its place."""
        self._put(self._encoder.trailer())
        self._files.sync(self._descriptor)
        self._close()
        self._files.rename(temporary(self.path), self.path)

    def abandon(self) -> None:
        """Leave nothing behind. Where the disk does not even do that, the next start will."""
        with suppress(OSError):
            self._close()
        with suppress(OSError):
            self._files.remove(temporary(self.path))

    def _close(self) -> None:
        descriptor = self._descriptor
        self._descriptor = -1
        if descriptor >= 0:
            self._files.close(descriptor)


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Name the file in whatever goes wrong."""
    try:
        yield
    except SaveError:
        raise
    except OSError as error:
        reason = error.strerror or str(error)
        raise SaveError(
            f"{path} could not be written: {reason}; look at the disk's room and the folder's"
            " permissions, then save again"
        ) from error
    except Exception as error:
        raise SaveError(f"{path} could not be written: {type(error).__name__}: {error}") from error


def save_now(
    capture: Capture,
    path: Path,
    file_system: FileSystem,
    progress: Progress = unheard,
) -> Saved:
    """Save a capture while nobody is served; closes it in the end. Raises `SaveError`."""
    clock = capture.engine.clock
    began = int(clock.microseconds())
    file = _File(path, capture.encoder, file_system)
    try:
        with _told(path):
            file.create()
            more = True
            while more:
                more = capture.step(10 * MOST_STEP)
                for chunk in capture.encoder.take():
                    file.write(chunk)
                progress("keys", capture.keys_done, capture.keys_total)
            file.complete()
    except BaseException:
        file.abandon()
        raise
    finally:
        capture.close()
    return Saved(path, file.size, (int(clock.microseconds()) - began) / 1e6)


class _Writer:
    """The thread: it ends with the file in its place, or with what went wrong in ``error``."""

    def __init__(self, file: _File) -> None:
        self.error: Exception | None = None
        self._file = file
        self._chunks: deque[bytes | None] = deque()
        self._handed = threading.Semaphore(0)
        self._abandoned = False
        self._waiting = 0  # bytes handed over and not written yet
        self._moved = trio.Event()
        self._ended = trio.Event()
        self._token = trio.lowlevel.current_trio_token()
        trio.lowlevel.start_thread_soon(self._run, self._report)

    def hand(self, chunk: bytes) -> None:
        """Have a chunk written."""
        self._waiting += len(chunk)
        self._put(chunk)

    def _put(self, chunk: bytes | None) -> None:
        self._chunks.append(chunk)
        self._handed.release()

    async def drain(self) -> None:
        """Wait until more may be handed over, or nothing more makes sense."""
        while self._waiting > QUEUE and not self._ended.is_set():
            self._moved = trio.Event()
            await self._moved.wait()

    async def end(self, abandon: bool) -> None:
        """Wait until the file is in its place, or with ``abandon`` until the thread lets it go."""
        self._abandoned = abandon
        self._put(None)
        with trio.CancelScope(shield=True):
            await self._ended.wait()

    def _written(self, size: int) -> None:
        self._waiting -= size
        self._moved.set()

    def _run(self) -> None:
        self.error = attempt(self._work)

    def _report(self, _: object) -> None:
        self._token.run_sync_soon(self._end)

    def _end(self) -> None:
        self._ended.set()
        self._moved.set()

    def _work(self) -> None:
        self._file.create()
        while True:
            self._handed.acquire()
            if self._abandoned:
                return
            chunk = self._chunks.popleft()
            if chunk is None:
                self._file.complete()
                return
            self._file.write(chunk)
            self._token.run_sync_soon(self._written, len(chunk))


class Saving:
    """A capture on its way into a file. ``size`` is what was written so far, in bytes.

    ``capture.keys_done`` of ``capture.keys_total`` are encoded.
    """

    def __init__(self, capture: Capture, path: Path, file_system: FileSystem) -> None:
        self.capture = capture
        self.path = path
        self._file_system = file_system
        self._file = _File(path, capture.encoder, file_system)
        self._began = trio.current_time()

    @property
    def size(self) -> int:
        return self._file.size

    def seconds(self) -> float:
        """How long it has taken so far."""
        return trio.current_time() - self._began

    def seconds_left(self) -> float:
        """How long it will take, judging by the keys so far; 0 as long as there are none."""
        done = int(self.capture.keys_done)
        left = max(int(self.capture.keys_total) - done, 0)
        return self.seconds() * left / done if done else 0.0

    async def run(self) -> Saved:
        """Save, once; the capture is closed in the end. Raises `SaveError`.

        When it is cancelled or fails, the temporary file is removed, and the target as it was
        (or whole and new, if only the folder could not be synced).
        """
        writer = _Writer(self._file)
        try:
            with _told(self.path):
                await self._walk(writer)
                await writer.end(abandon=False)
                if writer.error is not None:
                    raise writer.error
        except BaseException:
            await writer.end(abandon=True)
            with trio.CancelScope(shield=True):
                await trio.to_thread.run_sync(self._file.abandon)
            raise
        finally:
            self.capture.close()
        return Saved(self.path, self._file.size, self.seconds())

    async def _walk(self, writer: _Writer) -> None:
        """Steps about as long as what others did since the last one, as long as there is more."""
        capture = self.capture
        counters = capture.engine.counters
        settings = capture.engine.configuration.settings
        step = LEAST_STEP
        more = True
        while more and writer.error is None:
            done = int(capture.keys_done)
            more = capture.step(step)
            ended = trio.current_time()
            if settings.rdb_key_save_delay > 0:  # for tests of what happens meanwhile
                await trio.sleep(
                    settings.rdb_key_save_delay * (int(capture.keys_done) - done) / 1e6
                )
            if not more or capture.encoder.pending() >= CHUNK:
                for chunk in capture.encoder.take():
                    writer.hand(chunk)
            served = counters.commands
            await trio.lowlevel.checkpoint()
            if capture.engine.counters.commands != served:  # they get their share
                await trio.sleep(LEAST_STEP / 1e6)
            step = min(max(int((trio.current_time() - ended) * 1e6), LEAST_STEP), MOST_STEP)
            await writer.drain()
