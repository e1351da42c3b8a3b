"""Progress on a terminal, where one line is drawn over and over, and in a file."""

import io

import pytest

from hypercache.cli.progress import ProgressBar


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Time:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    monkeypatch.setenv("COLUMNS", "80")
    return Time()


def test_terminal_shows_one_line(time: Time) -> None:
    stream = Terminal()
    bar = ProgressBar(stream, time)
    bar("reading", 0, 2_000)
    bar("reading", 1, 2_000)  # too soon to be seen
    time.now += 0.2
    bar("reading", 1_000, 2_000)
    bar("reading", 2_000, 2_000)
    bar("reading", 2_000, 2_000)
    bar.finish()
    bar.finish()
    clear = "\r\x1b[K"
    assert stream.getvalue() == (
        f"{clear}reading [{'.' * 30}]   0 % 0 of 2,000"
        f"{clear}reading [{'#' * 15}{'.' * 15}]  50 % 1,000 of 2,000"
        f"{clear}reading [{'#' * 30}] 100 % 2,000 of 2,000\n"
    )


def test_terminal_has_a_line_for_each_piece_of_work(time: Time) -> None:
    stream = Terminal()
    bar = ProgressBar(stream, time)
    bar("one", 1, 1)
    bar("two", 1, 1)
    bar.finish()
    assert stream.getvalue().count("\n") == 2


def test_narrow_terminal_is_not_overrun(time: Time, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    stream = Terminal()
    ProgressBar(stream, time)("reading", 1, 1)
    assert len(stream.getvalue().removeprefix("\r\x1b[K")) == 19


def test_file_gets_a_line_every_five_seconds_and_at_the_end(time: Time) -> None:
    stream = io.StringIO()
    bar = ProgressBar(stream, time)
    for second in range(12):
        bar("reading", second, 40)
        time.now += 1
    bar("reading", 40, 40)
    bar.finish()
    assert stream.getvalue().splitlines() == [
        "reading: 12 % (5 of 40)",
        "reading: 25 % (10 of 40)",
        "reading: 100 % (40 of 40)",
    ]


def test_work_of_unknown_length(time: Time) -> None:
    stream = io.StringIO()
    bar = ProgressBar(stream, time)
    time.now += 6
    bar("reading", 1_500, 0)
    assert stream.getvalue() == "reading: 1,500\n"
    terminal = Terminal()
    ProgressBar(terminal, time)("reading", 1_500, 0)
    assert terminal.getvalue().endswith("reading 1,500")
