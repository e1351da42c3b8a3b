"""``hypercache backends`` and ``hypercache plugins``: what is installed."""

import shutil
import sys
import textwrap
from collections.abc import Iterator, Sequence
from typing import Final

from hypercache.cli.usage import positional
from hypercache.extensions import BACKENDS, PLUGINS, Family, Installed, Setting, installed
from hypercache.extensions.family import T

_WIDEST: Final = 100


def list_backends(words: Sequence[str]) -> int:
    """All backends in short, or the one that is named in full; the exit status."""
    return _list(BACKENDS, words)


def list_plugins(words: Sequence[str]) -> int:
    """All plugins in short, or the one that is named in full; the exit status."""
    return _list(PLUGINS, words)


def _list(family: Family[T], words: Sequence[str]) -> int:
    names = positional(words, 0, 1)
    every = installed(family)
    if not names:
        print("\n\n".join(_shown(each, full=False) for each in every) or f"no {family.word}s")
        return 0
    found = [each for each in every if each.name == names[0]]
    if not found:
        known = ", ".join(each.name for each in every) or "none"
        print(f"{family.word} {names[0]!r} is not installed (installed: {known})", file=sys.stderr)
    for each in found:
        print(_shown(each, full=True))
    return 0 if found and not any(each.error for each in found) else 1


def _shown(each: Installed, *, full: bool) -> str:
    """One as lines of text: its name, and what is known of it indented below."""
    return "\n".join([f"{each.name}  {each.package}", *_details(each, full)])


def _details(each: Installed, full: bool) -> Iterator[str]:
    if full:
        yield from _wrapped(f"found at: {each.place}", 2)
    if each.error:
        yield from _wrapped(f"broken: {each.error}", 2)
        return
    for line in each.text.splitlines() if full else each.text.splitlines()[:1]:
        yield from _wrapped(line, 2) if line else [""]
    for title, items in (("traits", each.traits), ("tools", each.tools)):
        if items:
            yield from _wrapped(f"{title}: {', '.join(items)}", 2)
    if not each.settings:
        yield "  no settings"
        return
    yield "  settings:"
    for setting in each.settings:
        yield from _wrapped(_setting(setting), 4)


def _setting(setting: Setting) -> str:
    default = "required" if setting.default is None else f"default {setting.default}"
    text = f"  {setting.text}" if setting.text else ""
    return f"{setting.name} ({setting.kind}; {default}){text}"


def _wrapped(text: str, indent: int) -> list[str]:
    width = min(shutil.get_terminal_size((_WIDEST, 0)).columns, _WIDEST)
    first = " " * indent
    return textwrap.wrap(
        text,
        max(width, 40),
        initial_indent=first,
        subsequent_indent=first + "  ",
        break_long_words=False,
        break_on_hyphens=False,
    )
