"""What the plugin shares: where its commands find their scripts and functions."""

from typing import cast

from hypercache.plugin import Context, Libraries
from hypercache_scripting.cache import ScriptCache
from hypercache_scripting.functions import FLUSH, Functions


class Scripting:
    """What other plugins find, too: ``host.shared("scripting")``."""

    def __init__(self, cache: ScriptCache, functions: Functions) -> None:
        self.cache = cache
        self.functions = functions


class KeptLibraries(Libraries):
    """The functions as files of data see them."""

    def __init__(self, functions: Functions) -> None:
        self.functions = functions

    def sources(self) -> list[bytes]:
        return self.functions.sources()

    def restore(self, sources: list[bytes]) -> None:
        self.functions.restore(sources, FLUSH)


def scripts_of(context: Context) -> ScriptCache:
    """The cached scripts of the server that a command runs on."""
    return _shared(context).cache


def functions_of(context: Context) -> Functions:
    """The libraries of the server that a command runs on."""
    return _shared(context).functions


def _shared(context: Context) -> Scripting:
    return cast(Scripting, context.engine.shared["scripting"])
