"""Arguments for calls of typed values."""

from collections.abc import Callable

from hypothesis import strategies as st

NOW = 1_700_000_000_000

#: Short, numeric, and longer than the tests' store has room for in a key.
elements = st.one_of(
    st.sampled_from([b"", b"a", b"\x00", b"\xff", b"12", b"-7", b"012", b"L" * 40, b"L" * 41]),
    st.integers(0, 40).map(lambda number: b"%d" % number),
    st.integers(0, 9).map(lambda number: b"L" * 45 + b"%d" % number),
)
values = st.one_of(st.binary(max_size=80), st.sampled_from([b"v" * 2_000, b"v" * 5_000]))
#: Mostly one, since an order by members alone needs the same score for all.
scores = st.one_of(
    *[st.just(1.0)] * 7,
    st.sampled_from([0.0, -0.0, 1.0, -1.5, 2.0, 1e300, float("inf"), float("-inf")]),
)
picks = st.integers(0, 2**62 - 1)
positions = st.integers(0, 500)
counts = st.sampled_from([1, 2, 3, 10, 1_000_000])
deadlines = st.integers(0, 4).map(lambda number: NOW + number)

Perform = Callable[..., object]
