"""The sources in Redis' notation: redis.conf, the command line, the environment."""

from collections.abc import Mapping, Sequence
from typing import Final

from hypercache.config.assignment import Assignment, Origin, start_error
from hypercache.config.errors import ConfigError
from hypercache.config.settings import BY_NAME, nearest
from hypercache.config.text import quote, split_arguments

COMMAND_LINE: Final = "command line"
ENVIRONMENT: Final = "environment"
PREFIX: Final = "HYPERCACHE_"

#: Variables with our prefix that mean something else.
_OTHER_VARIABLES: Final = ("HYPERCACHE_COMPILE",)


def read_redis_conf(text: str, source: str) -> list[Assignment]:
    """The directives of a redis.conf, comments and blank lines left out."""
    assignments = []
    for number, line in enumerate(text.split("\n"), 1):
        line = line.strip(" \t\r\n")
        if not line or line.startswith("#"):
            continue
        origin = Origin(source, number, line)
        words = split_arguments(line)
        if words is None:
            raise start_error(origin, "Unbalanced quotes in configuration line")
        if words:
            name = words[0].lower()
            assignments.append(Assignment(name, _arguments(name, words[1:], origin), origin))
    return assignments


def _arguments(name: str, words: list[str], origin: Origin) -> list[str]:
    """The words of a directive; a single one for a directive that takes several is split."""
    directive = BY_NAME.get(name)
    several = directive is not None and directive.kind.multiple and not directive.file_only
    if not several or len(words) != 1 or not words[0]:
        return words
    split = split_arguments(words[0])
    if split is None:
        raise start_error(origin, "Unbalanced quotes in configuration line")
    return split


def option_lines(arguments: Sequence[str]) -> str:
    """Command line options as the lines of a redis.conf that they stand for.

    Redis' rules: ``--name`` begins a directive and what follows are its arguments, up to
    the next ``--name``; the one argument right after ``--name`` may begin with ``--`` too;
    ``"--name value"`` as one argument is a whole directive; ``--save`` without an argument
    is ``save ""``. Ours in addition: ``--set name=value``.
    """
    lines: list[str] = []
    expects_argument = False
    position = 0
    while position < len(arguments):
        argument = arguments[position]
        following = arguments[position + 1] if position + 1 < len(arguments) else None
        position += 1
        if expects_argument or not argument.startswith("--"):
            if not lines:
                lines.append("")
            lines[-1] += quote(argument) + " "
            expects_argument = False
        elif argument == "--set":
            name, equals, value = (following or "").partition("=")
            if not equals or not name:
                raise ConfigError(f"{COMMAND_LINE}: --set needs name=value")
            lines.append(f"{name} {quote(value)}")
            position += 1
        else:
            lines.append(argument[2:] + " ")
            expects_argument = len(split_arguments(argument) or ()) == 1
            if argument.lower() == "--save" and (following is None or following[:2] == "--"):
                lines[-1] += '""'
                expects_argument = False
    return "\n".join(lines)


def read_command_line(arguments: Sequence[str]) -> list[Assignment]:
    """The directives of command line options."""
    return read_redis_conf(option_lines(arguments), COMMAND_LINE)


def read_environment(environ: Mapping[str, str]) -> tuple[list[Assignment], list[str]]:
    """The directives of ``HYPERCACHE_<NAME>`` variables, and warnings about unknown ones.

    An unknown variable is no error: Kubernetes makes some up for a service of this name
    (``HYPERCACHE_SERVICE_HOST``, and ``HYPERCACHE_PORT=tcp://...``).
    """
    names = {
        PREFIX + directive.attribute.upper(): name
        for name, directive in BY_NAME.items()
        if name == directive.name and not directive.file_only
    }
    for name, directive in BY_NAME.items():
        if name != directive.name:
            names[PREFIX + name.replace("-", "_").upper()] = name
    assignments = []
    warnings = []
    for variable, value in environ.items():
        if not variable.startswith(PREFIX) or variable in _OTHER_VARIABLES:
            continue
        found = names.get(variable)
        if found is None:
            guess = variable.removeprefix(PREFIX).lower().replace("_", "-")
            warnings.append(f"{ENVIRONMENT}: {variable} is no setting{nearest(guess)}")
        elif "://" in value and BY_NAME[found].name.endswith("port"):
            warnings.append(f"{ENVIRONMENT}: {variable} looks like a service link, not used")
        else:
            origin = Origin(f"{ENVIRONMENT} variable {variable}")
            assignments.append(Assignment(found, _arguments(found, [value], origin), origin))
    return assignments, warnings
