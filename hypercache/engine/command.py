"""How a command is declared, and the `Command` that the engine runs.

    @command(
        "GETDEL key",
        group="string", since="6.2.0", complexity="O(1)",
        flags="write fast", keys="RW access delete", summary="Return a string and remove its key.",
    )
    def getdel(context: Context, args: list[bytes]) -> Reply: ...

The declaration is the only source of a command's metadata: arity, key positions, ACL
categories, COMMAND INFO and DOCS are derived from it. `hypercache.engine.grammar` has
the notation of the syntax, `hypercache.engine.keys` that of ``keys``.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeVar

from librt.vecs import vec
from mypy_extensions import i64

from hypercache.engine.grammar import GrammarError, parse
from hypercache.engine.histogram import BUCKETS, EXACT, PARTS, by_octave, percentile
from hypercache.engine.keys import NOT_KEY, KeySpec, derive, legacy_range, only_key

if TYPE_CHECKING:
    from hypercache.engine.context import Context

# Flags of a command, as COMMAND INFO names them.
WRITE: Final = 1 << 0
READONLY: Final = 1 << 1
DENYOOM: Final = 1 << 2
MODULE: Final = 1 << 3
ADMIN: Final = 1 << 4
PUBSUB: Final = 1 << 5
NOSCRIPT: Final = 1 << 6
BLOCKING: Final = 1 << 7
LOADING: Final = 1 << 8
STALE: Final = 1 << 9
SKIP_MONITOR: Final = 1 << 10
SKIP_SLOWLOG: Final = 1 << 11
ASKING: Final = 1 << 12
FAST: Final = 1 << 13
NO_AUTH: Final = 1 << 14
NO_MANDATORY_KEYS: Final = 1 << 15
NO_ASYNC_LOADING: Final = 1 << 16
NO_MULTI: Final = 1 << 17
MOVABLE_KEYS: Final = 1 << 18
ALLOW_BUSY: Final = 1 << 19
# Flags that Redis keeps to itself.
MAY_REPLICATE: Final = 1 << 20
PROTECTED: Final = 1 << 21
TOUCHES_ARBITRARY_KEYS: Final = 1 << 22
# Shown by COMMAND DOCS only: not for users.
SYSTEM: Final = 1 << 23

#: The flags that COMMAND INFO shows, in its order.
SHOWN_FLAGS: Final = (
    (WRITE, "write"),
    (READONLY, "readonly"),
    (DENYOOM, "denyoom"),
    (MODULE, "module"),
    (ADMIN, "admin"),
    (PUBSUB, "pubsub"),
    (NOSCRIPT, "noscript"),
    (BLOCKING, "blocking"),
    (LOADING, "loading"),
    (STALE, "stale"),
    (SKIP_MONITOR, "skip_monitor"),
    (SKIP_SLOWLOG, "skip_slowlog"),
    (ASKING, "asking"),
    (FAST, "fast"),
    (NO_AUTH, "no_auth"),
    (NO_MANDATORY_KEYS, "no_mandatory_keys"),
    (NO_ASYNC_LOADING, "no_async_loading"),
    (NO_MULTI, "no_multi"),
    (MOVABLE_KEYS, "movablekeys"),
    (ALLOW_BUSY, "allow_busy"),
)
_HIDDEN_FLAGS: Final = (
    (MAY_REPLICATE, "may_replicate"),
    (PROTECTED, "protected"),
    (TOUCHES_ARBITRARY_KEYS, "touches_arbitrary_keys"),
    (SYSTEM, "syscmd"),
)
_DERIVED_FLAGS: Final = MODULE | MOVABLE_KEYS
_FLAG_OF: Final = {name: flag for flag, name in SHOWN_FLAGS + _HIDDEN_FLAGS}

#: ACL categories in the order of ACL CAT; bit n of `Command.categories` is the n-th.
CATEGORIES: Final = (
    "keyspace",
    "read",
    "write",
    "set",
    "sortedset",
    "list",
    "hash",
    "string",
    "bitmap",
    "hyperloglog",
    "geo",
    "stream",
    "pubsub",
    "admin",
    "fast",
    "slow",
    "blocking",
    "dangerous",
    "connection",
    "transaction",
    "scripting",
)
#: The groups of COMMAND DOCS, each with the category that its commands belong to.
GROUPS: Final = {
    "bitmap": "bitmap",
    "cluster": "",
    "connection": "connection",
    "generic": "keyspace",
    "geo": "geo",
    "hash": "hash",
    "hyperloglog": "hyperloglog",
    "list": "list",
    "module": "",
    "pubsub": "",
    "scripting": "scripting",
    "sentinel": "",
    "server": "",
    "set": "set",
    "sorted-set": "sortedset",
    "stream": "stream",
    "string": "string",
    "transactions": "transaction",
}
# Flags that put a command into categories, whatever its group.
_FLAG_CATEGORIES: Final = (
    (WRITE, "write"),
    (READONLY, "read"),
    (ADMIN, "admin"),
    (ADMIN, "dangerous"),
    (PUBSUB, "pubsub"),
    (BLOCKING, "blocking"),
)

#: Runs a command: its context, and the whole argument list, the name included.
Function = Callable[["Context", list[bytes]], object]
#: Finds the keys of a call where no key specification can: index and key flags of each.
KeyFinder = Callable[[list[bytes]], list[tuple[int, int]] | None]

_F = TypeVar("_F", bound=Callable[["Context", list[bytes]], object])


class Declaration:
    """What stands beside a command's function, read and checked.

    ``words`` are the words of the name, ``minimum`` and ``maximum`` the number of words of
    a call (maximum -1: no limit), ``arity`` Redis' sign convention for the same.
    """

    def __init__(
        self,
        syntax: str,
        function: Function,
        *,
        group: str,
        since: str,
        summary: str,
        flags: str = "",
        keys: str = "",
        complexity: str = "",
        container: str = "",
        categories: str = "",
        tips: str = "",
        arity: int = 0,
        history: tuple[tuple[str, str], ...] = (),
        deprecated_since: str = "",
        replaced_by: str = "",
        key_finder: KeyFinder | None = None,
    ) -> None:
        grammar = parse(syntax, 2 if container else 1)
        name = " ".join(grammar.words)
        if container and grammar.words[0] != container:
            raise GrammarError(f"command {name!r}: it is declared in the container {container!r}")
        if group not in GROUPS:
            raise GrammarError(f"command {name!r}: unknown group {group!r}")
        self.syntax = syntax
        self.words = [word.lower() for word in grammar.words]
        self.arguments = grammar.arguments
        self.function = function
        self.group = group
        self.since = since
        self.summary = summary
        self.complexity = complexity
        self.tips = tips.split()
        self.history = history
        self.deprecated_since = deprecated_since
        self.replaced_by = replaced_by
        self.key_finder = key_finder
        self.key_specs = derive(grammar, keys)
        self.first_key, self.last_key, self.key_step, movable = legacy_range(self.key_specs)
        self.flags = _parse_flags(name, flags) | (MOVABLE_KEYS if movable else 0)
        self.categories = _derive_categories(name, group, self.flags, categories)
        smallest, largest = grammar.minimum(), grammar.maximum()
        self.arity = arity or (smallest if smallest == largest else -smallest)
        if arity and (abs(arity) > smallest or (largest >= 0 and arity > largest)):
            raise GrammarError(f"command {name!r}: arity {arity} contradicts the syntax {syntax!r}")

    def title(self) -> str:
        """The name as people write it: ``CONFIG GET``."""
        return " ".join(self.words).upper()


def _parse_flags(name: str, text: str) -> int:
    """The bit mask of a declaration's flags."""
    mask = 0
    for word in text.split():
        flag = _FLAG_OF.get(word, 0)
        if flag == 0 or flag & _DERIVED_FLAGS:
            raise GrammarError(f"command {name!r}: unknown flag {word!r}")
        mask |= flag
    if mask & WRITE and mask & READONLY:
        raise GrammarError(f"command {name!r}: it cannot be both write and readonly")
    return mask


def category_mask(names: list[str]) -> int:
    """The bit mask of some ACL categories; raises ValueError for an unknown one."""
    mask = 0
    for name in names:
        mask |= 1 << CATEGORIES.index(name)
    return mask


def _derive_categories(name: str, group: str, flags: int, text: str) -> int:
    """The categories by group and flags; ``text`` adds some and, with ``-``, takes some away."""
    names = [GROUPS[group]] if GROUPS[group] else []
    names.append("fast" if flags & FAST else "slow")
    for flag, category in _FLAG_CATEGORIES:
        if flags & flag and not (category == "read" and group == "scripting"):
            names.append(category)
    for word in text.split():
        category = word.removeprefix("-")
        if category not in CATEGORIES:
            raise GrammarError(f"command {name!r}: unknown ACL category {category!r}")
        if word == category:
            names.append(category)
        elif category in names:
            names.remove(category)
        else:
            raise GrammarError(f"command {name!r}: it is not in the category {category!r} anyway")
    return category_mask(names)


_declared: Final[list[tuple[str, Declaration]]] = []


def command(
    syntax: str,
    *,
    group: str,
    since: str,
    summary: str,
    flags: str = "",
    keys: str = "",
    complexity: str = "",
    container: str = "",
    categories: str = "",
    tips: str = "",
    arity: int = 0,
    history: tuple[tuple[str, str], ...] = (),
    deprecated_since: str = "",
    replaced_by: str = "",
    key_finder: KeyFinder | None = None,
) -> Callable[[_F], _F]:
    """Declare the command that the decorated function runs; the function is left as it is.

    ``flags``, ``tips`` and ``categories`` are words separated by spaces. ``categories`` adds
    to the ACL categories that follow from group and flags, or takes away (``-keyspace``);
    ``container`` is the first word of a sub-command's name; ``arity`` is given only where
    Redis lets more words pass than it documents (QUIT). ``key_finder`` finds the keys of a
    call where the key specifications are not enough (SORT, MIGRATE, variable_flags).

    Raises `GrammarError` for a declaration that contradicts itself.
    """

    def declare(function: _F) -> _F:
        declaration = Declaration(
            syntax,
            function,
            group=group,
            since=since,
            summary=summary,
            flags=flags,
            keys=keys,
            complexity=complexity,
            container=container,
            categories=categories,
            tips=tips,
            arity=arity,
            history=history,
            deprecated_since=deprecated_since,
            replaced_by=replaced_by,
            key_finder=key_finder,
        )
        _declared.append((str(function.__module__), declaration))
        return function

    return declare


def declared_in(module: str) -> list[Declaration]:
    """The declarations that a module made when it was imported, in order."""
    return [declaration for name, declaration in _declared if name == module]


class Command:
    """A command of one server: what dispatch needs as plain attributes, and its statistics.

    ``name`` is lower case, ``config|get`` for a sub-command (whose ``word`` is ``get``).
    ``minimum`` and ``maximum`` count the words of a call, name included; maximum -1 means
    no limit. ``guards`` are the bits of `hypercache.engine.guards` that concern it; ``number``
    is what a server knows its name by. ``only_key`` is the index of its key where that is all.
    ``subcommands`` is None unless it is a container. Statistics: ``calls`` that ran, their
    ``microseconds``, ``failed_calls`` among them, and ``rejected_calls`` that did not run.
    """

    def __init__(self, declaration: Declaration, module: str = "") -> None:
        self.function: Function = declaration.function
        self.minimum: i64 = abs(declaration.arity)
        self.maximum: i64 = declaration.arity if declaration.arity > 0 else -1
        # A plugin's command that declares one of Redis' own groups is one of Redis' own commands.
        foreign = bool(module) and declaration.group == "module"
        self.flags: i64 = declaration.flags | (MODULE if foreign else 0)
        self.guards: i64 = 0
        self.number: i64 = 0
        self.subcommands: dict[bytes, Command] | None = None
        self.calls: i64 = 0
        self.microseconds: i64 = 0
        self.rejected_calls: i64 = 0
        self.failed_calls: i64 = 0
        self.buckets: vec[i64] = vec[i64]()
        self.name: bytes = "|".join(declaration.words).encode()
        self.word: bytes = declaration.words[-1].encode()
        self.arity: int = declaration.arity
        self.categories: int = declaration.categories
        self.key_specs: list[KeySpec] = declaration.key_specs
        self.first_key: int = declaration.first_key
        self.last_key: int = declaration.last_key
        self.key_step: int = declaration.key_step
        self.key_finder: KeyFinder | None = declaration.key_finder
        self.only_key: i64 = 0 if self.key_finder is not None else only_key(self.key_specs)
        self.has_keys: bool = self.key_finder is not None or any(
            not spec.flags & NOT_KEY for spec in self.key_specs
        )
        self.parent: Command | None = None
        self.module: str = module
        self.declaration: Declaration = declaration

    def record(self, microseconds: i64) -> None:
        """Count a call that took so long, also in the histogram."""
        self.calls += 1
        self.microseconds += microseconds
        if len(self.buckets) == 0:
            self.buckets = vec[i64]([0] * BUCKETS)
        bucket: i64 = 0
        while microseconds >= EXACT:
            microseconds >>= 1
            bucket += PARTS
        self.buckets[bucket + microseconds] += 1

    def count(self, microseconds: i64) -> None:
        """Count a call that took so long (latency-tracking no)."""
        self.calls += 1
        self.microseconds += microseconds

    def is_logged_when_slow(self) -> bool:
        """Whether SLOWLOG may show its arguments."""
        return not self.flags & SKIP_SLOWLOG

    def histogram(self) -> list[int]:
        """Calls by latency: item i counts those of less than 2**i microseconds; empty if none."""
        return by_octave(self.buckets)

    def has_latencies(self) -> bool:
        """Whether the histogram holds any call."""
        return len(self.buckets) > 0

    def latency(self, percent: float) -> int:
        """Microseconds that ``percent`` of the calls did not exceed."""
        return percentile(self.buckets, percent)

    def reset_statistics(self) -> None:
        """Forget every call (CONFIG RESETSTAT)."""
        self.calls = 0
        self.microseconds = 0
        self.rejected_calls = 0
        self.failed_calls = 0
        self.buckets = vec[i64]()
