"""OBJECT: how a value is kept, and when it was last asked for."""

from typing import Final

from hypercache.backend import Entry, Value
from hypercache.engine.command import command
from hypercache.engine.context import Context
from hypercache.keyspace.frequency import INITIAL
from hypercache.keyspace.hyperloglog import MAGIC
from hypercache.keyspace.numbers import parse_integer
from hypercache.reply import ErrorReply, Reply

# The longest string that Redis keeps in one block with its header.
_EMBEDDED: Final = 44
# Redis keeps one copy of each integer below this, with a reference count of its own.
_SHARED_INTEGERS: Final = 10000
_SHARED: Final = 2147483647

_SWITCHING: Final = (
    "Please note that when switching between policies at runtime LRU and LFU data will take some "
    "time to adjust."
)
_NO_FREQUENCY: Final = (
    f"ERR An LFU maxmemory policy is not selected, access frequency not tracked. {_SWITCHING}"
)
_NO_IDLE_TIME: Final = (
    f"ERR An LFU maxmemory policy is selected, idle time not tracked. {_SWITCHING}"
)


def encoding_of(entry: Entry) -> str:
    """The name of an entry's encoding; a string has the one that Redis would choose."""
    value = entry.value
    if isinstance(value, bytes):
        if parse_integer(value) is not None:
            return "int"
        # Redis keeps a HyperLogLog ready to grow, however short it is.
        is_short = len(value) <= _EMBEDDED and not value.startswith(MAGIC)
        return "embstr" if is_short else "raw"
    assert isinstance(value, Value)
    return value.encoding()


@command(
    "OBJECT ENCODING key",
    container="OBJECT",
    group="generic",
    since="2.2.3",
    complexity="O(1)",
    flags="readonly",
    keys="RO",
    tips="nondeterministic_output",
    summary="Name the way in which a value is kept.",
)
def object_encoding(context: Context, args: list[bytes]) -> Reply:
    entry = context.db.inspect(args[2])
    return None if entry is None else encoding_of(entry).encode()


@command(
    "OBJECT FREQ key",
    container="OBJECT",
    group="generic",
    since="4.0.0",
    complexity="O(1)",
    flags="readonly",
    keys="RO",
    tips="nondeterministic_output",
    summary="Return how often a key is asked for, on a logarithmic scale.",
)
def object_freq(context: Context, args: list[bytes]) -> Reply:
    """That of a new key on a backend that keeps no access times."""
    entry = context.db.inspect(args[2])
    if entry is None:
        return None
    frequency: int = context.db.policy.frequency(entry)
    if frequency < 0:
        raise ErrorReply(_NO_FREQUENCY)
    return frequency if keeps_access(context) else INITIAL


@command(
    "OBJECT IDLETIME key",
    container="OBJECT",
    group="generic",
    since="2.2.3",
    complexity="O(1)",
    flags="readonly",
    keys="RO",
    tips="nondeterministic_output",
    summary="Return the seconds since a key was last read or written.",
)
def object_idletime(context: Context, args: list[bytes]) -> Reply:
    """0 on a backend that keeps no access times."""
    entry = context.db.inspect(args[2])
    if entry is None:
        return None
    idle: int = context.db.policy.idle(entry)
    if idle < 0:
        raise ErrorReply(_NO_IDLE_TIME)
    return idle if keeps_access(context) else 0


def keeps_access(context: Context) -> bool:
    """Whether the backend of the current database remembers how its keys are used."""
    return context.engine.stores[context.db.index].backend.keeps_access


@command(
    "OBJECT REFCOUNT key",
    container="OBJECT",
    group="generic",
    since="2.2.3",
    complexity="O(1)",
    flags="readonly",
    keys="RO",
    tips="nondeterministic_output",
    summary="Return the number of references to a value, as Redis counts them.",
)
def object_refcount(context: Context, args: list[bytes]) -> Reply:
    entry = context.db.inspect(args[2])
    if entry is None:
        return None
    value = entry.value
    number = parse_integer(value) if isinstance(value, bytes) else None
    engine = context.engine
    if engine.memory.limit > 0 and engine.eviction.victims.policy.endswith(("-lru", "-lfu")):
        return 1  # Redis shares nothing then: each key needs an access clock of its own
    return _SHARED if number is not None and 0 <= number < _SHARED_INTEGERS else 1
