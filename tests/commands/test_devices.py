"""`drava devices` and `drava areas` as an operator meets them: files in, one word a mistake, nothing half done."""

import json
from datetime import UTC, datetime

import pytest
import typer
from typer.testing import CliRunner

from commands import assets, devices, home
from commands.context import Context
from schemas.errors import DravaError


@pytest.fixture
def drava(tmp_path, monkeypatch):
    """The commands on a new home; gives the result of one run."""
    app = typer.Typer()
    devices.add(app)
    assets.add(app)
    home.add(app)

    @app.callback()
    def options(ctx: typer.Context):
        ctx.obj = Context(path=tmp_path / "home", as_of=datetime(2026, 3, 1, tzinfo=UTC))

    def run(*words: str):
        return CliRunner().invoke(app, words)

    monkeypatch.setenv("COLUMNS", "200")
    assert run("init", str(tmp_path / "home"), "--municipality", "ptuj").exit_code == 0
    return run


def write(tmp_path, text: str, encoding: str = "utf-8"):
    file = tmp_path / "file.csv"
    file.write_bytes(text.encode(encoding))
    return str(file)


EXCEL = (
    "device_id;family;thing_id;valid_from;area;lat;lon;title;nominal_power_w\r\n"
    "SL-1;streetlight;lamp-1;1. 3. 2025;šolska;46,42;15,87;Šolska ulica;36,5\r\n"
    "SL-2;streetlight;lamp-2;1. 3. 2025;šolska;46,421;15,871;Žička cesta;1.250,0\r\n"
)


@pytest.mark.parametrize("encoding", ["cp1250", "utf-8-sig"])
def test_a_file_from_a_slovenian_excel_is_imported_listed_and_shown(drava, tmp_path, encoding):
    done = drava("devices", "import", write(tmp_path, EXCEL, encoding))
    assert (done.exit_code, done.stderr) == (0, "")
    assert "naprave: dodano 2, spremenjeno 0, odstranjeno 0" in done.stdout
    listed = json.loads(drava("devices", "list", "--area", "šolska", "--json").stdout)
    assert [(r["device_id"], r["title"]) for r in listed] == [("SL-1", "Šolska ulica"), ("SL-2", "Žička cesta")]
    shown = json.loads(drava("devices", "show", "lamp-2", "--json").stdout)
    assert shown["thing"]["attributes"] == {"nominal_power_w": 1250}
    assert shown["assignments"][0]["valid_from"] == "2025-02-28T23:00:00+00:00"
    told = drava("devices", "show", "lamp-1").stdout
    assert "2025-03-01 00:00:00+01:00" in told
    assert '{"nominal_power_w": 36.5}' in told
    assert "2025-03-01 00:00:00+01:00" in drava("devices", "list").stdout
    again = json.loads(drava("devices", "import", write(tmp_path, EXCEL, encoding), "--json").stdout)
    assert set(again["added"].values()) == set(again["changed"].values()) == {0}


def test_bad_rows_are_all_named_and_nothing_is_imported(drava, tmp_path):
    text = EXCEL + "SL/3;streetlight;lamp-3;1. 3. 2025;;;;;\r\n"
    text += "SL-4;lamp;lamp-1;31. 2. 2025;;;;;\r\n"
    text += "SL-5;streetlight;lamp-2;1. 4. 2025;;;;;\r\n"
    done = drava("devices", "import", write(tmp_path, text, "cp1250"))
    assert done.exit_code == 2
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert [line.split(":")[0] for line in lines] == [
        "vrstica 4, device_id 'SL/3'",
        "vrstica 5, valid_from '31. 2. 2025'",
        "vrstica 5, family 'lamp'",
        "vrstica 6, thing_id 'lamp-2'",
        "Nič ni bilo uvoženo. Število napak",
    ]
    assert json.loads(drava("devices", "list", "--json").stdout) == []


def test_a_contradiction_with_the_registry_is_named_too_and_in_json_for_machines(drava, tmp_path):
    drava("devices", "import", write(tmp_path, EXCEL))
    text = "device_id,family,thing_id,valid_from\nSL-9,streetlight,lamp-1,2026-01-01\n"
    done = drava("devices", "import", write(tmp_path, text), "--json")
    assert done.exit_code == 2
    assert "valid_from 2025-03-01 " in done.stderr  # as it stands in the file, to be pasted
    (problem,) = json.loads(done.stdout)["problems"]
    assert (problem["line"], problem["column"], problem["fault"]) == (2, "thing_id", "thing_occupied")
    assert "valid_to" in problem["mend_en"]
    assert "valid_to" in problem["mend_sl"]
    assert len(json.loads(drava("devices", "list", "--json").stdout)) == 2


def test_a_column_with_names_of_people_is_refused(drava, tmp_path):
    done = drava("devices", "import", write(tmp_path, EXCEL.replace("title", "lastnik")))
    assert done.exit_code == 2
    assert "lastnik" in done.stderr
    assert "osebnih imen" in done.stderr


@pytest.mark.parametrize("words", [(), ("--excel",), ("--family", "water_meter", "--excel")])
def test_a_template_can_be_imported_as_it_is(drava, tmp_path, words):
    printed = drava("devices", "template", *words)
    assert printed.exit_code == 0
    assert printed.stdout_bytes.startswith(b"\xef\xbb\xbf") == ("--excel" in words)
    file = tmp_path / "template.csv"
    file.write_bytes(printed.stdout_bytes)
    assert drava("devices", "import", str(file)).exit_code == 0


def test_areas_have_the_same_three_commands(drava, tmp_path):
    file = tmp_path / "areas.csv"
    file.write_bytes(drava("areas", "template", "--excel").stdout_bytes)
    assert drava("areas", "import", str(file)).exit_code == 0
    listed = json.loads(drava("areas", "list", "--json").stdout)
    assert [(a["area_id"], a["parent_id"], a["network_km"]) for a in listed] == [
        ("center", "town", 18.4),
        ("town", None, None),
    ]
    bad = drava("areas", "import", write(tmp_path, "area_id;lastnik\nx;y\n"))
    assert bad.exit_code == 2
    assert "lastnik" in bad.stderr


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("devices", "import", "no-such-file.csv"), "cannot be read"),
        (("devices", "import", "."), "cannot be read"),
        (("devices", "show", "nobody"), "no device and no thing 'nobody'"),
        (("devices", "list", "--family", "lamps"), "no family 'lamps'"),
        (("devices", "template", "--family", "lamps"), "no family 'lamps'"),
    ],
)
def test_wrong_use_says_what_to_do(drava, words, says):
    failure = drava(*words).exception
    assert isinstance(failure, DravaError)
    assert says in failure.what
    assert failure.hint
