# mypyc: interpreted
"""Users as rules that make them again: ACL LIST, ACL GETUSER, files.

The order is Redis': flags, passwords, then of each selector keys, channels and commands, the
rules about commands as they were given (see `hypercache.engine.acl.selectors.Selector.rules`).
"""

from hypercache.engine.acl.selectors import READ, WRITE, Pattern, Selector
from hypercache.engine.acl.users import User


def user_line(user: User) -> bytes:
    """A user as a line of a file: ``user NAME RULES...``."""
    return b" ".join([b"user", user.name, describe_user(user)])


def describe_user(user: User) -> bytes:
    """All rules of a user."""
    words = user_flags(user) + [b"#" + each for each in user.passwords]
    words.append(describe_selector(user.selectors[0]))
    words += [b"(%b)" % describe_selector(each) for each in user.selectors[1:]]
    return b" ".join(words)


def user_flags(user: User) -> list[bytes]:
    """The words for what is no password and no permission."""
    flags = [b"on" if user.enabled else b"off"]
    if user.needs_no_password:
        flags.append(b"nopass")
    flags.append(b"skip-sanitize-payload" if user.skips_sanitizing else b"sanitize-payload")
    return flags


def describe_selector(selector: Selector) -> bytes:
    """All rules of a selector."""
    words = [describe_keys(selector)] if selector.all_keys or selector.keys else []
    if not selector.all_channels:
        words.append(b"resetchannels")
    if selector.all_channels or selector.channels:
        words.append(describe_channels(selector))
    words.append(describe_commands(selector))
    return b" ".join(words)


def describe_keys(selector: Selector) -> bytes:
    """The key patterns."""
    if selector.all_keys:
        return b"~*"
    return b" ".join([key_pattern(each) for each in selector.keys])


def key_pattern(pattern: Pattern) -> bytes:
    """A key pattern with what it allows."""
    if pattern.access == READ | WRITE:
        return b"~" + pattern.text
    return (b"%R~" if pattern.access == READ else b"%W~") + pattern.text


def describe_channels(selector: Selector) -> bytes:
    """The channel patterns."""
    if selector.all_channels:
        return b"&*"
    return b" ".join([b"&" + each.text for each in selector.channels])


def describe_commands(selector: Selector) -> bytes:
    """The rules about commands, beginning with one about all of them."""
    return b" ".join([b"+@all" if selector.starts_full else b"-@all", *selector.rules])
