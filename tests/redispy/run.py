"""Run redis-py's own tests against a server, and say what passes.

    python tests/redispy/run.py --source DIR --port N [--protocol 2] [--baseline FILE] [FILE ...]

The tests are not part of this project: ``--source``, or the environment variable
REDISPY_SOURCE, names a source tree of redis-py. It is copied to a scratch folder, never
written to. ``--python`` is an interpreter with pytest, pytest-asyncio, pytest-timeout and
the other packages of its dev_requirements.txt, but without redis: that is the copy's.

What needs another server than one that stands alone is left out: clusters, sentinels,
modules, TLS with its own certificates, other products and several databases at once. The
server's data are lost.

Printed are the counts per file and the names of the tests that fail; ``--json FILE`` writes
the same. With ``--baseline``, a file that was written for another server, the share of those
tests that pass there and pass here too is printed, and what fails here only. The exit status
is 1 when something failed, 2 when the tests cannot run at all.
"""

import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

#: Parts of names of files and folders whose tests need something else.
ELSEWHERE = (
    "bloom",
    "cluster",
    "credentials",
    "cwe_404",
    "entraid",
    "himport",
    "json",
    "maint_notifications",
    "multidb",
    "scenario",
    "search",
    "sentinel",
    "ssl",
    "test_auth",
    "timeseries",
    "vsets",
)
#: Marks of redis-py for tests that need something else.
MARKS = "not onlycluster and not redismod and not ssl and not replica and not cp_integration"

PASSED, FAILED, SKIPPED = "passed", "failed", "skipped"


class CannotRun(Exception):
    """The tests, or something that they need, are missing."""


@dataclass(frozen=True)
class Outcome:
    """What became of one test: "passed", "failed" or "skipped", and what it said."""

    result: str
    message: str = ""


def servable(source: Path) -> list[str]:
    """The files of tests that one server by itself can serve, relative to the tree."""
    tests = source / "tests"
    if not (tests / "conftest.py").is_file():
        raise CannotRun(f"{source} is no source tree of redis-py with tests")
    found = sorted(str(path.relative_to(source)) for path in tests.rglob("test_*.py"))
    return [name for name in found if not any(part in name for part in ELSEWHERE)]


def outcomes(report: Path) -> dict[str, Outcome]:
    """The outcome of each test, by name, from pytest's JUnit report."""
    found: dict[str, Outcome] = {}
    for case in ElementTree.parse(report).iter("testcase"):
        name = f"{case.get('classname')}::{case.get('name')}"
        bad = [each for each in case if each.tag in ("failure", "error")]
        if bad:
            found[name] = Outcome(FAILED, (bad[0].get("message") or "").strip())
        elif case.find("skipped") is not None:
            found.setdefault(name, Outcome(SKIPPED))
        else:
            found.setdefault(name, Outcome(PASSED))
    return found


def run(options: argparse.Namespace, files: list[str]) -> dict[str, Outcome]:
    """Run the files' tests as the options say."""
    with tempfile.TemporaryDirectory(prefix="redispy-") as scratch:
        copy = Path(scratch) / "redis-py"
        shutil.copytree(options.source, copy, ignore=shutil.ignore_patterns(".git"))
        report = Path(scratch) / "report.xml"
        line = [
            options.python,
            "-m",
            "pytest",
            "-q",
            "-m",
            MARKS,
            f"--junitxml={report}",
            "--tb=no",
        ]
        line += ["-p", "no:cacheprovider", f"--redis-url=redis://127.0.0.1:{options.port}/0"]
        line += ["-o", "junit_logging=no", f"--protocol={options.protocol}"]
        environment = os.environ | {"PYTHONPATH": str(copy)}
        ended = subprocess.run(
            [*line, *files],
            cwd=copy,
            env=environment,
            timeout=options.seconds,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if not report.is_file():
            raise CannotRun(f"pytest left no report:\n{ended.stdout[-2000:]}")
        return outcomes(report)


def per_file(found: dict[str, Outcome]) -> list[str]:
    """A line for each file with its counts, and one for all."""
    counts: dict[str, Counter[str]] = {}
    for name, outcome in found.items():
        parts = name.partition("::")[0].split(".")
        file = ".".join(part for part in parts if not part.startswith("Test"))
        counts.setdefault(file, Counter())[outcome.result] += 1
    total = sum(counts.values(), Counter[str]())
    rows = [*sorted(counts.items()), ("all", total)]
    return [
        f"{name:60} {each[PASSED]:5} passed {each[FAILED]:5} failed {each[SKIPPED]:5} skipped"
        for name, each in rows
    ]


def compared(found: dict[str, Outcome], there: dict[str, Outcome]) -> tuple[int, int, list[str]]:
    """How many tests pass there, how many of those here, and which of them do not."""
    expected = [name for name, outcome in there.items() if outcome.result == PASSED]
    lost = [name for name in expected if found.get(name, Outcome(SKIPPED)).result != PASSED]
    return len(expected), len(expected) - len(lost), lost


def load(path: Path) -> dict[str, Outcome]:
    """What `save` wrote."""
    return {name: Outcome(*each) for name, each in json.loads(path.read_text("utf-8")).items()}


def save(path: Path, found: dict[str, Outcome]) -> None:
    """Write outcomes as JSON: an object of [result, message] by name."""
    plain = {name: [outcome.result, outcome.message] for name, outcome in found.items()}
    path.write_text(json.dumps(plain, indent=1), "utf-8")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Run redis-py's own tests against a server.")
    source = os.environ.get("REDISPY_SOURCE")
    parser.add_argument("--source", type=Path, default=source, required=source is None)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--protocol", default="", choices=["2", "3"], help="default: redis-py's")
    parser.add_argument("--seconds", type=int, default=1200, help="the most that it may take")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--baseline", type=Path, metavar="FILE")
    parser.add_argument("files", nargs="*", help="default: all that one server can serve")
    return parser.parse_args()


def main() -> int:
    options = arguments()
    try:
        socket.create_connection(("127.0.0.1", options.port), timeout=5).close()
        files = options.files or servable(options.source)
        found = run(options, files)
    except (CannotRun, OSError, subprocess.TimeoutExpired) as error:
        print(error, file=sys.stderr)
        return 2
    if options.json:
        save(options.json, found)
    print("\n".join(per_file(found)))
    failed = {name: each for name, each in found.items() if each.result == FAILED}
    if options.baseline:
        there, here, lost = compared(found, load(options.baseline))
        failed = {name: found.get(name, Outcome(SKIPPED)) for name in lost}
        print(f"{here} of {there} that pass there pass here: {here / max(there, 1):.2%}")
    for name, outcome in failed.items():
        print(f"{outcome.result}: {name}: {outcome.message[:300]}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
