"""The transcripts of the command tests are true: redis-server plays them in the same way."""

import re
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from hypercache.testing.pytest_plugin import emptied
from hypercache.testing.server import ServerProcess
from tests.support.resp import Client, connect, encode
from tests.support.servers import RedisProcess
from tests.support.transcripts import RESP3, Section, load

FOLDER = Path(__file__).parent.parent / "unit" / "commands" / "transcripts"
# Sections, or files of them, that only a redis-server from 7.2 on plays as written, and what
# 7.2 has changed in them. All were recorded from a 7.2; Debian's is 7.0.
DOUBLES = "doubles have the fewest digits that give the same number, not seventeen"
LISTPACKS = "small lists and sets are listpacks"
TIMES = "times that are too long are refused"
WORDS = "another error text"
PUSHES = "messages to the client whose command runs follow the reply"
NEW_OF_CLIENT = "SETINFO and NO-TOUCH are new, and so are bounds of times"
CHANGED_IN_7_2 = {
    "acl_checks": "NOPERM names the user, and no longer says which of the keys",
    "acl_descriptions": "rules are simplified, and users are described in another order",
    "acl_logins": WORDS,
    "acl_rules": "sanitize-payload is a flag no longer hidden, rules are simplified",
    "blocking_lists: Wrong times": TIMES,
    "client: What is behind a connection": NEW_OF_CLIENT,
    "client: Switches": NEW_OF_CLIENT,
    "client: PAUSE, UNPAUSE and UNBLOCK": NEW_OF_CLIENT,
    "client: RESET": NEW_OF_CLIENT,
    "dump: RESTORE with a time to live, and what is there already": "the version of payloads",
    "dump: RESTORE with bad arguments": "the version of payloads",
    "introspection: COMMAND GETKEYS": WORDS,
    "list_ranges: LPOS": "the lowest rank is refused",
    "lists: Encodings": LISTPACKS,
    "lists: LPUSH and RPUSH": LISTPACKS,
    "notifications: Notifications of RESP3 follow the reply": PUSHES,
    "notifications: Streams": "XCLAIM makes a consumer before it looks at entries",
    "pubsub: A subscriber of RESP3 may do anything": PUSHES,
    "pubsub: The version of the protocol changes amid subscriptions": PUSHES,
    "set_algebra: SINTERSTORE": LISTPACKS,
    "set_algebra: SUNION and SUNIONSTORE": LISTPACKS,
    "sets: Encodings": LISTPACKS,
    "stream_reading: XREAD with wrong arguments": TIMES,
    "stream_reading: XREADGROUP with wrong arguments": WORDS,
    "streams: XADD with ids": WORDS,
    "streams: XSETID": "the highest id that was deleted is respected",
    "tracking: CLIENT CACHING is for OPTIN and OPTOUT": WORDS,
    "zset_pops: BZPOPMIN and BZPOPMAX": TIMES,
    "zsets: Scores as they are read": DOUBLES,
    "zsets: Scores as they are written": DOUBLES,
    "zsets: ZINCRBY": DOUBLES,
    "zsets: ZRANK and ZREVRANK": "the option WITHSCORE is new",
    "zsets: ZSCAN": DOUBLES,
}
NEW_IN_7_2 = (b"WAITAOF",)
EVERY = [section for path in sorted(FOLDER.glob("*.txt")) for section in load(path)]


def is_older() -> bool:
    """Whether the redis-server in PATH is older than 7.2."""
    words = subprocess.run(["redis-server", "--version"], capture_output=True, check=True).stdout
    version = re.search(rb"v=(\d+)\.(\d+)", words)
    assert version is not None, words
    return (int(version[1]), int(version[2])) < (7, 2)


def names(section: Section) -> set[str]:
    """The section's name, and its file's."""
    return {str(section), str(section).partition(":")[0]}


def is_changed(section: Section) -> bool:
    """Whether a section shows what is of 7.2."""
    asks = any(step.arguments[:1] == [new] for step in section.steps for new in NEW_IN_7_2)
    return asks or not CHANGED_IN_7_2.keys().isdisjoint(names(section))


OLDER = is_older()
SECTIONS = [section for section in EVERY if not (OLDER and is_changed(section))]


def steady(text: str) -> str:
    """A transcript without the milliseconds that pass while it is played (XCLAIM IDLE)."""
    return re.sub(
        r"\(integer\) ([12])0000\d{4}$", r"(integer) \g<1>00000000", text, flags=re.MULTILINE
    )


def test_list_of_changes_is_true() -> None:
    assert set(CHANGED_IN_7_2) <= {name for section in EVERY for name in names(section)}


@pytest.fixture(scope="module")
def exact_peer() -> Iterator[ServerProcess]:
    """A redis-server that removes what has expired only when asked for it.

    Otherwise its timer does so too, and on a busy machine amid a section that tells of it.
    """
    with RedisProcess(settings={"enable-debug-command": "yes"}) as server:
        with connect(server) as client:
            client.call("DEBUG", "SET-ACTIVE-EXPIRE", "0")
        yield server


@pytest.fixture
def clients(exact_peer: ServerProcess) -> Iterator["Clients"]:
    for peer in emptied(exact_peer):
        with Clients(peer) as clients:
            yield clients


class Clients(ExitStack):
    """Connections by the names that a transcript gives them."""

    def __init__(self, server: ServerProcess) -> None:
        super().__init__()
        self._server = server
        self._connections: dict[str, Client] = {}

    def send(self, name: str, arguments: list[bytes]) -> None:
        """Send a request as that client."""
        if name not in self._connections:
            client = self.enter_context(connect(self._server))
            if name.startswith(RESP3):
                client.call(b"HELLO", b"3")
            self._connections[name] = client
        self._connections[name].send(encode(*arguments))

    def receive(self, name: str) -> object:
        """What that client gets next."""
        return self._connections[name].read()


@pytest.mark.parametrize("section", SECTIONS, ids=str)
def test_transcript_is_true(clients: Clients, section: Section) -> None:
    assert steady(section.play(clients.send, clients.receive)) == steady(section.written())
