"""Invariants of the parser under any cut of the bytes.

- Requests, and the error after them, do not depend on how the bytes are cut into chunks.
- Nothing but ``ProtocolError`` is ever raised, and ``buffered`` never exceeds what was fed.
- Every byte of a value is copied at most twice before the value is joined, however it arrives.
"""

from hypothesis import example, given, settings
from hypothesis import strategies as st

from hypercache.protocol.errors import ProtocolError
from hypercache.protocol.parser import RequestParser
from tests.support.resp import encode

ARGUMENT = st.binary(max_size=40) | st.sampled_from([b"x" * 16_385, b"\r\n" * 60, b"$1\r\n"])
REQUEST = st.lists(ARGUMENT, min_size=1, max_size=12)
NOTHING = st.sampled_from([b"*0\r\n", b"*-1\r\n", b"\r\n"])
#: Pieces of the protocol, most of them in the wrong place: noise that gets further.
PIECE = st.sampled_from(
    [b"*", b"$", b"\r\n", b"\n", b"\r", b"-1", b"0", b"1", b"2", b"3", b"12", b"\0", b'"', b"'"]
    + [b"*1\r\n", b"*2\r\n$1\r\n", b"$3\r\nabc\r\n", b"PING\r\n", b" ", b"\\x4", b"9" * 25]
) | st.binary(max_size=3)
NOISE = st.lists(PIECE, max_size=40).map(b"".join)
CUTS = st.lists(st.integers(0, 400), max_size=30)

Outcome = tuple[list[list[bytes]], str | None]


def outcome(chunks: list[bytes], *, eager: bool = True) -> Outcome:
    """The requests, and what the client is told at the end of them.

    An ``eager`` reader takes requests after each chunk, the other one after the last.
    """
    parser = RequestParser()
    requests: list[list[bytes]] = []
    fed = 0
    try:
        for chunk in chunks:
            parser.feed(chunk)
            fed += len(chunk)
            assert parser.buffered() <= fed
            if eager:
                take(parser, requests)
                assert not parser.pending()
        take(parser, requests)
    except ProtocolError as error:
        return requests, error.text
    return requests, None


def take(parser: RequestParser, requests: list[list[bytes]]) -> None:
    """Move all complete requests to the list."""
    while (request := parser.next()) is not None:
        requests.append(request)


def cut(data: bytes, sizes: list[int]) -> list[bytes]:
    """The data in chunks of these sizes, and the rest."""
    chunks = []
    for size in sizes:
        chunks.append(data[:size])
        data = data[size:]
    return [*chunks, data]


def check_any_cut(data: bytes, sizes: list[int], expected: Outcome) -> None:
    """The same outcome in one chunk, in random ones, in single bytes, and read late."""
    assert outcome([data]) == expected
    assert outcome(cut(data, sizes)) == expected
    assert outcome(cut(data, sizes), eager=False) == expected
    if len(data) < 2000:
        assert outcome([data[at : at + 1] for at in range(len(data))]) == expected


@given(st.lists(REQUEST, max_size=6), st.lists(NOTHING, max_size=6), CUTS)
@example([[b"x" * 16_385, b"y"]], [], [14, 16_384, 1, 1])
@settings(max_examples=150, deadline=None)
def test_requests_survive_any_cut(
    requests: list[list[bytes]], nothing: list[bytes], sizes: list[int]
) -> None:
    parts = [encode(*request) for request in requests]
    for at, skipped in enumerate(nothing):
        parts.insert(at * 2, skipped)
    check_any_cut(b"".join(parts), sizes, (requests, None))


@given(NOISE, CUTS)
@settings(max_examples=400, deadline=None)
def test_noise_is_understood_alike_at_any_cut(data: bytes, sizes: list[int]) -> None:
    check_any_cut(data, sizes, outcome([data]))


@given(st.binary(max_size=200), CUTS)
@settings(max_examples=200, deadline=None)
def test_random_bytes_are_refused_alike_at_any_cut(data: bytes, sizes: list[int]) -> None:
    check_any_cut(data, sizes, outcome([data]))
    check_any_cut(b"*2\r\n" + data, sizes, outcome([b"*2\r\n" + data]))


def test_a_value_of_large_chunks_is_never_copied_before_the_end() -> None:
    size, chunk = 4 << 20, b"x" * 4096
    parser = RequestParser()
    parser.feed(b"*2\r\n$%d\r\n" % size)
    assert parser.next() is None
    for count in range(size // len(chunk)):
        parser.feed(chunk)
        assert parser.next() is None
        pieces = parser._pieces
        assert pieces is not None
        assert len(pieces) == count + 2
        assert pieces[-1] is chunk
    parser.feed(b"\r\n$1\r\ny\r\n")
    assert parser.next() == [b"x" * size, b"y"]


def test_a_value_of_single_bytes_is_copied_twice_at_most() -> None:
    size = 100_000
    parser = RequestParser()
    parser.feed(b"*1\r\n$%d\r\n" % size)
    assert parser.next() is None
    known: dict[int, bytes] = {}
    copied = 0
    pieces: list[bytes] | None = []
    for _ in range(size):
        parser.feed(b"x")
        assert parser.next() is None
        pieces = parser._pieces
        assert pieces is not None
        merged = pieces[-1]
        if len(merged) > 1 and id(merged) not in known:
            known[id(merged)] = merged
            copied += len(merged)
    assert copied <= size
    assert pieces
    assert len(pieces) < 3 * 256 + size // 256
    parser.feed(b"\r\n")
    assert parser.next() == [b"x" * size]


def test_arguments_are_parsed_once() -> None:
    """Each chunk adds to the same list: a request of many chunks is not started again."""
    parser = RequestParser()
    count = 5000
    parser.feed(b"*%d\r\n" % (count + 1))
    assert parser.next() is None
    arguments = parser._arguments
    assert arguments is not None
    for number in range(count):
        parser.feed(b"$3\r\nabc\r\n")
        assert parser.next() is None
        assert parser._arguments is arguments
        assert len(arguments) == number + 1
    parser.feed(b"$0\r\n\r\n")
    assert parser.next() is arguments


def test_a_pipeline_is_sliced_out_of_its_chunk() -> None:
    """Taking a request never copies the rest of the chunk."""
    parser = RequestParser()
    chunk = encode("GET", "key") * 500
    parser.feed(chunk)
    for _ in range(499):
        assert parser.next() == [b"GET", b"key"]
        assert parser._data is chunk
