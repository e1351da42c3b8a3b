"""The runner of the Redis Tcl suite reads the suite's report right."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.tcl import run

REPORT = """\
[ready]: 4711
[testing]: SET and GET
[\x1b[0;32mok\x1b[0m]: SET and GET an item (3 ms)
[ok]: Second (with [brackets]) (0 ms)
[skip]: Not today
[ignore]: Large memory: Tag: slow denied
[err]: DEL against a single item in tests/unit/keyspace.tcl
Expected '1' to equal or match '2'
[err]: SADD in tests/unit/keyspace.tcl
n command 'sadd', with args beginning with: 'a'
ERR unknown command 'sadd', with args beginning with: 'a'
    while executing
"r sadd a"
[1/1 \x1b[0;33mdone\x1b[0m]: unit/keyspace (2 seconds)

                   The End

Execution time of different units:
  2 seconds - unit/keyspace

!!! WARNING The following tests failed:

*** [err]: DEL against a single item in tests/unit/keyspace.tcl
Expected '1' to equal or match '2'
"""


def test_counts_each_test_once() -> None:
    outcome = run.parse(REPORT)
    assert (outcome.passed, outcome.skipped) == (2, 2)
    assert [(failure.test, failure.message) for failure in outcome.failures] == [
        ("DEL against a single item", "Expected '1' to equal or match '2'"),
        (
            "SADD",
            "ERR unknown command 'sadd', with args beginning with: 'a'\n"
            '    while executing\n"r sadd a"',
        ),
    ]
    assert outcome.broken_off is None
    assert run.reasons([outcome]) == {"no command SADD": 1, "other": 1}


def test_tells_what_broke_a_file_off() -> None:
    outcome = run.parse("[ok]: One (0 ms)\n[exception]: Executing test client: I/O error\nmore\n")
    assert outcome.passed == 1
    assert outcome.broken_off == "Executing test client: I/O error\nmore"
    silent = run.parse("[ok]: One (0 ms)\ncouldn't execute\n")
    assert silent.broken_off is not None
    assert "couldn't execute" in silent.broken_off


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--port", "1"], "give --source or set REDIS_SOURCE"),
        (["--port", "1", "--source", "{here}"], "is not a Redis source tree"),
        (["--source", "{here}"], "--port --stand-in is required"),
    ],
)
def test_says_what_is_missing(tmp_path: Path, options: list[str], message: str) -> None:
    line = [sys.executable, str(run.__file__), *(o.format(here=tmp_path) for o in options)]
    done = subprocess.run(line, capture_output=True, text=True, timeout=30, env={}, check=False)
    assert done.returncode == 2
    assert message in done.stderr
