"""Where the keys of a command are: key specifications derived from its grammar.

A declaration's ``keys`` text says how each group of keys is used, groups separated by
``;``, in the order in which the key arguments appear in the syntax:

    keys="RW update"                      one group (all keys of LCS, or the key of GET)
    keys="RO access; OW update"           COPY: the source, then the destination
    keys="RO access; unknown OW update"   SORT: a key that no specification can find
    keys="RW delete; RW delete incomplete from:-2"   MIGRATE: KEYS is sought backwards

The first word class is one of RO, RW, OW, RM (how the key's data are used), the rest
access, update, insert, delete (what happens to the user's data), not_key (a name that is
routed like a key), incomplete (the specification may miss keys) and variable_flags.

Source: Redis 7, "Key specifications" and COMMAND INFO.
"""

from typing import TYPE_CHECKING, Final

from hypercache.engine.grammar import BLOCK, NO_KEY, UNLIMITED, Argument, GrammarError, Syntax

if TYPE_CHECKING:
    from hypercache.engine.command import Command

RO: Final = 1
RW: Final = 2
OW: Final = 4
RM: Final = 8
ACCESS: Final = 16
UPDATE: Final = 32
INSERT: Final = 64
DELETE: Final = 128
NOT_KEY: Final = 256
INCOMPLETE: Final = 512
VARIABLE_FLAGS: Final = 1024

#: Every flag with its name, in the order in which COMMAND INFO lists them.
KEY_FLAGS: Final = (
    (RO, "RO"),
    (RW, "RW"),
    (OW, "OW"),
    (RM, "RM"),
    (ACCESS, "access"),
    (UPDATE, "update"),
    (INSERT, "insert"),
    (DELETE, "delete"),
    (NOT_KEY, "not_key"),
    (INCOMPLETE, "incomplete"),
    (VARIABLE_FLAGS, "variable_flags"),
)
_FLAG_OF: Final = {name: flag for flag, name in KEY_FLAGS}

BEGIN_UNKNOWN: Final = 0
BEGIN_INDEX: Final = 1
BEGIN_KEYWORD: Final = 2
FIND_UNKNOWN: Final = 0
FIND_RANGE: Final = 1
FIND_KEYNUM: Final = 2


class KeySpec:
    """One group of keys: where to begin, and how to go on from there.

    ``index`` is where it begins (`BEGIN_INDEX`) or where the search for ``keyword`` starts
    (`BEGIN_KEYWORD`; negative counts from the end and searches backwards). The keys are
    every ``step``-th word up to ``last`` (`FIND_RANGE`: relative to the first, or negative
    from the end; with ``limit`` n > 0 only one n-th of the rest), or as many as the word
    there says (`FIND_KEYNUM`).
    """

    def __init__(self, flags: int) -> None:
        self.flags = flags
        self.begin = BEGIN_UNKNOWN
        self.index = 0
        self.keyword = ""
        self.find = FIND_UNKNOWN
        self.last = 0
        self.step = 1
        self.limit = 0

    def is_plain(self) -> bool:
        """Whether first, last and step describe it."""
        return self.begin == BEGIN_INDEX and self.find == FIND_RANGE

    def first_of(self, args: list[bytes]) -> int:
        """Where the keys of a call begin; 0 if the keyword is not there, -1 if unknowable."""
        if self.begin == BEGIN_INDEX:
            return self.index
        if self.begin == BEGIN_UNKNOWN:
            return -1
        count = len(args)
        keyword = self.keyword.lower().encode()
        if self.index > 0:
            for i in range(self.index, count):
                if args[i].lower() == keyword:
                    return i + 1
        else:
            for i in range(min(count + self.index, count - 1), 0, -1):
                if args[i].lower() == keyword:
                    return i + 1
        return 0

    def positions(self, args: list[bytes]) -> list[int] | None:
        """The indices of this group's keys in a call; None if the call does not tell them."""
        first = self.first_of(args)
        if first == 0:
            return []
        count = len(args)
        if first < 0 or first >= count or self.find == FIND_UNKNOWN:
            return None
        if self.find == FIND_KEYNUM:
            number = args[first]
            if not number.isdigit() or len(number) > 9 or number.startswith(b"0"):
                return None
            first += 1
            last = first + int(number) - 1
        elif self.last >= 0:
            last = first + self.last
        elif self.limit == 0:
            last = count + self.last
        else:
            last = first + (count - first) // self.limit + self.last
        if last >= count or last < first or first >= count:
            return None
        return list(range(first, last + 1, self.step))


def derive(syntax: Syntax, text: str) -> list[KeySpec]:
    """The key specifications of a command; numbers the key arguments of its syntax.

    Raises `GrammarError` where the text and the arguments contradict each other.
    """
    name = " ".join(syntax.words)
    specs = [_parse_group(name, group) for group in text.split(";")] if text.strip() else []
    linked = [leaf for leaf in syntax.leaves() if leaf.type == "key" or leaf.key_spec != NO_KEY]
    _number(name, linked, len(specs))
    placed = _Placement(name, specs)
    placed.sequence(syntax.arguments, len(syntax.words), True, 0)
    for number in range(len(specs)):
        spec = specs[number]
        if not any(leaf.key_spec == number for leaf in linked):
            raise GrammarError(f"command {name!r}: key flags without a key argument")
        if spec.begin == BEGIN_UNKNOWN and number not in placed.unknown:
            raise GrammarError(f"command {name!r}: the place of its keys cannot be derived")
    return specs


def legacy_range(specs: list[KeySpec]) -> tuple[int, int, int, bool]:
    """First key, last key, step as Redis before 7 knew them, and "movablekeys".

    Groups that follow each other are one range; everything else is movable.
    """
    if len(specs) == 1 and specs[0].is_plain():
        only = specs[0]
        last = only.last + only.index if only.last >= 0 else only.last
        return only.index, last, only.step, bool(only.flags & INCOMPLETE)
    first, last = 0, 0
    movable = False
    for spec in specs:
        if not spec.is_plain() or spec.step != 1 or (last != 0 and last != spec.index - 1):
            movable = True
            continue
        movable = movable or bool(spec.flags & INCOMPLETE)
        first = first or spec.index
        last = spec.last + spec.index if spec.last >= 0 else spec.last
    return first, last, 1 if first else 0, movable


def only_key(specs: list[KeySpec]) -> int:
    """The index of a command's key where it has one, always in the same place; 0 otherwise."""
    if len(specs) != 1 or specs[0].flags & (NOT_KEY | INCOMPLETE):
        return 0
    only = specs[0]
    return only.index if only.is_plain() and only.last == 0 else 0


def find_keys(
    command: "Command", args: list[bytes], partly: bool = False
) -> list[tuple[int, int]] | None:
    """Index and flags of every key of a call; None if the arguments do not tell them.

    ``not_key`` groups are left out. With ``partly``, the groups that the arguments do tell are
    returned at least (PFMERGE without sources). Source: COMMAND GETKEYSANDFLAGS.
    """
    if command.key_finder is not None:
        return command.key_finder(args)
    found: list[tuple[int, int]] = []
    for spec in command.key_specs:
        if spec.flags & NOT_KEY:
            continue
        positions = spec.positions(args)
        if positions is None:
            if partly:
                continue
            return None
        for position in positions:
            found.append((position, spec.flags))
    return found


def _parse_group(name: str, text: str) -> KeySpec:
    """A group of flags as declared; ``unknown`` is kept as step 0 until it is placed."""
    spec = KeySpec(0)
    for word in text.split():
        if word == "unknown":
            spec.step = 0
        elif word.startswith("from:"):
            spec.index = int(word[5:])
        elif word in _FLAG_OF:
            spec.flags |= _FLAG_OF[word]
        else:
            raise GrammarError(f"command {name!r}: unknown key flag {word!r}")
    uses = [flag for flag in (RO, RW, OW, RM) if spec.flags & flag]
    if len(uses) != (0 if spec.flags & NOT_KEY else 1):
        raise GrammarError(f"command {name!r}: keys {text.strip()!r} need one of RO, RW, OW, RM")
    return spec


def _number(name: str, linked: list[Argument], groups: int) -> None:
    """Give every key argument the number of its group."""
    unnumbered = [leaf for leaf in linked if leaf.key_spec == NO_KEY]
    if unnumbered and len(unnumbered) != len(linked) and groups > 1:
        raise GrammarError(f"command {name!r}: number all key arguments (key#0) or none")
    for index in range(len(unnumbered)):
        if groups != 1 and groups != len(unnumbered):
            raise GrammarError(
                f"command {name!r}: {len(unnumbered)} key argument(s), {groups} group(s) of flags"
            )
        unnumbered[index].key_spec = 0 if groups == 1 else index
    for leaf in linked:
        if leaf.key_spec >= groups:
            raise GrammarError(f"command {name!r}: {leaf.name!r} names key group {leaf.key_spec}")


class _Placement:
    """Walks the arguments with the index that each begins at, and places the groups of keys."""

    def __init__(self, name: str, specs: list[KeySpec]) -> None:
        self.name = name
        self.specs = specs
        self.unknown = {number for number in range(len(specs)) if specs[number].step == 0}
        for number in self.unknown:
            specs[number].step = 1

    def sequence(self, items: list[Argument], start: int, fixed: bool, after: int) -> None:
        """Place the keys among ``items``, which begin at ``start`` (at least there, if not fixed).

        ``after`` is the number of words that follow the sequence, or `UNLIMITED`.
        """
        count_at = -1
        for number in range(len(items)):
            item = items[number]
            tail = self.tail(items[number + 1 :], after)
            self.item(item, start, fixed, tail, count_at)
            count_at = start if fixed and item.name == "numkeys" else -1
            start += item.minimum()
            fixed = fixed and item.is_fixed()

    def tail(self, items: list[Argument], after: int) -> int:
        """The number of words behind an item, or `UNLIMITED` where it varies."""
        total = after
        for item in items:
            if total == UNLIMITED or not item.is_fixed():
                return UNLIMITED
            total += item.minimum()
        return total

    def item(self, item: Argument, start: int, fixed: bool, tail: int, count_at: int) -> None:
        if not item.arguments:
            if item.key_spec != NO_KEY and item.key_spec not in self.unknown:
                self.leaf(item, start, fixed, tail, count_at)
            return
        if not any(leaf.key_spec != NO_KEY for leaf in item.leaves()):
            return
        inside = start if item.token is None else start + 1
        if item.type != BLOCK:
            for each in item.arguments:
                self.item(each, inside, fixed and not item.optional, tail, -1)
        elif item.arguments[0].key_spec != NO_KEY and self.is_regular(item):
            step = item.smallest() if item.multiple else 1
            limit = 1 if item.multiple else len(item.arguments)
            spec = self.begin(item, item.arguments[0].key_spec, start, fixed)
            spec.find = FIND_RANGE
            spec.last = -1 - max(tail, 0)
            spec.step = step
            spec.limit = limit if limit > 1 else 0
        else:
            self.sequence(item.arguments, inside, fixed and not item.optional, tail)

    def is_regular(self, block: Argument) -> bool:
        """Whether a block is ``(key value)...`` or ``(key... id...)``."""
        if block.multiple:
            return all(each.is_fixed() for each in block.arguments)
        return len(block.arguments) > 1 and all(each.multiple for each in block.arguments)

    def leaf(self, leaf: Argument, start: int, fixed: bool, tail: int, count_at: int) -> None:
        spec = self.specs[leaf.key_spec]
        if spec.begin != BEGIN_UNKNOWN:
            # A neighbour of the same group (LCS key1 key2): the range grows by one.
            if not spec.is_plain() or not fixed or start != spec.index + spec.last + 1:
                raise GrammarError(
                    f"command {self.name!r}: the keys of one group are not neighbours"
                )
            spec.last += 1
            return
        if leaf.multiple and count_at >= 0:
            spec.begin = BEGIN_INDEX
            spec.index = count_at
            spec.find = FIND_KEYNUM
            return
        if leaf.multiple and tail == UNLIMITED:
            raise GrammarError(f"command {self.name!r}: nothing tells where {leaf.name!r}... ends")
        self.begin(leaf, leaf.key_spec, start, fixed)
        spec.find = FIND_RANGE
        spec.last = -1 - tail if leaf.multiple else 0

    def begin(self, item: Argument, number: int, start: int, fixed: bool) -> KeySpec:
        """Set where a group begins: behind its keyword, or at an index."""
        spec = self.specs[number]
        if item.token is not None and (item.optional or not fixed or item.arguments):
            spec.begin = BEGIN_KEYWORD
            spec.keyword = item.token
            spec.index = spec.index or start
        elif fixed:
            spec.begin = BEGIN_INDEX
            spec.index = start if item.token is None else start + 1
        else:
            raise GrammarError(
                f"command {self.name!r}: {item.name!r} has no fixed place or keyword"
            )
        return spec
