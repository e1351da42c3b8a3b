"""What the command line does with a backend's store while no server, or another one, has it.

A backend names its class in `hypercache.backend.Backend.tools`; ``hypercache check NAME PATH``,
``hypercache compact NAME PATH`` and ``hypercache copy NAME PATH TARGET`` find it by the
backend's entry point.
"""

from pathlib import Path
from typing import Protocol


class Progress(Protocol):
    """Told how far a piece of work has come: ``done`` of ``total`` steps of ``what``."""

    def __call__(self, what: str, done: int, total: int) -> None: ...


def unheard(what: str, done: int, total: int) -> None:
    """The `Progress` of work that nobody asks about."""


class BackendTools:
    """Constructed without arguments. What a backend does not offer stays as it is here.

    Every method raises `hypercache.backend.BackendError` where it cannot do its work: the text
    names the path, what is wrong, and what to do.
    """

    def check(self, path: Path, progress: Progress) -> list[str]:
        """What is inconsistent in a store, in words; empty when all is well. Changes nothing."""
        raise NotImplementedError

    def compact(self, path: Path, progress: Progress) -> None:
        """Rewrite a store that no server has open, so that it takes no more room than it needs.

        Killed at any moment it leaves the store as it was, or compacted.
        """
        raise NotImplementedError

    def copy(self, path: Path, target: Path, progress: Progress) -> None:
        """Copy a store, also one that a server is using, as it is at one moment.

        ``target`` must not exist, or be empty.
        """
        raise NotImplementedError
