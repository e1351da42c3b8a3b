# mypyc: interpreted
"""INFO: what the server says about itself."""

from collections.abc import Mapping

from hypercache.engine.command import command
from hypercache.engine.context import Context
from hypercache.engine.information import (
    HIDDEN_SECTIONS,
    LONG_SECTIONS,
    SECTIONS,
    fields_of_plugins,
)
from hypercache.reply import Reply, Verbatim, printable


@command(
    "INFO [section...]",
    group="server",
    since="1.0.0",
    complexity="O(1)",
    flags="loading stale",
    categories="dangerous",
    tips="nondeterministic_output request_policy:all_shards response_policy:special",
    history=(("7.0.0", "Added support for taking multiple section arguments."),),
    summary="Describe the server and its statistics, by sections.",
)
def info(context: Context, args: list[bytes]) -> Reply:
    """Plugins' sections come with ``everything``, ``modules`` or by name; their fields for
    a section of the core are shown inside it."""
    engine = context.engine
    wanted = {printable(each).lower() for each in args[1:]} or {"default"}
    everything = "everything" in wanted
    whole = everything or "all" in wanted
    parts: list[str] = []
    for name, section in SECTIONS.items():
        by_default = "default" in wanted and name not in LONG_SECTIONS
        if by_default or name in wanted or (whole and name not in HIDDEN_SECTIONS):
            fields = section(engine)
            fields.update(fields_of_plugins(engine, name))
            parts.append(section_text(name, fields))
    for name in list(engine.information):
        if name in SECTIONS:
            continue
        if everything or "modules" in wanted or name.lower() in wanted:
            parts.append(section_text(name, fields_of_plugins(engine, name)))
    return Verbatim("\r\n".join(parts).encode("utf-8", "surrogateescape"))


def section_text(name: str, fields: Mapping[str, object]) -> str:
    """A section as INFO shows it: a heading, then a field a line."""
    title = "CPU" if name == "cpu" else name[:1].upper() + name[1:]
    lines = [f"# {title}\r\n"]
    for key, value in fields.items():
        lines.append(f"{key}:{value}\r\n")
    return "".join(lines)
