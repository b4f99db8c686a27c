"""The systemd units parse, start commands that the program has, are hardened, and `drava deploy` writes them."""

import configparser
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from cli import app
from commands.deploy import PROGRAM, files
from schemas.errors import DravaError

DEPLOY = Path(__file__).parents[1] / "deploy"
UNITS = sorted(path.name for path in DEPLOY.iterdir() if path.suffix in {".service", ".timer"})
SERVICES = [name for name in UNITS if name.endswith(".service")]
HARDENING = {
    "User": "drava",
    "NoNewPrivileges": "yes",
    "ProtectSystem": "strict",
    "ProtectHome": "yes",
    "PrivateTmp": "yes",
    "StateDirectory": "drava/%i",
    "Environment": "DRAVA_HOME=/var/lib/drava/%i",
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
    names = {"detectors", "indicators", "morning", "export", "backup", "maintain"}
    assert set(UNITS) == {"drava-ingest@.service", "drava-alarms@.service"} | {
        f"drava-{n}@.{kind}" for n in names for kind in ("service", "timer")
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
    assert service.get("ReadWritePaths", "") in {"", "/var/backups/drava/%i"}
    if name in {"drava-ingest@.service", "drava-alarms@.service"}:
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
    for path, text in files("ptuj", "/bin/true").items():
        if "/systemd/" in path:
            (tmp_path / Path(path).name).write_text(text)
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


# --- drava deploy ----------------------------------------------------------------------------------------------------
def deploy(root, *words):
    done = CliRunner().invoke(app, ["deploy", str(root), *words])
    return done.exit_code, done.output


def test_everything_is_written_below_the_root_with_this_program(tmp_path):
    code, said = deploy(tmp_path, "--municipality", "ptuj")
    assert code == 0
    written = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    clocks = {f"drava-{name}@ptuj.timer.d/zone.conf" for name in ("indicators", "morning")}
    assert written == {f"etc/systemd/system/{name}" for name in clocks.union(UNITS)} | {
        "etc/sysusers.d/drava.conf",
        "etc/mosquitto/conf.d/drava.conf",
        "etc/mosquitto/drava.acl",
    }
    program = f"{sys.prefix}/bin/drava"
    unit = (tmp_path / "etc/systemd/system/drava-ingest@.service").read_text("utf-8")
    assert f"ExecStart={program} ingest" in unit
    assert f"{program} init /var/lib/drava/ptuj --municipality ptuj" in said
    assert "drava-{detectors,indicators,morning,export,backup,maintain}@ptuj.timer" in said


@pytest.mark.parametrize("told", ["by the home", "by the option", "by nobody"])
def test_timers_go_by_the_clock_of_their_town(tmp_path, told):
    home = tmp_path / "var/lib/drava/bihac"
    home.mkdir(parents=True)
    if told == "by the home":
        (home / "drava.toml").write_text('municipality = "bihac"\ntimezone = "Europe/Sarajevo"\n')
    words = ["--timezone", "Europe/Sarajevo"] if told == "by the option" else []
    assert deploy(tmp_path, "--municipality", "bihac", *words)[0] == 0
    zone = "Europe/Ljubljana" if told == "by nobody" else "Europe/Sarajevo"
    for name, when in {"indicators": "05:30:00", "morning": "06:00:00"}.items():
        lines = (tmp_path / f"etc/systemd/system/drava-{name}@bihac.timer.d/zone.conf").read_text("utf-8").splitlines()
        assert lines[1:] == ["[Timer]", "OnCalendar=", f"OnCalendar=*-*-* {when} {zone}"]


def test_a_zone_that_is_none_is_refused(tmp_path):
    done = CliRunner().invoke(app, ["deploy", str(tmp_path), "--municipality", "ptuj", "--timezone", "Europe/Ptuj"])
    assert "'Europe/Ptuj' is not a time zone" in str(done.exception)
    assert not list(tmp_path.iterdir())


def test_what_is_there_and_differs_is_left_unless_asked_and_rights_are_added(tmp_path):
    deploy(tmp_path, "--municipality", "ptuj")
    unit, rights = tmp_path / "etc/systemd/system/drava-export@.timer", tmp_path / "etc/mosquitto/drava.acl"
    ours = unit.read_text("utf-8")
    unit.write_text("changed by hand\n")
    for _ in range(2):
        assert f"differs  {unit}" in deploy(tmp_path, "--municipality", "maribor")[1]
    assert unit.read_text("utf-8") == "changed by hand\n"
    for name in ("ptuj", "maribor"):
        assert rights.read_text("utf-8").count(f"\nuser drava-{name}\n") == 1
    assert deploy(tmp_path, "--municipality", "maribor", "--replace")[0] == 0
    assert unit.read_text("utf-8") == ours


@pytest.mark.parametrize("name", ["Ptuj", "../x", "a/b", "%i", "", "#"])
def test_a_name_that_no_topic_can_have_is_refused(tmp_path, name):
    with pytest.raises(DravaError, match="no name"):
        CliRunner().invoke(app, ["deploy", str(tmp_path), "--municipality", name], catch_exceptions=False)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "etc").write_text("a file")
    with pytest.raises(DravaError, match="cannot be written"):
        CliRunner().invoke(app, ["deploy", str(tmp_path), "--municipality", "ptuj"], catch_exceptions=False)
