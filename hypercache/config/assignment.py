"""What a source of configuration says: directives with their words, and where it said so."""

from attrs import frozen

from hypercache.config.errors import ConfigError
from hypercache.config.schema import Directive
from hypercache.config.text import quote

REDIS_VERSION = "7.2.6"


@frozen
class Origin:
    """Where a directive was said.

    ``source``: a file, ``command line`` or ``environment``; ``line``: from 1, 0 where there
    is none; ``text``: the line of a redis.conf or of the command line, None elsewhere.
    """

    source: str
    line: int = 0
    text: str | None = None

    def __str__(self) -> str:
        return f"{self.source}, line {self.line}" if self.line else self.source


@frozen
class Assignment:
    """One directive as a source gives it: its name in lower case and its arguments."""

    name: str
    words: list[str]
    origin: Origin


def start_error(
    origin: Origin, reason: str, directive: Directive | None = None, words: list[str] | None = None
) -> ConfigError:
    """The one error that stops the start: where, which directive, its value, what is allowed.

    For redis.conf and the command line it begins with Redis' own words, since scripts and
    test suites look for them.
    """
    lines = []
    text = origin.text
    if text is not None:
        if directive is not None and directive.secret:
            text = f"{directive.name} ..."
        lines += [
            "",
            f"*** FATAL CONFIG FILE ERROR (Redis {REDIS_VERSION}) ***",
            f"Reading the configuration file, at line {origin.line}",
            f">>> '{text}'",
            reason,
        ]
        where = str(origin)
    else:
        where = f"{origin}: {reason}"
    if directive is None or words is None:
        lines.append(where)
    else:
        value = "(not shown)" if directive.secret else " ".join(words)
        shown = quote(value) if value != "(not shown)" else value
        lines.append(f"{where}: {directive.name} is {shown}; allowed: {directive.kind.allowed()}")
    return ConfigError("\n".join(lines))
