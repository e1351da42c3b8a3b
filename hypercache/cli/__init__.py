"""The command line: ``hypercache serve`` and friends."""

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from hypercache import __version__
from hypercache.backend import BackendError
from hypercache.cli.listing import list_backends, list_plugins
from hypercache.cli.serving import serve
from hypercache.cli.stores import check, compact, copy
from hypercache.cli.usage import UsageError
from hypercache.extensions import ExtensionError
from hypercache.persistence.errors import LoadError, SaveError

USAGE: Final = """\
usage: hypercache serve [CONFIG] [--port N] [--bind ADDR] [--dir DIR] [--set name=value ...]
       hypercache backends [NAME]            what is installed, with its settings
       hypercache plugins [NAME]
       hypercache check BACKEND PATH         look for what is inconsistent in a store
       hypercache check aof|snapshot|rdb PATH [--fix]
                                             look for damage in files of data, and repair them
       hypercache convert SOURCE TARGET [--to native|rdb|aof] [--rdb-version 10|11]
                                             write data to a file of another format
       hypercache compact BACKEND PATH       give back the room that a store does not need
       hypercache copy BACKEND PATH TARGET   copy a store, also one that a server is using
       hypercache version
       hypercache help

CONFIG is a YAML file of ours or a redis.conf. Every directive is accepted as --name value too.
"""


def _convert(words: Sequence[str]) -> int:
    from hypercache.cli.convert import convert  # brings the whole server with it

    return convert(words)


_ACTIONS: Final[Mapping[str, Callable[[Sequence[str]], int]]] = {
    "serve": serve,
    "backends": list_backends,
    "plugins": list_plugins,
    "check": check,
    "compact": compact,
    "copy": copy,
    "convert": _convert,
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; ends the process with its exit status.

    0: done; 1: it failed, or ``check`` found something; 2: the command line is wrong.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    action = words[0] if words else "help"
    if action in ("version", "--version", "-v"):
        print(f"HyperCache {__version__}")
    elif action in ("help", "--help", "-h") or "--help" in words or "-h" in words:
        print(USAGE, end="")
    else:
        sys.exit(run(action, words[1:]))


def run(action: str, words: Sequence[str]) -> int:
    """Run one command; the exit status."""
    try:
        if action not in _ACTIONS:
            raise UsageError(f"unknown command {action!r}")
        return _ACTIONS[action](words)
    except UsageError as error:
        print(f"hypercache: {error}\n\n{USAGE}", end="", file=sys.stderr)
        return 2
    except (BackendError, ExtensionError, LoadError, SaveError) as error:
        print(f"hypercache {action}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
