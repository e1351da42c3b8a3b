"""Long strings and what RESP3 shows; the rest of the string commands is in the transcripts."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hypercache.config import Settings
from hypercache.testing.engine import EngineHarness
from hypercache.testing.resp import ReplyError
from tests.unit.commands.conftest import BACKENDS, make_backend

TOO_LONG = ReplyError("ERR string exceeds maximum allowed size (proto-max-bulk-len)")
EDITS = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.just(0), st.binary(max_size=3000)),
        st.tuples(st.just("write"), st.integers(0, 12_000), st.binary(max_size=3000)),
        st.tuples(st.just("set"), st.just(0), st.binary(max_size=3000)),
        st.tuples(st.just("rename"), st.just(0), st.just(b"")),
        st.tuples(st.just("copy"), st.just(0), st.just(b"")),
    ),
    max_size=12,
)


@settings(max_examples=60, deadline=None)
@given(backend=st.sampled_from(BACKENDS), edits=EDITS, start=st.integers(0, 9000))
def test_editing_in_place(backend: str, edits: list[tuple[str, int, bytes]], start: int) -> None:
    harness = EngineHarness(make_backend(backend))
    model = bytearray()
    for kind, offset, data in edits:
        if kind == "append":
            model += data
            assert harness.command("APPEND", "k", data) == len(model)
        elif kind == "write":
            if data:
                model.extend(bytes(max(offset - len(model), 0)))
                model[offset : offset + len(data)] = data
            assert harness.command("SETRANGE", "k", offset, data) == len(model)
        elif kind == "set":
            model = bytearray(data)
            harness.command("SET", "k", data)
        elif kind == "rename" and harness.command("EXISTS", "k"):
            harness.script("RENAME k other\nAPPEND other \nRENAME other k")
        elif kind == "copy" and harness.command("COPY", "k", "copy", "REPLACE"):
            harness.script("APPEND k changed\nRENAME copy k")
        assert (harness.command("GET", "k") or b"") == bytes(model)
    assert harness.command("STRLEN", "k") == len(model)
    assert harness.command("GETRANGE", "k", start, start + 99) == bytes(model[start : start + 100])
    for keyspace in harness.engine.keyspaces:
        assert keyspace.store.check() == []


def test_the_longest_string(backend: str) -> None:
    harness = EngineHarness(
        make_backend(backend), settings=Settings(proto_max_bulk_len=1024 * 1024)
    )
    harness.engine.max_bulk = 1024 * 1024
    assert harness.command("SETRANGE", "k", 1024 * 1024 - 1, "x") == 1024 * 1024
    assert harness.command("APPEND", "k", "y") == TOO_LONG
    assert harness.command("APPEND", "k", "") == 1024 * 1024
    assert harness.command("SETRANGE", "k", 1024 * 1024 - 1, "xy") == TOO_LONG
    assert harness.command("SETRANGE", "k", 1024 * 1024, "") == 1024 * 1024
    assert harness.command("SETRANGE", "new", 1024 * 1024, "x") == TOO_LONG
    assert harness.command("EXISTS", "new") == 0
    assert harness.command("LCS", "k", "k", "LEN") == ReplyError(
        "ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len"
    )


def test_a_string_grows_without_being_copied(harness: EngineHarness) -> None:
    """4 MB in pieces of 1 KB: copied as a whole each time it would be 8 GB."""
    piece = b"x" * 1024
    for _ in range(4096):
        harness.command("APPEND", "k", piece)
    assert harness.command("STRLEN", "k") == 4 * 1024 * 1024


def test_memory_follows_what_was_edited(harness: EngineHarness) -> None:
    harness.script("SET k v\nDEL k")
    empty = harness.engine.memory.used()
    harness.command("APPEND", "k", b"x" * 100_000)
    harness.command("APPEND", "k", b"x" * 100_000)
    assert harness.engine.memory.used() - empty >= 200_000
    harness.command("SET", "k", "v")
    assert harness.engine.memory.used() - empty < 1_000
    harness.command("DEL", "k")
    assert harness.engine.memory.used() == empty


def test_replies_of_resp3(harness: EngineHarness) -> None:
    client = harness.client(3)
    client.command("MSET", "a", "ohmytext", "b", "mynewtext")
    assert client.command("LCS", "a", "b", "IDX", "WITHMATCHLEN") == {
        b"matches": [[[4, 7], [5, 8], 4], [[2, 3], [0, 1], 2]],
        b"len": 6,
    }
    client.command("HSET", "h", "f", "v")
    assert client.command("HGETALL", "h") == {b"f": b"v"}
    assert client.command("HGETALL", "none") == {}
    client.send(b"GET none\r\nMGET none\r\nINCRBYFLOAT n 0.5\r\n")
    assert client.received() == b"_\r\n*1\r\n_\r\n$3\r\n0.5\r\n"


@pytest.mark.parametrize("value", [b"", b"x" * 8192, bytes(range(256))])
def test_values_are_kept_byte_by_byte(harness: EngineHarness, value: bytes) -> None:
    harness.command("SET", value[:100], value)
    assert harness.command("GET", value[:100]) == value
    assert harness.command("GETRANGE", value[:100], 0, -1) == value
