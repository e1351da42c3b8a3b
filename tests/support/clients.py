"""What CLIENT LIST and CLIENT INFO tell."""

from hypercache.testing.engine import HarnessClient
from hypercache.testing.resp import Verbatim


def described(reply: object) -> list[dict[str, str]]:
    """The fields of each line of CLIENT LIST."""
    if isinstance(reply, Verbatim):
        reply = reply.text
    assert isinstance(reply, bytes)
    assert reply == b"" or reply.endswith(b"\n")
    lines = reply.decode().splitlines()
    return [dict(field.split("=", 1) for field in line.split(" ")) for line in lines]


def info(client: HarnessClient) -> dict[str, str]:
    """The fields of CLIENT INFO."""
    (fields,) = described(client.command("CLIENT", "INFO"))
    return fields
