# mypyc: interpreted
"""CF.*: cuckoo filters."""

from typing import Final

from hypercache.plugin import OK, Context, ErrorReply, Reply, command
from hypercache_filters import cuckoo
from hypercache_filters.cuckoo import MAGIC, MAX_TABLES, Cuckoo
from hypercache_filters.options import Words, parse_number
from hypercache_filters.stored import CHUNK, NOT_FOUND, found, require_absent

DEFAULT_CAPACITY: Final = 1024
DEFAULT_BUCKET_SIZE: Final = 2
DEFAULT_ITERATIONS: Final = 20
DEFAULT_EXPANSION: Final = 1
MAX_CAPACITY: Final = 1 << 30
#: The options of CF.RESERVE with their bounds.
BOUNDS: Final = {b"maxiterations": (1, 65535), b"bucketsize": (1, 255), b"expansion": (0, 32768)}
_OUT_OF_ROOM: Final = "Maximum expansions reached"


def filter_of(context: Context, key: bytes) -> Cuckoo | None:
    """The filter under a key, or None; raises WRONGTYPE."""
    stored = found(context.db, key, MAGIC)
    return None if stored is None else Cuckoo(stored)


def existing(context: Context, key: bytes) -> Cuckoo:
    """The filter under a key; raises `ErrorReply`."""
    cuckoo_filter = filter_of(context, key)
    if cuckoo_filter is None:
        raise ErrorReply(NOT_FOUND)
    return cuckoo_filter


def seen(context: Context, key: bytes) -> Cuckoo | None:
    """The filter under a key, or None for anything else."""
    try:
        return filter_of(context, key)
    except ErrorReply:
        return None


def make(context: Context, key: bytes, capacity: int) -> Cuckoo:
    """The filter that an addition makes."""
    return cuckoo.create(
        context.db,
        key,
        capacity,
        DEFAULT_BUCKET_SIZE,
        DEFAULT_ITERATIONS,
        DEFAULT_EXPANSION,
    )


@command(
    "CF.RESERVE key capacity:integer [BUCKETSIZE bucketsize:integer] "
    "[MAXITERATIONS maxiterations:integer] [EXPANSION expansion:integer]",
    group="module",
    since="1.0.0",
    complexity="O(1)",
    flags="write denyoom",
    keys="RW insert",
    summary="Make a cuckoo filter.",
)
def reserve(context: Context, args: list[bytes]) -> Reply:
    if len(args) % 2 == 0:
        raise ErrorReply("ERR wrong number of arguments for 'cf.reserve' command")
    capacity = parse_number(args[2], "Bad capacity")
    values = {
        b"maxiterations": DEFAULT_ITERATIONS,
        b"bucketsize": DEFAULT_BUCKET_SIZE,
        b"expansion": DEFAULT_EXPANSION,
    }
    words = Words(args, 3)
    while words.left():
        word = words.next()
        if word not in BOUNDS:
            raise ErrorReply("ERR syntax error")
        name = word.decode().upper()
        value = parse_number(words.take(), f"Couldn't parse {name}")
        low, high = BOUNDS[word]
        if not low <= value <= high:
            raise ErrorReply(f"{name}: value must be in the range [{low}, {high}]")
        values[word] = value
    bucket_size = values[b"bucketsize"]
    if not 2 * bucket_size <= capacity <= MAX_CAPACITY:
        raise ErrorReply(f"Capacity must be in the range [2 * BUCKETSIZE, {MAX_CAPACITY}]")
    require_absent(context.db, args[1], MAGIC)
    cuckoo.create(
        context.db,
        args[1],
        capacity,
        bucket_size,
        values[b"maxiterations"],
        values[b"expansion"],
    )
    return OK


def require_tables(cuckoo_filter: Cuckoo) -> None:
    """Raises `ErrorReply` for a filter that has grown as often as it may, and is full."""
    if cuckoo_filter.is_exhausted():
        raise ErrorReply(_OUT_OF_ROOM)


def add_one(context: Context, args: list[bytes], unique: bool) -> bool:
    """CF.ADD and CF.ADDNX."""
    cuckoo_filter = filter_of(context, args[1]) or make(context, args[1], DEFAULT_CAPACITY)
    require_tables(cuckoo_filter)
    if unique and cuckoo_filter.count(args[2]) > 0:
        return False
    if not cuckoo_filter.add(args[2]):
        at_most = len(cuckoo_filter.tables) >= MAX_TABLES
        raise ErrorReply(_OUT_OF_ROOM if at_most else "Filter is full")
    return True


@command(
    "CF.ADD key item",
    group="module",
    since="1.0.0",
    complexity="O(k + i) where k is the number of tables and i of iterations",
    flags="write denyoom",
    keys="RW insert",
    summary="Add an item to a cuckoo filter, which is made if there is none.",
)
def add(context: Context, args: list[bytes]) -> Reply:
    return add_one(context, args, False)


@command(
    "CF.ADDNX key item",
    group="module",
    since="1.0.0",
    complexity="O(k + i) where k is the number of tables and i of iterations",
    flags="write denyoom",
    keys="RW insert",
    summary="Add an item to a cuckoo filter unless it is probably there.",
)
def addnx(context: Context, args: list[bytes]) -> Reply:
    return add_one(context, args, True)


def insert_items(context: Context, args: list[bytes], name: str, unique: bool) -> list[object]:
    """CF.INSERT and CF.INSERTNX."""
    words = Words(args, 2)
    capacity = DEFAULT_CAPACITY
    creates = True
    while True:
        word = words.next_or_arity(name)
        if word == b"items":
            break
        if word == b"nocreate":
            creates = False
        elif word == b"capacity":
            capacity = parse_number(words.take_or_arity(name), "Bad capacity")
            if not 2 * DEFAULT_BUCKET_SIZE <= capacity <= MAX_CAPACITY:
                raise ErrorReply(
                    f"Capacity must be in the range [cf-bucket-size * 2, {MAX_CAPACITY}]"
                )
        else:
            raise ErrorReply("Unknown argument received")
    items = words.rest_or_arity(name)
    cuckoo_filter = filter_of(context, args[1])
    if cuckoo_filter is None:
        if not creates:
            raise ErrorReply(NOT_FOUND)
        cuckoo_filter = make(context, args[1], capacity)
    require_tables(cuckoo_filter)
    cuckoo_filter.stored.hold()
    try:
        return [insert_one(context, cuckoo_filter, item, unique) for item in items]
    finally:
        cuckoo_filter.stored.release()


def insert_one(context: Context, cuckoo_filter: Cuckoo, item: bytes, unique: bool) -> object:
    """What CF.INSERT and CF.INSERTNX answer for one item."""
    if unique:
        is_new = cuckoo_filter.count(item) == 0
        added = is_new and cuckoo_filter.add(item)
        return 1 if added else 0 if not is_new else -1
    if cuckoo_filter.add(item):
        return True
    return False if context.version == 3 else -1


@command(
    "CF.INSERT key [CAPACITY capacity:integer] [NOCREATE] ITEMS item...",
    group="module",
    since="1.0.0",
    complexity="O(n * (k + i)) where n is the number of items, k of tables and i of iterations",
    flags="write denyoom",
    keys="RW insert",
    summary="Add items to a cuckoo filter, which is made if there is none.",
)
def insert(context: Context, args: list[bytes]) -> Reply:
    return insert_items(context, args, "cf.insert", False)


@command(
    "CF.INSERTNX key [CAPACITY capacity:integer] [NOCREATE] ITEMS item...",
    group="module",
    since="1.0.0",
    complexity="O(n * (k + i)) where n is the number of items, k of tables and i of iterations",
    flags="write denyoom",
    keys="RW insert",
    summary="Add items to a cuckoo filter unless they are probably there.",
)
def insertnx(context: Context, args: list[bytes]) -> Reply:
    return insert_items(context, args, "cf.insertnx", True)


@command(
    "CF.EXISTS key item",
    group="module",
    since="1.0.0",
    complexity="O(k) where k is the number of tables",
    flags="readonly fast",
    keys="RO access",
    summary="Tell whether an item is probably in a cuckoo filter.",
)
def exists(context: Context, args: list[bytes]) -> Reply:
    cuckoo_filter = seen(context, args[1])
    return cuckoo_filter is not None and cuckoo_filter.count(args[2]) > 0


@command(
    "CF.MEXISTS key item...",
    group="module",
    since="1.0.0",
    complexity="O(k * n) where k is the number of tables and n of items",
    flags="readonly fast",
    keys="RO access",
    summary="Tell which items are probably in a cuckoo filter.",
)
def mexists(context: Context, args: list[bytes]) -> Reply:
    cuckoo_filter = seen(context, args[1])
    return [cuckoo_filter is not None and cuckoo_filter.count(item) > 0 for item in args[2:]]


@command(
    "CF.COUNT key item",
    group="module",
    since="1.0.0",
    complexity="O(k) where k is the number of tables",
    flags="readonly fast",
    keys="RO access",
    summary="Tell how often an item was probably added to a cuckoo filter.",
)
def count(context: Context, args: list[bytes]) -> Reply:
    cuckoo_filter = seen(context, args[1])
    return 0 if cuckoo_filter is None else cuckoo_filter.count(args[2])


@command(
    "CF.DEL key item",
    group="module",
    since="1.0.0",
    complexity="O(k) where k is the number of tables",
    flags="write fast",
    keys="RW delete",
    summary="Take an item out of a cuckoo filter once; it must have been added.",
)
def delete(context: Context, args: list[bytes]) -> Reply:
    cuckoo_filter = seen(context, args[1])
    if cuckoo_filter is None:
        raise ErrorReply("Not found")
    return cuckoo_filter.remove(args[2])


@command(
    "CF.SCANDUMP key iterator:integer",
    group="module",
    since="1.0.0",
    complexity="O(n) where n is the size of the chunk",
    flags="readonly",
    keys="RO access",
    summary="Return a part of a cuckoo filter, to be loaded elsewhere.",
)
def scan_dump(context: Context, args: list[bytes]) -> Reply:
    """As BF.SCANDUMP; an empty filter has nothing to dump."""
    iterator = parse_number(args[2], "Invalid position")
    if iterator < 0:
        raise ErrorReply("Invalid position")
    cuckoo_filter = existing(context, args[1])
    if cuckoo_filter.items == 0:
        return [0, None]
    if iterator == 0:
        return [1, cuckoo_filter.head()]
    data = cuckoo_filter.chunk(iterator - 1, CHUNK)
    return [iterator + len(data), data] if data else [0, None]


@command(
    "CF.LOADCHUNK key iterator:integer data",
    group="module",
    since="1.0.0",
    complexity="O(n) where n is the size of the chunk",
    flags="write denyoom",
    keys="RW insert",
    summary="Restore a part of a cuckoo filter that SCANDUMP gave.",
)
def load_chunk(context: Context, args: list[bytes]) -> Reply:
    iterator = parse_number(args[2], "Invalid position")
    if iterator <= 0:
        raise ErrorReply("Invalid position")
    if iterator == 1:
        require_absent(context.db, args[1], MAGIC)
        if not cuckoo.create_from(context.db, args[1], args[3]):
            raise ErrorReply("Invalid header")
        return OK
    cuckoo_filter = existing(context, args[1])
    start = iterator - 1 - len(args[3])
    if start < 0 or not args[3] or not cuckoo_filter.load(start, args[3]):
        raise ErrorReply("Couldn't load chunk!")
    return OK


@command(
    "CF.INFO key",
    group="module",
    since="1.0.0",
    complexity="O(1)",
    flags="readonly fast",
    keys="RO access",
    summary="Tell what a cuckoo filter is like.",
)
def info(context: Context, args: list[bytes]) -> Reply:
    cuckoo_filter = existing(context, args[1])
    return {
        b"Size": int(cuckoo_filter.stored.length),
        b"Number of buckets": int(cuckoo_filter.buckets),
        b"Number of filters": len(cuckoo_filter.tables),
        b"Number of items inserted": int(cuckoo_filter.items),
        b"Number of items deleted": int(cuckoo_filter.deleted),
        b"Bucket size": int(cuckoo_filter.bucket_size),
        b"Expansion rate": int(cuckoo_filter.expansion),
        b"Max iterations": int(cuckoo_filter.iterations),
    }
