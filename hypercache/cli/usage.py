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


def option(words: Sequence[str], name: str) -> tuple[Sequence[str], str | None]:
    """The other words, and the value of an option, ``--name value`` or ``--name=value``.

    None where it is not there; raises `UsageError` where it has no value or comes twice.
    """
    rest: list[str] = []
    value: str | None = None
    left = iter(words)
    for word in left:
        given, equals, text = word.partition("=")
        if given != name:
            rest.append(word)
            continue
        if value is not None:
            raise UsageError(f"{name} is there twice")
        value = text if equals else next(left, "")
        if not value:
            raise UsageError(f"{name} has no value")
    return rest, value


def flag(words: Sequence[str], name: str) -> tuple[Sequence[str], bool]:
    """The other words, and whether a flag is there."""
    return [word for word in words if word != name], name in words
