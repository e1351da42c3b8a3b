"""CRC-64 with the polynomial of Jones, reflected, as DUMP payloads and RDB files end with.

Source: D. T. Jones, "An Improved 64-bit Cyclic Redundancy Check for Protein Sequences". The
library has no types of its own: this is the only module that imports it.
"""

from importlib import import_module
from typing import Final, Protocol


class _Model(Protocol):
    def calc(self, data: bytes, init: int) -> int: ...


_MODEL: Final[_Model] = import_module("anycrc").Model("CRC64-REDIS")


def crc64(data: bytes, code: int = 0) -> int:
    """The checksum of ``data``, or of what gave ``code`` and ``data`` behind it."""
    return _MODEL.calc(data, code)
