"""What the configuration and the state file say of stores."""

import json
from pathlib import Path

import pytest

from hypercache.config import ConfigError, load
from hypercache.config.stores import duration, milliseconds, read_stores, write_stores

YAML = """\
stores:
  sessions:
    database: 3
    backend: lmdb
    backend-settings: {path: sessions, log-size: 65536}
    max-memory: 100mb
    policy: allkeys-sieve
    default-expiry: 90m
    lookup-filter: yes
  plain: {database: 1, policy: "", default-expiry: 0}
"""
SESSIONS = {
    "database": 3,
    "backend": "lmdb",
    "backend-settings": {"path": "sessions", "log-size": 65536},
    "max-memory": 100 << 20,
    "policy": "allkeys-sieve",
    "default-expiry": "90m",
    "lookup-filter": "yes",
}


def test_stores_in_yaml_and_in_redis_conf_mean_the_same(tmp_path: Path) -> None:
    yaml = tmp_path / "a.yaml"
    yaml.write_text(YAML)
    assert load([str(yaml)], {}).settings.stores == {"sessions": SESSIONS, "plain": {"database": 1}}
    conf = tmp_path / "a.conf"
    words = (
        "sessions.database=3 sessions.backend=lmdb sessions.max-memory=100mb"
        " 'sessions.backend-settings={path: sessions, log-size: 65536}'"
        " sessions.policy=allkeys-sieve sessions.default-expiry=5400 sessions.lookup-filter=yes"
    )
    conf.write_text(f"stores {words} plain.database=1\n")
    assert load([str(conf)], {}).settings.stores == load([str(yaml)], {}).settings.stores


def test_rewriting_keeps_stores(tmp_path: Path) -> None:
    yaml = tmp_path / "a.yaml"
    yaml.write_text(YAML)
    configuration = load([str(yaml)], {})
    configuration.rewrite()
    assert yaml.read_text() == YAML
    configuration.settings.stores["sessions"]["max-memory"] = 5
    configuration.rewrite()
    assert load([str(yaml)], {}).settings.stores["sessions"] == {**SESSIONS, "max-memory": 5}


@pytest.mark.parametrize(
    ("stores", "reason"),
    [
        ("{7: {database: 1}}", "store '7': a store's name has up to 64 letters"),
        ("{a.b: {database: 1}}", "argument"),
        (f"{{{'x' * 65}: {{database: 1}}}}", "a store's name has up to 64 letters"),
        ("{a: {policy: allkeys-lru}}", "store 'a': its 'database' is missing"),
        ("{a: {database: 1}, b: {database: 1}}", "'a' and 'b' have the same database 1"),
        ("{a: {database: -1}}", "store 'a': database: argument must be between 0"),
        ("{a: {database: one}}", "store 'a': database: argument couldn't be parsed"),
        ("{a: {database: 1, max-memory: much}}", "max-memory: argument must be a memory value"),
        ("{a: {database: 1, default-expiry: 1y}}", "default-expiry: argument must be a time"),
        ("{a: {database: 1, default-expiry: 40000d}}", "at most 100 years"),
        ("{a: {database: 1, lookup-filter: maybe}}", "one of the following: default, yes, no"),
        ("{a: {database: 1, colour: red}}", "store 'a': a store has no 'colour', only database"),
        ("{a: {database: 1, backend-settings: {x: 1}}}", "'backend-settings', but no 'backend'"),
        ("{a: {database: 1, backend: b, backend-settings: x}}", "must be a mapping"),
    ],
)
def test_what_is_wrong_with_stores(tmp_path: Path, stores: str, reason: str) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(f"port: 1\nstores: {stores}\n")
    with pytest.raises(ConfigError, match=reason) as error:
        load([str(file)], {})
    assert "a.yaml" in str(error.value)


@pytest.mark.parametrize(
    ("text", "time", "shown"),
    [
        ("0", 0, "0"),
        ("0d", 0, "0"),
        ("1", 1000, "1s"),
        ("1500ms", 1500, "1500ms"),
        ("120s", 120_000, "2m"),
        ("24h", 86_400_000, "1d"),
        ("36500d", 3_153_600_000_000, "36500d"),
    ],
)
def test_times(text: str, time: int, shown: str) -> None:
    assert milliseconds(text) == time
    assert duration(time) == shown
    assert milliseconds(shown) == time


@pytest.mark.parametrize("text", ["", "-1", "1.5", "ms", "1 s", "1week", "9" * 30, "٣"])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(ConfigError, match="must be a time"):
        milliseconds(text)


def test_state_file_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "stores.json"
    assert read_stores(path) == []
    write_stores(path, [("sessions", dict(SESSIONS)), ("", {"database": 2, "max-memory": 7})])
    assert read_stores(path) == [("sessions", SESSIONS), ("", {"database": 2, "max-memory": 7})]
    write_stores(path, [])
    assert read_stores(path) == []
    assert [each.name for each in tmp_path.iterdir()] == ["stores.json"]


@pytest.mark.parametrize(
    "data",
    [
        "",
        "[]",
        "{",
        '{"version": 2, "stores": []}',
        '{"version": 1}',
        '{"version": 1, "stores": [{"name": "a"}]}',
        '{"version": 1, "stores": [{"name": "a", "rules": {}}]}',
        '{"version": 1, "stores": [{"name": "1", "rules": {"database": 1}}]}',
        '{"version": 1, "stores": [{"name": "a", "rules": {"database": 1, "what": 1}}]}',
        '{"version": 1, "stores": [{"name": 5, "rules": {"database": 1}}]}',
        "\udcff",
    ],
)
def test_damaged_state_file_is_named(tmp_path: Path, data: str) -> None:
    path = tmp_path / "stores.json"
    path.write_bytes(data.encode("utf-8", "surrogateescape"))
    with pytest.raises(ConfigError, match=r"stores\.json"):
        read_stores(path)


def test_state_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    path = tmp_path / "stores.json"
    path.mkdir()
    with pytest.raises(ConfigError, match=r"stores\.json cannot be read"):
        read_stores(path)


def test_state_file_is_json(tmp_path: Path) -> None:
    path = tmp_path / "stores.json"
    write_stores(path, [("a", {"database": 1})])
    assert json.loads(path.read_text()) == {
        "version": 1,
        "stores": [{"name": "a", "rules": {"database": 1}}],
    }
