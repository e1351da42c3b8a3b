"""INFO: what the server says about itself."""

from hypercache.commands.connection import REDIS_VERSION
from hypercache.engine.command import command
from hypercache.engine.context import Context
from hypercache.reply import Reply, Verbatim


@command(
    "INFO [section...]",
    group="server",
    since="1.0.0",
    complexity="O(1)",
    flags="loading stale",
    categories="dangerous",
    tips="nondeterministic_output request_policy:all_shards response_policy:special",
    history=(("7.0.0", "Added support for taking multiple section arguments."),),
    summary="Describe the server and its statistics, by sections.",
)
def info(context: Context, args: list[bytes]) -> Reply:
    return Verbatim(b"# Server\r\nredis_version:%s\r\nredis_mode:standalone\r\n" % REDIS_VERSION)
