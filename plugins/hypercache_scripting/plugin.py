"""The plugin: its settings, and what it registers."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

import attrs
import trio

from hypercache.plugin import Plugin, PluginHost
from hypercache_scripting import evaluation, function_commands
from hypercache_scripting.cache import ScriptCache
from hypercache_scripting.functions import Functions
from hypercache_scripting.runtime import VirtualMachine
from hypercache_scripting.shared import KeptLibraries, Scripting

MEGABYTE: Final = 1 << 20


@attrs.frozen
class ScriptingSettings:
    #: Bytes that all Lua objects of EVAL's scripts may take together; the same for functions.
    memory: int = attrs.field(default=256 * MEGABYTE, validator=attrs.validators.ge(8 * MEGABYTE))
    #: Scripts that are kept for EVALSHA although only EVAL has brought them.
    cached_scripts: int = attrs.field(default=1000, validator=attrs.validators.ge(1))


class ScriptingPlugin(Plugin):
    """Lua 5.1 scripts: EVAL, SCRIPT, FUNCTION, FCALL."""

    settings_type = ScriptingSettings
    settings: ScriptingSettings

    async def run(self, host: PluginHost, task_status: trio.TaskStatus[None]) -> None:
        install(self.settings, host)
        task_status.started()
        await trio.sleep_forever()


def install(settings: ScriptingSettings, host: PluginHost) -> None:
    """Register everything that the plugin has to offer."""
    log = logger(host)
    cache = ScriptCache(VirtualMachine(settings.memory, log), settings.cached_scripts)
    functions = Functions(lambda: VirtualMachine(settings.memory, log))
    host.share(Scripting(cache, functions))
    host.keep_libraries(KeptLibraries(functions))
    host.add_commands(evaluation)
    host.add_commands(function_commands)
    host.declare_scripts(
        {
            b"eval": partial(evaluation.flags_of_text, cache),
            b"evalsha": partial(evaluation.flags_of_digest, cache),
            b"fcall": partial(function_commands.flags_of_function, functions),
        }
    )
    host.add_information("memory", lambda: memory_fields(cache, functions))


def logger(host: PluginHost) -> Callable[[int, str], None]:
    """Where redis.log writes: levels 0 to 3 of Redis, in the plugin's log."""
    levels = (host.log.debug, host.log.debug, host.log.info, host.log.warning)

    def log(level: int, text: str) -> None:
        levels[level]("script_log", message=text)

    return log


def memory_fields(cache: ScriptCache, functions: Functions) -> Mapping[str, object]:
    """What INFO's section memory shows of scripts and functions."""
    scripts_vm = cache.vm.used()
    functions_vm = functions.machine.used() if functions.machine is not None else 0
    return {
        "used_memory_lua": scripts_vm,
        "used_memory_vm_eval": scripts_vm,
        "used_memory_scripts_eval": cache.memory(),
        "number_of_cached_scripts": len(cache),
        "number_of_functions": len(functions.libraries.functions),
        "number_of_libraries": len(functions.libraries.by_name),
        "used_memory_vm_functions": functions_vm,
        "used_memory_vm_total": scripts_vm + functions_vm,
        "used_memory_functions": functions.memory(),
        "used_memory_scripts": cache.memory() + functions.memory(),
    }
