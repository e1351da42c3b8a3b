"""Settings of a backend, all at once or one by one, from every source."""

from pathlib import Path

import pytest

from hypercache.config import ConfigError, load


@pytest.mark.parametrize(
    "options",
    [
        ["--set", "backend-settings=path=kv.db sync=no count=3"],
        ["--set", "backend-settings.path=kv.db", "--set", "backend-settings.sync=no"]
        + ["--set", "backend-settings.count=3"],
        ["--backend-settings.path", "kv.db", "--backend-settings", "sync=no count=3"],
        ["--backend-settings", "path=old sync=no", "--set", "backend-settings.path=kv.db"]
        + ["--backend-settings.count", "3"],
    ],
)
def test_settings_of_a_backend_at_once_or_one_by_one(options: list[str]) -> None:
    settings = load(options, {}).settings
    assert settings.backend_settings == {"path": "kv.db", "sync": False, "count": 3}
    assert list(settings.plugins) == ["scripting", "snapshot", "aof", "filters"]


def test_settings_of_a_backend_in_the_environment_and_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "a.conf"
    path.write_text("backend-settings.path kv.db\nbackend-settings.count 3\n")
    settings = load([str(path), "--backend-settings.count", "4"], {}).settings
    assert settings.backend_settings == {"path": "kv.db", "count": 4}
    settings = load([str(path)], {"HYPERCACHE_BACKEND_SETTINGS": "count=5"}).settings
    assert settings.backend_settings == {"count": 5}


def test_setting_of_a_backend_without_a_value() -> None:
    with pytest.raises(ConfigError, match="Module config specified without value"):
        load(["--backend-settings.path"], {})
