"""Payloads that nobody should trust: cut, changed, forged. And the encodings of old servers."""

import random
from struct import pack

import pytest

from hypercache.backend import HASH, LIST, NO_EXPIRE, SET, STRING, ZSET
from hypercache.rdb import forms
from hypercache.rdb.crc64 import crc64
from hypercache.rdb.errors import RdbError
from hypercache.rdb.lzf import decompress
from hypercache.rdb.packs import read_listpack, write_listpack
from hypercache.rdb.primitives import Writer
from hypercache.rdb.restore import is_valid_payload, restore


def payload(form: int, body: bytes, version: int = 10) -> bytes:
    whole = bytes((form,)) + body + version.to_bytes(2, "little")
    return whole + crc64(whole).to_bytes(8, "little")


def string(text: bytes) -> bytes:
    writer = Writer()
    writer.string(text)
    return bytes(writer.out)


def ziplist(items: list[bytes | int]) -> bytes:
    out = b""
    previous = 0
    last = 10
    for item in items:
        last = 10 + len(out)
        entry = bytes((previous,)) if previous < 254 else b"\xfe" + previous.to_bytes(4, "little")
        if isinstance(item, int):
            entry += bytes((0xF1 + item,)) if 0 <= item <= 12 else b"\xc0" + pack("<h", item)
        elif len(item) < 64:
            entry += bytes((len(item),)) + item
        else:
            entry += (0x4000 | len(item)).to_bytes(2, "big") + item
        previous = len(entry)
        out += entry
    return pack("<IIH", 11 + len(out), last, len(items)) + out + b"\xff"


ITEMS: list[bytes | int] = [b"a", 5, 1000, b"b" * 300, b"", b"c"]
TEXTS = [b"a", b"5", b"1000", b"b" * 300, b"", b"c"]


def test_checksum() -> None:
    assert crc64(b"123456789") == 0xE9C6D914C4B8D9CA
    assert is_valid_payload(payload(forms.STRING, string(b"x")))
    assert not is_valid_payload(payload(forms.STRING, string(b"x"), version=99))
    assert not is_valid_payload(payload(forms.STRING, string(b"x"))[:-1] + b"\x01")
    assert not is_valid_payload(b"short")


@pytest.mark.parametrize(
    ("form", "body"),
    [
        (forms.LIST_ZIPLIST, string(ziplist(ITEMS))),
        (forms.LIST_QUICKLIST, b"\x01" + string(ziplist(ITEMS))),
        (forms.LIST_QUICKLIST_2, b"\x01\x02" + string(write_listpack(ITEMS))),
        (forms.LIST, b"\x06" + b"".join(map(string, TEXTS))),
    ],
)
def test_lists(form: int, body: bytes) -> None:
    content = restore(payload(form, body))
    assert (content.kind, content.items) == (LIST, TEXTS)


def test_a_plain_node_of_a_list() -> None:
    body = b"\x02\x01" + string(b"x" * 9000) + b"\x02" + string(write_listpack([1]))
    assert restore(payload(forms.LIST_QUICKLIST_2, body)).items == [b"x" * 9000, b"1"]


@pytest.mark.parametrize("width", [2, 4, 8])
def test_intsets(width: int) -> None:
    numbers = [-30, 0, 17]
    body = pack("<II", width, 3) + b"".join(
        n.to_bytes(width, "little", signed=True) for n in numbers
    )
    content = restore(payload(forms.SET_INTSET, string(body)))
    assert (content.kind, content.items) == (SET, [b"-30", b"0", b"17"])


def test_sorted_sets_and_hashes_of_old_servers() -> None:
    scored = restore(payload(forms.ZSET_ZIPLIST, string(ziplist([b"a", 5, b"b", b"1.5"]))))
    assert (scored.kind, scored.scores) == (ZSET, [(b"a", 5.0), (b"b", 1.5)])
    text = b"\x02" + string(b"a") + b"\x03-.5" + string(b"b") + b"\xfe"
    assert restore(payload(forms.ZSET, text)).scores == [(b"a", -0.5), (b"b", float("inf"))]
    fields = restore(payload(forms.HASH_ZIPLIST, string(ziplist([b"f", b"v"]))))
    assert (fields.kind, fields.fields) == (HASH, [(b"f", b"v", NO_EXPIRE)])


def test_hashes_with_deadlines() -> None:
    body = (
        pack("<q", 1000)
        + b"\x02\x00"
        + string(b"f")
        + string(b"v")
        + b"\x06"
        + string(b"g")
        + string(b"w")
    )
    fields = [(b"f", b"v", NO_EXPIRE), (b"g", b"w", 1005)]
    assert restore(payload(forms.HASH_METADATA, body, 12)).fields == fields
    packed = pack("<q", 1005) + string(write_listpack([b"g", b"w", 1005, b"f", b"v", 0]))
    assert restore(payload(forms.HASH_LISTPACK_EX, packed, 12)).fields == fields[::-1]


def test_compressed_strings() -> None:
    assert decompress(b"\x01ab\xe0\x05\x01", 16) == b"ab" * 8
    body = b"\xc3\x05\x10\x01ab\xe0\x05\x01"[:1] + b"\x06\x10" + b"\x01ab\xe0\x05\x01"
    content = restore(payload(forms.STRING, body))
    assert (content.kind, content.text) == (STRING, b"ab" * 8)
    for data, size in [
        (b"\x01ab\xe0\x05\x01", 15),
        (b"\x01ab\xe0\x05\x01", 17),
        (b"\x20\x05", 3),
        (b"\x05ab", 6),
        (b"\x01ab", 1 << 40),
    ]:
        with pytest.raises(RdbError):
            decompress(data, size)


@pytest.mark.parametrize(
    "number", [0, 127, 128, -1, -4096, 4095, 4096, 32767, -32768, 1 << 22, -(1 << 31), 1 << 62]
)
def test_integers_in_listpacks(number: int) -> None:
    assert read_listpack(write_listpack([number])) == [b"%d" % number]


@pytest.mark.parametrize("size", [0, 1, 63, 64, 126, 127, 4095, 4096, 20000])
def test_strings_in_listpacks(size: int) -> None:
    assert read_listpack(write_listpack([b"x" * size, b"y"])) == [b"x" * size, b"y"]


@pytest.mark.parametrize(
    ("form", "body"),
    [
        (forms.LIST, b"\x00"),
        (forms.LIST, b"\x81" + b"\xff" * 8),
        (forms.STRING, b"\x80\xff\xff\xff\xff"),
        (forms.SET, b"\x02" + string(b"a") * 2),
        (forms.ZSET_2, b"\x01" + string(b"a") + b"\x00" * 6 + b"\xf8\x7f"),
        (forms.HASH_LISTPACK, string(write_listpack([b"f", b"v", b"g"]))),
        (forms.STRING, string(b"x") + b"more"),
        (6, b""),
        (99, b""),
    ],
    ids=["empty", "many", "long", "twice", "nan", "half", "more", "module", "unknown"],
)
def test_refused(form: int, body: bytes) -> None:
    with pytest.raises(RdbError):
        restore(payload(form, body))


SAMPLES = [
    (forms.LIST_QUICKLIST, b"\x01" + string(ziplist(ITEMS))),
    (forms.LIST_QUICKLIST_2, b"\x01\x02" + string(write_listpack(ITEMS))),
    (forms.HASH_METADATA, pack("<q", 1000) + b"\x01\x03" + string(b"f") + string(b"v" * 70)),
    (forms.ZSET_LISTPACK, string(write_listpack([b"a", 5, b"b", b"1.5"]))),
    (
        forms.STREAM_3,
        b"\x01" + string(bytes(7) + b"\x05" + bytes(8))
        + string(write_listpack([2, 0, 1, b"f", 0, 2, 0, 1, b"v", 4, 0, 1, 0, 1, b"g", b"w", 6]))
        + b"\x02\x06\x00\x05\x01\x00\x00\x02"
        + b"\x01" + string(b"group") + b"\x05\x01\x01\x01" + bytes(7) + b"\x05" + bytes(7) + b"\x01"
        + pack("<q", 9) + b"\x01"
        + b"\x01" + string(b"alice") + pack("<q", 8) + pack("<q", 9)
        + b"\x01" + bytes(7) + b"\x05" + bytes(7) + b"\x01",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("form", "body"), SAMPLES)
def test_damage_is_noticed_or_harmless(form: int, body: bytes) -> None:
    """With the checksum forged: whatever is changed, RdbError is all that comes of it."""
    whole = payload(form, body, 12)
    restore(whole)
    chance = random.Random(form)
    for at in range(1, len(whole) - 10):
        changed = bytearray(whole)
        changed[at] = chance.randrange(256)
        for damaged in (bytes(changed), whole[:at] + whole[-10:]):
            try:
                restore(damaged)
            except RdbError:
                continue
