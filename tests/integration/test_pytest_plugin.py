"""The pytest plugin as somebody else's test suite uses it."""

import os
import subprocess
import sys
from pathlib import Path

SUITE = """
import pytest
import redis


@pytest.fixture(scope="session")
def hypercache_settings():
    return {"maxclients": "77"}


@pytest.fixture
def client(hypercache_server):
    with redis.Redis(port=hypercache_server.port) as connected:
        yield connected


def test_own_settings(client):
    assert client.config_get("maxclients") == {"maxclients": "77"}
    assert client.set("key", "value")


def test_starts_empty(client, hypercache_server):
    assert client.dbsize() == 0


def test_that_fails(client):
    client.set("key", "value")
    raise AssertionError("on purpose")


def test_that_ends_the_server(client, hypercache_server):
    hypercache_server.kill()


def test_after_it(client):
    assert client.ping()
"""


def test_fixtures(tmp_path: Path) -> None:
    """Settings are taken, every test starts empty, an ended server is told and started again."""
    (tmp_path / "test_suite.py").write_text(SUITE)
    plugin = ("-p", "hypercache.testing.pytest_plugin")
    line = [sys.executable, "-P", "-m", "pytest", *plugin, "-p", "no:cacheprovider", "-v", "."]
    paths = [str(Path(p).resolve()) for p in os.environ.get("PYTHONPATH", "").split(":") if p]
    environment = {**os.environ, "PYTHONPATH": ":".join(paths)}
    run = subprocess.run(
        line, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    report = run.stdout
    for name in ("test_own_settings", "test_starts_empty", "test_after_it"):
        assert f"{name} PASSED" in report, report
    assert "test_that_fails FAILED" in report
    assert "the server ended with status -9 during this test" in report
    assert "1 failed, 4 passed, 1 error" in report
