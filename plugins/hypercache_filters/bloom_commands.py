# mypyc: interpreted
"""BF.*: Bloom filters."""

from typing import Final

from hypercache.plugin import OK, Context, ErrorReply, Reply, command
from hypercache_filters import bloom
from hypercache_filters.bloom import MAGIC, Bloom
from hypercache_filters.options import Words, parse_number, parse_rate
from hypercache_filters.stored import CHUNK, NOT_FOUND, found, require_absent

CAPACITIES: Final = (1, 1 << 30)
GROWTHS: Final = (0, 32768)
#: What a filter is made with that a command makes by the way.
DEFAULT_ERROR: Final = 0.01
DEFAULT_CAPACITY: Final = 100
DEFAULT_GROWTH: Final = 2
# No filter is less strict.
_LOOSEST: Final = 0.25


def filter_of(context: Context, key: bytes) -> Bloom | None:
    """The filter under a key, or None; raises WRONGTYPE."""
    stored = found(context.db, key, MAGIC)
    return None if stored is None else Bloom(stored)


def seen(context: Context, key: bytes) -> Bloom | None:
    """The filter under a key, or None for anything else."""
    try:
        return filter_of(context, key)
    except ErrorReply:
        return None


def existing(context: Context, key: bytes) -> Bloom:
    """The filter under a key; raises `ErrorReply`."""
    bloom_filter = filter_of(context, key)
    if bloom_filter is None:
        raise ErrorReply(NOT_FOUND)
    return bloom_filter


@command(
    "BF.RESERVE key error-rate:double capacity:integer [EXPANSION expansion:integer] [NONSCALING]",
    group="module",
    since="1.0.0",
    complexity="O(1)",
    flags="write denyoom",
    keys="RW insert",
    summary="Make a Bloom filter.",
)
def reserve(context: Context, args: list[bytes]) -> Reply:
    error = parse_rate(args[2], "ERR bad error rate")
    if not 0.0 < error < 1.0:
        raise ErrorReply(f"ERR error rate must be in the range ({0:f}, {1:f})")
    capacity = parse_number(args[3], "ERR bad capacity")
    if not CAPACITIES[0] <= capacity <= CAPACITIES[1]:
        raise ErrorReply(f"ERR capacity must be in the range [{CAPACITIES[0]}, {CAPACITIES[1]}]")
    words = Words(args, 4)
    growth = DEFAULT_GROWTH
    nonscaling = False
    grows = False
    while words.left():
        word = words.next()
        if word == b"nonscaling":
            nonscaling = True
        elif word == b"expansion":
            if not words.left():
                raise ErrorReply("ERR no expansion")
            growth = parse_number(words.take(), "ERR bad expansion")
            grows = growth > 0
            if not GROWTHS[0] <= growth <= GROWTHS[1]:
                raise ErrorReply(f"ERR expansion must be in the range [{GROWTHS[0]}, {GROWTHS[1]}]")
        else:
            raise ErrorReply("ERR syntax error")
    if nonscaling and grows:
        raise ErrorReply("Nonscaling filters cannot expand")
    require_absent(context.db, args[1], MAGIC)
    bloom.create(context.db, args[1], min(error, _LOOSEST), capacity, 0 if nonscaling else growth)
    return OK


def insert(context: Context, bloom_filter: Bloom, items: list[bytes]) -> list[object]:
    """Whether each item was new; an error ends the list."""
    replies: list[object] = []
    bloom_filter.stored.hold()
    try:
        for item in items:
            replies.append(bloom_filter.add(item))
    except ErrorReply as error:
        replies.append(error)
    finally:
        bloom_filter.stored.release()
    return replies


def make_default(context: Context, key: bytes) -> Bloom:
    """The filter that an addition makes."""
    return bloom.create(context.db, key, DEFAULT_ERROR, DEFAULT_CAPACITY, DEFAULT_GROWTH)


@command(
    "BF.ADD key item",
    group="module",
    since="1.0.0",
    complexity="O(k) where k is the number of hashes of a layer, times the number of layers",
    flags="write denyoom",
    keys="RW insert",
    summary="Add an item to a Bloom filter, which is made if there is none.",
)
def add(context: Context, args: list[bytes]) -> Reply:
    bloom_filter = filter_of(context, args[1]) or make_default(context, args[1])
    return bloom_filter.add(args[2])


@command(
    "BF.MADD key item...",
    group="module",
    since="1.0.0",
    complexity="O(k * n) where k is the number of hashes and n the number of items",
    flags="write denyoom",
    keys="RW insert",
    summary="Add items to a Bloom filter, which is made if there is none.",
)
def madd(context: Context, args: list[bytes]) -> Reply:
    bloom_filter = filter_of(context, args[1]) or make_default(context, args[1])
    return insert(context, bloom_filter, args[2:])


@command(
    "BF.INSERT key [CAPACITY capacity:integer] [ERROR error:double] [EXPANSION expansion:integer] "
    "[NOCREATE] [NONSCALING] ITEMS item...",
    group="module",
    since="1.0.0",
    complexity="O(k * n) where k is the number of hashes and n the number of items",
    flags="write denyoom",
    keys="RW insert",
    summary="Add items to a Bloom filter, which is made as the options say if there is none.",
)
def insert_items(context: Context, args: list[bytes]) -> Reply:
    words = Words(args, 2)
    error, capacity, growth = DEFAULT_ERROR, DEFAULT_CAPACITY, DEFAULT_GROWTH
    creates, grows = True, True
    while True:
        word = words.next_or_arity("bf.insert")
        if word == b"items":
            break
        if word == b"nocreate":
            creates = False
        elif word == b"nonscaling":
            grows = False
        elif word == b"capacity":
            capacity = parse_number(words.take_or_arity("bf.insert"), "Bad capacity")
            if not CAPACITIES[0] <= capacity <= CAPACITIES[1]:
                raise ErrorReply("Bad capacity")
        elif word == b"error":
            error = parse_rate(words.take_or_arity("bf.insert"), "Bad error rate")
            if not 0.0 < error < 1.0:
                raise ErrorReply("Bad error rate")
        elif word == b"expansion":
            growth = parse_number(words.take_or_arity("bf.insert"), "Bad expansion")
            if not GROWTHS[0] <= growth <= GROWTHS[1]:
                raise ErrorReply("Bad expansion")
        else:
            raise ErrorReply("Unknown argument received")
    items = words.rest_or_arity("bf.insert")
    bloom_filter = filter_of(context, args[1])
    if bloom_filter is None:
        if not creates:
            raise ErrorReply(NOT_FOUND)
        bloom_filter = bloom.create(
            context.db, args[1], min(error, _LOOSEST), capacity, growth if grows else 0
        )
    return insert(context, bloom_filter, items)


@command(
    "BF.EXISTS key item",
    group="module",
    since="1.0.0",
    complexity="O(k) where k is the number of hashes of a layer, times the number of layers",
    flags="readonly fast",
    keys="RO access",
    summary="Tell whether an item was probably added to a Bloom filter.",
)
def exists(context: Context, args: list[bytes]) -> Reply:
    bloom_filter = seen(context, args[1])
    return bloom_filter is not None and bloom_filter.has(args[2])


@command(
    "BF.MEXISTS key item...",
    group="module",
    since="1.0.0",
    complexity="O(k * n) where k is the number of hashes and n the number of items",
    flags="readonly fast",
    keys="RO access",
    summary="Tell which items were probably added to a Bloom filter.",
)
def mexists(context: Context, args: list[bytes]) -> Reply:
    bloom_filter = seen(context, args[1])
    return [bloom_filter is not None and bloom_filter.has(item) for item in args[2:]]


@command(
    "BF.CARD key",
    group="module",
    since="2.4.4",
    complexity="O(1)",
    flags="readonly fast",
    keys="RO access",
    summary="Count the items that were added to a Bloom filter and seemed new.",
)
def card(context: Context, args: list[bytes]) -> Reply:
    bloom_filter = filter_of(context, args[1])
    return 0 if bloom_filter is None else int(bloom_filter.items)


@command(
    "BF.SCANDUMP key iterator:integer",
    group="module",
    since="1.0.0",
    complexity="O(n) where n is the size of the chunk",
    flags="readonly",
    keys="RO access",
    summary="Return a part of a Bloom filter, to be loaded elsewhere.",
)
def scan_dump(context: Context, args: list[bytes]) -> Reply:
    """Iterator 0 gives the heads and 1; n gives bits from n - 1 on and where to go on; 0 ends."""
    bloom_filter = existing(context, args[1])
    iterator = parse_number(args[2], "Second argument must be numeric")
    if iterator == 0:
        return [1, bloom_filter.heads()]
    data = b"" if iterator < 0 else bloom_filter.chunk(iterator - 1, CHUNK)
    return [iterator + len(data) if data else 0, data]


@command(
    "BF.LOADCHUNK key iterator:integer data",
    group="module",
    since="1.0.0",
    complexity="O(n) where n is the size of the chunk",
    flags="write denyoom",
    keys="RW insert",
    summary="Restore a part of a Bloom filter that SCANDUMP gave.",
)
def load_chunk(context: Context, args: list[bytes]) -> Reply:
    iterator = parse_number(args[2], "ERR Second argument must be numeric")
    bloom_filter = filter_of(context, args[1])
    if iterator == 1 and bloom_filter is None:
        if not bloom.create_from(context.db, args[1], args[3]):
            raise ErrorReply("ERR received bad data")
        return OK
    if bloom_filter is None:
        raise ErrorReply(NOT_FOUND)
    start = iterator - 1 - len(args[3])
    if start < 0 or not args[3] or not bloom_filter.load(start, args[3]):
        raise ErrorReply("ERR received bad data")
    return OK


@command(
    "BF.INFO key [CAPACITY | SIZE | FILTERS | ITEMS | EXPANSION]",
    group="module",
    since="1.0.0",
    complexity="O(1)",
    flags="readonly fast",
    keys="RO access",
    summary="Tell what a Bloom filter is like.",
)
def info(context: Context, args: list[bytes]) -> Reply:
    if len(args) > 3:
        raise ErrorReply("ERR wrong number of arguments for 'bf.info' command")
    bloom_filter = existing(context, args[1])
    fields: dict[bytes, tuple[bytes, object]] = {
        b"capacity": (b"Capacity", bloom_filter.capacity()),
        b"size": (b"Size", int(bloom_filter.stored.length)),
        b"filters": (b"Number of filters", len(bloom_filter.layers)),
        b"items": (b"Number of items inserted", int(bloom_filter.items)),
        b"expansion": (b"Expansion rate", int(bloom_filter.growth) or None),
    }
    if len(args) == 2:
        return dict(fields.values())
    field = fields.get(args[2].lower())
    if field is None:
        raise ErrorReply("Invalid information value")
    name, value = field
    return {name: value} if context.version == 3 else [value]


@command(
    "BF.DEBUG key",
    group="module",
    since="1.0.0",
    complexity="O(n) where n is the number of layers",
    flags="readonly",
    keys="RO access",
    summary="Tell what the layers of a Bloom filter are like.",
)
def debug(context: Context, args: list[bytes]) -> Reply:
    bloom_filter = existing(context, args[1])
    lines = [b"size:%d" % bloom_filter.items]
    for layer in bloom_filter.layers:
        ratio = int(layer.items) / int(layer.capacity)
        text = (
            f"bytes:{layer.bits // 8} bits:{layer.bits} hashes:{layer.hashes} hashwidth:64 "
            f"capacity:{layer.capacity} items:{layer.items} error_ratio:{ratio:g}"
        )
        lines.append(text.encode())
    return lines
