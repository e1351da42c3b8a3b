"""The settings as documents: the commented YAML file, and the tables of the manual.

``python -m hypercache.config.document`` prints a configuration file with every setting and
its default; with ``--update FOLDER`` it brings ``configs/hypercache.yaml`` and the tables of
``docs/configuration.md`` in a source tree up to date.
"""

import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from hypercache.config.assignment import REDIS_VERSION
from hypercache.config.schema import Directive, directives_of
from hypercache.config.settings import SECTIONS

BEGIN: Final = "<!-- begin of the tables: python -m hypercache.config.document --update . -->"
END: Final = "<!-- end of the tables -->"

_HEAD: Final = f"""\
# Every setting of HyperCache with its default.
#
# Names and values are those of Redis {REDIS_VERSION} where it has them. Sections are for people:
# any name may also stand at the top. Bytes take units (1k is 1000, 1kb is 1024; likewise m, mb,
# g, gb). What is called fixed cannot be changed by CONFIG SET. docs/configuration.md says more;
# `python -m hypercache.config.document` prints this file.

"""

_WIDTH: Final = 100


def yaml_template() -> str:
    """A configuration file in which every setting stands with its default."""
    parts = [_HEAD]
    for section in SECTIONS:
        directives = directives_of(section)
        parts.append(_comment(section.__doc__ or "", ""))
        name = directives[0].section
        nested = all(directive.name != name for directive in directives)
        indent = "  " if nested else ""
        if nested:
            parts.append(f"{name}:\n")
        for directive in directives:
            parts.append(_comment(_description(directive), indent))
            value = directive.kind.yaml(directive.default)
            mark = "# " if directive.file_only else ""
            parts.append(f"{indent}{mark}{directive.name}: {value}\n\n")
    return "".join(parts).rstrip("\n") + "\n"


def _description(directive: Directive) -> str:
    """What a comment says of a setting."""
    words = [directive.summary]
    if directive.kind.allowed() not in ("any text", "yes or no"):
        words.append(f"Allowed: {directive.kind.allowed()}.")
    if directive.fixed or directive.file_only:
        words.append("Fixed.")
    if directive.effect == "later":
        words.append("No effect in this version.")
    elif directive.effect == "ignored":
        words.append("No effect here.")
    return " ".join(words)


def _comment(text: str, indent: str) -> str:
    lines = textwrap.wrap(" ".join(text.split()), _WIDTH - len(indent) - 2, break_on_hyphens=False)
    return "".join(f"{indent}# {line}\n" for line in lines)


def markdown_tables() -> str:
    """A table for each section."""
    parts = []
    for section in SECTIONS:
        directives = directives_of(section)
        parts.append(f"### {directives[0].section}\n\n{section.__doc__}\n\n")
        parts.append("| setting | default | allowed | run time | effect | meaning |\n")
        parts.append("|---|---|---|---|---|---|\n")
        parts += [_row(directive) for directive in directives]
        parts.append("\n")
    return "".join(parts)


def _row(directive: Directive) -> str:
    names = f"`{directive.name}`"
    if directive.aliases:
        names += " (also " + ", ".join(f"`{alias}`" for alias in directive.aliases) + ")"
    if directive.ours:
        names += " *"
    words = [word for line in directive.kind.lines(directive.default) for word in line]
    default = " ".join(words)
    cells = [
        names,
        f"`{default}`" if default else "empty",
        directive.kind.allowed(),
        _run_time(directive),
        {"active": "yes", "later": "later", "ignored": "none"}[directive.effect],
        directive.summary,
    ]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


def _run_time(directive: Directive) -> str:
    if directive.file_only:
        return "in files only"
    if directive.fixed:
        return "fixed"
    return "protected" if directive.protected else "yes"


def with_tables(manual: str) -> str:
    """A manual with the tables between its two marks brought up to date."""
    before, _, rest = manual.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{markdown_tables()}{END}{after}"


def update(folder: Path) -> None:
    """Bring the documents of a source tree up to date."""
    (folder / "configs" / "hypercache.yaml").write_text(yaml_template(), "utf-8")
    manual = folder / "docs" / "configuration.md"
    manual.write_text(with_tables(manual.read_text("utf-8")), "utf-8")


def main(arguments: Sequence[str]) -> int:
    """The command line; 0, or 2 when it was not understood."""
    match arguments:
        case []:
            sys.stdout.write(yaml_template())
        case ["--update", folder]:
            update(Path(folder))
        case _:
            sys.stderr.write(f"{__doc__}\n")
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
