"""Settings of the process: data store, background work, shutdown."""

# ruff: noqa: RUF009 (the calls declare attrs fields)

import os
from typing import Literal, TypeAlias

from attrs import define

from hypercache.config.compound import OomScores, Repeated
from hypercache.config.kinds import INT_MAX, Directory, Flags
from hypercache.config.mappings import Mapping, Plugins
from hypercache.config.schema import choice, integer, setting, text
from hypercache.config.stores import Stores

OomScoreAdj: TypeAlias = Literal["no", "yes", "relative", "absolute"]

_SHUTDOWN = Flags(
    "default",
    ("save", "nosave", "now", "force"),
    ("save", "nosave", "shutdown options SAVE and NOSAVE can't be used simultaneously"),
)


@define(slots=False, kw_only=True)
class ServerSettings:
    """The process as a whole: where it works, how it runs in the background, how it ends."""

    dir: str = setting(
        Directory(),
        os.curdir,
        "Working directory: files named by other settings are found from here.",
        protected=True,
        deny_loading=True,
    )
    databases: int = integer(16, 1, INT_MAX, "Number of databases that SELECT knows.", fixed=True)
    hz: int = integer(
        10,
        0,
        INT_MAX,
        "How often a second background work runs (expiry, statistics, idle clients).",
        clamp=(1, 500),
    )
    shutdown_timeout: int = integer(
        10, 0, INT_MAX, "Seconds a shutdown waits for replicas.", effect="later"
    )
    shutdown_on_sigint: tuple[str, ...] = setting(
        _SHUTDOWN, (), "What SHUTDOWN options SIGINT stands for."
    )
    shutdown_on_sigterm: tuple[str, ...] = setting(
        _SHUTDOWN, (), "What SHUTDOWN options SIGTERM stands for."
    )
    pidfile: str = text("", "File that holds the process id while the server runs.", fixed=True)
    oom_score_adj: OomScoreAdj = choice(
        OomScoreAdj,
        "no",
        "Tell Linux whom to kill when memory is short.",
        synonyms={"yes": "relative"},
    )
    oom_score_adj_values: tuple[int, ...] = setting(
        OomScores(), (0, 200, 800), "Scores of primary, replica and child; only the first is used."
    )
    include: tuple[tuple[str, ...], ...] = setting(
        Repeated(1, 1, "a file, or a pattern of files"),
        (),
        "Another configuration file, read at this place.",
        file_only=True,
    )


@define(slots=False, kw_only=True)
class StorageSettings:
    """Where keys are kept."""

    backend: str = text(
        "memory", "Name of the installed backend that holds the keys.", fixed=True, ours=True
    )
    backend_settings: dict[str, object] = setting(
        Mapping(), {}, "Settings of the backend, by its own names.", fixed=True, ours=True
    )
    stores: dict[str, dict[str, object]] = setting(
        Stores(),
        {},
        "Databases with names and rules: database, backend, backend-settings, max-memory, policy,"
        " default-expiry, lookup-filter.",
        fixed=True,
        ours=True,
    )
    stores_file: str = text(
        "stores.json", "File that keeps what STORES makes at run time.", fixed=True, ours=True
    )


@define(slots=False, kw_only=True)
class PluginsSettings:
    """What is loaded beside the core."""

    plugins: dict[str, dict[str, object]] = setting(
        Plugins(),
        {"scripting": {}, "snapshot": {}, "aof": {}, "filters": {}},
        "Plugins to start, in this order, each with its settings.",
        fixed=True,
        ours=True,
    )
    loadmodule: tuple[tuple[str, ...], ...] = setting(
        Repeated(1, 1024, "a path and arguments"),
        (),
        "A Redis module: native modules cannot be loaded here.",
        file_only=True,
        effect="ignored",
    )
