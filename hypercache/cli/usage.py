"""What is wrong with a command line."""

from collections.abc import Sequence


class UsageError(Exception):
    """A command was given what it does not take; the text says what."""


def positional(words: Sequence[str], fewest: int, most: int) -> Sequence[str]:
    """Words that are no options, as many as a command takes; raises `UsageError`."""
    for word in words:
        if word.startswith("-"):
            raise UsageError(f"unknown option {word!r}")
    if not fewest <= len(words) <= most:
        raise UsageError("too many arguments" if len(words) > most else "an argument is missing")
    return words
