"""The stores of a server: made at the start from the configuration and the state file, then kept.

Stores that persistence leaves out (`Stores.left_out`) are at hand only once all other data are
loaded. A journal may tell of a time when their databases were the server's own; so it is repeated
there, and ends with what is true today: nothing, for a store takes an empty database.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

import attrs

from hypercache.backend import Backend, BackendError
from hypercache.config import ConfigError, Configuration
from hypercache.config.stores import (
    BACKEND,
    BACKEND_SETTINGS,
    DATABASE,
    Definition,
    read_stores,
    write_stores,
)
from hypercache.engine.backends import Backends
from hypercache.engine.engine import Engine
from hypercache.engine.stores import Store, StoreKeeper
from hypercache.extensions import BACKENDS, ExtensionError
from hypercache.reply import ErrorReply
from hypercache.stores.rules import definition_of, rules_of

#: Constructs the backend of a name; raises `ExtensionError`.
MakeBackend = Callable[[str, Mapping[str, object]], Backend]


class StoreError(Exception):
    """A store cannot be made: the text says which, why, and what to do."""


def make_backend(name: str, settings: Mapping[str, object]) -> Backend:
    """Construct an installed backend; raises `ExtensionError`."""
    return BACKENDS.make(name, BACKENDS.load(BACKENDS.find(name)), settings)


def settings_for(store: str, backend: str, settings: Definition) -> Definition:
    """The settings of a store's own backend: with a path of its own, where there is to be one."""
    kind = BACKENDS.load(BACKENDS.find(backend)).settings_type
    if kind is None or "path" in settings or "path" not in attrs.fields_dict(kind):
        return settings
    return {"path": f"{backend}-{store}", **settings}


class Keeper(StoreKeeper):
    """Keeps the stores of an engine over `Backends`.

    ``added`` is called when a store has got a backend of its own at run time, ``make``
    constructs one from its name and settings.
    """

    def __init__(
        self,
        engine: Engine,
        backends: Backends,
        configuration: Configuration,
        make: MakeBackend = make_backend,
    ) -> None:
        self.engine = engine
        self.make = make
        self.backends = backends
        self.added: Callable[[], None] = _nothing
        self._configuration = configuration
        self._path: Path = configuration.settings.path(configuration.settings.stores_file)
        self._attached = False
        for store in engine.stores:
            store.backend = backends.main

    # The start -----------------------------------------------------------------------------

    def begin(self) -> None:
        """Make the stores that are written down; raises `StoreError`."""
        settings = self._configuration.settings
        for name, definition in settings.stores.items():
            self._make(name, definition, configured=True)
        try:
            made = read_stores(self._path)
        except ConfigError as error:
            raise StoreError(str(error)) from error
        for name, definition in made:
            self._make(name, definition, configured=False)
        self.engine.stores.rearrange()
        self._configuration.before_rewrite.append(self._refresh)

    def _make(self, name: str, definition: Definition, configured: bool) -> None:
        stores = self.engine.stores
        index = definition[DATABASE]
        assert isinstance(index, int)
        where = f"store '{name}'" if name else f"database {index}"
        if not configured:
            where += f" of {self._path}"
        if index >= len(stores):
            raise StoreError(f"{where}: there is no database {index}, 'databases' is {len(stores)}")
        store = stores[index]
        if store.is_special():
            raise StoreError(f"{where}: database {index} belongs to the store '{store.name}'")
        rules = rules_of(name, definition)
        try:
            if BACKEND in definition:
                own = definition.get(BACKEND_SETTINGS, {})
                assert isinstance(own, dict)
                self._open(store, name, str(definition[BACKEND]), own)
            stores.judge(store, rules)
            stores.change(store, rules)
        except (ErrorReply, ExtensionError, BackendError) as error:
            raise StoreError(f"{where}: {str(error).removeprefix('ERR ')}") from error
        store.configured = configured

    def _open(self, store: Store, name: str, backend: str, settings: Definition) -> None:
        """Open a store's own backend; its keys are at hand unless they are left out as yet."""
        if self.make is make_backend:
            settings = settings_for(name, backend, settings)
        part = self.make(backend, settings)
        self.backends.add(store.index, part)
        store.backend = part
        store.own = backend
        store.settings = settings
        if self._attached or part.durable == self.backends.durable:
            self.engine.stores.put(store, self.backends.own[store.index][1])

    def load_ended(self) -> None:
        """All other data are there; raises `StoreError` where a store would hide some."""
        for store in self._left_out():
            keys = self.backends.shared(store.index).size()
            if keys and store.configured:
                raise StoreError(
                    f"store '{store.name}': database {store.index} has {keys} keys in the"
                    f" {self.backends.main.name} backend, which its own would hide: give the store"
                    " another database, or move them before it is configured"
                )
        self.attach()

    def _left_out(self) -> list[Store]:
        return [
            store
            for store in self.engine.stores
            if store.own and store.backend.durable != self.backends.durable
        ]

    def _refresh(self) -> None:
        """CONFIG REWRITE: write the rules in force of the stores that are configured."""
        settings = self._configuration.settings
        settings.stores = {
            store.name: definition_of(store) for store in self.engine.stores if store.configured
        }

    # While the server runs -------------------------------------------------------------------

    def attach(self) -> None:
        """What is left of older times in the server's own databases is hidden, or gone."""
        self._attached = True
        for store in self._left_out():
            shared = self.backends.shared(store.index)
            keys = shared.size()
            if keys:
                self.engine.reporter.report(
                    "warning", "store_hides_keys", {"store": store.name, "keys": keys}
                )
                if not self.backends.durable:
                    shared.clear()
            self.engine.stores.put(store, self.backends.own[store.index][1])

    def detach(self) -> None:
        self._attached = False
        for store in self._left_out():
            self.engine.stores.put(store, self.backends.shared(store.index))

    def require_quiet(self) -> None:
        if self.engine.capture is not None:
            raise ErrorReply("ERR the data are being saved: try again when that has ended")

    def save(self, without: Store | None = None) -> None:
        made = [
            (store.rules.name, definition_of(store))
            for store in self.engine.stores
            if store.is_special() and not store.configured and store is not without
        ]
        try:
            write_stores(self._path, made)
        except OSError as error:
            raise ErrorReply(f"ERR {self._path} cannot be written: {error.strerror}") from error

    def open(self, store: Store, name: str, backend: str, settings: dict[str, object]) -> None:
        engine = self.engine
        self.require_quiet()
        if store.keyspace.store.size():
            raise ErrorReply(
                f"ERR database {store.index} has keys, which another backend would hide"
            )
        engine.commit()
        try:
            self._open(store, name, backend, settings)
        except (ExtensionError, BackendError) as error:
            raise ErrorReply(f"ERR {error}") from error
        finally:
            engine.units.go_on()
        self._rearrange()
        self.added()

    def release(self, store: Store) -> None:
        self.engine.commit()
        store.backend = self.backends.main
        store.own = ""
        store.settings = {}
        self.engine.stores.put(store, self.backends.shared(store.index))
        self.backends.remove(store.index)
        self._rearrange()

    def _rearrange(self) -> None:
        self.engine.stores.rearrange()
        self.engine.units.go_on()


def _nothing() -> None:
    """Nobody wants to know."""
