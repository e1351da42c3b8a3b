"""Fixtures for tests of plugins."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from hypercache.config import Settings
from hypercache.observability import logs
from tests.support.plugins import LogFile


@pytest.fixture
def log(tmp_path: Path) -> Iterator[LogFile]:
    """The log of this test, down to debug."""
    path = tmp_path / "test.log"
    logs.configure(Settings(logfile=str(path), loglevel="debug", log_format="json"))
    yield LogFile(path)
    logs.configure(Settings())
