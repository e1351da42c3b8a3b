"""Our YAML: sections, flat names, types, and errors that name file and line."""

from pathlib import Path

import pytest

from hypercache.config import BufferLimit, ConfigError, SavePoint, load
from hypercache.config.loader import is_yaml
from hypercache.config.settings import Settings


def settings_of(tmp_path: Path, text: str) -> Settings:
    file = tmp_path / "hypercache.yaml"
    file.write_text(text, "utf-8")
    return load([str(file)], {}).settings


def test_sections_and_flat_names(tmp_path: Path) -> None:
    settings = settings_of(
        tmp_path,
        """
network:
  port: 7000
  bind: [127.0.0.1, "::1"]
  protected-mode: false
  unixsocketperm: 0700
  timeout:    # nothing: see below
limits:
maxclients: 500
hash-max-ziplist-value: 1kb
appendfsync: no
oom-score-adj: off
unixsocket: ~
""".replace("  timeout:    # nothing: see below\n", ""),
    )
    assert settings.port == 7000
    assert settings.bind == ("127.0.0.1", "::1")
    assert settings.protected_mode is False
    assert settings.unixsocketperm == 0o700
    assert settings.maxclients == 500
    assert settings.hash_max_listpack_value == 1024
    assert settings.appendfsync == "no"
    assert settings.oom_score_adj == "no"
    assert settings.unixsocket == ""


@pytest.mark.parametrize(
    "text",
    [
        'save: ["900 1", 60 10]',
        "save: 900 1 60 10",
        "persistence:\n  save:\n    - 900 1\n    - [60, 10]",
    ],
)
def test_save(tmp_path: Path, text: str) -> None:
    assert settings_of(tmp_path, text).save == (SavePoint(900, 1), SavePoint(60, 10))


@pytest.mark.parametrize("text", ['save: ""', "save: []", "save:"])
def test_no_save(tmp_path: Path, text: str) -> None:
    assert settings_of(tmp_path, text).save == ()


@pytest.mark.parametrize(
    "value",
    [
        "pubsub 16mb 8mb 60",
        "{pubsub: 16mb 8mb 60}",
        "{pubsub: [16mb, 8mb, 60]}",
        "[pubsub 16mb 8mb 60]",
        "\n  pubsub:\n    - 16mb\n    - 8mb\n    - 60",
    ],
)
def test_output_buffer_limits(tmp_path: Path, value: str) -> None:
    limits = settings_of(tmp_path, f"client-output-buffer-limit: {value}")
    assert limits.client_output_buffer_limit.pubsub == BufferLimit(16 << 20, 8 << 20, 60)
    assert limits.client_output_buffer_limit.replica.seconds == 60


def test_plugins_and_backends_keep_types(tmp_path: Path) -> None:
    settings = settings_of(
        tmp_path,
        """
storage:
  backend: lmdb
  backend-settings: {map-size: 1gb, sync: no, readers: 126, paths: [a, "b c"], note: "7"}
plugins:
  aof:
    fsync: always
    rewrite: {percentage: 100}
  snapshot:
""",
    )
    assert settings.backend_settings == {
        "map-size": "1gb",
        "sync": False,
        "readers": 126,
        "paths": ["a", "b c"],
        "note": "7",
    }
    assert settings.plugins == {
        "aof": {"fsync": "always", "rewrite": {"percentage": 100}},
        "snapshot": {},
    }


@pytest.mark.parametrize(
    "text",
    ["plugins: [a, b]", "plugins: a b", "plugins:\n  plugins: [a, b]", "plugins: {a: , b: }"],
)
def test_forms_of_plugins(tmp_path: Path, text: str) -> None:
    assert settings_of(tmp_path, text).plugins == {"a": {}, "b": {}}


def test_log_levels(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, "logging:\n  log-levels: {engine: debug, transport: warning}")
    assert settings.log_levels == {"engine": "debug", "transport": "warning"}


def test_directives_of_files(tmp_path: Path) -> None:
    (tmp_path / "other.yaml").write_text("port: 9\nmaxclients: 9\n")
    settings = settings_of(
        tmp_path,
        f"""
include: [{tmp_path}/other.yaml]
maxclients: 10
security:
  rename-command: [FLUSHALL "", [GET, fetch]]
  user: alice on nopass
""",
    )
    assert (settings.port, settings.maxclients) == (9, 10)
    assert settings.rename_command == (("FLUSHALL", ""), ("GET", "fetch"))
    assert settings.user == (("alice", "on", "nopass"),)


@pytest.mark.parametrize("text", ["", "# only a comment\n", "---\n"])
def test_an_empty_file(tmp_path: Path, text: str) -> None:
    assert settings_of(tmp_path, text) == Settings(dir=str(Path.cwd()))


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("port: 1\nprot: 2\n", "line 2: unknown setting 'prot', did you mean 'port'?"),
        ("network:\n  prt: 2\n", "line 2: unknown setting 'prt', did you mean 'port'?"),
        ("zzzzzz: 2\n", "line 1: unknown setting 'zzzzzz'"),
        ("network:\n  maxclients: 2\n", "line 2: 'maxclients' belongs to section 'limits', not"),
        (
            "network:\n  port: 70000\n",
            "line 2: argument must be between 0 and 65535 inclusive: port "
            'is "70000"; allowed: an integer from 0 to 65535',
        ),
        ("appendonly: maybe\n", 'appendonly is "maybe"; allowed: yes or no'),
        ("port: [1, 2]\n", "line 1: 'port' must be a single value; allowed: an integer from"),
        ("port: 1\nport: 2\n", "line 2: 'port' is set twice"),
        ("network:\n  - port\n", "line 2: section 'network' must be a mapping"),
        ("network: yes\n", "line 1: section 'network' must be a mapping"),
        ("- port\n", "line 1: settings must be a mapping of names to values"),
        ("[a]: 1\n", "line 1: a name must be a plain text"),
        ("port: 1\n  bind: x\n", "line 2: not valid YAML: "),
        ("port: [1\n", "not valid YAML: "),
        ("port: \x01\n", "not valid YAML: "),
        ("plugins: {aof: 7}\n", "line 1: settings of plugin 'aof' must be a mapping"),
        ("save: 60\n", 'line 1: Invalid save parameters: save is "60"; allowed: pairs of seconds'),
        ("requirepass: [hunter2]\n", "'requirepass' must be a single value"),
        ("rename-command: GET\n", "line 1: Bad directive or wrong number of arguments"),
    ],
)
def test_mistakes(tmp_path: Path, text: str, error: str) -> None:
    file = tmp_path / "hypercache.yaml"
    file.write_text(text, "utf-8")
    with pytest.raises(ConfigError) as caught:
        load([str(file)], {})
    message = str(caught.value)
    assert message.startswith(str(file))
    assert error in message
    assert "hunter2" not in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("name", "text", "answer"),
    [
        ("a.yaml", "port 1", True),
        ("a.YML", "", True),
        ("a.conf", "port: 1", False),
        ("a.conf.1", "port 1\n", False),
        ("a.conf.1", "# x\nport: 1\n", True),
        ("config", "network:\n  port: 1\n", True),
        ("config", "---\n", True),
        ("config", '{"port": 1}', True),
        ("config", "replicaof ::1 6379\n", False),
        ("config", "unixsocket /tmp/a:b\n", False),
        ("config", "", False),
    ],
)
def test_files_are_told_apart(name: str, text: str, answer: bool) -> None:
    assert is_yaml(name, text) is answer
