"""docs/meter-exchange.md is true: each command runs, and prints what the page says."""

import re
import shlex
from pathlib import Path

from typer.testing import CliRunner

from cli import app

PAGE = Path(__file__).parents[2] / "docs" / "meter-exchange.md"


def steps(page: str):
    """Every command of the page with what it prints."""
    for block in re.findall(r"```console\n(.*?)```", page, re.DOTALL):
        for step in block.split("$ ")[1:]:
            command, _, output = step.partition("\n")
            yield shlex.split(command), output


def pattern(shown: str) -> str:
    """What the page shows, `…` standing for anything in a line; tables are padded to the width of their cells."""
    lines = [r"[^\n]*".join(re.escape(part) for part in line.split("…")) for line in shown.splitlines()]
    return r" *\n".join(lines) + r"\s*"


def test_the_walk_through_prints_what_it_says(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DRAVA_HOME", "home")
    run = CliRunner().invoke
    assert run(app, ["init", "home", "--municipality", "ptuj", "--lang", "en"]).exit_code == 0
    walked = list(steps(PAGE.read_text("utf-8")))
    assert len(walked) > 15
    for words, shown in walked:
        if words[0] == "cat":
            (tmp_path / words[1]).write_text(shown, "utf-8")
            continue
        done = run(app, words[1:])
        assert done.exit_code == 0, (words, done.output, done.exception)
        assert re.fullmatch(pattern(shown), done.stdout), (words, done.stdout)
