"""What a client's databases hold: a model of the few commands that its writes consist of."""

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Final, TypeAlias

from tests.support.resp import Client

Request: TypeAlias = tuple[str, ...]
#: Milliseconds by which the clocks of a server and its client may differ: a server may take
#: the time once for all that it reads together.
SLACK: Final = 50

_READERS: Final[dict[str, tuple[str, ...]]] = {
    "string": ("GET", "{}"),
    "list": ("LRANGE", "{}", "0", "-1"),
    "hash": ("HGETALL", "{}"),
    "set": ("SMEMBERS", "{}"),
    "zset": ("ZRANGE", "{}", "0", "-1", "WITHSCORES"),
    "stream": ("XRANGE", "{}", "-", "+"),
}


@dataclass
class Held:
    """A value, and between which times (Unix milliseconds) its deadline lies; None for none."""

    kind: str
    content: object
    deadline: tuple[int, int] | None = None

    def accepts(self, found: "Held | None", now: int) -> bool:
        """Whether a server may hold that where this is held by the model."""
        if found is None:
            return self.deadline is not None and self.deadline[0] - SLACK <= now
        if found.kind != self.kind or found.content != self.content:
            return False
        if self.deadline is None or found.deadline is None:
            return self.deadline is found.deadline
        low, high = self.deadline
        return low - SLACK <= found.deadline[0] <= high + SLACK


Keys: TypeAlias = dict[str, Held]


class State:
    """The two databases of a client, first those with the lower number."""

    def __init__(self) -> None:
        self.databases: list[Keys] = [{}, {}]
        self.selected = 0

    def copy(self) -> "State":
        """One that is not changed with this one."""
        return deepcopy(self)

    @property
    def keys(self) -> Keys:
        """The keys of the selected database."""
        return self.databases[self.selected]

    def execute(self, request: Request, low: int, high: int) -> object:
        """What a request answers that reaches a server between two times."""
        self._low, self._high = low, high
        reply = _COMMANDS[request[0]](self, *request[1:])
        for key in [key for key, held in self.keys.items() if held.content in ([], {}, set())]:
            del self.keys[key]
        return reply

    def has(self, found: Sequence[Keys], now: int) -> bool:
        """Whether a server that was read until then can have this state."""
        for mine, theirs in zip(self.databases, found, strict=True):
            if theirs.keys() - mine.keys():
                return False
            for key, held in mine.items():
                if not held.accepts(theirs.get(key), now):
                    return False
        return True

    def differences(self, found: Sequence[Keys], now: int) -> list[str]:
        """What does not fit where `has` is false."""
        wrong: list[str] = []
        for number, (mine, theirs) in enumerate(zip(self.databases, found, strict=True)):
            for key in theirs.keys() - mine.keys():
                wrong.append(f"{key} of database {number} is there: {theirs[key]}")
            for key, held in mine.items():
                if not held.accepts(theirs.get(key), now):
                    wrong.append(f"{key} of database {number} is {theirs.get(key)}, not {held}")
        return wrong

    def _hold(self, key: str, kind: str, empty: object) -> Held:
        return self.keys.setdefault(key, Held(kind, empty))

    def _number(self, key: str) -> int:
        return int(str(self._hold(key, "string", "0").content))

    # Commands --------------------------------------------------------------------------------

    def set(self, key: str, value: str, option: str = "", time: str = "0") -> str:
        self.keys[key] = Held("string", value)
        if option:
            self._expire(key, option == "PX", int(time))
        return "OK"

    def append(self, key: str, value: str) -> int:
        held = self._hold(key, "string", "")
        held.content = f"{held.content}{value}"
        return len(str(held.content))

    def incrby(self, key: str, step: str) -> int:
        number = self._number(key) + int(step)
        self._hold(key, "string", "").content = str(number)
        return number

    def getdel(self, key: str) -> bytes:
        return str(self.keys.pop(key).content).encode()

    def delete(self, *keys: str) -> int:
        return sum(self.keys.pop(key, None) is not None for key in keys)

    def rpush(self, key: str, *values: str) -> int:
        held = self._hold(key, "list", [])
        held.content = [*_list(held), *values]
        return len(held.content)

    def lpush(self, key: str, *values: str) -> int:
        held = self._hold(key, "list", [])
        held.content = [*reversed(values), *_list(held)]
        return len(held.content)

    def lpop(self, key: str) -> bytes:
        return _list(self.keys[key]).pop(0).encode()

    def ltrim(self, key: str, first: str, last: str) -> str:
        held = self.keys[key]
        held.content = _list(held)[int(first) : int(last) + 1]
        return "OK"

    def lmove(self, source: str, target: str, *_: str) -> bytes:
        value = _list(self.keys[source]).pop()
        held = self._hold(target, "list", [])
        held.content = [value, *_list(held)]
        return value.encode()

    def hset(self, key: str, *pairs: str) -> int:
        fields = _dict(self._hold(key, "hash", {}))
        before = len(fields)
        fields.update(zip(pairs[::2], pairs[1::2], strict=True))
        return len(fields) - before

    def hdel(self, key: str, *fields: str) -> int:
        return sum(_dict(self.keys[key]).pop(field, None) is not None for field in fields)

    def sadd(self, key: str, *members: str) -> int:
        held = self._hold(key, "set", set())
        before = _set(held)
        held.content = before | set(members)
        return len(held.content) - len(before)

    def spop(self, key: str, _: str) -> list[bytes]:
        return [member.encode() for member in _set(self.keys.pop(key))]

    def sunionstore(self, target: str, *keys: str) -> int:
        union = set().union(*(_set(self.keys[key]) for key in keys if key in self.keys))
        self.keys[target] = Held("set", union)
        return len(union)

    def zadd(self, key: str, score: str, member: str) -> int:
        scores = _dict(self._hold(key, "zset", {}))
        new = member not in scores
        scores[member] = score
        return int(new)

    def zincrby(self, key: str, step: str, member: str) -> bytes:
        scores = _dict(self._hold(key, "zset", {}))
        score = str(int(str(scores.get(member, "0"))) + int(step))
        scores[member] = score
        return score.encode()

    def xadd(self, key: str, identifier: str, *pairs: str) -> bytes:
        held = self._hold(key, "stream", {})
        held.content = {**_dict(held), identifier: pairs}
        return identifier.encode()

    def pexpireat(self, key: str, time: str) -> int:
        return self._expire(key, False, int(time))

    def pexpire(self, key: str, time: str) -> int:
        return self._expire(key, True, int(time))

    def persist(self, key: str) -> int:
        held = self.keys[key]
        had, held.deadline = held.deadline, None
        return int(had is not None)

    def _expire(self, key: str, relative: bool, time: int) -> int:
        low, high = (self._low, self._high) if relative else (0, 0)
        self.keys[key].deadline = (low + time, high + time)
        return 1

    def rename(self, key: str, target: str) -> str:
        self.keys[target] = self.keys.pop(key)
        return "OK"

    def duplicate(self, key: str, target: str, *_: str) -> int:
        self.keys[target] = deepcopy(self.keys[key])
        return 1

    def flushdb(self) -> str:
        self.keys.clear()
        return "OK"

    def swapdb(self, *_: str) -> str:
        self.databases.reverse()
        return "OK"

    def evaluate(self, _script: str, _count: str, text: str, other: str, value: str) -> str:
        """The one script that there is: see writes.SCRIPT."""
        self.set(text, value)
        self.rpush(other, value)
        return "OK"


def _list(held: Held) -> list[str]:
    assert isinstance(held.content, list)
    return held.content


def _dict(held: Held) -> dict[str, object]:
    assert isinstance(held.content, dict)
    return held.content


def _set(held: Held) -> set[str]:
    assert isinstance(held.content, set)
    return held.content


_NAMES: Final = {"DEL": "delete", "COPY": "duplicate", "EVAL": "evaluate"}
_KNOWN: Final = (
    *("SET", "APPEND", "INCRBY", "GETDEL", "DEL", "PEXPIREAT", "PEXPIRE", "PERSIST", "RENAME"),
    *("COPY", "RPUSH", "LPUSH", "LPOP", "LTRIM", "LMOVE", "HSET", "HDEL", "SADD", "SPOP"),
    *("SUNIONSTORE", "ZADD", "ZINCRBY", "XADD", "FLUSHDB", "SWAPDB", "EVAL"),
)
_COMMANDS: Final[dict[str, Callable[..., object]]] = {
    name: getattr(State, _NAMES.get(name, name.lower())) for name in _KNOWN
}


def read_keys(client: Client, database: int) -> Keys:
    """All keys of a server's database, as the model holds them."""
    assert client.call("SELECT", str(database)) == "OK"
    names = client.call("KEYS", "*")
    assert isinstance(names, list), names
    keys = [name.decode() for name in names]
    kinds = client.pipeline(*(("TYPE", key) for key in keys))
    deadlines = client.pipeline(*(("PEXPIRETIME", key) for key in keys))
    wanted = [(key, str(kind)) for key, kind in zip(keys, kinds, strict=True)]
    requests = [
        tuple(word.format(key) for word in _READERS.get(kind, ("GET", "{}")))
        for key, kind in wanted
    ]
    contents = client.pipeline(*requests)
    found: Keys = {}
    for (key, kind), deadline, content in zip(wanted, deadlines, contents, strict=True):
        if kind == "none" or content is None or deadline == -2:
            continue  # expired meanwhile
        assert isinstance(deadline, int), deadline
        found[key] = Held(kind, _content(kind, content), (deadline,) * 2 if deadline >= 0 else None)
    return found


def _content(kind: str, reply: object) -> object:
    """A value as the model holds it."""
    if kind == "string":
        assert isinstance(reply, bytes), reply
        return reply.decode()
    assert isinstance(reply, list), reply
    if kind == "stream":
        return {entry[0].decode(): tuple(map(bytes.decode, entry[1])) for entry in reply}
    words = [word.decode() for word in reply]
    if kind == "list":
        return words
    return set(words) if kind == "set" else dict(zip(words[::2], words[1::2], strict=True))
