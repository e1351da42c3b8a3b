"""CONFIG GET and CONFIG SET."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hypercache.config import DIRECTIVES, ConfigError, Configuration, Settings, load


@pytest.fixture
def configuration() -> Configuration:
    return Configuration()


def refusal(configuration: Configuration, *words: str, **options: bool) -> str:
    pairs = [(words[at], words[at + 1]) for at in range(0, len(words), 2)]
    before = dict(configuration.get("*"))
    with pytest.raises(ConfigError) as caught:
        configuration.set(pairs, **options)
    assert dict(configuration.get("*")) == before
    return str(caught.value)


# -- get ---------------------------------------------------------------------------------------


def test_get_one(configuration: Configuration) -> None:
    assert configuration.get("maxclients") == [("maxclients", "10000")]
    assert configuration.get("nothing") == []
    assert configuration.get() == []


def test_get_ignores_case_and_answers_the_name_as_asked(configuration: Configuration) -> None:
    assert configuration.get("MaxClients") == [("MaxClients", "10000")]
    assert configuration.get("MAXCLIENT?") == [("maxclients", "10000")]


def test_get_answers_every_name_once(configuration: Configuration) -> None:
    found = configuration.get("maxmemory", "maxmemory*", "MAXMEMORY", "bind", "*of")
    names = [name for name, _ in found]
    assert len(names) == len(set(names))
    assert {"maxmemory", "maxmemory-samples", "bind", "slaveof", "replicaof"} <= set(names)


def test_get_answers_aliases(configuration: Configuration) -> None:
    found = dict(configuration.get("hash-max-*"))
    assert found == {
        "hash-max-listpack-entries": "512",
        "hash-max-ziplist-entries": "512",
        "hash-max-listpack-value": "64",
        "hash-max-ziplist-value": "64",
    }


def test_get_hidden_settings_by_name_only(configuration: Configuration) -> None:
    assert "key-load-delay" not in dict(configuration.get("*", "key-*"))
    assert configuration.get("key-load-delay") == [("key-load-delay", "0")]


@pytest.mark.parametrize("name", ["include", "user", "rename-command", "loadmodule"])
def test_directives_of_files_are_no_settings(configuration: Configuration, name: str) -> None:
    assert configuration.get(name) == []
    assert name not in dict(configuration.get("*"))
    assert refusal(configuration, name, "x") == (
        f"ERR Unknown option or number of arguments for CONFIG SET - '{name}'"
    )


def test_the_directory_is_absolute(configuration: Configuration) -> None:
    assert configuration.get("dir") == [("dir", str(Path.cwd()))]
    assert Configuration(Settings(port=1)).settings.path("x") == Path.cwd() / "x"


# -- set ---------------------------------------------------------------------------------------


def test_set_several(configuration: Configuration) -> None:
    configuration.set([("maxclients", "5"), ("MAXMEMORY", "1kb"), ("save", "3000 5")])
    assert configuration.settings.maxclients == 5
    assert configuration.settings.maxmemory == 1024
    assert dict(configuration.get("save")) == {"save": "3000 5"}
    assert configuration.origin("maxclients") == "CONFIG SET"


def test_set_replaces_save_and_keeps_other_classes_of_buffers(configuration: Configuration) -> None:
    configuration.set([("save", "1 1"), ("client-output-buffer-limit", "pubsub 1 1 1")])
    configuration.set([("save", "2 2"), ("client-output-buffer-limit", "slave 2 2 2 normal 3 3 3")])
    assert configuration.get("save") == [("save", "2 2")]
    [(_, limits)] = configuration.get("client-output-buffer-limit")
    assert limits == "normal 3 3 3 slave 2 2 2 pubsub 1 1 1"


def test_an_empty_value(configuration: Configuration) -> None:
    empty = [("save", ""), ("bind", ""), ("latency-tracking-info-percentiles", "")]
    configuration.subscribe("bind", lambda *_: None)
    configuration.set([*empty, ("client-output-buffer-limit", "")])
    assert dict(configuration.get(*(name for name, _ in empty))) == dict(empty)


def test_errors(configuration: Configuration) -> None:
    unknown = "ERR Unknown option or number of arguments for CONFIG SET - "
    failed = "ERR CONFIG SET failed (possibly related to argument "
    cases = {
        ("x", "1"): unknown + "'x'",
        ("maxclients", "1", "X", "1"): unknown + "'X'",
        ("DAEMONIZE", "yes"): failed + "'DAEMONIZE') - can't set immutable config",
        ("daemonize", "no", "x", "1"): failed + "'daemonize') - can't set immutable config",
        ("dir", "/"): failed + "'dir') - can't set protected config",
        ("timeout", "1", "Timeout", "2"): failed + "'Timeout') - duplicate parameter",
        ("Port", "x"): failed + "'port') - argument couldn't be parsed into an integer",
        ("timeout", "1", "hz", "x"): failed + "'hz') - argument couldn't be parsed into an integer",
        ("lua-time-limit", "-1"): failed
        + "'lua-time-limit') - argument must be between 0 and 9223372036854775807 inclusive",
        ("appendonly", ""): failed + "'appendonly') - argument must be 'yes' or 'no'",
    }
    for words, text in cases.items():
        assert refusal(configuration, *words) == text


def test_loading_comes_before_what_is_wrong_later(configuration: Configuration) -> None:
    configuration.set([("appendonly", "yes")])
    assert refusal(configuration, "appendonly", "no", loading=True) == (
        "LOADING Redis is loading the dataset in memory"
    )
    configuration.set([("loglevel", "debug")], loading=True)


def test_protected_settings(tmp_path: Path) -> None:
    for action, local, allowed in [
        ("no", True, False),
        ("yes", False, True),
        ("local", True, True),
        ("local", False, False),
    ]:
        configuration = load(["--enable-protected-configs", action], {})
        if allowed:
            configuration.set([("dir", str(tmp_path)), ("dbfilename", "x")], local=local)
            assert configuration.settings.path("x") == tmp_path / "x"
        else:
            refusal(configuration, "dir", str(tmp_path), local=local)


def test_an_alias_and_its_setting_are_told_apart(configuration: Configuration) -> None:
    configuration.set([("hash-max-ziplist-value", "99"), ("hash-max-listpack-value", "100")])
    assert configuration.settings.hash_max_listpack_value == 100


def test_secrets_are_known() -> None:
    configuration = Configuration()
    assert configuration.is_secret("RequirePass")
    assert configuration.is_secret("masterauth")
    assert not configuration.is_secret("port")
    assert not configuration.is_secret("x")


def test_setting_something_without_effect_says_so(
    configuration: Configuration, capfd: pytest.CaptureFixture[str]
) -> None:
    configuration.set([("activerehashing", "no"), ("timeout", "5")])
    output = capfd.readouterr().out
    assert "activerehashing has no effect here" in output
    assert "timeout" not in output
    configuration.set([("activerehashing", "yes")])
    assert capfd.readouterr().out == ""


# -- subscribers -------------------------------------------------------------------------------


def test_a_subscriber_hears_of_changes_only(configuration: Configuration) -> None:
    heard: list[tuple[int, int]] = []
    configuration.subscribe("maxclients", lambda old, new: heard.append((old, new)))
    configuration.set([("maxclients", "5"), ("timeout", "1")])
    configuration.set([("maxclients", "5")])
    configuration.set([("timeout", "2")])
    assert heard == [(10000, 5)]


def test_files_that_are_set_again_are_read_again(configuration: Configuration) -> None:
    heard: list[tuple[str, str]] = []
    configuration.subscribe("tls-cert-file", lambda old, new: heard.append((old, new)))
    configuration.set([("tls-cert-file", "")])
    assert heard == [("", "")]


def test_a_subscriber_to_an_alias(configuration: Configuration) -> None:
    heard: list[int] = []
    configuration.subscribe("lua-time-limit", lambda _old, new: heard.append(new))
    configuration.set([("busy-reply-threshold", "1")])
    configuration.set([("lua-time-limit", "2")])
    assert heard == [1, 2]


def test_a_subscriber_to_several_is_called_once_with_all_of_them_set(
    configuration: Configuration,
) -> None:
    heard: list[tuple[int, int]] = []
    seen = configuration.settings
    configuration.subscribe_any(
        ["timeout", "maxclients", "hz"], lambda: heard.append((seen.timeout, seen.maxclients))
    )
    configuration.set([("timeout", "7"), ("maxclients", "8")])
    assert heard == [(7, 8)]


def test_a_veto_restores_everything(configuration: Configuration) -> None:
    heard: list[str] = []

    def note(old: int, new: int) -> None:
        heard.append(f"timeout {old} {new} {configuration.settings.maxclients}")

    def together() -> None:
        heard.append(f"together {configuration.settings.timeout}")

    def refuse(old: int, new: int) -> None:
        heard.append(f"maxclients {old} {new}")
        if new > old:
            raise ConfigError("too many")

    configuration.subscribe("timeout", note)
    configuration.subscribe_any(["timeout", "hz"], together)
    configuration.subscribe("maxclients", refuse)
    configuration.subscribe("hz", lambda *_: heard.append("hz"))
    text = refusal(configuration, "timeout", "9", "maxclients", "20000", "hz", "20")
    assert text == ("ERR CONFIG SET failed (possibly related to argument 'maxclients') - too many")
    assert heard == [
        "timeout 0 9 20000",
        "together 9",
        "maxclients 10000 20000",
        # and back: the old values are in force when subscribers hear again
        "maxclients 20000 10000",
        "together 0",
        "timeout 9 0 10000",
    ]


def test_a_subscriber_that_cannot_go_back_is_logged(
    configuration: Configuration, capfd: pytest.CaptureFixture[str]
) -> None:
    def never(old: int, new: int) -> None:
        raise ConfigError("stuck")

    configuration.subscribe("timeout", never)
    assert refusal(configuration, "timeout", "1").endswith("- stuck")
    output = capfd.readouterr().out
    assert "setting_not_restored" in output
    assert "timeout" in output


@pytest.mark.parametrize("name", ["port", "bind", "tls-port"])
def test_what_only_a_listener_can_change_needs_one(configuration: Configuration, name: str) -> None:
    [(_, value)] = configuration.get(name)
    configuration.set([(name, value)])
    other = "127.0.0.1" if name == "bind" else "1"
    assert "cannot be changed while this server runs" in refusal(configuration, name, other)
    configuration.subscribe(name, lambda *_: None)
    configuration.set([(name, other)])
    assert configuration.get(name) == [(name, other)]


# -- properties --------------------------------------------------------------------------------


def test_every_value_that_is_shown_can_be_set() -> None:
    """The sanity test of Redis' own suite."""
    configuration = load(["--enable-protected-configs", "yes"], {})
    shown = configuration.get("*")
    fixed = {name for each in DIRECTIVES if each.fixed for name in (each.name, *each.aliases)}
    for name, value in shown:
        if name not in fixed:
            configuration.set([(name, value)])
    assert configuration.get("*") == shown


NAMES = st.sampled_from([each.name for each in DIRECTIVES] + ["slaveof", "what"])
VALUES = st.sampled_from(
    ["", "0", "1", "-1", "5%", "1gb", "yes", "no", "debug", "1 2", "normal 1 1 1", "a=debug", "x"]
) | st.text(max_size=5)


@settings(max_examples=300, derandomize=True)
@given(st.lists(st.tuples(NAMES, VALUES), min_size=1, max_size=4))
def test_all_or_nothing(pairs: list[tuple[str, str]]) -> None:
    configuration = Configuration(Settings(loglevel="nothing"))
    before = dict(configuration.get("*"))
    try:
        configuration.set(pairs)
    except ConfigError as error:
        assert str(error).startswith("ERR ")
        assert dict(configuration.get("*")) == before
    else:
        touched = {name for name, _ in pairs}
        changed = {name for name, value in configuration.get("*") if before[name] != value}
        assert {each.name for each in DIRECTIVES if each.name in changed} <= touched | {
            each.name for each in DIRECTIVES if set(each.aliases) & touched
        }


def test_own_fixed_settings_may_be_set_to_what_they_are() -> None:
    configuration = Configuration(Settings())
    configuration.set([("log-format", "auto")], local=True, loading=False)
    with pytest.raises(ConfigError, match="immutable"):
        configuration.set([("log-format", "json")], local=True, loading=False)
    with pytest.raises(ConfigError, match="immutable"):
        configuration.set([("daemonize", "no")], local=True, loading=False)
