"""Leaks from flows and pressures: known within the hour, whatever the flow does, and never before they are there."""

import json
import sys
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from indicators.evaluate.dataset import chosen
from indicators.evaluate.series import assets as known
from indicators.evaluate.series import series
from indicators.methods.pressure_leak import DAY, Leak, _goes_on, find
from schemas.errors import DravaError
from tests.indicators.causal import is_causal
from tests.indicators.world import ROOT

START = datetime(2026, 1, 5, tzinfo=UTC)
DATA = ROOT.parent / "shared" / "data"


def district(*, days=30, leak=0.0, since=18.4, until=99.0, grows=0.0, seed=1, use=1.0):
    """Quarter hours of four sensors behind a main: each loses what the square of the flow takes, and noise of 2 cm."""
    rng = np.random.default_rng(seed)
    day = (np.arange(days * 96) + 1) / 96
    drawn = 60 + 25 * np.sin(2 * np.pi * (day - 0.3)) + 3 * rng.normal(size=len(day))
    drawn = drawn * np.where(day > 16, use, 1.0)
    size = leak * (np.clip((day - since) / grows, 0, 1) ** 2 if grows else 1.0) * ((day >= since) & (day < until))
    flow = drawn + size
    resistance = np.array([0.5, 0.8, 1.1, 1.4])
    near = np.array([0.02, 0.05, 0.3, 0.1])
    pressure = 50 - np.outer((flow / 60) ** 2, resistance) - np.outer(size, near) + rng.normal(0, 0.02, (len(day), 4))
    at = [START + timedelta(minutes=15 * int(k) + 15) for k in range(len(day))]
    frame = pl.DataFrame({"asset": "d", "at": at, "local": [t.replace(tzinfo=None) for t in at], "flow_m3h": flow})
    frame = frame.with_columns(pl.col("at").cast(pl.Datetime("us", "UTC")), pl.col("local").cast(pl.Datetime("us")))
    return frame.with_columns(**{f"pressure_n{k}": pressure[:, k] for k in range(4)})


def test_a_sudden_leak_is_known_within_the_hour_and_its_nearest_sensor_named():
    (leak,) = find(district(leak=3.0), {}).to_dicts()
    assert timedelta(0) < leak["at"] - (START + timedelta(days=18.4)) <= timedelta(hours=1)
    assert json.loads(leak["evidence"])["sensor"] == "n2"


def test_a_repair_ends_it_and_is_no_leak():
    (leak,) = find(district(leak=8.0, until=24.3), {}).to_dicts()
    assert abs(leak["until"] - (START + timedelta(days=24.3))) <= timedelta(hours=6)


def test_a_leak_that_grows_is_known_before_it_is_large():
    leak = find(district(leak=10.0, grows=10, since=17), {}).sort("at").to_dicts()[0]
    assert START + timedelta(days=17) < leak["at"] < START + timedelta(days=24)


@pytest.mark.parametrize(
    ("days", "like", "again"), [(10, 0.7, True), (20, 0.7, False), (20, 0.9, True), (10, 0.6, False)]
)
def test_a_growth_soon_after_one_like_it_is_that_leak_grown_on(days, like, again):
    told, other, found = (Leak(k * DAY, 0, 9.0, 3 * DAY, np.zeros(4), 1.0, None) for k in (0, -5, days))
    same = Leak(0, 0, 9.0, 3 * DAY, np.zeros(4), 1.0, None, first=told)
    assert _goes_on(found, [other, same], [0.1, like]) is again
    assert (told.later, found.first) == ((found, told) if again else (None, None))


@pytest.mark.parametrize("use", [1.06, 0.94])
def test_more_or_less_use_is_no_leak(use):
    assert find(district(use=use), {}).is_empty()


def test_a_silent_sensor_is_no_leak():
    series = district().with_columns(
        pressure_n1=pl.when(pl.int_range(pl.len()) > 1900).then(None).otherwise("pressure_n1")
    )
    assert find(series, {}).is_empty()


def test_lists_of_sensors_are_the_same_as_columns():
    wide = district(leak=3.0)
    names = [name for name in wide.columns if name.startswith("pressure_")]
    lists = wide.select(
        "asset",
        "at",
        "local",
        "flow_m3h",
        sensors=pl.lit([name.removeprefix("pressure_") for name in names]),
        pressures=pl.concat_list(names),
    )
    assert find(lists, {}).rows() == find(wide, {}).rows()


def test_it_looks_at_nothing_behind_a_moment():
    cuts = [START + timedelta(days=d) for d in (9, 18.38, 18.45, 19, 21.3, 24.4, 27)]
    assert is_causal(find, district(leak=8.0, until=24.3), {}, cuts) > 1


@pytest.mark.soak
@pytest.mark.skipif(not DATA.exists(), reason="the shared data are not beside this checkout")
def test_the_pipe_is_found_in_the_model_of_the_town():
    (dataset,) = chosen(["ltown_resim_2019"], DATA)
    rows = series(dataset).filter(pl.col("at") < datetime(2019, 1, 20, tzinfo=UTC))
    (leak,) = find(rows, known(dataset, ["ltown"])).to_dicts()
    told = json.loads(leak["evidence"])
    assert told["likeness"] > 0.9
    assert told["place"] in {"p498", "p523", "p499", "p524"}


def test_a_model_without_what_solves_it_is_an_error_that_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "wntr", None)
    (tmp_path / "town.inp").write_text("[END]")
    with pytest.raises(DravaError, match="wntr is not installed") as refused:
        find(district(), {"d": {"network": str(tmp_path / "town.inp")}})
    assert "drava[network]" in refused.value.hint
