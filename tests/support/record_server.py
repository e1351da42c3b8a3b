"""Write down what a redis-server 7.2 says of itself, for the table of compatibility.

    python -m tests.support.record_server PORT

Its commands (COMMAND, COMMAND DOCS), settings (CONFIG GET) and the names of INFO's fields
become ``docs/compatibility/redis-7.2.6.json``. Texts of its documentation are left out.
"""

import json
import socket
import sys
from collections.abc import Iterator

from hypercache.testing.resp import decode_next, encode
from tests.support.compatibility import RECORD, VARIABLE
from tests.support.metadata import read


def ask(port: int, *requests: tuple[str, ...]) -> list[object]:
    """The replies of a server at a port of this machine."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        stream = connection.makefile("rwb")
        stream.write(b"".join([encode(*request) for request in requests]))
        stream.flush()
        return [decode_next(stream) for _ in requests]


def commands(infos: object, docs: object) -> dict[str, dict[str, object]]:
    """Each command and sub-command, with what can be compared of it."""
    assert isinstance(infos, list)
    assert isinstance(docs, list)
    documented = dict(zip(docs[::2], docs[1::2], strict=True))
    found: dict[str, dict[str, object]] = {}
    for info in infos:
        for each in read(info, documented[info[0]], display=False):
            found[each.name] = each.plain()
    return dict(sorted(found.items()))


def fields(text: object) -> dict[str, list[str]]:
    """The names of INFO's fields, by section."""
    assert isinstance(text, bytes)
    found: dict[str, list[str]] = {}
    section = ""
    for line in text.decode().splitlines():
        if line.startswith("# "):
            section = line[2:].lower()
            found[section] = []
        elif line and not line.startswith(VARIABLE):
            found[section].append(line.partition(":")[0])
    return found


def lines(record: dict[str, object]) -> Iterator[str]:
    """JSON with a line for each command, so that changes can be read."""
    yield "{"
    for number, (name, value) in enumerate(record.items()):
        end = "" if number == len(record) - 1 else ","
        if isinstance(value, dict):
            yield f'"{name}": {{'
            items = [f"{json.dumps(key)}: {json.dumps(item)}" for key, item in value.items()]
            yield ",\n".join(items)
            yield f"}}{end}"
        else:
            yield f'"{name}": {json.dumps(value)}{end}'
    yield "}"


def main(port: int) -> None:
    """Record the server at a port."""
    infos, docs, settings, info, debug = ask(
        port,
        ("COMMAND",),
        ("COMMAND", "DOCS"),
        ("CONFIG", "GET", "*"),
        ("INFO", "everything"),
        ("INFO", "debug"),
    )
    assert isinstance(settings, list)
    record: dict[str, object] = {
        "commands": commands(infos, docs),
        "settings": sorted(name.decode() for name in settings[::2]),
        "info": fields(info) | fields(debug),
    }
    RECORD.write_text("\n".join(lines(record)) + "\n", "utf-8")


if __name__ == "__main__":
    main(int(sys.argv[1]))
