"""Redis' notations."""

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hypercache.config.text import (
    format_memory,
    parse_integer,
    parse_memory,
    quote,
    quote_if_needed,
    split_arguments,
    yaml_flow,
    yaml_scalar,
)

BYTES_AS_TEXT = st.binary().map(lambda data: data.decode("utf-8", "surrogateescape"))


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("", []),
        ("  port\t6379  ", ["port", "6379"]),
        ('save ""', ["save", ""]),
        ("logfile ''", ["logfile", ""]),
        (r'a "b\n\x41\q\"" ', ["a", 'b\nAq"']),
        (r"a 'b\n\'c'", ["a", r"b\n'c"]),
        ('a"b"', ["ab"]),
        ('"a"b', None),
        ('"a', None),
        ("'a", None),
        (r'requirepass "\xff\xfe"', ["requirepass", "\udcff\udcfe"]),
    ],
)
def test_split_arguments(line: str, words: list[str] | None) -> None:
    assert split_arguments(line) == words


@given(st.lists(BYTES_AS_TEXT))
def test_quoted_words_come_back(words: list[str]) -> None:
    assert split_arguments(" ".join(quote(word) for word in words)) == words
    assert split_arguments(" ".join(quote_if_needed(word) for word in words)) == words


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("100", 100),
        ("1b", 1),
        ("1k", 1000),
        ("1kb", 1024),
        ("2M", 2_000_000),
        ("2Mb", 2 << 20),
        ("1g", 10**9),
        ("1GB", 1 << 30),
        ("", None),
        ("kb", None),
        ("-1", None),
        ("1.5gb", None),
        ("1tb", None),
        ("1 gb", None),
        ("\u0661", None),
    ],
)
def test_parse_memory(text: str, value: int | None) -> None:
    assert parse_memory(text) == value


@given(st.integers(0, 1 << 64))
def test_formatted_memory_is_read_back(value: int) -> None:
    assert parse_memory(format_memory(value)) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("-7", -7),
        ("9223372036854775807", (1 << 63) - 1),
        ("-9223372036854775808", -(1 << 63)),
        ("9223372036854775808", None),
        ("", None),
        ("+1", None),
        ("01", None),
        ("-0", None),
        ("1_0", None),
        (" 1", None),
        ("1\n", None),
    ],
)
def test_parse_integer(text: str, value: int | None) -> None:
    assert parse_integer(text) == value


@given(BYTES_AS_TEXT)
def test_yaml_scalars_are_read_back_in_any_place(text: str) -> None:
    document = f"a: {yaml_scalar(text)}\nb: [{yaml_scalar(text)}, x]\n"
    loader = yaml.BaseLoader(document)
    assert loader.get_single_data() == {"a": text, "b": [text, "x"]}


DATA = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@settings(derandomize=True)
@given(DATA)
@example([1e16, 1.5e-7, -1e-300, float("inf"), 0.1, "yes", "", {"on": "1"}, 1e16])
def test_yaml_data_are_read_back(data: object) -> None:
    assert yaml.safe_load(yaml_flow(data)) == data
