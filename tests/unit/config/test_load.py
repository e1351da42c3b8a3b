"""From sources to settings: notations, precedence, and the error that stops the start."""

import re
from pathlib import Path

import pytest

from hypercache.config import (
    BufferLimit,
    ConfigError,
    Configuration,
    Endpoint,
    SavePoint,
    load,
)
from hypercache.config.sources import option_lines


def shown(configuration: Configuration, name: str) -> str:
    [(_, value)] = configuration.get(name)
    return value


def written(path: Path, text: str) -> str:
    path.write_text(text, "utf-8")
    return str(path)


def failure(*arguments: str, environ: dict[str, str] | None = None) -> str:
    with pytest.raises(ConfigError) as caught:
        load(arguments, environ or {})
    return str(caught.value)


# -- values ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("option", "value", "result"),
    [
        ("maxclients", "5", "5"),
        ("maxmemory", "1gb", "1073741824"),
        ("maxmemory", "1Mb", "1048576"),
        ("maxmemory-clients", "5%", "5%"),
        ("maxmemory-clients", "1k", "1000"),
        ("appendonly", "YES", "yes"),
        ("maxmemory-policy", "AllKeys-LRU", "allkeys-lru"),
        ("oom-score-adj", "yes", "relative"),
        ("unixsocketperm", "0700", "700"),
        ("hz", "0", "1"),
        ("hz", "100000", "500"),
        ("save", "900 1 60 100", "900 1 60 100"),
        ("save", "", ""),
        ("shutdown-on-sigint", "force nosave NOW", "nosave now force"),
        ("shutdown-on-sigterm", "default", "default"),
        ("notify-keyspace-events", "KA", "AK"),
        ("notify-keyspace-events", "Elmg", "glEm"),
        ("notify-keyspace-events", "AnE", "AE"),
        ("bind", "127.0.0.1 -::1", "127.0.0.1 -::1"),
        ("bind", "", ""),
        ("slaveof", "10.0.0.1 7000", "10.0.0.1 7000"),
        ("replicaof", "no one", ""),
        ("latency-tracking-info-percentiles", "50 99.9 100.0", "50 99.9 100"),
        ("latency-tracking-info-percentiles", "", ""),
        ("oom-score-adj-values", "0 -1 1", "0 -1 1"),
        ("memory-pressure-levels", "1 60 100", "1 60 100"),
        ("maxmemory-rss", "90%", "90%"),
        ("maxmemory-rss", "2gb", "2147483648"),
        ("proc-title-template", "{title} {{x {port}", "{title} {{x {port}"),
        (
            "client-output-buffer-limit",
            "replica 1mb 512kb 10",
            "normal 0 0 0 slave 1048576 524288 10 pubsub 33554432 8388608 60",
        ),
        ("plugins", "aof snapshot", "aof snapshot"),
        ("backend-settings", "map-size=1gb sync=no", "map-size=1gb sync=false"),
        ("log-levels", "engine=debug transport=NOTHING", "engine=debug transport=nothing"),
    ],
)
def test_values_are_shown_as_redis_does(option: str, value: str, result: str) -> None:
    configuration = load([f"--{option}", value], {})
    assert shown(configuration, option) == result
    # What is shown can be said again.
    assert shown(load([f"--{option}", result], {}), option) == result


@pytest.mark.parametrize(
    ("option", "value", "reason"),
    [
        ("maxclients", "0", "argument must be between 1 and 4294967295 inclusive"),
        ("maxclients", "many", "argument couldn't be parsed into an integer"),
        ("port", "65536", "argument must be between 0 and 65535 inclusive"),
        ("appendonly", "true", "argument must be 'yes' or 'no'"),
        ("maxmemory", "1tb", "argument must be a memory value"),
        ("maxmemory-clients", "x", "argument must be a memory or percent value"),
        ("maxmemory-clients", "-5%", "argument must be a memory or percent value"),
        ("maxmemory-clients", "101%", "percentage argument must be less or equal to 100"),
        ("unixsocketperm", "8", "argument couldn't be parsed as an octal number"),
        ("unixsocketperm", "1777", "argument must be between 0 and 777 inclusive"),
        ("appendfsync", "never", "argument(s) must be one of the following: everysec, always, no"),
        ("save", "60", "Invalid save parameters"),
        ("save", "0 1", "Invalid save parameters"),
        ("save", "60 x", "Invalid save parameters"),
        (
            "shutdown-on-sigint",
            "save nosave",
            "shutdown options SAVE and NOSAVE can't be used simultaneously",
        ),
        (
            "notify-keyspace-events",
            "Q",
            "Invalid event class character. Use 'Ag$lshzxeKEtmdn'.",
        ),
        ("bind", " ".join(["::1"] * 17), "Too many bind addresses specified."),
        ("replicaof", "host port", "Invalid master port"),
        ("replicaof", "host", "wrong number of arguments"),
        (
            "latency-tracking-info-percentiles",
            "101",
            "latency-tracking-info-percentiles parameters should sit between [0.0,100.0]",
        ),
        (
            "latency-tracking-info-percentiles",
            "nan",
            "Invalid latency-tracking-info-percentiles parameters",
        ),
        ("memory-pressure-levels", "80 90", "wrong number of arguments"),
        (
            "memory-pressure-levels",
            "80 90 90",
            "argument must be three ascending percentages from 1 to 100",
        ),
        ("maxmemory-rss", "101%", "percentage argument must be less or equal to 100"),
        ("oom-score-adj-values", "1 2", "wrong number of arguments"),
        (
            "oom-score-adj-values",
            "1 2 3000",
            "Invalid oom-score-adj-values, elements must be between -2000 and 2000.",
        ),
        (
            "client-output-buffer-limit",
            "wrong number",
            "Wrong number of arguments in buffer limit configuration.",
        ),
        (
            "client-output-buffer-limit",
            "master 1 1 1",
            "Invalid client class specified in buffer limit configuration.",
        ),
        (
            "client-output-buffer-limit",
            "normal 1x 1 1",
            "Error in hard, soft or soft_seconds setting in buffer limit configuration.",
        ),
        ("proc-title-template", "{what}", "template format is invalid"),
        ("proc-title-template", "{title", "template format is invalid"),
        ("dbfilename", "a/b", "dbfilename can't be a path, just a filename"),
        ("appendfilename", "", "appendfilename can't be empty"),
        ("appendfilename", "a/b", "appendfilename can't be a path, just a filename"),
        ("appenddirname", "", "appenddirname can't be empty"),
        ("appenddirname", "a/b", "appenddirname can't be a path, just a dirname"),
        ("cluster-announce-hostname", "a_b", "Hostnames may only contain alphanumeric"),
        ("cluster-announce-hostname", "a" * 256, "Hostnames must be less than 256 characters"),
        ("cluster-announce-human-nodename", "a b!", "contained invalid character"),
        ("dir", "/no/such/folder", "No such file or directory"),
        ("dir", "/etc/passwd", "Not a directory"),
        ("dir", "", "No such file or directory"),
        ("plugins", "a.b", "argument(s) must be plugin names or plugin.setting=value"),
        ("backend-settings", "a", "argument(s) must have the form name=value"),
        ("log-levels", "engine", "argument(s) must be one of the following: debug"),
        ("log-levels", "=debug", "argument(s) must have the form component=level"),
    ],
)
def test_a_bad_value_stops_the_start(option: str, value: str, reason: str) -> None:
    text = failure(f"--{option}", value)
    assert text.startswith("\n*** FATAL CONFIG FILE ERROR (Redis 7.2.6) ***\n")
    lines = text.splitlines()
    assert lines[2] == "Reading the configuration file, at line 1"
    assert lines[3].startswith(f">>> '{option} ")
    assert lines[4].startswith(reason) or reason in lines[4]
    assert lines[5].startswith(f"command line, line 1: {option} is ")
    assert "; allowed: " in lines[5]


def test_typed_values() -> None:
    settings = load(
        [
            *("--save", "60", "1", "--replicaof", "h", "1", "--maxmemory-clients", "10%"),
            *("--client-output-buffer-limit", "pubsub 1kb 1 2"),
            *("--requirepass", "a b"),
        ],
        {},
    ).settings
    assert settings.save == (SavePoint(60, 1),)
    assert settings.replicaof == Endpoint("h", 1)
    assert settings.maxmemory_clients == -10
    assert settings.client_output_buffer_limit.pubsub == BufferLimit(1024, 1, 2)
    assert settings.client_output_buffer_limit.normal == BufferLimit(0, 0, 0)
    assert settings.requirepass == "a b"
    assert settings.bind == ("*", "-::*")


# -- command line ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "name", "value"),
    [
        (["--port", "7000"], "port", "7000"),
        (["--PORT", "7000"], "port", "7000"),
        (["--port", "1", "--port", "2"], "port", "2"),
        (["--maxmemory 700mb"], "maxmemory", "734003200"),
        (["--maxmemory '700mb'", "--port 1"], "maxmemory", "734003200"),
        (["--set", "port=7000"], "port", "7000"),
        (["--set", "save="], "save", ""),
        (["--set", "requirepass=a=b"], "requirepass", "a=b"),
        (["--save", ""], "save", ""),
        (["--save"], "save", ""),
        (["--save", "--loglevel", "verbose"], "save", ""),
        (["--save", "--loglevel", "verbose"], "loglevel", "verbose"),
        (["--loglevel", "verbose", "--save"], "save", ""),
        (["--save", "1", "2", "3", "4"], "save", "1 2 3 4"),
        (["--save", "1 2", "--save", "3 4"], "save", "1 2 3 4"),
        (["--save", "1 2", "--save", ""], "save", ""),
        (["--proc-title-template", "--my", "--port", "5"], "proc-title-template", "--my"),
        (["--proc-title-template", "--my", "--port", "5"], "port", "5"),
        (["--proc-title-template", "--save", "--save", ""], "proc-title-template", "--save"),
        (["--proc-title-template --my", "--port 5"], "proc-title-template", "--my"),
        (["--shutdown-on-sigint", "nosave", "force"], "shutdown-on-sigint", "nosave force"),
        (["--shutdown-on-sigint", "nosave force"], "shutdown-on-sigint", "nosave force"),
        (["--requirepass", "a b"], "requirepass", "a b"),
        (["--requirepass", 'quote"\\'], "requirepass", 'quote"\\'),
        (["--dbfilename", ""], "dbfilename", ""),
    ],
)
def test_forms_of_options(arguments: list[str], name: str, value: str) -> None:
    assert shown(load(arguments, {}), name) == value


def test_a_word_before_the_first_option_begins_a_directive(tmp_path: Path) -> None:
    file = written(tmp_path / "redis.conf", "port 1\n")
    configuration = load([file, "loglevel", "verbose", "--port 2"], {})
    assert configuration.get("loglevel", "port") == [("loglevel", "verbose"), ("port", "2")]


@pytest.mark.parametrize(
    ("arguments", "line", "reason"),
    [
        (["--invalid"], "invalid", "Bad directive or wrong number of arguments"),
        (["--port"], "port", "wrong number of arguments"),
        (["--port", "6380", "--loglevel"], "loglevel", "wrong number of arguments"),
        (["--port", "6379", "6380"], 'port "6379" "6380"', "wrong number of arguments"),
        (
            ["--port", "--loglevel", "verbose"],
            'port "--loglevel" "verbose"',
            "wrong number of arguments",
        ),
        (
            ["--port", "--bla", "--loglevel", "verbose"],
            'port "--bla"',
            "argument couldn't be parsed into an integer",
        ),
        (
            ["--logfile", "--my--log--file", "--loglevel", "--bla"],
            'loglevel "--bla"',
            "argument(s) must be one of the following",
        ),
        (
            ["--shutdown-on-sigint"],
            "shutdown-on-sigint",
            "argument(s) must be one of the following",
        ),
        (
            ["--replicaof", "--127.0.0.1", "abc"],
            'replicaof "--127.0.0.1" "abc"',
            "Invalid master port",
        ),
        (
            ["--replicaof", "--127.0.0.1", "--abc"],
            'replicaof "--127.0.0.1"',
            "wrong number of arguments",
        ),
        (["--port '1"], "port '1", "Unbalanced quotes in configuration line"),
        (["--save", "'1"], 'save "\'1"', "Unbalanced quotes in configuration line"),
        (["--sentinel"], "sentinel", "sentinel directive while not in sentinel mode"),
        (["--a.b"], "a.b", "Module config specified without value"),
        (["--rename-command", "GET"], 'rename-command "GET"', "wrong number of arguments"),
    ],
)
def test_mistakes_in_options(arguments: list[str], line: str, reason: str) -> None:
    text = failure(*arguments)
    assert f">>> '{line}'\n" in text
    assert reason in text.splitlines()[4]


def test_set_needs_a_pair() -> None:
    assert "--set needs name=value" in failure("--set", "port")
    assert "--set needs name=value" in failure("--set")


def test_option_lines_are_one_a_directive() -> None:
    assert option_lines([]) == ""
    assert option_lines(["--a", "1", "2", "--b c"]) == 'a "1" "2" \nb c '


# -- redis.conf --------------------------------------------------------------------------------


def test_redis_conf(tmp_path: Path) -> None:
    file = written(
        tmp_path / "redis.conf",
        """
# comment
   # another
PORT 7000
requirepass "p\\x41 \\"q\\""
logfile ''
save 900 1
save 60 100
client-output-buffer-limit normal 1kb 0 0
client-output-buffer-limit pubsub 2kb 0 0
rename-command FLUSHALL ""
rename-command GET fetch
user alice on >secret ~* +@all
user default off
hash-max-ziplist-entries 7
list-max-ziplist-entries 512
lua-replicate-commands yes
aof.fsync always
loadmodule /lib/x.so 1 2
port 7001\r
""",
    )
    configuration = load([file], {})
    settings = configuration.settings
    assert settings.port == 7001
    assert settings.requirepass == 'pA "q"'
    assert settings.save == (SavePoint(900, 1), SavePoint(60, 100))
    assert settings.client_output_buffer_limit.normal.hard == 1024
    assert settings.client_output_buffer_limit.pubsub.hard == 2048
    assert settings.rename_command == (("FLUSHALL", ""), ("GET", "fetch"))
    assert settings.user == (("alice", "on", ">secret", "~*", "+@all"), ("default", "off"))
    assert settings.hash_max_listpack_entries == 7
    assert settings.plugins == {"aof": {"fsync": "always"}}
    assert settings.loadmodule == (("/lib/x.so", "1", "2"),)
    assert configuration.origin("port") == f"{file}, line 20"
    assert configuration.origin("maxclients") == "default"
    assert configuration.file == Path(file)


def test_redis_conf_names_the_line(tmp_path: Path) -> None:
    file = written(tmp_path / "redis.conf", "port 1\n\n  maxclients  none\n")
    lines = failure(file).splitlines()
    assert lines[2:4] == [
        "Reading the configuration file, at line 3",
        ">>> 'maxclients  none'",
    ]
    assert lines[5] == f'{file}, line 3: maxclients is "none"; allowed: an integer, 1 or more'


def test_an_unknown_directive_gets_a_hint(tmp_path: Path) -> None:
    file = written(tmp_path / "redis.conf", "maxclient 1\n")
    text = failure(file)
    assert "Bad directive or wrong number of arguments, did you mean 'maxclients'?" in text


def test_secrets_stay_out_of_errors() -> None:
    assert "hunter2" not in failure("--requirepass", "hunter2", "x")


def test_include_in_redis_conf(tmp_path: Path) -> None:
    (tmp_path / "conf.d").mkdir()
    written(tmp_path / "conf.d" / "1.conf", "port 1\nmaxclients 11\n")
    written(tmp_path / "conf.d" / "2.conf", "port 2\n")
    written(tmp_path / "more.yaml", "limits:\n  maxclients: 12\n")
    file = written(
        tmp_path / "redis.conf",
        f"dir {tmp_path}\ninclude conf.d/*.conf\ninclude empty.d/*.conf\ninclude more.yaml\n"
        "databases 3\n",
    )
    configuration = load([file], {})
    assert configuration.settings.port == 2
    assert configuration.settings.maxclients == 12
    assert configuration.settings.databases == 3
    assert configuration.origin("port") == f"{tmp_path}/conf.d/2.conf, line 1"


def test_include_that_is_missing_or_endless(tmp_path: Path) -> None:
    missing = written(tmp_path / "a.conf", f"include {tmp_path}/none.conf\n")
    assert f"can't open config file '{tmp_path}/none.conf': No such file" in failure(missing)
    endless = written(tmp_path / "b.conf", f"include {tmp_path}/b.conf\n")
    assert "include files are nested too deeply" in failure(endless)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    assert "Fatal error, can't open config file" in failure(str(tmp_path / "none.conf"))
    assert "Is a directory" in failure(str(tmp_path))


def test_relative_directories_follow_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    configuration = load(["--dir", "a", "--dir", "b"], {})
    assert configuration.settings.dir == str(tmp_path / "a" / "b")
    assert configuration.settings.path("x") == tmp_path / "a" / "b" / "x"
    assert configuration.settings.path("/x") == Path("/x")
    assert Path.cwd() == tmp_path


# -- precedence --------------------------------------------------------------------------------


def test_later_sources_override_earlier_ones(tmp_path: Path) -> None:
    file = written(tmp_path / "redis.conf", "port 1\nmaxclients 1\ntimeout 1\n")
    environ = {"HYPERCACHE_MAXCLIENTS": "2", "HYPERCACHE_TIMEOUT": "2"}
    settings = load([file, "--timeout", "3"], environ).settings
    assert (settings.port, settings.maxclients, settings.timeout) == (1, 2, 3)
    assert settings.tcp_backlog == 511


def test_standard_input_comes_after_the_file(tmp_path: Path) -> None:
    file = written(tmp_path / "redis.conf", "port 1\nmaxclients 1\n")
    configuration = load([file, "--timeout", "4", "-"], {}, stdin="port 2\n")
    settings = configuration.settings
    assert (settings.port, settings.maxclients, settings.timeout) == (2, 1, 4)
    alone = load(["-"], {}, stdin="port 3\n")
    assert alone.settings.port == 3
    assert alone.file is None


def test_save_adds_up_in_files_and_options_and_begins_anew_in_the_environment(
    tmp_path: Path,
) -> None:
    file = written(tmp_path / "redis.conf", "save 900 1\n")
    assert shown(load([file, "--save", "100", "100"], {}), "save") == "900 1 100 100"
    assert shown(load([file, "--save", ""], {}), "save") == ""
    assert shown(load([file], {"HYPERCACHE_SAVE": "5 5"}), "save") == "5 5"


def test_environment() -> None:
    environ = {
        "HYPERCACHE_CLIENT_OUTPUT_BUFFER_LIMIT": "normal 1 2 3",
        "HYPERCACHE_SERVER_CPULIST": "0",
        "HYPERCACHE_LUA_TIME_LIMIT": "1",
        "HYPERCACHE_SERVICE_HOST": "10.0.0.1",
        "HYPERCACHE_PORT": "tcp://10.0.0.1:6379",
        "HYPERCACHE_MAXCLIENT": "5",
        "HYPERCACHE_USER": "me",
        "HYPERCACHE_COMPILE": "0",
        "PATH": "/bin",
    }
    configuration = load([], environ)
    assert configuration.settings.client_output_buffer_limit.normal == BufferLimit(1, 2, 3)
    assert configuration.settings.server_cpulist == "0"
    assert configuration.settings.busy_reply_threshold == 1
    assert configuration.settings.port == 6379
    assert configuration.settings.user == ()
    remarks = "\n".join(configuration.warnings)
    assert "HYPERCACHE_SERVICE_HOST is no setting" in remarks
    assert "HYPERCACHE_MAXCLIENT is no setting, did you mean 'maxclients'?" in remarks
    assert "HYPERCACHE_PORT looks like a service link" in remarks
    assert "HYPERCACHE_COMPILE" not in remarks


def test_a_mistake_in_the_environment() -> None:
    text = failure(environ={"HYPERCACHE_TIMEOUT": "soon"})
    assert text.startswith("environment variable HYPERCACHE_TIMEOUT: argument couldn't be parsed")
    assert text.endswith('timeout is "soon"; allowed: an integer, 0 or more')


# -- checks over several settings --------------------------------------------------------------


def test_settings_without_effect_are_remarked() -> None:
    configuration = load(["--io-threads", "4", "--repl-timeout", "7", "--daemonize", "no"], {})
    assert len(configuration.warnings) == 2
    assert any(
        re.match(r"command line, line 1: io-threads has no effect here", remark)
        for remark in configuration.warnings
    )
    assert any("repl-timeout has no effect in this version" in w for w in configuration.warnings)


def test_the_log_file_must_be_writable(tmp_path: Path) -> None:
    text = failure("--dir", str(tmp_path), "--logfile", "no/such.log")
    assert "Can't open the log file: No such file or directory" in text
    load(["--dir", str(tmp_path), "--logfile", "a.log"], {})
    assert (tmp_path / "a.log").exists()


def test_no_replica_in_a_cluster() -> None:
    text = failure("--cluster-enabled", "yes", "--replicaof", "h", "1")
    assert "replicaof directive not allowed in cluster mode" in text
