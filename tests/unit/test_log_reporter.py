"""What the engine reports reaches the log: a bug in a command must not end the server."""

import json

import pytest

from hypercache.config import Settings
from hypercache.observability.logs import configure
from hypercache.server import LogReporter


def test_exception_is_logged_with_its_trace(capfd: pytest.CaptureFixture[str]) -> None:
    configure(Settings())  # whatever tests of the command line have left
    try:
        raise NameError("value of a user")
    except NameError as error:
        fields: dict[str, object] = {"command": "lcs", "exception": error}
        LogReporter().report("error", "command_crashed", fields)
    out, err = capfd.readouterr()
    event = json.loads(out + err)
    assert (event["level"], event["event"]) == ("error", "command_crashed")
    assert event["command"] == "lcs"
    assert "NameError" in event["exception"]
    assert "test_exception_is_logged_with_its_trace" in event["exception"]
