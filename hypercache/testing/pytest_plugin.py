"""Pytest fixtures: a HyperCache server for a test suite, with nothing to install beside it.

``pytest -p hypercache.testing.pytest_plugin`` (or ``pytest_plugins`` in the top conftest)
makes them known:

* ``hypercache_server``: a running `ServerProcess`, emptied before the test. The process is
  shared by the whole session, so a test costs one FLUSHALL. What the server wrote during a
  test that fails is shown with it.
* ``hypercache_settings``: override it (session scope) to give the server settings.
"""

from collections.abc import Iterator

import pytest

from hypercache.testing.server import ServerProcess


@pytest.fixture(scope="session")
def hypercache_settings() -> dict[str, str]:
    """Configuration settings of the session's server, by name; override to change them."""
    return {}


@pytest.fixture(scope="session")
def hypercache_process(hypercache_settings: dict[str, str]) -> Iterator[ServerProcess]:
    """The session's server as it stands; tests ask for `hypercache_server`."""
    with ServerProcess(settings=hypercache_settings) as server:
        yield server


@pytest.fixture
def hypercache_server(hypercache_process: ServerProcess) -> Iterator[ServerProcess]:
    """The session's server, empty."""
    yield from emptied(hypercache_process)


def emptied(server: ServerProcess) -> Iterator[ServerProcess]:
    """Lend ``server`` to a test: empty before, its output printed, still running after.

    Pytest shows what is printed here when the test fails. A server that a test ended is an
    error of that test; it is started again for the next.
    """
    seen = len(server.output)
    if not server.running:
        server.start()
    server.flush()
    yield server
    print(server.output[seen:])
    if not server.running:
        pytest.fail(f"the server ended with status {server.returncode} during this test")
