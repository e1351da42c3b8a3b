"""The numbers by which RDB names a value's form (RDB_TYPE_...)."""

from typing import Final

STRING: Final = 0
LIST: Final = 1
SET: Final = 2
ZSET: Final = 3
HASH: Final = 4
ZSET_2: Final = 5
LIST_ZIPLIST: Final = 10
SET_INTSET: Final = 11
ZSET_ZIPLIST: Final = 12
HASH_ZIPLIST: Final = 13
LIST_QUICKLIST: Final = 14
STREAM: Final = 15
HASH_LISTPACK: Final = 16
ZSET_LISTPACK: Final = 17
LIST_QUICKLIST_2: Final = 18
STREAM_2: Final = 19
SET_LISTPACK: Final = 20
STREAM_3: Final = 21
#: A hash whose fields expire: of Redis 7.4.
HASH_METADATA: Final = 24
HASH_LISTPACK_EX: Final = 25
#: No higher number is known as that of a value.
LAST: Final = 25

#: The versions that know a form: payloads carry the lowest that will do, so that older servers
#: take what they can (10: Redis 7.0, 11: 7.2, 12: 7.4).
VERSION: Final = 10
VERSION_OF_STREAM_3: Final = 11
VERSION_OF_SET_LISTPACK: Final = 11
VERSION_OF_FIELD_DEADLINES: Final = 12
#: Plain and packed nodes of a quicklist.
PLAIN: Final = 1
PACKED: Final = 2

# Where a file has no value, it has one of these (RDB_OPCODE_...).
SLOT_INFO: Final = 244
FUNCTION: Final = 245
FUNCTION_OF_CANDIDATE: Final = 246
MODULE_AUX: Final = 247
IDLE: Final = 248
FREQUENCY: Final = 249
AUX: Final = 250
RESIZE: Final = 251
EXPIRE_MILLISECONDS: Final = 252
EXPIRE_SECONDS: Final = 253
SELECT: Final = 254
EOF: Final = 255
#: Values of modules.
MODULE: Final = 6
MODULE_2: Final = 7
#: Kinds of elements in a module's data; 0 ends them.
MODULE_SIGNED: Final = 1
MODULE_UNSIGNED: Final = 2
MODULE_FLOAT: Final = 3
MODULE_DOUBLE: Final = 4
MODULE_STRING: Final = 5
