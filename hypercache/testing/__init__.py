"""What users and authors test with: conformance kits, stores that fail on purpose, a server.

What is exported here is public API; docs/backends.md says what of it stays as it is.
"""

from hypercache.testing.backend import backend_checks, check_backend
from hypercache.testing.checks.ordered import OrderedCheck
from hypercache.testing.checks.rules import Check
from hypercache.testing.conformance import ConformanceError
from hypercache.testing.faults import FaultPlan, FaultyKV
from hypercache.testing.faulty_backend import FaultyBackend
from hypercache.testing.ordered import check_ordered_kv, ordered_checks
from hypercache.testing.policies import PolicyCheck, check_policy, policy_checks
from hypercache.testing.server import ServerFailed, ServerProcess
from hypercache.testing.sorted_kv import SortedDictKV

__all__ = [
    "Check",
    "ConformanceError",
    "FaultPlan",
    "FaultyBackend",
    "FaultyKV",
    "OrderedCheck",
    "PolicyCheck",
    "ServerFailed",
    "ServerProcess",
    "SortedDictKV",
    "backend_checks",
    "check_backend",
    "check_ordered_kv",
    "check_policy",
    "ordered_checks",
    "policy_checks",
]
