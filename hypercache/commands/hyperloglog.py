"""HyperLogLogs: PFADD, PFCOUNT and PFMERGE, and what Redis has for testing them.

They are strings. A sparse one is short, and stored anew when it changes; a dense one is
edited in place, at the two bytes where a register lies.
"""

import math
from typing import Final

from librt.vecs import vec
from mypy_extensions import i64, u8

from hypercache.backend import NO_EXPIRE, Entry, StringValue
from hypercache.engine.command import command
from hypercache.engine.context import Context
from hypercache.keyspace import hyperloglog, sparse_registers
from hypercache.keyspace.changes import PFADD, REFRESHED
from hypercache.keyspace.hyperloglog import DENSE, HEADER, REGISTERS, Corrupt
from hypercache.keyspace.keyspace import Keyspace
from hypercache.reply import OK, ErrorReply, Reply, quotable

_NOT_VALID: Final = "WRONGTYPE Key is not a valid HyperLogLog string value."
_CORRUPT: Final = "INVALIDOBJ Corrupted HLL object detected"

# PFSELFTEST: rounds of random registers, and the most elements added.
_ROUNDS: Final = 10
_ELEMENTS: Final = 100000


def header_of(db: Keyspace, entry: Entry) -> bytes:
    """The header of the HyperLogLog in an entry; raises `ErrorReply` for what is none."""
    header = db.part(entry, 0, HEADER)
    if not hyperloglog.is_valid(header, db.text_length(entry)):
        raise ErrorReply(_NOT_VALID)
    return header


def sparse_limit(context: Context) -> i64:
    """The length up to which a HyperLogLog stays sparse (hll-sparse-max-bytes)."""
    return context.engine.configuration.settings.hll_sparse_max_bytes


@command(
    "PFADD key [element...]",
    group="hyperloglog",
    since="2.8.9",
    complexity="O(1) for each element",
    flags="write denyoom fast",
    keys="RW insert",
    summary="Add elements to a HyperLogLog, and tell whether its estimate may have changed.",
)
def pfadd(context: Context, args: list[bytes]) -> Reply:
    db = context.db
    entry = db.find(args[1])
    if entry is None:
        return add_sparse(context, args, sparse_registers.empty(), NO_EXPIRE, True)
    header = header_of(db, entry)
    if header[4] == DENSE:
        return add_dense(db, args, entry, header)
    return add_sparse(context, args, db.text(entry), entry.expire, False)


def add_sparse(
    context: Context, args: list[bytes], text: bytes, deadline: i64, is_new: bool
) -> int:
    """PFADD to a sparse string, which may become dense on the way."""
    limit = sparse_limit(context)
    before = text
    for at in range(2, len(args)):
        index, rank = hyperloglog.register_of(args[at])
        text = add(text, index, rank, limit)
    if text is before and not is_new:
        return 0
    context.db.set(args[1], hyperloglog.with_stale_count(text), deadline, PFADD)
    return 1


def add(text: bytes, index: i64, rank: i64, limit: i64) -> bytes:
    """A string of either encoding with a register raised; the same one if it is as high."""
    if text[4] == DENSE:
        return hyperloglog.with_register(text, index, rank)
    try:
        return sparse_registers.add(text, index, rank, limit)
    except Corrupt:
        raise ErrorReply(_CORRUPT) from None


def add_dense(db: Keyspace, args: list[bytes], entry: Entry, header: bytes) -> int:
    """PFADD to a dense string, which is edited only if a register changes."""
    value: StringValue | None = None
    for number in range(2, len(args)):
        index, rank = hyperloglog.register_of(args[number])
        at = hyperloglog.place_of(index)
        pair = db.part(entry, at, at + 2) if value is None else value.read(at, at + 2)
        pair = hyperloglog.raised(pair, index, rank)
        if pair:
            if value is None:
                value = db.edit_string(args[1], PFADD)
            value.write(at, pair)
    if value is None:
        return 0
    if hyperloglog.cached_count(header) >= 0:
        value.write(HEADER - 1, hyperloglog.stale_byte(header))
    return 1


@command(
    "PFCOUNT key...",
    group="hyperloglog",
    since="2.8.9",
    complexity="O(1) for one key, from a cache where possible; O(N) for N keys",
    flags="readonly may_replicate",
    keys="RW access",
    summary="Estimate the number of distinct elements in one HyperLogLog or in several together.",
)
def pfcount(context: Context, args: list[bytes]) -> Reply:
    db = context.db
    if len(args) > 2:
        registers = hyperloglog.no_registers()
        merge_keys(db, args[1:], registers)
        return hyperloglog.estimate(hyperloglog.histogram(registers))
    entry = db.view_any(args[1])
    if entry is None:
        return 0
    header = header_of(db, entry)
    count: i64 = hyperloglog.cached_count(header)
    if count >= 0:
        return count
    text = db.text(entry)
    try:
        if header[4] == DENSE:
            count = hyperloglog.estimate(hyperloglog.dense_histogram(text))
        else:
            count = hyperloglog.estimate(sparse_registers.histogram(text))
    except Corrupt:
        raise ErrorReply(_CORRUPT) from None
    # The cache is part of the value: clients that watch the key, the journal and replicas see it.
    if header[4] == DENSE:
        encoded = hyperloglog.encoded_count(count)
        db.edit_string(args[1], REFRESHED).write(HEADER - len(encoded), encoded)
    else:
        db.set(args[1], hyperloglog.with_count(text, count), entry.expire, REFRESHED)
    return count


def merge_keys(db: Keyspace, keys: list[bytes], registers: vec[u8]) -> bool:
    """Raise registers to those of all keys that are there; whether one of them is dense."""
    dense = False
    for key in keys:
        entry = db.view_any(key)
        if entry is None:
            continue
        header = header_of(db, entry)
        text = db.text(entry)
        if header[4] == DENSE:
            dense = True
            hyperloglog.merge_dense(text, registers)
        else:
            merge_sparse(text, registers)
    return dense


def merge_sparse(text: bytes, registers: vec[u8]) -> None:
    """Raise registers to those of a sparse string."""
    try:
        sparse_registers.merge(text, registers)
    except Corrupt:
        raise ErrorReply(_CORRUPT) from None


@command(
    "PFMERGE destkey [sourcekey...]",
    group="hyperloglog",
    since="2.8.9",
    complexity="O(N) where N is the number of keys",
    flags="write denyoom",
    keys="RW access insert; RO access",
    summary="Merge HyperLogLogs into the first of them.",
)
def pfmerge(context: Context, args: list[bytes]) -> Reply:
    db = context.db
    registers = hyperloglog.no_registers()
    dense = merge_keys(db, args[1:], registers)
    entry = db.find(args[1])
    text = sparse_registers.empty() if entry is None else db.text(entry)
    if not dense:
        text = merged(text, registers, sparse_limit(context))
    if dense or text[4] == DENSE:
        text = hyperloglog.dense_text(text, registers)
    deadline = NO_EXPIRE if entry is None else entry.expire
    db.set(args[1], hyperloglog.with_stale_count(text), deadline, PFADD)
    return OK


def merged(text: bytes, registers: vec[u8], limit: i64) -> bytes:
    """A sparse string with its registers raised, as far as it goes before it turns dense.

    One by one as Redis does it, so that the runs are the same.
    """
    index: i64 = 0
    while index < REGISTERS and text[4] != DENSE:
        rank = i64(registers[index])
        if rank > 0:
            text = add(text, index, rank, limit)
        index += 1
    return text


@command(
    "PFDEBUG subcommand key",
    group="hyperloglog",
    since="2.8.9",
    complexity="O(1)",
    flags="write denyoom admin syscmd",
    keys="RW access",
    summary="Look inside a HyperLogLog: ENCODING, DECODE, GETREG; or make it dense: TODENSE.",
)
def pfdebug(context: Context, args: list[bytes]) -> Reply:
    db = context.db
    entry = db.find(args[2])
    if entry is None:
        raise ErrorReply("ERR The specified key does not exist")
    is_dense = header_of(db, entry)[4] == DENSE
    word = args[1].lower()
    if word == b"encoding":
        return "dense" if is_dense else "sparse"
    if word == b"decode":
        if is_dense:
            raise ErrorReply("ERR HLL encoding is not sparse")
        return sparse_registers.describe(db.text(entry)).encode()
    if word != b"getreg" and word != b"todense":
        raise ErrorReply(f"ERR Unknown PFDEBUG subcommand '{quotable(args[1])}'")
    registers = hyperloglog.no_registers()
    text = db.text(entry)
    if is_dense:
        hyperloglog.merge_dense(text, registers)
    else:
        merge_sparse(text, registers)
        db.set(args[2], hyperloglog.dense_text(text, registers), entry.expire, REFRESHED)
    if word == b"todense":
        return 0 if is_dense else 1
    found: list[object] = []
    for index in range(REGISTERS):
        found.append(int(registers[index]))
    return found


@command(
    "PFSELFTEST",
    group="hyperloglog",
    since="2.8.9",
    complexity="O(1), with a large constant",
    flags="admin syscmd",
    summary="Test HyperLogLogs: their registers, and how far estimates are off.",
)
def pfselftest(context: Context, args: list[bytes]) -> Reply:
    check_registers(context)
    check_estimates(context)
    return OK


def check_registers(context: Context) -> None:
    """Raises unless random registers come back as they were stored."""
    chance = context.engine.chance
    for _ in range(_ROUNDS):
        registers = hyperloglog.no_registers()
        for index in range(REGISTERS):
            hyperloglog.raise_to(registers, index, chance.pick() & 63)
        found = hyperloglog.no_registers()
        text = hyperloglog.dense_text(sparse_registers.empty(), registers)
        hyperloglog.merge_dense(text, found)
        for index in range(REGISTERS):
            if registers[index] != found[index]:
                raise ErrorReply(
                    f"ERR TESTFAILED Register {index} should be {registers[index]} "
                    f"but is {found[index]}"
                )


def check_estimates(context: Context) -> None:
    """Raises unless both encodings agree, and estimates are within six standard errors."""
    limit = sparse_limit(context)
    text = sparse_registers.empty()
    registers = hyperloglog.no_registers()
    seed = int(context.engine.chance.pick())
    checkpoint = 1
    for number in range(1, _ELEMENTS + 1):
        index, rank = hyperloglog.register_of((seed ^ number).to_bytes(8, "little"))
        hyperloglog.raise_to(registers, index, rank)
        text = add(text, index, rank, limit)
        if number != checkpoint:
            continue
        if text[4] == DENSE:
            if number < limit // 2:
                raise ErrorReply("ERR TESTFAILED sparse encoding not used")
            counts = hyperloglog.dense_histogram(text)
        else:
            counts = sparse_registers.histogram(text)
        found = hyperloglog.estimate(hyperloglog.histogram(registers))
        if hyperloglog.estimate(counts) != found:
            raise ErrorReply("ERR TESTFAILED dense/sparse disagree")
        error = abs(number - int(found))
        # A collision among so few is no wonder.
        allowed = 1 if number == 10 else math.ceil(6 * 1.04 / 128 * number)
        if error > allowed:
            raise ErrorReply(f"ERR TESTFAILED Too big error. card:{number} abserr:{error}")
        checkpoint *= 10
