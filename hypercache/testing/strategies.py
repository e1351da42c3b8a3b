"""Hypothesis strategies for calls of a command, generated from its declaration.

    @given(arguments(registry.get(b"zadd"), Pools(keys=(b"a", b"b"))))
    def test_...(call: list[bytes]) -> None: ...

See `hypercache.testing.calls`: a call is drawn as one string of bytes, which is many times
quicker than a draw for each word, and shrinks to the first alternatives and words.
"""

from typing import Final

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from hypercache.engine.command import Command
from hypercache.testing.calls import Calls, Pools, Tape

__all__ = ["Pools", "arguments", "tapes", "valid_arguments"]

#: Bytes of a drawn tape: a few calls would read more, and then repeat the first choice.
TAPE_BYTES: Final = 40


def tapes(size: int = TAPE_BYTES) -> SearchStrategy[Tape]:
    """Choices for one call."""
    return st.binary(min_size=size, max_size=size).map(Tape)


def arguments(command: Command, pools: Pools) -> SearchStrategy[list[bytes]]:
    """Calls of a command, name included: mostly as its syntax has it, some slightly wrong."""
    calls = Calls(command, pools)
    return tapes().map(calls.draw)


def valid_arguments(command: Command, pools: Pools) -> SearchStrategy[list[bytes]]:
    """Calls that the syntax of a command allows; a value may still be refused."""
    calls = Calls(command, pools)
    return tapes().map(calls.valid)
