# mypyc: interpreted
"""Users in the configuration and in the file of ACL LOAD and SAVE.

Nothing here repeats a rule that could hold a password: of a rule that is refused, only what is
about an unknown command or category is shown.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from hypercache.engine.acl.access import DEFAULT, AccessControl, password_rules
from hypercache.engine.acl.description import user_line
from hypercache.engine.acl.rules import (
    UNKNOWN,
    RuleError,
    Rules,
    UnknownName,
    has_spaces,
    merge_selectors,
)
from hypercache.engine.acl.users import User
from hypercache.files import replace_file
from hypercache.reply import quotable

BOTH: Final = (
    "Configuring Redis with users defined in redis.conf and at the same setting an ACL file path "
    "is invalid. This setup is very likely to lead to configuration errors and security holes, "
    "please define either an ACL file or declare users directly in your redis.conf, but not both."
)
_UNCHANGED: Final = (
    "WARNING: ACL errors detected, no change to the previously active ACL rules was performed"
)
_DUPLICATE: Final = "Duplicate user found. A user can only be defined once in config files"
_REFUSED: Final = "Aborting Redis startup because of ACL errors: "
_TRIMMED: Final = b" \t\r\n"


class AclFileError(Exception):
    """Users that cannot be loaded; the text lists all mistakes."""


class Loaded:
    """Users read from somewhere.

    ``errors`` are sentences. ``pending`` are the rules about commands that are not known, each
    with the sentence that complains of it, if rules of that kind were let pass.
    """

    def __init__(self) -> None:
        self.users: dict[bytes, User] = {}
        self.errors: list[str] = []
        self.pending: list[tuple[bytes, str]] = []


def read_file(name: str, path: Path, rules: Rules, defer: bool) -> Loaded:
    """The users of a file, which mistakes call ``name``.

    With ``defer``, rules about commands that are not known are let pass.
    """
    loaded = Loaded()
    try:
        data = path.read_bytes()
    except OSError as error:
        loaded.errors.append(
            f"Error loading ACLs, opening file '{name}': {os.strerror(error.errno or 0)}"
        )
        return loaded
    for number, line in enumerate(data.split(b"\n"), 1):
        words = line.strip(_TRIMMED).split(b" ")
        if words == [b""]:
            continue
        where = f"{name}:{number}"
        if words[0] != b"user" or len(words) < 2:
            loaded.errors.append(
                f"{where} should start with user keyword followed by the username. "
            )
        elif has_spaces(words[1]):
            loaded.errors.append(
                f"'{where}: username '{quotable(words[1])}' contains invalid characters. "
            )
        elif words[1] in loaded.users:
            loaded.errors.append(
                f"WARNING: Duplicate user '{quotable(words[1])}' found on line {number}. "
            )
        else:
            read_user(loaded, words[1], words[2:], rules, where, defer)
    if loaded.errors:
        loaded.errors.append(_UNCHANGED)
    return loaded


def read_user(
    loaded: Loaded, name: bytes, words: list[bytes], rules: Rules, where: str, defer: bool
) -> None:
    """Read one user; of the mistakes that are not about commands, the first is noted."""
    user = rules.new_user(name)
    loaded.users[name] = user
    try:
        merged = merge_selectors(words)
    except RuleError as error:
        loaded.errors.append(f"{where}: {error.text}")
        return
    mistaken = False
    for word in merged:
        rule = word.strip(b"\t\r\n")
        rules.unknown = [] if defer else None
        try:
            rules.change_user(user, rule)
        except UnknownName as unknown:
            loaded.errors.append(unknown_text(where, rule, unknown.text))
        except RuleError as mistake:
            if not mistaken:
                loaded.errors.append(f"{where}: {mistake.text}. ")
            mistaken = True
        for each in rules.unknown or []:
            loaded.pending.append((each, unknown_text(where, each, UNKNOWN)))
        rules.unknown = None
    user.settle()


def unknown_text(where: str, rule: bytes, reason: str) -> str:
    """The complaint about a rule for a command that is not known."""
    return f"{where}: Error in applying operation '{quotable(rule)}': {reason}. "


def read_lines(lines: Sequence[Sequence[str]], rules: Rules) -> Loaded:
    """The users of the configuration's ``user`` lines: a name and rules in each."""
    loaded = Loaded()
    for name, *rest in lines:
        user = name.encode("utf-8", "surrogateescape")
        where = f"user {name}"
        words = [word.encode("utf-8", "surrogateescape") for word in rest]
        if has_spaces(user):
            loaded.errors.append("Spaces not allowed in ACL usernames. ")
        elif user in loaded.users:
            loaded.errors.append(f"{where}: {_DUPLICATE}. ")
        else:
            read_user(loaded, user, words, rules, where, True)
    return loaded


class Store:
    """The file that users are loaded from and saved to; mistakes call it ``name``."""

    def __init__(self, access: AccessControl, name: str, path: Path) -> None:
        self.access = access
        self.name = name
        self.path = path

    def load(self) -> None:
        """ACL LOAD: replace all users; raises `AclFileError` and changes nothing."""
        loaded = read_file(self.name, self.path, self.access.rules, False)
        if loaded.errors:
            raise AclFileError("".join(loaded.errors))
        self.access.replace_users(loaded.users)

    def save(self) -> None:
        """ACL SAVE: write all users; nobody else may read the file. Raises OSError."""
        users = self.access.users
        lines = [user_line(users[name]) + b"\n" for name in sorted(users)]
        replace_file(self.path, b"".join(lines), 0o600)


class Start:
    """Users when a server starts: those of its configuration, or of its ACL file.

    Plugins may bring commands that rules are about already: `begin` lets these pass, and
    `finish` looks again once the plugins have started.
    """

    def __init__(self, access: AccessControl) -> None:
        self.access = access
        self._pending: list[tuple[bytes, str]] = []

    def begin(self, lines: Sequence[Sequence[str]], store: Store | None) -> None:
        """Load them; raises `AclFileError` with all mistakes."""
        access = self.access
        access.store = store
        if store is None:
            loaded = read_lines(lines, access.rules)
        elif lines:
            raise AclFileError(BOTH)
        else:
            loaded = read_file(store.name, store.path, access.rules, True)
        if loaded.errors:
            raise AclFileError(_REFUSED + "".join(loaded.errors).rstrip())
        if store is not None or loaded.users:
            default = {} if store is not None else {DEFAULT: access.default}
            access.replace_users({**default, **loaded.users})
        self._pending = loaded.pending

    def finish(self) -> None:
        """Raise `AclFileError` where rules are about commands that nobody has brought."""
        known = self.access.rules.is_known
        errors = [complaint for rule, complaint in self._pending if not known(rule)]
        if errors:
            raise AclFileError(_REFUSED + "".join(errors).rstrip())


def user_settings(access: AccessControl) -> tuple[tuple[str, ...], ...]:
    """All users as ``user`` lines of a configuration.

    The default user is left out where it is as it would be without such a line.
    """
    lines = []
    for name in access.names():
        user = access.users[name]
        if name == DEFAULT and is_pristine(user, access):
            continue
        words = user_line(user).split(b" ")[1:]
        lines.append(tuple(word.decode("utf-8", "surrogateescape") for word in words))
    return tuple(lines)


def is_pristine(user: User, access: AccessControl) -> bool:
    """Whether a default user is as ``requirepass`` and no other setting make it."""
    plain = access.new_default()
    password = access.engine.configuration.settings.requirepass
    access.rules.apply(plain, password_rules(password))
    return user_line(plain) == user_line(user)
