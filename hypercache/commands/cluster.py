# mypyc: interpreted
"""CLUSTER and its companions, answered as by a Redis that is not in cluster mode."""

from typing import Final

from hypercache.engine.command import command
from hypercache.engine.context import Context
from hypercache.reply import ErrorReply, Reply

_ADMIN: Final = "admin stale no_async_loading"
_VARIES: Final = "nondeterministic_output"
_RANGES: Final = (
    "O(N) where N is the total number of the slots between the start slot and end slot arguments."
)
_SLOTS: Final = "O(N) where N is the total number of hash slot arguments"
_NODES: Final = "O(N) where N is the total number of Cluster nodes"
_REPLICAS: Final = "O(N) where N is the number of replicas."

#: Syntax, since, complexity, flags, tips, summary.
_SUBCOMMANDS: Final = (
    ("ADDSLOTS slot:integer...", "3.0.0", _SLOTS, _ADMIN, "", "Let this node serve slots."),
    (
        "ADDSLOTSRANGE range=(start-slot:integer end-slot:integer)...",
        "7.0.0",
        _RANGES,
        _ADMIN,
        "",
        "Let this node serve ranges of slots.",
    ),
    ("BUMPEPOCH", "3.0.0", "O(1)", _ADMIN, _VARIES, "Raise the epoch of the configuration."),
    (
        "COUNT-FAILURE-REPORTS node-id",
        "3.0.0",
        "O(N) where N is the number of failure reports",
        "admin stale",
        _VARIES,
        "Count the reports that a node has failed.",
    ),
    ("COUNTKEYSINSLOT slot:integer", "3.0.0", "O(1)", "stale", "", "Count the keys of a slot."),
    ("DELSLOTS slot:integer...", "3.0.0", _SLOTS, _ADMIN, "", "Forget who serves slots."),
    (
        "DELSLOTSRANGE range=(start-slot:integer end-slot:integer)...",
        "7.0.0",
        _RANGES,
        _ADMIN,
        "",
        "Forget who serves ranges of slots.",
    ),
    ("FAILOVER [options=(FORCE | TAKEOVER)]", "3.0.0", "O(1)", _ADMIN, "", "Become the primary."),
    ("FLUSHSLOTS", "3.0.0", "O(1)", _ADMIN, "", "Forget who serves any slot."),
    ("FORGET node-id", "3.0.0", "O(1)", _ADMIN, "", "Forget a node."),
    (
        "GETKEYSINSLOT slot:integer count:integer",
        "3.0.0",
        "O(N) where N is the number of requested keys",
        "stale",
        _VARIES,
        "Return keys of a slot.",
    ),
    ("INFO", "3.0.0", "O(1)", "stale", _VARIES, "Tell the state of the cluster."),
    (
        "KEYSLOT key:string",
        "3.0.0",
        "O(N) where N is the number of bytes in the key",
        "stale",
        "",
        "Return the slot of a key.",
    ),
    (
        "LINKS",
        "7.0.0",
        _NODES,
        "stale",
        _VARIES,
        "Describe the connections to other nodes.",
    ),
    (
        "MEET ip port:integer [cluster-bus-port:integer]",
        "3.0.0",
        "O(1)",
        _ADMIN,
        "",
        "Get to know another node.",
    ),
    ("MYID", "3.0.0", "O(1)", "stale", "", "Return the name of this node."),
    ("MYSHARDID", "7.2.0", "O(1)", "stale", _VARIES, "Return the name of this node's shard."),
    ("NODES", "3.0.0", _NODES, "stale", _VARIES, "Describe all nodes, a line each."),
    ("REPLICAS node-id", "5.0.0", _REPLICAS, "admin stale", _VARIES, "List a node's replicas."),
    ("REPLICATE node-id", "3.0.0", "O(1)", _ADMIN, "", "Become the replica of a node."),
    (
        "RESET [reset-type=(HARD | SOFT)]",
        "3.0.0",
        "O(N) where N is the number of known nodes. The command may execute a FLUSHALL as a side"
        " effect.",
        "admin stale noscript",
        "",
        "Leave the cluster.",
    ),
    ("SAVECONFIG", "3.0.0", "O(1)", _ADMIN, "", "Write what is known of the cluster to disk."),
    (
        "SET-CONFIG-EPOCH config-epoch:integer",
        "3.0.0",
        "O(1)",
        _ADMIN,
        "",
        "Set the epoch of a new node.",
    ),
    (
        "SETSLOT slot:integer subcommand=(IMPORTING importing/node-id"
        " | MIGRATING migrating/node-id | NODE node/node-id | STABLE)",
        "3.0.0",
        "O(1)",
        _ADMIN,
        "",
        "Say where a slot is, or is moving.",
    ),
    (
        "SHARDS",
        "7.0.0",
        "O(N) where N is the total number of cluster nodes",
        "loading stale",
        _VARIES,
        "Describe the shards: slots and nodes.",
    ),
)


def refuse(context: Context, args: list[bytes]) -> Reply:
    """What Redis answers to all of these when it stands alone."""
    raise ErrorReply("ERR This instance has cluster support disabled")


for _syntax, _since, _complexity, _flags, _tips, _summary in _SUBCOMMANDS:
    command(
        f"CLUSTER {_syntax}",
        container="CLUSTER",
        group="cluster",
        since=_since,
        complexity=_complexity,
        flags=_flags,
        tips=_tips,
        history=(
            (("4.0.0", "Added the optional `cluster_bus_port` argument."),)
            if _syntax.startswith("MEET")
            else ()
        ),
        summary=_summary,
    )(refuse)

command(
    "CLUSTER SLAVES node-id",
    container="CLUSTER",
    group="cluster",
    since="3.0.0",
    complexity=_REPLICAS,
    flags="admin stale",
    tips=_VARIES,
    deprecated_since="5.0.0",
    replaced_by="`CLUSTER REPLICAS`",
    summary="List a node's replicas.",
)(refuse)

command(
    "CLUSTER SLOTS",
    container="CLUSTER",
    group="cluster",
    since="3.0.0",
    complexity=_NODES,
    flags="loading stale",
    tips=_VARIES,
    history=(
        ("4.0.0", "Added node IDs."),
        ("7.0.0", "Added additional networking metadata field."),
    ),
    deprecated_since="7.0.0",
    replaced_by="`CLUSTER SHARDS`",
    summary="Describe the slots: ranges and nodes.",
)(refuse)

for _syntax, _flags, _summary in (
    ("ASKING", "fast", "Follow one redirection to a slot that is moving."),
    ("READONLY", "loading stale fast", "Read from replicas, too."),
    ("READWRITE", "loading stale fast", "Read from primaries only."),
):
    command(
        _syntax,
        group="cluster",
        since="3.0.0",
        complexity="O(1)",
        flags=_flags,
        categories="connection",
        summary=_summary,
    )(refuse)
