"""What expressions give in the Lua of a redis-server 7.2, written down to be compared.

    python -m tests.support.lua_cases PORT FILE...

has that server evaluate every expression of the files again and write its results after them:

    > cjson.encode({1, "a"})
    "[1,\\"a\\"]"

An expression stands on one line and is evaluated as the script ``user_script``; its results,
or its error, stand on the next line as ``show.lua`` writes them.
"""

import socket
import sys
from pathlib import Path
from typing import Final

from hypercache.testing.resp import decode_next, encode

CASES: Final = Path(__file__).parents[1] / "unit" / "plugins" / "lua_libraries"
_SHOW: Final = (CASES / "show.lua").read_bytes()


def script(expression: str) -> bytes:
    """A script that returns the results of an expression as one string.

    It is one line that begins with the expression, so that errors tell of line 1.
    """
    show = b" ".join(
        line.strip() for line in _SHOW.splitlines() if not line.lstrip().startswith(b"--")
    )
    case = expression.encode("utf-8")
    return b"%s return render(pcall(function() return collect(%s) end))" % (show, case)


def load(path: Path) -> list[tuple[str, str]]:
    """The expressions of a file, each with what it gives."""
    lines = [line for line in path.read_text("utf-8").splitlines() if line[:1] not in ("", "#")]
    cases: list[tuple[str, str]] = []
    for line in lines:
        if line.startswith("> "):
            cases.append((line[2:], ""))
        else:
            cases[-1] = (cases[-1][0], line)
    return cases


def record(port: int, path: Path) -> None:
    """Write the results that a server at a port of this machine gives into a file."""
    lines = []
    with (
        socket.create_connection(("127.0.0.1", port)) as connection,
        connection.makefile("rwb") as stream,
    ):
        for line in path.read_text("utf-8").splitlines():
            if line.startswith("> "):
                stream.write(encode(b"EVAL", script(line[2:]), b"0"))
                stream.flush()
                reply = decode_next(stream)
                assert isinstance(reply, bytes), f"{line}: {reply!r}"
                lines += [line, reply.decode("ascii")]
            elif line[:1] in ("", "#"):
                lines.append(line)
    path.write_text("\n".join(lines) + "\n", "utf-8")


def main(port: str, *files: str) -> None:
    """Record files."""
    for file in files:
        record(int(port), Path(file))


if __name__ == "__main__":
    main(*sys.argv[1:])
