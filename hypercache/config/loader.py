"""Files of either notation, and how directives become settings."""

import glob
import re
from pathlib import Path
from typing import Final

from hypercache.config.assignment import Assignment, Origin, start_error
from hypercache.config.errors import ConfigError
from hypercache.config.schema import Directive
from hypercache.config.settings import BY_NAME, DIRECTIVES, FORGOTTEN, Settings, nearest
from hypercache.config.sources import read_redis_conf

_INCLUDE_DEPTH: Final = 16
_BACKEND_SETTINGS: Final = "backend-settings"
_YAML_LINE: Final = re.compile(r"---|[\[{]|[\w.-]+\s*:(\s|$)", re.ASCII)


def is_yaml(path: str, text: str) -> bool:
    """Whether a file is our YAML and no redis.conf: by its ending, else by its first line."""
    ending = Path(path).suffix.lower()
    if ending in (".yaml", ".yml", ".json"):
        return True
    if ending == ".conf":
        return False
    lines = (line.strip() for line in text.splitlines())
    first = next((line for line in lines if line and not line.startswith("#")), "")
    return bool(_YAML_LINE.match(first))


def read_file(path: str, source: str) -> list[Assignment]:
    """The directives of one file, whichever notation it has."""
    try:
        text = Path(path).read_bytes().decode("utf-8", "surrogateescape")
    except OSError as error:
        reason = f"Fatal error, can't open config file '{path}': {error.strerror}"
        raise ConfigError(reason) from error
    if not is_yaml(path, text):
        return read_redis_conf(text, source)
    from hypercache.config.yaml_file import read_yaml  # brings a library that few starts need

    return read_yaml(text, source)


def directive_named(name: str) -> Directive | None:
    """The directive of a name.

    ``plugin.setting`` is part of ``plugins``, ``backend-settings.setting`` of that.
    """
    whole, dot, _ = name.partition(".")
    return BY_NAME[whole if whole == _BACKEND_SETTINGS else "plugins"] if dot else BY_NAME.get(name)


class Loader:
    """Applies assignments to settings, one source after the other."""

    def __init__(self, start: str) -> None:
        """Begin with the defaults, and ``start`` as the working directory."""
        self.settings = Settings(dir=start)
        self.origins: dict[str, Origin] = {}
        self.warnings: list[str] = []

    def apply(self, assignments: list[Assignment], depth: int = 0) -> None:
        """Apply what one source says, includes followed; `ConfigError` at the first mistake."""
        for assignment in assignments:
            if assignment.name == "include" and len(assignment.words) == 1:
                self._include(assignment, depth)
            else:
                self._assign(assignment)

    def _include(self, assignment: Assignment, depth: int) -> None:
        if depth == _INCLUDE_DEPTH:
            raise start_error(assignment.origin, "include files are nested too deeply")
        name = assignment.words[0]
        path = str(self.settings.path(name))
        # A pattern that matches nothing is an empty conf.d folder; a plain name must be there.
        paths = sorted(glob.glob(path)) if set(name) & set("*?[") else [path]  # noqa: PTH207
        for found in paths:
            self.apply(read_file(found, found), depth + 1)

    def _assign(self, assignment: Assignment) -> None:
        name, words, origin = assignment.name, assignment.words, assignment.origin
        if name in FORGOTTEN and len(words) == 1:
            return
        if name == "sentinel":
            raise start_error(origin, "sentinel directive while not in sentinel mode")
        if "." in name and not words:
            raise start_error(origin, "Module config specified without value")
        directive = directive_named(name)
        if directive is None:
            reason = "Bad directive or wrong number of arguments"
            raise start_error(origin, reason + nearest(name))
        if "." in name:
            path = name.removeprefix(f"{_BACKEND_SETTINGS}.")
            words = [f"{path}={' '.join(words)}"]
        kind = directive.kind
        if not kind.multiple and len(words) != 1:
            raise start_error(origin, "wrong number of arguments", directive, words)
        current = getattr(self.settings, directive.attribute)
        fresh = directive.attribute not in self.origins
        try:
            value = kind.parse(words, current, fresh)
        except ConfigError as error:
            raise start_error(origin, str(error), directive, words) from error
        setattr(self.settings, directive.attribute, value)
        self.origins[directive.attribute] = origin

    def forget_origins(self, assignments: list[Assignment]) -> None:
        """Let these begin anew instead of adding to what an earlier source said."""
        for assignment in assignments:
            self.origins.pop(BY_NAME[assignment.name].attribute, None)

    def finish(self) -> None:
        """Check what concerns several settings; note the settings that do nothing here."""
        logfile = self.settings.logfile
        if logfile:
            try:
                with self.settings.path(logfile).open("a"):
                    pass
            except OSError as error:
                origin = self.origins.get("logfile", Origin("default"))
                reason = f"Can't open the log file: {error.strerror}"
                raise start_error(origin, reason, BY_NAME["logfile"], [logfile]) from error
        if self.settings.cluster_enabled and self.settings.replicaof:
            origin = self.origins.get("replicaof", Origin("default"))
            raise start_error(origin, "replicaof directive not allowed in cluster mode")
        for directive in DIRECTIVES:
            value = getattr(self.settings, directive.attribute)
            if directive.effect != "active" and value != directive.default:
                origin = self.origins.get(directive.attribute, Origin("default"))
                self.warnings.append(f"{origin}: {directive.name} {directive.effect_text()}")
