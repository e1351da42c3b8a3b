# mypyc: interpreted
"""The plugin: it brings commands, and nothing else."""

import trio

from hypercache.plugin import Plugin, PluginHost
from hypercache_filters import bloom_commands, cuckoo_commands


class FiltersPlugin(Plugin):
    """BF.* and CF.*: sets that tell "certainly not" or "probably", in little memory."""

    async def run(self, host: PluginHost, task_status: trio.TaskStatus[None]) -> None:
        host.add_commands(bloom_commands)
        host.add_commands(cuckoo_commands)
        task_status.started()
        await trio.sleep_forever()
