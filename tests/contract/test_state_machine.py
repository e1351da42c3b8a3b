"""`KVBackend`, over a store in memory, beside the memory backend."""

from typing import cast

from hypothesis import settings

from hypercache.keyspace.kv_backend import KVBackend
from hypercache.testing import SortedDictKV
from tests.contract.beside_memory import BesideMemory
from tests.support.once import share_of


class Backends(BesideMemory):
    def fresh(self) -> KVBackend:
        return KVBackend(SortedDictKV(max_key_size=64), salt=b"8 bytes!")

    def again(self) -> KVBackend:
        kv = cast(SortedDictKV, self.kv.kv)
        return KVBackend(SortedDictKV(kv.data, max_key_size=64))


TestBackends = Backends.TestCase
TestBackends.settings = settings(
    max_examples=share_of(60), stateful_step_count=40, deadline=None, derandomize=True
)
