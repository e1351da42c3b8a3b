"""Write the replies of a redis-server 7.2 into transcripts.

    python -m tests.support.record PORT FILE...

Each section is played from no data on (all data of that server are lost), and the file is
written again with the replies that came: write the requests, let Redis write the rest.
"""

import socket
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import IO

from hypercache.testing.resp import decode_next, encode
from tests.support.transcripts import RESP3, Section, load

#: Seconds after which nothing comes any more.
PATIENCE = 5.0


def record(port: int, section: Section) -> str:
    """A section as the server at a port of this machine plays it."""
    with ExitStack() as stack:
        streams: dict[str, IO[bytes]] = {}

        def send(client: str, arguments: list[bytes]) -> None:
            if client not in streams:
                connection = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
                connection.settimeout(PATIENCE)
                streams[client] = stack.enter_context(connection.makefile("rwb"))
                if client.startswith(RESP3):
                    send(client, [b"HELLO", b"3"])
                    receive(client)
            streams[client].write(encode(*arguments))
            streams[client].flush()

        def receive(client: str) -> object:
            try:
                return decode_next(streams[client])
            except TimeoutError as error:
                raise RuntimeError(f"{section}: {client!r} waits in vain") from error

        send("recorder", [b"FLUSHALL"])
        receive("recorder")
        return section.play(send, receive)


def main(port: str, *files: str) -> None:
    """Record files."""
    for file in files:
        sections = [record(int(port), section) for section in load(Path(file))]
        Path(file).write_text("\n\n".join(sections) + "\n", "utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
