"""A home is made whole or not at all, and a disk that cannot be used is told in one line."""

import sys

import pytest
from typer.testing import CliRunner

import cli
from schemas.errors import DravaError


@pytest.mark.parametrize("wrong", [["--municipality", "Ptuj!"], ["--municipality", "ptuj", "--broker", "http://x"]])
def test_wrong_settings_leave_no_folder_behind(tmp_path, wrong):
    """The next try, with the right word, must not find a home already."""
    home = tmp_path / "home"
    failed = CliRunner().invoke(cli.app, ["init", str(home), *wrong])
    assert isinstance(failed.exception, DravaError)
    assert not home.exists()
    assert CliRunner().invoke(cli.app, ["init", str(home), "--municipality", "ptuj"]).exit_code == 0


def test_a_file_that_cannot_be_opened_is_one_line(tmp_path, monkeypatch, capsys):
    """Also where the tests run as root: a folder in the place of the lake's lock."""
    home = tmp_path / "home"
    assert CliRunner().invoke(cli.app, ["init", str(home), "--municipality", "ptuj"]).exit_code == 0
    (home / "lake" / ".lock").mkdir()
    monkeypatch.setattr(sys, "argv", ["drava", "--home", str(home), "verify"])
    with pytest.raises(SystemExit) as ended:
        cli.run()
    said = capsys.readouterr().err
    assert (ended.value.code, said.count("\n")) == (2, 1)
    assert f"{home}/lake/.lock" in said
    assert "drava doctor" in said
