"""Structured logs.

    log = get_logger("transport")                    # at import time, before `configure`
    log.info("listening", port=6379)
    log.bind(client=7, db=0, command="get").warning("slow_reader", unsent=1048576)
    log.info("ready", message="Ready to accept connections tcp")
    log.error("command_crashed", exception=error)    # with its traceback

An event is a constant name in snake_case, the rest are fields. Every line has timestamp
(UTC), level, event and component; put ``client``, ``db`` and ``command`` where they apply,
and never a key's value: fields with names of secrets or data are withheld. ``message`` is a
sentence for people; in the ``redis`` format it is the whole text.

Levels: debug, verbose, info (Redis calls it notice), warning, error. They and the format
are looked up at each call, so every logger follows `configure` and CONFIG SET, however long
it has been kept. structlog's own global configuration is left alone: it belongs to the
program that embeds a server.
"""

import sys
from typing import TYPE_CHECKING, Final

from structlog import BoundLoggerBase

from hypercache.observability.log_formats import (
    Fields,
    Render,
    add_time,
    console_renderer,
    describe_exception,
    redact,
    render_json,
    render_redis,
)
from hypercache.observability.log_output import Output

if TYPE_CHECKING:
    from hypercache.config import Configuration, Settings

LEVELS: Final = {"debug": 10, "verbose": 15, "info": 20, "warning": 30, "error": 40}

_THRESHOLDS: Final = {"debug": 10, "verbose": 15, "notice": 20, "warning": 30, "nothing": 100}


class _State:
    """What `configure` sets and every logger reads."""

    def __init__(self) -> None:
        self.output = Output()
        self.threshold = _THRESHOLDS["notice"]
        self.thresholds: dict[str, int] = {}
        self.render: Render = _renderer("auto", self.output)


def _renderer(form: str, output: Output) -> Render:
    terminal = output.is_terminal()
    if form == "redis":
        return render_redis
    if form == "console" or (form == "auto" and terminal):
        return console_renderer(terminal)
    return render_json


_state: Final = _State()


class Logger(BoundLoggerBase):
    """A logger of one component; ``bind(name=value)`` gives one with more fields."""

    def debug(self, event: str, message: str | None = None, **fields: object) -> None:
        """For developers who look for a fault."""
        self.log("debug", event, message, **fields)

    def verbose(self, event: str, message: str | None = None, **fields: object) -> None:
        """What happens often and rarely matters."""
        self.log("verbose", event, message, **fields)

    def info(self, event: str, message: str | None = None, **fields: object) -> None:
        """What an operator wants to know of a healthy server."""
        self.log("info", event, message, **fields)

    def warning(self, event: str, message: str | None = None, **fields: object) -> None:
        """What an operator should look at."""
        self.log("warning", event, message, **fields)

    def error(self, event: str, message: str | None = None, **fields: object) -> None:
        """What went wrong; ``exception=error`` adds its traceback."""
        self.log("error", event, message, **fields)

    def exception(self, event: str, message: str | None = None, **fields: object) -> None:
        """An error with the traceback of the exception being handled."""
        self.log("error", event, message, **{"exception": sys.exc_info()[1], **fields})

    def is_enabled(self, level: str) -> bool:
        """Whether an event of that level would be written."""
        component = str(self._context.get("component", ""))
        return LEVELS[level] >= _state.thresholds.get(component, _state.threshold)

    def log(self, level: str, event: str, message: str | None = None, **fields: object) -> None:
        """An event of a level that is only known at run time."""
        if not self.is_enabled(level):
            return
        if message is not None:
            fields["message"] = message
        fields["level"] = level
        (line,), _ = self._process_event(level, event, fields)
        _state.output.write(line)


def _add_exception(_logger: object, _method: str, fields: Fields) -> Fields:
    error = fields.get("exception")
    if isinstance(error, BaseException):
        fields["exception"] = describe_exception(error, _state.threshold <= LEVELS["debug"])
    return fields


def _render(_logger: object, _method: str, fields: Fields) -> str:
    return _state.render(fields)


_PROCESSORS: Final = (redact, _add_exception, add_time, _render)


def get_logger(component: str) -> Logger:
    """The logger of a component: ``transport``, ``engine``, a plugin's name."""
    return Logger(None, _PROCESSORS, {"component": component})


def configure(settings: "Settings") -> None:
    """Follow ``logfile``, ``log-format``, ``loglevel`` and ``log-levels`` from now on.

    Raises ``OSError`` when the log file cannot be opened; then everything stays as it was.
    """
    _state.output.open(settings.path(settings.logfile) if settings.logfile else None)
    _state.render = _renderer(settings.log_format, _state.output)
    set_levels(settings)


def set_levels(settings: "Settings") -> None:
    """Follow ``loglevel`` and ``log-levels`` only."""
    _state.threshold = _THRESHOLDS[settings.loglevel]
    _state.thresholds = {name: _THRESHOLDS[level] for name, level in settings.log_levels.items()}


def follow(configuration: "Configuration") -> None:
    """`configure` now, and change levels whenever CONFIG SET does."""
    settings = configuration.settings
    configure(settings)
    configuration.subscribe_any(["loglevel", "log-levels"], lambda: set_levels(settings))


def reopen() -> None:
    """Open the log file again, after a log rotation renamed it. Raises ``OSError``."""
    _state.output.reopen()


def lost_lines() -> int:
    """How many lines could not be written since the start."""
    return _state.output.lost
