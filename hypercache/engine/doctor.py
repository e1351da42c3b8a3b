# mypyc: interpreted
"""MEMORY DOCTOR: what is not as it should be with memory, and what to do about it."""

from typing import TYPE_CHECKING, Final

from hypercache.engine.information import fields_of_plugins
from hypercache.engine.memory_advice import too_large
from hypercache.engine.pressure import BY_CONTAINER, BY_SETTING
from hypercache.engine.usage import MemoryUsage, human

if TYPE_CHECKING:
    from hypercache.engine.engine import Engine
    from hypercache.engine.stores import Store

# Below this many bytes a report on their use makes no sense; what is too much beside the data, as
# Redis has it.
_LITTLE: Final = 5 << 20
_LOST: Final = 10 << 20
_LARGE_CLIENT: Final = 200 << 10
_MANY_SCRIPTS: Final = 1000
# A volatile policy that has less than this part of all keys to choose from.
_FEW: Final = 10

_WELL: Final = "Memory is used as it should be.\n"
_EMPTY: Final = "There is too little data here to judge how memory is used.\n"


def diagnosis(engine: "Engine") -> str:
    """The whole answer: a line for each finding, or that there is none."""
    usage = MemoryUsage(engine)
    found = _limits(engine, usage) + _stores(engine) + _process(engine, usage)
    if usage.used >= _LITTLE:
        found += _use(engine, usage)
    if found:
        return "".join(f"{each}\n" for each in found)
    return _EMPTY if usage.used < _LITTLE else _WELL


def _limits(engine: "Engine", usage: MemoryUsage) -> list[str]:
    """What there is to say of the limit of all data."""
    memory = engine.memory
    limit = int(memory.maxmemory)
    if not _is_near(engine, usage.used, limit):
        return []
    where = f"the data take {_part(usage.used, limit)} of maxmemory"
    if not memory.evicts:
        return [
            f"Limit: {where}, and nothing may be evicted (noeviction). {_refused(memory.limit)}"
        ]
    policy = engine.eviction.victims.policy
    keys = sum([each.store.size() for each in engine.keyspaces])
    volatile = sum([each.store.volatile() for each in engine.keyspaces])
    if engine.eviction.failed:
        policies = " or ".join(sorted({memory.policy_of(store) for store in engine.stores}))
        return [
            f"Eviction: {where}, and no key can be evicted by {policies}: {volatile} of {keys} "
            f"keys have a deadline. {_refused(memory.limit)}"
        ]
    return _few(policy, keys, volatile, where)


def _stores(engine: "Engine") -> list[str]:
    """What there is to say of the limits of single stores."""
    found = []
    for store in engine.stores:
        used = store.used_memory()
        limit = int(store.max_memory)
        if not _is_near(engine, used, limit):
            continue
        where = f"the store '{store.name}' takes {_part(used, limit)} of its max-memory"
        policy = engine.memory.policy_of(store)
        if policy == "noeviction":
            found.append(f"Store: {where}, and its policy is noeviction. {_remedy(store)}")
        elif store.exhausted:
            found.append(f"Store: {where}, and {policy} finds nothing to evict. {_remedy(store)}")
        else:
            data = store.keyspace.store
            found += _few(policy, data.size(), data.volatile(), where)
    return found


def _few(policy: str, keys: int, volatile: int, where: str) -> list[str]:
    """A policy for keys with a deadline, where hardly any key has one."""
    if not policy.startswith("volatile-") or volatile * _FEW >= keys:
        return []
    return [
        f"Policy: {where}, and {policy} may evict {volatile} of {keys} keys only, those with a "
        "deadline. Give more keys one (EXPIRE, or the rule default-expiry of a store), or choose "
        "an allkeys- policy."
    ]


def _process(engine: "Engine", usage: MemoryUsage) -> list[str]:
    """What there is to say of the process, and of the container that it is in."""
    pressure = engine.pressure
    limit = int(pressure.process.limit)
    container = pressure.container
    maximum = int(engine.memory.maxmemory)
    found = []
    if _is_near(engine, usage.resident, limit):
        part = _part(usage.resident, limit)
        if pressure.basis == BY_SETTING:
            text = f"Process: it takes {part} of maxmemory-rss. "
            if engine.memory.ceiling:
                text += f"So the data may take {human(int(engine.memory.ceiling))} and no more. "
            found.append(text + "Lower maxmemory so that it fits in, or raise maxmemory-rss.")
        elif pressure.basis == BY_CONTAINER:
            found.append(
                f"Process: it takes {part} of what the container may, and there the system ends "
                "it. Lower maxmemory, set maxmemory-rss, or give the container more."
            )
        else:
            found.append(
                f"Process: it takes {human(usage.resident)}, while its data take "
                f"{human(usage.used)} and may take {human(maximum)}."
            )
    if 0 < container < maximum:
        found.append(f"Container: {too_large(maximum, container)}")
    elif container and not maximum and pressure.basis == BY_CONTAINER:
        found.append(
            f"Container: it may take {human(container)}, and no limit is set. Set maxmemory to two "
            f"thirds of that ({human(container * 2 // 3)}) or less, and maxmemory-rss to 90%."
        )
    return found


def _use(engine: "Engine", usage: MemoryUsage) -> list[str]:
    """What there is to say of what memory is used for."""
    found = []
    if usage.peak > usage.used * 3 // 2:
        found.append(
            f"Peak: the data took up to {human(usage.peak)} and take {human(usage.used)} now; the "
            "process may still hold what was freed, for what comes. MEMORY PURGE gives some back."
        )
    if usage.fragmentation() > 1.4 and usage.unaccounted() > _LOST:
        found.append(
            f"Fragmentation: the process takes {human(usage.resident)}, of which only "
            f"{human(usage.accounted)} are accounted for. MEMORY PURGE may give some back; what is "
            "left serves new data."
        )
    if usage.clients > len(engine.sessions) * _LARGE_CLIENT:
        found.append(
            f"Clients: their buffers take {human(usage.clients)}; CLIENT LIST shows whose "
            "(omem, qbuf, multi-mem). maxmemory-clients and client-output-buffer-limit bound them."
        )
    scripts = fields_of_plugins(engine, "memory").get("number_of_cached_scripts", 0)
    if isinstance(scripts, int) and scripts > _MANY_SCRIPTS:
        found.append(
            f"Scripts: {scripts} are cached. Give values as arguments (KEYS, ARGV) and not in the "
            "text of a script; SCRIPT FLUSH forgets those of EVAL."
        )
    return found


def _is_near(engine: "Engine", used: int, limit: int) -> bool:
    """Whether a use has reached the lowest of the levels that are worth a word."""
    return limit > 0 and used * 100 >= limit * engine.pressure.levels[0]


def _part(used: int, limit: int) -> str:
    return f"{human(used)}, {100 * used / limit:.1f}%"


def _refused(limit: int) -> str:
    return (
        f"Commands that may grow the data are refused above {human(int(limit))}. Delete keys "
        "(KEYSTATS BIG knows the largest), raise maxmemory, or choose an allkeys- policy."
    )


def _remedy(store: "Store") -> str:
    return (
        f"Commands that may grow it are refused above {human(int(store.limit))}. Delete keys, or "
        f"change its rules: STORES SET {store.name} max-memory ... policy ..."
    )
