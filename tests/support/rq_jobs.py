"""The jobs of the tests with RQ: imported by them and by the worker processes."""

from typing import Any

from rq import get_current_job
from rq.job import Job


def add(a: int, b: int) -> int:
    return a + b


def broken(text: str) -> None:
    raise ValueError(text)


def half_done() -> str:
    """Leaves something in its own metadata."""
    job = get_current_job()
    assert job is not None
    job.meta["progress"] = 50
    job.save_meta()
    return str(job.id)


def sum_of_those_before() -> int:
    """Adds up the results of the jobs that it depends on."""
    job = get_current_job()
    assert job is not None
    return sum(each.return_value() for each in job.fetch_dependencies())


def on_success(job: Job, connection: Any, result: Any, *args: Any) -> None:
    connection.set(f"succeeded:{job.id}", result)


def on_failure(job: Job, connection: Any, *exception: Any) -> None:
    connection.set(f"failed:{job.id}", str(exception[1]))
