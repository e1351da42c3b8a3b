"""What a redis-server does not know, or does otherwise, because it is older than our target.

The peer itself tells which commands and words it knows: its COMMAND DOCS, held against the
history of our declarations. What 7.2 changed without a word of its own is listed here.
"""

import re
from collections.abc import Iterable
from typing import Final

from hypercache.engine.command import Command
from hypercache.testing.server import ServerProcess
from tests.machine.script import Limits, tokens
from tests.support.resp import connect, info

#: The release whose behaviour is ours.
TARGET: Final = (7, 2)

_TIMEOUTS: Final = "7.2 has another error for a timeout that is infinite or too large"
_CONSUMERS: Final = "7.2 makes consumers at other moments, and tells when each was active"
_STREAM_ERROR: Final = "7.2 names the command in the error"
#: Commands whose replies may differ where the peer is older than 7.2, and why.
OLDER: Final[dict[bytes, str]] = {
    b"blmove": _TIMEOUTS,
    b"blmpop": _TIMEOUTS,
    b"blpop": _TIMEOUTS,
    b"brpop": _TIMEOUTS,
    b"brpoplpush": _TIMEOUTS,
    b"bzmpop": _TIMEOUTS,
    b"bzpopmax": _TIMEOUTS,
    b"bzpopmin": _TIMEOUTS,
    b"wait": _TIMEOUTS,
    b"lpos": "7.2 bounds RANK",
    b"object|encoding": "7.2 has compact forms for sets of words and for short lists",
    b"xgroup|createconsumer": _CONSUMERS,
    b"xinfo|consumers": _CONSUMERS,
    b"xinfo|groups": _CONSUMERS,
    b"xinfo|stream": _CONSUMERS,
    b"xread": _STREAM_ERROR,
    b"xreadgroup": _STREAM_ERROR,
}
#: Commands that are not sent to such a peer, for both would then hold different data.
OLDER_DIVERGES: Final[dict[bytes, str]] = {
    b"xsetid": "7.2 refuses an id below the greatest that was deleted",
}


def version(server: ServerProcess) -> tuple[int, ...]:
    """The version of Redis that a server is, or says it is like."""
    with connect(server) as client:
        return tuple(int(part) for part in info(client, "server")["redis_version"].split("."))


def limits(server: ServerProcess, commands: Iterable[Command]) -> Limits:
    """What must not be sent to a peer, as far as these commands go."""
    peer = version(server)
    with connect(server) as client:
        docs, infos = client.pipeline(("COMMAND", "DOCS"), ("COMMAND",))
    documented, lengths = _documented(docs), _longest(infos)
    unknown: set[bytes] = set()
    words: dict[bytes, set[bytes]] = {}
    for command in commands:
        known = documented.get(command.name)
        if known is None or (peer < TARGET and command.name in OLDER_DIVERGES):
            unknown.add(command.name)
        else:
            new = tokens(command.declaration.arguments) - known
            words[command.name] = new & _newer(command, peer)
            if command.maximum == lengths.get(command.name):
                del lengths[command.name]
    return Limits(frozenset(unknown), words, lengths)


def _newer(command: Command, peer: tuple[int, ...]) -> set[bytes]:
    """The words that the history of a command names for releases newer than the peer."""
    history = command.declaration.history
    texts = [text for release, text in history if tuple(map(int, release.split("."))) > peer]
    return {word.encode() for word in re.findall(r"\b[A-Z]+\b", " ".join(texts))}


def _documented(docs: object) -> dict[bytes, set[bytes]]:
    """From COMMAND DOCS (RESP2), each command's literal words."""
    assert isinstance(docs, list)
    found: dict[bytes, set[bytes]] = {}
    for name, fields in zip(docs[::2], docs[1::2], strict=True):
        found[name] = _after(b"token", fields)
        for key, value in zip(fields[::2], fields[1::2], strict=True):
            if key == b"subcommands":
                found |= _documented(value)
    return found


def _after(key: bytes, fields: list[object]) -> set[bytes]:
    """All values of a key, however deep."""
    found: set[bytes] = set()
    for index, each in enumerate(fields):
        if isinstance(each, list):
            found |= _after(key, each)
        elif each == key and index % 2 == 0:
            following = fields[index + 1]
            assert isinstance(following, bytes)
            found.add(following)
    return found


def _longest(infos: object) -> dict[bytes, int]:
    """From COMMAND (RESP2), the length of those calls that have but one."""
    assert isinstance(infos, list)
    return {info[0]: info[1] for info in infos if info[1] > 0}
