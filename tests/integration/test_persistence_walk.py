"""The walk-through of docs/persistence.md, run as it stands there."""

import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from hypercache.testing.server import free_port
from tests.support.servers import tool
from tests.support.sources import ROOT

PAGE: Final = ROOT / "docs/persistence.md"
#: The port of the page; the test takes another.
PORT: Final = "7379"
SECONDS: Final = 60
NUMBER: Final = re.compile(r"\d[\dTZ.,:-]*")


@dataclass
class Step:
    """A command, and the lines that it prints."""

    command: str
    output: list[str] = field(default_factory=list)


def steps() -> list[Step]:
    """What stands behind the prompts of the chapter."""
    chapter = PAGE.read_text("utf-8").partition("\n## Try it\n")[2].partition("\n## ")[0]
    found: list[Step] = []
    for block in re.findall(r"```console\n(.*?)```", chapter, re.DOTALL):
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append(Step(line[2:]))
            else:
                found[-1].output.append(line)
    return found


def plain(line: str) -> str:
    """A line without what differs: numbers, times."""
    return NUMBER.sub("0", line)


def test_walk(tmp_path: Path) -> None:
    tool("redis-cli")
    walk = steps()
    assert len(walk) > 20
    programs = tmp_path / "bin"
    programs.mkdir()
    ours = programs / "hypercache"
    ours.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -P -m hypercache "$@"\n')
    ours.chmod(0o755)
    port = str(free_port())
    # As at a terminal: jobs have numbers. Standard error is of no interest.
    script = ["set -m"]
    for number, step in enumerate(walk):
        script += [step.command.replace(PORT, port), f"echo '<{number}>'"]
    script.append("kill -9 $(jobs -p) 2> /dev/null")
    done = subprocess.run(
        ["bash", "-c", "\n".join(script)],
        cwd=tmp_path,
        env={**os.environ, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    rest = done.stdout
    for number, step in enumerate(walk):
        printed, mark, rest = rest.partition(f"<{number}>\n")
        assert mark, f"{step.command}: {done.stdout}{done.stderr}"
        lines = [plain(line) for line in printed.replace("\r", "").splitlines()]
        assert lines == [plain(line) for line in step.output], step.command
