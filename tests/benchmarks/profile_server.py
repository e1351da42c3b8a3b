"""Where a server's time goes under load: ``python -m tests.benchmarks.profile_server``.

Two sampling profilers look at the server from outside, so that the figures are those of the
server as it ships:

* ``perf`` (Debian: linux-perf) sees machine code: mypyc's functions by name (``CPyDef_...``), the
  interpreter, libc and the kernel. It samples the CPU clock, which virtual machines have too.
* ``py-spy`` (PyPI) sees Python functions and lines: for what runs interpreted.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from .catalogue import chosen_servers
from .compare import refill
from .measure import Load, Runner
from .options import COMMANDS, parse_arguments, positive
from .servers import BenchmarkError, Server, free_port

RATE = 997  # samples a second; a prime, so that it does not fall in step with a timer


def perf(pid: int, seconds: float, top: int, folder: Path) -> str:
    """Self time by shared object and by symbol, as text."""
    data = str(folder / "perf.data")
    record = ["perf", "record", "-q", "-F", str(RATE), "-e", "cpu-clock", "-p", str(pid)]
    run([*record, "-o", data, "--", "sleep", str(seconds)])
    report = ["perf", "report", "-i", data, "--stdio", "-q", "--fields"]
    objects = run([*report, "overhead,dso"]).splitlines()
    symbols = run([*report, "overhead,dso,sym"]).splitlines()
    return "\n".join([line for line in objects if line.strip()] + [""] + symbols[: top + 1])


def py_spy(pid: int, seconds: float, top: int, folder: Path) -> str:
    """Self time and total time by Python function, as text."""
    stacks = folder / "stacks"
    command = [
        "py-spy",
        "record",
        "--pid",
        str(pid),
        "--rate",
        str(RATE),
        "--function",
        "--format",
        "raw",
    ]
    run([*command, "--duration", str(max(1, round(seconds))), "--output", str(stacks)])
    own, total = count_stacks(stacks.read_text("utf-8"))
    whole = own.total() or 1
    lines = ["  self  total  function"]
    for name, samples in own.most_common(top):
        lines.append(f"{samples / whole:6.1%} {total[name] / whole:6.1%}  {name}")
    return "\n".join(lines)


def count_stacks(text: str) -> tuple[Counter[str], Counter[str]]:
    """Samples by function, on top of the stack and anywhere on it, of collapsed stacks.

    A line is ``outermost;...;innermost COUNT``.
    """
    own: Counter[str] = Counter()
    total: Counter[str] = Counter()
    for line in text.splitlines():
        stack, _, count = line.rpartition(" ")
        frames = stack.split(";")
        own[frames[-1]] += int(count)
        for name in set(frames):
            total[name] += int(count)
    return own, total


PROFILERS = {"perf": perf, "py-spy": py_spy}


def run(command: Sequence[str]) -> str:
    """Run a profiler's command; answers what it prints."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchmarkError(f"{' '.join(command[:2])} failed: {done.stderr.strip()[-500:]}")
    return done.stdout


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status: 0, or 2 when something is missing."""
    parser = argparse.ArgumentParser(prog="profile_server", description=__doc__)
    add = parser.add_argument
    add("--server", default="compiled", metavar="NAME[=COMMAND]", help="as in compare --servers")
    add("--profiler", choices=PROFILERS, help="default: perf; py-spy for the server interpreted")
    add("--command", choices=COMMANDS, default="get")
    add("--pipeline", type=positive, default=16)
    add("--clients", type=positive, default=50)
    add("--size", type=positive, default=64, help="bytes of a value (64)")
    add("--seconds", type=float, default=5.0)
    add("--top", type=positive, default=40, help="functions to show (40)")
    options = parser.parse_args(arguments)
    name = options.server.partition("=")[0]
    profiler = options.profiler or ("py-spy" if name == "interpreted" else "perf")
    load = Load(options.command, 1, options.pipeline, options.clients, options.size)
    try:
        for program in (profiler, "redis-benchmark"):
            if not shutil.which(program):
                raise BenchmarkError(f"no program {program!r}")
        chosen = parse_arguments(["--servers", options.server, "--baseline", name])
        (spec,) = chosen_servers("commands", chosen)
        with (
            tempfile.TemporaryDirectory(prefix="hypercache-profile-") as folder,
            Server(spec, free_port(0), Path(folder)) as server,
        ):
            refill(server, load)
            started = time.monotonic()
            before = server.cpu_seconds()
            with Runner("redis-benchmark", 0.0).background(server, load):
                take = PROFILERS[profiler]
                text = take(server.pid, options.seconds, options.top, Path(folder))
                busy = (server.cpu_seconds() - before) / (time.monotonic() - started)
            print(f"{name}: {server.description()}, {load.label}, {busy:.0%} of a core busy\n")
            print(text)
    except BenchmarkError as error:
        print(f"profile: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
