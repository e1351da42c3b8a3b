"""The eviction contract, version 1: what outsiders implement to choose which key goes.

An eviction policy is a class found through the entry-point group ``hypercache.policies``, whose
name ``maxmemory-policy`` and the stores' rules select it by. docs/eviction.md explains it with an
example; `hypercache.testing.check_policy` tells whether a policy keeps the contract.
"""

from hypercache.backend import NO_EXPIRE, Database, Entry, SlotFollower
from hypercache.keyspace.clock import Chance
from hypercache.keyspace.eviction import CONTRACT_VERSIONS, EvictionPolicy, Place
from hypercache.keyspace.frequency import Frequency

__all__ = [
    "CONTRACT_VERSIONS",
    "NO_EXPIRE",
    "Chance",
    "Database",
    "Entry",
    "EvictionPolicy",
    "Frequency",
    "Place",
    "SlotFollower",
]
