"""From a name in the configuration to a backend or a plugin with its settings validated."""

from collections.abc import Callable, Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Final, Generic, TypeVar, cast

import attrs

from hypercache import backend, plugin
from hypercache.backend import Backend
from hypercache.extensions.structuring import SettingsError, one_line, structure
from hypercache.plugin import NoSettings, Plugin

T = TypeVar("T", bound=Backend | Plugin)


class ExtensionError(Exception):
    """A backend or plugin cannot be found, loaded or configured: which, why, what to do."""


@attrs.frozen(kw_only=True)
class Family(Generic[T]):
    """What is installed under one group of entry points: all backends, or all plugins.

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
        if extension.settings_type is not None and not attrs.has(extension.settings_type):
            raise ExtensionError(
                f"{self.word} {name!r}: its settings_type {extension.settings_type!r} is no "
                "attrs class."
            )

    def make(self, name: str, extension: type[T], settings: Mapping[str, object]) -> T:
        """Construct one with its settings; raises `ExtensionError`."""
        self.check(name, extension)
        try:
            own = structure(settings, extension.settings_type or NoSettings)
        except SettingsError as error:
            raise ExtensionError(f"{self.word} {name!r}: {error}.") from error
        constructor = cast(Callable[..., T], extension)
        try:
            return constructor() if extension.settings_type is None else constructor(own)
        except Exception as error:
            raise ExtensionError(
                f"{self.word} {name!r} cannot be made: {one_line(error)}."
            ) from error


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
