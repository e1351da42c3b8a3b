"""Sessions written down as redis-cli shows them, to be played and compared.

`tests.support.record` lets a redis-server write the replies.

    # SET with NX
    > SET k v NX
    OK
    2> GET k
    "v"
    ~> KEYS *
    1) "k"

    3>> BLPOP list 0
    3<
    1) "list"
    2) "element"

A section begins with ``#`` and its title and starts with no data. ``2>`` is a second client,
``~`` sorts an array that has no order of its own. ``>>`` does not wait for the reply; ``<``
waits for what a client gets next, be it a reply or a message. A client whose name begins with
``resp3`` speaks RESP3. Arguments are those of inline commands.

    sub> SUBSCRIBE news
    [array] "subscribe" "news" (integer) 1
    > PUBLISH news hello
    (integer) 1
    sub> ?
    [array] "message" "news" "hello"

A client whose name begins with ``sub`` or ``resp3sub`` is shown all that has come to it, each
message in a line; ``?`` asks for that alone.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeAlias

from hypercache.testing.resp import Push, ReplyError

#: Sends a command as a client of that name.
Send: TypeAlias = Callable[[str, list[bytes]], None]
#: Returns what the client of that name gets next, decoded.
Receive: TypeAlias = Callable[[str], object]

#: What begins the name of a client that speaks RESP3.
RESP3: Final = "resp3"

#: What begins the name of a client that is shown all, perhaps behind `RESP3`.
LISTENER: Final = "sub"
#: The request by which it sends nothing, and what tells it then that all has come.
NOTHING: Final = [b"?"]
MARK: Final = b"that is all"

_REQUEST = re.compile(r"(~?)(\w*)(>>?) (.*)")
_WAIT = re.compile(r"(\w*)<")
_WORD = re.compile(r'"((?:[^"\\]|\\.)*)"|(\S+)')
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}


@dataclass
class Step:
    """One request, as written, and the lines of its reply; or with no arguments only those."""

    line: str
    client: str
    arguments: list[bytes]
    sorted: bool = False
    waits: bool = True
    expected: list[str] = field(default_factory=list)


@dataclass
class Frames:
    """All that has come to a listener."""

    items: list[object]


@dataclass
class Section:
    """A session from no data on; ``file`` is the name of its transcript."""

    file: str
    title: str
    steps: list[Step] = field(default_factory=list)

    def __str__(self) -> str:
        return f"{self.file}: {self.title}"

    def play(self, send: Send, receive: Receive) -> str:
        """The section as it goes with this server."""
        lines = [f"# {self.title}"]
        for step in self.steps:
            if step.client.removeprefix(RESP3).startswith(LISTENER):
                lines += [step.line, *render(listen(step, send, receive))]
                continue
            if step.arguments:
                send(step.client, step.arguments)
            if not step.waits:
                lines.append(step.line)
                continue
            reply = receive(step.client)
            if step.sorted and isinstance(reply, list):
                reply = sorted(reply, key=repr)
            lines += [step.line, *render(reply)]
        return "\n".join(lines)

    def written(self) -> str:
        """The section as it stands in the transcript."""
        lines = [f"# {self.title}"]
        for step in self.steps:
            lines += [step.line, *step.expected]
        return "\n".join(lines)


def listen(step: Step, send: Send, receive: Receive) -> Frames:
    """Send a listener's request, and take all that comes."""
    if step.arguments != NOTHING:
        send(step.client, step.arguments)
    send(step.client, [b"PING", MARK])
    frames = []
    while (frame := receive(step.client)) not in (MARK, [b"pong", MARK]):
        frames.append(frame)
    return Frames(frames)


def load(path: Path) -> list[Section]:
    """The sections of a transcript."""
    sections: list[Section] = []
    for line in path.read_text("utf-8").splitlines():
        request = _REQUEST.fullmatch(line)
        waiting = _WAIT.fullmatch(line)
        if line.startswith("# "):
            sections.append(Section(path.stem, line[2:]))
        elif request is not None:
            order, client, mark, words = request.groups()
            step = Step(line, client, split(words), order == "~", mark == ">")
            sections[-1].steps.append(step)
        elif waiting is not None:
            sections[-1].steps.append(Step(line, waiting.group(1), []))
        elif line:
            sections[-1].steps[-1].expected.append(line)
    return sections


def split(text: str) -> list[bytes]:
    """The words of a request; those in double quotes may have Python's escapes."""
    words: list[bytes] = []
    for match in _WORD.finditer(text):
        quoted, plain = match.groups()
        if plain is not None:
            words.append(plain.encode())
        else:
            words.append(quoted.encode("latin-1").decode("unicode_escape").encode("latin-1"))
    return words


def render(reply: object) -> list[str]:
    """The lines in which redis-cli shows a decoded reply; a set or a map of RESP3 is sorted."""
    if isinstance(reply, Frames):
        return [line for frame in reply.items for line in _frame(frame)]
    if reply is None:
        return ["(nil)"]
    if isinstance(reply, bool):
        return ["(true)" if reply else "(false)"]
    if isinstance(reply, ReplyError):
        return [f"(error) {reply.text}"]
    if isinstance(reply, bytes):
        return ['"' + "".join(map(_shown, reply.decode("latin-1"))) + '"']
    if isinstance(reply, int):
        return [f"(integer) {reply}"]
    if isinstance(reply, float):
        return [f"(double) {reply!r}"]
    if isinstance(reply, list):
        return _numbered([render(item) for item in reply], ")") or ["(empty array)"]
    if isinstance(reply, Push):
        return _numbered([render(item) for item in reply.items], "!")
    if isinstance(reply, frozenset):
        return _numbered(sorted(render(item) for item in reply), "~") or ["(empty set)"]
    if isinstance(reply, dict):
        pairs = sorted((render(key), render(value)) for key, value in reply.items())
        lines = [[f"{key[-1]} => {first}", *rest] for key, (first, *rest) in pairs]
        return _numbered(lines, "#") or ["(empty hash)"]
    return [str(reply)]


def _frame(frame: object) -> list[str]:
    """What a listener got at once: a message in one line, or any other reply."""
    if isinstance(frame, Push):
        return [f"[push] {' '.join(line for item in frame.items for line in render(item))}"]
    if isinstance(frame, list):
        return [f"[array] {' '.join(line for item in frame for line in render(item))}"]
    return render(frame)


def _numbered(items: list[list[str]], mark: str) -> list[str]:
    """Items of an aggregate, each behind its number."""
    width = len(str(len(items)))
    lines: list[str] = []
    for number, (first, *rest) in enumerate(items, 1):
        lines.append(f"{number:>{width}}{mark} {first}")
        lines += [" " * (width + 2) + line for line in rest]
    return lines


def _shown(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    return character if " " <= character <= "~" else f"\\x{ord(character):02x}"
