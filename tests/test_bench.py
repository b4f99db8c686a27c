"""The measurements work where little is measured: the stages of the writer, a city's year, the questions of a page."""

import json
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import drava
from catalog.marks import take

ROOT = Path(__file__).parents[1]


def test_stages_of_fewer_messages_than_a_batch():
    asked = ("--messages", "300", "--devices", "6", "--batch", "500")
    command = [sys.executable, str(ROOT / "bench" / "stages.py"), *asked]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["commit_from"] > 0


@pytest.fixture(scope="module")
def benches() -> Iterator[tuple[ModuleType, ModuleType]]:
    """The scripts of the folder as modules, as they see each other."""
    sys.path.insert(1, str(ROOT / "bench"))
    yield import_module("indicators_year"), import_module("indicators_ask")
    sys.path.remove(str(ROOT / "bench"))


@pytest.fixture(scope="module")
def town(benches, tmp_path_factory) -> tuple[Path, Any]:
    """A hundredth of the city, for twelve days."""
    path = tmp_path_factory.mktemp("year") / "home"
    return path, benches[0].make(path, 0.01, 12)


def test_the_same_seed_gives_the_same_city(benches):
    days = [list(benches[0].City(0.002, benches[0].END, 2).day(0)) for _ in range(2)]
    assert days[0] == days[1]
    assert {piece.table for piece in days[0]} == {
        *("water_meter", "district_meter", "streetlight", "waste_container", "traffic_counter")
    }


def test_the_city_of_the_measurement_is_whole_and_its_new_day_is_dirty(town):
    path, year = town
    asked = drava.connect(path)
    (meters, first, last) = asked.execute("SELECT count(DISTINCT thing_id), min(day), max(day) FROM water_meter "
        "JOIN assignments AS a USING (device_id) WHERE observed_at >= a.valid_from").fetchall()[0]  # fmt: skip
    assert (meters, (last - first).days) == (100, 11)
    assert asked.execute("SELECT count(*) FROM streetlight").fetchall()[0][0] == pytest.approx(42 * 96 * 12, rel=0.01)
    drawn = asked.execute("SELECT thing_id, sum(volume_m3) FROM consumption_hourly GROUP BY 1").fetchall()
    assert len(drawn) == 100
    assert all(0 < volume < 100 for _, volume in drawn)
    new = {mark.dataset for mark, _ in take(year.store).marks if mark.last == "2026-07-01"}
    assert new >= {"water_meter", "streetlight", "waste_container", "traffic_counter", "district_meter"}


def test_questions_of_a_page_have_the_same_answers_on_tables_of_duckdb(town, benches, tmp_path):
    path, _ = town
    ask = benches[1]
    assert ask.copy(path, tmp_path / "peer.duckdb") > 70_000
    told = list(ask.compare(path, tmp_path / "peer.duckdb"))
    assert {row["question"] for row in told} == set(ask.QUESTIONS)
    assert {row["question"] for row in told if not row["rows"]} <= {
        "yesterday's consumption by area",  # nothing was computed here
        "balance of the last 30 days",
        "lamps dark last night",
    }


@pytest.mark.soak
def test_a_nightly_run_of_a_tenth_of_the_city_behind_a_year(tmp_path):
    """Makes 26 million rows; wants 2 GB of disk and about ten minutes."""
    command = [sys.executable, str(ROOT / "bench" / "indicators_all.py"), "--scale", "0.1", "--json"]
    done = subprocess.run([*command, "--place", str(tmp_path)], cwd=ROOT, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    night = found["year"]["night"]
    assert not night["failed"]
    assert night["seconds"] < 60
    assert night["peak_mb"] < 2048
    assert all(row["open_ms"] + row["first_ms"] < 1000 for row in found["questions"])
