"""Writes the pages of the manual that follow from the code: ``make docs``.

``docs/configuration.md`` and ``configs/hypercache.yaml`` from the settings, ``docs/commands.md``
from the commands' declarations, ``docs/compatibility.md`` from these and what is recorded of
redis-server. Tests fail when they are not up to date.
"""

import sys
from importlib import import_module
from pathlib import Path

from hypercache.commands import load
from hypercache.config.document import update
from hypercache.engine.command import Command
from hypercache.engine.registry import Registry

ROOT = Path(__file__).resolve().parent.parent
HEAD = """\
# Commands

Generated from the declarations beside the functions (`make docs`); `COMMAND DOCS` tells the same.
Behaviour, replies and error texts are those of Redis 7.2.
"""


def command_page() -> str:
    """The reference of every command, by group."""
    registry = Registry()
    load(registry)
    groups: dict[str, list[Command]] = {}
    for command in registry.every():
        if command.subcommands is None and command.word != b"help":
            groups.setdefault(command.declaration.group, []).append(command)
    lines = [HEAD]
    for group in sorted(groups):
        lines += [f"## {group.capitalize()}", "", "| Command | Since | What it does | Cost |"]
        lines.append("|---|---|---|---|")
        for command in sorted(groups[group], key=lambda each: each.name):
            told = command.declaration
            syntax = told.syntax.replace("|", "\\|")
            cost = (told.complexity or "").replace("|", "\\|")
            lines.append(f"| `{syntax}` | {told.since} | {told.summary} | {cost} |")
        lines.append("")
    return "\n".join(lines)


def main() -> None:
    """Write every generated page."""
    update(ROOT)
    (ROOT / "docs/commands.md").write_text(command_page(), "utf-8")
    sys.path.append(str(ROOT))
    compatibility = import_module("tests.support.compatibility")
    (ROOT / "docs/compatibility.md").write_text(compatibility.page(), "utf-8")


if __name__ == "__main__":
    main()
