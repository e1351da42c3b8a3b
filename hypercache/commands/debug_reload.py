# mypyc: interpreted
"""DEBUG RELOAD and LOADAOF: all data back from a file, as a restart would do it."""

import re
from pathlib import Path
from typing import Final, Protocol, runtime_checkable

from hypercache.backend import BackendError
from hypercache.engine.context import Context
from hypercache.persistence.capture import Capture
from hypercache.persistence.errors import LoadError, SaveError
from hypercache.persistence.file_system import FileSystem
from hypercache.persistence.loader import Loader
from hypercache.persistence.rdb_reader import RdbReader
from hypercache.persistence.rdb_writer import rdb_encoder
from hypercache.persistence.saving import save_now
from hypercache.reply import OK, ErrorReply, Reply

_WRONG_OPTION: Final = "ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options."
_CANNOT_LOAD: Final = "ERR Error trying to load the RDB dump, check server logs."
_OTHER_UNDER_WAY: Final = "ERR Another save or rewrite is under way: can't DEBUG RELOAD right now."
_IN_TRANSACTION: Final = "ERR DEBUG RELOAD isn't allowed inside a transaction"
_NO_TRANSACTION: Final = "ERR DEBUG LOADAOF isn't allowed inside a transaction"
_CANNOT_REPEAT: Final = "ERR Error trying to load the AOF files, check server logs."
_NAME: Final = re.compile(rb"name=(\S+)")
# Bytes that are loaded between two commits.
_STEP: Final = 16 << 20


def reload_all(context: Context, args: list[bytes]) -> Reply:
    """Nobody is served meanwhile. For those who repeat what we do, nothing has changed.

    Without FLUSH, MERGE allows keys that are there to be replaced. (Redis ends itself where they
    are there without it.)
    """
    options = {each.lower() for each in args}
    if options - {b"merge", b"noflush", b"nosave"}:
        raise ErrorReply(_WRONG_OPTION)
    engine = context.engine
    if context.in_exec:
        raise ErrorReply(_IN_TRANSACTION)
    if engine.capture is not None:
        raise ErrorReply(_OTHER_UNDER_WAY)
    settings = engine.configuration.settings
    path = settings.path(settings.dbfilename)
    try:
        if b"nosave" not in options:
            save_now(Capture(engine, rdb_encoder(settings)), path, FileSystem())
    except (SaveError, BackendError) as error:
        _report(context, error)
        raise ErrorReply("ERR") from error
    engine.units.open()
    if b"noflush" not in options:
        flush(context, args)
    try:
        if b"noflush" in options and b"merge" not in options:
            require_nothing(context)
        engine.stores.keeper.detach()
        load(context, path, b"noflush" in options)
    except (LoadError, OSError, BackendError) as error:
        _report(context, error)
        raise ErrorReply(_CANNOT_LOAD) from error
    finally:
        engine.stores.keeper.attach()
        engine.units.open()
    engine.reporter.report("info", "reloaded", {"path": str(path)})
    return OK


@runtime_checkable
class Repeatable(Protocol):
    """A file of commands that a plugin shares."""

    def complete(self) -> None:
        """Have all of it on the file; raises `LoadError` where that cannot be now."""

    def repeat(self, loader: Loader) -> None:
        """Load what it holds in the place of all data; raises `LoadError`."""


def load_append_only(context: Context, args: list[bytes]) -> Reply:
    """Nobody is served meanwhile. For those who repeat what we do, nothing has changed.

    Only a script of the file that is slow lets others be heard: they are told LOADING.
    """
    engine = context.engine
    if context.in_exec:
        raise ErrorReply(_NO_TRANSACTION)
    file = engine.shared.get("aof")
    if engine.capture is not None or not isinstance(file, Repeatable):
        raise ErrorReply(_CANNOT_REPEAT)
    engine.commit()
    engine.units.open()
    try:
        file.complete()
    except LoadError as error:
        _report(context, error)
        raise ErrorReply(_CANNOT_REPEAT) from error
    flush(context, args)
    engine.set_loading(True)
    engine.stores.keeper.detach()
    try:
        file.repeat(Loader(engine))
    except (LoadError, BackendError) as error:
        _report(context, error)
        raise ErrorReply(_CANNOT_REPEAT) from error
    finally:
        engine.stores.keeper.attach()
        engine.set_loading(False)
        engine.units.open()
    engine.reporter.report("info", "append_only_file_loaded", {})
    return OK


def flush(context: Context, args: list[bytes]) -> None:
    """Remove all keys; those who watch one are told, those who repeat what we do are not."""
    for keyspace in context.engine.keyspaces:
        if keyspace.index not in context.engine.stores.left_out:
            keyspace.flush()
    context.db.changes.rewritten = True
    context.engine.settlement.settle(context, args)


def require_nothing(context: Context) -> None:
    """Raise `LoadError` where something could be replaced."""
    engine = context.engine
    if engine.libraries.sources() or any(each.store.size() for each in engine.keyspaces):
        raise LoadError("what is there is only replaced with MERGE")


def load(context: Context, path: Path, merge: bool) -> None:
    """Load an RDB file to what is there; raises `LoadError` or OSError.

    Functions are all replaced, or with ``merge`` those of the same library.
    """
    libraries = context.engine.libraries
    before = libraries.sources()
    loader = Loader(context.engine)
    reader = RdbReader(path, loader)
    try:
        loader.begin()
        while reader.step(_STEP):
            loader.pause()
    finally:
        reader.close()
        loader.end()
    loaded = libraries.sources()
    names = {library_name(source) for source in loaded}
    kept = [source for source in before if library_name(source) not in names]
    if merge and kept:
        libraries.restore(loaded + kept)


def library_name(source: bytes) -> bytes:
    """The name in the first line of a library's source."""
    named = _NAME.search(source.partition(b"\n")[0])
    return b"" if named is None else named[1]


def _report(context: Context, error: Exception) -> None:
    context.engine.reporter.report("error", "reload_failed", {"error": str(error)})
