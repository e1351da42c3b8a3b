"""``hypercache serve``: a server from its configuration to its exit status."""

import os
import sys
from collections.abc import Iterator, Sequence

import trio

from hypercache.config import ConfigError, Configuration, load


def serve(words: Sequence[str]) -> int:
    """Start a server and serve until it ends; the exit status."""
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
