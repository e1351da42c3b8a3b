"""The log of the LMDB backend: what is cut off, flipped, too large or not written at all."""

import errno
import math
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypercache_lmdb import log

from hypercache.backend import BackendError

Operation = tuple[bytes, bytes | None]


def parts_of(operations: list[Operation]) -> list[bytes]:
    """The parts of a batch, as the store makes them."""
    parts: list[bytes] = []
    for key, value in operations:
        size = log.REMOVED if value is None else len(value)
        parts += [log.OPERATION.pack(len(key), size), key]
        if value is not None:
            parts.append(value)
    return parts


def append(segment: log.Segment, operations: list[Operation]) -> None:
    parts = parts_of(operations)
    segment.append(parts, sum(map(len, parts)))


def created(folder: Path, number: int = 1) -> log.Segment:
    segment = log.Segment(folder, number, 7)
    segment.create()
    return segment


def read(folder: Path, number: int = 1) -> tuple[list[Operation], log.Replay]:
    found: list[Operation] = []
    replay = log.replay(folder, number, lambda key, value: found.append((key, value)))
    return found, replay


BATCHES: list[list[Operation]] = [
    [(b"a", b"1"), (b"b", b"")],
    [(b"a", None)],
    [(b"key" * 100, b"value" * 10), (b"c", b"\x00" * 20)],
]


@pytest.fixture
def segment(tmp_path: Path) -> Iterator[log.Segment]:
    made = created(tmp_path)
    yield made
    made.close()


def ends_of(segment: log.Segment) -> list[int]:
    """Append all batches; where each ends."""
    ends = [segment.end]
    for batch in BATCHES:
        append(segment, batch)
        ends.append(segment.end)
    return [int(end) for end in ends]


def flat(batches: list[list[Operation]]) -> list[Operation]:
    return [operation for batch in batches for operation in batch]


# Reading -------------------------------------------------------------------------------------


def test_format_is_frozen(tmp_path: Path) -> None:
    """Stores out there hold these bytes: they may be added to, never changed."""
    segment = created(tmp_path, 3)
    append(segment, [(b"key", b"value"), (b"gone", None)])
    segment.finish()
    segment.close()
    raw = segment.path.read_bytes()
    assert segment.path.name == "log-000000000003"
    assert raw.rstrip(b"\x00").hex() == (
        "48434c4d4c4f4731" "0300000000000000" "0700000000000000"
        "1800000000000000" "145fbffb" "00000000"
        "0300" "05000000" "6b6579" "76616c7565"
        "0400" "ffffffff" "676f6e65"
        "0000000000000000" "4a3f5382" "01"
    )  # fmt: skip


def test_log_that_is_cut_off_at_any_byte(tmp_path: Path, segment: log.Segment) -> None:
    ends = ends_of(segment)
    raw = segment.path.read_bytes()[: ends[-1]]
    for size in range(len(raw) + 1):
        segment.path.write_bytes(raw[:size])
        whole = sum(end <= size for end in ends) - 1
        found, replay = read(tmp_path)
        assert found == flat(BATCHES[: max(whole, 0)])
        assert replay.end == ends[max(whole, 0)]
        assert replay.batches == max(whole, 0)
        # Zeros where the rest was to be: the machine failed before they were written.
        segment.path.write_bytes(raw[:size] + bytes(len(raw) + 100 - size))
        if size >= log.HEAD.size:
            found_behind_zeros, replay = read(tmp_path)
            assert len(found_behind_zeros) >= len(found)
            assert found_behind_zeros == flat(BATCHES)[: len(found_behind_zeros)]
            assert replay.end in ends


def test_flipped_bits_end_the_log(tmp_path: Path, segment: log.Segment) -> None:
    """No batch with a wrong bit is read, nor any behind it."""
    ends = ends_of(segment)
    raw = segment.path.read_bytes()[: ends[-1]]
    for place in range(log.HEAD.size, len(raw)):
        for bit in (1, 0x80):
            damaged = bytearray(raw)
            damaged[place] ^= bit
            segment.path.write_bytes(damaged)
            found, replay = read(tmp_path)
            whole = sum(end <= place for end in ends) - 1
            assert found == flat(BATCHES[:whole])
            assert replay.end == ends[whole]
            assert replay.torn > 0


def test_damage_in_the_middle_is_told_from_a_torn_end(tmp_path: Path, segment: log.Segment) -> None:
    ends = ends_of(segment)
    raw = segment.path.read_bytes()[: ends[-1]]
    for place, skipped in ((ends[0] + 20, ends[1] - ends[0]), (ends[2] + 20, 0)):
        damaged = bytearray(raw)
        damaged[place] ^= 1
        segment.path.write_bytes(damaged)
        assert log.skipped(tmp_path, read(tmp_path)[1]) == skipped
    segment.path.write_bytes(raw)
    assert log.skipped(tmp_path, read(tmp_path)[1]) == 0


@pytest.mark.parametrize(
    "head",
    [b"HCLMLOG2" + bytes([1]) + bytes(15), b"HCLMLOG1" + bytes([9]) + bytes(15), b"?" * 24],
)
def test_other_files_are_refused(tmp_path: Path, head: bytes) -> None:
    log.segment_path(tmp_path, 1).write_bytes(head + bytes(100))
    with pytest.raises(BackendError, match="is no segment 1 of a log"):
        read(tmp_path)


@pytest.mark.parametrize("content", [b"", b"HCLM", bytes(24), bytes(5_000)])
def test_segment_without_a_head_was_never_written_to(tmp_path: Path, content: bytes) -> None:
    log.segment_path(tmp_path, 1).write_bytes(content)
    found, replay = read(tmp_path)
    assert (found, replay.end, replay.torn) == ([], log.HEAD.size, 0)
    segment = log.Segment(tmp_path, 1, 7)
    segment.resume(replay.end, replay.torn)
    append(segment, BATCHES[0])
    segment.close()
    assert read(tmp_path)[0] == BATCHES[0]
    assert log.transaction_of(tmp_path, 1) == 7


def test_segment_is_followed_only_where_it_was_closed(tmp_path: Path) -> None:
    first, second = created(tmp_path, 1), created(tmp_path, 2)
    append(first, BATCHES[0])
    append(second, BATCHES[1])
    found, replay = read(tmp_path)
    assert (found, replay.number, replay.closed) == (BATCHES[0], 1, False)
    first.finish()
    found, replay = read(tmp_path)
    assert (found, replay.number, replay.closed) == (BATCHES[0] + BATCHES[1], 2, False)
    second.remove()
    found, replay = read(tmp_path)
    assert (found, replay.number, replay.closed) == (BATCHES[0], 1, True)
    first.close()


def test_resuming_goes_on_behind_the_last_whole_batch(tmp_path: Path, segment: log.Segment) -> None:
    ends = ends_of(segment)
    segment.close()
    os.truncate(segment.path, ends[-1] - 1)
    again = log.Segment(tmp_path, 1, 7)
    torn = read(tmp_path)[1]
    again.resume(torn.end, torn.torn)
    append(again, [(b"new", b"value")])
    again.close()
    found, replay = read(tmp_path)
    assert found == [*flat(BATCHES[:2]), (b"new", b"value")]
    assert replay.torn == 0


def test_segments_are_found_by_their_numbers(tmp_path: Path) -> None:
    for number in (12, 3):
        created(tmp_path, number).close()
    (tmp_path / "log-x").touch()
    (tmp_path / "data.mdb").touch()
    assert log.segment_numbers(tmp_path) == [3, 12]


# Writing -------------------------------------------------------------------------------------

LARGE: list[Operation] = [(b"large", bytes(range(256)) * 8_192), (b"small", b"1")]  # 2 MB


def many(count: int) -> list[Operation]:
    """A batch of more parts than one call of the system takes."""
    return [(b"%d" % number, b"v" * 600) for number in range(count)]


@pytest.mark.parametrize("operations", [LARGE, many(3_000)], ids=["one value", "many parts"])
def test_large_batches(tmp_path: Path, segment: log.Segment, operations: list[Operation]) -> None:
    append(segment, BATCHES[0])
    append(segment, operations)
    append(segment, BATCHES[1])
    assert read(tmp_path)[0] == [*BATCHES[0], *operations, *BATCHES[1]]


@pytest.mark.parametrize("operations", [BATCHES[2], LARGE, many(3_000)])
def test_system_that_takes_fewer_bytes_than_it_was_given(
    tmp_path: Path,
    segment: log.Segment,
    operations: list[Operation],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write, write_at = os.pwritev, os.pwrite

    def short(descriptor: int, parts: list[bytes], at: int) -> int:
        joined = b"".join(parts)
        return write(descriptor, [joined[: max(1, len(joined) // 3)]], at)

    def short_at(descriptor: int, data: bytes | memoryview, at: int) -> int:
        return write_at(descriptor, memoryview(data)[: max(1, len(memoryview(data)) // 2)], at)

    monkeypatch.setattr(os, "pwritev", short)
    monkeypatch.setattr(os, "pwrite", short_at)
    append(segment, operations)
    append(segment, BATCHES[1])
    assert read(tmp_path)[0] == [*operations, *BATCHES[1]]


@pytest.mark.parametrize("operations", [BATCHES[2], LARGE, many(3_000)])
@pytest.mark.parametrize("calls", [0, 1, 2, 9, 10])
def test_disk_that_is_full_in_the_middle_of_a_batch(
    tmp_path: Path,
    segment: log.Segment,
    operations: list[Operation],
    calls: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nothing of the batch is added, and the next one goes where it was to go."""
    append(segment, BATCHES[0])
    end = segment.end
    write = os.pwritev
    left = calls

    def full(descriptor: int, parts: list[bytes], at: int) -> int:
        nonlocal left
        if left == 0:
            write(descriptor, [parts[0][:10]], at)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        left -= 1
        return write(descriptor, parts, at)

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwritev", full)
        parts = parts_of(operations)
        large = sum(map(len, parts)) > log.JOINED
        if calls >= (math.ceil(len(parts) / log.PARTS) + 1 if large else 1):
            append(segment, operations)
            written = operations
        else:
            with pytest.raises(OSError, match="No space left"):
                append(segment, operations)
            assert segment.end == end
            written = []
    append(segment, BATCHES[1])
    found, replay = read(tmp_path)
    assert found == [*BATCHES[0], *written, *BATCHES[1]]
    assert replay.torn == 0


def test_no_room_for_more(
    tmp_path: Path, segment: log.Segment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Room is reserved before anything is written; the closing mark has its own."""
    append(segment, BATCHES[0])

    def full(descriptor: int, start: int, length: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full)
    fitting = 0
    while segment.end + 10_000 < segment.reserved:
        append(segment, [(b"k", b"v" * 5_000)])
        fitting += 1
    with pytest.raises(OSError, match="No space left"):
        append(segment, LARGE)
    with pytest.raises(OSError, match="No space left"):
        append(segment, [(b"k", b"v" * 20_000)])
    size = segment.path.stat().st_size
    segment.finish()
    assert segment.path.stat().st_size == size
    found, replay = read(tmp_path)
    assert len(found) == len(BATCHES[0]) + fitting
    assert replay.closed


def test_syncing_only_what_is_new(
    tmp_path: Path, segment: log.Segment, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []
    monkeypatch.setattr(os, "fdatasync", calls.append)
    append(segment, BATCHES[0])
    segment.sync()
    segment.sync()
    assert calls == [segment.descriptor]
    append(segment, BATCHES[1])
    segment.sync()
    assert len(calls) == 2
