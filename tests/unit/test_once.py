"""What the second run leaves out, and that it leaves out no more."""

from tests.support.once import ONCE, ROOT, is_once


def test_every_place_exists_and_has_a_reason() -> None:
    for place, reason in ONCE.items():
        assert (ROOT / place).exists(), place
        assert reason


def test_a_folder_holds_all_that_is_below_it() -> None:
    assert is_once(ROOT / "tests/unit/config/test_schema.py")
    assert is_once(ROOT / "tests/fault/test_crash.py")
    assert not is_once(ROOT / "tests/fault/test_session_fuzz.py")
    assert not is_once(ROOT.parent / "elsewhere" / "test_crash.py")


def test_the_path_of_a_command_is_tested_in_both_runs() -> None:
    for name in ("commands", "engine", "keyspace", "protocol", "backends", "transport"):
        assert not [place for place in ONCE if place.startswith(f"tests/unit/{name}")]
