"""Run the Tcl test suite of Redis 7.2.6 against a server, and say what passes.

    python tests/tcl/run.py --source DIR --port N [--files unit/type/string ...]
    python tests/tcl/run.py --source DIR --stand-in [--files unit/type/string ...]

The suite is not part of this project: ``--source``, or the environment variable
REDIS_SOURCE, names a Redis 7.2.6 source tree (for ``--stand-in`` a built one, whose
redis-cli and redis-benchmark are used). It is copied to a scratch folder, never written to.

*External mode* (``--port``) runs the files against a server that already serves, with its
default configuration plus ``enable-debug-command yes`` and ``enable-protected-configs yes``;
its data are lost. *Stand-in mode* lets the suite start servers itself, hundreds of them,
with a launcher of ``--server`` in the place of ``src/redis-server``. The default is this
interpreter's ``hypercache serve``, told to log as redis-server does, for the suite reads that.

Every file runs by itself. Printed are the counts per file and the names of the tests that
fail; ``--json FILE`` writes the same, with the messages. The exit status is 1 when something
failed, 2 when the suite cannot run at all.

One line of the harness is changed in the copy: the FUNCTION FLUSH between tests may fail,
so that a server without functions can be measured in external mode.
"""

import argparse
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path

FILES = (
    "unit/type/string",
    "unit/type/incr",
    "unit/expire",
    "unit/keyspace",
    "unit/scan",
    "unit/protocol",
    "unit/multi",
    "unit/info",
    "unit/querybuf",
)
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
RECORD = re.compile(
    r"^\[(ok|err|skip|ignore|exception)\]: (.*?)(?=^\[|\Z)", re.MULTILINE | re.DOTALL
)
MISSING = re.compile(r"unknown command '(\w+)'")


class CannotRun(Exception):
    """The suite, or something that it needs, is missing."""


@dataclass
class Failure:
    """A test that failed, or what broke the file off."""

    test: str
    message: str


@dataclass
class Outcome:
    """What one file of the suite gave; ``broken_off`` says why it did not reach its end."""

    passed: int = 0
    skipped: int = 0
    failures: list[Failure] = field(default_factory=list)
    broken_off: str | None = None
    seconds: float = 0.0


def parse(output: str) -> Outcome:
    """Read the suite's report of one file.

    Failures are told twice, when they happen and at the end: only the first is read.
    """
    outcome = Outcome()
    report, end, _ = COLOUR.sub("", output).partition("The End\n")
    for kind, text in RECORD.findall(report):
        first, _, rest = text.partition("\n")
        if kind == "ok":
            outcome.passed += 1
        elif kind == "err":
            outcome.failures.append(Failure(first.partition(" in tests/")[0], whole(rest.strip())))
        elif kind == "exception":
            outcome.broken_off = text.strip()
        else:
            outcome.skipped += 1
    if not end and outcome.broken_off is None:
        outcome.broken_off = "the suite ended early:\n" + report[-2000:]
    return outcome


def whole(message: str) -> str:
    """A message as it was: the suite cuts ten characters off and repeats it uncut below."""
    first, _, rest = message.partition("\n")
    return rest if rest.partition("\n")[0].endswith(first) else message


def reasons(outcomes: Iterable[Outcome]) -> Counter[str]:
    """How often each reason stands behind a failure, as far as the messages tell."""
    found: Counter[str] = Counter()
    for outcome in outcomes:
        for failure in outcome.failures:
            missing = MISSING.search(failure.message)
            found[f"no command {missing[1].upper()}" if missing else "other"] += 1
    return found


class Suite:
    """A scratch copy of the suite, ready to run files of it."""

    def __init__(self, source: Path, scratch: Path, options: argparse.Namespace) -> None:
        if not (source / "tests" / "test_helper.tcl").exists():
            raise CannotRun(f"{source} is not a Redis source tree: it has no tests/test_helper.tcl")
        if shutil.which("tclsh") is None:
            raise CannotRun("tclsh is missing: install the package tcl")
        self.root = scratch
        self.options = options
        shutil.copytree(source / "tests", scratch / "tests", ignore=shutil.ignore_patterns("tmp"))
        (scratch / "tests" / "tmp").mkdir()
        server = scratch / "tests" / "support" / "server.tcl"
        text = server.read_text("utf-8")
        server.write_text(text.replace("    r function flush\n", "    catch {r function flush}\n"))
        self._link_programs(source)

    def _link_programs(self, source: Path) -> None:
        """Give the copy a src folder: the real programs, but the server to be tested."""
        folder = self.root / "src"
        folder.mkdir()
        for program in (source / "src").glob("redis-*"):
            if os.access(program, os.X_OK) and program.name != "redis-server":
                (folder / program.name).symlink_to(program)
        if self.options.stand_in:
            if not (folder / "redis-cli").exists():
                raise CannotRun(f"{source} is not built: it has no src/redis-cli")
            launcher = folder / "redis-server"
            server, last = self.options.server
            launcher.write_text(f'#!/bin/sh\nexec {shlex.join(server)} "$@" {shlex.join(last)}\n')
            launcher.chmod(0o755)

    def command(self, file: str) -> list[str]:
        """The command line that runs one file."""
        line = ["tclsh", "tests/test_helper.tcl", "--single", file, "--durable", "--no-latency"]
        line += ["--baseport", str(self.options.baseport), "--portcount", "100"]
        line += ["--clients", "1", "--timeout", str(self.options.timeout)]
        for tag in self.options.tags:
            line += ["--tags", tag]
        for test in self.options.only:
            line += ["--only", test]
        if not self.options.stand_in:
            line += ["--host", self.options.host, "--port", str(self.options.port)]
            line += ["--ignore-encoding"] if self.options.ignore_encoding else []
            line += ["--ignore-digest"] if self.options.ignore_digest else []
            line += ["--singledb"] if self.options.singledb else []
        return line

    def run(self, file: str) -> Outcome:
        """Run one file to its end, or until it takes too long."""
        started = time.monotonic()
        process = subprocess.Popen(
            self.command(file),
            cwd=self.root,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        timed_out = False
        try:
            output, _ = process.communicate(timeout=self.options.timeout)
        except subprocess.TimeoutExpired:
            timed_out = True
            os.killpg(process.pid, signal.SIGKILL)
            output, _ = process.communicate()
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
        outcome = parse(output.decode("utf-8", "replace"))
        if timed_out:
            outcome.broken_off = f"took longer than {self.options.timeout} s"
        outcome.seconds = round(time.monotonic() - started, 1)
        return outcome


def show(file: str, outcome: Outcome) -> None:
    """Print the counts of a file and what failed in it."""
    print(
        f"{file:32} {outcome.passed:4} passed {len(outcome.failures):4} failed"
        f" {outcome.skipped:4} left out {outcome.seconds:7.1f} s",
        flush=True,
    )
    for failure in outcome.failures:
        message = failure.message.partition("\n")[0]
        print(f"    FAIL {failure.test}: {message[:160]}")
    if outcome.broken_off is not None:
        print(f"    BROKEN OFF: {outcome.broken_off}")


def check_serves(host: str, port: int) -> None:
    """Make sure that a server answers at the address."""
    try:
        with socket.create_connection((host, port), 5) as connection:
            connection.sendall(b"PING\r\n")
            reply = connection.recv(64)
    except OSError as error:
        raise CannotRun(f"no server at {host}:{port}: {error}") from error
    if not reply.startswith(b"+PONG"):
        raise CannotRun(f"the server at {host}:{port} answers PING with {reply!r}")


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Run the Redis 7.2.6 Tcl suite against a server.")
    parser.add_argument("--source", type=Path, default=os.environ.get("REDIS_SOURCE"))
    mode = parser.add_mutually_exclusive_group(required=True)
    mode.add_argument("--port", type=int, help="external mode: the port of a running server")
    mode.add_argument("--stand-in", action="store_true", help="the suite starts the servers")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--server", type=shlex.split, help="stand-in: the command of the server")
    parser.add_argument("--files", nargs="+", default=list(FILES), metavar="FILE")
    parser.add_argument("--tags", nargs="*", default=["-slow"], help="default: -slow")
    parser.add_argument("--only", nargs="+", default=[], metavar="TEST", help="just these tests")
    parser.add_argument("--ignore-encoding", action="store_true")
    parser.add_argument("--ignore-digest", action="store_true")
    parser.add_argument("--singledb", action="store_true")
    parser.add_argument("--timeout", type=int, default=300, help="seconds per file")
    parser.add_argument("--baseport", type=int, default=21111, help="first port of the suite's own")
    parser.add_argument("--json", type=Path, help="write the results to this file")
    options = parser.parse_args()
    if options.source is None:
        parser.error("give --source or set REDIS_SOURCE: a Redis 7.2.6 source tree")
    options.source = Path(options.source).resolve()
    if options.server is None:
        command = [sys.executable, "-P", "-m", "hypercache", "serve"]
        options.server = command, ["--log-format", "redis"]
    else:
        options.server = options.server, []
    return options


def main() -> int:
    """Run the files; 0 when every test passed, 1 when not, 2 when they could not run."""
    options = arguments()
    results: dict[str, Outcome] = {}
    try:
        with tempfile.TemporaryDirectory(prefix="redis-tcl-") as scratch:
            suite = Suite(options.source, Path(scratch), options)
            for file in options.files:
                if not options.stand_in:
                    check_serves(options.host, options.port)
                results[file] = suite.run(file)
                show(file, results[file])
    except CannotRun as error:
        print(error, file=sys.stderr)
        return 2
    finally:
        if options.json is not None:
            files = {file: asdict(outcome) for file, outcome in results.items()}
            options.json.write_text(json.dumps(files, indent=2) + "\n", "utf-8")
    passed = sum(outcome.passed for outcome in results.values())
    failed = sum(len(outcome.failures) for outcome in results.values())
    broken = sum(outcome.broken_off is not None for outcome in results.values())
    print(f"{'total':32} {passed:4} passed {failed:4} failed; {broken} files broken off")
    for reason, count in reasons(results.values()).most_common():
        print(f"    {count:4} {reason}")
    return 1 if failed or broken else 0


if __name__ == "__main__":
    sys.exit(main())
