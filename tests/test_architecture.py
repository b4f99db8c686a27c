"""The rooms stay as drawn: arrows point down, files stay small, nothing swallows what it does not know."""

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from hatch_build import ROOMS, TOP_LEVEL

ROOT = Path(__file__).parents[1]
LIMIT = 400
CODE = sorted(
    path
    for name in (*TOP_LEVEL, "drava", "hatch_build.py")
    for path in [ROOT / name, *(ROOT / name).rglob("*.py")]
    if path.suffix == ".py"
)


def test_imports_point_in_one_direction() -> None:
    """The contracts in pyproject.toml hold: layers, and one home for each outside library."""
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_room_is_under_the_contracts() -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        contracts = tomllib.load(file)["tool"]["importlinter"]
    rooms = set(ROOMS)
    assert rooms == set(contracts["root_packages"])
    layers = {part.strip() for layer in contracts["contracts"][0]["layers"] for part in layer.split("|")}
    assert layers == rooms


@pytest.mark.parametrize("path", CODE, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_file_is_small_and_says_its_promise_first(path: Path) -> None:
    text = path.read_text("utf-8")
    assert text.count("\n") <= LIMIT
    assert ast.get_docstring(ast.parse(text)), "the module's first line is its promise"


def test_there_is_at_most_one_broad_except() -> None:
    """A wrong world has a name; only the outermost loop may catch what has none."""
    broad = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in CODE
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or (isinstance(node.type, ast.Name) and node.type.id in {"Exception", "BaseException"}))
    ]
    assert len(broad) <= 1, broad


def test_the_tests_mirror_the_code() -> None:
    """A folder of tests belongs to a room; what other systems suffered goes through all of them."""
    folders = {path.name for path in (ROOT / "tests").iterdir() if path.is_dir() and not path.name.startswith("_")}
    assert folders - {"regression"} <= set(ROOMS)
