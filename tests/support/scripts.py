"""Scripts for an engine without a server: the plugin's registrations, without its task."""

from hypercache_scripting.cache import ScriptCache
from hypercache_scripting.plugin import ScriptingSettings, install
from hypercache_scripting.shared import Scripting

from hypercache.supervision.host import Host
from hypercache.testing.engine import EngineHarness


def with_scripts(harness: EngineHarness, settings: ScriptingSettings | None = None) -> ScriptCache:
    """Give an engine EVAL, SCRIPT, FUNCTION and FCALL; the scripts that it caches."""
    install(settings or ScriptingSettings(), Host(harness.engine, "scripting", "."))
    shared = harness.engine.shared["scripting"]
    assert isinstance(shared, Scripting)
    return shared.cache
