"""A set of permissions: commands, keys and channels, and whether a call is within them.

A verdict is 0 where a call is allowed. Otherwise its upper half says what was refused
(`COMMAND`, `KEY`, `CHANNEL`) and its lower half which argument; of several selectors' verdicts
the greatest is the one that Redis reports (ACLCheckAllUserCommandPerm).
"""

from typing import Final

from mypy_extensions import i64

from hypercache.engine.command import NO_AUTH, PUBSUB, Command
from hypercache.engine.keys import ACCESS, DELETE, INSERT, UPDATE, find_keys
from hypercache.keyspace.glob import matches

# What a verdict is about. The numbers order verdicts.
COMMAND: Final[i64] = 1
KEY: Final[i64] = 2
CHANNEL: Final[i64] = 4
SHIFT: Final[i64] = 32

# What a key pattern allows, and a command needs.
READ: Final[i64] = 1
WRITE: Final[i64] = 2

_CHANGES: Final = INSERT | DELETE | UPDATE
_SPECIAL: Final = b"*?[\\"

# Which arguments are channels: the first only, all, or all and as patterns.
_FIRST: Final[i64] = 1
_EVERY: Final[i64] = 2
_PATTERNS: Final[i64] = 3
#: The commands whose channels are checked: whoever unsubscribes needs no permission.
_CHANNELS: Final[dict[bytes, i64]] = {
    b"publish": _FIRST,
    b"spublish": _FIRST,
    b"subscribe": _EVERY,
    b"ssubscribe": _EVERY,
    b"psubscribe": _PATTERNS,
}


class Pattern:
    """A glob pattern; ``access`` is what it allows with the keys that match."""

    __slots__ = ("access", "is_prefix", "prefix", "text")

    def __init__(self, text: bytes, access: i64) -> None:
        self.text = text
        self.access: i64 = access
        # Nearly all patterns are a prefix and a star: that needs no matching.
        self.prefix = text[:-1]
        self.is_prefix = text.endswith(b"*") and not any(byte in _SPECIAL for byte in self.prefix)

    def fits(self, text: bytes) -> bool:
        """Whether a key or channel matches."""
        if self.is_prefix and text:
            return text.startswith(self.prefix)
        return matches(self.text, text, False)


class Selector:
    """Permissions that hold together: a call must be within one selector as a whole.

    ``allowed`` has a 1 at the number of each command that may be called, ``all_commands``
    that this need not be looked at. ``starts_full`` tells that commands still unknown are
    allowed as well. ``rules`` are the rules about commands since the last that was about all
    of them, in order and without those that later ones made void.
    """

    def __init__(self, all_channels: bool) -> None:
        self.all_commands = False
        self.all_keys = False
        self.all_channels = all_channels
        self.starts_full = False
        self.allowed = b""
        self.first_arguments: dict[bytes, list[bytes]] = {}
        self.keys: list[Pattern] = []
        self.channels: list[Pattern] = []
        self.rules: list[bytes] = []

    def copy(self) -> "Selector":
        """Another one with the same permissions."""
        copy = Selector(self.all_channels)
        copy.all_commands = self.all_commands
        copy.all_keys = self.all_keys
        copy.starts_full = self.starts_full
        copy.allowed = self.allowed
        for name, words in self.first_arguments.items():
            copy.first_arguments[name] = words.copy()
        copy.keys = [Pattern(each.text, each.access) for each in self.keys]
        copy.channels = self.channels.copy()
        copy.rules = self.rules.copy()
        return copy

    def is_unrestricted(self) -> bool:
        """Whether every call is within it."""
        return self.all_commands and self.all_keys and self.all_channels

    def verdict(self, command: Command, args: list[bytes]) -> i64:
        """Whether a call is within it: 0, or what is not (see the module)."""
        if not self.all_commands and not command.flags & NO_AUTH:
            if not self.may_call(command, args):
                return COMMAND << SHIFT
        if not self.all_keys:
            at: i64 = self.refused_key(command, args)
            if at > 0:
                return (KEY << SHIFT) | at
        if not self.all_channels and command.flags & PUBSUB:
            at = self.refused_channel(command, args)
            if at > 0:
                return (CHANNEL << SHIFT) | at
        return 0

    def may_call(self, command: Command, args: list[bytes]) -> bool:
        """Whether the command itself is allowed, perhaps only with this first argument."""
        number: i64 = command.number
        if number < len(self.allowed) and self.allowed[number]:
            return True
        if not self.first_arguments or len(args) < 2:
            return False
        return args[1].lower() in self.first_arguments.get(command.name, [])

    def refused_key(self, command: Command, args: list[bytes]) -> i64:
        """The index of the first key of a call that is not allowed; 0 if there is none."""
        only: i64 = command.only_key
        if only > 0:
            if only < len(args) and not self.may_use(args[only], command.key_specs[0].flags):
                return only
            return 0
        if not command.has_keys:
            return 0
        # Redis looks at no key where one group cannot be told; PFMERGE with only a destination
        # would get past every rule.
        found = find_keys(command, args, True)
        if found is not None:
            for at, flags in found:
                if not self.may_use(args[at], flags):
                    return at
        return 0

    def may_use(self, key: bytes, flags: i64) -> bool:
        """Whether a key may be used as the flags of its key specification say."""
        need: i64 = needed(flags)
        for pattern in self.keys:
            if pattern.access & need == need and pattern.fits(key):
                return True
        return self.all_keys

    def may_use_every_key(self, flags: i64) -> bool:
        """Whether all keys there are may be used so, as the patterns of SORT need it."""
        need: i64 = needed(flags)
        for pattern in self.keys:
            if pattern.access & need == need and pattern.text == b"*":
                return True
        return self.all_keys

    def refused_channel(self, command: Command, args: list[bytes]) -> i64:
        """The index of the first channel of a call that is not allowed; 0 if there is none."""
        kind: i64 = _CHANNELS.get(command.name, 0)
        if kind == 0:
            return 0
        end: i64 = 2 if kind == _FIRST else len(args)
        at: i64 = 1
        while at < end:
            if not is_among(self.channels, args[at], kind == _PATTERNS):
                return at
            at += 1
        return 0


def needed(flags: i64) -> i64:
    """What a key specification's flags need: `READ`, `WRITE`, both or (EXISTS) nothing."""
    need: i64 = 0
    if flags & ACCESS:
        need |= READ
    if flags & _CHANGES:
        need |= WRITE
    return need


def is_among(channels: list[Pattern], name: bytes, is_pattern: bool) -> bool:
    """Whether a channel matches one of the patterns, or a pattern is one of them word for word."""
    for each in channels:
        fits = each.text == name if is_pattern else each.fits(name)
        if fits:
            return True
    return False
