"""Random programs against the model, cut down to the steps that matter when one fails."""

from collections.abc import Callable
from functools import partial
from random import Random
from typing import Final

import attrs

from hypercache.backend import HASH, NO_EXPIRE, STRING
from hypercache.testing.checks.rules import NOW, rule
from hypercache.testing.conformance import ConformanceError
from hypercache.testing.database_trial import DatabaseTrial
from hypercache.testing.lists import ListTrial
from hypercache.testing.trial import DATABASES, Trial

LENGTH: Final = 150
#: Programs that are tried to find a shorter one that fails too.
SHRINKS: Final = 400

KEYS: Final = (b"a", b"b", b"c", b"d", b"", b"k" * 600, b"k" * 601)
FIELDS: Final = (b"1", b"2", b"3", b"", b"f" * 700)
SIZES: Final = (0, 1, 20, 64, 65, 300, 2_048, 2_049, 9_000)
DEADLINES: Final = (NO_EXPIRE, NO_EXPIRE, NOW, NOW + 1, NOW + 3_000)


@attrs.frozen
class Step:
    """One operation with what it needs; one that makes no sense any more does nothing."""

    operation: "Operation"
    database: int
    other: int
    key: bytes
    new_key: bytes
    field: bytes
    size: int
    deadline: int
    number: int

    def run(self, trial: Trial) -> None:
        """Do it."""
        self.operation(self, trial, trial.databases[self.database])


Operation = Callable[[Step, Trial, DatabaseTrial], None]


def _put(step: Step, trial: Trial, database: DatabaseTrial) -> None:
    database.put(step.key, b"%d" % step.number * step.size, step.deadline)


def _unlink(step: Step, trial: Trial, database: DatabaseTrial) -> None:
    database.unlink(step.key)


def _find(step: Step, trial: Trial, database: DatabaseTrial) -> None:
    database.find(step.key)


def _expire(step: Step, trial: Trial, database: DatabaseTrial) -> None:
    if step.key in database.model:
        database.expire(step.key, step.deadline)


def _set_field(step: Step, trial: Trial, database: DatabaseTrial) -> None:
    if step.key not in database.model:
        database.create(step.key, HASH)
    if isinstance(database.model[step.key].data, dict):
        database.set_field(step.key, step.field, b"%d" % step.number * step.size)


def _set_fields(step: Step, trial: Trial, database: DatabaseTrial) -> None:
    if step.key not in database.model:
        database.create(step.key, HASH)
    if isinstance(database.model[step.key].data, dict):
        for number in range(step.number):
            database.set_field(step.key, b"%d" % number, b"v")


def _remove_field(step: Step, trial: Trial, database: DatabaseTrial) -> None:
    held = database.model.get(step.key)
    if held is not None and isinstance(held.data, dict):
        database.remove_field(step.key, step.field)


def _set_field_deadline(step: Step, trial: Trial, database: DatabaseTrial) -> None:
    held = database.model.get(step.key)
    if held is not None and isinstance(held.data, dict) and step.field in held.data:
        database.set_field_deadline(step.key, step.field, step.deadline)


def _due_fields(step: Step, trial: Trial, database: DatabaseTrial) -> None:
    for key in database.due_fields(NOW + step.size, 1 + step.number):
        for field in list(database.model[key].deadlines):
            database.remove_field(key, field)


def _write(step: Step, trial: Trial, database: DatabaseTrial) -> None:
    if step.key not in database.model:
        database.create(step.key, STRING)
    if isinstance(database.model[step.key].data, bytearray) and step.size:
        database.write(step.key, step.number * 100, b"x" * step.size)


def _read(step: Step, trial: Trial, database: DatabaseTrial) -> None:
    held = database.model.get(step.key)
    if held is not None and isinstance(held.data, bytearray):
        database.read(step.key, step.number * 100, step.number * 100 + step.size)


def _list(step: Step, database: DatabaseTrial) -> ListTrial | None:
    """The list that a step is about; a new one where there is no key, None for other values."""
    held = database.model.get(step.key)
    if held is None:
        return ListTrial.create(database, step.key)
    return ListTrial(database, step.key) if isinstance(held.data, list) else None


def _push(step: Step, trial: Trial, database: DatabaseTrial) -> None:
    elements = _list(step, database)
    if elements is not None:
        for number in range(step.number):
            element = b"%d" % number if number % 5 else step.field
            if step.size % 2:
                elements.push_left(element)
            else:
                elements.push_right(element)


def _pop(step: Step, trial: Trial, database: DatabaseTrial) -> None:
    elements = _list(step, database)
    if elements is not None:
        for _ in range(min(step.number, len(elements.model))):
            if step.size % 2:
                elements.pop_left()
            else:
                elements.pop_right()


def _edit_list(step: Step, trial: Trial, database: DatabaseTrial) -> None:
    elements = _list(step, database)
    if elements is not None:
        size = len(elements.model)
        elements.insert(step.number * 7 % (size + 1), b"%d" % step.number * step.size)
        elements.set(step.number * 5 % (size + 1), step.field)


def _cut_list(step: Step, trial: Trial, database: DatabaseTrial) -> None:
    elements = _list(step, database)
    if elements is not None:
        size = len(elements.model)
        start = step.number * 3 % (size + 1)
        elements.remove_range(start, min(start + step.size % 50, size))
        elements.remove(step.field, 1 + step.number % 3, step.size % 2 == 1)
        elements.find(step.field, 0, 3, size + 1, step.size % 2 == 0)


def _move(step: Step, trial: Trial, database: DatabaseTrial) -> None:
    target = trial.databases[step.other]
    if step.key in database.model and (database is not target or step.key != step.new_key):
        database.move(step.key, target, step.new_key)


def _copy(step: Step, trial: Trial, database: DatabaseTrial) -> None:
    target = trial.databases[step.other]
    if step.key in database.model and (database is not target or step.key != step.new_key):
        database.copy(step.key, target, step.new_key)


def _clear(step: Step, trial: Trial, database: DatabaseTrial) -> None:
    if step.number % 8 == 0:
        database.clear()


def _swap(step: Step, trial: Trial, database: DatabaseTrial) -> None:
    if step.database != step.other:
        database.swap(trial.databases[step.other])


def _due(step: Step, trial: Trial, database: DatabaseTrial) -> None:
    for key in database.due(NOW + step.size, 1 + step.number):
        database.unlink(key)


def _scan(step: Step, trial: Trial, database: DatabaseTrial) -> None:
    seen: set[bytes] = set()
    cursor = 0
    for _ in range(2 * len(database.model) + 10):
        cursor, keys = database.scan(cursor, 1 + step.number % 4)
        seen.update(keys)
        if cursor == 0:
            break
    trial.expect("what a full scan returns", set(database.model), seen)


def _sample(step: Step, trial: Trial, database: DatabaseTrial) -> None:
    database.sample(step.number * (2**57))


def _commit(step: Step, trial: Trial, database: DatabaseTrial) -> None:
    trial.next_unit()


def _undo(step: Step, trial: Trial, database: DatabaseTrial) -> None:
    if trial.units and step.number % 2:
        trial.undo_unit()


def _reclaim(step: Step, trial: Trial, database: DatabaseTrial) -> None:
    budget = 1 + step.number
    trial.call(f"reclaim({budget})", lambda: trial.backend.reclaim(budget))


def _verify(step: Step, trial: Trial, database: DatabaseTrial) -> None:
    trial.verify()


OPERATIONS: Final[tuple[Operation, ...]] = (
    _put,
    _put,
    _put,
    _unlink,
    _find,
    _expire,
    _set_field,
    _set_field,
    _set_fields,
    _remove_field,
    _set_field_deadline,
    _set_field_deadline,
    _due_fields,
    _write,
    _write,
    _read,
    _push,
    _push,
    _pop,
    _edit_list,
    _cut_list,
    _move,
    _copy,
    _clear,
    _swap,
    _due,
    _scan,
    _sample,
    _commit,
    _undo,
    _reclaim,
    _verify,
)


def _program(random: Random) -> list[Step]:
    return [
        Step(
            operation=random.choice(OPERATIONS),
            database=random.randrange(DATABASES - 1),
            other=random.randrange(DATABASES),
            key=random.choice(KEYS),
            new_key=random.choice(KEYS),
            field=random.choice(FIELDS),
            size=random.choice(SIZES),
            deadline=random.choice(DEADLINES),
            number=random.randrange(32),
        )
        for _ in range(LENGTH)
    ]


def _failure(trial: Trial, program: list[Step]) -> ConformanceError | None:
    """What a fresh backend gets wrong with this program."""
    try:
        fresh = trial.again()
        for step in program:
            fresh.attempt(partial(step.run, fresh))
        fresh.attempt(fresh.finish)
    except ConformanceError as error:
        return error
    return None


def _shortest(trial: Trial, program: list[Step], error: ConformanceError) -> ConformanceError:
    """The failure of a program from which no part can be left out (delta debugging)."""
    tries = 0
    part = len(program) // 2
    while part > 0 and tries < SHRINKS:
        start = 0
        while start < len(program) and tries < SHRINKS:
            shorter = program[:start] + program[start + part :]
            found = _failure(trial, shorter)
            tries += 1
            if found is None:
                start += part
            else:
                program, error = shorter, found
        part //= 2
    return error


@rule
def random_programs_agree_with_a_model(trial: Trial) -> None:
    """Whatever the order of operations, units and rollbacks, the backend answers as a plain
    model of its contract does."""
    for _ in range(trial.setup.examples):
        program = _program(trial.random)
        error = _failure(trial, program)
        if error is not None:
            raise _shortest(trial, program, error)


CHECKS = (random_programs_agree_with_a_model,)
