"""Who is let in: protected mode, maxclients, and what counts as this machine."""

import pytest

from hypercache.testing.engine import EngineHarness
from hypercache.transport.admission import Door, is_loopback, text_address


def test_protected_mode_refuses_strangers_until_there_is_a_password() -> None:
    engine = EngineHarness().engine
    door = Door()
    refusal = door.refusal(engine, False)
    assert refusal is not None
    assert refusal.startswith(b"-DENIED Redis is running in protected mode because")
    assert refusal.endswith(b"\r\n")
    assert refusal.count(b"\r\n") == 1
    assert door.refusal(engine, True) is None
    assert engine.counters.rejected_connections == 1
    engine.acl.set_password("secret")
    assert door.refusal(engine, False) is None
    engine.acl.set_password("")
    door.protected_mode = False
    assert door.refusal(engine, False) is None


def test_maxclients_counts_those_who_are_in() -> None:
    harness = EngineHarness()
    door = Door()
    door.max_clients = len(harness.engine.sessions) + 1
    assert door.refusal(harness.engine, True) is None
    harness.client()
    assert door.refusal(harness.engine, True) == b"-ERR max number of clients reached\r\n"
    assert harness.engine.counters.rejected_connections == 1


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("::1%lo", True),
        ("192.0.2.1", False),
        ("fe80::1%eth0", False),
        ("not an address", False),
        ("", False),
    ],
)
def test_loopback(host: str, local: bool) -> None:
    assert is_loopback(host) is local


@pytest.mark.parametrize(
    ("address", "text"),
    [
        (("127.0.0.1", 6379), "127.0.0.1:6379"),
        (("::1", 6379, 0, 0), "[::1]:6379"),
        ("/run/cache.sock", "/run/cache.sock"),
    ],
)
def test_address_as_text(address: object, text: str) -> None:
    assert text_address(address) == text
