"""Filters before LMDB, in a whole server: no key is denied, whatever happens to keys and server."""

import random
import time
from pathlib import Path

from tests.support.resp import Client, connect, info
from tests.support.servers import StartServer

KEYS = 2500


def fill(client: Client, numbers: range, expire: int = 0) -> None:
    """Store some keys, so many with each request."""
    for start in range(numbers.start, numbers.stop, 500):
        some = range(start, min(start + 500, numbers.stop))
        limit = ("PX", str(expire)) if expire else ()
        client.pipeline(*(("SET", f"key:{number}", str(number), *limit) for number in some))


def figures(client: Client) -> dict[str, int]:
    """INFO's numbers about the filters."""
    fields = info(client, "backend").items()
    return {name[14:]: int(text) for name, text in fields if name.startswith("lookup_filter_")}


def wait_until_built(client: Client) -> None:
    """Every segment answers."""
    deadline = time.monotonic() + 10
    while (now := figures(client))["segments"] != now["segments_built"] or not now["segments"]:
        assert time.monotonic() < deadline, now
        time.sleep(0.02)


def found(client: Client, model: set[int], random_: random.Random) -> None:
    """All keys are there, and of those that are not, the store is spared nearly all."""
    numbers = sorted(model)
    replies = client.pipeline(*(("GET", f"key:{number}") for number in numbers))
    assert replies == [str(number).encode() for number in numbers]
    before = figures(client)
    absent = [f"absent:{random_.randrange(10**9)}" for _ in range(1000)]
    assert client.pipeline(*(("GET", key) for key in absent)) == [None] * len(absent)
    after = figures(client)
    spared = after["spared"] - before["spared"]
    in_vain = after["false_positives"] - before["false_positives"]
    assert spared + in_vain >= len(absent)
    assert in_vain <= 0.02 * len(absent)


def test_no_key_is_denied(start_server: StartServer, tmp_path: Path) -> None:
    random_ = random.Random(7)
    settings = {"backend": "lmdb", "backend-settings.sync": "always"}
    server = start_server(settings, directory=tmp_path)
    with connect(server) as client:
        fill(client, range(KEYS))
        fill(client, range(KEYS, KEYS + 500), expire=50)
        model = set(range(KEYS))
        for number in random_.sample(range(KEYS), KEYS // 3):
            model.discard(number)
        gone = sorted(set(range(KEYS)) - model)
        client.pipeline(*(("UNLINK", f"key:{number}") for number in gone))
        wait_until_built(client)
        time.sleep(0.06)
        found(client, model, random_)
        assert client.call("CONFIG", "SET", "lookup-filter-error-rate", "no") == "OK"
        fill(client, range(10_000, 10_500))
        assert client.call("CONFIG", "SET", "lookup-filter-error-rate", "0.001") == "OK"
        model |= set(range(10_000, 10_500))
        wait_until_built(client)
        found(client, model, random_)
    server.kill()
    again = start_server(settings, directory=tmp_path)
    with connect(again) as client:
        wait_until_built(client)
        found(client, model, random_)
        assert client.call("DBSIZE") == len(model)
        assert client.call("FLUSHALL") == "OK"
        fill(client, range(300))
        wait_until_built(client)
        found(client, set(range(300)), random_)
    again.stop()
