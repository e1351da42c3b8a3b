# mypyc: interpreted
"""HELP of the container commands (CONFIG HELP, ...), and containers nobody declared.

Both follow from the sub-commands' declarations.
"""

from typing import TYPE_CHECKING, Final

from hypercache.engine.command import CATEGORIES, GROUPS, Command, Declaration, Function
from hypercache.engine.grammar import BLOCK, ONEOF, PURE_TOKEN, Argument

if TYPE_CHECKING:
    from hypercache.engine.context import Context


# Since when a container has HELP, where that came later than the container.
_SINCE: Final = {
    "CLIENT": "5.0.0",
    "CLUSTER": "5.0.0",
    "COMMAND": "5.0.0",
    "CONFIG": "5.0.0",
    "MODULE": "5.0.0",
    "OBJECT": "6.2.0",
    "PUBSUB": "6.2.0",
    "SCRIPT": "5.0.0",
    "SLOWLOG": "6.2.0",
}


class Help:
    """The function behind HELP of one container."""

    def __init__(self) -> None:
        self.container: Command | None = None

    def run(self, context: "Context", args: list[bytes]) -> object:
        """Answer the container's help."""
        assert self.container is not None
        return help_lines(self.container)


def help_lines(container: Command) -> list[object]:
    """What HELP answers: each sub-command with its arguments, then its summary."""
    assert container.subcommands is not None
    title = container.name.decode().upper()
    lines: list[object] = [f"{title} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"]
    if container.minimum == 1:
        lines += ["(no subcommand)", f"    {container.declaration.summary}"]
    for name in sorted(container.subcommands):
        if name == b"help":
            continue
        declaration = container.subcommands[name].declaration
        words = [describe(each) for each in declaration.arguments]
        lines.append(" ".join([name.decode().upper()] + words))
        lines.append(f"    {declaration.summary}")
    lines += ["HELP", "    Print this help."]
    return lines


def container_declaration(members: list[Declaration], function: Function) -> Declaration:
    """The declaration of a container that has sub-commands only."""
    name = members[0].words[0].upper()
    group = members[0].group
    first = min([[int(part) for part in each.since.split(".")] for each in members])
    return Declaration(
        f"{name} subcommand",
        function,
        group=group,
        since=".".join([str(part) for part in first]),
        summary=f"Holds the sub-commands of {name}.",
        complexity="Depends on subcommand.",
        categories=f"-{GROUPS[group]}" if GROUPS[group] else "",
        arity=-2,
    )


def help_declaration(container: Declaration, function: Function) -> Declaration:
    """The declaration of a container's HELP."""
    name = container.words[0].upper()
    kept = [
        CATEGORIES[bit]
        for bit in range(len(CATEGORIES))
        if container.categories & (1 << bit) and CATEGORIES[bit] not in ("fast", "slow")
    ]
    return Declaration(
        f"{name} HELP",
        function,
        group=container.group,
        since=_SINCE.get(name, container.since),
        summary=f"List the sub-commands of {name}.",
        complexity="O(1)",
        flags="loading stale",
        categories=" ".join(kept),
        container=name,
    )


def describe(argument: Argument) -> str:
    """An argument as HELP shows it: ``[COUNT <count>]``, ``<key> [<key> ...]``, ``[<id> ...]``."""
    if argument.type == ONEOF:
        text = "|".join([describe(each) for each in argument.arguments])
    elif argument.type == BLOCK:
        text = " ".join([describe(each) for each in argument.arguments])
    elif argument.type == PURE_TOKEN:
        text = str(argument.token)
    else:
        text = f"<{argument.display}>"
    if argument.type == ONEOF and not argument.optional:
        text = f"({text})"
    if argument.token is not None and argument.type != PURE_TOKEN:
        text = f"{argument.token} {text}"
    if argument.multiple and argument.optional:
        return f"[{text} ...]"
    if argument.multiple:
        return f"{text} [{text} ...]"
    return f"[{text}]" if argument.optional else text
