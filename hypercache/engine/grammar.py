# mypyc: interpreted
"""The grammar in which a command declares its arguments, and the tree it is read into.

A declaration begins with the name (one upper-case word, two for a sub-command), then come
the arguments, in the notation of manual pages:

=====================  ==================================================================
``COUNT``              a literal token, in any case; alone it is an argument (``pure-token``)
``"="``                a token that is not an upper-case word
``change:CH``          a token whose argument has a name of its own
``count``              an argument: lower-case words joined by ``-``
``count:integer``      its type: key, string, integer, double, pattern, unix-time
``addr/"ip:port"``     a name, then how it is displayed
``destination:key#2``  the key specification it belongs to, where order does not tell
``COUNT count``        a token directly before an argument or ``(`` introduces it
``[LIMIT from to]``    in a group, a token and plain arguments are one block, so introduced
``[...]``              optional
``(...)``              a group (type ``block``)
``a | b``              alternatives (type ``oneof``), inside ``[]`` or ``()``
``name=(...)``         a name for a group; also ``name=[...]``
``key...``             one or more times; ``(key value)...`` repeats the group
``[GET pattern]...``   the token is repeated with each (flag ``multiple_token``)
=====================  ==================================================================

The type is ``key`` for a name that ends in "key" and ``string`` otherwise. Sizes, and so
the arity, follow from the tree; key positions are derived from it in `hypercache.engine.keys`.

What Redis documents and this notation derives: COMMAND DOCS, "arguments".
"""

import re
from typing import Final

TYPES: Final = ("key", "string", "integer", "double", "pattern", "unix-time")
PURE_TOKEN: Final = "pure-token"
ONEOF: Final = "oneof"
BLOCK: Final = "block"

#: `Argument.maximum` where there is no limit.
UNLIMITED: Final = -1
#: `Argument.key_spec` of an argument that belongs to no key specification.
NO_KEY: Final = -1

_LEXEME: Final = re.compile(r'\s*(\.\.\.|[\[\]()|]|(?:[^\s\[\]()|".]|\.(?!\.)|"[^"]*")+)')
_TOKEN: Final = re.compile(r'(?:([a-z0-9-]+):)?([A-Z][A-Z0-9_-]*|"([^"]*)")')
_ARGUMENT: Final = re.compile(
    r'([a-z][a-z0-9-]*)(?:/([a-z0-9-]+|"[^"]+"))?(?::([a-z-]+))?(?:#(\d+))?'
)
_LABEL: Final = re.compile(r"([a-z][a-z0-9-]*)=")
_NAME: Final = re.compile(r"[A-Z][A-Z0-9_.-]*")


class GrammarError(ValueError):
    """A declaration contradicts itself: the text names the command and what is wrong."""


class Argument:
    """A node of the tree: a plain argument, a token, or a group of arguments.

    ``type`` is one of `TYPES`, `PURE_TOKEN`, `ONEOF` or `BLOCK`; ``token`` the literal that
    introduces it (or that it is); ``arguments`` the alternatives or members of a group.
    """

    def __init__(self, name: str, kind: str) -> None:
        self.name = name
        self.type = kind
        self.display = name
        self.token: str | None = None
        self.optional = False
        self.multiple = False
        self.multiple_token = False
        self.key_spec = NO_KEY
        self.arguments: list[Argument] = []

    def minimum(self) -> int:
        """The least number of words it takes; 0 for what is optional."""
        return 0 if self.optional else self.smallest()

    def smallest(self) -> int:
        """The least number of words it takes where it is given."""
        own = 1 if self.token is not None else 0
        if self.type == BLOCK:
            return own + sum([each.minimum() for each in self.arguments])
        if self.type == ONEOF:
            # An alternative that is chosen is there, even if it is written as optional.
            return own + min([max(1, each.minimum()) for each in self.arguments])
        return own if self.type == PURE_TOKEN else own + 1

    def maximum(self) -> int:
        """The greatest number of words it takes, or `UNLIMITED`."""
        if self.multiple:
            return UNLIMITED
        own = 1 if self.token is not None else 0
        if self.type == PURE_TOKEN:
            return own
        if self.type != BLOCK and self.type != ONEOF:
            return own + 1
        sizes = [each.maximum() for each in self.arguments]
        if UNLIMITED in sizes:
            return UNLIMITED
        return own + (sum(sizes) if self.type == BLOCK else max(sizes))

    def is_fixed(self) -> bool:
        """Whether it always takes the same number of words."""
        return self.minimum() == self.maximum()

    def leaves(self) -> "list[Argument]":
        """The arguments without groups, in order of appearance."""
        if not self.arguments:
            return [self]
        return [leaf for each in self.arguments for leaf in each.leaves()]


class Syntax:
    """What a declaration says: the words of the name, and the arguments that follow it."""

    def __init__(self, words: list[str], arguments: list[Argument]) -> None:
        self.words = words
        self.arguments = arguments

    def minimum(self) -> int:
        """The least number of words of a call, those of the name included."""
        return len(self.words) + sum([each.minimum() for each in self.arguments])

    def maximum(self) -> int:
        """The greatest number of words of a call, or `UNLIMITED`."""
        total = len(self.words)
        for each in self.arguments:
            most = each.maximum()
            if most == UNLIMITED:
                return UNLIMITED
            total += most
        return total

    def leaves(self) -> list[Argument]:
        """The arguments without groups, in order of appearance."""
        return [leaf for each in self.arguments for leaf in each.leaves()]


def parse(text: str, words: int = 1) -> Syntax:
    """Read a declaration whose name has that many words (2 for a sub-command).

    Raises `GrammarError` with the text and the place of what cannot be read.
    """
    return _Reader(text).syntax(words)


class _Reader:
    """A recursive descent over the lexemes of one declaration."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.lexemes: list[str] = []
        self.next = 0
        position = 0
        stripped = text.rstrip()
        while position < len(stripped):
            match = _LEXEME.match(stripped, position)
            if match is None:
                raise self.error(f"cannot read {stripped[position:].strip()!r}")
            self.lexemes.append(match.group(1))
            position = match.end()

    def error(self, reason: str) -> GrammarError:
        return GrammarError(f"command {self.text.strip()!r}: {reason}")

    def peek(self) -> str:
        """The lexeme to come; empty at the end."""
        return self.lexemes[self.next] if self.next < len(self.lexemes) else ""

    def take(self) -> str:
        lexeme = self.peek()
        self.next += 1
        return lexeme

    def accept(self, lexeme: str) -> bool:
        if self.peek() != lexeme:
            return False
        self.next += 1
        return True

    def syntax(self, words: int) -> Syntax:
        name = [self.take() for _ in range(words)]
        for word in name:
            if not _NAME.fullmatch(word):
                raise self.error(f"the name needs {words} upper-case word(s), not {word!r}")
        arguments = self.sequence()
        if self.peek():
            raise self.error(f"unexpected {self.peek()!r}")
        return Syntax(name, arguments)

    def sequence(self) -> list[Argument]:
        items: list[Argument] = []
        while self.peek() not in ("", "]", ")", "|"):
            items.append(self.item())
        return items

    def item(self) -> Argument:
        lexeme = self.peek()
        if lexeme == "...":
            raise self.error("nothing to repeat before '...'")
        if lexeme in ("[", "(") or _LABEL.fullmatch(lexeme):
            return self.group()
        self.next += 1
        token = _TOKEN.fullmatch(lexeme)
        if token is not None:
            return self.token(token)
        return self.repeated(self.argument(lexeme))

    def token(self, match: re.Match[str]) -> Argument:
        """A token, with the argument that it introduces if one follows directly."""
        literal = match.group(2) if match.group(3) is None else match.group(3)
        follower = self.peek()
        label = _LABEL.fullmatch(follower) is not None
        opener = self.lexemes[self.next + 1 : self.next + 2] if label else [follower]
        introduces = opener == ["("] or (not label and _ARGUMENT.fullmatch(follower) is not None)
        if match.group(1) is None and introduces:
            # A word such as "equal:" would be read as an argument: tokens have been tried first.
            item = self.item()
            if item.token is not None:
                item = self.block([item], literal.lower())
            elif item.arguments and item.name == _default_name(item):
                item.name = item.display = literal.lower()
            item.token = literal
            return item
        item = Argument(match.group(1) or literal.lower(), PURE_TOKEN)
        item.token = literal
        return self.repeated(item)

    def argument(self, lexeme: str) -> Argument:
        match = _ARGUMENT.fullmatch(lexeme)
        if match is None:
            raise self.error(f"{lexeme!r} is neither a token nor the name of an argument")
        name = match.group(1)
        kind = match.group(3) or ("key" if name.endswith("key") else "string")
        if kind not in TYPES:
            raise self.error(f"unknown type {kind!r} of {name!r}; there are {', '.join(TYPES)}")
        item = Argument(name, kind)
        item.display = (match.group(2) or name).strip('"')
        if match.group(4) is not None:
            item.key_spec = int(match.group(4))
        return item

    def repeated(self, item: Argument) -> Argument:
        """The item, marked if ``...`` follows."""
        if self.accept("..."):
            item.multiple = True
        return item

    def group(self) -> Argument:
        """``[...]`` or ``(...)``, perhaps with a label before it and dots behind."""
        label = ""
        match = _LABEL.fullmatch(self.peek())
        if match is not None:
            label = match.group(1)
            self.next += 1
        opener = self.take()
        if opener not in ("[", "("):
            raise self.error(f"the label {label!r} needs a group behind it")
        alternatives = [self.sequence()]
        while self.accept("|"):
            alternatives.append(self.sequence())
        if not self.accept("]" if opener == "[" else ")"):
            raise self.error(f"{opener!r} is not closed")
        for sequence in alternatives:
            if not sequence:
                raise self.error("an empty group or alternative")
        item = self.grouped(alternatives, label)
        if opener == "[":
            if item.optional:
                raise self.error(f"{item.name!r} is optional twice")
            item.optional = True
        if self.accept("..."):
            item.multiple = True
            item.multiple_token = opener == "[" and item.token is not None
        return item

    def grouped(self, alternatives: list[list[Argument]], label: str) -> Argument:
        if len(alternatives) == 1:
            sequence = alternatives[0]
            if len(sequence) > 1 or (label and not sequence[0].arguments):
                return self.members(sequence, label)
            single = sequence[0]
            if label:
                single.name = single.display = label
            return single
        item = Argument(label, ONEOF)
        tokens: set[str] = set()
        for sequence in alternatives:
            each = sequence[0] if len(sequence) == 1 else self.members(sequence, "")
            if each.token is not None:
                if each.token in tokens:
                    raise self.error(f"two alternatives begin with {each.token!r}")
                tokens.add(each.token)
            item.arguments.append(each)
        if not label:
            item.name = item.display = _default_name(item)
        return item

    def members(self, sequence: list[Argument], label: str) -> Argument:
        """The block of a group's members; a token before plain arguments introduces them all."""
        token = sequence[0].token
        if token is None or len(sequence) == 1:
            return self.block(sequence, label)
        for index in range(len(sequence)):
            each = sequence[index]
            plain = each.type in TYPES and not each.optional and not each.multiple
            if not plain or (index > 0 and each.token is not None):
                return self.block(sequence, label)
        sequence[0].token = None
        item = self.block(sequence, label or token.lower())
        item.token = token
        return item

    def block(self, members: list[Argument], label: str) -> Argument:
        item = Argument(label, BLOCK)
        item.arguments = members
        if not label:
            item.name = item.display = _default_name(item)
        return item


def _default_name(group: Argument) -> str:
    """The name of a group that was given none: its members' names."""
    return "-".join([each.name for each in group.arguments])
