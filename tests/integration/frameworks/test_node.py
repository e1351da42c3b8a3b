"""Node.js' clients and BullMQ: each file in the folder ``node`` is one run of its tests."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from hypercache.testing.server import ServerProcess

FOLDER = Path(__file__).parent / "node"


def node() -> str:
    """The program: what ``.ci/node`` put beside Python, or else the one in PATH."""
    path = shutil.which("node", path=str(Path(sys.executable).parent)) or shutil.which("node")
    if path is None or not (FOLDER / "node_modules").is_dir():
        pytest.fail("Node.js or its packages are missing: .ci/node installs both")
    return path


@pytest.mark.parametrize("name", ["ioredis", "node-redis", "bullmq"])
def test_suite(server: ServerProcess, name: str) -> None:
    run = subprocess.run(
        [node(), "--test-reporter=tap", f"{name}.test.js"],
        cwd=FOLDER,
        env=os.environ | {"PORT": str(server.port)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "\n# fail 0\n" in run.stdout
    assert "\n# pass 0\n" not in run.stdout
