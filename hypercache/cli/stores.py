"""``hypercache check``, ``compact`` and ``copy``: a backend's tools on a store of its own.

``check`` takes the names of file formats, too: see `hypercache.cli.files`.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from hypercache.backend_tools import BackendTools
from hypercache.cli.progress import ProgressBar, shown_progress
from hypercache.cli.usage import UsageError, flag, positional
from hypercache.extensions import BACKENDS, ExtensionError, tools_offered


def check(words: Sequence[str]) -> int:
    """Print what is inconsistent in a store, or damaged in a file; the exit status."""
    words, fix = flag(words, "--fix")
    name, path = positional(words, 2, 2)
    # Not at the top: the formats bring much of the server with them.
    from hypercache.cli import files

    if (tools_of_files := files.find(name)) is not None:
        return files.check_file(tools_of_files, Path(path), fix)
    if fix:
        raise UsageError(f"{name!r} has no --fix: it is for files of data")
    with _work("check", name) as (tools, progress):
        problems = tools.check(Path(path), progress)
    for problem in problems:
        print(problem)
    print(f"{path}: {len(problems) or 'no'} problem{'s' * (len(problems) != 1)} found")
    return 1 if problems else 0


def compact(words: Sequence[str]) -> int:
    """Compact a store; the exit status."""
    name, path = positional(words, 2, 2)
    with _work("compact", name) as (tools, progress):
        tools.compact(Path(path), progress)
    print(f"{path}: compacted")
    return 0


def copy(words: Sequence[str]) -> int:
    """Copy a store; the exit status."""
    name, path, target = positional(words, 3, 3)
    with _work("copy", name) as (tools, progress):
        tools.copy(Path(path), Path(target), progress)
    print(f"{path}: copied to {target}")
    return 0


@contextmanager
def _work(action: str, name: str) -> Iterator[tuple[BackendTools, ProgressBar]]:
    """A backend's tools, and what shows their progress; raises `ExtensionError`."""
    backend = BACKENDS.load(BACKENDS.find(name))
    offered = tools_offered(backend)
    if backend.tools is None or action not in offered:
        known = ", ".join(offered) or "none of these commands"
        raise ExtensionError(f"backend {name!r} has no command {action!r} (it has: {known}).")
    with shown_progress() as progress:
        yield backend.tools(), progress
