"""What holds for every setting, and that the documents say what the schema says."""

import re
from pathlib import Path

import attrs
import pytest
import yaml

from hypercache.config import BY_NAME, DIRECTIVES, ConfigError, Directive, Settings, load
from hypercache.config.document import main, markdown_tables, with_tables, yaml_template
from hypercache.config.settings import SECTIONS

ROOT = Path(__file__).parents[3]

every_directive = pytest.mark.parametrize(
    "directive", DIRECTIVES, ids=[directive.name for directive in DIRECTIVES]
)


@every_directive
def test_a_default_survives_writing_and_reading(directive: Directive) -> None:
    value = directive.default
    if directive.attribute == "dir":
        value = str(Path.cwd())
    fresh = True
    result = directive.default
    for words in directive.kind.lines(value):
        result = directive.kind.parse(words, result, fresh)
        fresh = False
    assert result == value


@every_directive
def test_every_directive_is_described(directive: Directive) -> None:
    assert directive.summary.endswith(".")
    assert "\n" not in directive.summary
    assert directive.kind.allowed()
    assert directive.attribute == directive.name.replace("-", "_")
    assert directive.effect_text().startswith("is in" if directive.effect == "active" else "has no")


@every_directive
def test_no_kind_lets_nonsense_through(directive: Directive) -> None:
    if directive.kind.allowed().startswith(("any text", "a file", "text with", "up to 16")):
        return  # free text
    if directive.file_only or directive.attribute in ("backend_settings", "plugins", "replicaof"):
        return  # free words
    nonsense = "/no/such?{thing"
    with pytest.raises(ConfigError):
        directive.kind.parse([nonsense], directive.default, True)


def test_names_are_unique() -> None:
    names = [name for each in DIRECTIVES for name in (each.name, *each.aliases)]
    assert len(names) == len(set(names)) == len(BY_NAME)
    assert {field.name for field in attrs.fields(Settings)} == {d.attribute for d in DIRECTIVES}
    assert len({directive.section for directive in DIRECTIVES}) == len(SECTIONS)


def test_settings_do_not_share_their_mappings() -> None:
    first, second = Settings(), Settings()
    first.plugins["x"] = {}
    first.backend_settings["y"] = 1
    assert second == Settings()
    assert "x" not in second.plugins


#: Settings that do nothing, and are read all the same.
READ_WITHOUT_EFFECT = {
    "enable-module-command": "who may use MODULE, which can load nothing",
    "repl-backlog-size": "shown by INFO",
}


def test_effects_are_true() -> None:
    """What is called active is read by the server, what has no effect is not."""
    folders = (ROOT / name for name in ("hypercache", "backends", "plugins"))
    files = [file for folder in folders for file in folder.rglob("*.py")]
    own = ROOT / "hypercache" / "config"
    code = "\n".join(file.read_text("utf-8") for file in files if own not in file.parents)
    # The configuration itself reads these.
    read = {"include", "enable_protected_configs"}
    read |= set(re.findall(r"settings\.([a-z_]+)\b", code))
    active = {each.name for each in DIRECTIVES if each.effect == "active"}
    inactive = {each.name for each in DIRECTIVES if each.effect != "active"}
    assert {name for name in active if BY_NAME[name].attribute not in read} == set()
    assert {name for name in inactive if BY_NAME[name].attribute in read} == set(
        READ_WITHOUT_EFFECT
    )


def redis_defaults() -> dict[str, str]:
    """CONFIG GET * of redis-server 7.2.6 with its defaults, and its hidden settings."""
    lines = (Path(__file__).parent / "redis_7_2_defaults.txt").read_text("utf-8").splitlines()
    pairs = (line.partition(" ") for line in lines if not line.startswith("#"))
    return {name: value for name, _, value in pairs}


def test_knows_what_redis_7_2_knows_with_the_same_defaults() -> None:
    theirs = redis_defaults()
    ours = dict(load([], {}).get("*", *theirs))
    ours["dir"] = "."
    assert len(theirs) > 190
    assert {name: ours.get(name) for name in theirs} == theirs
    extra = {name for name in ours if name not in theirs}
    assert {BY_NAME[name].ours for name in extra} == {True}


def test_the_configuration_file_is_up_to_date() -> None:
    path = ROOT / "configs" / "hypercache.yaml"
    assert path.read_text("utf-8") == yaml_template(), "run python -m hypercache.config.document"


def test_the_configuration_file_holds_every_default() -> None:
    path = ROOT / "configs" / "hypercache.yaml"
    configuration = load([str(path)], {})
    assert configuration.settings == load([], {}).settings
    assert configuration.warnings == []
    said = {directive.name for directive in DIRECTIVES if not directive.file_only}
    nested = yaml.load(path.read_text("utf-8"), yaml.BaseLoader)
    assert said == {
        name
        for section, value in nested.items()
        for name in (value if value and section not in said else [section])
    }


def test_the_manual_is_up_to_date() -> None:
    manual = (ROOT / "docs" / "configuration.md").read_text("utf-8")
    assert manual == with_tables(manual), "run python -m hypercache.config.document --update ."
    assert markdown_tables() in manual


def test_the_manual_is_made_by_a_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "configs").mkdir()
    (tmp_path / "docs").mkdir()
    manual = tmp_path / "docs" / "configuration.md"
    manual.write_text((ROOT / "docs" / "configuration.md").read_text("utf-8"), "utf-8")
    assert main(["--update", str(tmp_path)]) == 0
    assert manual.read_text("utf-8") == (ROOT / "docs" / "configuration.md").read_text("utf-8")
    assert main([]) == 0
    assert capsys.readouterr().out == (tmp_path / "configs" / "hypercache.yaml").read_text("utf-8")
    assert main(["--what"]) == 2
