"""The command line: ``hypercache serve`` and friends."""

import os
import sys
from collections.abc import Iterator, Sequence
from typing import Final

import trio

from hypercache import __version__
from hypercache.config import ConfigError, Configuration, load

USAGE: Final = """\
usage: hypercache serve [CONFIG] [--port N] [--bind ADDR] [--dir DIR] [--set name=value ...]
       hypercache version
       hypercache help

CONFIG is a YAML file of ours or a redis.conf. Every directive is accepted as --name value too.
"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; ends the process with its exit status."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    action = words[0] if words else "help"
    if action == "serve":
        sys.exit(serve(words[1:]))
    elif action in ("version", "--version", "-v"):
        print(f"HyperCache {__version__}")
    elif action in ("help", "--help", "-h"):
        print(USAGE, end="")
    else:
        print(f"hypercache: unknown command {action!r}\n\n{USAGE}", end="", file=sys.stderr)
        sys.exit(2)


def serve(words: Sequence[str]) -> int:
    """Start a server and serve until it ends; the exit status."""
    if any(word in ("--help", "-h") for word in words):
        print(USAGE, end="")
        return 0
    try:
        configuration = load(words)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 1
    return run(configuration)


def run(configuration: Configuration) -> int:
    """Serve with a configuration; what stops the start is one line on stderr and in the log."""
    # Not at the top: a mistake in the configuration is told without loading the server.
    from hypercache.observability.logs import follow, get_logger
    from hypercache.server import Server, StartError
    from hypercache.supervision import CriticalPluginFailed, PluginError
    from hypercache.transport.listeners import ListenError
    from hypercache.transport.tls import TlsError

    try:
        os.chdir(configuration.settings.dir)
    except OSError as error:
        print(f"Can't chdir to '{configuration.settings.dir}': {error.strerror}", file=sys.stderr)
        return 1
    follow(configuration)
    log = get_logger("server")
    failures = (StartError, ListenError, TlsError, PluginError)
    try:
        server = Server(configuration)
        server.leave_process = os._exit
        trio.run(server.run)
    except CriticalPluginFailed as error:
        log.error("server_failed", message=str(error), error=str(error))
        return 1
    except failures as error:
        log.error("start_failed", message=str(error), error=str(error))
        return 1
    except BaseExceptionGroup as group:
        known, others = group.split(failures)
        if others is not None and others.split(KeyboardInterrupt)[1] is not None:
            raise
        for failure in leaves(known):
            log.error("start_failed", message=str(failure), error=str(failure))
        return 130 if known is None else 1
    except KeyboardInterrupt:
        return 130
    return 0


def leaves(failure: BaseException | None) -> Iterator[BaseException]:
    """The exceptions of a group, and of the groups inside it."""
    if isinstance(failure, BaseExceptionGroup):
        for each in failure.exceptions:
            yield from leaves(each)
    elif failure is not None:
        yield failure
