"""A backend on trial: every call is made on it and on a model, and compared."""

from collections.abc import Callable
from random import Random
from typing import Final

import attrs

from hypercache.backend import Backend, Snapshot
from hypercache.testing.database_trial import Bench, DatabaseTrial
from hypercache.testing.faults import FaultPlan
from hypercache.testing.model import Model

Make = Callable[[], Backend]
Reopen = Callable[[Backend], Backend]
Faulty = Callable[[FaultPlan], Backend]

DATABASES: Final = 3
#: More calls of `reclaim` than any check should need.
RECLAIM_CALLS: Final = 10_000


@attrs.frozen
class Setup:
    """What a check is given: see `hypercache.testing.check_backend`."""

    make: Make
    reopen: Reopen | None
    crash: Reopen | None
    faulty: Faulty | None
    seed: int
    examples: int


class Trial(Bench):
    """One check's backend, opened with three databases, and what it should hold.

    Where the backend wants units, one is always open; `next_unit` commits it.
    """

    def __init__(self, check: str, rule: str, setup: Setup, plan: FaultPlan | None = None) -> None:
        super().__init__(check, rule, Model(DATABASES), Random(f"{setup.seed} {check}"))
        self.setup = setup
        self.backend = self._make(plan)
        self._saved = self.model.copy()
        self.databases: list[DatabaseTrial] = []
        self._open()

    def _make(self, plan: FaultPlan | None) -> Backend:
        faulty = self.setup.faulty
        if plan is None or faulty is None:
            return self.call("make()", self.setup.make)
        return self.call("faulty(plan)", lambda: faulty(plan))

    def again(self, plan: FaultPlan | None = None) -> "Trial":
        """Another trial of the same, with a new backend, perhaps one with faults."""
        return Trial(self.check, self.rule, self.setup, plan)

    @property
    def units(self) -> bool:
        """Whether the backend has units."""
        return self.backend.wants_units

    def _open(self) -> None:
        opened = self.call(f"open({DATABASES})", lambda: self.backend.open(DATABASES))
        self.expect("the number of databases from open()", DATABASES, len(opened))
        self.databases = [DatabaseTrial(self, *pair) for pair in enumerate(opened)]
        self.begin_unit()

    # Units -----------------------------------------------------------------------------------

    def begin_unit(self) -> None:
        """Begin a unit after `end_unit`."""
        if self.units:
            self.call("begin()", self.backend.begin)
            self._saved = self.model.copy()

    def end_unit(self) -> None:
        """Commit the unit and be between units for a while."""
        if self.units:
            self.call("commit()", self.backend.commit)

    def next_unit(self) -> None:
        """Commit the unit and begin the next, as the engine does between rounds."""
        self.end_unit()
        self.begin_unit()

    def undo_unit(self) -> None:
        """Roll the unit back and begin the next."""
        self.drop_unit()
        self.begin_unit()

    def drop_unit(self) -> None:
        """Roll the unit back and be between units for a while."""
        self.call("rollback()", self.backend.rollback)
        self.lose_unit()

    def lose_unit(self) -> None:
        """What the unit has changed is gone, in the model."""
        self.model = self._saved

    def reclaim(self) -> None:
        """Let the backend free all that it left for later."""
        for _ in range(RECLAIM_CALLS):
            if not self.call("reclaim(100)", lambda: self.backend.reclaim(100)):
                return
        self.fail(f"reclaim(100) is False after {RECLAIM_CALLS} calls at the latest", "True")

    # The store -------------------------------------------------------------------------------

    def close(self) -> None:
        """Commit and close."""
        self.end_unit()
        self.call("close()", self.backend.close)

    def reopen(self) -> None:
        """Close the store and open it again."""
        reopener = self.setup.reopen
        if reopener is None:
            self.fail("a reopen= argument, since the backend says that it is durable", "None")
        self.close()
        self.backend = self.call("reopen()", lambda: reopener(self.backend))
        self._open()

    def crash(self, crash: Reopen) -> None:
        """Leave the backend as it is, unit and all, and open the store anew."""
        self.backend = self.call("crash()", lambda: crash(self.backend))
        if self.units:
            self.lose_unit()
        self._open()

    def snapshot(self) -> "SnapshotTrial":
        """Commit, take a snapshot, and begin the next unit."""
        self.end_unit()
        snapshot = self.call("snapshot()", self.backend.snapshot)
        taken = SnapshotTrial(self, snapshot)
        self.begin_unit()
        return taken

    def verify(self) -> None:
        """Compare everything that the backend holds with what it should hold."""
        for database in self.databases:
            database.verify()

    def memory(self) -> list[int]:
        """The memory figures of the databases."""
        return [database.database.memory() for database in self.databases]

    def finish(self) -> None:
        """The end of every check: all is as it should be, before and after a commit."""
        self.verify()
        self.next_unit()
        self.verify()
        self.close()


class SnapshotTrial(Bench):
    """A snapshot, and what the databases held when it was taken; it shares the trial's steps."""

    def __init__(self, trial: Trial, snapshot: Snapshot) -> None:
        super().__init__(
            trial.check, trial.rule, trial.model.copy(), trial.random, "the snapshot's "
        )
        self.steps = trial.steps
        self.snapshot = snapshot
        self.expect("the number of a snapshot's databases", DATABASES, len(snapshot.databases))
        self.databases = [DatabaseTrial(self, *pair) for pair in enumerate(snapshot.databases)]

    def compare(self) -> None:
        """Compare everything that it shows with what there was."""
        for database in self.databases:
            self.steps.append(f"look at {database.name}")
            database.compare()

    def close(self) -> None:
        """Give it back."""
        self.call("snapshot.close()", self.snapshot.close)
