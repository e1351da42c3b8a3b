"""Points as numbers, and the cells in which a shape is searched."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hypercache.keyspace.geohash import (
    LATITUDE_LIMIT,
    LONGITUDE_LIMIT,
    Shape,
    decode,
    distance,
    encode,
    geohash_text,
)

LONGITUDES = st.floats(-LONGITUDE_LIMIT, LONGITUDE_LIMIT)
LATITUDES = st.floats(-LATITUDE_LIMIT, LATITUDE_LIMIT)
#: Half the width and height of the smallest cell, in degrees, and a little for rounding.
CLOSE = (180.0 / 2**26 * 1.001, LATITUDE_LIMIT / 2**26 * 1.001)


@given(LONGITUDES, LATITUDES)
def test_decoding_gives_the_point_to_within_its_cell(longitude: float, latitude: float) -> None:
    code = encode(longitude, latitude)
    east, north = decode(float(code))
    # At the very edge rounding may lead beyond the last cell, as it does in Redis.
    if abs(longitude) < LONGITUDE_LIMIT - 1e-9 and abs(latitude) < LATITUDE_LIMIT - 1e-9:
        assert 0 <= code < 2**52
        assert abs(east - longitude) <= CLOSE[0]
        assert abs(north - latitude) <= CLOSE[1]
        assert encode(east, north) == code
    assert abs(east) <= LONGITUDE_LIMIT
    assert abs(north) <= LATITUDE_LIMIT


@pytest.mark.parametrize("score", [math.inf, -math.inf, 1e300, -1.5, -0.0, 2.0**63, 5e-324])
def test_any_score_is_some_point(score: float) -> None:
    longitude, latitude = decode(score)
    assert abs(longitude) <= LONGITUDE_LIMIT
    assert abs(latitude) <= LATITUDE_LIMIT


# Places whose geohashes are in the literature: https://en.wikipedia.org/wiki/Geohash, and more.
@pytest.mark.parametrize(
    ("longitude", "latitude", "text"),
    [
        (10.40744, 57.64911, b"u4pruydqqv"),
        (-5.6, 42.6, b"ezs42e44yx"),
        (-49.265506, -25.382708, b"6gkzwgjzn8"),
    ],
)
def test_geohash_text(longitude: float, latitude: float, text: bytes) -> None:
    found = geohash_text(longitude, latitude)
    assert len(found) == 11
    assert found.endswith(b"0")
    assert found[:8] == text[:8]


@given(LONGITUDES, LATITUDES, LONGITUDES, LATITUDES)
def test_distance(east: float, north: float, other: float, other_north: float) -> None:
    metres = distance(east, north, other, other_north)
    assert 0.0 <= metres <= math.pi * 6372797.560856
    assert math.isclose(distance(other, other_north, east, north), metres, abs_tol=1e-6)
    # The chord through the earth, from coordinates in space.
    first, second = (
        (
            math.cos(math.radians(b)) * math.cos(math.radians(a)),
            math.cos(math.radians(b)) * math.sin(math.radians(a)),
            math.sin(math.radians(b)),
        )
        for a, b in ((east, north), (other, other_north))
    )
    chord = math.dist(first, second) * 6372797.560856
    assert math.isclose(
        2 * 6372797.560856 * math.sin(metres / 2 / 6372797.560856), chord, abs_tol=0.2
    )


def in_cells(shape: Shape, longitude: float, latitude: float) -> bool:
    code = encode(longitude, latitude)
    return any(low <= code < high for low, high in shape.cells())


@given(
    st.floats(-150, 150),
    st.floats(-60, 60),
    st.floats(0.5, 1_000_000),
    st.floats(0.5, 1_000_000),
    st.booleans(),
    st.floats(-1, 1),
    st.floats(-1, 1),
)
def test_what_is_inside_lies_in_the_cells(
    longitude: float,
    latitude: float,
    width: float,
    height: float,
    is_box: bool,
    across: float,
    along: float,
) -> None:
    height = height if is_box else width
    shape = Shape(longitude, latitude, width, height, is_box)
    degree = 111_226.0  # metres of a degree of latitude, about
    north = latitude + along * height / 2 / degree
    east = longitude + across * width / 2 / degree / math.cos(math.radians(north))
    if shape.reach(east, north) >= 0.0:
        assert in_cells(shape, east, north)


@given(st.floats(-170, 170), st.floats(-60, 60), st.floats(1, 100_000))
def test_cells_are_about_as_large_as_the_shape(
    longitude: float, latitude: float, width: float
) -> None:
    cells = Shape(longitude, latitude, width, width, False).cells()
    assert len(cells) <= 9
    assert all(low < high for low, high in cells)
    side = 20_037_726.37 * 2 * math.sqrt(sum(high - low for low, high in cells) / 2**52)
    assert side <= max(40 * width, 12.0)
    for low, high in cells:
        for other, _ in cells:
            assert other == low or not low <= other < high


@pytest.mark.parametrize(("longitude", "latitude"), [(180.0, 85.05112878), (-180.0, -85.05112878)])
@pytest.mark.parametrize("width", [0.0, 1.0, 1e7, 1e12, math.inf])
def test_corners_of_the_map_and_sizes_beyond_it(
    longitude: float, latitude: float, width: float
) -> None:
    for is_box in (False, True):
        shape = Shape(longitude, latitude, width, width, is_box)
        assert 1 <= len(shape.cells()) <= 9
        assert shape.reach(longitude, latitude) == 0.0


def test_a_circle_around_the_world_meets_no_cell_twice() -> None:
    cells = Shape(10.0, 10.0, 1e9, 1e9, False).cells()
    assert len(cells) == len(set(cells)) == 4
    assert sum(high - low for low, high in cells) == 2**52
