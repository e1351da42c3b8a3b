"""DEBUG: only with leave, and what it shows is true."""

import time

import pytest

from hypercache.backend import NO_EXPIRE
from hypercache.engine.journal import Record, Sink
from hypercache.testing.engine import EngineHarness
from hypercache.testing.resp import Push, ReplyError, Verbatim

NO_LEAVE = ReplyError(
    'ERR DEBUG command not allowed. If the enable-debug-command option is set to "local", you can '
    "run it from a local connection, otherwise you need to set this option in the configuration "
    "file, and then restart the server."
)


def allowed() -> EngineHarness:
    harness = EngineHarness()
    harness.engine.protected_commands["DEBUG"] = "yes"
    return harness


def test_debug_needs_leave() -> None:
    harness = EngineHarness()
    assert harness.command("DEBUG", "CHECK") == NO_LEAVE
    harness.engine.protected_commands["DEBUG"] = "local"
    assert harness.command("DEBUG", "CHECK") == []
    harness.first.session.is_local = False
    assert harness.command("DEBUG", "CHECK") == NO_LEAVE


@pytest.mark.parametrize("words", [["NOSUCH"], ["SLEEP"], ["OBJECT", "a", "b"]])
def test_what_debug_does_not_know(words: list[str]) -> None:
    expected = (
        f"ERR unknown subcommand or wrong number of arguments for '{words[0]}'. Try DEBUG HELP."
    )
    assert allowed().command("DEBUG", *words) == ReplyError(expected)


def test_help_lists_every_sub_command() -> None:
    lines = allowed().command("DEBUG", "HELP")
    assert isinstance(lines, list)
    assert lines[0] == "DEBUG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"
    assert "SLEEP <seconds>" in lines
    assert lines[-2:] == ["HELP", "    Print this help."]


def test_sleep_stops_everything() -> None:
    harness = allowed()
    began = time.monotonic()
    assert harness.command("DEBUG", "SLEEP", "0.05") == "OK"
    assert time.monotonic() - began >= 0.05
    assert harness.command("DEBUG", "SLEEP", "-1") == "OK"
    refused = ReplyError("ERR value is not a valid float")
    assert harness.command("DEBUG", "SLEEP", "inf") == refused


def test_set_active_expire_leaves_expiry_to_those_who_look() -> None:
    harness = allowed()
    harness.command("SET", "key", "value", "PX", 10)
    assert harness.command("DEBUG", "SET-ACTIVE-EXPIRE", 0) == "OK"
    harness.advance(20)
    harness.tick()
    assert harness.command("DBSIZE") == 1
    assert harness.command("DEBUG", "SET-ACTIVE-EXPIRE", 1) == "OK"
    harness.tick()
    assert harness.command("DBSIZE") == 0


def test_pause_cron_stops_background_work() -> None:
    harness = allowed()
    harness.command("SET", "key", "value", "PX", 10)
    assert harness.command("DEBUG", "PAUSE-CRON", 1) == "OK"
    harness.advance(20)
    harness.tick()
    assert harness.command("DBSIZE") == 1
    assert harness.command("DEBUG", "PAUSE-CRON", 0) == "OK"
    harness.tick()
    assert harness.command("DBSIZE") == 0


def test_populate() -> None:
    harness = allowed()
    harness.command("SET", "key:1", "mine")
    assert harness.command("DEBUG", "POPULATE", 3) == "OK"
    assert harness.command("MGET", "key:0", "key:1", "key:2") == [b"value:0", b"mine", b"value:2"]
    assert harness.command("DEBUG", "POPULATE", 2, "big", 10) == "OK"
    assert harness.command("GET", "big:1") == b"value:1\0\0\0"
    assert harness.command("DEBUG", "POPULATE", 1, "small", 3) == "OK"
    assert harness.command("GET", "small:0") == b"val"
    assert harness.command("DBSIZE") == 6
    refused = ReplyError("ERR value is out of range, must be positive")
    assert harness.command("DEBUG", "POPULATE", -1) == refused
    assert harness.command("DEBUG", "POPULATE", 1, "x", "y") == refused


@pytest.mark.parametrize(
    ("size", "reply"),
    [("0", "OK"), ("200", "OK"), ("10kb", "OK"), ("5gb", None), ("x", None), ("9" * 5000, None)],
)
def test_quicklist_packed_threshold(size: str, reply: str | None) -> None:
    refused = ReplyError("ERR argument must be a memory value bigger than 1 and smaller than 4gb")
    expected = refused if reply is None else reply
    assert allowed().command("DEBUG", "QUICKLIST-PACKED-THRESHOLD", size) == expected


class Collector(Sink):
    """Keeps the effects that are journalled."""

    def __init__(self) -> None:
        super().__init__("collector")
        self.commands: list[list[bytes]] = []

    def write(self, records: list[Record]) -> None:
        for record in records:
            self.commands += [effect.args for effect in record.effects]


def test_populate_is_journalled_as_what_it_does() -> None:
    harness = allowed()
    collector = Collector()
    harness.engine.settlement.add_sink(collector)
    harness.command("DEBUG", "POPULATE", 2, "p")
    assert collector.commands == [[b"SET", b"p:0", b"value:0"], [b"SET", b"p:1", b"value:1"]]


def test_object() -> None:
    harness = allowed()
    missing = ReplyError("ERR no such key")
    assert harness.command("DEBUG", "OBJECT", "missing") == missing
    for value, encoding in (("12", "int"), ("x" * 44, "embstr"), ("x" * 45, "raw")):
        harness.command("SET", "key", value)
        reply = harness.command("DEBUG", "OBJECT", "key")
        assert isinstance(reply, str)
        assert reply.startswith("Value at:0x")
        assert f" refcount:1 encoding:{encoding} serializedlength:" in reply
    harness.command("APPEND", "key", "more")
    assert " encoding:raw " in str(harness.command("DEBUG", "OBJECT", "key"))


def test_check_names_what_is_inconsistent() -> None:
    harness = allowed()
    harness.command("SET", "key", "value")
    assert harness.command("DEBUG", "CHECK") == []
    store = harness.engine.keyspaces[2].store
    entry = store.put(b"broken", b"value", NO_EXPIRE)
    entry.slot = 99
    found = harness.command("DEBUG", "CHECK")
    assert isinstance(found, list)
    assert found[0].startswith(b"db2: ")


def test_digests_are_those_of_redis() -> None:
    """The figures are what redis-server 7.2.6 answers."""
    harness = allowed()
    assert harness.command("DEBUG", "DIGEST") == "0" * 40
    harness.command("DEBUG", "POPULATE", 5)
    assert harness.command("DEBUG", "DIGEST") == "3dcf585977786a6d2413f8f05c161ea425b44de4"
    assert harness.command("DEBUG", "DIGEST-VALUE", "key:1", "key:2", "missing") == [
        "ec4b7bec343ec862c8bd5dd8feab05ec1e9e6703",
        "9b6efae7e0dd687d1b71143bcb1e66d5f2259fd7",
        "0" * 40,
    ]


def test_digests_depend_on_data_and_not_on_their_order() -> None:
    digests = []
    for keys in ("abc", "cab"):
        harness = allowed()
        for key in keys:
            harness.command("HSET", f"hash-{key}", "field", key, "other", key * 2)
            harness.command("SET", key, key)
        digests.append(harness.command("DEBUG", "DIGEST"))
    assert digests[0] == digests[1]
    before = digests[1]
    for change in (("EXPIRE", "a", 100), ("HSET", "hash-a", "field", "x"), ("MOVE", "b", 1)):
        assert harness.command(*change) in (0, 1)
        after = harness.command("DEBUG", "DIGEST")
        assert after != before
        before = after


def test_a_string_edited_in_place_has_the_digest_of_its_bytes() -> None:
    harness = allowed()
    harness.command("SET", "plain", "hello")
    harness.command("APPEND", "edited", "hel")
    harness.command("APPEND", "edited", "lo")
    digests = harness.command("DEBUG", "DIGEST-VALUE", "plain", "edited")
    assert isinstance(digests, list)
    assert digests[0] == digests[1]


@pytest.mark.parametrize(
    ("name", "resp2", "resp3"),
    [
        ("string", b"Hello World", b"Hello World"),
        ("integer", 12345, 12345),
        ("double", b"3.141", 3.141),
        (
            "bignum",
            b"1234567999999999999999999999999999999",
            1234567999999999999999999999999999999,
        ),
        ("null", None, None),
        ("array", [0, 1, 2], [0, 1, 2]),
        ("set", [0, 1, 2], frozenset((0, 1, 2))),
        ("map", [0, 0, 1, 1, 2, 0], {0: False, 1: True, 2: False}),
        ("attrib", *(b"Some real reply following the attribute",) * 2),
        ("verbatim", b"This is a verbatim\nstring", Verbatim("txt", b"This is a verbatim\nstring")),
        ("true", 1, True),
        ("false", 0, False),
    ],
)
def test_protocol_shows_every_type(name: str, resp2: object, resp3: object) -> None:
    harness = allowed()
    for version, expected in ((2, resp2), (3, resp3)):
        reply = harness.client(version).command("DEBUG", "PROTOCOL", name.upper())
        assert reply == expected
        assert type(reply) is type(expected)


def test_a_push_follows_the_reply() -> None:
    harness = allowed()
    refused = ReplyError("ERR RESP2 is not supported by this command")
    assert harness.command("DEBUG", "PROTOCOL", "push") == refused
    client = harness.client(3)
    client.send(b"DEBUG PROTOCOL push\r\nPING\r\n")
    assert client.replies() == [
        b"Some real reply following the push reply",
        Push((b"server-cpu-usage", 42)),
        "PONG",
    ]


def test_protocol_knows_no_other_types() -> None:
    reply = allowed().command("DEBUG", "PROTOCOL", "thing")
    assert isinstance(reply, ReplyError)
    assert reply.text.startswith("ERR Wrong protocol type name. Please use one of the following:")


def test_error_is_one_line_whatever_it_holds() -> None:
    harness = allowed()
    assert harness.command("DEBUG", "ERROR", "ODD a\r\nb") == ReplyError("ODD a  b")
    assert harness.engine.counters.errors == {"ODD": 1}


def test_log() -> None:
    harness = allowed()
    assert harness.command("DEBUG", "LOG", "look here") == "OK"
    assert harness.recorder.reports == [("warning", "debug_log", {"text": "look here"})]


def test_stringmatch() -> None:
    harness = allowed()
    assert harness.command("DEBUG", "STRINGMATCH-LEN", "a*c", "abc") == 1
    assert harness.command("DEBUG", "STRINGMATCH-LEN", "a*c", "abd") == 0


def test_tables_show_their_sizes() -> None:
    harness = allowed()
    harness.script("SET a 1\nSET b 2 EX 100\nSADD s 1 2 3")
    told = harness.command("DEBUG", "HTSTATS", 0)
    assert isinstance(told, bytes)
    assert told.startswith(b"[Dictionary HT]\n number of elements: 3\n")
    assert b"[Expires HT]\n number of elements: 1\n" in told
    assert harness.command("DEBUG", "HTSTATS", 99) == ReplyError("ERR Out of range database")
    assert harness.command("DEBUG", "HTSTATS-KEY", "no") == ReplyError("ERR no such key")
    refused = harness.command("DEBUG", "HTSTATS-KEY", "s", "full")
    assert isinstance(refused, ReplyError)
    assert "not represented using an hash table" in refused.text


def test_a_new_replication_id() -> None:
    harness = allowed()
    before = harness.engine.statistics.replication_id
    assert harness.command("DEBUG", "CHANGE-REPL-ID") == "OK"
    assert harness.engine.statistics.replication_id != before


def test_reply_buffers_are_not_there_to_be_tuned() -> None:
    harness = allowed()
    for words in (["peak-reset-time", "never"], ["peak-reset-time", 100], ["resizing", 0]):
        assert harness.command("DEBUG", "REPLYBUFFER", *words) == "OK"
    for words in (["peak-reset-time", "x"], ["nosuch", 1]):
        assert isinstance(harness.command("DEBUG", "REPLYBUFFER", *words), ReplyError)


def test_settings_are_written_to_a_file_only() -> None:
    harness = allowed()
    refused = harness.command("DEBUG", "CONFIG-REWRITE-FORCE-ALL")
    assert isinstance(refused, ReplyError)
    assert refused.text.startswith("ERR CONFIG-REWRITE-FORCE-ALL failed: ")
