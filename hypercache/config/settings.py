"""All settings in one typed object, and what is known of each by its name."""

import difflib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from attrs import define

from hypercache.config.schema import Directive, directives_of
from hypercache.config.sections.compatibility import CompatibilitySettings
from hypercache.config.sections.durability import (
    ClusterSettings,
    PersistenceSettings,
    ReplicationSettings,
)
from hypercache.config.sections.memory import EncodingsSettings, KeyspaceSettings, MemorySettings
from hypercache.config.sections.network import LimitsSettings, NetworkSettings, TlsSettings
from hypercache.config.sections.observability import (
    LoggingSettings,
    MonitoringSettings,
    ScriptingSettings,
    SecuritySettings,
)
from hypercache.config.sections.server import PluginsSettings, ServerSettings, StorageSettings

SECTIONS: Final[tuple[type, ...]] = (
    ServerSettings,
    NetworkSettings,
    TlsSettings,
    LimitsSettings,
    SecuritySettings,
    LoggingSettings,
    MonitoringSettings,
    StorageSettings,
    KeyspaceSettings,
    MemorySettings,
    EncodingsSettings,
    PersistenceSettings,
    ReplicationSettings,
    ClusterSettings,
    ScriptingSettings,
    PluginsSettings,
    CompatibilitySettings,
)


@define(slots=False, kw_only=True)
class Settings(
    ServerSettings,
    NetworkSettings,
    TlsSettings,
    LimitsSettings,
    SecuritySettings,
    LoggingSettings,
    MonitoringSettings,
    StorageSettings,
    KeyspaceSettings,
    MemorySettings,
    EncodingsSettings,
    PersistenceSettings,
    ReplicationSettings,
    ClusterSettings,
    ScriptingSettings,
    PluginsSettings,
    CompatibilitySettings,
):
    """Every setting as a typed attribute.

    Read it anywhere; only `hypercache.config.Configuration` writes it, in place, so an
    attribute read again after CONFIG SET is the new value.
    """

    def path(self, name: str) -> Path:
        """A file named by a setting, found from the working directory ``dir``."""
        return Path(self.dir) / name


#: Every directive, in the order of the sections.
DIRECTIVES: Final[tuple[Directive, ...]] = tuple(
    directive for section in SECTIONS for directive in directives_of(section)
)

#: The directive of every name and alias.
BY_NAME: Final[Mapping[str, Directive]] = MappingProxyType(
    {name: directive for directive in DIRECTIVES for name in (directive.name, *directive.aliases)}
)

#: Directives that Redis still reads and forgets.
FORGOTTEN: Final = ("list-max-ziplist-entries", "list-max-ziplist-value", "lua-replicate-commands")


def nearest(name: str) -> str:
    """A hint at the name that was meant, to end a sentence with; empty when none is close."""
    close = difflib.get_close_matches(name, [*BY_NAME], n=1)
    return f", did you mean '{close[0]}'?" if close else ""
