# mypyc: interpreted
"""What can be set of the LMDB backend: ``backend-settings`` in the configuration."""

from typing import Final, Literal

import attrs

KB: Final = 1 << 10
MB: Final = 1 << 20
GB: Final = 1 << 30


@attrs.frozen(kw_only=True)
class LMDBSettings:
    """Sizes are in bytes."""

    #: Folder of the store; relative to the server's ``dir``.
    path: str = "lmdb"
    #: When a write is safe from a power failure: before its reply, a second later, or whenever
    #: the system writes it. None of them loses anything when the process is killed.
    sync: Literal["always", "everysec", "no"] = "everysec"
    #: The most that the store may take on the disk; 0 is no limit but the disk's own.
    max_size: int = attrs.field(default=0, validator=attrs.validators.ge(0))
    #: Address space to begin with, 32 MB or more. It doubles by itself, while clients are served.
    map_size: int = attrs.field(default=16 * GB, validator=attrs.validators.ge(MB))
    #: How much the write-ahead log may hold before it is folded into the store. A restart after
    #: a crash reads it back.
    log_size: int = attrs.field(default=32 * MB, validator=attrs.validators.ge(64 * KB))
    #: Whether the system may read ahead: good for data that fit into memory, bad beyond.
    readahead: bool = False
    #: Seconds after which a snapshot that somebody forgot is ended, so that its pages can be
    #: used again.
    snapshot_age: float = attrs.field(default=3600.0, validator=attrs.validators.gt(0))
