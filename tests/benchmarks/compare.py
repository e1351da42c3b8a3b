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
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from . import eviction, footprint
from .catalogue import baseline_of, chosen_servers
from .defaults import mean_table, prepare
from .fillings import BY_TYPE
from .larger import MB, TIMES, phases
from .limits import MemoryGroup
from .measure import Figures, Load, Runner, idle
from .options import parse_arguments
from .plans import GROUPS, plan
from .restart import after_kill, after_stop
from .results import METRICS, Measurement, Table, table
from .servers import BenchmarkError, Client, Server, ServerSpec, free_port, running
from .sizes import KINDS, SIZES, cost, size_table
from .snapshot import snapshot

#: How the names of servers end that have a log of what was written.
LOGGED = ("-lmdb", "-everysec", "-always")


class Comparison:
    """Runs the parts and collects what they measure, and what failed."""

    def __init__(
        self, options: argparse.Namespace, specs: dict[str, list[ServerSpec]], folder: Path
    ) -> None:
        self.options = options
        #: The servers of each part.
        self.specs = specs
        self.folder = folder
        self.runner = Runner(options.redis_benchmark, options.timeout)
        self.measurements: list[Measurement] = []
        self.failures: list[str] = []
        self.described: dict[str, str] = {}

    def run(self) -> None:
        """All parts: first those that share running servers, then those that need fresh ones."""
        loads = plan(self.options)
        for group in GROUPS:
            if chosen := [(part, load) for part, load in loads if part in group]:
                self._run_group(chosen)
        alone = {
            "memory": self._run_memory,
            "sizes": self._run_sizes,
            "larger": self._run_larger,
            "eviction": self._run_eviction,
            "snapshot": self._run_snapshot,
            "restart": self._run_restart,
            "idle": self._run_idle,
        }
        for part, run in alone.items():
            if part in self.options.parts:
                run()

    def _run_group(self, loads: list[tuple[str, Load]]) -> None:
        """Loads of redis-benchmark, on servers that run at the same time."""
        specs = {spec.name: spec for part, _ in loads for spec in self.specs[part]}
        with running(list(specs.values()), self.options.port, self.folder) as servers:
            filled: dict[str, tuple[int, int]] = {}
            for part, load in loads:
                say(f"{part}: {load.label}")
                wanted = [spec.name for spec in self.specs[part] if load.suits(spec.name)]
                ready = [server for server in servers if server.spec.name in wanted]
                if part == "defaults":
                    ready = [s for s in ready if self._attempt(part, load.label, 0, s, begin(load))]
                else:
                    ready = [s for s in ready if self._filled(part, load, s, filled)]
                self._run_load(part, load, ready)

    def _filled(
        self, part: str, load: Load, server: Server, filled: dict[str, tuple[int, int]]
    ) -> bool:
        """See to it that the keys are there: without them, a server would answer too fast."""
        name, wanted = server.spec.name, (load.keys, load.size)
        if filled.get(name) == wanted:
            return True
        filled.pop(name, None)
        if not self._attempt(part, load.label, 0, server, partial(refill, load=load)):
            return False
        filled[name] = wanted
        return True

    def _run_load(self, part: str, load: Load, servers: list[Server], label: str = "") -> None:
        """Warm every server up, then the rounds; who fails once is out of this load."""

        throughput = self.runner.publish if load.listeners else self.runner.run

        def warm_up(server: Server) -> Figures:
            return throughput(server, load, max(load.requests // 10, load.pipeline))

        def measure(server: Server) -> Figures:
            if part == "latency":
                return self.runner.pauses(server, load, self.options.seconds)
            if part == "readers":
                return self.runner.readers(server, load, self.options.seconds)
            return throughput(server, load, load.requests)

        before = {"latency": "PING beside ", "readers": "GET beside "}.get(part, "")
        label = label or before + load.label
        racing = [s for s in servers if self._attempt(part, label, 0, s, warm_up)]
        for number in range(1, self.options.rounds + 1):
            racing = [s for s in racing if self._attempt(part, label, number, s, measure)]

    def _run_memory(self) -> None:
        """Strings, then keys of each other type; then what deleting most of them gives back."""
        for size in footprint.SIZES:
            count = footprint.keys_of(size, self.options.keys)
            label = f"{count:,} keys of 16 B, values of {size:,} B"
            self._run_fresh("memory", label, partial(footprint.strings, keys=count, size=size))
        for filling in BY_TYPE:
            measure = partial(footprint.filled, filling=filling)
            self._run_fresh("memory", filling.label, measure)
        for size in (64, 4096):
            count = footprint.keys_of(size, self.options.keys)
            label = f"{count:,} keys, values of {size:,} B, 9 of 10 deleted"
            self._run_fresh("memory", label, partial(footprint.deletion, keys=count, size=size))

    def _run_sizes(self) -> None:
        """Every operation on keys of every size; all servers at once, one measured at a time."""
        with running(self.specs["sizes"], self.options.port, self.folder) as servers:
            for kind in KINDS:
                for size in SIZES:
                    if size > self.options.keys or kind.name not in self.options.types:
                        continue
                    for server in servers:
                        label = f"{kind.name} at {size:,}"
                        say(f"sizes: {label}: {server.spec.name}")
                        measure = partial(cost, kind=kind, size=size)
                        self._attempt("sizes", label, 1, server, measure)

    def _run_larger(self) -> None:
        """One server after another, each with a memory limit of its own."""
        limit = self.options.limit * MB
        for spec in self.specs["larger"]:
            try:
                with MemoryGroup(limit) as group, self._fresh(spec) as server:
                    group.add(server.pid)
                    for text, measure in phases(group, limit, self.options.seconds):
                        label = f"{TIMES} x {self.options.limit} MB: {text}"
                        say(f"larger: {label}: {spec.name}")
                        if not self._attempt("larger", label, 1, server, measure):
                            break
            except BenchmarkError as error:
                self._fail(f"larger: {spec.name}: {error}")

    def _run_eviction(self) -> None:
        """All policies at once, one measured at a time."""
        with running(self.specs["eviction"], self.options.port, self.folder) as servers:
            ready = [s for s in servers if self._attempt("eviction", "fill", 0, s, eviction.fill)]
            for label, load in eviction.loads(self.options.requests, self.options.pipelines):
                say(f"eviction: {label}")
                hold = partial(eviction.limit, load=load)
                ready = [s for s in ready if self._attempt("eviction", label, 0, s, hold)]
                self._run_load("eviction", load, ready, label)

    def _run_snapshot(self) -> None:
        """While nobody writes, and while everybody does."""
        keys = self.options.keys
        for writers in (False, True):
            measure = partial(snapshot, keys=keys, runner=self.runner, writers=writers)
            label = f"BGSAVE of {keys:,} keys" + (", 50 clients that SET" if writers else "")
            self._run_fresh("snapshot", label, measure, self.options.rounds)

    def _run_restart(self) -> None:
        """After an orderly end; and after none, where that loses nothing."""
        keys = self.options.keys
        stop = partial(after_stop, keys=keys)
        kill = partial(after_kill, keys=keys, runner=self.runner)
        self._run_fresh("restart", f"{keys:,} keys, stopped", stop)
        self._run_fresh("restart", f"{keys:,} keys, kill -9 while writing", kill, keeps=LOGGED)

    def _run_idle(self) -> None:
        """Connections that do nothing."""
        idlers, seconds = self.options.connections, self.options.seconds
        measure = partial(idle, connections=idlers, seconds=seconds)
        self._run_fresh("idle", f"{idlers:,} idle connections", measure)

    def _run_fresh(
        self,
        part: str,
        label: str,
        measure: Callable[[Server], Figures],
        rounds: int = 1,
        keeps: tuple[str, ...] = ("",),
    ) -> None:
        """Rounds in which each server is just started and alone on the machine.

        ``keeps`` is how names of servers end that take part.
        """
        for number in range(1, rounds + 1):
            for spec in self.specs[part]:
                if spec.name.endswith(keeps):
                    say(f"{part}: {label}: {spec.name}")
                    with self._fresh(spec) as server:
                        self._attempt(part, label, number, server, measure)

    def _fresh(self, spec: ServerSpec) -> Server:
        return Server(spec, free_port(self.options.port), self.folder)

    def _attempt(
        self,
        part: str,
        label: str,
        number: int,
        server: Server,
        measure: Callable[[Server], Figures],
    ) -> bool:
        """Measure once and keep the figures (not those of round 0, the warm-up)."""
        self.described[server.spec.name] = server.description()
        try:
            figures = measure(server)
        except (BenchmarkError, OSError) as error:
            text = f"{part}: {label}: {server.spec.name}: {error}"
            if not server.alive():
                text += f"\nthe server ended:\n{server.log_tail()}"
            self._fail(text)
            return False
        if number:
            self.measurements.append(Measurement(part, label, server.spec.name, number, figures))
        return True

    def _fail(self, text: str) -> None:
        say(f"FAILED {text}")
        self.failures.append(text)

    def report(self) -> str:
        """The tables of all parts, with what was measured on which machine."""
        lines = [f"{name}: {text}" for name, text in self.described.items()]
        lines.append(", ".join(str(value) for value in machine().values()))
        sections = ["\n".join(f"- {line}" for line in lines)]
        for part in METRICS:
            if any(one.part == part for one in self.measurements):
                baseline = baseline_of(part, self.options)
                title = f"{part} (x: ratio to {baseline})" if baseline else part
                title = f"### {title}" if self.options.markdown else title
                sections.append(self._table(part).render(title))
            if part == "defaults" and any(one.part == part for one in self.measurements):
                means = mean_table(self.measurements, baseline)
                sections.append(means.render("Ratios of throughput of the data types' commands"))
        sections += [f"FAILED {text}" for text in self.failures]
        return "\n\n".join(sections)

    def _table(self, part: str) -> Table:
        baseline = baseline_of(part, self.options)
        if part == "sizes":
            return size_table(self.measurements, baseline)
        return table(part, self.measurements, baseline)

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
    server.settle()
    return {}


def begin(load: Load) -> Callable[[Server], Figures]:
    """What prepares a server for a load of the default list; no figures."""

    def measure(server: Server) -> Figures:
        prepare(server, load)
        return {}

    return measure


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
        specs = {part: chosen_servers(part, options) for part in options.parts}
        # SIGTERM ends the run as Ctrl-C does, so that no server is left behind.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        raise_file_limit(max(options.connections, options.many_clients) + 2_000)
        with tempfile.TemporaryDirectory(prefix="hypercache-bench-", dir=options.folder) as folder:
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
