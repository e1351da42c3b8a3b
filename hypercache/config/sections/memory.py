"""Settings of keys and their memory."""

from typing import Literal, TypeAlias

from attrs import define

from hypercache.config.compound import EventClasses, PressureLevels
from hypercache.config.kinds import INT_MAX, INT_MIN, LONG_MAX, ULONG_MAX, MemoryOrPercent
from hypercache.config.schema import choice, integer, memory, setting, yes_no

MaxmemoryPolicy: TypeAlias = Literal[
    "volatile-lru",
    "volatile-lfu",
    "volatile-random",
    "volatile-ttl",
    "allkeys-lru",
    "allkeys-lfu",
    "allkeys-random",
    "noeviction",
]
LookupFilterErrorRate: TypeAlias = Literal["no", "0.01", "0.001", "0.0001"]


@define(slots=False, kw_only=True)
class MemorySettings:
    """How much memory keys may take, and which go when it is too much."""

    maxmemory: int = memory(0, 0, ULONG_MAX, "Memory of all keys together; 0 is without a limit.")
    maxmemory_policy: str = choice(
        MaxmemoryPolicy,
        "noeviction",
        "Which keys go when memory is short.",
        group="hypercache.policies",
    )
    maxmemory_samples: int = integer(5, 1, INT_MAX, "Keys compared to find one to evict.")
    maxmemory_eviction_tenacity: int = integer(
        10, 0, 100, "How much time eviction may take at once, 0 least, 100 all it needs."
    )
    maxmemory_rss: int = setting(
        MemoryOrPercent(),
        0,
        "Memory of the whole process, in bytes or as a part of what the machine or container has.",
        ours=True,
    )
    memory_pressure_levels: tuple[int, ...] = setting(
        PressureLevels(),
        (85, 90, 95),
        "Percent of a limit from which its pressure is warning, critical and panic.",
        ours=True,
    )
    maxmemory_refuse_at_panic: bool = yes_no(
        False,
        "Where nothing may be evicted, refuse writes from the panic level on, not at the limit.",
        ours=True,
    )
    lookup_filter_error_rate: str = choice(
        LookupFilterErrorRate,
        "0.01",
        "Lookups of absent keys that filters before durable backends let through, 'no' for none.",
        ours=True,
    )
    lfu_log_factor: int = integer(
        10, 0, INT_MAX, "How slowly the counter of uses (OBJECT FREQ) saturates."
    )
    lfu_decay_time: int = integer(
        1, 0, INT_MAX, "Minutes after which the counter of uses loses one; 0 is never."
    )
    lazyfree_lazy_eviction: bool = yes_no(
        False, "Free evicted keys bit by bit: always so here.", effect="ignored"
    )
    lazyfree_lazy_expire: bool = yes_no(
        False, "Free expired keys bit by bit: always so here.", effect="ignored"
    )
    lazyfree_lazy_server_del: bool = yes_no(
        False, "Free replaced values bit by bit: always so here.", effect="ignored"
    )
    lazyfree_lazy_user_del: bool = yes_no(
        False, "Let DEL free bit by bit: always so here.", effect="ignored"
    )
    lazyfree_lazy_user_flush: bool = yes_no(
        False, "Let FLUSHDB and FLUSHALL free bit by bit: always so here.", effect="ignored"
    )


@define(slots=False, kw_only=True)
class KeyspaceSettings:
    """Expiry and events of keys."""

    active_expire_effort: int = integer(
        1,
        1,
        10,
        "How hard expired keys are looked for: here they are found by their deadlines.",
        effect="ignored",
    )
    notify_keyspace_events: str = setting(
        EventClasses(), "", "Which changes of keys are published to subscribers."
    )


@define(slots=False, kw_only=True)
class EncodingsSettings:
    """Sizes up to which a value counts as small (OBJECT ENCODING shows which it is)."""

    hash_max_listpack_entries: int = integer(
        512,
        0,
        LONG_MAX,
        "Fields of a small hash.",
        aliases=("hash-max-ziplist-entries",),
    )
    hash_max_listpack_value: int = memory(
        64,
        0,
        LONG_MAX,
        "Bytes of a field or value in a small hash.",
        aliases=("hash-max-ziplist-value",),
    )
    list_max_listpack_size: int = integer(
        -2,
        INT_MIN,
        INT_MAX,
        "Elements of a small list, or -1 to -5 for 4 to 64 kb.",
        aliases=("list-max-ziplist-size",),
    )
    list_compress_depth: int = integer(
        0, 0, INT_MAX, "Nodes at each end of a list left uncompressed.", effect="ignored"
    )
    set_max_intset_entries: int = integer(512, 0, LONG_MAX, "Members of a small set of integers.")
    set_max_listpack_entries: int = integer(128, 0, LONG_MAX, "Members of a small set.")
    set_max_listpack_value: int = integer(64, 0, LONG_MAX, "Bytes of a member in a small set.")
    zset_max_listpack_entries: int = integer(
        128,
        0,
        LONG_MAX,
        "Members of a small sorted set.",
        aliases=("zset-max-ziplist-entries",),
    )
    zset_max_listpack_value: int = memory(
        64,
        0,
        LONG_MAX,
        "Bytes of a member in a small sorted set.",
        aliases=("zset-max-ziplist-value",),
    )
    stream_node_max_bytes: int = memory(
        4096, 0, LONG_MAX, "Bytes of one node of a stream; 0 is any."
    )
    stream_node_max_entries: int = integer(
        100, 0, LONG_MAX, "Entries of one node of a stream; 0 is any."
    )
    hll_sparse_max_bytes: int = memory(
        3000, 0, LONG_MAX, "Bytes up to which a HyperLogLog stays sparse."
    )
