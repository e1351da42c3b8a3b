"""What is installed, as ``hypercache backends`` and ``hypercache plugins`` show it."""

from pathlib import Path

import pytest

from tests.support.packages import BACKENDS, distribution
from tests.unit.cli.conftest import Hypercache

SHELF = """\
shelf  hypercache-stores 2.1
  Keys on a shelf.
  traits: depend on the settings
  tools: check, copy
  settings:
    path (text; required)  Where it lies; relative to the server's folder.
    loud (yes or no; default no)
    room.keys (integer; default 10)  Bytes for keys.
    room.values (integer; default none)
    names (list of text; default none)
"""


def test_every_backend_is_listed_and_a_broken_one_hides_none(hypercache: Hypercache) -> None:
    outcome = hypercache("backends")
    assert outcome.status == 0
    assert outcome.err == ""
    names = [line.split("  ")[0] for line in outcome.out.splitlines() if line[:1].strip()]
    assert names == sorted(names)
    assert {"broken", "drawer", "memory", "shelf"} <= set(names)
    assert SHELF in outcome.out
    assert (
        "broken  hypercache-stores 2.1\n"
        "  broken: backend 'broken' (cli_gone:Gone) cannot be imported: "
        "No module named 'cli_gone'.\n"
    ) in outcome.out
    assert (
        "drawer  hypercache-stores 2.1\n"
        "  Keys in a drawer.\n"
        "  traits: durable (sync no), transactions, snapshots\n"
        "  no settings\n"
    ) in outcome.out


def test_our_own_backends_are_described(hypercache: Hypercache) -> None:
    """From the class where it has a docstring, else (compiled) from its package."""
    out = hypercache("backends", "memory").out
    assert "memory" in out.splitlines()[2]
    assert "  traits: access times\n  no settings\n" in out


def test_one_in_full(hypercache: Hypercache) -> None:
    outcome = hypercache("backends", "shelf")
    assert outcome.status == 0
    assert outcome.out == SHELF.replace(
        "  Keys on a shelf.\n",
        "  found at: cli_stores:Shelf\n  Keys on a shelf.\n\n  As many as the shelf can bear.\n",
    )


def test_one_that_is_broken_or_not_there(hypercache: Hypercache) -> None:
    broken = hypercache("backends", "broken")
    assert broken.status == 1
    assert "cannot be imported" in broken.out
    missing = hypercache("backends", "shelves")
    assert (missing.status, missing.out) == (1, "")
    assert missing.err.startswith("backend 'shelves' is not installed (installed: broken, drawer,")


def test_two_of_one_name_are_both_shown(hypercache: Hypercache, tmp_path: Path) -> None:
    distribution(tmp_path / "site", "hypercache-other", BACKENDS, "shelf = cli_other:Shelf")
    out = hypercache("backends").out
    text = "broken: backend 'shelf' is there more than once: cli_other:Shelf and cli_stores:Shelf."
    assert out.count(text) == 2
    assert "hypercache-other 1.0" in out


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("tools = dict", "<class 'dict'> is no subclass of BackendTools."),
        ("settings_type = Untold", "the types of its settings cannot be resolved: name 'Secret'"),
    ],
)
def test_one_that_cannot_be_described(
    hypercache: Hypercache, tmp_path: Path, text: str, reason: str
) -> None:
    module = f"cli_odd_{text.partition(' ')[0]}"
    (tmp_path / "site" / f"{module}.py").write_text(
        "import attrs\nfrom hypercache.backend import Backend\n\n\n"
        "@attrs.frozen\nclass Untold:\n    a: 'Secret' = 1\n\n\n"
        f"class Odd(Backend):\n    {text}\n\n    def __init__(self, *settings):\n"
        "        super().__init__('odd')\n"
    )
    distribution(tmp_path / "site", "hypercache-odd", BACKENDS, f"odd = {module}:Odd")
    outcome = hypercache("backends")
    assert outcome.status == 0
    assert reason in outcome.out
    assert SHELF in outcome.out


def test_plugins(hypercache: Hypercache) -> None:
    outcome = hypercache("plugins", "watcher")
    assert outcome.status == 0
    assert outcome.out == (
        "watcher  hypercache-watcher 1.0\n"
        "  found at: cli_watchers:Watcher\n"
        "  Plugins made for tests of the command line.\n"
        "  traits: critical, requires snapshot, requires journal\n"
        "  no settings\n"
    )
    assert "watcher  hypercache-watcher 1.0\n" in hypercache("plugins").out


def test_long_texts_are_wrapped(hypercache: Hypercache, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "50")
    out = hypercache("backends", "shelf").out
    assert (
        "    path (text; required)  Where it lies; relative\n      to the server's folder.\n" in out
    )


@pytest.mark.parametrize("words", [("backends", "a", "b"), ("plugins", "--all"), ("backend",)])
def test_wrong_usage(hypercache: Hypercache, words: tuple[str, ...]) -> None:
    outcome = hypercache(*words)
    assert (outcome.status, outcome.out) == (2, "")
    assert "usage: hypercache serve" in outcome.err


@pytest.mark.parametrize("words", [("help",), ("backends", "--help"), ("serve", "-h"), ()])
def test_help(hypercache: Hypercache, words: tuple[str, ...]) -> None:
    outcome = hypercache(*words)
    assert (outcome.status, outcome.err) == (0, "")
    assert outcome.out.startswith("usage: hypercache serve")
