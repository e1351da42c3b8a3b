"""Settings of logs, monitoring, security and scripts."""

# ruff: noqa: RUF009 (the calls declare attrs fields)

from typing import Literal, TypeAlias, get_args

from attrs import define

from hypercache.config.compound import Percentiles, Repeated
from hypercache.config.kinds import LONG_MAX
from hypercache.config.mappings import Levels
from hypercache.config.schema import choice, integer, setting, text, yes_no

LogLevel: TypeAlias = Literal["debug", "verbose", "notice", "warning", "nothing"]
LogFormat: TypeAlias = Literal["auto", "json", "console", "redis"]
ProtectedAction: TypeAlias = Literal["no", "yes", "local"]
PubsubDefault: TypeAlias = Literal["allchannels", "resetchannels"]


@define(slots=False, kw_only=True)
class LoggingSettings:
    """Where the log goes, what it looks like, and how much of it there is."""

    loglevel: LogLevel = choice(LogLevel, "notice", "The least important events to log.")
    logfile: str = text("", "File to append the log to; empty is standard output.", fixed=True)
    log_format: LogFormat = choice(
        LogFormat,
        "auto",
        "Form of a log line; auto is console on a terminal and json elsewhere.",
        fixed=True,
        ours=True,
    )
    log_levels: dict[str, str] = setting(
        Levels(get_args(LogLevel)), {}, "Levels of single components, before loglevel.", ours=True
    )


@define(slots=False, kw_only=True)
class MonitoringSettings:
    """What is measured while the server runs."""

    slowlog_log_slower_than: int = integer(
        10_000, -1, LONG_MAX, "Microseconds from which a command is slow; -1 is never, 0 always."
    )
    slowlog_max_len: int = integer(128, 0, LONG_MAX, "Slow commands remembered.")
    latency_monitor_threshold: int = integer(
        0, 0, LONG_MAX, "Milliseconds from which LATENCY records an event; 0 is never."
    )
    latency_tracking: bool = yes_no(True, "Keep a histogram of the time of every command.")
    latency_tracking_info_percentiles: tuple[float, ...] = setting(
        Percentiles(), (50.0, 99.0, 99.9), "Percentiles that INFO latencystats shows."
    )
    hot_keys_sampling: int = integer(
        0,
        0,
        1_000_000,
        "KEYSTATS HOT counts the keys of one of so many commands; 0 is none.",
        ours=True,
    )
    big_keys_tracked: int = integer(
        0, 0, 1000, "KEYSTATS BIG knows so many of the largest keys; 0 is none.", ours=True
    )


@define(slots=False, kw_only=True)
class SecuritySettings:
    """Who may do what."""

    requirepass: str = text("", "Password of the default user; empty asks for none.", secret=True)
    enable_protected_configs: ProtectedAction = choice(
        ProtectedAction, "no", "Who may change protected settings at run time.", fixed=True
    )
    enable_debug_command: ProtectedAction = choice(
        ProtectedAction, "no", "Who may use DEBUG.", fixed=True
    )
    enable_module_command: ProtectedAction = choice(
        ProtectedAction,
        "no",
        "Who may use MODULE: native modules cannot be loaded here.",
        fixed=True,
        effect="ignored",
    )
    aclfile: str = text("", "File with users and their rights.", fixed=True)
    acl_pubsub_default: PubsubDefault = choice(
        PubsubDefault, "resetchannels", "Channels that a new user may use."
    )
    acllog_max_len: int = integer(128, 0, LONG_MAX, "Refusals that ACL LOG remembers.")
    user: tuple[tuple[str, ...], ...] = setting(
        Repeated(1, 1 << 16, "a name and ACL rules"),
        (),
        "A user and its rights, as ACL SETUSER takes them.",
        secret=True,
        file_only=True,
        rewritten=True,
    )
    rename_command: tuple[tuple[str, ...], ...] = setting(
        Repeated(2, 2, 'a command and its new name, or ""'),
        (),
        "Another name for a command; an empty one disables it.",
        file_only=True,
    )


@define(slots=False, kw_only=True)
class ScriptingSettings:
    """Scripts and functions."""

    busy_reply_threshold: int = integer(
        5000,
        0,
        LONG_MAX,
        "Milliseconds after which a running script answers other clients BUSY.",
        aliases=("lua-time-limit",),
    )
