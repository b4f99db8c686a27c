"""The detectors of household meters: causal, alike on one meter and on many, and right on what real meters do."""

import json
from datetime import UTC, datetime, timedelta
from importlib import import_module

import numpy as np
import polars as pl
import pytest

from indicators import detect
from indicators.evaluate.dataset import chosen, shipped
from indicators.evaluate.score import edges, match, windows
from indicators.evaluate.seeds import seeded
from indicators.evaluate.series import series
from indicators.methods import backflow, bypass, household_leak, stopped_meter, under_registration
from indicators.methods.household import days, steps, windowed
from schemas.settings import Settings
from tests.indicators.causal import is_causal
from tests.indicators.world import ROOT, empty, put

DATA = ROOT.parent / "shared" / "data"
REAL = pytest.mark.skipif(not (DATA / "daiad_smart_meters").is_dir(), reason="DAIAD is not beside this checkout")
FAULTS = ("daiad_leak", "daiad_stopped", "daiad_under_registration", "daiad_bypass", "daiad_backflow")
START = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def meters():
    """Six real meters with one fault each, by dataset."""
    made = {}
    for name in FAULTS:
        dataset = chosen([name], DATA)[0]
        asset = dataset.asset[0].model_copy(update={"only": tuple(str(n) for n in range(40, 46))})
        dataset = dataset.model_copy(update={"asset": (asset,), "seeds": (7,)})
        made[name] = (dataset, *seeded(dataset, series(dataset)))
    return made


def method_of(dataset):
    return import_module(f"indicators.methods.{dataset.detector[0].name}").find


@REAL
@pytest.mark.parametrize("name", FAULTS)
def test_a_method_does_not_look_ahead(meters, name):
    dataset, rows, _ = meters[name]
    rows = rows.filter(pl.col("at") < datetime(2016, 11, 10, tzinfo=UTC))
    cuts = [
        datetime(2016, 7, 3, 11, 20, tzinfo=UTC),
        datetime(2016, 11, 20, tzinfo=UTC),
        datetime(2017, 1, 29, tzinfo=UTC),
    ]
    assert is_causal(method_of(dataset), rows, {}, cuts) > 0


@REAL
@pytest.mark.parametrize("name", FAULTS)
def test_a_meter_alone_is_judged_as_among_others(meters, name):
    dataset, rows, _ = meters[name]
    find, one = method_of(dataset), "41#7"
    rows = rows.filter(pl.col("at") < datetime(2016, 8, 1, tzinfo=UTC))
    together = find(rows, {}).filter(pl.col("asset") == one)
    assert find(rows.filter(pl.col("asset") == one), {}).rows() == together.rows()


@REAL
@pytest.mark.parametrize(("name", "least"), [("daiad_leak", 5), ("daiad_stopped", 5), ("daiad_backflow", 5)])
def test_most_faults_are_found(meters, name, least):
    dataset, rows, true = meters[name]
    alarms = edges(method_of(dataset)(rows, {}), 24)
    held = windows(dataset, true, (), rows["at"].max().timestamp())
    found = match(alarms["asset"].to_list(), alarms["at"].dt.epoch("us").to_numpy() / 1e6, held)
    assert len(found) >= least


@REAL
def test_the_203_steps_down_of_real_meters_are_told_apart_and_none_is_a_backflow():
    dataset = chosen(["daiad"], DATA)[0]
    rows = series(dataset)
    table = steps(rows)
    told, counts = np.unique(backflow.kinds(table.litres, table.hours), return_counts=True)
    assert dict(zip(told.tolist(), counts.tolist(), strict=True)) == {
        "rise": table.litres.size - 203,
        "crossed": 47,
        "glitch": 6,
        "swing": 150,
    }
    assert backflow.find(rows, {}).is_empty()


def house(hours, draw, asset="house"):
    """A series of one connection: litres of each hour by a function of its number."""
    ends = [START + timedelta(hours=n + 1) for n in range(hours)]
    return pl.DataFrame(
        {
            "asset": [asset] * hours,
            "at": ends,
            "local": [end.replace(tzinfo=None) for end in ends],
            "rise_m3": [draw(n) / 1000 for n in range(hours)],
            "hours": [1.0] * hours,
        },
        {
            "asset": pl.String,
            "at": pl.Datetime("us", "UTC"),
            "local": pl.Datetime("us"),
            "rise_m3": float,
            "hours": float,
        },
    )


def usual(n):
    return 12 + n % 7 if 7 <= n % 24 <= 20 else 0


def test_a_leak_is_found_within_a_night_and_ends_a_week_after_it():
    began, ended = 30 * 24 + 15, 36 * 24
    found = household_leak.find(house(60 * 24, lambda n: usual(n) + (15 if began <= n < ended else 0)), {})
    assert found.height == 1
    row = found.row(0, named=True)
    assert timedelta(hours=-8) <= row["since"] - (START + timedelta(hours=began)) <= timedelta(0)  # use ran into it
    assert timedelta(0) < row["at"] - (START + timedelta(hours=began)) < timedelta(hours=18)
    assert row["until"] - (START + timedelta(hours=ended)) < timedelta(hours=24)
    assert 12 <= row["litres_per_hour"] <= 15
    assert row["volume_m3"] == pytest.approx(
        row["litres_per_hour"] * (row["until"] - row["since"]) / timedelta(hours=1000), 1e-3
    )


@pytest.mark.parametrize("lph", [15, 45])
def test_a_leak_that_begins_late_in_the_evening_is_found_before_the_morning(lph):
    began = 30 * 24 + 22
    found = household_leak.find(house(33 * 24, lambda n: usual(n) + (lph if n >= began else 0)), {})
    assert found["litres_per_hour"].to_list() == [lph]
    assert found["since"].to_list() == [START + timedelta(hours=began)]
    assert found["at"][0] - found["since"][0] <= timedelta(hours=7)


def test_a_drip_line_from_dusk_to_dawn_is_no_leak_and_one_that_nobody_turns_off_is():
    def drips(n, nights, hours):
        return usual(n) + (150 if any(21 <= n - 24 * night < 21 + hours for night in nights) else 0)

    assert household_leak.find(house(40 * 24, lambda n: drips(n, (25, 30, 35), 9)), {}).is_empty()
    left_on = household_leak.find(house(40 * 24, lambda n: drips(n, (30,), 30)), {})
    assert left_on.height == 1
    assert left_on["at"][0] - (START + timedelta(hours=30 * 24 + 21)) <= timedelta(hours=12)


def test_what_a_leak_has_cost_grows_while_it_goes_on():
    rows = house(60 * 24, lambda n: usual(n) + (15 if n >= 30 * 24 + 15 else 0))
    week, month = (household_leak.find(rows.head(hours), {}).row(0, named=True) for hours in (37 * 24, 60 * 24))
    assert (week["until"], month["until"]) == (None, None)
    assert month["volume_m3"] - week["volume_m3"] == pytest.approx(23 * 24 * week["litres_per_hour"] / 1000, 1e-3)


def test_no_method_finds_anything_in_a_house_that_lives_as_ever():
    rows = house(150 * 24, usual)
    for method in (household_leak, stopped_meter, under_registration, bypass, backflow):
        assert method.find(rows, {}).is_empty()


def test_an_empty_series_has_nothing():
    for method in (household_leak, stopped_meter, under_registration, bypass, backflow):
        assert method.find(house(0, usual), {}).is_empty()
        assert method.find(house(1, usual), {}).is_empty()


def test_a_day_has_the_steps_whose_middle_lies_in_it_and_is_known_when_the_next_begins():
    table = days(house(60, lambda _: 1))
    assert table.litres.tolist() == [[24, 24, 12]]
    assert table.seen.tolist() == [[24, 24, 12]]
    assert table.known[0, :2].tolist() == [(START + timedelta(hours=25 + 24 * n)).timestamp() for n in range(2)]
    assert np.isnan(table.known[0, 2])


def test_windows_are_sums_of_the_days_before():
    assert windowed(np.array([[1.0, 2, 3, 4]]), 2)[0, 1:].tolist() == [3, 5, 7]
    assert windowed(np.array([[1.0, 2, 3, 4]]), 2, 1)[0, 2:].tolist() == [3, 5]


def test_every_dataset_that_is_shipped_can_be_read():
    assert {"daiad", *FAULTS} <= set(shipped())
    assert all(dataset.detector for dataset in chosen(None, DATA))


def five_houses(stands, until):
    """A town of five; the registers of the last three stand still while `stands` holds."""
    connection = empty()
    put(
        connection,
        "things",
        "SELECT 'h' || i AS thing_id, 'water_meter' AS family, '{}' AS attributes FROM range(5) r(i)",
    )
    put(
        connection,
        "assignments",
        "SELECT 'm' || i AS device_id, 'h' || i AS thing_id, make_timestamptz(0) AS valid_from FROM range(5) AS r (i)",
    )
    put(
        connection,
        "water_meter",
        f"""SELECT 'm' || i AS device_id, t AS observed_at, sum(
        CASE WHEN {stands} AND i > 1 THEN 0
        WHEN hour(t) > 6 THEN 0.01 ELSE 0 END) OVER (PARTITION BY i ORDER BY t) AS volume_total_m3
        FROM range(TIMESTAMPTZ '2026-01-05 00:00Z', TIMESTAMPTZ '{until}', INTERVAL 1 HOUR) AS r (t),
        range(5) AS m (i)""",
    )
    return connection


@pytest.mark.parametrize(("as_of", "found"), [("2026-04-01 00:00Z", 3), ("2026-04-20 00:00Z", 0)])
def test_what_was_over_five_weeks_ago_is_not_looked_for_again(as_of, found):
    connection = five_houses("t BETWEEN TIMESTAMPTZ '2026-02-20 00:00Z' AND TIMESTAMPTZ '2026-03-12 00:00Z'", as_of)
    asked = {"as_of": datetime.fromisoformat(as_of), "settings": Settings(), "ids": ["stopped_meter"]}
    over = detect.run_detectors(connection, **asked)
    assert over["going_on"].to_pylist() == [False] * found


def test_a_town_in_parts_is_judged_as_at_once(monkeypatch):
    connection = five_houses("t > TIMESTAMPTZ '2026-02-20 00:00Z'", "2026-03-03 00:00Z")
    asked = {"as_of": datetime(2026, 3, 3, tzinfo=UTC), "settings": Settings(), "ids": ["stopped_meter"]}
    whole = detect.run_detectors(connection, **asked)
    assert whole["thing_id"].to_pylist() == ["h2", "h3", "h4"]
    monkeypatch.setattr(detect, "TOGETHER", 2)
    assert detect.run_detectors(connection, **asked).equals(whole)
    both = detect.run_detectors(connection, **{**asked, "ids": ["backflow", "stopped_meter"]})
    assert both.equals(whole)  # which are read at once, with the longer memory


def draws(n):
    """A house: draws of many sizes, at most hours of the day."""
    return usual(n) and [0, 6, 0, 23, 9, 41, 2, 14, 0, 70, 5][n * 7919 % 11]


def test_a_bypass_shows_every_draw_in_part_and_an_emptier_house_fewer_draws_whole():
    began = 50 * 24
    part = bypass.find(house(60 * 24, lambda n: draws(n) // (10 if n >= began else 1)), {})
    fewer = bypass.find(house(60 * 24, lambda n: draws(n) * (n < began or n * 31 % 17 < 3)), {})
    drip = bypass.find(house(60 * 24, lambda n: max(draws(n) * (n < began), n % 6 == 0)), {})
    assert (part.height, fewer.height, drip.height) == (1, 0, 0)
    row = part.row(0, named=True)
    assert row["at"] - (START + timedelta(hours=began)) < timedelta(hours=96)
    told = json.loads(row["evidence"])
    assert told["litres_per_hour_low"] < row["litres_per_hour"] < told["litres_per_hour_high"]


def test_a_worn_meter_shows_less_of_small_and_large_draws_and_a_garden_at_rest_of_large_ones_alone():
    began = 100 * 24
    worn = under_registration.find(house(140 * 24, lambda n: draws(n) * (0.6 if n >= began else 1) // 1), {})
    garden = under_registration.find(house(140 * 24, lambda n: min(draws(n), 23 if n >= began else 99)), {})
    assert (worn.height, garden.height) == (1, 0)
    told = json.loads(worn.row(0, named=True)["evidence"])
    assert told["litres_per_hour_low"] < worn["litres_per_hour"][0] < told["litres_per_hour_high"]


def test_what_a_stopped_meter_and_a_backflow_amount_to_has_bounds():
    stopped = stopped_meter.find(house(80 * 24, lambda n: draws(n) * (1 + n // 168 % 2) * (n < 1500)), {})
    back = backflow.find(house(40 * 24, lambda n: -80 if n == 800 else draws(n)), {})
    for found in (stopped, back):
        row = found.row(0, named=True)
        told = json.loads(row["evidence"])
        assert 0 < told["litres_per_hour_low"] < row["litres_per_hour"] < told["litres_per_hour_high"]


def test_a_busy_day_after_a_holiday_is_no_leak():
    away, home = 3 * 24, 11 * 24

    def lived(n):
        return 12 + n % 7 if 5 <= n % 24 <= 21 else 0

    busy = [0, 12, 0, 0, 0, 9, 18, 81, 8, 21, 10, 29, 9, 8, 24, 4, 14, 12, 17, 7, 10, 10, 0, 0]

    def draw(n):
        if away <= n < home:
            return 0
        return busy[n - home] if home <= n < home + 24 else lived(n)

    assert household_leak.find(house(14 * 24, draw), {}).is_empty()
