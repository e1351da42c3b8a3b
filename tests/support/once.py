"""What is tested in one of the two runs only, compiled, and why that is enough.

``make test`` runs the tests compiled and interpreted. All that is on the path of a command
is tested in both. The tests below would do the same work twice: what they test is never
compiled, or lies outside this process' Python.
"""

import os
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]

_NEVER_COMPILED: Final = "no module of theirs is ever compiled"
_OTHER_PROGRAM: Final = (
    "client programs and libraries see bytes: the server's replies are compared in both runs"
)
_STARTS_AND_ENDS: Final = "starting, ending, addresses and signals are interpreted code always"
_DISK: Final = "what is on disk depends on LMDB and the kernel; the backend's contract runs in both"
_KERNEL: Final = "how sockets, TLS and the kernel's buffers behave; sessions are tested in both"
_SOURCES: Final = "reads the sources and the settings, which are the same"

#: Files and folders, by their path in the project, with the reason.
ONCE: Final[dict[str, str]] = {
    "docs/examples": _NEVER_COMPILED,
    "tests/contract/test_kit_finds_bugs.py": _NEVER_COMPILED,
    "tests/contract/test_kit_is_stable.py": _NEVER_COMPILED,
    "tests/differential/test_command_metadata.py": _SOURCES,
    "tests/differential/test_config.py": _SOURCES,
    "tests/fault/test_connections.py": _KERNEL,
    "tests/fault/test_crash.py": _STARTS_AND_ENDS,
    "tests/fault/test_files_fail.py": _DISK,
    "tests/fault/test_killed.py": _STARTS_AND_ENDS,
    "tests/fault/test_ledger.py": _NEVER_COMPILED,
    "tests/fault/test_lmdb_full.py": _DISK,
    "tests/fault/test_lmdb_killed.py": _DISK,
    "tests/fault/test_lmdb_power.py": _DISK,
    "tests/fault/test_lmdb_start.py": _DISK,
    "tests/fault/test_slow_clients.py": _KERNEL,
    "tests/fault/test_tls_clients.py": _KERNEL,
    "tests/integration/frameworks": _OTHER_PROGRAM,
    "tests/integration/test_examples.py": _STARTS_AND_ENDS,
    "tests/integration/test_lifecycle.py": _STARTS_AND_ENDS,
    "tests/integration/test_lmdb_tools.py": _DISK,
    "tests/integration/test_lookup_filters.py": _DISK,
    "tests/integration/test_persistence_walk.py": _STARTS_AND_ENDS,
    "tests/integration/test_plugins.py": _STARTS_AND_ENDS,
    "tests/integration/test_pytest_plugin.py": _STARTS_AND_ENDS,
    "tests/integration/test_rebinding.py": _STARTS_AND_ENDS,
    "tests/integration/test_redis_benchmark.py": _OTHER_PROGRAM,
    "tests/integration/test_snapshots.py": _STARTS_AND_ENDS,
    "tests/integration/test_tls.py": _KERNEL,
    "tests/unit/aof/test_stops.py": _DISK,
    "tests/unit/benchmarks": _NEVER_COMPILED,
    "tests/unit/cli": _NEVER_COMPILED,
    "tests/unit/config": _NEVER_COMPILED,
    "tests/unit/extensions": _NEVER_COMPILED,
    "tests/unit/machine": _NEVER_COMPILED,
    "tests/unit/observability": _NEVER_COMPILED,
    "tests/unit/plugins/test_lua_libraries.py": _NEVER_COMPILED,
    "tests/unit/test_generated_pages.py": _SOURCES,
    "tests/unit/test_log_reporter.py": _NEVER_COMPILED,
    "tests/unit/test_redispy_runner.py": _NEVER_COMPILED,
    "tests/unit/test_tcl_runner.py": _NEVER_COMPILED,
    "tests/unit/test_testing_server.py": _NEVER_COMPILED,
    "tests/unit/test_tidy.py": _SOURCES,
}


#: Set in the second run; of random examples, that one tries one in so many.
SECOND_RUN: Final = "HYPERCACHE_SECOND_RUN"
_SHARE: Final = 3


def share_of(examples: int) -> int:
    """How many of the random examples of a test are tried: all in the first run, then a part, as
    they are the same ones."""
    return max(1, examples // _SHARE) if os.environ.get(SECOND_RUN) else examples


def is_once(path: Path) -> bool:
    """Whether the file of a test, or a folder that it is in, is one of `ONCE`."""
    if not path.is_relative_to(ROOT):
        return False
    relative = path.relative_to(ROOT)
    return any(str(each) in ONCE for each in (relative, *relative.parents))
