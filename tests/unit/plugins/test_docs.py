"""The examples in the pages for authors are the code that the tests run."""

import re
from pathlib import Path

import attrs
import pytest

from tests.support.sources import ROOT

DOCS = ROOT / "docs"
SQLITE = DOCS / "examples" / "hypercache-sqlite"
TALLY = DOCS / "examples" / "hypercache-tally"


@attrs.frozen
class Page:
    """A page, how many examples it has at least, and where these must be found."""

    name: str
    fewest: int
    files: tuple[Path, ...]

    @property
    def text(self) -> str:
        return (DOCS / self.name).read_text("utf-8")

    def blocks(self) -> list[str]:
        """The examples in Python and TOML."""
        found = re.findall(r"^```(?:python|toml)\n(.*?)^```", self.text, re.MULTILINE | re.DOTALL)
        return [str(block) for block in found]


PAGES = (
    Page("plugins.md", 3, (ROOT / "tests" / "support" / "sample_plugin.py",)),
    Page(
        "writing-a-backend.md",
        8,
        (
            SQLITE / "pyproject.toml",
            SQLITE / "hypercache_sqlite.py",
            SQLITE / "tests" / "test_hypercache_sqlite.py",
        ),
    ),
    Page(
        "writing-a-plugin.md",
        6,
        (
            TALLY / "pyproject.toml",
            TALLY / "hypercache_tally.py",
            TALLY / "tests" / "test_hypercache_tally.py",
        ),
    ),
)
EVERY_PAGE = sorted(path.name for path in DOCS.glob("*.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_there_are_examples(page: Page) -> None:
    assert len(page.blocks()) >= page.fewest


@pytest.mark.parametrize(
    ("page", "block"),
    [
        pytest.param(page, block, id=f"{page.name}:{block.splitlines()[0].strip()}")
        for page in PAGES
        for block in page.blocks()
    ],
)
def test_example_is_in_the_code(page: Page, block: str) -> None:
    assert any(block in file.read_text("utf-8") for file in page.files)


@pytest.mark.parametrize("name", EVERY_PAGE)
def test_links_lead_somewhere(name: str) -> None:
    text = (DOCS / name).read_text("utf-8")
    for target, anchor in re.findall(r"\]\(((?!https?:)[^)#]*)(?:#([^)]*))?\)", text):
        path = DOCS / target if target else DOCS / name
        assert path.exists(), target
        if anchor:
            assert anchor in anchors(path.read_text("utf-8")), f"{target}#{anchor}"


def anchors(text: str) -> set[str]:
    """The headings of a page as links name them."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    kept = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {heading.replace(" ", "-") for heading in kept}


def test_the_example_of_a_backend_is_short() -> None:
    lines = (SQLITE / "hypercache_sqlite.py").read_text("utf-8").count("\n")
    assert lines <= 150
