"""The registry: lookup in Redis' words, containers, plugins' commands, other names."""

import pytest

from hypercache.engine.command import Declaration
from hypercache.engine.context import Context
from hypercache.engine.grammar import GrammarError
from hypercache.engine.help import help_lines
from hypercache.engine.registry import MAX_SPELLINGS, Registry
from hypercache.reply import OK, ErrorReply, Reply


def answer_ok(context: Context, args: list[bytes]) -> Reply:
    return OK


def declaration(syntax: str, container: str = "", **options: str) -> Declaration:
    return Declaration(
        syntax,
        answer_ok,
        container=container,
        group=options.pop("group", "generic"),
        since=options.pop("since", "1.0.0"),
        summary=options.pop("summary", f"Do {syntax.split()[-1]}."),
        **options,  # type: ignore[arg-type]
    )


@pytest.fixture
def registry() -> Registry:
    registry = Registry()
    registry.add(
        [
            declaration("GET key", keys="RO access", flags="readonly fast"),
            declaration("DEL key...", keys="RM delete", flags="write"),
            declaration("CONFIG GET parameter...", container="CONFIG", since="2.0.0"),
            declaration("CONFIG SET (parameter value)...", container="CONFIG", since="2.10.0"),
        ]
    )
    return registry


def error(registry: Registry, *args: bytes) -> str:
    with pytest.raises(ErrorReply) as caught:
        registry.find(list(args))
    return caught.value.text


@pytest.mark.parametrize("name", [b"get", b"GET", b"Get", b"gET"])
def test_names_in_any_case(registry: Registry, name: bytes) -> None:
    assert registry.find([name, b"k"]).name == b"get"
    assert registry.find([name, b"k"]).name == b"get"


@pytest.mark.parametrize("word", [b"get", b"GET", b"gEt"])
def test_sub_commands_in_any_case(registry: Registry, word: bytes) -> None:
    command = registry.find([b"Config", word, b"port"])
    assert (command.name, command.word) == (b"config|get", b"get")
    assert command.parent is registry.get(b"CONFIG")


def test_unknown_commands_in_redis_words(registry: Registry) -> None:
    unknown = "ERR unknown command"
    assert error(registry, b"foo") == f"{unknown} 'foo', with args beginning with: "
    assert error(registry, b"foo", b"a", b"b") == (
        f"{unknown} 'foo', with args beginning with: 'a' 'b' "
    )
    assert error(registry, b"") == f"{unknown} '', with args beginning with: "
    assert error(registry, b"config|get", b"x") == (
        f"{unknown} 'config|get', with args beginning with: 'x' "
    )


def test_unknown_commands_are_cut_and_stay_on_one_line(registry: Registry) -> None:
    text = error(registry, b"x" * 200, b"a\r\nb", b"c\0d", b"y" * 200, b"z")
    assert text == (
        "ERR unknown command '" + "x" * 128 + "', with args beginning with: "
        "'a  b' 'c' '" + "y" * 117 + "' "
    )


def test_bytes_of_unknown_commands_survive(registry: Registry) -> None:
    assert "\udcff" in error(registry, b"\xff")


def test_unknown_sub_commands_in_redis_words(registry: Registry) -> None:
    assert error(registry, b"config", b"x\ny") == ("ERR unknown subcommand 'x y'. Try CONFIG HELP.")
    assert error(registry, b"CONFIG", b"y" * 200) == (
        "ERR unknown subcommand '" + "y" * 128 + "'. Try CONFIG HELP."
    )


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (b"GET", "get"),
        (b"get a b", "get"),
        (b"DEL", "del"),
        (b"CONFIG", "config"),
        (b"CONFIG GET", "config|get"),
        (b"CONFIG HELP me", "config|help"),
    ],
)
def test_a_wrong_number_of_arguments_is_a_rejected_call(
    registry: Registry, call: bytes, name: str
) -> None:
    assert error(registry, *call.split()) == f"ERR wrong number of arguments for '{name}' command"
    command = registry.get(name.encode())
    assert command is not None
    assert (command.calls, command.rejected_calls) == (0, 1)


def test_full_names(registry: Registry) -> None:
    for name in (b"get", b"GET", b"config|get", b"CONFIG|Get", b"config"):
        command = registry.get(name)
        assert command is not None
        assert command.name == name.lower()
    for name in (b"", b"|", b"get|key", b"config|", b"config|get|x", b"config|nothing"):
        assert registry.get(name) is None


def test_argument_lists_resolve_whatever_their_length(registry: Registry) -> None:
    for words, name in ((b"get", b"get"), (b"config", b"config"), (b"CONFIG SET", b"config|set")):
        command = registry.resolve(words.split())
        assert command is not None
        assert command.name == name
    assert registry.resolve([b"config", b"nothing"]) is None
    assert registry.resolve([b"nothing"]) is None


def test_a_container_is_derived_from_its_sub_commands(registry: Registry) -> None:
    config = registry.get(b"config")
    assert config is not None
    assert config.arity == -2
    assert config.declaration.since == "2.0.0"
    assert len(registry) == 3
    assert [each.name for each in registry.every()] == [
        b"get",
        b"del",
        b"config",
        b"config|help",
        b"config|get",
        b"config|set",
    ]


def test_help_lists_the_sub_commands(registry: Registry) -> None:
    container = registry.get(b"config")
    assert container is not None
    assert registry.find([b"CONFIG", b"HELP"]).parent is container
    assert help_lines(container) == [
        "CONFIG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "GET <parameter> [<parameter> ...]",
        "    Do parameter....",
        "SET <parameter> <value> [<parameter> <value> ...]",
        "    Do value)....",
        "HELP",
        "    Print this help.",
    ]


@pytest.mark.parametrize(
    ("batch", "complaint"),
    [
        ([declaration("GET key", keys="RO")], "'GET': the name is taken"),
        ([declaration("NEW"), declaration("NEW")], "'NEW': the name is taken"),
        ([declaration("CONFIG")], "'CONFIG': the name is taken"),
        ([declaration("CONFIG GET x", container="CONFIG")], "'CONFIG GET': the name is taken"),
        ([declaration("CONFIG HELP", container="CONFIG")], "'CONFIG HELP': the name is taken"),
        ([declaration("GET TYPE", container="GET")], "'GET TYPE': its container is a command"),
        (
            [declaration("OUTER"), declaration("OUTER INNER", container="OUTER")],
            "'OUTER INNER': its container has arity 1",
        ),
    ],
)
def test_a_contradiction_is_refused_and_nothing_is_added(
    registry: Registry, batch: list[Declaration], complaint: str
) -> None:
    before = [each.name for each in registry.every()]
    with pytest.raises(GrammarError, match=complaint):
        registry.add([declaration("INNOCENT"), *batch])
    assert [each.name for each in registry.every()] == before


def test_commands_of_a_plugin_come_and_go(registry: Registry) -> None:
    registry.add(
        [declaration("FOO.BAR key", keys="RO"), declaration("CONFIG EXTRA", container="CONFIG")],
        module="foo",
    )
    assert registry.find([b"FOO.bar", b"k"]).module == "foo"
    assert registry.find([b"CONFIG", b"EXTRA"]).module == "foo"
    registry.remove("foo")
    assert "unknown command" in error(registry, b"FOO.bar", b"k")
    assert "unknown subcommand" in error(registry, b"CONFIG", b"EXTRA")
    assert registry.find([b"CONFIG", b"GET", b"x"]).name == b"config|get"


def test_a_command_can_be_renamed_and_disabled(registry: Registry) -> None:
    registry.rename(b"GET", b"Fetch")
    assert registry.find([b"FETCH", b"k"]).name == b"get"
    assert "unknown command" in error(registry, b"GET", b"k")
    registry.rename(b"config", b"")
    assert "unknown command" in error(registry, b"CONFIG", b"GET", b"x")
    with pytest.raises(KeyError):
        registry.rename(b"get", b"other")
    with pytest.raises(ValueError, match="taken"):
        registry.rename(b"fetch", b"del")


def test_spellings_are_remembered_within_bounds() -> None:
    registry = Registry()
    registry.add([declaration("ABCDEFGHIJKLMNOP")])
    for number in range(MAX_SPELLINGS + 10):
        bits = f"{number:016b}"
        name = "".join(
            letter.upper() if bit == "1" else letter
            for letter, bit in zip("abcdefghijklmnop", bits, strict=True)
        )
        assert registry.find([name.encode()]).name == b"abcdefghijklmnop"
    assert len(registry._spellings) <= MAX_SPELLINGS


def test_statistics_are_reset_everywhere(registry: Registry) -> None:
    for command in registry.every():
        command.record(5)
    registry.reset_statistics()
    assert all(command.calls == 0 for command in registry.every())
