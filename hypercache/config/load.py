"""From the sources to settings: defaults < file < environment < command line."""

import glob
import os
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from hypercache.config.assignment import Assignment, Origin, start_error
from hypercache.config.configuration import Configuration
from hypercache.config.errors import ConfigError
from hypercache.config.settings import BY_NAME, DIRECTIVES, FORGOTTEN, Settings, nearest
from hypercache.config.sources import read_command_line, read_environment, read_redis_conf
from hypercache.config.text import split_arguments
from hypercache.config.yaml_file import read_yaml

_INCLUDE_DEPTH: Final = 16
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
    return read_yaml(text, source) if is_yaml(path, text) else read_redis_conf(text, source)


class Loader:
    """Applies assignments to settings, one source after the other."""

    def __init__(self) -> None:
        self.settings = Settings(dir=str(Path.cwd()))
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
        if "." in name and name not in BY_NAME:
            if not words:
                raise start_error(origin, "Module config specified without value")
            name, words = "plugins", [f"{name}={' '.join(words)}"]
        directive = BY_NAME.get(name)
        if directive is None:
            reason = "Bad directive or wrong number of arguments"
            raise start_error(origin, reason + nearest(name))
        kind = directive.kind
        if not kind.multiple and len(words) != 1:
            raise start_error(origin, "wrong number of arguments", directive, words)
        if kind.multiple and not directive.file_only and len(words) == 1 and words[0]:
            split = split_arguments(words[0])
            if split is None:
                raise start_error(origin, "Unbalanced quotes in configuration line")
            words = split
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


def load(
    arguments: Sequence[str] = (),
    environ: Mapping[str, str] | None = None,
    stdin: str | None = None,
) -> Configuration:
    """The configuration of a server started with these command line arguments.

    ``arguments`` come without the program's name: ``[file] [--name value ...] [-]``, a lone
    ``-`` at either end reads more directives from standard input (or from ``stdin``).
    ``environ`` is ``os.environ`` unless given. Raises `ConfigError` with everything that an
    operator needs to know. See ``Configuration.warnings`` for what to log at start.
    """
    options = list(arguments)
    file: Path | None = None
    loader = Loader()
    if options and not options[0].startswith("-"):
        name = options.pop(0)
        file = Path(name).absolute()
        loader.apply(read_file(name, name))
    if "-" in (options[:1] + options[-1:]):
        del options[0 if options[0] == "-" else -1]
        text = sys.stdin.read() if stdin is None else stdin
        loader.apply(read_redis_conf(text, "standard input"))
    variables, warnings = read_environment(os.environ if environ is None else environ)
    loader.warnings += warnings
    loader.forget_origins(variables)
    loader.apply(variables)
    loader.apply(read_command_line(options))
    loader.finish()
    return Configuration(loader.settings, file, loader.origins, loader.warnings)
