"""The plugin: its settings, and what it registers."""

from typing import Final

import attrs
import trio

from hypercache.plugin import Plugin, PluginHost

MEGABYTE: Final = 1 << 20


@attrs.frozen
class ScriptingSettings:
    #: Bytes that all Lua objects of EVAL's virtual machine may take; the same for FUNCTION's.
    memory: int = attrs.field(default=256 * MEGABYTE, validator=attrs.validators.ge(8 * MEGABYTE))


class ScriptingPlugin(Plugin):
    """Lua 5.1 scripts: EVAL, SCRIPT, FUNCTION, FCALL."""

    settings_type = ScriptingSettings
    settings: ScriptingSettings

    async def run(self, host: PluginHost, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        await trio.sleep_forever()
