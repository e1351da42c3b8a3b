"""What the conformance kits share: calls that are written down, failures told in words."""

import threading
from collections.abc import Callable, Sequence
from typing import Final, NoReturn, TypeVar

T = TypeVar("T")

#: Longer byte strings are shown by their beginning and their length.
SHOWN_BYTES: Final = 24
#: Only so many items of a collection, and so many of the last steps, are shown.
SHOWN_ITEMS: Final = 8
SHOWN_STEPS: Final = 30
#: Seconds after which a call in a thread hangs.
PATIENCE: Final = 60.0


class ConformanceError(AssertionError):
    """An implementation broke a rule of its contract.

    ``check`` and ``rule`` say which; ``expected`` and ``got`` what should have come and what
    came; ``steps`` are the calls that led to it, in order.
    """

    def __init__(
        self, check: str, rule: str, expected: str, got: str, steps: Sequence[str] = ()
    ) -> None:
        self.check = check
        self.rule = rule
        self.expected = expected
        self.got = got
        self.steps = list(steps)
        super().__init__(self._text())

    def _text(self) -> str:
        lines = [
            f"check {self.check!r} failed",
            f"  rule:     {self.rule}",
            f"  expected: {self.expected}",
            f"  got:      {self.got}",
            f"  steps:    {len(self.steps)}",
        ]
        hidden = max(len(self.steps) - SHOWN_STEPS, 0)
        if hidden:
            lines.append(f"    ... {hidden} earlier ones")
        for number, step in enumerate(self.steps[hidden:], hidden + 1):
            lines.append(f"    {number}. {step}")
        return "\n".join(lines)


def describe(value: object) -> str:
    """A value for people: long byte strings and collections are cut."""
    if isinstance(value, (bytes, bytearray)):
        if len(value) <= SHOWN_BYTES:
            return repr(bytes(value))
        return f"{bytes(value[:8])!r}... ({len(value)} bytes)"
    if isinstance(value, dict):
        return "{" + _joined([f"{describe(k)}: {describe(v)}" for k, v in value.items()]) + "}"
    if isinstance(value, (set, frozenset)):
        return "{" + _joined([describe(item) for item in sorted(value)]) + "}"
    if isinstance(value, list):
        return "[" + _joined([describe(item) for item in value]) + "]"
    if isinstance(value, tuple):
        return "(" + _joined([describe(item) for item in value]) + ")"
    return repr(value) if isinstance(value, (int, float, str, type(None))) else type(value).__name__


def _joined(items: list[str]) -> str:
    more = [f"... {len(items)} in all"] if len(items) > SHOWN_ITEMS else []
    return ", ".join(items[:SHOWN_ITEMS] + more)


class Recorder:
    """Makes the calls of a check, writes them down, and compares what comes back."""

    def __init__(self, check: str, rule: str) -> None:
        self.check = check
        self.rule = rule
        self.steps: list[str] = []

    def call(self, step: str, function: Callable[[], T]) -> T:
        """Make a call and write it down."""
        self.steps.append(step)
        result = self.attempt(function)
        if isinstance(result, (bytes, int, list, tuple)):
            self.steps[-1] += f" -> {describe(result)}"
        return result

    def send(self, step: str, function: Callable[[], object]) -> "Errand":
        """Make calls in a thread of their own; `Errand.finish` waits for them."""
        self.steps.append(step)
        return Errand(self, step, function)

    def attempt(self, function: Callable[[], T]) -> T:
        """Make calls; that the implementation raises is a failure of the check."""
        try:
            return function()
        except ConformanceError:
            raise
        except Exception as error:
            text = f"{type(error).__name__}: {error}"
            expected = "a call that succeeds"
            raise ConformanceError(self.check, self.rule, expected, text, self.steps) from error

    def expect(self, what: str, expected: object, got: object) -> None:
        """Fail unless both are equal and of one type. ``what`` names them, such as "size()"."""
        if type(expected) is not type(got) or expected != got:
            self.fail(f"{what} is {describe(expected)}", describe(got))

    def require(self, true: bool, expected: str, got: object) -> None:
        """Fail unless ``true``."""
        if not true:
            self.fail(expected, got if isinstance(got, str) else describe(got))

    def fail(self, expected: str, got: str) -> NoReturn:
        """The implementation is wrong."""
        raise ConformanceError(self.check, self.rule, expected, got, self.steps)


class Errand:
    """Calls in a thread: what the implementation gets wrong there fails the check as well."""

    def __init__(self, recorder: Recorder, step: str, function: Callable[[], object]) -> None:
        self._recorder = recorder
        self._step = step
        self._function = function
        self._error: ConformanceError | None = None
        self._thread = threading.Thread(target=self._run, name=step, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._recorder.attempt(self._function)
        except ConformanceError as error:
            self._error = error

    def finish(self) -> None:
        """Wait for the end; raises what was wrong."""
        self._thread.join(PATIENCE)
        if self._thread.is_alive():
            self._recorder.fail(f"an end to {self._step!r} within {PATIENCE:.0f} s", "none")
        if self._error is not None:
            raise self._error
