"""``hypercache check NAME PATH`` for files of data, and which formats of such there are."""

from contextlib import suppress
from pathlib import Path

from hypercache.cli.progress import shown_progress
from hypercache.extensions import PLUGINS, ExtensionError
from hypercache.persistence.errors import LoadError
from hypercache.persistence.rdb_tools import RdbTools
from hypercache.persistence.tools import FileTools


def formats() -> dict[str, FileTools]:
    """The formats of all that are installed, by what ``convert --to`` calls them.

    Those of broken plugins are left out: ``hypercache plugins`` tells of these.
    """
    found: dict[str, FileTools] = {RdbTools.format: RdbTools()}
    for point in PLUGINS.points():
        with suppress(ExtensionError):
            tools = _tools_of(point.name)
            if tools is not None and tools.format:
                found[tools.format] = tools
    return found


def find(name: str) -> FileTools | None:
    """The tools of a format, or of the plugin that brings one; None where there are none.

    Raises `ExtensionError` where that plugin is broken.
    """
    if any(point.name == name for point in PLUGINS.points()):
        return _tools_of(name)
    return formats().get(name)


def _tools_of(plugin: str) -> FileTools | None:
    tools = PLUGINS.load(PLUGINS.find(plugin)).tools
    if tools is None:
        return None
    if not issubclass(tools, FileTools):
        raise ExtensionError(f"plugin {plugin!r}: {tools!r} is no subclass of FileTools.")
    made = tools()
    assert isinstance(made, FileTools)
    return made


def check_file(tools: FileTools, path: Path, fix: bool) -> int:
    """Print what is damaged in a file and, with ``fix``, repair it; the exit status.

    It is 0 as well when the file was damaged and can be loaded now.
    """
    with shown_progress() as progress:
        if not path.exists():
            raise LoadError(f"{path} is not there")
        words = tools.check(path, fix, progress)
        still = tools.check(path, False, progress) if words and fix else words
    for each in words:
        print(each)
    if not words:
        print(f"{path}: no problems found")
    elif not still:
        print(f"{path}: it can be loaded now")
    elif not fix:
        print(f"{path}: damaged; with --fix what can be saved of it is saved")
    return 1 if still else 0
