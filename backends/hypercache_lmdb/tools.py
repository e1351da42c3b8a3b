# mypyc: interpreted
"""`LMDBTools`: checking, compacting and copying a store in a folder."""

import importlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from hypercache.backend import BackendError
from hypercache.backend_tools import BackendTools, Progress
from hypercache.keyspace.kv_check import store_problems
from hypercache_lmdb import environment, log
from hypercache_lmdb.overlay import Overlay
from hypercache_lmdb.reading import Reading, reading, require_store, sync_file
from hypercache_lmdb.settings import LMDBSettings
from hypercache_lmdb.store import LMDBKV, PAIR_OVERHEAD

_BLOCK: Final = 512  # bytes in ``st_blocks``


class LMDBTools(BackendTools):
    """What the command line does with a folder of `hypercache_lmdb.store`."""

    def check(self, path: Path, progress: Progress) -> list[str]:
        """What is inconsistent; also beside a server, of which it sees one moment.

        LMDB's pages (with py-lmdb 3 or later), the batches of the log, and what `KVBackend`
        makes of the pairs. Memory grows with the log and the number of values, by some bytes
        for each. As long as it runs, a server beside it cannot use pages again.
        """
        with _explained(path), reading(path) as store:
            problems = _page_problems(store, progress)
            if problems:  # LMDB reads such pages no more carefully than whole ones
                return problems
            changes, problems = _read_log(store)
            data = store.database()
            if data is None:
                return problems
            view = Overlay(store.transaction, data, changes)
            view.max_key_size = store.environment.max_key_size()
            view.pair_overhead = PAIR_OVERHEAD
            return problems + store_problems(view, progress)

    def compact(self, path: Path, progress: Progress) -> None:
        """Fold the log in, and put a copy of the pages in use in the place of the data file.

        That is one rename. Killed before it, the store is as it was beside a file that is
        removed when it is opened next; killed behind it, the store is compacted. Either file
        holds all that the log does not, whose segments stay.
        """
        require_store(path)
        data = path / environment.DATA_FILE
        with _explained(path):
            before = data.stat().st_blocks * _BLOCK
            progress("folding the log in", 0, 1)
            kv = LMDBKV(LMDBSettings(path=str(path)))
            kv.open()
            kv.close()
            progress("folding the log in", 1, 1)
            owner = environment.own(path)
            try:
                _replace_data(path, progress)
            finally:
                os.close(owner)
            after = data.stat().st_blocks * _BLOCK
        progress(f"{before:,} bytes on the disk before, {after:,} now", 1, 1)

    def copy(self, path: Path, target: Path, progress: Progress) -> None:
        """Copy what was committed when the copy began, and perhaps a little more.

        The data file gets its name last: a folder without it is no store, and one that has it
        is whole, and on the disk.
        """
        require_store(path)
        with _explained(target), _new_folder(target), reading(path) as store:
            _copy_log(store, target)
            fresh = target / environment.FRESH_FILE
            _write_data(store, fresh, progress)
            fresh.rename(target / environment.DATA_FILE)
            log.sync_folder(target)


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turn errors of the system into ours."""
    try:
        yield
    except OSError as error:
        raise BackendError(f"{error.filename or path}: {error.strerror}") from error


# Checking ------------------------------------------------------------------------------------


def _page_problems(store: Reading, progress: Progress) -> list[str]:
    """What is wrong with LMDB's own structure, where py-lmdb can tell.

    Pages that the open transaction reaches do not change, whatever a server does.
    """
    try:
        verifier = importlib.import_module("lmdb.verify")
    except ImportError:  # before py-lmdb 3
        return []
    pages = store.environment.info()["last_pgno"] + 1
    progress("checking LMDB's pages", 0, pages)
    data = store.folder / environment.DATA_FILE
    try:
        found: list[str] = verifier.verify(str(store.folder))
    except verifier.VerifyError as error:
        return [f"{data}: {error}"]
    progress("checking LMDB's pages", pages, pages)
    return [f"{data}: {problem}" for problem in found]


def _read_log(store: Reading) -> tuple[dict[bytes, bytes | None], list[str]]:
    """What the log changes, and what is wrong with it."""
    changes: dict[bytes, bytes | None] = {}
    if not store.segments:
        return changes, []
    with tempfile.TemporaryDirectory(prefix="hypercache-") as name:
        folder = Path(name)
        store.copy_log(folder)
        try:
            found = log.replay(folder, store.first, changes.__setitem__)
        except BackendError as error:
            return changes, [str(error).replace(name, str(store.folder))]
        skipped = log.skipped(folder, found)
        if skipped > 0:
            # It may have been in the middle of being written: then it is whole now.
            store.copy_log(folder)
            skipped = log.skipped(folder, found)
    if skipped == 0:
        return changes, []
    path = log.segment_path(store.folder, found.number)
    return changes, [
        f"{path}: the batch of {skipped} bytes at {found.end} is damaged, and whole ones follow:"
        " the store is as it was before it"
    ]


# Compacting and copying ------------------------------------------------------------------------


def _replace_data(path: Path, progress: Progress) -> None:
    """Put a compacted data file in the place of the present one."""
    fresh = path / environment.FRESH_FILE
    try:
        with reading(path, alone=True) as store:
            _write_data(store, fresh, progress)
            fresh.rename(path / environment.DATA_FILE)
            log.sync_folder(path)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise


def _copy_log(store: Reading, target: Path) -> None:
    """Write the log durably, up to its last whole batch."""
    if not store.segments:
        return
    store.copy_log(target)
    found = log.replay(target, store.first, lambda _key, _value: None)
    for number in store.segments:
        path = log.segment_path(target, number)
        if number > found.number:
            path.unlink()
            continue
        if number == found.number:
            os.truncate(path, found.end)
        sync_file(path)


def _write_data(store: Reading, path: Path, progress: Progress) -> None:
    """Write a data file durably."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
    descriptor = os.open(path, flags, 0o600)
    try:
        store.copy_data(descriptor, progress)
    finally:
        os.close(descriptor)
    sync_file(path)


@contextmanager
def _new_folder(path: Path) -> Iterator[None]:
    """A folder that was empty or not there; what was written to it goes where that fails."""
    existed = path.exists()
    if existed and (not path.is_dir() or any(path.iterdir())):
        raise BackendError(f"{path} is there already: name a folder that is empty or new")
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        yield
        log.sync_folder(path.absolute().parent)
    except BaseException:
        for file in path.iterdir():
            file.unlink()
        if not existed:
            path.rmdir()
        raise
