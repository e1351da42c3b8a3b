"""What operations on values of a `KVBackend` cost, in calls of the store.

``python -m tests.contract.costs 100 10000 1000000`` prints a table for values of so many
elements, which takes minutes for the last.
"""

import sys
from collections.abc import Callable
from typing import Any, Final

from hypercache.backend import HASH, KIND_NAMES, LIST, SET, STREAM, ZSET, Database
from hypercache.streams import MAX_ID, MIN_ID, Pending
from tests.contract.stores import CountingKV, opened

NOW: Final = 1_700_000_000_000
# Operations in one unit while a value grows.
_UNIT: Final = 10_000

Operation = Callable[[Any, int], object]
#: What is done with a value of a kind and n elements. Calls of the first ones do not depend on n,
#: those of the others on its logarithm.
FLAT: Final[dict[int, dict[str, Operation]]] = {
    HASH: {
        "HSET, a new field": lambda hash_, _: hash_.set(b"new", b"value"),
        "HSET, an old one": lambda hash_, n: hash_.set(element(n // 2), b"value"),
        "HGET": lambda hash_, n: hash_.get(element(n // 2)),
        "HDEL": lambda hash_, n: hash_.remove(element(n // 2)),
        "HSCAN": lambda hash_, _: hash_.scan(0, 10),
        "HPEXPIRE": lambda hash_, n: hash_.set_deadline(element(n // 3), NOW),
        "HRANDFIELD": lambda hash_, _: hash_.sample(2**61),
    },
    SET: {
        "SADD": lambda set_, _: set_.add(b"new"),
        "SISMEMBER": lambda set_, _: set_.contains(b"new"),
        "SREM": lambda set_, n: set_.remove(element(n // 2)),
        "SPOP": lambda set_, _: set_.remove(set_.sample(2**61)),
        "SRANDMEMBER": lambda set_, _: set_.sample(2**60),
        "SSCAN": lambda set_, _: set_.scan(0, 10),
    },
    LIST: {
        "LPUSH": lambda list_, _: list_.push_left(b"new"),
        "RPUSH": lambda list_, _: list_.push_right(b"new"),
        "LPOP": lambda list_, _: list_.pop_left(),
        "RPOP": lambda list_, _: list_.pop_right(),
        "LINDEX 20": lambda list_, _: list_.get(20),
        "LRANGE 0 9": lambda list_, _: list_.range(0, 10),
        "LRANGE -10 -1": lambda list_, _: list_.range(list_.length() - 10, list_.length()),
        "LTRIM 1 -1": lambda list_, _: list_.remove_range(0, 1),
        "LREM 1, near the head": lambda list_, _: list_.remove(element(10), 1, False),
        "LPOS, near the tail": lambda list_, n: list_.find(element(n - 9), 0, 1, n, True),
    },
    STREAM: {
        "XADD": lambda stream, _: stream.append(MAX_ID, [b"field", b"value"]),
        "XRANGE, 10 entries": lambda stream, _: stream.range(MIN_ID, MAX_ID, 10, False),
        "XREVRANGE, 10 entries": lambda stream, _: stream.range(MIN_ID, MAX_ID, 10, True),
        "XTRIM, one entry": lambda stream, _: stream.remove_first(1),
        "XDEL": lambda stream, n: stream.remove(id_of(n // 2)),
        "XACK": lambda stream, n: stream.group(b"group").remove_pending(id_of(n // 3)),
        "XPENDING, 10 of one consumer": lambda stream, _: stream.group(b"group").pending_range(
            MIN_ID, MAX_ID, 10, b"consumer"
        ),
    },
}
LOGARITHMIC: Final[dict[int, dict[str, Operation]]] = {
    ZSET: {
        "ZSCORE": lambda zset, n: zset.score(element(n // 2)),
        "ZADD, a new member": lambda zset, n: zset.set(b"new", n / 2 + 0.5),
        "ZADD, an old one": lambda zset, n: zset.set(element(n // 3), n / 5 + 0.5),
        "ZREM": lambda zset, n: zset.remove(element(n // 3 + 1)),
        "ZRANK": lambda zset, n: zset.rank(element(n // 2)),
        "ZCOUNT": lambda zset, n: zset.rank_of_score(n / 2, True),
        "ZRANGE, 10 in the middle": lambda zset, n: zset.range(n // 2, n // 2 + 10),
        "ZREMRANGEBYRANK, 3": lambda zset, n: zset.remove_range(n // 2, n // 2 + 3),
        "ZPOPMIN": lambda zset, _: zset.remove_range(0, 1),
        "ZRANDMEMBER": lambda zset, _: zset.sample(2**61 + 31),
    },
    LIST: {
        "LINDEX, middle": lambda list_, n: list_.get(n // 2 - 20),
        "LSET, middle": lambda list_, n: list_.set(n // 2 - 20, b"new"),
        "LRANGE, 10 in the middle": lambda list_, n: list_.range(n // 2 - 20, n // 2 - 10),
        "LINSERT, middle": lambda list_, n: list_.insert(n // 2 - 20, b"new"),
        "removing 3 in the middle": lambda list_, n: list_.remove_range(n // 2, n // 2 + 3),
    },
}


def element(number: int) -> bytes:
    """A field, a member, an element of a list."""
    return b"element %06d" % number


def id_of(number: int) -> bytes:
    """The id of a stream's entry."""
    return (number + 1).to_bytes(16, "big")


def made(database: Database, kind: int) -> Any:
    """The value of a kind, under the kind's name."""
    key = KIND_NAMES[kind].encode()
    entry = database.find(key) or database.create(key, kind)
    return entry.value


def add_one(value: Any, number: int) -> None:
    """One element more, and in a stream a pending entry."""
    if value.kind == HASH:
        value.set(element(number), b"value")
    elif value.kind == LIST:
        value.push_right(element(number))
    elif value.kind == SET:
        value.add(element(number))
    elif value.kind == ZSET:
        value.set(element(number), float(number))
    else:
        if number == 0:
            value.create_group(b"group", MIN_ID, 0).set_consumer(b"consumer", NOW, NOW)
        value.append(id_of(number), [b"field", b"value"])
        value.group(b"group").set_pending(Pending(id_of(number), b"consumer", NOW, 1))


def calls(kind: int, count: int) -> dict[str, int]:
    """Calls of the store for each operation on a value of so many elements.

    Those of a whole unit with this operation alone: one is to find the value, and two or three
    are to write its record and the counters at the end.
    """
    kv = CountingKV()
    backend, (database, _) = opened(kv)
    for number in range(count):
        if number % _UNIT == 0:
            if number > 0:
                backend.commit()
            backend.begin()
        add_one(made(database, kind), number)
        kv.calls.clear()
    backend.commit()
    found: dict[str, int] = {}
    for name, operation in (FLAT.get(kind, {}) | LOGARITHMIC.get(kind, {})).items():
        kv.calls.clear()
        backend.begin()
        operation(made(database, kind), count)
        backend.commit()
        found[name] = len(kv.calls)
    if wrong := database.check():
        raise AssertionError(f"{KIND_NAMES[kind]} of {count}: {wrong}")
    return found


def main(sizes: list[int]) -> None:
    """Print the table."""
    print("| Operation |", " | ".join(f"{size:,}" for size in sizes), "|")
    print("| --- |" + " ---: |" * len(sizes))
    for kind in (HASH, SET, ZSET, LIST, STREAM):
        columns = [calls(kind, size) for size in sizes]
        for name in columns[0]:
            print(f"| {name} |", " | ".join(str(column[name]) for column in columns), "|")
            sys.stdout.flush()


if __name__ == "__main__":
    main([int(size) for size in sys.argv[1:]])
