# mypyc: interpreted
"""What the command line does with files of data while no server has them.

A plugin names its class in `hypercache.plugin.Plugin.tools`: ``hypercache check NAME PATH`` and
``hypercache convert`` find it by the plugin's entry point. The core has one for RDB files.
"""

from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from hypercache.backend_tools import Progress
from hypercache.persistence.capture import Capture
from hypercache.persistence.encoder import Encoder
from hypercache.persistence.loader import Loader


class FileTools:
    """Constructed without arguments. Every method raises `LoadError` or `SaveError`.

    A ``path`` is that of a file, or of a folder where a format has several files. `save` writes
    RDB, where a format has such parts, in the version ``rdb_version``.
    """

    #: What ``hypercache convert --to`` calls the format, and how the names of its files end.
    format: ClassVar[str] = ""
    suffix: ClassVar[str] = ""

    def __init__(self) -> None:
        self.rdb_version = 11

    def recognizes(self, path: Path) -> bool:
        """Whether a file or folder is of this format; looks at its first bytes only."""
        raise NotImplementedError

    def check(self, path: Path, fix: bool, progress: Progress) -> list[str]:
        """What is damaged, in words, with offsets; empty when all is well.

        With ``fix`` what is behind the first damage is cut off, if that leaves anything that can
        be loaded; the words say what was lost. Without, nothing is changed.
        """
        raise NotImplementedError

    def load(self, path: Path, loader: Loader, progress: Progress) -> None:
        """Load everything."""
        raise NotImplementedError

    def save(self, path: Path, capture: Callable[[Encoder], Capture], progress: Progress) -> None:
        """Write everything to a new file or folder; ``capture`` begins the walk over the keys."""
        raise NotImplementedError
