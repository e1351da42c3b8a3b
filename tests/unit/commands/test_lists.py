"""What lists tell observers and the journal; replies and errors are in the transcripts."""

import pytest

from hypercache.engine.settlement import ChangeObserver
from hypercache.keyspace.changes import Touch
from hypercache.testing.engine import EngineHarness
from tests.support.sinks import MemorySink

#: Commands, the events that redis-server 7.2.6 tells of them, and the changes that it counts.
TOLD = (
    (
        "RPUSH l a b c|LPUSH l x|LPUSHX none a|LPOP l|RPOP l 5",
        "rpush l|lpush l|lpop l|rpop l|del l",
        8,
    ),
    (
        "RPUSH l a b|LMOVE l m LEFT RIGHT|LMOVE l m LEFT RIGHT|LMOVE m m LEFT RIGHT"
        "|RPOPLPUSH m l|LMOVE none m LEFT LEFT",
        "rpush l|rpush m|lpop l|rpush m|lpop l|del l|rpush m|lpop m|lpush l|rpop m",
        6,
    ),
    (
        "RPUSH l a|RPUSH m b|LTRIM l 0 -1|LTRIM l 1 0|LTRIM l 0 0|LSET m 0 b|LINSERT m AFTER b c"
        "|LREM m 0 none|LREM m 0 c|LPOP m 0",
        "rpush l|rpush m|ltrim l|ltrim l|del l|lset m|linsert m|lrem m",
        6,
    ),
    (
        "RPUSH l a b c d|LMPOP 2 x l LEFT COUNT 2|BLPOP l 0|BLMPOP 0 1 l RIGHT COUNT 9|RPUSH l a"
        "|BLMOVE l m LEFT LEFT 0",
        "rpush l|lpop l|lpop l|rpop l|del l|rpush l|lpush m|lpop l|del l",
        10,
    ),
)


class Observer(ChangeObserver):
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def changed(self, touches: list[Touch]) -> None:
        for touch in touches:
            assert touch.key is not None
            self.seen.append(f"{touch.event.name} {touch.key.decode()}")


@pytest.mark.parametrize(("requests", "events", "changes"), TOLD)
def test_events_are_told_and_changes_counted_as_in_redis(
    harness: EngineHarness, requests: str, events: str, changes: int
) -> None:
    observer = Observer()
    harness.engine.settlement.observe(observer)
    before = int(harness.engine.changes.dirty)
    for request in requests.split("|"):
        harness.command(*request.split(" "))
    assert observer.seen == events.split("|")
    assert harness.engine.changes.dirty - before == changes


def test_effects(harness: EngineHarness) -> None:
    sink = MemorySink("sink")
    harness.engine.settlement.add_sink(sink)

    def effects(request: str) -> list[str]:
        before = len(sink.commands())
        harness.command(*request.split(" "))
        return [b" ".join(args).decode() for args in sink.commands()[before:]]

    plain = ("RPUSH l a b c d e f", "LPOP l", "RPOP l 2", "LTRIM l 0 1", "LMOVE l m LEFT LEFT")
    for request in plain:
        assert effects(request) == [request]
    for request in ("LTRIM l 0 -1", "LREM l 0 none", "LPOP l 0", "LMPOP 1 none LEFT", "LPOP none"):
        assert effects(request) == []
    assert effects("RPUSH l a b c d e") == ["RPUSH l a b c d e"]
    assert effects("BLPOP none l 0") == ["LPOP l"]
    assert effects("BRPOP l 0.1") == ["RPOP l"]
    assert effects("LMPOP 2 none l RIGHT") == ["RPOP l 1"]
    assert effects("LMPOP 2 none l LEFT COUNT 2") == ["LPOP l 2"]
    assert effects("BLMOVE l m left right 0") == ["LMOVE l m left right"]
    assert effects("BRPOPLPUSH m l 0") == ["RPOPLPUSH m l"]
    assert effects("BLMPOP 0 2 none l RIGHT COUNT 9") == ["RPOP l 1"]
    assert effects("BLPOP none 0.001") == []


def test_digests_are_those_of_redis(harness: EngineHarness) -> None:
    harness.engine.protected_commands["DEBUG"] = "yes"
    harness.command("RPUSH", "l", *range(1, 3001))
    harness.command("RPUSH", "m", "a", "", "b")
    assert harness.command("DEBUG", "DIGEST-VALUE", "l", "m") == [
        "5f7f7f3f5d3430b5b10b2a76adf65e6d1c787622",
        "663328d29def2530987a29f9e2855cbf936bf1e1",
    ]
    assert harness.command("DEBUG", "DIGEST") == "5d35125c120d2578a7b58c401030fb9e686cb5d2"


def test_a_long_list_costs_the_foreground_nothing_to_delete(harness: EngineHarness) -> None:
    for _ in range(5):
        harness.command("RPUSH", "l", *range(500))
    assert harness.command("DEL", "l") == 1
    assert harness.command("EXISTS", "l") == 0
    harness.tick()
    assert harness.engine.backend.reclaim(1) is False
