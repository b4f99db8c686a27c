"""`drava indicators`, `drava detectors`, `drava alarms` on a real home with a real lake of a simulated city."""

import csv
import json
import shutil
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pyarrow as pa
import pyarrow.compute as pc
import pytest
import typer
from typer.testing import CliRunner

from catalog.store import Store
from commands import alarms, detectors, devices, home, indicators
from commands.context import Context
from devices.simulate import city
from indicators.header import packs
from lake.commit import Lake
from lake.query import open_snapshot
from lake.tables import family_schema
from schemas.errors import DravaError
from schemas.settings import Home
from schemas.vocabulary import families

START = datetime(2026, 3, 9, tzinfo=UTC)


def write_csv(file, rows):
    with file.open("w", newline="", encoding="utf-8") as opened:
        writer = csv.DictWriter(opened, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    return str(file)


def days_of(family, readings, moment):
    """The readings as normalised rows, by UTC day."""
    schema = family_schema(families()[family])
    constant = {"quality": 1, "quality_tests": 0, "time_source": "device", "received_at": moment, "revision": 0}
    rows = pa.table(
        [
            readings[field.name].cast(field.type)
            if field.name in readings.column_names
            else pa.repeat(pa.scalar(constant.get(field.name), field.type), readings.num_rows)
            for field in schema
        ],
        schema=schema,
    )
    days = pc.strftime(rows["observed_at"], "%Y-%m-%d")
    return {day: rows.filter(pc.equal(days, day)) for day in pc.unique(days).to_pylist()}


class Town:
    """The commands on a home with a simulated city in its lake."""

    def __init__(self, path, place):  # noqa: D107 - a test's own
        self.path, self.place = path, place
        self.app = typer.Typer()
        for topic in (home, devices, indicators, detectors, alarms):
            topic.add(self.app)

    def __call__(self, *words, lang="en"):
        context = Context(path=self.path, as_of=self.place.end)
        done = CliRunner(env={"COLUMNS": "220", "DRAVA_LANG": lang}).invoke(self.app, words, obj=context)
        if done.exception and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("built")
    town = Town(folder / "home", city(1, "ptuj", START))
    town("init", str(town.path), "--municipality", "ptuj")
    town("areas", "import", write_csv(folder / "areas.csv", town.place.areas))
    town("devices", "import", write_csv(folder / "devices.csv", town.place.registrations))
    there = Home(town.path)
    store = Store.at(there.catalog)
    lake = Lake(there, store, lambda: town.place.end)
    read = town.place.readings
    with lake.exclusive():
        lake.commit("ingest", {family: days_of(family, read(family), town.place.end) for family in families()})
    store.close()
    return town


@pytest.fixture
def town(built, tmp_path):
    """A copy of its own for each test."""
    shutil.copytree(built.path, tmp_path / "home")
    return Town(tmp_path / "home", built.place)


def test_indicators_are_stored_once_however_often_they_run(town):
    first = json.loads(town("indicators", "run", "--json"))
    assert {row["indicator"]: row["values"] for row in first}["water.night_flow"] == 63
    assert all(row["values"] == row["new_or_changed"] for row in first)
    again = json.loads(town("indicators", "run", "--full", "--json"))
    assert all(row["new_or_changed"] == 0 for row in again)
    assert {row["indicator"]: row["values"] for row in again} == {row["indicator"]: row["values"] for row in first}
    with open_snapshot(town.path, tables=["indicator_values"]) as connection:
        stored = connection.execute("SELECT count(*), count(DISTINCT indicator) FROM indicator_values").fetchone()
    assert stored == (sum(row["values"] for row in first), sum(row["values"] > 0 for row in first))


def test_alarms_are_found_published_and_kept_by_a_second_run(town):
    first = json.loads(town("detectors", "run", "--json"))
    # a counter that drops out is stuck, too, and a district sees a hydrant that tells: those stand under the first
    places = {fault.area_id if fault.kind == "district_leak" else fault.thing_id for fault in town.place.faults}
    listed = json.loads(town("alarms", "list", "--json"))
    below = {row["alarm_id"] for row in listed if row["cause"]}
    assert {row["subject"] for row in first if row["alarm_id"] not in below} == places
    assert json.loads(town("detectors", "run", "--json")) == []
    assert {row["alarm_id"] for row in listed} == {row["alarm_id"] for row in first}
    leak = next(row for row in listed if row["kind"] == "household_leak")
    assert leak["state"] == "open"
    assert leak["thing_title"]


def test_an_alarm_shows_place_time_amount_reason_and_a_chart_in_both_languages(town):
    town("detectors", "run")
    leak = next(row for row in json.loads(town("alarms", "list", "--json")) if row["kind"] == "household_leak")
    shown = town("alarms", "show", leak["alarm_id"][:6], lang="sl")
    assert "Puščanje za vodomerom" in shown
    for part in (leak["thing_title"], "l/h", "m³", "€", "nikoli ni bil pod", "▁", "lowest_lph", "confidence"):
        assert part in shown
    assert "h, of which none was under" in town("alarms", "show", leak["alarm_id"])


def test_alarms_are_listed_by_state(town):
    town("detectors", "run")
    every = json.loads(town("alarms", "list", "--json"))
    still = json.loads(town("alarms", "list", "--state", "open", "--json"))
    assert 0 < len(still) < len(every)
    assert {row["state"] for row in still} == {"open"}
    table = town("alarms", "list", lang="sl")
    assert "Odprt hidrant" in table
    assert "Hydrant opened" in town("alarms", "list", "--lang", "en", lang="sl")


def test_a_person_acknowledges_and_closes_an_alarm_and_is_believed_for_a_while(town):
    town("detectors", "run")
    leak = next(
        row["alarm_id"] for row in json.loads(town("alarms", "list", "--json")) if row["kind"] == "household_leak"
    )

    def state():
        return next(row["state"] for row in json.loads(town("alarms", "list", "--json")) if row["alarm_id"] == leak)

    assert town("alarms", "acknowledge", leak[:8]) == f"{leak} acknowledged\n"
    assert json.loads(town("detectors", "run", "--json")) == []
    assert state() == "acknowledged"
    later = Town(town.path, SimpleNamespace(end=town.place.end + timedelta(minutes=1)))
    later("alarms", "close", leak)
    assert state() == "closed"
    with pytest.raises(DravaError, match="is not open"):
        later("alarms", "acknowledge", leak)
    later("detectors", "run")
    assert state() == "closed"  # for a day and a half (tests/indicators/test_settling.py)


def test_an_unknown_alarm_is_said_in_one_line(town):
    with pytest.raises(DravaError, match="there is no alarm 'zzz'"):
        town("alarms", "show", "zzz")


def test_explain_prints_meaning_inputs_coverage_example_and_sql(town):
    town("indicators", "run", "night_flow")
    told = town("indicators", "explain", "water.night_flow")
    for part in (
        "Minimum night flow",
        "02:00 and 04:00",
        "m3/h",
        "inflow",
        "mean_coverage",
        "29 March 2026",
        "SELECT 'area'",
    ):
        assert part in told
    assert "Najmanjši nočni pretok" in town("indicators", "explain", "night_flow", lang="sl")
    assert packs()["water.district_leak"].example[0].title in town("detectors", "explain", "district_leak")


def test_lists_name_every_pack(town):
    assert "kW.h" in town("indicators", "list")
    assert "Lamp dark at night" in town("detectors", "list")
    assert len(json.loads(town("detectors", "list", "--json"))) == len(packs("detector"))


def test_an_unknown_indicator_is_said_in_one_line(town):
    with pytest.raises(DravaError, match="'fish' is not an indicator"):
        town("indicators", "run", "fish")
