"""Users in files: the ACL file, ``user`` lines, and what is refused."""

import stat
from pathlib import Path

import pytest

from hypercache.config import load
from hypercache.engine.acl.description import user_line
from hypercache.engine.acl.file import AclFileError, Start, Store
from hypercache.server import Server, StartError
from hypercache.testing.engine import EngineHarness, HarnessClient
from hypercache.testing.resp import ReplyError

DIGEST = "30c952fab122c3f9759f02a6d95c3758b246b4fee239957b2d4fee46e26170c4"
PRISTINE = b"user default on nopass sanitize-payload ~* &* +@all"
UNCHANGED = (
    "WARNING: ACL errors detected, no change to the previously active ACL rules was performed"
)


class Stored:
    """An engine with an ACL file."""

    def __init__(self, folder: Path) -> None:
        self.harness = EngineHarness()
        self.path = folder / "users.acl"
        acl = self.harness.engine.acl
        acl.store = Store(acl, "users.acl", self.path)

    def load(self, text: str) -> object:
        self.path.write_text(text)
        return self.harness.command("ACL", "LOAD")

    def list(self) -> object:
        return self.harness.command("ACL", "LIST")

    def client(self, name: str) -> HarnessClient:
        client = self.harness.client()
        assert client.command("AUTH", name, "pw") == "OK"
        return client


@pytest.fixture
def stored(tmp_path: Path) -> Stored:
    return Stored(tmp_path)


def test_load_replaces_all_users(stored: Stored) -> None:
    stored.harness.command("ACL", "SETUSER", "old", "on", ">pw", "+@all")
    stored.harness.command("ACL", "SETUSER", "kept", "on", ">pw", "+@all")
    clients = [stored.client("old"), stored.client("kept")]
    text = f"user kept on #{DIGEST} ~a +get\n\n \t\r\n"
    text += "user new on >pw (~b +get) ( ~c   +set )\r\n   user off -@all   off\t\n"
    assert stored.load(text) == "OK"
    assert stored.list() == [
        PRISTINE,
        f"user kept on sanitize-payload #{DIGEST} ~a resetchannels -@all +get".encode(),
        f"user new on sanitize-payload #{DIGEST} resetchannels -@all (~b resetchannels -@all +get)"
        " (~c resetchannels -@all +set)".encode(),
        b"user off off sanitize-payload resetchannels -@all",
    ]
    assert [client.closed for client in clients] == [True, True]
    assert not stored.harness.first.closed


def test_load_of_the_default_user(stored: Stored) -> None:
    assert stored.load("user default on nopass ~a +get +acl\n") == "OK"
    assert stored.harness.command("GET", "b") == ReplyError("NOPERM No permissions to access a key")
    assert stored.load("") == "OK"
    assert stored.list() == [PRISTINE]
    assert stored.harness.command("GET", "b") is None


def test_load_takes_all_or_nothing_and_lists_every_mistake(stored: Stored) -> None:
    before = stored.list()
    text = "\n".join(
        [
            "user good on nopass",
            "usr bad",
            "user",
            "user good off",
            "user one +nothing -nothing2 secret1 >x <secret2",
            "user two (+get",
            "user three\v +get",
            "user four <secret3 +@none",
        ]
    )
    unknown = "Unknown command or category name in ACL"
    assert stored.load(text) == ReplyError(
        "ERR "
        "users.acl:2 should start with user keyword followed by the username. "
        "users.acl:3 should start with user keyword followed by the username. "
        "WARNING: Duplicate user 'good' found on line 4. "
        f"users.acl:5: Error in applying operation '+nothing': {unknown}. "
        f"users.acl:5: Error in applying operation '-nothing2': {unknown}. "
        "users.acl:5: Syntax error. "
        "users.acl:6: Unmatched parenthesis in selector definition."
        "'users.acl:7: username 'three\v' contains invalid characters. "
        "users.acl:8: The password you are trying to remove from the user does not exist. "
        f"users.acl:8: Error in applying operation '+@none': {unknown}. {UNCHANGED}"
    )
    assert stored.list() == before


def test_load_without_the_file(stored: Stored) -> None:
    assert stored.harness.command("ACL", "LOAD") == ReplyError(
        "ERR Error loading ACLs, opening file 'users.acl': No such file or directory"
    )


def test_save_is_read_back_and_private(stored: Stored, tmp_path: Path) -> None:
    command = stored.harness.command
    command("ACL", "SETUSER", "alice", "on", ">pw", "~a*", "%R~b", "&c", "+@all", "-@write")
    command("ACL", "SETUSER", "bob", "nopass", "(~x +set)", "+select|0")
    before = stored.list()
    stored.path.write_text("")
    stored.path.chmod(0o644)
    assert command("ACL", "SAVE") == "OK"
    assert stat.S_IMODE(stored.path.stat().st_mode) == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["users.acl"]
    assert isinstance(before, list)
    assert stored.path.read_bytes() == b"".join(line + b"\n" for line in before)
    command("ACL", "SETUSER", "alice", "off", "+@all")
    command("ACL", "DELUSER", "bob")
    assert command("ACL", "LOAD") == "OK"
    assert stored.list() == before


def test_save_that_fails_is_reported(stored: Stored) -> None:
    store = stored.harness.engine.acl.store
    assert store is not None
    store.path = store.path / "nowhere"
    assert stored.harness.command("ACL", "SAVE") == ReplyError(
        "ERR There was an error trying to save the ACLs. Please check the server logs for more "
        "information"
    )
    assert "acl_save_failed" in [event for _, event, _ in stored.harness.recorder.reports]


# At the start --------------------------------------------------------------------------------


def started(folder: Path, *words: str) -> Server:
    """A server that has read its configuration; it serves nobody."""
    return Server(load([*words, "--dir", str(folder)]))


def lines(server: Server) -> list[bytes]:
    acl = server.engine.acl
    return [user_line(acl.users[name]) for name in acl.names()]


def test_start_with_a_file(tmp_path: Path) -> None:
    (tmp_path / "users.acl").write_text("user alice on nopass +@all\n")
    server = started(tmp_path, "--aclfile", "users.acl", "--requirepass", "pw")
    assert lines(server) == [
        b"user alice on nopass sanitize-payload resetchannels +@all",
        PRISTINE,
    ]


def test_start_with_lines(tmp_path: Path) -> None:
    conf = tmp_path / "a.conf"
    conf.write_text(
        "requirepass pw\nacl-pubsub-default allchannels\nuser alice on >pw (~a +get )\n"
        "user bob off\n"
    )
    server = started(tmp_path, str(conf))
    assert lines(server) == [
        f"user alice on sanitize-payload #{DIGEST} &* -@all (~a &* -@all +get)".encode(),
        b"user bob off sanitize-payload &* -@all",
        f"user default on sanitize-payload #{DIGEST} ~* &* +@all".encode(),
    ]


def test_a_line_for_the_default_user_is_more_than_requirepass(tmp_path: Path) -> None:
    conf = tmp_path / "a.conf"
    conf.write_text("requirepass pw\nuser default on nopass ~a +get\n")
    assert lines(started(tmp_path, str(conf))) == [
        b"user default on nopass sanitize-payload ~a resetchannels -@all +get"
    ]


@pytest.mark.parametrize(
    ("conf", "reason"),
    [
        ("aclfile users.acl\nuser bob on\n", "Configuring Redis with users defined in redis.conf"),
        ("aclfile missing.acl\n", "opening file 'missing.acl': No such file or directory"),
        ("aclfile users.acl\n", "users.acl:2: Syntax error. WARNING: ACL errors detected"),
        ("user bob on\nuser bob off\n", "user bob: Duplicate user found."),
        ("user bob on wrong\n", "user bob: Syntax error."),
        ('user "b b" on\n', "Spaces not allowed in ACL usernames."),
        ("user bob (+get\n", "user bob: Unmatched parenthesis in selector definition."),
    ],
)
def test_starts_that_are_refused(tmp_path: Path, conf: str, reason: str) -> None:
    (tmp_path / "users.acl").write_text("user alice on\nuser carol hunter2\n")
    path = tmp_path / "a.conf"
    path.write_text(conf)
    with pytest.raises(StartError) as refused:
        started(tmp_path, str(path))
    assert reason in str(refused.value)
    assert "hunter2" not in str(refused.value)


def test_rules_for_commands_of_plugins_wait_for_them() -> None:
    engine = EngineHarness().engine
    start = Start(engine.acl)
    start.begin([("bob", "on", "+get", "+extra|x", "+@none", "(+extra2", ")")], None)
    unknown = "Unknown command or category name in ACL"
    with pytest.raises(AclFileError) as refused:
        start.finish()
    assert str(refused.value) == "Aborting Redis startup because of ACL errors: " + " ".join(
        f"user bob: Error in applying operation '{rule}': {unknown}."
        for rule in ("+extra|x", "+@none", "+extra2")
    )
    assert user_line(engine.acl.users[b"bob"]).endswith(
        b"-@all +get +extra|x +@none (resetchannels -@all +extra2)"
    )


# CONFIG REWRITE ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a.conf", "a.yaml"])
def test_rewrite_keeps_users(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    old = {"a.conf": "user old on\nport 0\n", "a.yaml": "security:\n  user: old on\nport: 0\n"}
    path.write_text(old[name])
    server = started(tmp_path, str(path))
    acl = server.engine.acl
    assert acl.delete_user(b"old")
    acl.set_user(b"alice", [b"on", b">hunter2", b"~a\\*'\"", b"(~b", b"+get)", b"&c"])
    acl.set_user(b"b\xffb", [b"+@all", b"-@write"])
    server.configuration.rewrite()
    text = path.read_text("utf-8", "surrogateescape")
    assert "hunter2" not in text
    assert "old" not in text
    assert "default" not in text
    again = started(tmp_path, str(path))
    assert lines(again) == lines(server)
    again.configuration.rewrite()
    assert path.read_text("utf-8", "surrogateescape") == text
    acl.set_user(b"default", [b"-flushall"])
    server.configuration.rewrite()
    assert lines(started(tmp_path, str(path))) == lines(server)
    for user in (b"alice", b"b\xffb"):
        acl.delete_user(user)
    acl.set_user(b"default", [b"+@all"])
    server.configuration.rewrite()
    assert "alice" not in path.read_text()
    assert lines(started(tmp_path, str(path))) == [PRISTINE]


def test_rewrite_leaves_users_to_the_file(tmp_path: Path) -> None:
    (tmp_path / "users.acl").write_text("user alice on nopass +@all\n")
    path = tmp_path / "a.conf"
    path.write_text("aclfile users.acl\n")
    server = started(tmp_path, str(path))
    server.configuration.rewrite()
    assert "user alice" not in path.read_text()
