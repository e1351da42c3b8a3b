"""The language of ACL SETUSER: what each rule makes of a user. Source: Redis 7.2, ACL SETUSER."""

from typing import Final

from hypercache.engine.acl.selectors import READ, WRITE, Pattern, Selector
from hypercache.engine.acl.users import User, hashed
from hypercache.engine.command import CATEGORIES, Command
from hypercache.engine.registry import Registry
from hypercache.protocol.inline import split_words
from hypercache.reply import quotable

SYNTAX: Final = "Syntax error"
UNKNOWN: Final = "Unknown command or category name in ACL"
USELESS_KEYS: Final = (
    "Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and does not have "
    "any effect. Try 'resetkeys' to start with an empty list of patterns"
)
USELESS_CHANNELS: Final = (
    "Adding a pattern after the * pattern (or the 'allchannels' flag) is not valid and does not "
    "have any effect. Try 'resetchannels' to start with an empty list of channels"
)
NO_PASSWORD: Final = "The password you are trying to remove from the user does not exist"
BAD_HASH: Final = (
    "The password hash must be exactly 64 characters and contain only lowercase hexadecimal "
    "characters"
)
FIRST_ARGUMENT: Final = "Allowing first-arg of a subcommand is not supported"

_SPACES: Final = b" \t\n\v\f\r\0"
_HEX_DIGITS: Final = b"0123456789abcdef"
_OPEN: Final = b"("
_CLOSE: Final = b")"


class RuleError(Exception):
    """A rule that makes no sense; ``text`` says why, in Redis' words and without the rule."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


class Rules:
    """Carries out rules.

    ``all_channels`` tells whether new users may use all channels (acl-pubsub-default).
    While ``unknown`` is a list, rules about commands that are not known are noted there and
    come into force when the command is added; otherwise they are errors.
    """

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self.all_channels = False
        self.unknown: list[bytes] | None = None

    def new_user(self, name: bytes) -> User:
        """A user that may do nothing."""
        return User(name, self.all_channels)

    def apply(self, user: User, rules: list[bytes]) -> None:
        """Carry out rules one after the other; raises `RuleError` amid them."""
        for rule in rules:
            self.change_user(user, rule)
        user.settle()

    def change_user(self, user: User, rule: bytes) -> None:
        """Carry out one rule; raises `RuleError`. `User.settle` is left to the caller."""
        word = rule.lower()
        if not rule:
            return
        if word == b"on" or word == b"off":
            user.enabled = word == b"on"
        elif word == b"skip-sanitize-payload" or word == b"sanitize-payload":
            user.skips_sanitizing = word == b"skip-sanitize-payload"
        elif word == b"nopass" or word == b"resetpass":
            user.needs_no_password = word == b"nopass"
            user.passwords = []
        elif rule[:1] in (b">", b"#", b"<", b"!"):
            change_passwords(user, rule)
        elif rule[:1] == _OPEN and rule[-1:] == _CLOSE:
            user.selectors.append(self.new_selector(rule[1:-1]))
        elif word == b"clearselectors":
            user.selectors = user.selectors[:1]
        elif word == b"reset":
            user.take_over(self.new_user(user.name))
        else:
            self.change_selector(user.selectors[0], rule)

    def new_selector(self, text: bytes) -> Selector:
        """The selector that rules between parentheses describe."""
        selector = Selector(self.all_channels)
        for rule in split_words(text) or []:
            self.change_selector(selector, rule)
        return selector

    def change_selector(self, selector: Selector, rule: bytes) -> None:
        """Carry out one rule about commands, keys or channels; raises `RuleError`."""
        word = rule.lower()
        first = rule[:1]
        if word in (b"allkeys", b"~*", b"resetkeys"):
            selector.all_keys = word != b"resetkeys"
            selector.keys = []
        elif word in (b"allchannels", b"&*", b"resetchannels"):
            selector.all_channels = word != b"resetchannels"
            selector.channels = []
        elif word in (b"allcommands", b"+@all"):
            self.set_all_commands(selector, True)
        elif word in (b"nocommands", b"-@all"):
            self.set_all_commands(selector, False)
        elif first == b"~" or first == b"%":
            add_key_pattern(selector, rule)
        elif first == b"&":
            add_channel_pattern(selector, rule[1:])
        elif first == b"+" or first == b"-":
            self.change_commands(selector, word)
        else:
            raise RuleError(SYNTAX)

    def set_all_commands(self, selector: Selector, allowed: bool) -> None:
        """Allow every command, those still to come included, or none."""
        selector.all_commands = allowed
        selector.starts_full = allowed
        selector.allowed = (b"\1" if allowed else b"\0") * self.registry.numbered()
        selector.rules = []
        selector.first_arguments = {}

    def change_commands(self, selector: Selector, rule: bytes) -> None:
        """Carry out ``+name``, ``-name``, ``+@category`` or ``-@category``."""
        allowed = rule[:1] == b"+"
        name = rule[1:]
        try:
            if name[:1] == b"@":
                self.set_category(selector, name[1:], allowed)
            elif allowed and b"|" in name:
                self.allow_word(selector, name)
            else:
                set_command(selector, self.command(name), allowed)
        except UnknownName:
            if self.unknown is None:
                raise
            self.unknown.append(rule)
        remember(selector, name, allowed)

    def command(self, name: bytes) -> Command:
        """A command by its full name, whatever rename-command has made of it."""
        command = self.registry.original(name)
        if command is None:
            raise UnknownName(UNKNOWN)
        return command

    def set_category(self, selector: Selector, name: bytes, allowed: bool) -> None:
        """Allow or forbid the commands of a category."""
        text = quotable(name)
        if text not in CATEGORIES:
            raise UnknownName(UNKNOWN)
        bit = 1 << CATEGORIES.index(text)
        for command in self.registry.originals():
            if command.categories & bit:
                set_command(selector, command, allowed)

    def allow_word(self, selector: Selector, name: bytes) -> None:
        """Carry out ``+command|word``: a sub-command, or a first argument."""
        container, _, word = name.rpartition(b"|")
        command = self.command(container)
        if command.parent is not None:
            raise RuleError(FIRST_ARGUMENT)
        if not word:
            raise RuleError(SYNTAX)
        if command.subcommands is not None:
            set_command(selector, self.command(name), True)
            return
        words = selector.first_arguments.setdefault(command.name, [])
        if word not in words:
            words.append(word)

    def renew(self, selector: Selector) -> None:
        """Commands have come or gone: work out anew which ones are allowed.

        A rule about a command that is not there now stays, for when it is back.
        """
        rules = selector.rules
        self.set_all_commands(selector, selector.starts_full)
        noted = self.unknown
        self.unknown = []
        for rule in rules:
            self.change_commands(selector, rule)
        self.unknown = noted

    def is_known(self, rule: bytes) -> bool:
        """Whether the command that a rule is about is known by now."""
        return rule[1:2] != b"@" and self.registry.original(rule[1:].partition(b"|")[0]) is not None


class UnknownName(RuleError):
    """No command or category has this name."""


def change_passwords(user: User, rule: bytes) -> None:
    """Carry out ``>password``, ``#hash``, ``<password`` or ``!hash``."""
    kind = rule[:1]
    digest = rule[1:]
    if kind == b">" or kind == b"<":
        digest = hashed(digest)
    elif len(digest) != 64 or digest.strip(_HEX_DIGITS):
        raise RuleError(BAD_HASH)
    if kind == b">" or kind == b"#":
        if digest not in user.passwords:
            user.passwords.append(digest)
        user.needs_no_password = False
    elif digest in user.passwords:
        user.passwords.remove(digest)
    else:
        raise RuleError(NO_PASSWORD)


def set_command(selector: Selector, command: Command, allowed: bool) -> None:
    """Allow or forbid a command with all its sub-commands."""
    numbers = [command.number]
    if command.subcommands is not None:
        numbers += [each.number for each in command.subcommands.values()]
    flags = bytearray(selector.allowed)
    most = int(max(numbers))
    if len(flags) <= most:
        flags.extend(bytes(most + 1 - len(flags)))
    for number in numbers:
        flags[int(number)] = 1 if allowed else 0
    selector.allowed = bytes(flags)
    selector.first_arguments.pop(command.name, None)
    if not allowed:
        selector.all_commands = False


def remember(selector: Selector, name: bytes, allowed: bool) -> None:
    """Note a rule, in the place of those about the same or its sub-commands."""
    kept = [
        rule for rule in selector.rules if rule[1:] != name and not rule[1:].startswith(name + b"|")
    ]
    selector.rules = [*kept, (b"+" if allowed else b"-") + name]


def add_key_pattern(selector: Selector, rule: bytes) -> None:
    """Carry out ``~pattern`` or ``%RW~pattern``."""
    if selector.all_keys:
        raise RuleError(USELESS_KEYS)
    letters, tilde, text = rule[1:].partition(b"~")
    access = READ | WRITE
    if rule[:1] == b"~":
        text = rule[1:]
    else:
        upper = letters.upper()
        if upper not in (b"R", b"W", b"RW", b"WR") or not tilde:
            raise RuleError(SYNTAX)
        access = (READ if b"R" in upper else 0) | (WRITE if b"W" in upper else 0)
    if has_spaces(text):
        raise RuleError(SYNTAX)
    for number in range(len(selector.keys)):
        known = selector.keys[number]
        if known.text == text:
            selector.keys[number] = Pattern(text, known.access | access)
            return
    selector.keys.append(Pattern(text, access))


def add_channel_pattern(selector: Selector, text: bytes) -> None:
    """Carry out ``&pattern``."""
    if selector.all_channels:
        raise RuleError(USELESS_CHANNELS)
    if has_spaces(text):
        raise RuleError(SYNTAX)
    if not any(known.text == text for known in selector.channels):
        selector.channels.append(Pattern(text, READ | WRITE))


def has_spaces(text: bytes) -> bool:
    """Whether a name or pattern could not be written into a line of rules."""
    return any(byte in _SPACES for byte in text)


def merge_selectors(words: list[bytes]) -> list[bytes]:
    """Rules with each selector as one word, though it may have come in several.

    Raises `UnmatchedParenthesis` where one does not end.
    """
    merged: list[bytes] = []
    opened: list[bytes] = []
    for word in words:
        if opened:
            opened.append(word)
        elif word[:1] == _OPEN and word[-1:] != _CLOSE:
            opened = [word]
            continue
        else:
            merged.append(word)
            continue
        if word[-1:] == _CLOSE:
            merged.append(b" ".join(opened))
            opened = []
    if opened:
        raise UnmatchedParenthesis(opened[0])
    return merged


class UnmatchedParenthesis(RuleError):
    """A selector that does not end; ``start`` is its first word."""

    def __init__(self, start: bytes) -> None:
        super().__init__("Unmatched parenthesis in selector definition.")
        self.start = start
