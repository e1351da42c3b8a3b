"""What the rows of a snapshot's tables hold: kinds, layouts, and the records of streams.

A row of a string is its key, text, deadline (if `DEADLINE`) and access clock (if `ACCESS`). A
row of a container has, between these and its key, the number of what follows, and elements:

    list, set       element
    zset            member, score (an integer if it is one)
    hash            field, value
    volatile hash   field, value, deadline in Unix milliseconds or -1
    stream          records, each begins with its code

A value that is too large for one row has a row in a table with the layout `FIRST`, and then
rows in the table `MORE`: key, database, kind, number (1, 2, ...), whether it is the last, and
elements as above. `LIBRARIES` has the sources of functions.

Where a text stands there can be a list instead: the number of a text that was in pieces, and how
many of them there are.
"""

from typing import Final

from hypercache.values import HASH, LIST, SET, STREAM, STRING, ZSET

#: Kinds of tables: those of values (`hypercache.values`), and others.
VOLATILE_HASH: Final = 6
LIBRARIES: Final = 7
MORE: Final = 8

#: Bits of a table's layout.
DEADLINE: Final = 1
ACCESS: Final = 2
FIRST: Final = 4

#: Elements of a container's rows that belong together, by kind.
STRIDES: Final = {LIST: 1, SET: 1, ZSET: 2, HASH: 2, VOLATILE_HASH: 3, STREAM: 1}
assert STRING not in STRIDES

#: Records of a stream, with what follows the code. Groups and their consumers are numbered from 0.
#: Id, number of what follows, fields and values; or id, a text that is a CBOR list of these.
ENTRY: Final = 0
LONG_ENTRY: Final = 1
#: Last id, highest deleted id, entries added.
STATE: Final = 2
#: Name, last id, entries read.
GROUP: Final = 3
#: Number of the group, name, seen, active.
CONSUMER: Final = 4
#: Number of the group, id, number of the consumer, time, count.
PENDING: Final = 5
#: Items of a record, its code among them; an `ENTRY` has its fields besides.
RECORD_WIDTHS: Final = (3, 3, 4, 4, 5, 6)
