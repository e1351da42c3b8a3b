"""The commands: one module a group, each command one declared function."""

import importlib
import pkgutil

from hypercache.engine.command import Declaration, declared_in
from hypercache.engine.registry import Registry


def load(registry: Registry) -> None:
    """Import every module of this package and register the commands that it declares.

    Raises `hypercache.engine.grammar.GrammarError` for a declaration that contradicts
    itself or another one.
    """
    declarations: list[Declaration] = []
    for found in sorted(pkgutil.iter_modules(__path__, f"{__name__}."), key=lambda each: each.name):
        importlib.import_module(found.name)
        declarations += declared_in(found.name)
    registry.add(declarations)
