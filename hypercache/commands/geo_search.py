"""Searching points around a place: GEOSEARCH, GEOSEARCHSTORE and the older GEORADIUS family."""

from typing import Final, cast

from mypy_extensions import i64

from hypercache.backend import ZSET, ZSetValue
from hypercache.commands.arguments import SYNTAX_ERROR, parse_integer
from hypercache.commands.doubles import parse_double
from hypercache.commands.geo import format_distance, parse_point, parse_unit, point_reply
from hypercache.commands.zsets import view_zset
from hypercache.engine.command import command
from hypercache.engine.context import Context
from hypercache.engine.keys import ACCESS, OW, RO, UPDATE
from hypercache.keyspace.changes import GEORADIUSSTORE, GEOSEARCHSTORE, Event
from hypercache.keyspace.geohash import Shape, decode
from hypercache.reply import ErrorReply, Reply

# What a command takes.
_ANY_PLACE: Final = 1  # FROMMEMBER, FROMLONLAT, BYRADIUS, BYBOX
_STORE_OPTION: Final = 2  # STORE and STOREDIST with a key
_DESTINATION: Final = 4  # a key to store under in front, and STOREDIST without one

_UNSORTED: Final = 0
_ASCENDING: Final = 1
_DESCENDING: Final = 2

_NO_MEMBER: Final = "ERR could not decode requested zset member"
_BAD_RADIUS: Final = "ERR need numeric radius"
_COMPLEXITY: Final = (
    "O(N+log(M)) where N is the number of points in the cells around the area, of M in all"
)

# Points that are read from the sorted set in one go.
_STRIDE: Final[i64] = 1024


class Point:
    """A point that was found, ``distance`` metres from the middle."""

    def __init__(
        self, member: bytes, score: float, distance: float, longitude: float, latitude: float
    ) -> None:
        self.member = member
        self.score = score
        self.distance = distance
        self.longitude = longitude
        self.latitude = latitude


class Search:
    """What a call looks for, and what is to become of it; ``count`` 0 is no limit."""

    def __init__(self, points: ZSetValue | None, takes: int) -> None:
        self.points = points
        self.takes = takes
        self.longitude = 0.0
        self.latitude = 0.0
        # In metres; a circle has twice its radius.
        self.width = 0.0
        self.height = 0.0
        self.unit = 1.0
        self.from_member = False
        self.from_place = False
        self.by_radius = False
        self.by_box = False
        self.order = _UNSORTED
        self.count: i64 = 0
        self.any = False
        self.with_distance = False
        self.with_hash = False
        self.with_place = False
        self.store_key: bytes | None = None
        self.store_distance = False

    # Options ---------------------------------------------------------------------------

    def start_at_member(self, member: bytes) -> None:
        """Search around a member; where there is no sorted set there is nothing to find."""
        if self.points is None:
            return
        score = self.points.score(member)
        if score is None:
            raise ErrorReply(_NO_MEMBER)
        self.longitude, self.latitude = decode(score)

    def set_radius(self, args: list[bytes], at: i64) -> None:
        """Search in a circle: its radius and the unit."""
        radius = parse_double(args[at], _BAD_RADIUS)
        if radius < 0.0:
            raise ErrorReply("ERR radius cannot be negative")
        self.unit = parse_unit(args[at + 1])
        self.width = self.height = radius * self.unit * 2.0

    def set_box(self, args: list[bytes], at: i64) -> None:
        """Search in a box: width, height and the unit of both."""
        width = parse_double(args[at], "ERR need numeric width")
        height = parse_double(args[at + 1], "ERR need numeric height")
        if width < 0.0 or height < 0.0:
            raise ErrorReply("ERR height or width cannot be negative")
        self.unit = parse_unit(args[at + 2])
        self.width = width * self.unit
        self.height = height * self.unit

    def parse_options(self, args: list[bytes], at: i64) -> None:
        """All options from a position on."""
        while at < len(args):
            option = args[at].lower()
            left: i64 = len(args) - at - 1
            if self._take_flag(option):
                taken: i64 = 0
            elif option == b"count" and left >= 1:
                self.count = parse_integer(args[at + 1])
                if self.count <= 0:
                    raise ErrorReply("ERR COUNT must be > 0")
                taken = 1
            elif self.takes & _STORE_OPTION and option in (b"store", b"storedist") and left >= 1:
                self.store_key = args[at + 1]
                self.store_distance = option == b"storedist"
                taken = 1
            elif self.takes & _ANY_PLACE:
                taken = self._take_place(option, args, at, left)
            else:
                raise ErrorReply(SYNTAX_ERROR)
            at += taken + 1

    def _take_flag(self, option: bytes) -> bool:
        """An option that stands alone; False if it is none."""
        if option == b"withdist":
            self.with_distance = True
        elif option == b"withhash":
            self.with_hash = True
        elif option == b"withcoord":
            self.with_place = True
        elif option == b"any":
            self.any = True
        elif option == b"asc":
            self.order = _ASCENDING
        elif option == b"desc":
            self.order = _DESCENDING
        elif option == b"storedist" and self.takes & _DESTINATION:
            self.store_distance = True
        else:
            return False
        return True

    def _take_place(self, option: bytes, args: list[bytes], at: i64, left: i64) -> i64:
        """Where GEOSEARCH searches: how many arguments that took."""
        if option == b"frommember" and left >= 1 and not self.from_place:
            self.start_at_member(args[at + 1])
            self.from_member = True
            return 1
        if option == b"fromlonlat" and left >= 2 and not self.from_member:
            self.longitude, self.latitude = parse_point(args, at + 1)
            self.from_place = True
            return 2
        if option == b"byradius" and left >= 2 and not self.by_box:
            self.set_radius(args, at + 1)
            self.by_radius = True
            return 2
        if option == b"bybox" and left >= 3 and not self.by_radius:
            self.set_box(args, at + 1)
            self.by_box = True
            return 3
        raise ErrorReply(SYNTAX_ERROR)

    def check(self, name: bytes) -> None:
        """Refuse what does not go together; ``name`` is the command's, as it was sent."""
        shown = self.with_distance or self.with_hash or self.with_place
        if self.store_key is not None and shown:
            what = "GEOSEARCHSTORE" if self.takes & _DESTINATION else "STORE option in GEORADIUS"
            raise ErrorReply(
                f"ERR {what} is not compatible with WITHDIST, WITHHASH and WITHCOORD options"
            )
        if self.takes & _ANY_PLACE:
            sent = name.decode("utf-8", "surrogateescape")
            if not (self.from_member or self.from_place):
                raise ErrorReply(
                    f"ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for {sent}"
                )
            if not (self.by_radius or self.by_box):
                raise ErrorReply(
                    f"ERR exactly one of BYRADIUS and BYBOX can be specified for {sent}"
                )
        if self.any and self.count == 0:
            raise ErrorReply("ERR the ANY argument requires COUNT argument")

    # Finding ---------------------------------------------------------------------------

    def find(self) -> list[Point]:
        """The points inside, in the order that was asked for."""
        points = self.points
        found: list[Point] = []
        if points is None:
            return found
        shape = Shape(self.longitude, self.latitude, self.width, self.height, self.by_box)
        limit = self.count if self.any else 0
        for low, high in shape.cells():
            start: i64 = points.rank_of_score(low, False)
            stop: i64 = points.rank_of_score(high, False)
            while start < stop and not (limit and len(found) >= limit):
                until = min(start + _STRIDE, stop)
                _collect(points.range(start, until), shape, limit, found)
                start = until
        # COUNT means the nearest, unless any will do.
        if self.order == _ASCENDING or (self.count and self.order == _UNSORTED and not self.any):
            found.sort(key=_distance)
        elif self.order == _DESCENDING:
            found.sort(key=_distance, reverse=True)
        return found[: self.count] if self.count else found

    def answer(self, found: list[Point]) -> list[object]:
        """The points with what was asked for of each."""
        plain = not (self.with_distance or self.with_hash or self.with_place)
        replies: list[object] = []
        for point in found:
            if plain:
                replies.append(point.member)
                continue
            reply: list[object] = [point.member]
            if self.with_distance:
                reply.append(format_distance(point.distance / self.unit))
            if self.with_hash:
                reply.append(int(point.score))
            if self.with_place:
                reply.append(point_reply(point.longitude, point.latitude))
            replies.append(reply)
        return replies


def _distance(point: Point) -> float:
    return point.distance


def _collect(
    items: list[tuple[bytes, float]], shape: Shape, limit: i64, found: list[Point]
) -> None:
    """Add the points inside a shape to those found, as far as the limit (0: none)."""
    for member, score in items:
        longitude, latitude = decode(score)
        metres = shape.reach(longitude, latitude)
        if metres >= 0.0:
            found.append(Point(member, score, metres, longitude, latitude))
            if len(found) == limit:
                break


def _finish(context: Context, search: Search, event: Event) -> Reply:
    """Search, then answer or store what was found."""
    found = search.find()
    key = search.store_key
    if key is None:
        return search.answer(found)
    if not found:
        context.db.delete(key)
        return 0
    stored = cast(ZSetValue, context.db.replace(key, ZSET, event))
    for point in found:
        score = point.distance / search.unit if search.store_distance else point.score
        stored.set(point.member, score)
    return len(found)


@command(
    "GEOSEARCH key from=(FROMMEMBER member | FROMLONLAT fromlonlat=(longitude:double"
    " latitude:double)) by=(circle=(BYRADIUS radius:double unit=(m:M | km:KM | ft:FT | mi:MI))"
    " | box=(BYBOX width:double height:double unit=(m:M | km:KM | ft:FT | mi:MI)))"
    " [order=(ASC | DESC)] [count-block=(COUNT count:integer [ANY])] [WITHCOORD] [WITHDIST]"
    " [WITHHASH]",
    group="geo",
    since="6.2.0",
    complexity=_COMPLEXITY,
    flags="readonly",
    keys="RO access",
    history=(("7.0.0", "Units in upper case."),),
    summary="Return the points inside a circle or a box.",
)
def geosearch(context: Context, args: list[bytes]) -> Reply:
    search = Search(view_zset(context, args[1]), _ANY_PLACE)
    search.parse_options(args, 2)
    search.check(args[0])
    return _finish(context, search, GEOSEARCHSTORE)


@command(
    "GEOSEARCHSTORE destination:key source:key from=(FROMMEMBER member | FROMLONLAT"
    " fromlonlat=(longitude:double latitude:double)) by=(circle=(BYRADIUS radius:double"
    " unit=(m:M | km:KM | ft:FT | mi:MI)) | box=(BYBOX width:double height:double"
    " unit=(m:M | km:KM | ft:FT | mi:MI))) [order=(ASC | DESC)]"
    " [count-block=(COUNT count:integer [ANY])] [STOREDIST]",
    group="geo",
    since="6.2.0",
    complexity=_COMPLEXITY,
    flags="write denyoom",
    keys="OW update; RO access",
    history=(("7.0.0", "Units in upper case."),),
    summary="Store the points inside a circle or a box, and count them.",
)
def geosearchstore(context: Context, args: list[bytes]) -> Reply:
    search = Search(view_zset(context, args[2]), _ANY_PLACE | _DESTINATION)
    search.store_key = args[1]
    search.parse_options(args, 3)
    search.check(args[0])
    return _finish(context, search, GEOSEARCHSTORE)


def _around_place(context: Context, args: list[bytes], takes: int) -> Reply:
    search = Search(view_zset(context, args[1]), takes)
    search.longitude, search.latitude = parse_point(args, 2)
    search.set_radius(args, 4)
    search.parse_options(args, 6)
    search.check(args[0])
    return _finish(context, search, GEORADIUSSTORE)


def _around_member(context: Context, args: list[bytes], takes: int) -> Reply:
    search = Search(view_zset(context, args[1]), takes)
    if search.points is not None:
        search.start_at_member(args[2])
        search.set_radius(args, 3)
    search.parse_options(args, 5)
    search.check(args[0])
    return _finish(context, search, GEORADIUSSTORE)


def radius_keys(args: list[bytes]) -> list[tuple[int, int]] | None:
    """The keys of a call: STORE may come twice, and the last one counts."""
    found = [(1, RO | ACCESS)]
    at = 4
    while at < len(args) - 1:
        if args[at].lower() in (b"store", b"storedist"):
            at += 1
            found.append((at, OW | UPDATE))
        at += 1
    return found


@command(
    "GEORADIUS key longitude:double latitude:double radius:double"
    " unit=(m:M | km:KM | ft:FT | mi:MI) [WITHCOORD] [WITHDIST] [WITHHASH]"
    " [count-block=(COUNT count:integer [ANY])] [order=(ASC | DESC)]"
    " [store=(STORE storekey/key | STOREDIST storedistkey/key)]",
    group="geo",
    since="3.2.0",
    complexity=_COMPLEXITY,
    flags="write denyoom",
    keys="RO access; OW update; OW update",
    key_finder=radius_keys,
    history=(("6.2.0", "The option ANY of COUNT."), ("7.0.0", "Units in upper case.")),
    deprecated_since="6.2.0",
    replaced_by="`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` argument",
    summary="Return or store the points within a distance of a place.",
)
def georadius(context: Context, args: list[bytes]) -> Reply:
    return _around_place(context, args, _STORE_OPTION)


@command(
    "GEORADIUS_RO key longitude:double latitude:double radius:double"
    " unit=(m:M | km:KM | ft:FT | mi:MI) [WITHCOORD] [WITHDIST] [WITHHASH]"
    " [count-block=(COUNT count:integer [ANY])] [order=(ASC | DESC)]",
    group="geo",
    since="3.2.10",
    complexity=_COMPLEXITY,
    flags="readonly",
    keys="RO access",
    history=(("6.2.0", "The option ANY of COUNT."),),
    deprecated_since="6.2.0",
    replaced_by="`GEOSEARCH` with the `BYRADIUS` argument",
    summary="Return the points within a distance of a place.",
)
def georadius_ro(context: Context, args: list[bytes]) -> Reply:
    return _around_place(context, args, 0)


@command(
    "GEORADIUSBYMEMBER key member radius:double unit=(m:M | km:KM | ft:FT | mi:MI) [WITHCOORD]"
    " [WITHDIST] [WITHHASH] [count-block=(COUNT count:integer [ANY])] [order=(ASC | DESC)]"
    " [store=(STORE storekey/key | STOREDIST storedistkey/key)]",
    group="geo",
    since="3.2.0",
    complexity=_COMPLEXITY,
    flags="write denyoom",
    keys="RO access; OW update; OW update",
    key_finder=radius_keys,
    history=(("7.0.0", "Units in upper case."),),
    deprecated_since="6.2.0",
    replaced_by="`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` and `FROMMEMBER` arguments",
    summary="Return or store the points within a distance of a member.",
)
def georadiusbymember(context: Context, args: list[bytes]) -> Reply:
    return _around_member(context, args, _STORE_OPTION)


@command(
    "GEORADIUSBYMEMBER_RO key member radius:double unit=(m:M | km:KM | ft:FT | mi:MI) [WITHCOORD]"
    " [WITHDIST] [WITHHASH] [count-block=(COUNT count:integer [ANY])] [order=(ASC | DESC)]",
    group="geo",
    since="3.2.10",
    complexity=_COMPLEXITY,
    flags="readonly",
    keys="RO access",
    deprecated_since="6.2.0",
    replaced_by="`GEOSEARCH` with the `BYRADIUS` and `FROMMEMBER` arguments",
    summary="Return the points within a distance of a member.",
)
def georadiusbymember_ro(context: Context, args: list[bytes]) -> Reply:
    return _around_member(context, args, 0)
