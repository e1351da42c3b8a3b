"""Between what is written of a store and what is in force."""

from typing import Final, cast

from hypercache.config.stores import (
    BACKEND,
    BACKEND_SETTINGS,
    DATABASE,
    DEFAULT_EXPIRY,
    DEFAULTS,
    LOOKUP_FILTER,
    MAX_MEMORY,
    POLICY,
    Definition,
    duration,
    milliseconds,
)
from hypercache.engine.stores import Store, StoreRules

#: What `StoreRules.filtered` is for what may be written.
FILTERED: Final = {"default": "", "yes": "yes", "no": "no"}


def set_rules(rules: StoreRules, definition: Definition) -> None:
    """Bring rules up to what a definition says; what it leaves out stays."""
    if MAX_MEMORY in definition:
        rules.max_memory = cast(int, definition[MAX_MEMORY])
    if POLICY in definition:
        rules.policy = str(definition[POLICY])
    if DEFAULT_EXPIRY in definition:
        rules.default_expiry = milliseconds(str(definition[DEFAULT_EXPIRY]))
    if LOOKUP_FILTER in definition:
        rules.filtered = FILTERED[str(definition[LOOKUP_FILTER])]


def rules_of(name: str, definition: Definition) -> StoreRules:
    """The rules of a store that is defined anew."""
    rules = StoreRules()
    rules.name = name
    set_rules(rules, definition)
    return rules


def definition_of(store: Store) -> Definition:
    """What would have to be written to have a store as it is now."""
    definition: Definition = {
        DATABASE: store.index,
        BACKEND: store.own,
        MAX_MEMORY: int(store.max_memory),
        POLICY: store.policy,
        DEFAULT_EXPIRY: duration(int(store.default_expiry)),
        LOOKUP_FILTER: store.filtered or DEFAULTS[LOOKUP_FILTER],
    }
    if store.settings:
        definition[BACKEND_SETTINGS] = dict(store.settings)
    return {rule: value for rule, value in definition.items() if value != DEFAULTS.get(rule)}
