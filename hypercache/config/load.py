"""From the sources to settings: defaults < file < environment < command line."""

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from hypercache.config.configuration import Configuration
from hypercache.config.loader import Loader, read_file
from hypercache.config.sources import read_command_line, read_environment, read_redis_conf


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
    start = str(Path.cwd())
    loader = Loader(start)
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
    return Configuration(loader.settings, file, loader.origins, loader.warnings, start)
