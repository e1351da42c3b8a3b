"""The state machine that Hypothesis drives, and the soak that plays on and on."""

import os
import random
import time
from typing import Final

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    rule,
    run_state_machine_as_test,
)

from hypercache.commands import load
from hypercache.engine.registry import Registry
from hypercache.testing.calls import Tape
from hypercache.testing.strategies import tapes
from tests.machine.duel import Difference, Duel
from tests.machine.script import TAPE_BYTES, Script, Unit
from tests.machine.shrinking import shrunk

#: Commands that have nothing to tell here but nil or zero, and why.
UNFRUITFUL: Final[dict[bytes, str]] = {
    b"object|freq": "needs a policy that counts accesses",
    b"object|idletime": "no key is idle for a second",
    b"wait": "there are no replicas",
}
SOAK_COMMANDS: Final = int(os.environ.get("HYPERCACHE_SOAK_COMMANDS", "10000000"))
SOAK_SEED: Final = os.environ.get("HYPERCACHE_SOAK_SEED", "")

_SEQUENCE: Final = 300
_TOUR_CALLS: Final = 15
_TOUR_TRIES: Final = 30
_PROGRESS_SECONDS: Final = 30


def registry() -> Registry:
    """All commands that we declare."""
    found = Registry()
    load(found)
    return found


class DataCommands(RuleBasedStateMachine):
    """Pipelines of random units; at the end both servers hold the same."""

    def __init__(self, duel: Duel, script: Script) -> None:
        super().__init__()
        self.duel = duel
        self.script = script

    @initialize(protocol=st.sampled_from([2, 3]))
    def begin(self, protocol: int) -> None:
        self.duel.restart(protocol)
        self.duel.play(self.script.furniture)

    @rule(choices=st.lists(tapes(TAPE_BYTES), min_size=1, max_size=16))
    def pipeline(self, choices: list[Tape]) -> None:
        self.duel.play([self.script.unit(tape) for tape in choices])

    @rule()
    def look(self) -> None:
        self.duel.compare_contents()

    def teardown(self) -> None:
        self.duel.compare_contents()


def play_bounded(duel: Duel, script: Script, examples: int = 20, sequences: int = 25) -> None:
    """The same in every run: a tour, examples of Hypothesis, and sequences from seeds."""
    tour(duel, script)

    class Bound(DataCommands):
        def __init__(self) -> None:
            super().__init__(duel, script)

    run_state_machine_as_test(
        Bound,
        settings=settings(
            max_examples=examples,
            stateful_step_count=10,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
    for number in range(sequences):
        play_seed(duel, script, f"bounded/{number}")


def tour(duel: Duel, script: Script) -> None:
    """Call each command until it has done something, so that none is left to chance."""
    for calls in script.calls:
        source = random.Random(calls.command.name)
        for _ in range(1 if calls.command.name in UNFRUITFUL else _TOUR_TRIES):
            tapes_ = [Tape(source.randbytes(TAPE_BYTES)) for _ in range(_TOUR_CALLS)]
            units = [*script.furniture, *(script.call(calls, tape) for tape in tapes_)]
            title = f"tour of {calls.command.name!r}"
            play_units(duel, source.choice((2, 3)), units, title, looks=False)
            if duel.account.fruitful[calls.command.name]:
                break


def sequence(script: Script, seed: str) -> tuple[int, list[Unit]]:
    """The protocol and the units of a sequence; the same seed gives the same."""
    source = random.Random(seed)
    tapes_ = [Tape(source.randbytes(TAPE_BYTES)) for _ in range(_SEQUENCE)]
    return source.choice((2, 3)), [*script.furniture, *map(script.unit, tapes_)]


def play_sequence(duel: Duel, protocol: int, units: list[Unit], looks: bool = True) -> None:
    """Play a sequence from scratch and, if it ``looks``, compare what is stored in the end."""
    duel.restart(protocol)
    duel.play(units)
    if looks:
        duel.compare_contents()


def play_seed(duel: Duel, script: Script, seed: str) -> None:
    """Play the sequence of a seed; AssertionError with the requests that matter."""
    protocol, units = sequence(script, seed)
    play_units(duel, protocol, units, f"HYPERCACHE_SOAK_SEED={seed}")


def play_units(
    duel: Duel, protocol: int, units: list[Unit], title: str, looks: bool = True
) -> None:
    """Play units from scratch; AssertionError with the title and the requests that matter."""
    try:
        play_sequence(duel, protocol, units, looks)
    except Difference as difference:
        text = explained(duel, protocol, units, difference)
        raise AssertionError(f"{title}\n{text}") from None


def soak(duel: Duel, script: Script) -> None:
    """Play sequences until `SOAK_COMMANDS` requests have been compared, or the one of a seed."""
    if "/" in SOAK_SEED:
        play_seed(duel, script, SOAK_SEED)
        return
    seed = SOAK_SEED or str(random.SystemRandom().randrange(10**9))
    count = 0
    print(f"\nHYPERCACHE_SOAK_SEED={seed}, {SOAK_COMMANDS:,} requests", flush=True)
    next_word = time.monotonic() + _PROGRESS_SECONDS
    while duel.account.requests < SOAK_COMMANDS:
        play_seed(duel, script, f"{seed}/{count}")
        count += 1
        if time.monotonic() > next_word:
            next_word += _PROGRESS_SECONDS
            print(f"{duel.account.requests:,} requests, sequence {count}", flush=True)


def explained(duel: Duel, protocol: int, units: list[Unit], difference: Difference) -> str:
    """The fewest requests that show a difference of the same command, and the replies."""

    last = difference

    def fails(some: list[Unit]) -> bool:
        nonlocal last
        try:
            play_sequence(duel, protocol, some)
        except Difference as found:
            if found.name == difference.name:
                last = found
                return True
        return False

    kept = shrunk(units, fails)
    lines = [f"> {' '.join(map(_shown, request))}" for unit in kept for request in unit]
    return "\n".join([f"RESP{protocol}", *lines, str(last)])


def _shown(word: bytes) -> str:
    """A word as transcripts have it."""
    text = word.decode("latin-1")
    plain = text.isascii() and text.isprintable() and '"' not in text and " " not in text
    return text if plain and text else '"' + text.encode("unicode_escape").decode() + '"'
