"""CRC-64 with the polynomial of Jones, reflected, as DUMP payloads and RDB files end with.

Source: D. T. Jones, "An Improved 64-bit Cyclic Redundancy Check for Protein Sequences".
"""

from typing import Final

_POLYNOMIAL: Final = 0x95AC9329AC4BC9B5


def _table() -> list[int]:
    table: list[int] = []
    for byte in range(256):
        code = byte
        for _ in range(8):
            code = (code >> 1) ^ _POLYNOMIAL if code & 1 else code >> 1
        table.append(code)
    return table


_TABLE: Final = _table()


def crc64(data: bytes, code: int = 0) -> int:
    """The checksum of ``data``, or of what gave ``code`` and ``data`` behind it."""
    table = _TABLE
    for byte in data:
        code = table[(code ^ byte) & 0xFF] ^ (code >> 8)
    return code
