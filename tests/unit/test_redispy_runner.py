"""The runner of redis-py's tests: which files it takes, how it reads and compares reports."""

from pathlib import Path

import pytest

from tests.redispy.run import CannotRun, Outcome, compared, load, outcomes, per_file, save, servable

REPORT = """<testsuites><testsuite>
<testcase classname="tests.test_lock.TestLock" name="test_lock[None]" />
<testcase classname="tests.test_lock.TestLock" name="test_blocking">
  <failure message=" AssertionError ">text</failure></testcase>
<testcase classname="tests.test_json" name="test_json"><skipped message="no module" /></testcase>
<testcase classname="tests.test_x" name="test_teardown" />
<testcase classname="tests.test_x" name="test_teardown"><error message="gone" /></testcase>
</testsuite></testsuites>"""
FOUND = {
    "tests.test_lock.TestLock::test_lock[None]": Outcome("passed"),
    "tests.test_lock.TestLock::test_blocking": Outcome("failed", "AssertionError"),
    "tests.test_json::test_json": Outcome("skipped"),
    "tests.test_x::test_teardown": Outcome("failed", "gone"),
}


def test_report(tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    report.write_text(REPORT)
    assert outcomes(report) == FOUND
    save(tmp_path / "found.json", FOUND)
    assert load(tmp_path / "found.json") == FOUND
    assert [" ".join(row.split()) for row in per_file(FOUND)] == [
        "tests.test_json 0 passed 0 failed 1 skipped",
        "tests.test_lock 1 passed 1 failed 0 skipped",
        "tests.test_x 0 passed 1 failed 0 skipped",
        "all 1 passed 2 failed 1 skipped",
    ]


def test_comparison() -> None:
    there = {"a": Outcome("passed"), "b": Outcome("passed"), "c": Outcome("failed")}
    assert compared({"a": Outcome("passed"), "c": Outcome("passed")}, there) == (2, 1, ["b"])


def test_files_that_one_server_can_serve(tmp_path: Path) -> None:
    (tmp_path / "tests" / "test_asyncio").mkdir(parents=True)
    for name in ("conftest.py", "test_lock.py", "test_json.py", "test_asyncio/test_ssl.py"):
        (tmp_path / "tests" / name).touch()
    assert servable(tmp_path) == ["tests/test_lock.py"]
    with pytest.raises(CannotRun):
        servable(tmp_path / "tests")
