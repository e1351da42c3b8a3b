"""From a name and some settings to a backend: what is found, what is refused, in which words."""

from pathlib import Path

import pytest
from hypercache_memory import MemoryBackend

from hypercache.server import StartError, open_backend
from tests.support.packages import BACKENDS, distribution

MODULE = '''
"""A store for tests."""

from typing import ClassVar

import attrs

from hypercache.backend import Backend
from hypercache.keyspace.kv_backend import KVBackend
from hypercache.testing import SortedDictKV


@attrs.frozen
class Settings:
    path: str
    size: int = attrs.field(default=1, validator=attrs.validators.ge(1))


class Chest(KVBackend):
    settings_type = Settings

    def __init__(self, settings):
        if settings.path == "nowhere":
            raise OSError("no such place")
        super().__init__(SortedDictKV(), "chest")
        self.settings = settings


class Newer(Chest):
    contract = 2


class Untyped(Chest):
    settings_type = dict


def no_class():
    return Chest(Settings("x"))
'''


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on the import path with backends in a package."""
    (tmp_path / "chests.py").write_text(MODULE)
    (tmp_path / "lock.py").write_text("import module_that_is_not_there\n")
    points = (
        "chest = chests:Chest",
        "newer = chests:Newer",
        "untyped = chests:Untyped",
        "settings = chests:Settings",
        "function = chests:no_class",
        "absent = chests:Absent",
        "locked = lock:Chest",
    )
    distribution(tmp_path, "hypercache-chests", BACKENDS, *points)
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def refusal(name: str, **settings: object) -> str:
    with pytest.raises(StartError) as caught:
        open_backend(name, settings)
    return str(caught.value)


def test_backend_without_settings() -> None:
    assert isinstance(open_backend("memory", {}), MemoryBackend)
    assert refusal("memory", path="x") == (
        "backend 'memory': there is no setting 'path' (allowed: none)."
    )


def test_backend_with_settings(install: Path) -> None:
    backend = open_backend("chest", {"path": "here", "size": 2})
    assert backend.name == "chest"
    assert vars(backend)["settings"].size == 2


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, "setting 'path' is missing"),
        ({"path": 5}, "setting 'path' must be a text, is 5"),
        ({"path": "x", "size": "big"}, "setting 'size' must be an integer, is 'big'"),
        ({"path": "x", "size": 0}, "'size' must be >= 1: 0"),
        ({"path": "x", "sice": 1}, "there is no setting 'sice' (allowed: path, size)"),
    ],
)
def test_wrong_settings(install: Path, settings: dict[str, object], expected: str) -> None:
    assert refusal("chest", **settings) == f"backend 'chest': {expected}."


def test_constructor_that_raises(install: Path) -> None:
    assert refusal("chest", path="nowhere") == "backend 'chest' cannot be made: no such place."


def test_unknown_backend_names_those_that_are_there(install: Path) -> None:
    text = refusal("chests")
    assert text.startswith("backend 'chests' is not installed (installed: absent, chest, ")
    assert "memory" in text
    assert text.endswith(
        "Install the package that brings it, or choose another with the setting backend."
    )


def test_backend_that_cannot_be_imported(install: Path) -> None:
    assert refusal("locked") == (
        "backend 'locked' (lock:Chest) cannot be imported: "
        "No module named 'module_that_is_not_there'."
    )
    assert refusal("absent").startswith("backend 'absent' (chests:Absent) cannot be imported: ")


def test_entry_point_of_something_else(install: Path) -> None:
    assert refusal("settings") == (
        "backend 'settings': <class 'chests.Settings'> is no subclass of Backend."
    )
    assert refusal("function").endswith(" is no subclass of Backend.")


def test_other_contract_is_refused(install: Path) -> None:
    assert refusal("newer", path="x") == (
        "backend 'newer' needs version 2 of the backend contract; this server has 1."
    )


def test_settings_type_that_is_no_attrs_class(install: Path) -> None:
    assert refusal("untyped") == (
        "backend 'untyped': its settings_type <class 'dict'> is no attrs class."
    )


def test_two_backends_of_one_name_are_refused(install: Path) -> None:
    distribution(install, "other", BACKENDS, "chest = somewhere_else:Chest")
    assert refusal("chest") == (
        "backend 'chest' is there more than once: chests:Chest and somewhere_else:Chest. "
        "Uninstall one."
    )
