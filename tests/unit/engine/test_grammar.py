"""The declaration notation: derived arity, key positions and arguments, and what it refuses."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from hypercache.engine.command import Command, Declaration
from hypercache.engine.context import Context
from hypercache.engine.documentation import command_docs, command_info
from hypercache.engine.grammar import GrammarError, parse
from hypercache.reply import OK, Reply
from tests.support.metadata import flatten, read

SYNTAXES = yaml.safe_load(Path(__file__).with_name("syntaxes.yaml").read_text("utf-8"))


def answer_ok(context: Context, args: list[bytes]) -> Reply:
    return OK


def declare(syntax: str, words: int = 1, keys: str = "", flags: str = "") -> Command:
    declaration = Declaration(
        syntax,
        answer_ok,
        group="generic",
        since="1.0.0",
        summary="For a test.",
        container=syntax.split()[0] if words == 2 else "",
        keys=keys,
        flags=flags,
    )
    return Command(declaration)


@pytest.mark.parametrize("case", SYNTAXES, ids=lambda case: case["syntax"].split("[")[0][:24])
def test_what_redis_documents_is_derived(case: dict[str, Any]) -> None:
    command = declare(case["syntax"], case.get("words", 1), case.get("keys", ""))
    derived = next(read(flatten(command_info(command)), flatten(command_docs(command))))
    assert derived.arity == case["arity"]
    assert derived.range == tuple(case["range"])
    assert ("movablekeys" in derived.flags) == case.get("movable", False)
    places = [spec.partition(": ")[2].replace("unknown", "?") for spec in derived.specs]
    assert places == case.get("specs", [])
    assert derived.arguments == case.get("arguments", "")


@pytest.mark.parametrize(
    ("syntax", "minimum", "maximum"),
    [
        ("PING [message]", 1, 2),
        ("GET key", 2, 2),
        ("DEL key...", 2, -1),
        ("HELLO [protover:integer [AUTH username password] [SETNAME clientname]]", 1, 7),
        ("REPLICAOF (host port | NO ONE)", 3, 3),
        ("SPOP key [count:integer]", 2, 3),
        ("X [a [b [c]]] (P | Q r s)", 2, 7),
    ],
)
def test_sizes(syntax: str, minimum: int, maximum: int) -> None:
    parsed = parse(syntax)
    assert (parsed.minimum(), parsed.maximum()) == (minimum, maximum)


@pytest.mark.parametrize(
    ("syntax", "token", "members"),
    [
        ("X [LIMIT offset count]", "LIMIT", ["offset", "count"]),
        ("X LIMIT (offset count)", "LIMIT", ["offset", "count"]),
        ("X [GROUP group | LIMIT offset count]", None, ["group", "limit"]),
        ("X [COUNT count [ANY]]", None, ["count", "any"]),
    ],
)
def test_a_token_introduces_the_plain_arguments_of_its_group(
    syntax: str, token: str | None, members: list[str]
) -> None:
    group = parse(syntax).arguments[0]
    assert group.token == token
    assert [each.name for each in group.arguments] == members


def test_a_token_before_several_arguments_of_the_command_introduces_the_first() -> None:
    first, second = parse("X COUNT count destination").arguments
    assert (first.token, first.name, second.token) == ("COUNT", "count", None)


def test_names_of_groups() -> None:
    names = [each.name for each in parse("X unit=[A | B] [C | D] AGGREGATE (E | F)").arguments]
    assert names == ["unit", "c-d", "aggregate"]


@pytest.mark.parametrize(
    ("syntax", "keys", "complaint"),
    [
        ("get key", "RO", "upper-case"),
        ("GET [key", "RO", "not closed"),
        ("GET key)", "RO", "unexpected ')'"),
        ("GET []", "", "empty"),
        ("GET (a | )", "", "empty"),
        ("GET [[a]]", "", "optional twice"),
        ("GET ... key", "RO", "nothing to repeat"),
        ("GET key:word", "RO", "unknown type 'word'"),
        ("GET Key", "RO", "neither a token nor"),
        ("GET (NX | NX)", "", "two alternatives"),
        ("GET label= key", "RO", "needs a group"),
        ("GET", "RO access", "key flags without a key argument"),
        ("GET key", "", "1 key argument(s), 0 group(s)"),
        ("GET key", "access", "one of RO, RW, OW, RM"),
        ("GET key", "RO RW", "one of RO, RW, OW, RM"),
        ("GET key", "RO acess", "unknown key flag 'acess'"),
        ("COPY source:key [DB db] destination:key", "RO; OW", "no fixed place"),
        ("COPY source:key between destination:key", "RO", "not neighbours"),
        ("COPY source:key#0 destination:key", "RO; OW", "number all"),
        ("COPY source:key#0 destination:key#2", "RO; OW", "names key group 2"),
        ("BLPOP key... [timeout]", "RW", "nothing tells where"),
    ],
)
def test_contradictions_name_the_command(syntax: str, keys: str, complaint: str) -> None:
    with pytest.raises(GrammarError) as caught:
        declare(syntax, keys=keys)
    assert complaint in str(caught.value)
    assert syntax.split()[0] in str(caught.value)
