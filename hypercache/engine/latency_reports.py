# mypyc: interpreted
"""What the samples of the latency monitor say to people: a graph, and advice."""

from typing import TYPE_CHECKING, Final

from hypercache.engine.latency import Series

if TYPE_CHECKING:
    from hypercache.engine.engine import Engine

# A graph has so many columns and rows; each row tells as many heights apart as it has marks.
COLUMNS: Final = 80
ROWS: Final = 4
MARKS: Final = "_o#"
FULL: Final = "|"

_UNITS: Final = ((86400, "d"), (3600, "h"), (60, "m"))

#: What may help, by event.
_ADVICE: Final[dict[bytes, str]] = {
    b"command": (
        "Slow commands work on large values or many keys. SLOWLOG GET shows them with their "
        "arguments, KEYSTATS BIG the large values."
    ),
    b"fast-command": (
        "Commands that do little were slow: the process did not get the processor. Look for other "
        "load on this machine, for swapping, and for noisy neighbours of a virtual machine."
    ),
    b"expire-cycle": (
        "Many keys expire at the same time. Let their times to live vary, or raise hz so that "
        "the work is done in more and smaller slices."
    ),
    b"backend-commit": (
        "The backend takes long to commit a round. Look at INFO backend, and at the load of the "
        "disk that it is on."
    ),
    b"backend-sync": (
        "The disk takes long to make writes safe. Use a faster or a less busy one, or a sync "
        "policy that waits less often."
    ),
    b"backend-maintain": (
        "Maintenance of the backend takes long, beside the commands: the disk may be too slow for "
        "what is written."
    ),
}


def graph(event: bytes, series: Series, now: int) -> str:
    """The samples as columns of marks, oldest first; below each how long ago it was."""
    figures = series.figures()
    low, high = min(figures), max(figures)
    name = event.decode("utf-8", "surrogateescape")
    lines = [f"{name} - high {high} ms, low {low} ms (all time high {series.worst} ms)"]
    lines.append("-" * COLUMNS)
    labels = [ago(now - at) for at, _ in series.samples]
    for start in range(0, len(figures), COLUMNS):
        if start:
            lines.append("")
        stop = start + COLUMNS
        heights = [height(figure, low, high) for figure in figures[start:stop]]
        lines += [row(heights, number) for number in range(ROWS)]
        lines += ["".rjust(len(heights)), *upright(labels[start:stop])]
    return "\n".join(lines) + "\n"


def height(figure: int, low: int, high: int) -> int:
    """Where between the lowest and the highest a figure stands, in marks."""
    steps = ROWS * len(MARKS)
    return min((figure - low) * steps // max(high - low, 1), steps - 1)


def row(heights: list[int], number: int) -> str:
    """One row of a graph, 0 the uppermost."""
    floor = (ROWS - number - 1) * len(MARKS)
    marks = ""
    for each in heights:
        if each < floor:
            marks += " "
        else:
            marks += MARKS[each - floor] if each - floor < len(MARKS) else FULL
    return marks


def upright(labels: list[str]) -> list[str]:
    """Labels from top to bottom, one a column."""
    longest = max([len(label) for label in labels])
    return ["".join([label.ljust(longest)[line] for label in labels]) for line in range(longest)]


def ago(seconds: int) -> str:
    """A time span in its largest unit."""
    for size, unit in _UNITS:
        if seconds >= size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def report(engine: "Engine") -> str:
    """What was slow, how often and how badly, and what may be done about it."""
    monitor = engine.latency
    if not monitor.events:
        if monitor.threshold == 0:
            return (
                "Latency monitoring is off. CONFIG SET latency-monitor-threshold <milliseconds> "
                "says from when on something is worth recording, and switches it on.\n"
            )
        return "Nothing has taken too long since monitoring began.\n"
    now = engine.time // 1_000_000
    lines = ["What took too long here:", ""]
    for number, (event, series) in enumerate(monitor.events.items(), 1):
        lines.append(f"{number}. {event.decode()}: {described(series, now)}")
    advice = [_ADVICE[event] for event in monitor.events if event in _ADVICE]
    advice += slowlog_advice(engine)
    if advice:
        lines += ["", "What may help:", "", *[f"- {each}" for each in advice]]
    return "\n".join(lines) + "\n"


def described(series: Series, now: int) -> str:
    """A series in numbers: count, mean, mean deviation, time between two, worst."""
    figures = series.figures()
    count = len(figures)
    mean = sum(figures) // count
    deviation = sum([abs(figure - mean) for figure in figures]) // count
    period = max(now - series.samples[0][0], 1) / count
    return (
        f"{count} latency spikes (average {mean}ms, mean deviation {deviation}ms, "
        f"period {period:.2f} sec). Worst all time event {series.worst}ms."
    )


def slowlog_advice(engine: "Engine") -> list[str]:
    """What to do so that SLOWLOG shows what the monitor has seen."""
    monitored = engine.latency.threshold
    logged = engine.slowlog.threshold
    if b"command" not in engine.latency.events or 0 <= logged <= monitored:
        return []
    how = "SLOWLOG is off" if logged < 0 else "SLOWLOG leaves out some of these commands"
    return [f"{how}: CONFIG SET slowlog-log-slower-than {monitored} lets it show them."]
