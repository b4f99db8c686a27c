"""Docs are held against the program: every command, setting, reason and family is in them, and what they say runs."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from pydantic import BaseModel
from typer.testing import CliRunner

from cli import app
from commands.demo.broker import CONF
from commands.deploy import files
from schemas.reasons import Reason
from schemas.settings import Settings
from schemas.vocabulary import families

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
OPERATIONS = (ROOT / "docs" / "operations.md").read_text("utf-8")
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text("utf-8")
MAIN = typer.main.get_command(app)
ABSENT: list[str] = []


def leaves(command: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command that does something, with its words."""
    if not is_group(command):
        if not command.hidden:
            yield words, command
        return
    for name in command.list_commands(None):
        try:
            sub = command.get_command(None, name)
        except ModuleNotFoundError as error:  # one test fails, not the collection of all
            ABSENT.append(str(error))
        else:
            yield from leaves(sub, (*words, name))


def is_group(command: Any) -> bool:
    return hasattr(command, "list_commands")


COMMANDS = dict(leaves(MAIN))


def settings(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, object]]:
    """Every setting with its default: `broker.url`; a list of tables is one setting."""
    for name, field in model.model_fields.items():
        if isinstance(field.default, BaseModel):
            yield from settings(type(field.default), f"{prefix}{name}.")
        else:
            yield prefix + name, field.default


def test_every_command_is_there() -> None:
    assert ABSENT == []


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_is_in_operations(words: tuple[str, ...]) -> None:
    assert f"`drava {' '.join(words)}`" in OPERATIONS


def test_operations_names_no_command_that_is_not_there() -> None:
    named = set(re.findall(r"^\| (`drava .*?`) \|", OPERATIONS, re.MULTILINE))
    words = {tuple(one.split()[1:]) for cell in named for one in re.findall(r"`(.*?)`", cell)}
    assert words == set(COMMANDS)


@pytest.mark.parametrize(("name", "default"), list(settings(Settings)), ids=lambda value: str(value)[:40])
def test_every_setting_is_in_operations_with_its_default(name: str, default: object) -> None:
    row = re.search(rf"^\| `{re.escape(name)}` \| (.*?) \|", OPERATIONS.replace("| |", "|  |"), re.MULTILINE)
    assert row, f"{name} is not in the table of settings"
    shown = row[1].strip().strip("`")
    expected = "" if default in ("", []) else str(default)
    if isinstance(default, list):
        return  # lists of tables are explained, and have no default to show
    assert shown == expected or float(shown) == default


def test_every_setting_is_in_the_template_of_a_home() -> None:
    template = (ROOT / "schemas" / "drava.toml").read_text("utf-8")
    missing = [name for name, _ in settings(Settings) if not re.search(rf"\b{name.rsplit('.', 1)[-1]}\b", template)]
    assert missing == []


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_is_in_operations(reason: Reason) -> None:
    assert f"| `{reason.value}` |" in OPERATIONS


@pytest.mark.parametrize("family", families())
def test_every_family_is_in_the_readme(family: str) -> None:
    assert f"| `{family}` |" in README


def test_every_line_of_the_brokers_configuration_is_explained() -> None:
    """Of development's and of what `drava deploy` writes: word for word, with its value."""
    deployed = files("ptuj")
    texts = (CONF.read_text("utf-8"), deployed["etc/mosquitto/conf.d/drava.conf"], deployed["etc/mosquitto/drava.acl"])
    lines = {line for text in texts for line in text.splitlines() if line and not line.startswith("#")}
    broker = OPERATIONS.split("## The broker")[1].split("\n## ")[0]
    assert [line for line in sorted(lines) if f"`{line}`" not in broker] == []


def pasted() -> list[str]:
    """Command lines of drava in the README's blocks."""
    lines = [line.strip() for line in README.splitlines()]
    return [line.split(" > ")[0].split("  #")[0] for line in lines if line.startswith("drava ")]


@pytest.mark.parametrize("line", pasted())
def test_a_command_line_of_the_readme_parses(line: str) -> None:
    """Its words name a command, and each of its options is one of that command's."""
    given = shlex.split(line)[1:]
    command = MAIN
    path: list[str] = []
    options = {option for param in MAIN.params for option in param.opts}
    while given and is_group(command):
        word = given.pop(0)
        if word in options:
            given.pop(0)
            continue
        command = command.get_command(None, word)
        path.append(word)
    known = {option for param in command.params for option in param.opts}
    assert {word for word in given if word.startswith("--")} <= known
    assert CliRunner().invoke(app, [*path, "--help"]).exit_code == 0


def test_the_readme_shows_ten_things_and_installs_in_ten_lines() -> None:
    assert re.findall(r"^# (\d+)\. ", README, re.MULTILINE) == [str(n) for n in range(1, 11)]
    install = README.split("## Install")[1].split("##")[0]
    commands = [line for line in install.splitlines() if line.startswith("    ")]
    assert 3 <= len(commands) <= 10


def test_architecture_is_short_and_its_files_exist() -> None:
    assert ARCHITECTURE.count("\n") <= 150
    named = set(re.findall(r"`((?:[a-z_]+/)+[a-z_]+\.(?:py|toml|sql|md))`", ARCHITECTURE))
    assert named
    assert [name for name in named if not (ROOT / name).is_file()] == []


@pytest.mark.parametrize(
    "document", ["README.md", "CHANGELOG.md", *(f"docs/{p.name}" for p in (ROOT / "docs").glob("*.md"))]
)
def test_links_lead_somewhere(document: str) -> None:
    path = ROOT / document
    targets = re.findall(r"\]\(([^)#:]+)\)", path.read_text("utf-8"))
    assert [target for target in targets if not (path.parent / target).exists()] == []


def test_decisions_are_numbered_without_gaps() -> None:
    numbers = sorted(int(path.name[:4]) for path in (ROOT / "docs" / "decisions").glob("*.md"))
    assert numbers == list(range(1, len(numbers) + 1))
