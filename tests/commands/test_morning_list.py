"""The list of the morning is kept by the local day, sent once a day, and says nothing of what a household draws."""

import json
import re
from datetime import UTC, datetime, timedelta

import pytest
from typer.testing import CliRunner

from catalog.alarms import Alarm, revise
from catalog.outbox import listed
from catalog.store import Store
from cli import app
from commands.morning import gathered
from lake.commit import refresh
from schemas.settings import Home

# 06:00 local on both sides of the change to summer time, in the night to 29 March 2026
WINTER, SUMMER = datetime(2026, 3, 28, 5, tzinfo=UTC), datetime(2026, 3, 29, 4, tzinfo=UTC)
RECIPIENTS = """
[[recipient]]
name = "all"
mail = "all@ptuj.example"
[[recipient]]
name = "lights"
mail = "lights@ptuj.example"
lang = "en"
detectors = ["lighting.*"]
[[recipient]]
name = "night"
mail = "night@ptuj.example"
morning = false
"""


def drava(home, at, *words):
    done = CliRunner().invoke(app, ["--home", str(home), "--as-of", at.isoformat(), *words])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.output


def alarm(detector, thing, **more):
    known = {
        "alarm_id": f"id-{thing}", "detector": detector, "kind": detector.split(".")[1], "thing_id": thing,
        "device_id": None, "area_id": None, "severity": "warning", "state": "open", "since": WINTER - timedelta(days=3),
        "until": None, "litres_per_hour": 77.0, "volume_m3": 88.5, "eur": 99.25, "evidence": {"hours": 66.0},
        "snapshot_id": 0, "computed_at": WINTER, "found_at": WINTER - timedelta(hours=3),
    }  # fmt: skip
    return Alarm(**(known | more))


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("morning")
    drava(folder / "home", WINTER, "init", str(folder / "home"), "--municipality", "ptuj")
    (folder / "home" / "drava.toml").open("a").write(RECIPIENTS)
    rows = ["house,water_meter,wm-1,Lipova ulica 3,2026-01-01", "lamp,streetlight,sl-1,Svetilka 7,2026-01-01"]
    (folder / "d.csv").write_text("thing_id,family,device_id,title,valid_from\n" + "\n".join(rows))
    drava(folder / "home", WINTER, "devices", "import", str(folder / "d.csv"))
    opened = Home(folder / "home")
    store = Store.at(opened.catalog)
    silent = alarm("platform.silent_device", None, alarm_id="id-s", device_id="wm-1", severity="info")
    revise(store, lambda _: [alarm("water.household_leak", "house"), alarm("lighting.lamp_day", "lamp"), silent])
    refresh(opened, store, lambda: WINTER)
    store.close()
    return opened.path


def letters(home):
    store = Store.at(home / "catalog")
    found = {letter.message_id: letter for letter in listed(store, 20)}
    store.close()
    return found


def test_it_is_kept_and_sent_once_a_local_day_over_the_change_to_summer_time(home):
    for at in (WINTER, WINTER + timedelta(hours=2), SUMMER):
        drava(home, at, "morning", "--send")
    names = {path.name for path in (home / "reports").iterdir()}
    assert names == {f"morning-2026-03-{day}.{kind}" for day in (28, 29) for kind in ("txt", "html")}
    for day in (28, 29):
        assert (
            "ob 6.00" in (home / "reports" / f"morning-2026-03-{day}.txt").read_text("utf-8").splitlines()[0]
            or day == 28
        )
    assert set(letters(home)) == {f"morning-2026-03-{day}.1.{name}" for day in (28, 29) for name in ("all", "lights")}
    assert (home / "reports").stat().st_mode & 0o777 == 0o750


def test_everybody_gets_what_concerns_them_in_their_language(home):
    drava(home, WINTER, "morning", "--send")
    found = letters(home)
    every, lights = found["morning-2026-03-28.1.all"].body, found["morning-2026-03-28.1.lights"].body
    assert (
        every["subject"] == "[Ptuj] Jutranje poročilo 2026-03-28 – novo: 2, traja že od prej: 0, končano od včeraj: 0"
    )
    assert {one["kind"] for one in every["document"]["alarms"]} == {"household_leak", "lamp_day"}
    assert [one["kind"] for one in lights["document"]["alarms"]] == ["lamp_day"]
    assert lights["text"].startswith("Morning report, Ptuj · Saturday, 28 Mar 2026 at 06:00\n\nNew (1)\n")


def test_what_leaves_the_house_says_no_consumption_and_what_stays_does(home):
    drava(home, WINTER, "morning", "--send")
    body = letters(home)["morning-2026-03-28.1.all"].body
    start, end = body["text"].index("Puščanje za vodomerom"), body["text"].index("Svetilka gori podnevi")
    household = body["text"][min(start, end) : max(start, end)] if start < end else body["text"][start:]
    assert "Lipova ulica 3" in household
    assert not re.search(r"77|88[,.]5|66 h|l/h|m³|€", household.split("\n\n")[0])
    assert "77 l/h" in (home / "reports" / "morning-2026-03-28.txt").read_text("utf-8")


def test_single_silent_devices_are_counted_not_listed(home):
    found = gathered(Home(home), WINTER, "sl")
    assert [(one.title, one.devices) for one in found.silent] == [("Vodomeri", ["Lipova ulica 3"])]
    assert "silent_device" not in {finding.kind for finding in found.findings}


def test_the_list_of_containers_is_there_also_where_there_are_none(home):
    assert drava(home, SUMMER, "containers", "--lang", "en") == "Containers for tomorrow (0)\n  None will be full.\n"
    assert json.loads(drava(home, SUMMER, "containers", "--json")) == {"stops": [], "silent": []}
