"""The example of docs/eviction.md works as it stands there."""

from types import ModuleType

from hypercache.eviction import EvictionPolicy
from hypercache.testing import check_policy
from tests.support.sources import ROOT


def test_the_example_keeps_the_contract() -> None:
    page = (ROOT / "docs" / "eviction.md").read_text("utf-8")
    code = page.split("```python\n")[1].split("```")[0]
    module = ModuleType("largest")
    exec(compile(code, "largest.py", "exec"), module.__dict__)
    assert issubclass(module.Largest, EvictionPolicy)
    check_policy(module.Largest)
