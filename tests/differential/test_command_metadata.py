"""Every command that we declare has the metadata that redis-server reports for it.

Peer: redis-server in PATH (Debian 12: 7.0.15). We follow 7.2, so what 7.2 changed, and
what we mean to do otherwise, is listed here with its reason. An entry that is no longer
true fails as well.
"""

from collections.abc import Iterator
from typing import Final

import pytest

from hypercache.commands import load
from hypercache.engine.documentation import command_docs, command_info
from hypercache.engine.registry import Registry
from hypercache.testing.server import ServerProcess
from tests.support.metadata import Metadata, flatten, read
from tests.support.resp import connect

NEW_IN_72: Final = {"client|no-touch", "client|setinfo", "cluster|myshardid", "waitaof"}
#: Times to live of the fields of hashes.
NEW_IN_74: Final = {
    *("hexpire", "hexpireat", "hexpiretime", "hpersist", "hpexpire"),
    *("hpexpireat", "hpexpiretime", "hpttl", "httl"),
}
#: Hot and big keys, a container of our own.
KEYSTATS: Final = {
    "keystats",
    "keystats|big",
    "keystats|help",
    "keystats|hot",
    "keystats|reset",
    "stores",
    "stores|create",
    "stores|drop",
    "stores|help",
    "stores|info",
    "stores|list",
    "stores|set",
}

DOCS_72 = "7.2 documents it so"
SCRIPTS_72 = "7.2 lets scripts call blocking commands, which then do not block"

#: (command, field): why it differs from redis-server 7.0.
DIFFERENCES: Final[dict[tuple[str, str], str]] = {
    ("acl|cat", "arguments"): DOCS_72,
    ("acl|deluser", "tips"): DOCS_72,
    ("acl|save", "tips"): DOCS_72,
    ("acl|setuser", "tips"): DOCS_72,
    ("bitop", "arguments"): DOCS_72,
    ("blmove", "flags"): SCRIPTS_72,
    ("blpop", "flags"): SCRIPTS_72,
    ("brpop", "flags"): SCRIPTS_72,
    ("brpoplpush", "flags"): SCRIPTS_72,
    ("bzpopmax", "flags"): SCRIPTS_72,
    ("bzpopmin", "flags"): SCRIPTS_72,
    ("client|kill", "arguments"): DOCS_72,
    ("client|list", "arguments"): DOCS_72,
    ("client|pause", "since"): "7.2 names the first release instead of a preview",
    ("client|setname", "tips"): DOCS_72,
    ("cluster|meet", "arguments"): DOCS_72,
    ("cluster|setslot", "arguments"): DOCS_72,
    ("cluster|shards", "flags"): "7.2 answers while loading",
    ("cluster|slots", "flags"): "7.2 answers while loading",
    ("command|getkeys", "arguments"): DOCS_72,
    ("command|getkeys", "arity"): "7.2 lets a command without arguments through",
    ("command|getkeysandflags", "arguments"): DOCS_72,
    ("command|getkeysandflags", "arity"): "7.2 lets a command without arguments through",
    ("config|get", "arguments"): DOCS_72,
    ("config|resetstat", "tips"): DOCS_72,
    ("config|rewrite", "tips"): DOCS_72,
    ("debug", "arguments"): "Redis leaves its arguments undocumented",
    ("geohash", "arguments"): DOCS_72,
    ("geopos", "arguments"): DOCS_72,
    ("georadius", "arguments"): DOCS_72,
    ("georadiusbymember", "arguments"): DOCS_72,
    ("latency|reset", "tips"): DOCS_72,
    ("lcs", "arguments"): DOCS_72,
    ("migrate", "arguments"): DOCS_72,
    ("module|loadex", "arguments"): DOCS_72,
    ("msetnx", "tips"): DOCS_72,
    ("pfmerge", "arguments"): DOCS_72,
    ("psubscribe", "arguments"): DOCS_72,
    ("randomkey", "tips"): DOCS_72,
    ("scan", "tips"): DOCS_72,
    ("sort", "arguments"): DOCS_72,
    ("sort_ro", "arguments"): DOCS_72,
    ("wait", "flags"): SCRIPTS_72,
    ("xadd", "arguments"): DOCS_72,
    ("xclaim", "arguments"): DOCS_72,
    ("xgroup|create", "arguments"): DOCS_72,
    ("xgroup|createconsumer", "arguments"): DOCS_72,
    ("xgroup|delconsumer", "arguments"): DOCS_72,
    ("xgroup|destroy", "arguments"): DOCS_72,
    ("xgroup|setid", "arguments"): DOCS_72,
    ("xinfo|consumers", "arguments"): DOCS_72,
    ("xinfo|stream", "arguments"): DOCS_72,
    ("xsetid", "arguments"): DOCS_72,
    ("zrank", "arguments"): "WITHSCORE is new in 7.2",
    ("zrank", "arity"): "WITHSCORE is new in 7.2",
    ("zrevrank", "arguments"): "WITHSCORE is new in 7.2",
    ("zrevrank", "arity"): "WITHSCORE is new in 7.2",
}


def declared() -> dict[str, Metadata]:
    """The metadata of all commands that we declare, by full name."""
    registry = Registry()
    load(registry)
    found: dict[str, Metadata] = {}
    for command in registry.commands():
        info, docs = flatten(command_info(command)), flatten(command_docs(command))
        found |= {each.name: each for each in read(info, docs, display=False)}
    return found


OURS: Final = declared()


@pytest.fixture(scope="module")
def theirs(_session_peer: ServerProcess) -> dict[str, Metadata]:
    """The metadata of all commands of redis-server, by full name."""
    return dict(reported(_session_peer))


def reported(server: ServerProcess) -> Iterator[tuple[str, Metadata]]:
    with connect(server) as client:
        infos, docs = client.pipeline(("COMMAND",), ("COMMAND", "DOCS"))
    assert isinstance(infos, list)
    assert isinstance(docs, list)
    documented = dict(zip(docs[::2], docs[1::2], strict=True))
    for info in infos:
        for each in read(info, documented[info[0]], display=False):
            yield each.name, each


@pytest.mark.parametrize("name", sorted(OURS))
def test_metadata_is_that_of_redis_server(name: str, theirs: dict[str, Metadata]) -> None:
    if name not in theirs:
        assert name in NEW_IN_72 | NEW_IN_74 | KEYSTATS, "redis-server does not know it"
        return
    ours, peer = OURS[name], theirs[name]
    for field in ("arity", "flags", "range", "categories", "tips", "specs", "since", "group"):
        compare(name, field, getattr(ours, field), getattr(peer, field))
    compare(name, "arguments", ours.arguments, peer.arguments)


def compare(name: str, field: str, ours: object, theirs: object) -> None:
    reason = DIFFERENCES.get((name, field))
    if reason is None:
        assert ours == theirs, f"{name}: {field}"
    else:
        assert ours != theirs, f"{name}: {field} is the same now, though {reason!r} is listed"
