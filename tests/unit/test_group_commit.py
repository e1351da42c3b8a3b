"""The worker thread that syncs: calls in turn, their errors, and its end."""

import threading

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from hypercache.backend import BackendError
from hypercache.group_commit import Worker

pytestmark = pytest.mark.trio


async def test_worker_keeps_one_thread_and_hands_errors_on() -> None:
    worker = Worker()
    threads: set[int] = set()

    def fail() -> None:
        raise BackendError("disk on fire")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(worker.run)
        for _ in range(3):
            await worker.call(lambda: threads.add(threading.get_ident()))
            with pytest.raises(BackendError, match="disk on fire"):
                await worker.call(fail)
        worker.stop()
    assert len(threads) == 1
    assert threading.get_ident() not in threads


async def test_beginning_in_a_thread_that_is_busy_is_refused() -> None:
    worker = Worker()
    ends: list[Exception | None] = []
    go_on = threading.Event()
    error = BackendError("disk on fire")

    def wait_and_fail() -> None:
        assert go_on.wait(5)
        raise error

    async with trio.open_nursery() as nursery:
        nursery.start_soon(worker.run)
        await wait_all_tasks_blocked()
        assert worker.begin(wait_and_fail, ends.append)
        assert not worker.begin(wait_and_fail, ends.append)
        worker.stop()
        nursery.cancel_scope.cancel()
        go_on.set()
    assert ends == [error], "its end is told, whatever else ends"


async def test_worker_takes_calls_in_turn() -> None:
    """Each task gets its own call's outcome, however many there are."""
    worker = Worker()
    done: list[int] = []

    async def call(number: int) -> None:
        def work() -> None:
            done.append(number)
            if number % 2:
                raise BackendError(str(number))

        try:
            await worker.call(work)
        except BackendError as error:
            assert error.args == (str(number),)
        else:
            assert number % 2 == 0

    async with trio.open_nursery() as nursery:
        nursery.start_soon(worker.run)
        async with trio.open_nursery() as callers:
            for number in range(10):
                callers.start_soon(call, number)
        worker.stop()
    assert sorted(done) == list(range(10))
