"""What happens to an event on its way to a line: secrets go, times come, formats differ."""

import json
import math
import os
import time
import traceback
from collections.abc import Callable, Mapping, MutableMapping
from datetime import UTC, datetime
from typing import Any, Final

from structlog.dev import ConsoleRenderer
from structlog.typing import WrappedLogger

Fields = MutableMapping[str, Any]
Render = Callable[[Fields], str]

WITHHELD: Final = "(withheld)"

#: Names of fields that hold secrets of operators or data of users.
_SECRETS: Final = frozenset(
    (
        *("password", "passphrase", "requirepass", "masterauth", "masteruser", "credentials"),
        *("auth", "authorization", "api_key", "secret", "token"),
        *("value", "values", "args", "arguments", "argv", "payload", "reply"),
    )
)
_SECRET_ENDINGS: Final = ("_pass", "_passphrase", "_password", "_secret", "_token", "_value")

#: Exceptions whose text is about files, sockets, settings and code, not about users' data.
_HARMLESS: Final = (OSError, ImportError, AttributeError, NameError, TypeError, RecursionError)
_HARMLESS_MODULES: Final = ("hypercache.backend", "hypercache.config.errors", "trio")

_MOST_CAUSES: Final = 10

_CONTROLS: Final = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160))}

_MARKS: Final = {"debug": ".", "verbose": "-", "info": "*", "warning": "#", "error": "#"}


def is_secret(name: str) -> bool:
    """Whether a field of that name must not be written."""
    name = name.lower().replace("-", "_")
    return name in _SECRETS or name.endswith(_SECRET_ENDINGS)


def redact(_logger: WrappedLogger, _method: str, fields: Fields) -> Fields:
    """Withhold secrets and users' data, and make every text safe to print."""
    return {name: _safe(name, value) for name, value in fields.items()}


def _safe(name: str, value: object) -> object:
    # The lines of the directive `user` have hashes of passwords; the name of a user is no secret.
    if is_secret(name) or (name == "user" and isinstance(value, list | tuple)):
        return WITHHELD
    if isinstance(value, Mapping):
        return {str(key): _safe(str(key), item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_safe(name, item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)  # JSON has no such numbers
    if isinstance(value, bool | int | float | BaseException) or value is None:
        return value
    return printable(value)


def printable(value: object) -> str:
    """Any value as text without control characters and without broken encodings."""
    if isinstance(value, bytes | bytearray):
        text = bytes(value).decode("utf-8", "backslashreplace")
    else:
        text = str(value).encode("utf-8", "backslashreplace").decode()
    return text.translate(_CONTROLS)


def add_time(_logger: WrappedLogger, _method: str, fields: Fields) -> Fields:
    """Put the time first: UTC, ISO 8601, milliseconds."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00")
    first = {name: fields.pop(name) for name in ("event", "component") if name in fields}
    return {"timestamp": now + "Z", "level": fields.pop("level"), **first, **fields}


def describe_exception(error: BaseException, with_texts: bool, depth: int = 0) -> str:
    """A traceback, causes and groups included.

    The text of an exception may quote users' data, so it stands there only ``with_texts``,
    or where the kind of exception is harmless.
    """
    lines: list[str] = []
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None and depth < _MOST_CAUSES:
        lines.append(describe_exception(cause, with_texts, depth + 1))
        lines.append("which led to:")
    lines += [line.rstrip("\n") for line in traceback.format_tb(error.__traceback__)]
    kind = f"{type(error).__module__}.{type(error).__qualname__}".removeprefix("builtins.")
    if isinstance(error, BaseExceptionGroup):
        lines.append(f"{kind} of {len(error.exceptions)}:")
        if depth < _MOST_CAUSES:
            inner = error.exceptions
            lines += [describe_exception(each, with_texts, depth + 1) for each in inner]
    elif with_texts or isinstance(error, _HARMLESS) or kind.startswith(_HARMLESS_MODULES):
        lines.append(f"{kind}: {printable(error)}")
    else:
        lines.append(f"{kind} (its text is withheld unless loglevel is debug)")
    return "\n".join(lines)


def render_json(fields: Fields) -> str:
    """One JSON object a line."""
    return json.dumps(fields, ensure_ascii=False)


def console_renderer(colors: bool) -> Render:
    """Lines for people at a terminal."""
    renderer = ConsoleRenderer(colors=colors and not os.environ.get("NO_COLOR"), pad_event_to=24)

    def render(fields: Fields) -> str:
        message = fields.pop("message", None)
        if message is not None:
            fields["event"] = message
        return str(renderer(None, fields["level"], fields))

    return render


def render_redis(fields: Fields) -> str:
    """The line that redis-server would write: process, role, local time, mark, text."""
    now = time.time()
    date = time.strftime("%d %b %Y %H:%M:%S", time.localtime(now))
    head = f"{os.getpid()}:M {date}.{int(now * 1000) % 1000:03d} {_MARKS[fields['level']]}"
    text = fields.get("message")
    if text is None:
        shown = ("timestamp", "level", "event", "component", "exception")
        rest = [f"{name}={value}" for name, value in fields.items() if name not in shown]
        text = " ".join([str(fields["event"]), *rest])
    exception = fields.get("exception")
    return f"{head} {text}" + (f"\n{exception}" if exception else "")
