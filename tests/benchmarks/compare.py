"""Measures servers against redis-server, side by side: ``python -m tests.benchmarks.compare``.

Every round runs each server once (A B C A B C ...), and ratios are taken within a round.
docs/benchmarks.md says how to read the result.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import shlex
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from .defaults import default_loads, mean_table, prepare
from .fillings import BY_TYPE, Filling, send_all
from .measure import Figures, Load, Runner, idle, memory
from .results import METRICS, Measurement, Table, table
from .servers import BenchmarkError, Client, Server, ServerSpec, free_port, running
from .sizes import KINDS, SIZES, cost, size_table

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = ("set", "get", "incr", "mset", "ping")
LARGE_SIZES = (1024, 16 * 1024)
FILL_BYTES = 64 * 1024 * 1024
MSET_KEYS = 10
FULL = {"requests": 100_000, "rounds": 5, "keys": 1_000_000, "connections": 10_000, "seconds": 10.0}
QUICK = {"requests": 20_000, "rounds": 3, "keys": 100_000, "connections": 1_000, "seconds": 2.0}


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line; what --quick changes is filled in."""
    parser = argparse.ArgumentParser(prog="compare", description=__doc__)
    add = parser.add_argument
    add("--quick", action="store_true", help="a few seconds a part: to see that all works")
    add("--parts", type=names(METRICS), default=list(METRICS), help=",".join(METRICS))
    add("--only", type=names(COMMANDS), default=list(COMMANDS), help=",".join(COMMANDS))
    add("--pipelines", type=numbers, default=[1, 16, 100], help="default 1,16,100")
    add("--clients", type=positive, default=50, help="connections of a load (50)")
    add("--many-clients", type=positive, default=1000, help="connections in part clients (1000)")
    add("--rounds", type=positive, help="rounds of each load (5)")
    add("--requests", type=positive, help="requests of a run at pipeline 1 (100000)")
    add("--keys", type=positive, help="keys in part memory (1000000)")
    add("--connections", type=positive, help="connections in part idle (10000)")
    add("--seconds", type=float, help="length of a run in parts latency and idle (10)")
    add("--timeout", type=float, default=120.0, help="time limit of a run in seconds (120)")
    add("--servers", nargs="+", metavar="NAME[=COMMAND]", help="instead of the default servers")
    add("--baseline", default="redis-server", help="the server that ratios refer to")
    add("--compiled", default=str(ROOT / ".venv/bin/hypercache"), metavar="PROGRAM")
    add("--interpreted", default=str(ROOT / ".venv-interpreted/bin/hypercache"), metavar="PROGRAM")
    add("--redis-benchmark", default="redis-benchmark", metavar="PROGRAM")
    add("--port", type=int, default=0, help="first port to try; by default any that is free")
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


def default_servers(options: argparse.Namespace) -> dict[str, ServerSpec]:
    """The servers that have a short name, whether they are installed or not."""
    limit = str(options.connections + 1_000)
    ours = ("serve", "--port", "{port}", "--set", f"maxclients={limit}")
    plain = ("--port", "{port}", "--save", "", "--appendonly", "no", "--maxclients", limit)
    specs = (
        ServerSpec("compiled", (options.compiled, *ours), {"hypercache_compiled": "1"}),
        ServerSpec("interpreted", (options.interpreted, *ours), {"hypercache_compiled": "0"}),
        ServerSpec("redis-server", ("redis-server", *plain)),
        ServerSpec("valkey-server", ("valkey-server", *plain)),
    )
    return {spec.name: spec for spec in specs}


def chosen_servers(options: argparse.Namespace) -> list[ServerSpec]:
    """The servers to measure, the baseline among them.

    Raises:
        BenchmarkError: a program is missing (only valkey-server may be), or a name unknown.
    """
    known = default_servers(options)
    specs = []
    for text in options.servers or known:
        name, given, command = text.partition("=")
        if not given and name not in known:
            raise BenchmarkError(f"{name} is none of {', '.join(known)}; give {name}=COMMAND")
        spec = ServerSpec(name, tuple(shlex.split(command))) if given else known[name]
        if not spec.command or not shutil.which(spec.command[0]):
            if name == "valkey-server" and not options.servers:
                continue
            raise BenchmarkError(f"{name}: no program {spec.command[0] if spec.command else ''!r}")
        specs.append(spec)
    if options.baseline not in [spec.name for spec in specs]:
        raise BenchmarkError(f"the baseline {options.baseline} is not among the servers")
    return specs


def plan(options: argparse.Namespace) -> list[tuple[str, Load]]:
    """The loads of the parts that run redis-benchmark, in the order of their value size."""

    def load(command: str, pipeline: int, clients: int, size: int = 64) -> Load:
        requests = options.requests * min(pipeline, 5)
        if command == "mset" or size > 4096:
            requests //= 5
        # A whole number of pipelines for every client: then exactly so many requests are sent.
        requests = max(requests // (pipeline * clients), 1) * pipeline * clients
        return Load(command, requests, pipeline, clients, size, min(100_000, FILL_BYTES // size))

    few, many = options.clients, options.many_clients
    pairs = [word for word in ("set", "get") if word in options.only]
    loads = {
        "commands": [load(word, p, few) for word in options.only for p in options.pipelines],
        "clients": [load(word, 1, many) for word in pairs],
        "latency": [load("set", 16, few)],
        "values": [load(word, 1, few, size) for size in LARGE_SIZES for word in pairs],
        "defaults": default_loads(options.requests, few),
    }
    return [(part, one) for part in loads if part in options.parts for one in loads[part]]


class Comparison:
    """Runs the parts and collects what they measure, and what failed."""

    def __init__(self, options: argparse.Namespace, specs: list[ServerSpec], folder: Path) -> None:
        self.options = options
        self.specs = specs
        self.folder = folder
        self.runner = Runner(options.redis_benchmark, options.timeout)
        self.measurements: list[Measurement] = []
        self.failures: list[str] = []
        self.described: dict[str, str] = {}

    def run(self) -> None:
        """All parts: first those that share running servers, then those that need fresh ones."""
        with running(self.specs, self.options.port, self.folder) as servers:
            self.described = {server.spec.name: server.description() for server in servers}
            filled, ready = 0, servers
            for part, load in plan(self.options):
                say(f"{part}: {load.label}")
                if part == "defaults":
                    ready = [
                        s for s in servers if self._attempt(part, load.label, 0, s, begin(load))
                    ]
                elif load.size != filled:
                    filled = load.size
                    fill = partial(refill, load=load)
                    # Without its keys, a server would answer faster than it can.
                    ready = [s for s in servers if self._attempt(part, load.label, 0, s, fill)]
                self._run_load(part, load, ready)
        seconds = self.options.seconds
        if "memory" in self.options.parts:
            self._run_memory()
        if "sizes" in self.options.parts:
            self._run_sizes()
        if "idle" in self.options.parts:
            idlers = self.options.connections
            label = f"{idlers:,} idle connections"
            self._run_fresh("idle", label, lambda server: idle(server, idlers, seconds))

    def _run_load(self, part: str, load: Load, servers: list[Server]) -> None:
        """Warm every server up, then the rounds; who fails once is out of this load."""

        def warm_up(server: Server) -> Figures:
            return self.runner.run(server, load, max(load.requests // 10, load.pipeline))

        def measure(server: Server) -> Figures:
            if part == "latency":
                return self.runner.pauses(server, load, self.options.seconds)
            return self.runner.run(server, load, load.requests)

        label = f"PING beside {load.label}" if part == "latency" else load.label
        racing = [s for s in servers if self._attempt(part, label, 0, s, warm_up)]
        for number in range(1, self.options.rounds + 1):
            racing = [s for s in racing if self._attempt(part, label, number, s, measure)]

    def _run_memory(self) -> None:
        """Strings, then keys of each other type."""
        count = self.options.keys
        label = f"{count:,} keys of 16 B, values of 64 B"
        fill = partial(Client.fill, keys=count, size=64)
        self._run_fresh("memory", label, lambda server: memory(server, count, fill))
        for filling in BY_TYPE:
            measure = partial(fill_and_measure, filling=filling)
            self._run_fresh("memory", filling.label, measure)

    def _run_sizes(self) -> None:
        """Every operation on keys of every size; all servers at once, one measured at a time."""
        with running(self.specs, self.options.port, self.folder) as servers:
            for kind in KINDS:
                for size in SIZES:
                    if size > self.options.keys:
                        continue
                    for server in servers:
                        label = f"{kind.name} at {size:,}"
                        say(f"sizes: {label}: {server.spec.name}")
                        measure = partial(cost, kind=kind, size=size)
                        self._attempt("sizes", label, 1, server, measure)

    def _run_fresh(self, part: str, label: str, measure: Callable[[Server], Figures]) -> None:
        """One round, each server just started and alone on the machine."""
        for spec in self.specs:
            say(f"{part}: {label}: {spec.name}")
            with Server(spec, free_port(self.options.port), self.folder) as server:
                self._attempt(part, label, 1, server, measure)

    def _attempt(
        self,
        part: str,
        label: str,
        number: int,
        server: Server,
        measure: Callable[[Server], Figures],
    ) -> bool:
        """Measure once and keep the figures (not those of round 0, the warm-up)."""
        try:
            figures = measure(server)
        except (BenchmarkError, OSError) as error:
            text = f"{part}: {label}: {server.spec.name}: {error}"
            if not server.alive():
                text += f"\nthe server ended:\n{server.log_tail()}"
            say(f"FAILED {text}")
            self.failures.append(text)
            return False
        if number:
            self.measurements.append(Measurement(part, label, server.spec.name, number, figures))
        return True

    def report(self) -> str:
        """The tables of all parts, with what was measured on which machine."""
        lines = [f"{name}: {text}" for name, text in self.described.items()]
        lines.append(", ".join(str(value) for value in machine().values()))
        sections = ["\n".join(f"- {line}" for line in lines)]
        for part in METRICS:
            if any(one.part == part for one in self.measurements):
                title = f"{part} (x: ratio to {self.options.baseline})"
                title = f"### {title}" if self.options.markdown else title
                sections.append(self._table(part).render(title))
            if part == "defaults" and any(one.part == part for one in self.measurements):
                means = mean_table(self.measurements, self.options.baseline)
                sections.append(means.render("Ratios of throughput of the data types' commands"))
        sections += [f"FAILED {text}" for text in self.failures]
        return "\n\n".join(sections)

    def _table(self, part: str) -> Table:
        if part == "sizes":
            return size_table(self.measurements, self.options.baseline)
        return table(part, self.measurements, self.options.baseline)

    def record(self) -> dict[str, object]:
        """Everything, for --json."""
        return {
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
            "machine": machine(),
            "options": {name: str(value) for name, value in vars(self.options).items()},
            "servers": self.described,
            "measurements": [asdict(one) for one in self.measurements],
            "failures": self.failures,
        }


def refill(server: Server, load: Load) -> Figures:
    """Store every key that the load reads, with values of its size; no figures."""
    with Client(server.port) as client:
        client.call("FLUSHALL")
        client.fill(load.keys, load.size)
    return {}


def begin(load: Load) -> Callable[[Server], Figures]:
    """What prepares a server for a load of the default list; no figures."""

    def measure(server: Server) -> Figures:
        prepare(server, load)
        return {}

    return measure


def fill_and_measure(server: Server, filling: Filling) -> Figures:
    """What keys of a type take."""
    fill = partial(send_all, requests=filling.requests())
    return memory(server, filling.keys, fill)


def machine() -> dict[str, str]:
    """What the figures depend on besides the servers."""
    model = "unknown processor"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    return {
        "processor": model,
        "cores": f"{len(os.sched_getaffinity(0))} cores",
        "kernel": f"{platform.system()} {platform.release()}",
        "python": f"Python {platform.python_version()}",
    }


def raise_file_limit(needed: int) -> None:
    """Let this process and the servers it starts open ``needed`` files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise BenchmarkError(
            f"{needed} open files are needed and {hard} allowed: raise the limit (ulimit -Hn) "
            "or give fewer --connections"
        )
    if soft < needed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))


def say(text: str) -> None:
    """Progress, beside the report."""
    print(text, file=sys.stderr, flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status: 0; 1 if a measurement failed or was interrupted; 2 if none could begin."""
    options = parse_arguments(arguments)
    try:
        if not shutil.which(options.redis_benchmark):
            raise BenchmarkError(
                f"no program {options.redis_benchmark!r} (Debian: apt install redis-tools)"
            )
        specs = chosen_servers(options)
        # SIGTERM ends the run as Ctrl-C does, so that no server is left behind.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        raise_file_limit(max(options.connections, options.many_clients) + 2_000)
        with tempfile.TemporaryDirectory(prefix="hypercache-bench-") as folder:
            comparison = Comparison(options, specs, Path(folder))
            try:
                comparison.run()
            except KeyboardInterrupt:
                comparison.failures.append("interrupted: only what was complete is shown")
    except BenchmarkError as error:
        say(f"benchmark: {error}")
        return 2
    print(comparison.report())
    if options.json:
        options.json.write_text(json.dumps(comparison.record(), indent=2) + "\n")
    return 1 if comparison.failures else 0


if __name__ == "__main__":
    sys.exit(main())
