"""A user: its name, its passwords and its permissions."""

from hashlib import sha256
from hmac import compare_digest

from mypy_extensions import i64

from hypercache.engine.acl.selectors import CHANNEL, COMMAND, KEY, SHIFT, Selector
from hypercache.engine.command import Command
from hypercache.reply import printable


class User:
    """One user. ``passwords`` are SHA-256 digests in hexadecimal.

    The first of the ``selectors`` is what rules outside of parentheses are about. A call is
    allowed when one selector as a whole allows it. Of an ``unrestricted`` user no call has to
    be checked.
    """

    def __init__(self, name: bytes, all_channels: bool) -> None:
        self.name = name
        self.enabled = False
        self.needs_no_password = False
        self.skips_sanitizing = False
        self.passwords: list[bytes] = []
        self.selectors: list[Selector] = [Selector(all_channels)]
        self.unrestricted = False

    def take_over(self, other: "User") -> None:
        """Have the passwords and permissions of another user from now on."""
        self.enabled = other.enabled
        self.needs_no_password = other.needs_no_password
        self.skips_sanitizing = other.skips_sanitizing
        self.passwords = other.passwords.copy()
        self.selectors = [selector.copy() for selector in other.selectors]
        self.settle()

    def settle(self) -> None:
        """The selectors have changed."""
        self.unrestricted = False
        for selector in self.selectors:
            if selector.is_unrestricted():
                self.unrestricted = True

    def verdict(self, command: Command, args: list[bytes]) -> i64:
        """0 where a call is allowed, else what to report. See `hypercache.engine.acl.selectors`."""
        worst: i64 = 0
        for selector in self.selectors:
            verdict: i64 = selector.verdict(command, args)
            if verdict == 0:
                return 0
            if verdict > worst:
                worst = verdict
        return worst

    def accepts(self, password: bytes) -> bool:
        """Whether a password lets in; how long that takes tells nothing of the passwords."""
        digest = hashed(password)
        accepted = False
        for each in self.passwords:
            if compare_digest(each, digest):
                accepted = True
        return self.enabled and (accepted or self.needs_no_password)


class Refusal:
    """A call that a user may not make.

    ``kind`` is `COMMAND`, `KEY` or `CHANNEL`; ``subject`` the command's name, the key or the
    channel.
    """

    def __init__(self, user: User, command: Command, kind: i64, subject: bytes) -> None:
        self.user = user
        self.command = command
        self.kind: i64 = kind
        self.subject = subject

    def text(self) -> str:
        """What a client is told behind NOPERM: nothing that names keys or channels."""
        if self.kind == KEY:
            return "No permissions to access a key"
        if self.kind == CHANNEL:
            return "No permissions to access a channel"
        return self.full_text()

    def reason(self) -> str:
        """Why EXEC leaves out what was allowed when it was queued."""
        if self.kind == KEY:
            return "no permission to touch the specified keys"
        if self.kind == CHANNEL:
            return "no permission to access one of the channels used as arguments"
        return "no permission to execute the command or subcommand"

    def full_text(self) -> str:
        """What an administrator is told (ACL DRYRUN)."""
        user = printable(self.user.name)
        if self.kind == COMMAND:
            name = printable(self.command.name)
            return f"User {user} has no permissions to run the '{name}' command"
        what = "key" if self.kind == KEY else "channel"
        return f"User {user} has no permissions to access the '{printable(self.subject)}' {what}"


def check(user: User, command: Command, args: list[bytes]) -> Refusal | None:
    """What forbids a user a call; None when nothing does. Nothing is logged or counted."""
    if user.unrestricted:
        return None
    verdict: i64 = user.verdict(command, args)
    if verdict == 0:
        return None
    kind: i64 = verdict >> SHIFT
    at: i64 = verdict & 0xFFFFFFFF
    return Refusal(user, command, kind, command.name if kind == COMMAND else args[at])


def may_use_every_key(user: User, command: Command, args: list[bytes], flags: i64) -> bool:
    """Whether a call is allowed by a selector that also allows such a use of all keys."""
    if user.unrestricted:
        return True
    for selector in user.selectors:
        if selector.verdict(command, args) == 0 and selector.may_use_every_key(flags):
            return True
    return False


def hashed(password: bytes) -> bytes:
    """The SHA-256 digest of a password in hexadecimal."""
    return sha256(password).hexdigest().encode()
