"""Logs: formats, levels at run time, what is withheld, and a log that cannot be written."""

import errno
import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hypercache.config import DIRECTIVES, Configuration, Settings
from hypercache.observability import logs
from hypercache.observability.log_formats import describe_exception, is_secret, printable
from hypercache.observability.logs import get_logger

early = get_logger("early")  # made before anything is configured

Configure = Callable[..., Configuration]


@pytest.fixture
def follow() -> Iterator[Configure]:
    """Configures logs with these settings; afterwards they are as by default."""

    def configure(**settings: Any) -> Configuration:
        configuration = Configuration(Settings(**settings))
        logs.follow(configuration)
        return configuration

    yield configure
    logs.configure(Settings())


def events(capfd: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capfd.readouterr().out.splitlines()]


# -- events ------------------------------------------------------------------------------------


def test_json_lines(follow: Configure, capfd: pytest.CaptureFixture[str]) -> None:
    follow()
    log = get_logger("transport").bind(client=7, db=0)
    log.bind(command="get").warning("slow_reader", "A client does not read.", unsent=5)
    [event] = events(capfd)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", event.pop("timestamp"))
    assert event == {
        "level": "warning",
        "event": "slow_reader",
        "component": "transport",
        "client": 7,
        "db": 0,
        "command": "get",
        "unsent": 5,
        "message": "A client does not read.",
    }
    assert list(event)[:3] == ["level", "event", "component"]


def test_usable_before_it_is_configured() -> None:
    code = (
        "from hypercache.observability.logs import get_logger\n"
        "get_logger('early').info('hello', n=1)\n"
        "get_logger('early').verbose('too much')\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(run.stdout)["event"] == "hello"
    assert run.stderr == ""


def test_any_value_makes_a_line(follow: Configure, capfd: pytest.CaptureFixture[str]) -> None:
    follow()
    early.info(
        "values",
        data=b"a\xff\r\n",
        text="\udcff\ud800\x1b[31m\n",
        number=float("nan"),
        many=[1, (2, {"x": None})],
        other=Path("/tmp"),
        flag=True,
    )
    [event] = events(capfd)
    del event["timestamp"]
    assert event == {
        "level": "info",
        "event": "values",
        "component": "early",
        "data": "a\\xff\\x0d\\x0a",
        "text": "\\udcff\\ud800\\x1b[31m\\x0a",
        "number": "nan",
        "many": [1, [2, {"x": None}]],
        "other": "/tmp",
        "flag": True,
    }


def test_no_value_can_fake_a_line(follow: Configure, capfd: pytest.CaptureFixture[str]) -> None:
    for form in ("json", "console", "redis"):
        follow(log_format=form)
        early.info("named", name="a\n1:M 01 Jan 2026 00:00:00.000 * fake\r\x85", message="x\ny")
        assert len(capfd.readouterr().out.splitlines()) == 1


# -- secrets -----------------------------------------------------------------------------------


def test_secrets_and_data_are_withheld(
    follow: Configure, capfd: pytest.CaptureFixture[str]
) -> None:
    fields: dict[str, object] = {each.attribute: "hunter2" for each in DIRECTIVES if each.secret}
    fields["user"] = (("ada", "on", "#hunter2"),)  # the directive, not somebody's name
    assert {"requirepass", "masterauth", "tls_key_file_pass"} <= set(fields)
    fields |= {"Password": "hunter2", "old-token": "hunter2", "value": b"hunter2"}
    fields |= {"args": [b"set", b"k", b"hunter2"], "nested": {"list": [{"secret": "hunter2"}]}}
    for form in ("json", "console", "redis"):
        follow(log_format=form)
        early.bind(auth="hunter2").info("handled", key=b"k", **fields)
        output = capfd.readouterr().out
        assert "hunter2" not in output
        assert output.count("(withheld)") == len(fields) + 1
        assert "key" in output


@pytest.mark.parametrize(
    ("name", "answer"),
    [("password", True), ("API-KEY", True), ("x_secret", True), ("key", False), ("author", False)],
)
def test_names_of_secrets(name: str, answer: bool) -> None:
    assert is_secret(name) is answer


def crash() -> Exception:
    try:
        try:
            int("hunter2")
        except ValueError as error:
            raise KeyError("hunter2") from error
    except KeyError as error:
        return error


def test_texts_of_exceptions_are_withheld_but_for_debugging(
    follow: Configure, capfd: pytest.CaptureFixture[str]
) -> None:
    configuration = follow()
    early.error("crashed", exception=crash())
    [event] = events(capfd)
    assert "hunter2" not in event["exception"].replace('int("hunter2")', "").replace(
        'KeyError("hunter2")', ""
    )
    assert "KeyError (its text is withheld unless loglevel is debug)" in event["exception"]
    assert "ValueError" in event["exception"]
    assert "in crash" in event["exception"]
    configuration.set([("loglevel", "debug")])
    early.error("crashed", exception=crash())
    [event] = events(capfd)
    assert "ValueError: invalid literal" in event["exception"]


def test_exceptions_of_the_system_keep_their_text(
    follow: Configure, capfd: pytest.CaptureFixture[str]
) -> None:
    follow()
    try:
        Path("/no/such/file").read_text()
    except OSError:
        early.exception("cannot_read")
    [event] = events(capfd)
    assert event["level"] == "error"
    assert "FileNotFoundError: [Errno 2] No such file or directory" in event["exception"]


def test_exception_groups_and_endless_causes() -> None:
    group = ExceptionGroup("hunter2", [ValueError("hunter2"), OSError(errno.EIO, "broken")])
    text = describe_exception(group, False)
    assert "hunter2" not in text
    assert "ExceptionGroup of 2:" in text
    assert "OSError: [Errno 5] broken" in text
    one, other = ValueError(), ValueError()
    one.__cause__, other.__cause__ = other, one
    assert describe_exception(one, False).count("which led to:") == 10


# -- levels ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("loglevel", "written"),
    [
        ("debug", ["debug", "verbose", "info", "warning", "error"]),
        ("verbose", ["verbose", "info", "warning", "error"]),
        ("notice", ["info", "warning", "error"]),
        ("warning", ["warning", "error"]),
        ("nothing", []),
    ],
)
def test_levels_change_at_run_time(
    follow: Configure, capfd: pytest.CaptureFixture[str], loglevel: str, written: list[str]
) -> None:
    configuration = follow(loglevel="nothing")
    kept = get_logger("kept").bind(client=1)
    kept.error("before")
    configuration.set([("loglevel", loglevel)])
    for level in ("debug", "verbose", "info", "warning", "error"):
        getattr(kept, level)("event")
        assert kept.is_enabled(level) is (level in written)
    kept.log("error", "event")
    found = [event["level"] for event in events(capfd)]
    assert found == written + ["error"] * bool(written)


def test_levels_of_components(follow: Configure, capfd: pytest.CaptureFixture[str]) -> None:
    configuration = follow()
    engine, transport = get_logger("engine"), get_logger("transport").bind(client=1)
    configuration.set([("log-levels", "engine=debug transport=warning")])
    engine.debug("1")
    transport.info("2")
    transport.warning("3")
    early.info("4")
    early.debug("5")
    configuration.set([("log-levels", "")])
    engine.debug("6")
    transport.info("7")
    assert [event["event"] for event in events(capfd)] == ["1", "3", "4", "7"]


# -- formats -----------------------------------------------------------------------------------


def test_redis_format(follow: Configure, capfd: pytest.CaptureFixture[str]) -> None:
    follow(log_format="redis", loglevel="debug")
    early.info("ready", "Ready to accept connections tcp", port=1)
    early.warning("no_message", n=1, name="x")
    early.debug("d")
    early.verbose("v")
    early.error("e", exception=OSError("broken"))
    lines = capfd.readouterr().out.splitlines()
    head = rf"{os.getpid()}:M \d\d [A-Z][a-z]{{2}} \d{{4}} \d\d:\d\d:\d\d\.\d{{3}} "
    assert re.fullmatch(head + r"\* Ready to accept connections tcp", lines[0])
    assert re.fullmatch(head + r"# no_message n=1 name=x", lines[1])
    assert re.fullmatch(head + r"\. d", lines[2])
    assert re.fullmatch(head + r"- v", lines[3])
    assert re.fullmatch(head + r"# e", lines[4])
    assert lines[5] == "OSError: broken"


def test_console_format(follow: Configure, capfd: pytest.CaptureFixture[str]) -> None:
    follow(log_format="console")
    early.info("ready", "Ready to serve", port=1)
    early.warning("event_name", n=1)
    output = capfd.readouterr().out
    assert "\x1b" not in output
    first, second = output.splitlines()
    assert re.match(r"\S+Z \[info +\] Ready to serve +component=early port=1$", first)
    assert re.match(r"\S+Z \[warning +\] event_name +component=early n=1$", second)


def test_a_terminal_gets_the_console_format(follow: Configure, tmp_path: Path) -> None:
    leader, follower = os.openpty()
    try:
        code = (
            "from hypercache.config import Settings\n"
            "from hypercache.observability import logs\n"
            "logs.configure(Settings())\n"
            "logs.get_logger('x').info('hello')\n"
        )
        environ = {key: value for key, value in os.environ.items() if key != "NO_COLOR"}
        subprocess.run([sys.executable, "-c", code], stdout=follower, check=True, env=environ)
        output = os.read(leader, 4096).decode()
    finally:
        os.close(leader)
        os.close(follower)
    assert "hello" in output
    assert "\x1b[" in output
    assert not output.startswith("{")


# -- where it goes -----------------------------------------------------------------------------


def test_log_file(follow: Configure, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.log"
    path.write_text("before\n")
    follow(dir=str(tmp_path), logfile="a.log")
    early.info("one")
    assert path.read_text().startswith("before\n")
    assert json.loads(path.read_text().splitlines()[1])["event"] == "one"
    assert capfd.readouterr().out == ""


def test_reopen_after_a_rotation(follow: Configure, tmp_path: Path) -> None:
    follow(dir=str(tmp_path), logfile="a.log")
    early.info("one")
    (tmp_path / "a.log").rename(tmp_path / "a.log.1")
    early.info("two")
    logs.reopen()
    early.info("three")
    rotated = [json.loads(line)["event"] for line in (tmp_path / "a.log.1").open()]
    current = [json.loads(line)["event"] for line in (tmp_path / "a.log").open()]
    assert (rotated, current) == (["one", "two"], ["three"])


def test_a_log_file_that_cannot_be_opened_changes_nothing(
    follow: Configure, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    follow()
    with pytest.raises(FileNotFoundError):
        logs.configure(Settings(dir=str(tmp_path), logfile="no/a.log"))
    early.info("still_here")
    assert [event["event"] for event in events(capfd)] == ["still_here"]


def test_a_full_disk_costs_lines_and_no_more(follow: Configure, tmp_path: Path) -> None:
    follow(logfile="/dev/full")
    before = logs.lost_lines()
    early.info("one")
    early.info("two")
    assert logs.lost_lines() == before + 2


def test_a_line_cut_off_is_not_glued_to_the_next(
    follow: Configure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    follow(dir=str(tmp_path), logfile="a.log")
    write = os.write

    def cut(descriptor: int, data: bytes) -> int:
        if len(data) > 20:
            return write(descriptor, data[:20])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", cut)
    early.info("lost", text="x" * 15)
    monkeypatch.undo()
    early.info("whole")
    early.info("next")
    lines = (tmp_path / "a.log").read_text().splitlines()
    assert [json.loads(line)["event"] for line in lines[1:]] == ["whole", "next"]


@pytest.mark.parametrize("shut", ["exec 1>&-;", "trap '' PIPE;"])
def test_a_closed_output_does_not_stop_the_program(shut: str) -> None:
    code = (
        "import sys\n"
        "from hypercache.config import Settings\n"
        "from hypercache.observability import logs\n"
        "logs.configure(Settings())\n"
        "for _ in range(100): logs.get_logger('x').info('hello', text='x' * 10000)\n"
        "print('alive', logs.lost_lines(), file=sys.stderr)\n"
    )
    script = f'{shut} "$0" -c "$1"' + ("" if "exec" in shut else " | true")
    run = subprocess.run(
        ["sh", "-c", script, sys.executable, code], capture_output=True, text=True, check=False
    )
    assert re.match(r"alive [1-9]\d*\n", run.stderr), run.stderr


def test_without_standard_output_descriptor_1_is_left_alone(tmp_path: Path) -> None:
    """It may be a client's socket by then."""
    code = (
        "import os\n"
        f"assert os.open({str(tmp_path / 'socket')!r}, os.O_WRONLY | os.O_CREAT) == 1\n"
        "from hypercache.observability import logs\n"
        "logs.get_logger('x').info('hello')\n"
    )
    script = 'exec 1>&-; "$0" -c "$1"'
    run = subprocess.run(
        ["sh", "-c", script, sys.executable, code], stderr=subprocess.PIPE, text=True, check=False
    )
    assert run.stderr == ""
    assert (tmp_path / "socket").read_bytes() == b""


def test_printable_never_fails() -> None:
    assert printable(b"\xf0\x9f") == "\\xf0\\x9f"
    assert printable("é\u2028") == "é\u2028"
    assert printable(io.BytesIO).startswith("<class")
