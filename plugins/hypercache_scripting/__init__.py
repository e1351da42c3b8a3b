"""Lua scripts in the server: EVAL, SCRIPT, FUNCTION and FCALL, on Lua 5.1 (docs/scripting.md)."""

from hypercache_scripting.plugin import ScriptingPlugin

__all__ = ["ScriptingPlugin"]
