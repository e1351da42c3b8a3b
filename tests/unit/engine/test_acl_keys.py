"""Random calls of all commands with keys: whoever may only read changes nothing."""

import random

from hypercache.engine.settlement import ChangeObserver
from hypercache.keyspace.changes import Touch
from hypercache.testing.calls import Calls, Pools, Tape
from hypercache.testing.engine import NOTHING, EngineHarness
from hypercache.testing.resp import ReplyError

CALLS = 1200
POOLS = Pools(
    keys=(b"a", b"b", b"c"),
    integers=(b"0", b"1", b"2", b"-1"),
    # Numbers that are read in one way by the rules and in another by the command.
    named={"numkeys": (b"1", b"2", b"3", b"0", b"01", b"+1", b" 1")},
)
DENIED = ReplyError("NOPERM No permissions to access a key")


class Changed(ChangeObserver):
    """Notes the keys that were touched."""

    def __init__(self) -> None:
        self.keys: list[bytes | None] = []

    def changed(self, touches: list[Touch]) -> None:
        self.keys += [touch.key for touch in touches]


def test_a_reader_changes_nothing() -> None:
    harness = EngineHarness()
    seen = Changed()
    harness.engine.settlement.observe(seen)
    harness.command("ACL", "SETUSER", "reader", "on", "nopass", "+@all", "%R~*")
    chance = random.Random(5)
    commands = [
        Calls(command, POOLS)
        for command in harness.engine.registry.originals()
        if command.has_keys and command.subcommands is None and command.name != b"migrate"
    ]
    reader = harness.client()
    denied = allowed = 0
    for _ in range(CALLS):
        call = chance.choice(commands).draw(Tape(chance.randbytes(60)))
        if reader.session.blocked or reader.session.user is harness.engine.acl.default:
            reader.disconnect()
            reader = harness.client()
            reader.command("AUTH", "reader", "any")
        seen.keys.clear()
        reply = reader.command(*call)
        assert seen.keys == [], call
        denied += reply == DENIED
        allowed += not isinstance(reply, ReplyError) and reply is not NOTHING
        # Then the same call by somebody who may, so that there is something to change.
        writer = harness.client()
        writer.command(*call)
        writer.disconnect()
    assert min(denied, allowed) > CALLS // 10
