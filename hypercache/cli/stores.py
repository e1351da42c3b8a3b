"""``hypercache check``, ``compact`` and ``copy``: a backend's tools on a store of its own."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from hypercache.backend_tools import BackendTools
from hypercache.cli.progress import ProgressBar
from hypercache.cli.usage import positional
from hypercache.extensions import BACKENDS, ExtensionError, tools_offered


def check(words: Sequence[str]) -> int:
    """Print what is inconsistent in a store; the exit status."""
    name, path = positional(words, 2, 2)
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
    progress = ProgressBar(sys.stderr)
    try:
        yield backend.tools(), progress
    finally:
        progress.finish()
