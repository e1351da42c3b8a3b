"""Declarations and commands: flags, categories, arity, statistics."""

import pytest

from hypercache.engine.command import (
    CATEGORIES,
    FAST,
    MODULE,
    MOVABLE_KEYS,
    WRITE,
    Command,
    Declaration,
    command,
    declared_in,
)
from hypercache.engine.context import Context
from hypercache.engine.grammar import GrammarError
from hypercache.reply import OK, Reply


@command(
    "TOUCHALL key...",
    group="generic",
    since="1.0.0",
    flags="write fast",
    keys="RM delete",
    summary="For this test.",
)
def touch_all(context: Context, args: list[bytes]) -> Reply:
    return OK


def declare(syntax: str = "X", **options: object) -> Command:
    fields = {"group": "generic", "since": "1.0.0", "summary": "For a test."} | options
    declaration = Declaration(syntax, touch_all, **fields)  # type: ignore[arg-type]
    return Command(declaration)


def categories(found: Command) -> set[str]:
    return {name for bit, name in enumerate(CATEGORIES) if found.categories & 1 << bit}


def test_the_decorator_records_and_returns_the_function() -> None:
    assert touch_all.__name__ == "touch_all"
    (declaration,) = declared_in(__name__)
    found = Command(declaration)
    assert (found.name, found.arity, found.minimum, found.maximum) == (b"touchall", -2, 2, -1)
    assert found.flags == WRITE | FAST
    assert found.function is touch_all
    assert declared_in("nowhere") == []


@pytest.mark.parametrize(
    ("group", "flags", "text", "expected"),
    [
        ("string", "readonly fast", "", "string read fast"),
        ("generic", "write", "", "keyspace write slow"),
        ("server", "admin noscript", "", "admin dangerous slow"),
        ("list", "write blocking", "", "list write slow blocking"),
        ("scripting", "readonly", "", "scripting slow"),
        ("pubsub", "pubsub fast", "", "pubsub fast"),
        ("generic", "", "connection -keyspace", "connection slow"),
    ],
)
def test_categories_follow_from_group_and_flags(
    group: str, flags: str, text: str, expected: str
) -> None:
    assert categories(declare(group=group, flags=flags, categories=text)) == set(expected.split())


def test_derived_flags() -> None:
    movable = declare("ZUNION numkeys:integer key...", keys="RO access")
    assert movable.flags == MOVABLE_KEYS
    foreign = declare("ZUNION numkeys:integer key...", keys="RO access", group="module")
    assert Command(foreign.declaration, "plugin").flags == MOVABLE_KEYS | MODULE
    # EVAL is one of Redis' own commands, although a plugin runs it.
    assert Command(movable.declaration, "plugin").flags == MOVABLE_KEYS


def test_an_arity_may_be_wider_than_the_syntax() -> None:
    quit_ = declare("QUIT", arity=-1)
    assert (quit_.arity, quit_.minimum, quit_.maximum) == (-1, 1, -1)


@pytest.mark.parametrize(
    ("syntax", "options", "complaint"),
    [
        ("X", {"flags": "writes"}, "unknown flag 'writes'"),
        ("X", {"flags": "movablekeys"}, "unknown flag 'movablekeys'"),
        ("X", {"flags": "write readonly"}, "both write and readonly"),
        ("X", {"group": "strings"}, "unknown group 'strings'"),
        ("X", {"categories": "keyspaces"}, "unknown ACL category 'keyspaces'"),
        ("X", {"categories": "-string"}, "not in the category 'string'"),
        ("X", {"arity": 2}, "arity 2 contradicts"),
        ("X a", {"arity": -3}, "arity -3 contradicts"),
        ("X [a]", {"arity": 4}, "arity 4 contradicts"),
        ("X Y", {"container": "Z"}, "declared in the container 'Z'"),
    ],
)
def test_contradictions_name_the_command(
    syntax: str, options: dict[str, object], complaint: str
) -> None:
    with pytest.raises(GrammarError) as caught:
        declare(syntax, **options)
    assert complaint in str(caught.value)
    assert "X" in str(caught.value)


def test_calls_are_counted_by_latency() -> None:
    found = declare()
    assert found.histogram() == []
    for microseconds in (0, 1, 2, 3, 4, 1000, 2**40):
        found.record(microseconds)
    buckets = found.histogram()
    assert {i: count for i, count in enumerate(buckets) if count} == {
        0: 1,
        1: 1,
        2: 2,
        3: 1,
        10: 1,
        41: 1,
    }
    assert (found.calls, found.microseconds) == (7, 1010 + 2**40)
    found.rejected_calls = found.failed_calls = 3
    found.reset_statistics()
    assert found.histogram() == []
    assert (found.calls, found.microseconds, found.rejected_calls, found.failed_calls) == (0,) * 4


def test_slow_calls_with_secrets_are_not_logged() -> None:
    assert declare(flags="noscript").is_logged_when_slow()
    assert not declare(flags="skip_slowlog").is_logged_when_slow()
