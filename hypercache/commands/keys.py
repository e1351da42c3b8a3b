"""Keys whatever their type: there or not, named, copied and removed."""

from hypercache.engine.command import command
from hypercache.engine.context import Context
from hypercache.reply import Reply


@command(
    "DEL key...",
    group="generic",
    since="1.0.0",
    complexity="O(N) where N is the number of keys; their values are freed later",
    flags="write",
    keys="RM delete",
    tips="request_policy:multi_shard response_policy:agg_sum",
    summary="Remove keys.",
)
def del_(context: Context, args: list[bytes]) -> Reply:
    return delete_keys(context, args)


def delete_keys(context: Context, args: list[bytes]) -> int:
    """Remove the keys of DEL or UNLINK; how many there were."""
    db = context.db
    count = 0
    for at in range(1, len(args)):
        if db.delete(args[at]):
            count += 1
    return count
