"""Packages with backends and plugins for the command line to find, and a way to call it."""

from collections.abc import Callable
from pathlib import Path

import attrs
import pytest

from hypercache.cli import main
from tests.support.packages import BACKENDS, PLUGINS, distribution

STORES = '''
"""Stores made for tests of the command line."""

import attrs

from hypercache.backend import BackendError
from hypercache.backend_tools import BackendTools
from hypercache.keyspace.kv_backend import KVBackend
from hypercache.testing import SortedDictKV


class Tools(BackendTools):
    def check(self, path, progress):
        text = path.read_text() if path.exists() else ""
        if not text:
            raise BackendError(f"{path}: there is no store. Give the folder of one.")
        lines = text.splitlines()
        for number, _ in enumerate(lines, 1):
            progress("looking", number, len(lines))
        return [line for line in lines if line.startswith("bad")]

    def copy(self, path, target, progress):
        target.write_text(path.read_text())


@attrs.frozen
class Room:
    #: Bytes for keys.
    keys: int = 10
    values: int | None = None


@attrs.frozen
class Settings:
    """What can be set."""

    #: Where it lies;
    #: relative to the server's folder.
    path: str
    loud: bool = False
    room: Room = attrs.field(factory=Room)
    names: list[str] = attrs.field(factory=list)


class Shelf(KVBackend):
    """Keys on a shelf.

    As many as the shelf can bear.
    """

    settings_type = Settings
    tools = Tools

    def __init__(self, settings):
        super().__init__(SortedDictKV(), "shelf")


class Drawer(KVBackend):
    """Keys in a drawer."""

    def __init__(self):
        super().__init__(SortedDictKV(), "drawer")
        self.snapshots = True
'''
WATCHERS = '''
"""Plugins made for tests of the command line."""

from hypercache.plugin import Plugin


class Watcher(Plugin):
    critical = True
    requires = ("snapshot", "journal")
'''


@pytest.fixture(autouse=True)
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two good backends and a broken one; a plugin."""
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "cli_stores.py").write_text(STORES)
    (folder / "cli_watchers.py").write_text(WATCHERS)
    points = ("shelf = cli_stores:Shelf", "drawer = cli_stores:Drawer", "broken = cli_gone:Gone")
    distribution(folder, "hypercache-stores", BACKENDS, *points, version="2.1")
    distribution(folder, "hypercache-watcher", PLUGINS, "watcher = cli_watchers:Watcher")
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.chdir(tmp_path)


@attrs.frozen
class Outcome:
    """What a command has written, and its exit status."""

    status: int
    out: str
    err: str


Hypercache = Callable[..., Outcome]


@pytest.fixture
def hypercache(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Hypercache:
    """Runs the command line in this process, 100 columns wide."""
    monkeypatch.setenv("COLUMNS", "100")

    def run(*words: str) -> Outcome:
        status = 0
        try:
            main(words)
        except SystemExit as end:
            assert isinstance(end.code, int)
            status = end.code
        written = capsys.readouterr()
        return Outcome(status, written.out, written.err)

    return run
