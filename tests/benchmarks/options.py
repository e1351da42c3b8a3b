"""The command line of ``compare``."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from .results import METRICS
from .sizes import KINDS

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = ("set", "get", "incr", "mset", "ping")
TYPES = [kind.name for kind in KINDS]
FULL = {
    "requests": 100_000,
    "rounds": 5,
    "keys": 1_000_000,
    "connections": 10_000,
    "seconds": 10.0,
    "limit": 256,
}
QUICK = {
    "requests": 20_000,
    "rounds": 3,
    "keys": 100_000,
    "connections": 1_000,
    "seconds": 2.0,
    "limit": 64,
}


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line; what --quick changes is filled in."""
    parser = argparse.ArgumentParser(prog="compare", description=__doc__)
    add = parser.add_argument
    add("--quick", action="store_true", help="a few seconds a part: to see that all works")
    add("--parts", type=names(METRICS), default=list(METRICS), help=",".join(METRICS))
    add("--only", type=names(COMMANDS), default=list(COMMANDS), help=",".join(COMMANDS))
    add("--types", type=names(TYPES), default=TYPES, help=",".join(TYPES))
    add("--pipelines", type=numbers, default=[1, 16, 100], help="default 1,16,100")
    add("--clients", type=positive, default=50, help="connections of a load (50)")
    add("--many-clients", type=positive, default=1000, help="connections in part clients (1000)")
    add("--rounds", type=positive, help="rounds of each load (5)")
    add("--requests", type=positive, help="requests of a run at pipeline 1 (100000)")
    add("--keys", type=positive, help="keys where there are many, such as in memory (1000000)")
    add("--connections", type=positive, help="connections in part idle (10000)")
    add("--seconds", type=float, help="length of a run that is not counted in requests (10)")
    add("--limit", type=positive, metavar="MB", help="allowed memory in part larger (256)")
    add("--timeout", type=float, default=120.0, help="time limit of a run in seconds (120)")
    add("--servers", nargs="+", metavar="NAME[=COMMAND]", help="instead of a part's own servers")
    add("--baseline", help="the server that ratios refer to, instead of a part's own")
    add("--compiled", default=str(ROOT / ".venv/bin/hypercache"), metavar="PROGRAM")
    add("--interpreted", default=str(ROOT / ".venv-interpreted/bin/hypercache"), metavar="PROGRAM")
    add("--redis-benchmark", default="redis-benchmark", metavar="PROGRAM")
    add("--port", type=int, default=0, help="first port to try; by default any that is free")
    add("--folder", type=Path, help="where servers keep files: on the disk to be measured")
    add("--json", type=Path, metavar="FILE", help="write every measurement there")
    add("--markdown", action="store_true", help="print Markdown headings")
    options = parser.parse_args(arguments)
    for name, value in (QUICK if options.quick else FULL).items():
        if getattr(options, name) is None:
            setattr(options, name, value)
    return options


def positive(text: str) -> int:
    """A whole number above zero."""
    if (number := int(text)) < 1:
        raise ValueError(text)
    return number


def numbers(text: str) -> list[int]:
    """Whole numbers above zero, separated by commas."""
    return [positive(word) for word in text.split(",")]


def names(known: Collection[str]) -> Callable[[str], list[str]]:
    """A reader of names separated by commas, each out of ``known``."""

    def read(text: str) -> list[str]:
        words = [word.strip().lower() for word in text.split(",")]
        for word in words:
            if word not in known:
                raise argparse.ArgumentTypeError(f"{word!r} is none of {', '.join(known)}")
        return words

    return read
