"""Requests out of bytes: what is accepted, what is refused in which words, what is held."""

import tracemalloc

import pytest

from hypercache.protocol.errors import ProtocolError
from hypercache.protocol.parser import READ_SIZE, RequestParser
from tests.support.resp import encode

MAX_LINE = 65_536


def parse(data: bytes, *, guest: bool = False) -> list[list[bytes]]:
    """All requests in the data; the parser must not be left with a rest."""
    parser = RequestParser(authenticated=not guest)
    parser.feed(data)
    requests = drain(parser)
    assert parser.buffered() == 0
    return requests


def drain(parser: RequestParser) -> list[list[bytes]]:
    """All requests that are complete."""
    requests = []
    while (request := parser.next()) is not None:
        requests.append(request)
    assert not parser.pending()
    return requests


def error(data: bytes, *, guest: bool = False, max_bulk: int = 512 << 20) -> str:
    """What the client is told."""
    parser = RequestParser(authenticated=not guest, max_bulk=max_bulk)
    parser.feed(data)
    with pytest.raises(ProtocolError) as caught:
        drain(parser)
    return caught.value.text


def test_pipeline() -> None:
    data = encode("SET", "key", "value") + encode("GET", "key") + b"PING\r\n" + encode("PING")
    assert parse(data) == [[b"SET", b"key", b"value"], [b"GET", b"key"], [b"PING"], [b"PING"]]


@pytest.mark.parametrize("size", [0, 1, 9, 10, 99, 100, 999, 1000, 16_384, 16_385, 100_000])
def test_lengths(size: int) -> None:
    value = b"\r\n$*"[: size % 4] + b"x" * (size - size % 4)
    assert len(value) == size
    assert parse(encode("SET", "key", value, "")) == [[b"SET", b"key", value, b""]]


@pytest.mark.parametrize("count", [1, 2, 9, 10, 11, 99, 100, 1500])
def test_counts(count: int) -> None:
    request = [b"%d" % index for index in range(count)]
    assert parse(encode(*request) * 2) == [request, request]


@pytest.mark.parametrize("nothing", [b"*0\r\n", b"*-1\r\n", b"*-77\r\n", b"\r\n", b"\n", b"  \r\n"])
def test_nothing_is_skipped(nothing: bytes) -> None:
    assert parse(nothing) == []
    assert parse(nothing * 3 + encode("PING") + nothing) == [[b"PING"]]


def test_many_empty_requests_need_no_stack() -> None:
    assert parse(b"*0\r\n\r\n" * 20_000) == []


def test_only_the_carriage_return_ends_a_length() -> None:
    """As in Redis, the byte behind it and the two behind a bulk string are skipped unseen."""
    assert parse(b"*2\r?$4\r?ECHO??$1\r?x??") == [[b"ECHO", b"x"]]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"SET key value", [b"SET", b"key", b"value"]),
        (b" \t SET   key \t value \v\f ", [b"SET", b"key", b"value"]),
        (b'SET key "a value"', [b"SET", b"key", b"a value"]),
        (b'SET key ""', [b"SET", b"key", b""]),
        (b"SET key ''", [b"SET", b"key", b""]),
        (rb'SET "\n\r\t\b\a\q\"\\"', [b"SET", b'\n\r\t\b\aq"\\']),
        (rb'SET "\x41\xfF\x4\xg1"', [b"SET", b"A\xffx4xg1"]),
        (rb"SET '\n\'\x41'", [b"SET", b"\\n'\\x41"]),
        (b'SET \'say "it"\' "it\'s"', [b"SET", b'say "it"', b"it's"]),
        (b'SET pre"fix"', [b"SET", b"prefix"]),
        (rb"SET back\slash\x41", [b"SET", b"back\\slash\\x41"]),
        (b"SET a\vb\fc", [b"SET", b"a\vb\fc"]),
        (b"SET \xff\x80", [b"SET", b"\xff\x80"]),
        (b"SET a\rb", [b"SET", b"a", b"b"]),
        (b'"SET" "a"\t\'b\'', [b"SET", b"a", b"b"]),
    ],
)
@pytest.mark.parametrize("end", [b"\r\n", b"\n"])
def test_inline(line: bytes, words: list[bytes], end: bytes) -> None:
    assert parse(line + end) == [words]


@pytest.mark.parametrize(
    "line",
    [b'"', b"'", b'SET "key', b"SET 'key", b'SET "key"x', b"SET 'key'x", rb'SET "key\"']
    + [b'SET "key ', b"SET 'key ", rb'SET "\x4', rb'SET "\x', b'SET "\\', b"SET '\\"],
)
def test_unbalanced_quotes(line: bytes) -> None:
    assert error(line + b"\r\n") == "ERR Protocol error: unbalanced quotes in request"


@pytest.mark.parametrize(
    "count",
    [b"", b"x", b"1x", b"+1", b"01", b"00", b"-0", b"-", b" 1", b"1 ", b"1\n", b"2147483648"]
    + [b"9223372036854775808", b"-9223372036854775809", b"1" * 30, b"1\x00", b"\xb2"],
)
def test_invalid_multibulk_length(count: bytes) -> None:
    assert error(b"*" + count + b"\r\n") == "ERR Protocol error: invalid multibulk length"


@pytest.mark.parametrize(
    "length",
    [b"", b"x", b"1x", b"x1", b"12x", b"123x", b"+1", b"01", b"012", b"0123", b"00", b"-0", b"-1"]
    + [b" 1", b"1 ", b"536870913", b"9223372036854775808", b"1" * 30, b"1\x00", b"a", b"1/", b"1:"],
)
@pytest.mark.parametrize("rest", [b"", b"x" * 100])
def test_invalid_bulk_length(length: bytes, rest: bytes) -> None:
    data = b"*1\r\n$" + length + b"\r\n" + rest
    assert error(data) == "ERR Protocol error: invalid bulk length"


def test_the_longest_bulk_is_a_setting() -> None:
    parser = RequestParser(max_bulk=20_000)
    parser.feed(encode(b"x" * 20_000))
    assert drain(parser) == [[b"x" * 20_000]]
    assert error(b"*1\r\n$20001\r\n", max_bulk=20_000) == "ERR Protocol error: invalid bulk length"
    assert error(b"*1\r\n$1001\r\n" + b"x" * 9, max_bulk=1000).endswith("invalid bulk length")


@pytest.mark.parametrize(
    ("got", "shown"),
    [(b"4", "4"), (b"*", "*"), (b"\n", " "), (b"\r", " "), (b"\xff", "\udcff"), (b" ", " ")],
)
def test_something_else_than_a_bulk(got: bytes, shown: str) -> None:
    data = b"*2\r\n$1\r\nx\r\n" + got + b"\r\r\n"
    assert error(data) == f"ERR Protocol error: expected '$', got '{shown}'"


def test_limits_of_a_guest() -> None:
    assert parse(encode(*"0123456789"), guest=True) == [list(map(str.encode, "0123456789"))]
    assert parse(encode(b"x" * 16_384), guest=True) == [[b"x" * 16_384]]
    assert error(b"*11\r\n", guest=True) == "ERR Protocol error: unauthenticated multibulk length"
    told = error(b"*1\r\n$16385\r\n", guest=True)
    assert told == "ERR Protocol error: unauthenticated bulk length"
    assert error(b"*2147483648\r\n", guest=True) == "ERR Protocol error: invalid multibulk length"


def test_a_guest_may_log_in_within_a_pipeline() -> None:
    parser = RequestParser(authenticated=False)
    parser.feed(encode("AUTH", "secret") + encode("SET", "key", b"x" * 20_000))
    assert parser.next() == [b"AUTH", b"secret"]
    parser.authenticated = True
    assert parser.next() == [b"SET", b"key", b"x" * 20_000]


@pytest.mark.parametrize(
    ("before", "text"),
    [
        (b"", "too big inline request"),
        (b"*", "too big mbulk count string"),
        (b"*1\r\n$", "too big bulk count string"),
        (b"*1\r\n", "too big bulk count string"),
    ],
)
@pytest.mark.parametrize("step", [1 << 30, 4096, 61])
def test_endless_lines(before: bytes, text: str, step: int) -> None:
    start = before.rfind(b"\n") + 1
    data = before + b"1" * (MAX_LINE - len(before) + start)
    parser = RequestParser()
    for at in range(0, len(data), step):
        parser.feed(data[at : at + step])
        assert parser.next() is None
    parser.feed(b"1")
    with pytest.raises(ProtocolError) as caught:
        parser.next()
    assert caught.value.text == "ERR Protocol error: " + text


def test_longest_inline_request() -> None:
    word = b"x" * (MAX_LINE - 1)
    assert parse(word + b"\r\n") == [[word]]
    assert error(b"x" + word + b"\r\n") == "ERR Protocol error: too big inline request"


def test_after_an_error_the_parser_is_dead() -> None:
    parser = RequestParser()
    parser.feed(encode("PING") + b"*x\r\n" + encode("PING"))
    parser.feed(encode("PING"))
    assert parser.next() == [b"PING"]
    with pytest.raises(ProtocolError):
        parser.next()
    parser.feed(encode("PING"))
    assert parser.next() is None
    assert not parser.pending()
    assert parser.buffered() == 0


def test_bytes_may_be_fed_before_the_last_were_taken() -> None:
    parser = RequestParser()
    data = encode("ECHO", "1") + encode("ECHO", "2") + encode("ECHO", b"3" * 50)
    for at in range(0, len(data), 7):
        parser.feed(data[at : at + 7])
    assert parser.buffered() == len(data)
    assert parser.pending()
    assert drain(parser) == [[b"ECHO", b"1"], [b"ECHO", b"2"], [b"ECHO", b"3" * 50]]
    assert parser.buffered() == 0


def test_buffered_counts_what_is_kept_for_a_request() -> None:
    data = encode("SET", "key", b"x" * 50_000)
    parser = RequestParser()
    for at in range(0, len(data) - 1000, 1000):
        parser.feed(data[at : at + 1000])
        assert parser.next() is None
        # The line of the last bulk's length, just read, is not held.
        assert 0 <= at + 1000 - parser.buffered() <= len(b"$50000\r\n")


def test_buffered_counts_large_arguments_too() -> None:
    data = encode("MSET", "a", b"x" * 50_000, "b", b"y" * 50_000, "c", "z")
    parser = RequestParser()
    for at in range(0, len(data) - 1000, 1000):
        parser.feed(data[at : at + 1000])
        assert parser.next() is None
        assert 0 <= at + 1000 - parser.buffered() <= 3 * len(b"$50000\r\n")


def test_buffered_does_not_count_what_is_done() -> None:
    parser = RequestParser()
    parser.feed(b"*0\r\n" * 100 + b"*2\r\n$1\r\nx\r\n")
    assert parser.next() is None
    assert parser.buffered() == len(b"*2\r\n$1\r\nx\r\n")
    parser.feed(b"$1\r\ny\r\n")
    assert parser.next() == [b"x", b"y"]
    assert parser.buffered() == 0


def test_wanted_is_the_rest_of_a_large_value() -> None:
    parser = RequestParser()
    assert parser.wanted == READ_SIZE
    parser.feed(b"*1\r\n$536870912\r\nabc")
    assert parser.next() is None
    assert parser.wanted == 536_870_912 + 2 - 3
    parser.feed(b"x" * 100_000)
    assert parser.next() is None
    assert parser.wanted == 536_870_912 + 2 - 100_003


@pytest.mark.parametrize("rest", [100, 50_000])
def test_reading_what_is_wanted_ends_with_the_value(rest: int) -> None:
    parser = RequestParser()
    data = encode(b"x" * 100_000) + encode("PING") * 5000
    at = 0
    while (request := parser.next()) is None:
        size = min(parser.wanted, rest) if parser.wanted > READ_SIZE else READ_SIZE
        parser.feed(data[at : at + size])
        at += size
    assert request == [b"x" * 100_000]
    assert parser.wanted == READ_SIZE


def test_an_announced_length_allocates_nothing() -> None:
    parser = RequestParser()
    tracemalloc.start()
    parser.feed(b"*2147483647\r\n$536870912\r\n")
    assert parser.next() is None
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10_000


def test_an_idle_parser_is_small() -> None:
    data = encode("SET", "key", b"x" * 1000) * 16
    tracemalloc.start()
    parsers = [RequestParser() for _ in range(200)]
    for parser in parsers:
        parser.feed(data + b"")
        assert len(drain(parser)) == 16
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert size / len(parsers) < 1500
