"""The Celery application of the tests: imported by them and by the worker process.

Both say which server is broker and result backend.
"""

import time

from celery import Celery, Task

app = Celery("celery_app")
app.conf.update(
    broker_connection_retry_on_startup=False,
    result_extended=True,
    task_track_started=True,
    worker_prefetch_multiplier=1,
    worker_redirect_stdouts=False,
)


@app.task
def add(a: int, b: int) -> int:
    return a + b


@app.task
def total(numbers: list[int]) -> int:
    return sum(numbers)


@app.task
def broken(text: str) -> None:
    raise ValueError(text)


@app.task(bind=True, max_retries=3)
def third_time(self: Task) -> int:
    """Succeeds on its third try."""
    if self.request.retries < 2:
        raise self.retry(countdown=0)
    return int(self.request.retries)


@app.task(bind=True)
def reports(self: Task) -> str:
    """Leaves a state of its own in the result backend before it ends."""
    self.update_state(state="HALFWAY", meta={"done": 50})
    return str(self.backend.get_task_meta(self.request.id)["status"])


@app.task
def endless() -> None:
    time.sleep(60)
