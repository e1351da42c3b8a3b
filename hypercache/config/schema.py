"""How a setting is declared, and what is known of each one.

A section is an attrs class; each of its attributes is one setting, declared by one of the
functions below. The directive's name is the attribute's with hyphens for underscores, so
``tcp_backlog: int = integer(511, 0, INT_MAX, "...")`` declares ``tcp-backlog``.
"""

from typing import Any, Final, Literal, TypeAlias, TypedDict, TypeVar, Unpack, get_args

import attrs

from hypercache.config import kinds
from hypercache.config.kinds import Check, Kind

T = TypeVar("T")

Effect: TypeAlias = Literal["active", "ignored", "later"]

_DECLARATION: Final = "hypercache"


class Options(TypedDict, total=False):
    """What a declaration may add."""

    name: str  # where it is not the attribute's name with hyphens
    aliases: tuple[str, ...]
    effect: Effect
    fixed: bool
    hidden: bool
    protected: bool
    secret: bool
    deny_loading: bool
    volatile: bool
    needs_subscriber: bool
    file_only: bool
    rewritten: bool
    ours: bool


@attrs.frozen(kw_only=True)
class Directive:
    """Everything that is known of one setting.

    ``effect``: ``active``; ``ignored`` (accepted since Redis knows it; nothing here depends
    on it); ``later`` (a later version will use it). ``fixed``: not changeable at run time.
    ``hidden``: CONFIG GET shows it by its full name only. ``protected``: changeable at run
    time only as ``enable-protected-configs`` allows. ``secret``: its value is never logged.
    ``deny_loading``: not changeable while data are loaded. ``volatile``: setting it to the
    value it has is a change too (files whose content may be new). ``needs_subscriber``: a
    change at run time is refused when nobody would carry it out. ``file_only``: no setting of
    CONFIG GET and SET, and none of CONFIG REWRITE unless ``rewritten``. ``ours``: Redis does not
    know it.
    """

    name: str
    attribute: str
    section: str
    kind: Kind[Any]
    default: Any
    summary: str
    aliases: tuple[str, ...] = ()
    effect: Effect = "active"
    fixed: bool = False
    hidden: bool = False
    protected: bool = False
    secret: bool = False
    deny_loading: bool = False
    volatile: bool = False
    needs_subscriber: bool = False
    file_only: bool = False
    rewritten: bool = False
    ours: bool = False

    def is_kept(self) -> bool:
        """Whether CONFIG REWRITE leaves what is said of it as it is."""
        return self.file_only and not self.rewritten

    def effect_text(self) -> str:
        """What ``effect`` means, to stand after the setting's name."""
        if self.effect == "later":
            return f"has no effect in this version ({self.summary})"
        if self.effect == "ignored":
            return f"has no effect here ({self.summary})"
        return f"is in effect ({self.summary})"


@attrs.frozen
class _Declaration:
    kind: Kind[Any]
    summary: str
    options: Options


def setting(kind: Kind[T], default: T, summary: str, **options: Unpack[Options]) -> T:
    """Declare a setting of any kind; ``summary`` is one line."""
    declaration = _Declaration(kind, summary, options)
    field: T = attrs.field(
        factory=lambda: _fresh(default), metadata={_DECLARATION: (declaration, default)}
    )
    return field


def _fresh(default: T) -> T:
    """A default for one settings object; a mapping must not be shared between two."""
    return type(default)(default) if isinstance(default, dict) else default


def yes_no(default: bool, summary: str, **options: Unpack[Options]) -> bool:
    """Declare a setting that is yes or no."""
    return setting(kinds.YesNo(), default, summary, **options)


def integer(
    default: int,
    low: int,
    high: int,
    summary: str,
    *,
    clamp: tuple[int, int] | None = None,
    **options: Unpack[Options],
) -> int:
    """Declare an integer in a range."""
    return setting(kinds.Number(low, high, clamp), default, summary, **options)


def memory(
    default: int,
    low: int,
    high: int,
    summary: str,
    *,
    clamp: tuple[int, int] | None = None,
    **options: Unpack[Options],
) -> int:
    """Declare a number of bytes in a range."""
    return setting(kinds.Memory(low, high, clamp), default, summary, **options)


def text(
    default: str,
    summary: str,
    *,
    allowed: str = "any text",
    check: Check | None = None,
    **options: Unpack[Options],
) -> str:
    """Declare a text; ``check`` raises `ConfigError` with the reason against one."""
    return setting(kinds.Text(allowed, check), default, summary, **options)


def choice(
    names: object,
    default: T,
    summary: str,
    *,
    synonyms: dict[str, str] | None = None,
    group: str = "",
    **options: Unpack[Options],
) -> T:
    """Declare one of the names of a ``Literal``, or of the entry points of a group."""
    kind: Kind[Any] = kinds.Choice(get_args(names), synonyms, group)
    chosen: T = setting(kind, default, summary, **options)
    return chosen


def directives_of(section: type) -> list[Directive]:
    """The directives that one section class declares itself."""
    found = []
    for field in attrs.fields(section):
        if field.inherited:
            continue
        declaration, default = field.metadata[_DECLARATION]
        options: dict[str, Any] = dict(declaration.options)
        found.append(
            Directive(
                name=options.pop("name", field.name.replace("_", "-")),
                attribute=field.name,
                section=section.__name__.removesuffix("Settings").lower(),
                kind=declaration.kind,
                default=default,
                summary=declaration.summary,
                **options,
            )
        )
    return found
