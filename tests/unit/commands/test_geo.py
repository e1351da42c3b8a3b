"""What transcripts of geo commands cannot show: events, effects, costs, many points."""

import random

import pytest
from hypercache_memory.zsets import MemoryZSet

from hypercache.backend import ZSET, ZSetValue
from hypercache.commands.geo_search import Search
from hypercache.keyspace.geohash import decode, distance, encode
from hypercache.testing.engine import EngineHarness
from hypercache.values import EncodingLimits
from tests.unit.commands.test_changes import observe
from tests.unit.commands.test_effects import Journalled

#: Commands, the events that redis-server 7.2.6 tells of them, and the changes that it counts.
TOLD = (
    (
        "GEOADD g 1 1 a 2 2 b|GEOADD g 1 1 a|GEOADD g CH 1 2 a 3 3 c|GEOADD none XX 1 1 a"
        "|GEOADD g NX 5 5 a",
        "zadd g|zadd g",
        4,
    ),
    (
        "GEOADD g 1 1 a 2 2 b|GEOSEARCHSTORE t g FROMMEMBER a BYRADIUS 900 km"
        "|GEOSEARCHSTORE t g FROMMEMBER a BYBOX 1 1 km STOREDIST"
        "|GEOSEARCHSTORE t g FROMLONLAT 80 80 BYRADIUS 1 km"
        "|GEOSEARCHSTORE t none FROMMEMBER a BYRADIUS 1 km",
        "zadd g|geosearchstore t|geosearchstore t|del t",
        6,
    ),
    (
        "GEOADD g 1 1 a 2 2 b|GEORADIUS g 1 1 900 km STORE t|GEORADIUSBYMEMBER g a 1 km STOREDIST t"
        "|GEORADIUS g 80 80 1 km STORE t|GEORADIUS none 1 1 900 km STORE g",
        "zadd g|georadiusstore t|georadiusstore t|del t|del g",
        7,
    ),
)


@pytest.mark.parametrize(("requests", "events", "changes"), TOLD)
def test_events_are_told_and_changes_counted_as_in_redis(
    harness: EngineHarness, requests: str, events: str, changes: int
) -> None:
    before = int(harness.engine.changes.dirty)
    assert observe(harness, *requests.split("|")) == events.split("|")
    assert harness.engine.changes.dirty - before == changes


def test_effects(harness: EngineHarness) -> None:
    journal = Journalled(harness)
    score = encode(1.0, 2.0)
    assert journal.effects("GEOADD", "g", "1", "2", "a") == [f"ZADD g {score} a"]
    assert journal.effects("geoadd", "g", "CH", "1", "2", "a") == []
    assert journal.effects("GEOADD", "g", "NX", "ch", "1", "2", "a", "1", "2", "b") == [
        f"ZADD g nx ch {score} a {score} b"
    ]
    assert journal.effects("GEOADD", "g", "181", "2", "a") == []
    assert journal.effects("GEOADD", "none", "XX", "1", "2", "a") == []
    request = ("GEOSEARCHSTORE", "t", "g", "FROMMEMBER", "a", "BYRADIUS", "1", "km")
    assert journal.effects(*request) == [" ".join(request)]


@pytest.mark.parametrize("seed", range(3))
def test_searches_find_every_point_inside(harness: EngineHarness, seed: int) -> None:
    chance = random.Random(seed)
    places: dict[bytes, tuple[float, float]] = {}
    words: list[str | bytes] = []
    for number in range(250):
        longitude, latitude = chance.uniform(-30, 30), chance.uniform(-60, 60)
        member = b"%d" % number
        places[member] = decode(float(encode(longitude, latitude)))
        words += [repr(longitude), repr(latitude), member]
    harness.command("GEOADD", "g", *words)
    for _ in range(25):
        longitude, latitude = chance.uniform(-30, 30), chance.uniform(-60, 60)
        radius = 10 ** chance.uniform(4, 6)
        near = {
            member
            for member, place in places.items()
            if distance(longitude, latitude, *place) <= radius
        }
        where = ("FROMLONLAT", repr(longitude), repr(latitude), "BYRADIUS", repr(radius), "m")
        found = harness.command("GEOSEARCH", "g", *where, "WITHDIST", "ASC")
        assert isinstance(found, list)
        assert {member for member, _ in found} == near
        lengths = [float(length) for _, length in found]
        assert lengths == sorted(lengths)
        nearest = harness.command("GEOSEARCH", "g", *where, "COUNT", 5)
        assert nearest == [member for member, _ in found[:5]]
        any_ = harness.command("GEOSEARCH", "g", *where, "COUNT", 5, "ANY")
        assert isinstance(any_, list)
        assert len(any_) == min(len(near), 5)
        assert set(any_) <= near


class Counting(ZSetValue):
    """Counts the members that a sorted set hands out."""

    def __init__(self, points: MemoryZSet) -> None:
        super().__init__(ZSET)
        self.points = points
        self.read = 0

    def rank_of_score(self, score: float, after: bool) -> int:
        return self.points.rank_of_score(score, after)

    def range(self, start: int, stop: int) -> list[tuple[bytes, float]]:
        self.read += stop - start
        return self.points.range(start, stop)


def test_a_search_reads_only_what_may_be_near() -> None:
    points = MemoryZSet(EncodingLimits())
    for number in range(4_000):
        longitude, latitude = number * 7 % 360 - 180, number * 13 % 160 - 80
        points.set(b"%d" % number, float(encode(float(longitude), float(latitude))))
    for number in range(1_500):
        points.set(b"here %d" % number, float(encode(10.0 + number * 1e-5, 45.0)))
    counting = Counting(points)
    search = Search(counting, 1)
    search.parse_options(b"FROMLONLAT 10 45 BYRADIUS 5 km".split(), 0)
    assert len(search.find()) >= 1_500
    assert counting.read < 1_550
    counting.read = 0
    search.parse_options(b"COUNT 3 ANY".split(), 0)
    assert len(search.find()) == 3
    assert counting.read <= 1024
