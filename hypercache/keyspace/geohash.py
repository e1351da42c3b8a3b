"""Points on the earth as 52-bit numbers whose order keeps neighbours together.

The map (longitude -180 to 180, latitude as far as the Mercator projection of web maps goes)
is halved in turn along both axes, 26 times each; a point's number says in which halves it
lies. So a square of the map, a *cell*, is one range of numbers, and what lies near a point is
found in nine cells. Angles are degrees, lengths metres.

Source: G. M. Morton (1966), the order; Redis' GEOADD and GEOSEARCH, the limits, the radius of
the earth and which cells are visited.
"""

import math
from typing import Final

from mypy_extensions import i64

LONGITUDE_LIMIT: Final = 180.0
LATITUDE_LIMIT: Final = 85.05112878
# Halvings of either axis.
_STEPS: Final[i64] = 26

_EARTH_RADIUS: Final = 6372797.560856
_RADIANS: Final = math.pi / 180.0
# Half the circumference of the projection.
_MERCATOR: Final = 20037726.37

# Geohash strings halve all latitudes up to the poles.
_POLE: Final = 90.0
_ALPHABET: Final = b"0123456789bcdefghjkmnpqrstuvwxyz"
_DIGITS: Final = 10

# Neighbours of a cell in the order in which they are visited: steps to the east, to the north.
_AROUND: Final[list[tuple[i64, i64]]] = [
    (0, 0),
    (0, 1),
    (0, -1),
    (1, 0),
    (-1, 0),
    (1, 1),
    (-1, 1),
    (1, -1),
    (-1, -1),
]

_LARGEST: Final = 9.2e18
_ROUNDING: Final = 1.000001


def _spread(number: i64) -> i64:
    """Put a zero bit before each of 32 bits."""
    number = (number | (number << 16)) & 0x0000FFFF0000FFFF
    number = (number | (number << 8)) & 0x00FF00FF00FF00FF
    number = (number | (number << 4)) & 0x0F0F0F0F0F0F0F0F
    number = (number | (number << 2)) & 0x3333333333333333
    return (number | (number << 1)) & 0x5555555555555555


def _gather(number: i64) -> i64:
    """Take every other of 64 bits, from the lowest."""
    number &= 0x5555555555555555
    number = (number | (number >> 1)) & 0x3333333333333333
    number = (number | (number >> 2)) & 0x0F0F0F0F0F0F0F0F
    number = (number | (number >> 4)) & 0x00FF00FF00FF00FF
    number = (number | (number >> 8)) & 0x0000FFFF0000FFFF
    return (number | (number >> 16)) & 0x00000000FFFFFFFF


def _index(angle: float, limit: float, steps: i64) -> i64:
    """Which of 2**steps parts of an axis an angle lies in; one more at the very end."""
    share: float = (angle + limit) / (limit + limit)
    return i64(share * float(1 << steps))


def _edge(index: i64, limit: float, steps: i64) -> float:
    """The angle at which a part of an axis begins."""
    return -limit + (float(index) / float(1 << steps)) * (limit + limit)


def encode(longitude: float, latitude: float) -> i64:
    """The number of a point within the limits; fits a double exactly."""
    east = _index(longitude, LONGITUDE_LIMIT, _STEPS)
    return _spread(_index(latitude, LATITUDE_LIMIT, _STEPS)) | (_spread(east) << 1)


def decode(score: float) -> tuple[float, float]:
    """Longitude and latitude of the middle of a number's cell; some point for any double."""
    code: i64 = i64(score) if -_LARGEST < score < _LARGEST else 0
    return _middle(_gather(code >> 1), LONGITUDE_LIMIT), _middle(_gather(code), LATITUDE_LIMIT)


def _middle(index: i64, limit: float) -> float:
    angle: float = (_edge(index, limit, _STEPS) + _edge(index + 1, limit, _STEPS)) / 2.0
    return max(min(angle, limit), -limit)


def geohash_text(longitude: float, latitude: float) -> bytes:
    """The 11 characters of a point's geohash; the last, for which there are no bits, is 0."""
    east = _index(longitude, LONGITUDE_LIMIT, _STEPS)
    code = _spread(_index(latitude, _POLE, _STEPS)) | (_spread(east) << 1)
    text = bytearray()
    for digit in range(1, _DIGITS + 1):
        text.append(_ALPHABET[(code >> (2 * _STEPS - 5 * digit)) & 31])
    return bytes(text) + _ALPHABET[:1]


def distance(longitude: float, latitude: float, other: float, other_latitude: float) -> float:
    """Metres between two points on a sphere: the haversine formula (R. W. Sinnott, 1984)."""
    across: float = math.sin((other * _RADIANS - longitude * _RADIANS) / 2.0)
    if across == 0.0:
        return latitude_distance(latitude, other_latitude)
    first: float = latitude * _RADIANS
    second: float = other_latitude * _RADIANS
    along: float = math.sin((second - first) / 2.0)
    square: float = along * along + math.cos(first) * math.cos(second) * across * across
    return 2.0 * _EARTH_RADIUS * math.asin(min(math.sqrt(square), 1.0))


def latitude_distance(latitude: float, other: float) -> float:
    """Metres between two parallels."""
    return _EARTH_RADIUS * abs(other * _RADIANS - latitude * _RADIANS)


def _cosine(degrees: float) -> float:
    """The cosine; not a number for infinity, as in C."""
    return math.cos(degrees * _RADIANS) if math.isfinite(degrees) else math.nan


class Shape:
    """A circle or a box around a point; ``width`` and ``height`` are a circle's diameter."""

    def __init__(
        self, longitude: float, latitude: float, width: float, height: float, is_box: bool
    ) -> None:
        self.longitude = longitude
        self.latitude = latitude
        self.width = width
        self.height = height
        self.is_box = is_box
        # No point inside is further to the north or south, whatever is rounded.
        self._down: float = height / 2.0 / _EARTH_RADIUS / _RADIANS * _ROUNDING

    def reach(self, longitude: float, latitude: float) -> float:
        """Metres from the middle to a point inside, -1 for one outside."""
        if abs(latitude - self.latitude) > self._down:
            return -1.0  # most of those outside, at the price of a subtraction
        if self.is_box:
            if latitude_distance(latitude, self.latitude) > self.height / 2.0:
                return -1.0
            # The width is measured along the point's own parallel.
            if distance(longitude, latitude, self.longitude, latitude) > self.width / 2.0:
                return -1.0
        metres = distance(self.longitude, self.latitude, longitude, latitude)
        if not self.is_box and metres > self.width / 2.0:
            return -1.0
        return metres

    def cells(self) -> list[tuple[float, float]]:
        """Ranges of numbers (from, before) that hold every point inside, and not many more."""
        down: float = self.height / 2.0 / _EARTH_RADIUS / _RADIANS
        # A box is as wide as it is at the side that is nearer to a pole.
        side: float = self.latitude - down if self.latitude < 0.0 else self.latitude + down
        across: float = self.width / 2.0 / _EARTH_RADIUS / _cosine(side) / _RADIANS
        grid = _Grid(self, self._steps())
        if grid.steps > 1 and not grid.covers(across, down):
            grid = _Grid(self, grid.steps - 1)
        return grid.ranges(across, down)

    def _steps(self) -> i64:
        """Halvings after which nine cells are about as large as the shape."""
        metres: float = self.width / 2.0
        if self.is_box:
            metres = math.sqrt(metres * metres + self.height / 2.0 * (self.height / 2.0))
        if metres == 0.0:
            return _STEPS
        steps: i64 = -1
        while metres < _MERCATOR:
            metres *= 2.0
            steps += 1
        # Cells are narrower towards the poles.
        if abs(self.latitude) > 66.0:
            steps -= 1
        if abs(self.latitude) > 80.0:
            steps -= 1
        return max(min(steps, _STEPS), 1)


class _Grid:
    """The cells of one size around the middle of a shape."""

    def __init__(self, shape: Shape, steps: i64) -> None:
        self.shape = shape
        self.steps = steps
        self.east = _index(shape.longitude, LONGITUDE_LIMIT, steps)
        self.north = _index(shape.latitude, LATITUDE_LIMIT, steps)

    def _neighbour(self, index: i64, step: i64) -> i64:
        """An index beside another, around the world."""
        return (index + step) & ((1 << self.steps) - 1) if step != 0 else index

    def _longitude(self, index: i64) -> float:
        return _edge(index, LONGITUDE_LIMIT, self.steps)

    def _latitude(self, index: i64) -> float:
        return _edge(index, LATITUDE_LIMIT, self.steps)

    def covers(self, across: float, down: float) -> bool:
        """Whether the nine cells reach as far as the shape; angles from its middle."""
        shape = self.shape
        return not (
            self._latitude(self._neighbour(self.north, 1) + 1) < shape.latitude + down
            or self._latitude(self._neighbour(self.north, -1)) > shape.latitude - down
            or self._longitude(self._neighbour(self.east, 1) + 1) < shape.longitude + across
            or self._longitude(self._neighbour(self.east, -1)) > shape.longitude - across
        )

    def ranges(self, across: float, down: float) -> list[tuple[float, float]]:
        """Ranges of numbers of the nine cells, without those that the shape does not touch."""
        shape = self.shape
        few = self.steps >= 2
        no_south = few and self._latitude(self.north) < shape.latitude - down
        no_north = few and self._latitude(self.north + 1) > shape.latitude + down
        no_west = few and self._longitude(self.east) < shape.longitude - across
        no_east = few and self._longitude(self.east + 1) > shape.longitude + across
        shift = 2 * (_STEPS - self.steps)
        seen: set[int] = set()  # a large circle meets itself on the other side of the world
        found: list[tuple[float, float]] = []
        for east, north in _AROUND:
            if (
                (no_south and north < 0)
                or (no_north and north > 0)
                or (no_west and east < 0)
                or (no_east and east > 0)
            ):
                continue
            code = _spread(self._neighbour(self.north, north)) | (
                _spread(self._neighbour(self.east, east)) << 1
            )
            if code not in seen:
                seen.add(code)
                found.append((float(code << shift), float((code + 1) << shift)))
        return found
