"""The settings of a running server: read, changed and written back while it runs."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from attrs import frozen

from hypercache.config.assignment import Origin
from hypercache.config.errors import ConfigError
from hypercache.config.rewrite import rewrite_file
from hypercache.config.schema import Directive
from hypercache.config.settings import BY_NAME, Settings
from hypercache.keyspace.glob import matches
from hypercache.observability.logs import get_logger

#: Called with the old and the new value, whose type is the setting's.
Callback = Callable[[Any, Any], None]

_log: Final = get_logger("config")

_PATTERN: Final = frozenset("[*?")


@frozen
class _Subscriber:
    names: frozenset[str]
    callback: Callable[[], None] | None = None
    values: Callback | None = None


@frozen
class _Change:
    name: str
    directive: Directive
    old: Any
    new: Any

    def matters(self) -> bool:
        """Whether subscribers hear of it."""
        return self.directive.volatile or bool(self.old != self.new)


class Configuration:
    """The settings, and what CONFIG GET, SET and REWRITE do with them.

    ``settings`` stays the same object for the server's life. ``file`` is the file that
    `rewrite` writes, None when there is none. ``warnings`` are remarks about the start, to
    be logged once logs are configured.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        file: Path | None = None,
        origins: dict[str, Origin] | None = None,
        warnings: Sequence[str] = (),
        start: str | None = None,
    ) -> None:
        self._start = start or str(Path.cwd())
        self.settings: Final = settings or Settings()
        self.settings.dir = str((Path(self._start) / self.settings.dir).resolve())
        self.file: Final = file
        self.warnings: Final = list(warnings)
        self._origins = origins or {}
        self._subscribers: list[_Subscriber] = []
        # Called before the file is written: what is no setting, but kept in it, brought up to date.
        self.before_rewrite: list[Callable[[], None]] = []

    def origin(self, name: str) -> str:
        """Where a setting has its value from: ``file, line n``, or ``default``."""
        return str(self._origins.get(BY_NAME[name].attribute, "default"))

    def is_secret(self, name: str) -> bool:
        """Whether a setting's value must not appear in logs; unknown names are not secret."""
        directive = BY_NAME.get(name.lower())
        return directive is not None and directive.secret

    def get(self, *patterns: str) -> list[tuple[str, str]]:
        """Names and values as CONFIG GET answers them, every name once.

        Patterns match regardless of case; aliases answer for themselves; hidden settings
        only by their whole name.
        """
        found: dict[str, tuple[str, str]] = {}
        for pattern in patterns:
            if not _PATTERN & set(pattern):
                directive = BY_NAME.get(pattern.lower())
                if directive and not directive.file_only:
                    found.setdefault(pattern.lower(), (pattern, self._show(directive)))
                continue
            wanted = pattern.encode("utf-8", "surrogateescape")
            for name, directive in BY_NAME.items():
                if directive.hidden or directive.file_only or name in found:
                    continue
                if matches(wanted, name.encode(), True):
                    found[name] = (name, self._show(directive))
        return list(found.values())

    def _show(self, directive: Directive) -> str:
        text: str = directive.kind.show(getattr(self.settings, directive.attribute))
        return text

    def subscribe(self, name: str, callback: Callback) -> None:
        """Have ``callback(old, new)`` called when a setting was changed at run time.

        It may raise `ConfigError` with a reason: then everything is as it was before, and
        callbacks already called are called again with old and new exchanged.
        """
        directive = BY_NAME[name]
        self._subscribers.append(_Subscriber(frozenset((directive.name,)), values=callback))

    def subscribe_any(self, names: Sequence[str], callback: Callable[[], None]) -> None:
        """Have ``callback()`` called once when any of these settings was changed.

        For what depends on several settings together (TLS, listeners). Vetoes like those of
        `subscribe`; on a roll-back it is called again and finds the old values.
        """
        wanted = frozenset(BY_NAME[name].name for name in names)
        self._subscribers.append(_Subscriber(wanted, callback=callback))

    def unsubscribe(self, callback: Callable[[], None]) -> None:
        """Call a callback of `subscribe_any` no more."""
        self._subscribers = [each for each in self._subscribers if each.callback != callback]

    def set(
        self, pairs: list[tuple[str, str]], *, local: bool = True, loading: bool = False
    ) -> None:
        """CONFIG SET: change all of these settings, or none.

        ``local`` tells that the client is on this machine (for protected settings),
        ``loading`` that data are being loaded. Raises `ConfigError` with Redis' error line.
        """
        changes = self._parse(self._look_up(pairs, local, loading))
        for change in changes:
            setattr(self.settings, change.directive.attribute, change.new)
        self._publish([change for change in changes if change.matters()], changes)
        for change in changes:
            directive = change.directive
            self._origins[directive.attribute] = Origin("CONFIG SET")
            if directive.effect != "active" and change.new != directive.default:
                message = f"{change.name} {directive.effect_text()}"
                _log.warning("setting_without_effect", message, setting=change.name)

    def _is_kept(self, directive: Directive, value: str) -> bool:
        """Whether a fixed setting of our own is set to what it is.

        Whoever sets again all that CONFIG GET has shown knows which of Redis' are fixed.
        """
        return directive.ours and (directive.name, value) in self.get(directive.name)

    def _look_up(
        self, pairs: list[tuple[str, str]], local: bool, loading: bool
    ) -> list[tuple[str, Directive, str]]:
        """The directives meant, if all may be changed now."""
        found: list[tuple[str, Directive, str]] = []
        for name, value in pairs:
            directive = BY_NAME.get(name.lower())
            if directive is None or directive.file_only:
                raise ConfigError(
                    f"ERR Unknown option or number of arguments for CONFIG SET - '{name}'"
                )
            if directive.fixed and not self._is_kept(directive, value):
                raise _failed(name, "can't set immutable config")
            if directive.protected and not self._may_change_protected(local):
                raise _failed(name, "can't set protected config")
            if loading and directive.deny_loading:
                raise ConfigError("LOADING Redis is loading the dataset in memory")
            # Redis tells an alias from its setting here, so both may come together.
            if any(name.lower() == before for before, _, _ in found):
                raise _failed(name, "duplicate parameter")
            found.append((name.lower(), directive, value))
        return found

    def _may_change_protected(self, local: bool) -> bool:
        action = self.settings.enable_protected_configs
        return action == "yes" or (action == "local" and local)

    def _parse(self, wanted: list[tuple[str, Directive, str]]) -> list[_Change]:
        changes = []
        for name, directive, value in wanted:
            old = getattr(self.settings, directive.attribute)
            if directive.kind.multiple:
                words = value.split(" ") if value else []
            else:
                words = [value]
            try:
                new = directive.kind.parse(words, old, True)
            except ConfigError as error:
                raise _failed(name, str(error)) from error
            if directive.needs_subscriber and new != old and not self._is_followed(directive):
                raise _failed(name, "it cannot be changed while this server runs")
            changes.append(_Change(name, directive, old, new))
        return changes

    def _is_followed(self, directive: Directive) -> bool:
        """Whether somebody carries out changes of a setting."""
        return any(directive.name in each.names for each in self._subscribers)

    def _publish(self, changes: list[_Change], every: list[_Change]) -> None:
        """Tell the subscribers; after a veto, restore everything and tell them again."""
        told: list[tuple[_Subscriber, _Change]] = []
        for subscriber in self._subscribers:
            for change in changes:
                if change.directive.name not in subscriber.names:
                    continue
                told.append((subscriber, change))
                try:
                    _tell(subscriber, change.old, change.new)
                except ConfigError as error:
                    for each in every:
                        setattr(self.settings, each.directive.attribute, each.old)
                    self._tell_back(told)
                    raise _failed(change.name, str(error)) from error
                if subscriber.callback:
                    break

    def _tell_back(self, told: list[tuple[_Subscriber, _Change]]) -> None:
        """Undo what subscribers did; one that cannot go back is left where it is."""
        for subscriber, change in reversed(told):
            try:
                _tell(subscriber, change.new, change.old)
            except ConfigError as error:
                _log.error("setting_not_restored", setting=change.name, reason=str(error))

    def rewrite(self, force: bool = False) -> None:
        """CONFIG REWRITE: bring the configuration file up to date.

        Comments, order and lines that mean the same stay as they are; ``force`` writes every
        setting. Raises `ConfigError` with Redis' error line.
        """
        if self.file is None:
            raise ConfigError("ERR The server is running without a config file")
        for refresh in self.before_rewrite:
            refresh()
        rewrite_file(self.file, self.settings, self._start, force)


def _tell(subscriber: _Subscriber, old: object, new: object) -> None:
    if subscriber.callback:
        subscriber.callback()
    elif subscriber.values:
        subscriber.values(old, new)


def _failed(name: str, reason: str) -> ConfigError:
    return ConfigError(f"ERR CONFIG SET failed (possibly related to argument '{name}') - {reason}")
