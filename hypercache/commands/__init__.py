"""The commands, one module a group. What a module declares is registered by `load`."""

from importlib import import_module
from pkgutil import iter_modules

from hypercache.engine.command import declared_in
from hypercache.engine.registry import Registry


def load(registry: Registry) -> None:
    """Register the commands of every module of this package."""
    for module in sorted(iter_modules(__path__), key=lambda found: found.name):
        name = f"{__name__}.{module.name}"
        import_module(name)
        registry.add(declared_in(name))
