"""docs/connect-a-device.md is run as it stands: each file is written, each command prints what the document shows."""

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli import app

DOCUMENT = Path(__file__).parents[1] / "docs" / "connect-a-device.md"
AS_OF = "2026-03-01T06:00:00Z"
_BLOCK = re.compile(r"^```(\w+)[ ]*(\w+=\S+)?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(text: str) -> Iterator[tuple[str, str, str]]:
    """What is to be done: write or append a file, or a command with what it prints."""
    for kind, target, body in _BLOCK.findall(text):
        if target:
            verb, _, name = target.partition("=")
            yield verb, name, body
        elif kind == "console":
            for part in re.split(r"^\$ ", body, flags=re.MULTILINE)[1:]:
                command, _, shown = part.partition("\n")
                yield "run", command, shown


def run(command: str, port: int) -> str:
    """Run one command of the document here."""
    if command.startswith("export "):
        name, _, value = command.removeprefix("export ").partition("=")
        os.environ[name] = value
        return ""
    if not command.startswith("drava "):
        told = command.replace("mosquitto_pub ", f"mosquitto_pub -p {port} ")
        return subprocess.run(told, shell=True, check=True, capture_output=True, text=True).stdout
    words = shlex.split(command)[1:]
    more = ["--broker", f"mqtt://127.0.0.1:{port}"] if words[0] == "init" else []
    result = CliRunner().invoke(app, [*words, *more])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.stdout


def plain(text: str) -> list[str]:
    """Lines without what is different in each run, and without blanks at their ends."""
    lines = [re.sub(r"\s{2,}", "  ", line.rstrip()) for line in text.splitlines()]
    return [re.sub(r"\b[0-9a-f]{32}\b|\d+(\.\d+)? s\b", "…", line) for line in lines if line]


@pytest.mark.skipif(shutil.which("mosquitto_pub") is None, reason="mosquitto-clients is not installed")
def test_every_command_of_the_document_prints_what_it_shows(broker, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DRAVA_AS_OF", AS_OF)
    monkeypatch.setenv("DRAVA_METRICS__LISTEN", "")
    monkeypatch.setenv("DRAVA_HOME", "")  # so that what the document exports is undone
    monkeypatch.delenv("DRAVA_HOME")
    done = 0
    for verb, what, body in blocks(DOCUMENT.read_text("utf-8")):
        if verb == "run":
            assert plain(run(what, broker.port)) == plain(body), what
            done += 1
        else:
            Path(what).parent.mkdir(parents=True, exist_ok=True)
            with Path(what).open("a" if verb == "append" else "w", encoding="utf-8") as file:
                file.write(body)
    assert done > 12
