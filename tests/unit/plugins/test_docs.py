"""The example in docs/plugins.md is the plugin that the tests run."""

import re

import pytest

from tests.support.sources import ROOT

PAGE = (ROOT / "docs" / "plugins.md").read_text("utf-8")
SAMPLE = (ROOT / "tests" / "support" / "sample_plugin.py").read_text("utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def test_there_are_examples() -> None:
    assert len(BLOCKS) >= 5


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.split("\n")[0].strip())
def test_example_is_in_the_sample(block: str) -> None:
    assert block in SAMPLE


def test_links_lead_somewhere() -> None:
    for link in re.findall(r"\]\((\.\./[^)#]+)\)", PAGE):
        assert (ROOT / "docs" / link).exists(), link
