"""What the commands tell observers and before-change hooks."""

from hypercache.backend import Entry, HashValue, StringValue
from hypercache.engine.settlement import ChangeObserver
from hypercache.keyspace.changes import BeforeChange, Touch
from hypercache.testing.engine import EngineHarness


class Observer(ChangeObserver):
    """Writes every touch down as ``event key``, with the database unless it is 0."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def changed(self, touches: list[Touch]) -> None:
        for touch in touches:
            key = "*" if touch.key is None else touch.key.decode()
            self.seen.append(f"{touch.database or ''} {touch.event.name} {key}".strip())


def observe(harness: EngineHarness, *commands: str) -> list[str]:
    """What an observer sees of some commands."""
    observer = Observer()
    harness.engine.settlement.observe(observer)
    for command in commands:
        harness.command(*command.split(" "))
    harness.engine.settlement.unobserve(observer)
    return observer.seen


def test_events_of_strings(harness: EngineHarness) -> None:
    assert observe(harness, "SET k v", "SET k v EX 10", "SETNX k w") == [
        "set k",
        "set k",
        "expire k",
    ]
    assert observe(harness, "SETEX k 10 v", "GETSET k v", "MSET a 1 b 2") == [
        "set k",
        "expire k",
        "set k",
        "set a",
        "set b",
    ]
    assert observe(harness, "INCR a", "DECRBY a 2", "INCRBYFLOAT a 1.5", "INCR k") == [
        "incrby a",
        "incrby a",
        "incrbyfloat a",
    ]
    assert observe(harness, "APPEND k x", "SETRANGE k 0 y", "SETRANGE k 0 ", "APPEND new x") == [
        "append k",
        "setrange k",
        "append new",
    ]
    assert observe(harness, "GETEX k EX 10", "GETEX k PERSIST", "GETEX k PERSIST", "GETDEL k") == [
        "expire k",
        "persist k",
        "del k",
    ]


def test_events_of_keys(harness: EngineHarness) -> None:
    harness.script("SET k v\nSET other w")
    assert observe(harness, "EXPIRE k 10", "PERSIST k", "PERSIST k") == ["expire k", "persist k"]
    assert observe(harness, "RENAME k l", "RENAMENX l other", "COPY l m", "MOVE m 1") == [
        "rename_from k",
        "rename_to l",
        "copy_to m",
        "move_from m",
        "1 move_to m",
    ]
    assert observe(harness, "DEL l none", "EXPIRE other -1", "UNLINK other") == [
        "del l",
        "del other",
    ]


def test_events_of_hashes(harness: EngineHarness) -> None:
    assert observe(harness, "HSET h f 1 g 2", "HSETNX h f 2", "HINCRBY h f 1") == [
        "hset h",
        "hincrby h",
    ]
    assert observe(harness, "HDEL h f none", "HDEL h f", "HDEL h g") == [
        "hdel h",
        "hdel h",
        "del h",
    ]


def test_an_expired_key_is_announced_before_what_replaces_it(harness: EngineHarness) -> None:
    harness.script("SET k v PX 10\nSET l v PX 10\nSET source v\nSET m v PX 10")
    harness.advance(11)
    assert observe(harness, "SET k w", "GET l", "RENAME source m") == [
        "expired k",
        "set k",
        "expired l",
        "expired m",
        "rename_from source",
        "rename_to m",
    ]


def test_whole_databases(harness: EngineHarness) -> None:
    assert observe(harness, "FLUSHDB", "SWAPDB 0 1", "SWAPDB 1 1") == [
        "flush *",
        "swap *",
        "1 swap *",
    ]


class Hook(BeforeChange):
    """Writes down each key with what was there just before its change."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def before_change(self, database: int, key: bytes, entry: Entry | None) -> None:
        before: object = None
        if entry is not None:
            value = entry.value
            before = value
            if isinstance(value, HashValue):
                before = dict(sorted(value.items()))
            elif isinstance(value, StringValue):
                before = value.read(0, value.length())
        self.seen.append(f"{database} {key.decode()} {before}")

    def before_clear(self, database: int) -> None:
        self.seen.append(f"{database} clear")

    def before_swap(self, first: int, second: int) -> None:
        self.seen.append(f"{first} {second} swap")


def test_hooks_see_each_key_once_and_as_it_was(harness: EngineHarness) -> None:
    hook = Hook()
    harness.engine.changes.hooks.append(hook)

    def seen(*commands: str) -> list[str]:
        hook.seen = []
        for command in commands:
            harness.command(*command.split(" "))
        return hook.seen

    assert seen("SET k v", "SET k w", "GET k", "SETNX k x") == ["0 k None", "0 k b'v'"]
    assert seen("APPEND k x", "EXPIRE k 10", "DEL none") == ["0 k b'w'", "0 k b'wx'"]
    assert seen("HSET h f 1 g 2", "HSET h f 3", "HDEL h f g") == [
        "0 h None",
        "0 h {b'f': b'1', b'g': b'2'}",
        "0 h {b'f': b'3', b'g': b'2'}",
    ]
    assert seen("MSET a 1 b 2", "RENAME a b", "MOVE b 1") == [
        "0 a None",
        "0 b None",
        "0 a b'1'",
        "0 b b'2'",
        "0 b b'1'",
        "1 b None",
    ]
    assert seen("FLUSHDB", "SWAPDB 0 1") == ["0 clear", "0 1 swap"]
