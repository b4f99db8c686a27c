"""The wheel ships every file of every room under one name, and the locked versions are those that it asks for."""

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import drava
from hatch_build import TOP_LEVEL

ROOT = Path(__file__).parents[1]
SHIPPED = {".py", ".toml", ".sql", ".conf", ".csv", ".html", ".css", ".js", ".service", ".timer", ".sysusers", ".acl"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return next(folder.glob("*.whl"))


def test_wheel_holds_one_name_and_every_file(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == {"drava"}
    wanted = {
        f"drava/app/{path.relative_to(ROOT).as_posix()}"
        for room in TOP_LEVEL
        for path in [ROOT / room, *(ROOT / room).rglob("*")]
        if path.suffix in SHIPPED
    }
    assert wanted - names == set()
    assert not [name for name in names if "__pycache__" in name or "/tests/" in name]
    assert [name for name in names if name.endswith("licenses/LICENSE")]


def test_wheel_runs_outside_the_checkout(wheel: Path, tmp_path: Path) -> None:
    """Unpacked elsewhere, the command starts and reads its own TOML, not the checkout's."""
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    script = (
        "import sys; from drava.__main__ import main; import drava; drava.rooms(); import schemas.vocabulary as v;"
        "assert v.__file__.startswith(sys.argv[1]), v.__file__; assert len(v.families()) >= 6;"
        "sys.argv = ['drava', 'version']; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path / "site"), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout.strip()) == (0, drava.__version__), done.stderr


def test_the_version_agrees_everywhere() -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        assert tomllib.load(file)["project"]["version"] == drava.__version__
    assert f"## {drava.__version__}" in (ROOT / "CHANGELOG.md").read_text("utf-8")


def locked() -> dict[str, str]:
    lines = (ROOT / "requirements.lock").read_text("utf-8").splitlines()
    pins = [re.fullmatch(r"([A-Za-z0-9._-]+)==(\S+)", line) for line in lines if line and not line.startswith("#")]
    assert all(pins), "a lock holds names and versions, no addresses and no paths"
    return {canonical(pin[1]): pin[2] for pin in pins if pin}


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_lock_satisfies_every_requirement() -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        project = tomllib.load(file)
    asked = [
        *project["project"]["dependencies"],
        *project["project"]["optional-dependencies"]["demo"],
        *project["dependency-groups"]["dev"],
    ]
    pins = locked()
    for requirement in map(Requirement, asked):
        pinned = pins.get(canonical(requirement.name))
        assert pinned, f"{requirement.name} is not in requirements.lock"
        assert requirement.specifier.contains(pinned), f"{requirement} against {pinned}"


def test_licence_is_the_whole_apache_licence() -> None:
    text = (ROOT / "LICENSE").read_text("utf-8")
    assert "Apache License" in text
    assert "END OF TERMS AND CONDITIONS" in text
