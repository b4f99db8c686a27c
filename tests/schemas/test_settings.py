"""Proves that a wrong setting is one line with its name, its value and the mend, wherever it comes from."""

import shutil
import tomllib
from importlib.resources import files

import pytest

from schemas.errors import DravaError
from schemas.settings import FORMAT, Home, Settings, as_dict, load

GOOD = 'municipality = "ptuj"\n'


@pytest.fixture
def settings(tmp_path):
    def write(text):
        file = tmp_path / "drava.toml"
        file.write_text(text)
        return load(file)

    return write


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ('municipality = "Ptuj Mesto"', "municipality", "Ptuj Mesto"),
        ('municipality = "../ptuj"', "municipality", "../ptuj"),
        ('municipality = "ptuj/#"', "municipality", "ptuj/#"),
        ('municipality = "ptuj\\n"', "municipality", "ptuj"),
        ('lang = "de"', "lang", "de"),
        ('timezone = "Europe/Ptuj"', "timezone", "Europe/Ptuj"),
        ('timezone = "../../etc/passwd"', "timezone", "passwd"),
        ("lat = 91", "lat", "91"),
        ("lat = nan", "lat", "nan"),
        ('[broker]\nurl = "http://x"', "broker.url", "http://x"),
        ('[broker]\nurl = "mqtt://host:99999"', "broker.url", "99999"),
        ('[broker]\nurl = "mqtt://host:port"', "broker.url", "port"),
        ("[broker]\nsession_expiry_h = 0", "broker.session_expiry_h", "0"),
        ("[ingest]\nflush_rows = 1", "ingest.flush_rows", "1"),
        ("[ingest]\nflush_seconds = inf", "ingest.flush_seconds", "inf"),
        ('[ingest]\nflush_rows = "many"', "ingest.flush_rows", "many"),
        ("[prices]\nwater_eur_m3 = -1", "prices.water_eur_m3", "-1"),
        ('[[route]]\nfilter = "a/#/b"\ncodec = "json"', "route.0.filter", "a/#/b"),
        ('[[route]]\nfilter = "a/b+"\ncodec = "json"', "route.0.filter", "a/b+"),
        ('[[route]]\nfilter = ""\ncodec = "json"', "route.0.filter", "''"),
    ],
)
def test_a_wrong_value_is_one_line(settings, text, name, value):
    with pytest.raises(DravaError) as error:
        settings(text if text.startswith("municipality") else GOOD + text)
    assert f"'{name}'" in error.value.what
    assert value in error.value.what
    assert "\n" not in str(error.value)
    assert error.value.hint


@pytest.mark.parametrize("text", ["flush_rows = 100", "[ingest]\nflush_row = 100", "[injest]\nflush_rows = 100"])
def test_a_typing_error_does_not_go_unnoticed(settings, text):
    with pytest.raises(DravaError, match="not known"):
        settings(GOOD + text)


@pytest.mark.parametrize("text", ["municipality = ", "= 1", "\x00"])
def test_a_file_that_is_not_toml_is_said(settings, text):
    with pytest.raises(DravaError, match="not valid TOML"):
        settings(text)


def test_the_environment_wins_over_the_file_and_the_file_over_the_defaults(settings, monkeypatch):
    monkeypatch.setenv("DRAVA_LANG", "en")
    monkeypatch.setenv("DRAVA_INGEST__FLUSH_SECONDS", "1.5")
    monkeypatch.setenv("DRAVA_BROKER__URL", "mqtts://broker.example:8883")
    found = settings(GOOD + 'lang = "sl"\n[ingest]\nflush_seconds = 9\nflush_rows = 777\n')
    assert (found.lang, found.ingest.flush_seconds, found.ingest.flush_rows) == ("en", 1.5, 777)
    assert (found.broker.url, found.broker.session_expiry_h) == ("mqtts://broker.example:8883", 168)


def test_a_wrong_variable_is_named_with_its_value(settings, monkeypatch):
    monkeypatch.setenv("DRAVA_INGEST__FLUSH_ROWS", "lots")
    with pytest.raises(DravaError, match=r"ingest\.flush_rows.*lots"):
        settings(GOOD)


def test_a_variable_that_is_not_json_is_not_blamed_on_the_file(settings, monkeypatch):
    monkeypatch.setenv("DRAVA_ROUTE", "[{")
    with pytest.raises(DravaError) as error:
        settings(GOOD)
    assert "TOML" not in error.value.what
    assert "route" in error.value.what.lower()


def test_an_unknown_variable_is_refused(settings, monkeypatch):
    monkeypatch.setenv("DRAVA_FLUSH", "1")
    with pytest.raises(DravaError, match="DRAVA_FLUSH"):
        settings(GOOD)


def test_the_template_holds_every_setting_with_its_default():
    text = (files("schemas") / "drava.toml").read_text("utf-8").replace("@MUNICIPALITY@", "ptuj")
    text = text.replace("@BROKER@", "mqtt://127.0.0.1:1883").replace("@LANG@", "sl")
    lines = [line.removeprefix("# ") if line.startswith("# ") and " = " in line else line for line in text.splitlines()]
    chosen, section = [], ""
    for line in lines:
        section = line.removeprefix("# ") if line.startswith(("[", "# [[")) else section
        if not section.startswith("[[") and not line.startswith("#"):
            chosen.append(line)
    given = tomllib.loads("\n".join(chosen))
    defaults = as_dict(Settings(municipality="ptuj"))
    for section_name, body in given.items():
        for name, value in body.items() if isinstance(body, dict) else [("", body)]:
            default = defaults[section_name][name] if name else defaults[section_name]
            if (section_name, name) not in {("broker", "username"), ("broker", "password_file")}:
                assert value == default, (section_name, name)


@pytest.fixture
def home(tmp_path):
    (tmp_path / "drava.toml").write_text(GOOD)
    (tmp_path / "format").write_text(f"{FORMAT}\n")
    return tmp_path


@pytest.mark.parametrize("marker", [str(FORMAT + 1), "99", "", "x", "-1", "1.0", "9" * 40])
def test_a_home_of_a_newer_or_unknown_format_is_refused_in_one_line(home, marker):
    (home / "format").write_text(marker)
    with pytest.raises(DravaError, match="Install a newer") as error:
        Home(home)
    assert "\n" not in str(error.value)


def test_a_folder_that_is_no_home_says_how_to_make_one(tmp_path):
    with pytest.raises(DravaError, match="drava init"):
        Home(tmp_path)


def test_a_home_may_be_moved(home, tmp_path_factory):
    there = tmp_path_factory.mktemp("moved") / "a home with blanks' and quotes"
    shutil.copytree(home, there)
    assert as_dict(Home(there).settings) == as_dict(Home(home).settings)
