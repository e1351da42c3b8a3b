"""``hypercache check``, ``compact`` and ``copy`` with the tools of a backend."""

from pathlib import Path

import pytest

from tests.unit.cli.conftest import Hypercache


def test_check_of_a_good_store(hypercache: Hypercache, tmp_path: Path) -> None:
    (tmp_path / "store").write_text("good\ngood\n")
    outcome = hypercache("check", "shelf", "store")
    assert (outcome.status, outcome.out) == (0, "store: no problems found\n")
    assert outcome.err == "looking: 100 % (2 of 2)\n"


@pytest.mark.parametrize(
    ("text", "summary"),
    [("bad 1\ngood\nbad 2\n", "2 problems found"), ("good\nbad 1\n", "1 problem found")],
)
def test_check_that_finds_something(
    hypercache: Hypercache, tmp_path: Path, text: str, summary: str
) -> None:
    (tmp_path / "store").write_text(text)
    outcome = hypercache("check", "shelf", "store")
    assert outcome.status == 1
    problems = [line for line in text.splitlines() if line.startswith("bad")]
    assert outcome.out.splitlines() == [*problems, f"store: {summary}"]


def test_what_the_tools_cannot_do_is_told(hypercache: Hypercache) -> None:
    outcome = hypercache("check", "shelf", "nowhere")
    assert (outcome.status, outcome.out) == (1, "")
    assert outcome.err == (
        "hypercache check: nowhere: there is no store. Give the folder of one.\n"
    )


def test_copy(hypercache: Hypercache, tmp_path: Path) -> None:
    (tmp_path / "store").write_text("good\n")
    outcome = hypercache("copy", "shelf", "store", "other")
    assert (outcome.status, outcome.out) == (0, "store: copied to other\n")
    assert (tmp_path / "other").read_text() == "good\n"


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("shelf", "backend 'shelf' has no command 'compact' (it has: check, copy)."),
        ("drawer", "backend 'drawer' has no command 'compact' (it has: none of these commands)."),
        ("memory", "backend 'memory' has no command 'compact' (it has: none of these commands)."),
        ("shelves", "backend 'shelves' is not installed (installed: broken, "),
        ("broken", "backend 'broken' (cli_gone:Gone) cannot be imported: "),
    ],
)
def test_backends_that_cannot(hypercache: Hypercache, name: str, error: str) -> None:
    outcome = hypercache("compact", name, "store")
    assert (outcome.status, outcome.out) == (1, "")
    assert outcome.err.startswith(f"hypercache compact: {error}")


@pytest.mark.parametrize(
    "words",
    [
        ("check", "shelf"),
        ("check",),
        ("compact", "shelf", "a", "b"),
        ("copy", "shelf", "a"),
        ("copy", "shelf", "a", "--force"),
    ],
)
def test_wrong_usage(hypercache: Hypercache, words: tuple[str, ...]) -> None:
    outcome = hypercache(*words)
    assert (outcome.status, outcome.out) == (2, "")
    assert "usage: hypercache serve" in outcome.err
