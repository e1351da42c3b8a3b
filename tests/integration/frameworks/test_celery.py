"""Celery with the server as broker and result backend, and a worker in another process."""

import subprocess
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest
from celery import chain, chord, group
from celery.exceptions import TaskRevokedError

from hypercache.testing.server import ServerProcess
from tests.support import celery_app
from tests.support.process import wait_until
from tests.support.resp import connect
from tests.support.servers import server_process
from tests.support.sources import ROOT

SECONDS = 20


@pytest.fixture(scope="module")
def broker() -> Iterator[ServerProcess]:
    with server_process() as server:
        yield server


@pytest.fixture(scope="module")
def tasks(broker: ServerProcess) -> Iterator[ModuleType]:
    """The module of the tasks, with a worker that runs them."""
    line = [sys.executable, "-m", "celery", "-A", celery_app.__name__]
    line += ["--broker", broker.url, "--result-backend", broker.url, "worker"]
    line += ["--concurrency=2", "--task-events", "--without-mingle", "--loglevel=WARNING"]
    celery_app.app.conf.update(broker_url=broker.url, result_backend=broker.url)
    worker = subprocess.Popen(line, cwd=ROOT)
    try:
        yield celery_app
    finally:
        worker.terminate()
        assert worker.wait(SECONDS) == 0
        celery_app.app.close()


def test_results(tasks: ModuleType) -> None:
    result = tasks.add.delay(2, 3)
    assert result.get(timeout=SECONDS) == 5
    assert result.state == "SUCCESS"
    assert result.args == [2, 3]
    failed = tasks.broken.delay("not today")
    with pytest.raises(ValueError, match="not today"):
        failed.get(timeout=SECONDS)
    assert failed.state == "FAILURE"
    assert "raise ValueError" in failed.traceback
    result.forget()
    assert result.state == "PENDING"


def test_many_results_at_once(tasks: ModuleType) -> None:
    results = group(tasks.add.s(i, i) for i in range(100))()
    assert results.get(timeout=SECONDS) == [2 * i for i in range(100)]


def test_retries(tasks: ModuleType) -> None:
    assert tasks.third_time.delay().get(timeout=SECONDS) == 2


def test_state_of_its_own(tasks: ModuleType) -> None:
    assert tasks.reports.delay().get(timeout=SECONDS) == "HALFWAY"


def test_canvas(tasks: ModuleType) -> None:
    """Chords count in the backend how many of their tasks have ended."""
    assert chain(tasks.add.s(1, 2), tasks.add.s(10))().get(timeout=SECONDS) == 13
    header = [tasks.add.s(i, 1) for i in range(20)]
    assert chord(header)(tasks.total.s()).get(timeout=SECONDS) == 210
    with pytest.raises(Exception, match="not today"):
        chord([tasks.add.s(1, 1), tasks.broken.s("not today")])(tasks.total.s()).get(
            timeout=SECONDS
        )


def test_tasks_for_later_and_with_priority(tasks: ModuleType) -> None:
    later = tasks.add.apply_async((1, 1), countdown=0.2)
    urgent = tasks.add.apply_async((2, 2), priority=0)
    expired = tasks.add.apply_async((3, 3), expires=-1)
    assert urgent.get(timeout=SECONDS) == 4
    assert later.get(timeout=SECONDS) == 2
    with pytest.raises(TaskRevokedError):
        expired.get(timeout=SECONDS)


def test_revoked_while_it_runs(tasks: ModuleType) -> None:
    """Control messages reach every worker through a channel."""
    result = tasks.endless.delay()
    wait_until(lambda: result.state == "STARTED", "the task starts", SECONDS)
    result.revoke(terminate=True)
    with pytest.raises(TaskRevokedError):
        result.get(timeout=SECONDS)


def test_remote_control(tasks: ModuleType) -> None:
    inspect = tasks.app.control.inspect(timeout=SECONDS, limit=1)
    ((name, answer),) = inspect.ping().items()
    assert name.startswith("celery@")
    assert answer == {"ok": "pong"}
    assert f"{celery_app.__name__}.add" in next(iter(inspect.registered().values()))


def test_events(tasks: ModuleType) -> None:
    """What a monitor such as Flower sees of a task."""
    seen: list[str] = []

    def note(event: dict[str, Any]) -> None:
        if not seen:  # the answer to the wake-up: from now on we miss nothing
            tasks.add.delay(1, 1)
        seen.append(event["type"])
        receiver.should_stop = "task-succeeded" in seen

    with tasks.app.connection_for_read() as connection:
        receiver = tasks.app.events.Receiver(connection, handlers={"*": note})
        receiver.capture(timeout=SECONDS, wakeup=True)
    assert {"task-received", "task-started", "task-succeeded"} <= set(seen)


def test_nothing_is_left_unacknowledged(tasks: ModuleType, broker: ServerProcess) -> None:
    assert tasks.add.delay(1, 1).get(timeout=SECONDS) == 2
    with connect(broker) as client:
        wait_until(lambda: client.call("HLEN", "unacked") == 0, "tasks are acknowledged")
        assert client.call("LLEN", "celery") == 0
    assert tasks.app.control.purge() == 0
