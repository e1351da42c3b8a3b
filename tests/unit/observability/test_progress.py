"""How far long work has come, in the log."""

from hypercache.observability.logs import Logger
from hypercache.observability.progress import ProgressLog


class Recorder(Logger):
    """Keeps what it is told."""

    def __init__(self) -> None:
        super().__init__(None, (), {})
        self.events: list[dict[str, object]] = []

    def log(self, level: str, event: str, message: str | None = None, **fields: object) -> None:
        self.events.append({"level": level, "event": event, "message": message, **fields})


def test_an_event_each_second_and_one_at_the_end() -> None:
    times = iter([10.0, 10.4, 11.0, 11.9, 12.5, 12.6])
    log = Recorder()
    progress = ProgressLog(log, lambda: next(times))
    for done in (1, 2, 3, 4, 5):
        progress("moving", done, 5)
    assert [(event["done"], event["seconds"]) for event in log.events] == [
        (2, 1.0),
        (4, 2.5),
        (5, 2.6),
    ]
    assert log.events[0] == {
        "level": "info",
        "event": "progress",
        "message": "moving: 2 of 5 after 1.0 s",
        "what": "moving",
        "done": 2,
        "total": 5,
        "seconds": 1.0,
    }
