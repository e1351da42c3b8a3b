"""Points on the earth as members of a sorted set: GEOADD, GEOPOS, GEODIST, GEOHASH."""

from typing import Final

from mypy_extensions import i64

from hypercache.commands.arguments import SYNTAX_ERROR, format_integer
from hypercache.commands.doubles import parse_double
from hypercache.commands.zsets import edit_zset, view_zset, zadd
from hypercache.engine.command import command
from hypercache.engine.context import Context
from hypercache.keyspace.changes import ZADD
from hypercache.keyspace.geohash import (
    LATITUDE_LIMIT,
    LONGITUDE_LIMIT,
    decode,
    distance,
    encode,
    geohash_text,
)
from hypercache.reply import NULL_ARRAY, Digits, ErrorReply, Reply

_BAD_UNIT: Final = "ERR unsupported unit provided. please use M, KM, FT, MI"


def parse_unit(word: bytes) -> float:
    """How many metres a unit of length has."""
    unit = word.lower()
    if unit == b"m":
        return 1.0
    if unit == b"km":
        return 1000.0
    if unit == b"ft":
        return 0.3048
    if unit == b"mi":
        return 1609.34
    raise ErrorReply(_BAD_UNIT)


def parse_point(args: list[bytes], at: i64) -> tuple[float, float]:
    """The longitude at a position of the arguments, and the latitude behind it."""
    longitude = parse_double(args[at])
    latitude = parse_double(args[at + 1])
    if abs(longitude) > LONGITUDE_LIMIT or abs(latitude) > LATITUDE_LIMIT:
        raise ErrorReply(f"ERR invalid longitude,latitude pair {longitude:.6f},{latitude:.6f}")
    return longitude, latitude


def format_distance(length: float) -> bytes:
    """A distance, not negative, with four digits behind the point."""
    parts = round(length * 10000.0)
    return b"%d.%04d" % (parts // 10000, parts % 10000)


def point_reply(longitude: float, latitude: float) -> list[object]:
    """A point as GEOPOS shows it."""
    return [_coordinate(longitude), _coordinate(latitude)]


def _coordinate(angle: float) -> Digits:
    digits = f"{angle:.17f}".rstrip("0").rstrip(".")
    return Digits(b"0" if digits == "-0" else digits.encode())


@command(
    "GEOADD key [condition=(NX | XX)] [change:CH]"
    " data=(longitude:double latitude:double member)...",
    group="geo",
    since="3.2.0",
    complexity="O(log(N)) for each point, where N is the number of members of the sorted set",
    flags="write denyoom",
    keys="RW update",
    history=(("6.2.0", "The options CH, NX and XX."),),
    summary="Add points to a sorted set, or move those that are there.",
)
def geoadd(context: Context, args: list[bytes]) -> Reply:
    start = 2
    words = args[:2]
    while start < len(args) and args[start].lower() in (b"nx", b"xx", b"ch"):
        words.append(args[start].lower())
        start += 1
    if (len(args) - start) % 3 != 0 or (b"nx" in words[2:] and b"xx" in words[2:]):
        raise ErrorReply(SYNTAX_ERROR)
    words[0] = b"ZADD"
    for at in range(start, len(args), 3):
        longitude, latitude = parse_point(args, at)
        words.append(format_integer(encode(longitude, latitude)))
        words.append(args[at + 2])
    present = edit_zset(context, args[1], ZADD)
    before: i64 = 0 if present is None else present.changes
    reply = zadd(context, words)
    value = edit_zset(context, args[1], ZADD)
    if value is not None and value.changes != before:
        context.db.changes.rewrite(context.db.index, words)
    return reply


@command(
    "GEOPOS key [member...]",
    group="geo",
    since="3.2.0",
    complexity="O(1) for each member",
    flags="readonly",
    keys="RO access",
    summary="Return longitude and latitude of members.",
)
def geopos(context: Context, args: list[bytes]) -> Reply:
    found: list[object] = []
    for place in _places(context, args):
        found.append(NULL_ARRAY if place is None else point_reply(place[0], place[1]))
    return found


@command(
    "GEOHASH key [member...]",
    group="geo",
    since="3.2.0",
    complexity="O(1) for each member",
    flags="readonly",
    keys="RO access",
    summary="Return the geohash strings of members.",
)
def geohash(context: Context, args: list[bytes]) -> Reply:
    found: list[object] = []
    for place in _places(context, args):
        found.append(None if place is None else geohash_text(place[0], place[1]))
    return found


def _places(context: Context, args: list[bytes]) -> list[tuple[float, float] | None]:
    """Longitude and latitude of each member that is asked for, None where there is none."""
    points = view_zset(context, args[1])
    found: list[tuple[float, float] | None] = []
    for member in args[2:]:
        score = None if points is None else points.score(member)
        found.append(None if score is None else decode(score))
    return found


@command(
    "GEODIST key member1 member2 [unit=(m:M | km:KM | ft:FT | mi:MI)]",
    group="geo",
    since="3.2.0",
    complexity="O(1)",
    flags="readonly",
    keys="RO access",
    summary="Return the distance between two members.",
)
def geodist(context: Context, args: list[bytes]) -> Reply:
    unit = 1.0
    if len(args) > 5:
        raise ErrorReply(SYNTAX_ERROR)
    if len(args) > 4:
        unit = parse_unit(args[4])
    points = view_zset(context, args[1])
    if points is None:
        return None
    first = points.score(args[2])
    second = points.score(args[3])
    if first is None or second is None:
        return None
    longitude, latitude = decode(first)
    other, other_latitude = decode(second)
    return format_distance(distance(longitude, latitude, other, other_latitude) / unit)
