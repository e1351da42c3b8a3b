"""Pages of the manual that follow from the code are those that the code gives now."""

import runpy

from tests.support.sources import ROOT


def test_command_reference_is_current() -> None:
    page = runpy.run_path(str(ROOT / "docs/generate.py"))["command_page"]()
    assert (ROOT / "docs/commands.md").read_text("utf-8") == page, "run `make docs`"
