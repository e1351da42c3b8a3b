"""RQ: queues, workers, registries, retries and the scheduler."""

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from redis import Redis
from rq import Callback, Queue, Repeat, Retry, SimpleWorker, Worker
from rq.command import send_shutdown_command
from rq.job import Job, JobStatus
from rq.registry import FailedJobRegistry, FinishedJobRegistry, ScheduledJobRegistry
from rq.scheduler import RQScheduler

from hypercache.testing.server import ServerProcess
from tests.support import rq_jobs
from tests.support.process import wait_until
from tests.support.sources import ROOT

SECONDS = 20


@pytest.fixture
def connection(server: ServerProcess) -> Iterator[Redis]:
    with Redis.from_url(server.url) as client:
        yield client


@pytest.fixture
def queue(connection: Redis) -> Queue:
    return Queue(connection=connection)


def work(queue: Queue, **options: object) -> None:
    """Work off all that is in the queue, in this process."""
    worker = SimpleWorker([queue], connection=queue.connection)
    worker.work(burst=True, logging_level="WARNING", **options)


def test_results(queue: Queue) -> None:
    first = queue.enqueue(rq_jobs.add, 2, 3)
    with_meta = queue.enqueue(rq_jobs.half_done, job_id="mine", result_ttl=500)
    assert queue.job_ids == [first.id, "mine"]
    assert first.get_status() == JobStatus.QUEUED
    work(queue)
    assert first.get_status(refresh=True) == JobStatus.FINISHED
    assert first.return_value() == 5
    assert with_meta.return_value() == "mine"
    assert Job.fetch("mine", connection=queue.connection).meta == {"progress": 50}
    assert 450 < queue.connection.ttl("rq:job:mine") <= 500
    assert set(FinishedJobRegistry(queue=queue).get_job_ids()) == {first.id, "mine"}
    assert queue.is_empty()


def test_failures_and_retries(queue: Queue) -> None:
    job = queue.enqueue(rq_jobs.broken, "not today", retry=Retry(max=2))
    work(queue)
    assert job.get_status(refresh=True) == JobStatus.FAILED
    assert Job.fetch(job.id, connection=queue.connection).retries_left == 0
    assert "ValueError: not today" in job.latest_result().exc_string
    failed = FailedJobRegistry(queue=queue)
    assert failed.get_job_ids() == [job.id]
    failed.requeue(job.id)
    assert queue.job_ids == [job.id]
    assert failed.count == 0
    queue.empty()
    assert not queue.connection.exists(f"rq:job:{job.id}")


def test_dependencies_and_callbacks(queue: Queue) -> None:
    first = [queue.enqueue(rq_jobs.add, i, i) for i in range(3)]
    last = queue.enqueue(
        rq_jobs.sum_of_those_before, depends_on=first, on_success=Callback(rq_jobs.on_success)
    )
    lost = queue.enqueue(rq_jobs.broken, "oh", on_failure=Callback(rq_jobs.on_failure))
    assert last.get_status() == JobStatus.DEFERRED
    work(queue)
    assert last.return_value() == 6
    assert queue.connection.get(f"succeeded:{last.id}") == b"6"
    assert queue.connection.get(f"failed:{lost.id}") == b"oh"


def test_scheduler(queue: Queue) -> None:
    due = queue.enqueue_at(datetime.now(UTC) - timedelta(seconds=1), rq_jobs.add, 1, 2)
    later = queue.enqueue_in(timedelta(hours=1), rq_jobs.add, 3, 4)
    registry = ScheduledJobRegistry(queue=queue)
    assert registry.get_job_ids() == [due.id, later.id]
    scheduler = RQScheduler([queue], connection=queue.connection)
    assert scheduler.acquire_locks() == {queue.name}
    assert RQScheduler([queue], connection=queue.connection).acquire_locks() == set()
    scheduler.prepare_registries([queue.name])
    scheduler.enqueue_scheduled_jobs()
    scheduler.heartbeat()
    scheduler.release_locks()
    assert registry.get_job_ids() == [later.id]
    work(queue)
    assert due.return_value() == 3


def test_repeats(queue: Queue) -> None:
    job = queue.enqueue(rq_jobs.add, 1, 1, repeat=Repeat(times=2))
    work(queue)
    assert [result.return_value for result in job.results()] == [2, 2, 2]


def test_queues_in_order_of_priority(connection: Redis) -> None:
    low, high = Queue("low", connection=connection), Queue("high", connection=connection)
    for each, name in ((low, "slow"), (high, "quick"), (low, "last")):
        each.enqueue(rq_jobs.half_done, job_id=name)
    low.enqueue(rq_jobs.half_done, job_id="foremost", at_front=True)
    SimpleWorker([high, low], connection=connection).work(burst=True, logging_level="WARNING")
    ended = [
        Job.fetch(name, connection=connection).ended_at
        for name in ("quick", "foremost", "slow", "last")
    ]
    assert ended == sorted(ended)


def test_worker_process(queue: Queue, server: ServerProcess) -> None:
    """A worker with its scheduler waits with BLMOVE, forks for each job, and obeys commands."""
    line = [sys.executable, "-m", "rq.cli", "worker", "--url", server.url, "--quiet"]
    worker = subprocess.Popen([*line, "--with-scheduler", "--path", str(ROOT)], cwd=ROOT)
    try:
        wait_until(lambda: len(Worker.all(queue.connection)) == 1, "it registers", SECONDS)
        (listed,) = Worker.all(queue.connection)
        assert listed.queue_names() == ["default"]
        job = queue.enqueue(rq_jobs.add, 20, 3)
        wait_until(lambda: job.get_status() == JobStatus.FINISHED, "it works", SECONDS)
        assert job.return_value() == 23
        send_shutdown_command(queue.connection, listed.name)
        assert worker.wait(SECONDS) == 0
    finally:
        worker.kill()
        worker.wait()
    assert Worker.all(queue.connection) == []
