# mypyc: interpreted
"""The plugin: its settings, and what it registers."""

import trio

from hypercache.plugin import Plugin, PluginHost


class AofPlugin(Plugin):
    """The append-only file: every change on disk, in the format of Redis 7."""

    async def run(self, host: PluginHost, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        await trio.sleep_forever()
