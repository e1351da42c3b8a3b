"""Settings that Redis knows and that have no effect here."""

# ruff: noqa: RUF009 (the calls declare attrs fields)

from typing import Literal, TypeAlias

from attrs import define

from hypercache.config.errors import ConfigError
from hypercache.config.kinds import INT_MAX, LONG_MAX, UINT_MAX
from hypercache.config.schema import choice, integer, memory, text, yes_no

Supervised: TypeAlias = Literal["upstart", "systemd", "auto", "no"]
SyslogFacility: TypeAlias = Literal[
    "user", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7"
]
PropagationError: TypeAlias = Literal["ignore", "panic", "panic-on-replicas"]

_MB = 1 << 20
#: Variables of a process title, and what they become where that is known beforehand.
_TITLE_VARIABLES = {
    "title": "",
    "listen-addr": "*:6379",
    "server-mode": "",
    "config-file": "-",
    "port": "6379",
    "tls-port": "0",
    "unixsocket": "",
}


def _check_title(template: str) -> None:
    """Every ``{variable}`` of a process title is known, and something is left of it."""
    rest = template.replace("{{", "x")
    for variable, value in _TITLE_VARIABLES.items():
        rest = rest.replace("{" + variable + "}", value)
    if "{" in rest or not rest.strip(" "):
        raise ConfigError("template format is invalid or contains unknown variables")


@define(slots=False, kw_only=True)
class CompatibilitySettings:
    """Accepted since Redis knows them; nothing here depends on them."""

    daemonize: bool = yes_no(
        False,
        "Go to the background: leave that to the service manager.",
        fixed=True,
        effect="ignored",
    )
    supervised: Supervised = choice(
        Supervised,
        "no",
        "Which service manager is told when the server is ready.",
        fixed=True,
        effect="ignored",
    )
    always_show_logo: bool = yes_no(False, "Print a logo at start.", fixed=True, effect="ignored")
    set_proc_title: bool = yes_no(True, "Change the process title.", fixed=True, effect="ignored")
    proc_title_template: str = text(
        "{title} {listen-addr} {server-mode}",
        "How the process names itself in the process list.",
        allowed="text with variables " + ", ".join("{" + name + "}" for name in _TITLE_VARIABLES),
        check=_check_title,
        effect="ignored",
    )
    syslog_enabled: bool = yes_no(
        False, "Log to syslog: ship standard output instead.", fixed=True, effect="ignored"
    )
    syslog_ident: str = text("redis", "Name in syslog.", fixed=True, effect="ignored")
    syslog_facility: SyslogFacility = choice(
        SyslogFacility, "local0", "Facility in syslog.", fixed=True, effect="ignored"
    )
    dynamic_hz: bool = yes_no(
        True,
        "Work more often with more clients: work follows what is due here.",
        effect="ignored",
    )
    io_threads: int = integer(
        1, 1, 128, "Threads for reading and writing.", fixed=True, effect="ignored"
    )
    io_threads_do_reads: bool = yes_no(
        False, "Let those threads read.", fixed=True, effect="ignored"
    )
    activerehashing: bool = yes_no(
        True,
        "Rehash in the background: dictionaries here do that themselves.",
        effect="ignored",
    )
    activedefrag: bool = yes_no(False, "Move values to defragment memory.", effect="ignored")
    active_defrag_ignore_bytes: int = memory(
        100 * _MB, 1, LONG_MAX, "Waste below which it does not start.", effect="ignored"
    )
    active_defrag_threshold_lower: int = integer(
        10, 0, 1000, "Waste in percent at which it starts.", effect="ignored"
    )
    active_defrag_threshold_upper: int = integer(
        100, 0, 1000, "Waste in percent at which it does its utmost.", effect="ignored"
    )
    active_defrag_cycle_min: int = integer(
        1, 1, 99, "Its least part of the processor in percent.", effect="ignored"
    )
    active_defrag_cycle_max: int = integer(
        25, 1, 99, "Its largest part of the processor in percent.", effect="ignored"
    )
    active_defrag_max_scan_fields: int = integer(
        1000, 1, LONG_MAX, "Elements it looks at in one value at once.", effect="ignored"
    )
    jemalloc_bg_thread: bool = yes_no(
        True, "Let the allocator clean up in a thread.", effect="ignored"
    )
    disable_thp: bool = yes_no(
        True,
        "Switch off transparent huge pages: they hurt servers that fork.",
        fixed=True,
        effect="ignored",
    )
    server_cpulist: str = text(
        "",
        "Processors to run on: use taskset.",
        name="server_cpulist",
        fixed=True,
        effect="ignored",
    )
    bio_cpulist: str = text(
        "",
        "Processors of background threads.",
        name="bio_cpulist",
        fixed=True,
        effect="ignored",
    )
    aof_rewrite_cpulist: str = text(
        "",
        "Processors of the child that rewrites the append-only file.",
        name="aof_rewrite_cpulist",
        fixed=True,
        effect="ignored",
    )
    bgsave_cpulist: str = text(
        "",
        "Processors of the child that saves.",
        name="bgsave_cpulist",
        fixed=True,
        effect="ignored",
    )
    crash_log_enabled: bool = yes_no(
        True,
        "Print a report when the server crashes: a traceback is always logged.",
        effect="ignored",
    )
    crash_memcheck_enabled: bool = yes_no(True, "Test memory after a crash.", effect="ignored")
    use_exit_on_panic: bool = yes_no(
        False, "Exit instead of aborting (tests).", hidden=True, effect="ignored"
    )
    watchdog_period: int = integer(
        0,
        0,
        INT_MAX,
        "Milliseconds after which a stall is reported.",
        hidden=True,
        effect="ignored",
    )
    ignore_warnings: str = text("", "Warnings of the start to suppress.", effect="ignored")
    locale_collate: str = text("", "Locale by which SORT ALPHA compares.", effect="ignored")
    propagation_error_behavior: PropagationError = choice(
        PropagationError,
        "ignore",
        "What a replica does about a command that fails.",
        effect="ignored",
    )
    socket_mark_id: int = integer(
        0,
        0,
        UINT_MAX,
        "Mark of listening sockets for packet filters.",
        fixed=True,
        effect="ignored",
    )
    tls_ciphersuites: str = text(
        "", "Ciphers of TLS 1.3: Python leaves them to the library.", effect="ignored"
    )
    tls_session_caching: bool = yes_no(
        True, "Let clients resume TLS sessions: tickets do.", effect="ignored"
    )
    tls_session_cache_size: int = integer(
        20 * 1024, 0, INT_MAX, "TLS sessions remembered.", effect="ignored"
    )
    tls_session_cache_timeout: int = integer(
        300, 0, INT_MAX, "Seconds a TLS session is remembered.", effect="ignored"
    )
