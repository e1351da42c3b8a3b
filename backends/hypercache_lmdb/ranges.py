"""Reading a range of keys with a cursor of LMDB."""

import lmdb


def read_range(
    cursor: "lmdb.Cursor[bytes]", start: bytes, stop: bytes, limit: int, reverse: bool
) -> list[tuple[bytes, bytes]]:
    """The first, or last, ``limit`` pairs with ``start <= key < stop``, as `OrderedKV.range`."""
    found: list[tuple[bytes, bytes]] = []
    if reverse:
        if not (cursor.prev() if cursor.set_range(stop) else cursor.last()):
            return found
        for pair in cursor.iterprev():
            if pair[0] < start:
                break
            found.append(pair)
            if len(found) == limit:
                break
        return found
    if not cursor.set_range(start):
        return found
    for pair in cursor.iternext():
        if pair[0] >= stop:
            break
        found.append(pair)
        if len(found) == limit:
            break
    return found
