"""From a name in the configuration to a backend or a plugin with its settings validated.

Eviction policies are found alike, and have no settings of their own.
"""

from collections.abc import Callable, Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Final, Generic, TypeVar, cast

import attrs

from hypercache import backend, plugin
from hypercache.backend import Backend
from hypercache.extensions.structuring import SettingsError, one_line, structure
from hypercache.keyspace import eviction
from hypercache.keyspace.eviction import EvictionPolicy, Place
from hypercache.plugin import NoSettings, Plugin

T = TypeVar("T", bound=Backend | Plugin | EvictionPolicy)


class ExtensionError(Exception):
    """An extension cannot be found, loaded or configured: which, why, what to do."""


@attrs.frozen(kw_only=True)
class Family(Generic[T]):
    """What is installed under one group of entry points: all backends, plugins or policies.

    ``word`` is what one of them is called, ``base`` the contract that each implements, in one
    of the ``versions``; ``remedy`` is what to do about one that is not there.
    """

    word: str
    group: str
    base: type[T]
    versions: tuple[int, ...]
    remedy: str

    def points(self) -> list[EntryPoint]:
        """All entry points by name; one that two entries on the import path show comes once."""
        found = {(point.name, point.value): point for point in entry_points(group=self.group)}
        return [found[key] for key in sorted(found)]

    def find(self, name: str) -> EntryPoint:
        """The entry point of a name; raises `ExtensionError`."""
        points = self.points()
        fitting = [point for point in points if point.name == name]
        if not fitting:
            known = ", ".join(dict.fromkeys(point.name for point in points)) or "none"
            raise ExtensionError(
                f"{self.word} {name!r} is not installed (installed: {known}). Install the "
                f"package that brings it, or {self.remedy}."
            )
        if len(fitting) > 1:
            places = " and ".join(point.value for point in fitting)
            raise ExtensionError(
                f"{self.word} {name!r} is there more than once: {places}. Uninstall one."
            )
        return fitting[0]

    def load(self, point: EntryPoint) -> type[T]:
        """The class of an entry point, of a version that fits; raises `ExtensionError`."""
        name = point.name
        try:
            loaded: object = point.load()
        except Exception as error:
            raise ExtensionError(
                f"{self.word} {name!r} ({point.value}) cannot be imported: {one_line(error)}."
            ) from error
        if not (isinstance(loaded, type) and issubclass(loaded, self.base)):
            raise ExtensionError(
                f"{self.word} {name!r}: {loaded!r} is no subclass of {self.base.__name__}."
            )
        self.check(name, loaded)
        return loaded

    def check(self, name: str, extension: type[T]) -> None:
        """Raises `ExtensionError` where a class is not of this contract."""
        if extension.contract not in self.versions:
            offered = ", ".join(map(str, self.versions))
            raise ExtensionError(
                f"{self.word} {name!r} needs version {extension.contract} of the {self.word} "
                f"contract; this server has {offered}."
            )
        settings_type = settings_type_of(extension)
        if settings_type is not None and not attrs.has(settings_type):
            raise ExtensionError(
                f"{self.word} {name!r}: its settings_type {settings_type!r} is no attrs class."
            )

    def make(self, name: str, extension: type[T], settings: Mapping[str, object]) -> T:
        """Construct one with its settings; raises `ExtensionError`."""
        self.check(name, extension)
        settings_type = settings_type_of(extension)
        try:
            own = structure(settings, settings_type or NoSettings)
        except SettingsError as error:
            raise ExtensionError(f"{self.word} {name!r}: {error}.") from error
        constructor = cast(Callable[..., T], extension)
        try:
            return constructor() if settings_type is None else constructor(own)
        except Exception as error:
            raise ExtensionError(
                f"{self.word} {name!r} cannot be made: {one_line(error)}."
            ) from error


def settings_type_of(extension: type) -> type | None:
    """The attrs class of an extension's settings; None where it has none."""
    found: type | None = getattr(extension, "settings_type", None)
    return found


BACKENDS: Final = Family(
    word="backend",
    group="hypercache.backends",
    base=Backend,
    versions=backend.CONTRACT_VERSIONS,
    remedy="choose another with the setting backend",
)
PLUGINS: Final = Family(
    word="plugin",
    group="hypercache.plugins",
    base=Plugin,
    versions=plugin.CONTRACT_VERSIONS,
    remedy="take it out of the setting plugins",
)
POLICIES: Final = Family(
    word="eviction policy",
    group="hypercache.policies",
    base=EvictionPolicy,
    versions=eviction.CONTRACT_VERSIONS,
    remedy="choose another with the setting maxmemory-policy",
)


@cache
def policy_class(name: str) -> type[EvictionPolicy]:
    """The class of an installed policy; raises `ExtensionError`."""
    return POLICIES.load(POLICIES.find(name))


def make_policy(name: str, place: Place) -> EvictionPolicy:
    """A policy for a store; raises ValueError with the reason where there is none."""
    try:
        policy = policy_class(name)
    except ExtensionError as error:
        raise ValueError(str(error)) from error
    try:
        return policy(place)
    except Exception as error:
        raise ValueError(f"eviction policy {name!r} cannot be made: {one_line(error)}") from error
