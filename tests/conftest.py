"""Fixtures for tests with real processes. See tests/support for what they hand out."""

import gc
import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from hypercache.testing.pytest_plugin import emptied
from hypercache.testing.server import ServerProcess, free_port
from tests.support.once import SECOND_RUN, is_once
from tests.support.resp import Client, connect
from tests.support.servers import RedisProcess, StartServer, server_process
from tests.support.tls import Certificates

#: Objects that tests may make before the garbage among them is collected.
GARBAGE = 20_000


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--second-run``: after a run of everything in the other mode."""
    parser.addoption(
        "--second-run",
        action="store_true",
        help="leave out what would do the same once more (tests/support/once.py)",
    )


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Import nothing that a second run leaves out: the other environment may not have its needs."""
    if config.getoption("second_run", default=False) and is_once(collection_path):
        return True
    return None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave long runs to those who ask for them (``pytest -m soak``)."""
    if not config.option.markexpr:
        soak = [item for item in items if item.get_closest_marker("soak")]
        items[:] = [item for item in items if item not in soak]
        config.hook.pytest_deselected(items=soak)


def pytest_configure(config: pytest.Config) -> None:
    """Collect garbage seldom: collecting tests makes millions of objects that stay."""
    if config.getoption("second_run", default=False):
        os.environ[SECOND_RUN] = "1"
    gc.set_threshold(GARBAGE)


def pytest_collection_finish() -> None:
    """Look no more through what stays for the whole run: modules and thousands of items."""
    gc.collect()
    gc.freeze()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show what tests measured (``record_property``)."""
    for report in terminalreporter.getreports("passed"):
        for name, value in report.user_properties:
            terminalreporter.write_line(f"measured in {report.nodeid}: {name} = {value}")


@pytest.fixture(scope="session")
def _session_server() -> Iterator[ServerProcess]:
    with server_process() as server:
        yield server


@pytest.fixture(scope="session")
def _session_peer() -> Iterator[ServerProcess]:
    with RedisProcess() as server:
        yield server


@pytest.fixture
def server(_session_server: ServerProcess) -> Iterator[ServerProcess]:
    """Our server with its default settings: one process for all tests, emptied for each."""
    yield from emptied(_session_server)


@pytest.fixture
def peer(_session_peer: ServerProcess) -> Iterator[ServerProcess]:
    """The redis-server in PATH, likewise."""
    yield from emptied(_session_peer)


@pytest.fixture
def client(server: ServerProcess) -> Iterator[Client]:
    """A RESP2 connection to `server`."""
    with connect(server) as connection:
        yield connection


@pytest.fixture
def start_server() -> Iterator[StartServer]:
    """Starts servers of the test's own (arguments as `server_process`), ended with the test."""
    with ExitStack() as stack:

        def start(*args: object, **options: object) -> ServerProcess:
            process = server_process(*args, **options)  # type: ignore[arg-type]
            stack.callback(lambda: print(process.output))
            return stack.enter_context(process)

        yield start


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """An authority and a certificate of it."""
    return Certificates.issue(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def tls_port() -> int:
    """A free port for encrypted connections."""
    return free_port()
