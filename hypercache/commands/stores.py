# mypyc: interpreted
"""STORES: databases with names and rules of their own, made and dropped while the server runs."""

from typing import Final, cast

from hypercache.backend import BackendError
from hypercache.config import ConfigError
from hypercache.config.mappings import parse_value
from hypercache.config.stores import (
    BACKEND,
    BACKEND_SETTINGS,
    DATABASE,
    NAME,
    Definition,
    check_name,
    parse_definition,
    parse_rule,
)
from hypercache.engine.command import command
from hypercache.engine.context import Context
from hypercache.engine.information import store_fields
from hypercache.engine.stores import Store, StoreRules, Stores
from hypercache.reply import OK, ErrorReply, Reply, printable
from hypercache.stores.rules import rules_of, set_rules

_FIXED: Final = (DATABASE, BACKEND, BACKEND_SETTINGS)


@command(
    "STORES LIST",
    container="STORES",
    group="server",
    since="0.1.0",
    complexity="O(N) where N is the number of databases",
    flags="admin noscript loading stale",
    tips="nondeterministic_output",
    summary="Describe the stores that have a name, a rule or keys.",
)
def stores_list(context: Context, args: list[bytes]) -> Reply:
    """Of each: name, database, backend, keys and bytes."""
    found: list[object] = []
    for store in context.engine.stores:
        keys = store.keyspace.store.size()
        if store.is_special() or keys:
            fields: dict[object, object] = {
                b"name": store.name.encode(),
                b"database": store.index,
                b"backend": store.backend.name.encode(),
                b"keys": keys,
                b"used_memory": store.used_memory(),
            }
            found.append(fields)
    return found


@command(
    "STORES INFO store",
    container="STORES",
    group="server",
    since="0.1.0",
    complexity="O(1)",
    flags="admin noscript loading stale",
    tips="nondeterministic_output",
    summary="Describe one store: its rules, what it holds and what was done to it.",
)
def stores_info(context: Context, args: list[bytes]) -> Reply:
    store = _find(context, args[2])
    found: dict[object, object] = {}
    for name, value in store_fields(store).items():
        found[name.encode()] = value if isinstance(value, int) else str(value).encode()
    return found


@command(
    "STORES CREATE name [data=(rule value)...]",
    container="STORES",
    group="server",
    since="0.1.0",
    complexity="O(N) where N is the number of databases",
    flags="admin noscript no_multi",
    summary="Give a database that has none a name and rules.",
)
def stores_create(context: Context, args: list[bytes]) -> Reply:
    """Without the rule ``database`` it is the first one that is free. The reply is its number."""
    stores = context.engine.stores
    name = printable(args[2])
    definition = _definition(args, 3)
    try:
        check_name(name)
        if DATABASE not in definition:
            definition[DATABASE] = _free_database(stores)
        definition = parse_definition(name, definition)
    except ConfigError as error:
        raise ErrorReply(f"ERR {error}") from None
    index = cast(int, definition[DATABASE])
    if index >= len(stores):
        raise ErrorReply("ERR DB index is out of range")
    store = stores[index]
    if store.is_special():
        raise ErrorReply(f"ERR database {index} belongs to the store '{store.name}' already")
    rules = rules_of(name, definition)
    early = rules.copy()
    if BACKEND in definition:
        early.filtered = ""  # not a matter of the backend that it has now
    stores.judge(store, early)
    stores.require_room(store, rules)
    if BACKEND in definition:
        settings = cast(Definition, definition.get(BACKEND_SETTINGS, {}))
        stores.keeper.open(store, name, str(definition[BACKEND]), settings)
    previous = store.rules
    try:
        stores.judge(store, rules)  # once more: the backend is its own now
        stores.change(store, rules)
        stores.keeper.save()
    except ErrorReply:
        stores.change(store, previous)
        if store.own:
            stores.keeper.release(store)
        raise
    return index


@command(
    "STORES SET store data=(rule value)...",
    container="STORES",
    group="server",
    since="0.1.0",
    complexity="O(1)",
    flags="admin noscript no_multi",
    summary="Change rules of a store, all of them or none.",
)
def stores_set(context: Context, args: list[bytes]) -> Reply:
    """The rule ``name`` gives it another name, or with an empty value none."""
    stores = context.engine.stores
    store = _find(context, args[2])
    definition = _definition(args, 3)
    for fixed in _FIXED:
        if fixed in definition:
            raise ErrorReply(f"ERR '{fixed}' of a store stays: drop it, and create it anew")
    rules = store.rules.copy()
    if NAME in definition:
        rules.name = str(definition.pop(NAME))
        if store.configured and rules.name != store.name:
            raise ErrorReply(f"ERR the configuration has named the store '{store.name}'")
        if not rules.name and store.own:
            raise ErrorReply("ERR a store with a backend of its own needs a name")
    try:
        if rules.name:
            check_name(rules.name)
    except ConfigError as error:
        raise ErrorReply(f"ERR {error}") from None
    set_rules(rules, definition)
    stores.judge(store, rules)
    stores.require_room(store, rules)
    previous = store.rules
    stores.change(store, rules)
    try:
        stores.keeper.save()
    except ErrorReply:
        stores.change(store, previous)
        raise
    return OK


@command(
    "STORES DROP store",
    container="STORES",
    group="server",
    since="0.1.0",
    complexity="O(1); what was there is freed later",
    flags="write admin noscript no_multi",
    summary="Remove a store's keys, its name and its rules.",
)
def stores_drop(context: Context, args: list[bytes]) -> Reply:
    """Its number is a plain database again. For those who repeat what we do, it was emptied."""
    stores = context.engine.stores
    store = _find(context, args[2])
    if store.configured:
        raise ErrorReply(
            f"ERR the store '{store.name}' is configured: take it out of the configuration"
        )
    if not store.is_special():
        raise ErrorReply(f"ERR database {store.index} is no store: FLUSHDB empties it")
    if store.own:
        stores.keeper.require_quiet()
    stores.keeper.save(without=store)
    try:
        _empty(context, store)
    except BackendError:
        stores.keeper.save()
        raise
    if store.own:
        stores.keeper.release(store)
    stores.change(store, StoreRules())
    return OK


def _empty(context: Context, store: Store) -> None:
    """Remove its keys: an effect only where there are any."""
    changes = store.keyspace.changes
    if store.keyspace.flush():
        changes.rewrite(store.index, [b"FLUSHDB"])
    changes.withhold()


def _find(context: Context, name: bytes) -> Store:
    store = context.engine.stores.find(printable(name))
    if store is None:
        raise ErrorReply(f"ERR there is no store '{printable(name)}'")
    return store


def _free_database(stores: Stores) -> int:
    """The first database but 0 that has neither rules nor keys."""
    for store in stores:
        if store.index and not store.is_special() and not store.keyspace.store.size():
            return store.index
    raise ConfigError("no database is free: the setting 'databases' says how many there are")


def _definition(args: list[bytes], at: int) -> Definition:
    """The rules that a command names, each with its value behind it."""
    if (len(args) - at) % 2:
        raise ErrorReply("ERR syntax error")
    definition: Definition = {}
    for place in range(at, len(args), 2):
        rule = printable(args[place]).lower()
        text = printable(args[place + 1])
        if rule in definition:
            raise ErrorReply(f"ERR '{rule}' is given twice")
        try:
            if rule == NAME:
                definition[rule] = text
            else:
                value = parse_value(text) if rule == BACKEND_SETTINGS else text
                definition[rule] = parse_rule(rule, value)
        except ConfigError as error:
            raise ErrorReply(f"ERR {error}") from None
    return definition
