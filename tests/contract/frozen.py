"""Stores as earlier versions wrote them, in files beside the tests."""

import re
from pathlib import Path

from hypercache.keyspace import layout
from hypercache.testing import SortedDictKV
from tests.contract.stores import shown

FOLDER = Path(__file__).parent
#: Of format 1, and of what format 2 makes of them: a value of each form, of each kind, long lists.
FIRST = ("kv_layout_1", "kv_layout_1_values", "kv_layout_1_lists")
SECOND = ("kv_layout_2", "kv_layout_2_values", "kv_layout_2_lists")


def lines_of(kv: SortedDictKV) -> list[str]:
    """A store written down, but for the version of HyperCache that it tells."""
    return [
        f"{shown(key)} = {shown(value)}"
        for key, value in kv.data.items()
        if key != layout.META_VERSION
    ]


def frozen_lines(name: str) -> list[str]:
    """What a file says."""
    return (FOLDER / f"{name}.txt").read_text("utf-8").splitlines()


def frozen(name: str) -> SortedDictKV:
    """A store as a file has it."""
    kv = SortedDictKV()
    for line in frozen_lines(name):
        key, value = line.split(" =")
        kv.data[_read(key)] = _read(value)
    assert lines_of(kv) == frozen_lines(name)
    return kv


def _read(text: str) -> bytes:
    """What `shown` wrote down."""
    runs = re.sub(r"<(\d+) x (..)>", lambda run: run[2] * int(run[1]), text)
    return bytes.fromhex(runs)
