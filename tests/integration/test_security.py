"""Users of a real server: starts that are refused, and secrets that are written nowhere."""

import hashlib
import socket
from pathlib import Path
from typing import IO

import pytest

from hypercache.testing.resp import decode_next, encode
from hypercache.testing.server import ServerFailed, ServerProcess

SECRET = "correct-horse-battery-staple"


class Client:
    """A connection to the server."""

    def __init__(self, server: ServerProcess) -> None:
        connection = socket.create_connection((server.host, server.port), timeout=10)
        self.stream: IO[bytes] = connection.makefile("rwb")
        connection.close()

    def __call__(self, *words: object) -> object:
        self.stream.write(encode(*[str(word) for word in words]))
        self.stream.flush()
        return decode_next(self.stream)


def test_a_rule_for_a_command_that_nobody_brings_stops_the_start(tmp_path: Path) -> None:
    conf = tmp_path / "a.conf"
    conf.write_text(f"user bob on >{SECRET} +get +nothing\n")
    with pytest.raises(ServerFailed) as refused, ServerProcess(config=conf):
        pass
    assert "Error in applying operation '+nothing': Unknown command" in str(refused.value)
    assert SECRET not in str(refused.value)


def test_a_secret_is_written_nowhere(tmp_path: Path) -> None:
    """One password is used wherever a request or a setting can hold one."""
    conf = tmp_path / "a.conf"
    conf.write_text(
        f"requirepass {SECRET}\nmasterauth {SECRET}\nuser bob on >{SECRET} ~* &* +@all\n"
        "slowlog-log-slower-than 0\nslowlog-max-len 1000\nloglevel debug\n"
    )
    digest = hashlib.sha256(SECRET.encode()).hexdigest()
    with ServerProcess(config=conf, directory=tmp_path) as server:
        monitor = Client(server)
        assert monitor("HELLO", 2, "AUTH", "default", SECRET)
        assert monitor("MONITOR") == "OK"
        client = Client(server)
        for words in (
            ("AUTH", f"{SECRET}x"),
            ("AUTH", SECRET),
            ("AUTH", "bob", SECRET),
            ("auth", "nobody", SECRET),
            ("AUTH", "a", "b", SECRET),
            ("HELLO", 3, "AUTH", "bob", f"{SECRET}x"),
            ("HELLO", 2, "SETNAME", "me", "AUTH", "bob", SECRET),
            ("HELLO", 2, "AUTH", SECRET, SECRET, "wrong"),
            ("CONFIG", "SET", "maxclients", 100, "requirepass", SECRET),
            ("CONFIG", "SET", "masterauth", SECRET, "port", "x"),
            ("CONFIG", "SET", "tls-key-file-pass", SECRET),
            ("ACL", "SETUSER", "eve", "on", f">{SECRET}"),
            ("ACL", "SETUSER", "eve", f"<{SECRET}"),
            ("ACL", "SETUSER", "eve", f"<{SECRET}"),
            ("ACL", "SETUSER", "eve", f"#{digest}", SECRET),
            ("ACL", "SETUSER", SECRET, "off"),
            ("MULTI",),
            ("AUTH", "bob", SECRET),
            ("ACL", "SETUSER", "eve", f">{SECRET}"),
            ("EXEC",),
            ("CONFIG", "REWRITE"),
            ("ACL", "DELUSER", "eve"),
        ):
            client(*words)
        shown = [client("SLOWLOG", "GET", -1), client("ACL", "LOG", 100)]
        shown += [client("CLIENT", "LIST"), client("INFO", "all")]
        client("ECHO", "the end")
        while b"the end" not in (line := monitor.stream.readline()):
            shown.append(line)
        server.stop()
        shown.append(server.output)
    text = "\n".join(map(str, shown))
    assert text.count("(redacted)") > 20
    assert SECRET not in text
    assert digest not in text
    written = conf.read_text()
    assert f"#{digest}" in written
    assert f">{SECRET}" not in written
