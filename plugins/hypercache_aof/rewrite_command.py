# mypyc: interpreted
"""BGREWRITEAOF."""

from hypercache.plugin import Context, Reply, command
from hypercache_aof.service import AppendOnly


@command(
    "BGREWRITEAOF",
    group="server",
    since="1.0.0",
    complexity="O(1)",
    flags="admin no_async_loading noscript",
    summary="Write the append-only file anew, as short as it can be, while others are served.",
)
def bgrewriteaof(context: Context, args: list[bytes]) -> Reply:
    file = context.engine.shared["aof"]
    assert isinstance(file, AppendOnly)
    return file.ask(later=context.engine.capture is not None or context.in_exec)
