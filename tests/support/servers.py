"""The servers that tests start: ours, or what stands in for it, and redis-server beside it."""

import os
import shlex
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

import pytest

from hypercache.testing.server import ServerProcess

#: A command that is started in the place of ``hypercache serve``. A redis-server there
#: tells whether a test is true to Redis or only to ourselves.
SERVER_VARIABLE = "HYPERCACHE_TEST_SERVER"

#: What the fixture ``start_server`` is: `server_process` with the server started.
StartServer: TypeAlias = Callable[..., ServerProcess]

PACKAGES = {
    "redis-server": "redis-server",
    "redis-cli": "redis-tools",
    "redis-benchmark": "redis-tools",
}


def tool(name: str) -> str:
    """The path of a program that the tests need; the test fails when it is missing."""
    path = shutil.which(name)
    if path is None:
        pytest.fail(f"{name} is missing: install the Debian package {PACKAGES[name]}")
    return path


class RedisProcess(ServerProcess):
    """redis-server, from PATH or another command, without persistence."""

    @classmethod
    def default_command(cls) -> list[str]:
        """The redis-server in PATH."""
        return [tool("redis-server")]

    def command_line(self) -> list[str]:
        """The whole command line, in the words of redis-server."""
        line = list(self._command)
        if self.config is not None:
            line.append(str(self.config))
        settings = {
            "port": str(self.port),
            "bind": self.host,
            "dir": str(self.directory),
            "save": "",
            "appendonly": "no",
        }
        for name, value in (settings | self.settings).items():
            line += [f"--{name}", value]
        return line + self.arguments


def replaced() -> list[str] | None:
    """The command that stands in for our server, if one does."""
    return shlex.split(os.environ.get(SERVER_VARIABLE, "")) or None


def server_process(
    settings: Mapping[str, str] | None = None,
    *,
    config: Path | None = None,
    arguments: Sequence[str] = (),
    port: int | None = None,
    directory: Path | None = None,
    wrapper: Sequence[str] = (),
) -> ServerProcess:
    """The server to be tested, not yet started: ours unless `SERVER_VARIABLE` is set.

    ``wrapper`` is a command that runs the command behind it (a shell with limits, say).
    """
    command = replaced()
    is_redis = command is not None and Path(command[0]).name.startswith("redis-server")
    kind = RedisProcess if is_redis else ServerProcess
    return kind(
        settings=settings,
        config=config,
        arguments=arguments,
        port=port,
        directory=directory,
        command=[*wrapper, *(command or ServerProcess.default_command())],
    )
