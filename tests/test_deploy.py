"""The systemd units parse, start commands that the program has, and are hardened."""

import configparser
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
import typer

from cli import app

DEPLOY = Path(__file__).parents[1] / "deploy"
UNITS = sorted(path.name for path in DEPLOY.iterdir() if path.suffix in {".service", ".timer"})
SERVICES = [name for name in UNITS if name.endswith(".service")]
PROGRAM = "/opt/drava/bin/drava"
HARDENING = {
    "User": "drava",
    "NoNewPrivileges": "yes",
    "ProtectSystem": "strict",
    "ProtectHome": "yes",
    "PrivateTmp": "yes",
    "StateDirectory": "drava",
    "CapabilityBoundingSet": "",
}


def read(name):
    """The sections of a unit; of a key that comes several times the last."""
    parser = configparser.ConfigParser(strict=False, interpolation=None, delimiters="=")
    parser.optionxform = str
    parser.read_string((DEPLOY / name).read_text("utf-8"))
    return parser


def commands(name):
    return re.findall(rf"^ExecStart={PROGRAM} (.*)$", (DEPLOY / name).read_text("utf-8"), re.MULTILINE)


def test_what_is_shipped():
    names = {"indicators", "export", "backup"}
    assert set(UNITS) == {"drava-ingest.service"} | {
        f"drava-{n}.{kind}" for n in names for kind in ("service", "timer")
    }


@pytest.mark.parametrize("name", UNITS)
def test_a_unit_parses_and_every_group_of_lines_says_why(name):
    sections = read(name).sections()
    assert sections[:2] == ["Unit", "Timer" if name.endswith(".timer") else "Service"]
    groups = (DEPLOY / name).read_text("utf-8").strip().split("\n\n")
    assert [group for group in groups if group[0] not in "#["] == []


@pytest.mark.parametrize("name", SERVICES)
def test_what_a_unit_starts_is_a_command_with_these_options(name):
    lines = commands(name)
    assert len(lines) == (DEPLOY / name).read_text("utf-8").count("ExecStart=") > 0
    for line in lines:
        command = typer.main.get_command(app)
        words = shlex.split(line)
        while hasattr(command, "list_commands"):
            found = command.get_command(None, words[0])
            if found is None:  # the word that may be left out: drava backup DIR
                assert command.name == "backup"
                found = command.get_command(None, "run")
            else:
                words.pop(0)
            command = found
        options = {option for param in command.params for option in param.opts}
        assert {word for word in words if word.startswith("--")} <= options


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_hardened(name):
    service = read(name)["Service"]
    assert {key: service[key] for key in HARDENING} == HARDENING
    assert "MemoryMax" in service
    assert "/var/lib/drava" in service["ReadWritePaths"]
    if name == "drava-ingest.service":
        assert service["Restart"] == "on-failure"
    else:
        assert service["PrivateNetwork"] == "yes"


def test_environment_of_the_units_holds_no_unknown_setting():
    """An unknown DRAVA_ variable stops the program: the backup's folder has another name."""
    for name in SERVICES:
        names = re.findall(r"^Environment=(\w+)=", (DEPLOY / name).read_text("utf-8"), re.MULTILINE)
        assert {n for n in names if n.startswith("DRAVA_")} == {"DRAVA_HOME"}


@pytest.fixture
def installed(tmp_path):
    """The units as systemd would find them, with a program that is there."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    for name in UNITS:
        text = (DEPLOY / name).read_text("utf-8").replace(PROGRAM, "/bin/true")
        (tmp_path / name).write_text(text)
    return tmp_path


def test_systemd_understands_every_line(installed):
    units = [str(installed / name) for name in UNITS]
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *units], capture_output=True, text=True, check=False, timeout=60
    )
    assert [line for line in done.stderr.splitlines() if "drava-" in line] == []
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", SERVICES)
def test_systemd_calls_it_well_protected(installed, name):
    command = ["systemd-analyze", "security", "--offline=yes", "--threshold=25", str(installed / name)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout.splitlines()[-1:]
