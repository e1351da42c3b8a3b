"""Which format a store has, and whether this version knows it.

`m` `format` says which one, and `m` `version` which HyperCache made it so.
"""

import re
from typing import Final

from hypercache import __version__
from hypercache.backend import BackendError
from hypercache.keyspace import layout
from hypercache.keyspace.ordered import OrderedKV

#: What a new store is told about who made it.
WRITER: Final = __version__.encode()

_FORMAT: Final = re.compile(rb"hypercache kv (\d+)(?: to (\d+))?")


def format_of(kv: OrderedKV) -> int:
    """The format that a store has, by number, or from which it is being migrated.

    Raises `BackendError` where this version cannot open it.
    """
    raw = kv.get(layout.META_FORMAT) or b""
    match = _FORMAT.fullmatch(raw)
    if match is None:
        raise BackendError(
            f"the store has the format {raw!r}, which HyperCache {__version__} does not know:"
            " open it with the version that wrote it"
        )
    newest = int(match[2] or match[1])
    if newest > layout.VERSION:
        writer = (kv.get(layout.META_VERSION) or b"a later one").decode()
        raise BackendError(
            f"the store has the format {newest}, HyperCache {__version__} reads formats up to"
            f" {layout.VERSION}: open it with the version that wrote it ({writer}), or a later one"
        )
    return int(match[1])
