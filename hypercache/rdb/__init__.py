"""Values as Redis writes them to RDB files and DUMP payloads.

`hypercache.rdb.dump` and `hypercache.rdb.restore` are the way out and in. Format: Redis' rdb.h
and rdb.c, versions up to 12; integers of lengths are big-endian, all others little-endian.
"""
