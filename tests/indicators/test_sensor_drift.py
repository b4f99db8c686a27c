"""Drifting sensors: one that slowly leaves its neighbours is told, what all do or what comes at once is not."""

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from indicators.evaluate.made.daily import make
from indicators.methods.sensor_drift import find
from tests.indicators.causal import is_causal

START = datetime(2024, 1, 1, tzinfo=UTC)
DAYS = 520
DRIFT = np.clip((np.arange(DAYS) - 420) / 60, 0, 1)


@pytest.fixture(scope="module")
def shown():
    """What eight devices of a town show: its weather, and each its own level and noise, which wanders a little."""
    chance = np.random.default_rng(3)
    day = np.arange(DAYS)
    weather = 9 * np.sin(day / 58) + np.convolve(chance.normal(0, 2, DAYS + 6), np.ones(7) / 2, "valid")
    weather = weather + np.repeat([1, 0], (2, 6))[:, None] * chance.normal(0, 1, DAYS)  # two of them stand side by side
    wander = np.cumsum(chance.normal(0, 0.02, (8, DAYS)), axis=1)
    return (
        12
        + np.arange(8)[:, None]
        + weather * np.linspace(0.9, 1.1, 8)[:, None]
        + wander
        + chance.normal(0, 0.2, (8, DAYS))
    )


def of(shown, name="value_air_temp_cel"):
    at = [START + timedelta(days=day + 1) for day in range(DAYS)]
    parts = [
        pl.DataFrame({"asset": f"d{device}", "at": at, "local": [one.replace(tzinfo=None) for one in at], name: values})
        for device, values in enumerate(shown)
    ]
    return pl.concat(parts).with_columns(pl.col("at").cast(pl.Datetime("us", "UTC")))


def changed(shown, change, *devices):
    values = shown.copy()
    values[list(devices)] += change
    return values


def test_one_that_slowly_leaves_its_neighbours_is_told_and_they_are_not(shown):
    (found,) = find(of(changed(shown, 3 * DRIFT, 2)), {}).iter_rows(named=True)
    evidence = json.loads(found["evidence"])
    assert found["asset"] == "d2"
    assert abs(found["since"] - (START + timedelta(days=420))) < timedelta(days=21)
    assert found["at"] < START + timedelta(days=490)
    assert evidence["change"].startswith("+")
    assert evidence["measure_sl"] != evidence["measure_en"]
    assert "d2" not in evidence["with"]


def test_an_amount_loses_a_share(shown):
    amounts = np.exp(changed(shown, -3 * DRIFT, 2) / 5)
    (found,) = find(of(amounts, "value_count"), {}).iter_rows(named=True)
    assert json.loads(found["evidence"])["change"].endswith(" %")


@pytest.mark.parametrize(
    ("change", "devices"),
    [
        pytest.param(0 * DRIFT, (2,), id="nothing"),
        pytest.param(3 * DRIFT, tuple(range(8)), id="the weather of all"),
        pytest.param(3.0 * (DRIFT > 0), (2,), id="at once, as with an exchange"),
        pytest.param(3 * DRIFT, (0, 1), id="a neighbour that goes with it as no other goes the same way"),
        pytest.param(np.where(DRIFT > 0, -100.0, 0), (2,), id="a failure"),
    ],
)
def test_what_is_no_drift_is_not_told(shown, change, devices):
    assert find(of(changed(shown, change, *devices)), {}).is_empty()


def test_a_neighbour_that_goes_a_part_of_the_way_is_the_world(shown):
    assert find(of(changed(changed(shown, 3 * DRIFT, 0), DRIFT, 1)), {}).is_empty()


def test_two_devices_alone_say_nothing_of_each_other(shown):
    assert find(of(changed(shown, 3 * DRIFT, 1)[:2]), {}).is_empty()


def test_one_that_comes_back_is_over(shown):
    back = DRIFT * (np.arange(DAYS) < 490)
    (found,) = find(of(changed(shown, 3 * back, 2)), {}).iter_rows(named=True)
    assert found["until"] > START + timedelta(days=490)


def test_it_does_not_look_ahead(shown):
    rows = of(changed(changed(shown, 3 * DRIFT, 2), -4 * np.roll(DRIFT, 20) * (DRIFT > 0), 4))
    cuts = [START + timedelta(days=day) for day in (455, 470, 500)]
    assert is_causal(find, rows, {}, cuts) > 0


def test_a_day_of_a_file_is_its_mean_where_most_of_it_is_known(tmp_path):
    at = [datetime(2026, 3, 1) + timedelta(hours=hour) for hour in range(60)]  # noqa: DTZ001 - local time of a file
    pl.DataFrame({"when": at, "level": [1.0] * 24 + [2.0] * 24 + [3.0] * 12}).write_parquet(tmp_path / "a.parquet")
    days = make(file=str(tmp_path / "a.parquet"), time="when")
    assert days["level"].to_list() == [1.0, 2.0, None]


def test_readings_of_every_hour_are_taken_by_their_days_and_do_not_look_ahead(shown):
    rows = of(changed(shown, 3 * DRIFT, 2)[:4])
    hours = pl.DataFrame({"hour": [timedelta(hours=-hour) for hour in (1, 7, 13, 19)]})
    hourly = rows.join(hours, how="cross").with_columns(pl.col("at") + pl.col("hour"), pl.col("local") + pl.col("hour"))
    hourly = hourly.drop("hour").sort("asset", "at")
    assert find(hourly, {})["since"].dt.date().to_list() == find(rows, {})["since"].dt.date().to_list()
    assert is_causal(find, hourly, {}, [START + timedelta(days=day, hours=5) for day in (455, 470, 500)]) > 0
