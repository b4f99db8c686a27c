"""Leaks from head losses: their beginning and their end, small ones within days, and no more use taken for a leak."""

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from indicators.evaluate.dataset import chosen
from indicators.evaluate.run import evaluate
from indicators.methods.step_leak import find
from tests.indicators.causal import is_causal
from tests.indicators.world import ROOT

START = datetime(2026, 1, 5, tzinfo=UTC)
DATA = ROOT.parent / "shared" / "data"
STEPS = 48


def district(*, days=40, leak=0.0, since=25.4, until=32.3, use=1.0, away=None, seed=1):
    """Half hours of three sensors along a main that feeds ten streets, each with its own daily curve and chance."""
    rng = np.random.default_rng(seed)
    day = (np.arange(days * STEPS) + 1) / STEPS
    street = np.arange(10)
    curve = 1 + 0.4 * np.sin(2 * np.pi * (day[:, None] - 0.3 - 0.01 * street)) + 0.1 * (day[:, None] % 7 > 5)
    drawn = 6 * curve * (1 + 0.03 * rng.normal(size=curve.shape)) * np.where(day > 22, use, 1.0)[:, None]
    drawn[:, 6] += leak * ((day >= since) & (day < until))
    beyond = np.cumsum(drawn[:, ::-1], axis=1)[:, ::-1]  # what flows in the pipe to each street
    lost = np.cumsum((beyond / 60) ** 1.852 * 3, axis=1)
    pressure = 60 - lost[:, [3, 6, 9]] + rng.normal(0, 0.005, (len(day), 3))
    if away is not None:
        pressure[int(away * STEPS) :, 1] = np.nan
    at = [START + timedelta(minutes=30 * int(k) + 30) for k in range(len(day))]
    frame = pl.DataFrame(
        {"asset": "d", "at": at, "local": [t.replace(tzinfo=None) for t in at], "flow_m3h": drawn.sum(axis=1)}
    )
    frame = frame.with_columns(pl.col("at").cast(pl.Datetime("us", "UTC")), pl.col("local").cast(pl.Datetime("us")))
    return frame.with_columns(**{f"pressure_n{k}": pl.Series(pressure[:, k]).fill_nan(None) for k in range(3)})


def test_a_leak_of_three_per_cent_is_known_within_hours_and_its_end_too():
    (leak,) = find(district(leak=1.8), {}).to_dicts()
    assert timedelta(0) < leak["at"] - (START + timedelta(days=25.4)) <= timedelta(hours=18)
    assert timedelta(0) < leak["until"] - (START + timedelta(days=32.3)) <= timedelta(hours=18)
    told = json.loads(leak["evidence"])
    assert told["flow_m3h"] == pytest.approx(1.8, abs=1.0)
    assert set(told["changes_pct"]) == {"n0", "n1", "n2"}


def test_one_that_goes_on_has_no_end():
    (leak,) = find(district(leak=1.8, until=99), {}).to_dicts()
    assert leak["until"] is None


@pytest.mark.parametrize("use", [1.15, 0.85])
def test_more_or_less_use_everywhere_is_no_leak(use):
    assert find(district(use=use), {}).is_empty()


def test_a_repair_of_a_leak_that_was_always_there_is_no_leak():
    assert find(district(leak=2.5, since=-1), {}).is_empty()


def test_a_silent_sensor_is_no_leak_and_one_pressure_says_nothing():
    assert find(district(away=24.2), {}).is_empty()
    assert find(district(leak=1.8).drop("pressure_n0", "pressure_n1"), {}).is_empty()


def test_lists_of_sensors_are_the_same_as_columns():
    wide = district(leak=1.8)
    names = [name for name in wide.columns if name.startswith("pressure_")]
    lists = wide.select(
        *("asset", "at", "local", "flow_m3h"),
        sensors=pl.lit([name.removeprefix("pressure_") for name in names]),
        pressures=pl.concat_list(names),
    )
    assert find(lists, {}).rows() == find(wide, {}).rows()


def test_it_looks_at_nothing_behind_a_moment():
    cuts = [START + timedelta(days=d) for d in (9, 25.38, 25.6, 26, 30.1, 32.4, 33.3, 38)]
    assert is_causal(find, district(leak=1.8), {}, cuts) > 1


@pytest.mark.soak
@pytest.mark.skipif(not (DATA / "leakdb_hanoi_regen").is_dir(), reason="LeakDB is not beside this checkout")
def test_the_steps_of_a_hundred_years_are_told_as_well_as_docs_detection_says():
    (told,) = evaluate(chosen(["leakdb_hanoi_regen"], DATA)[0])
    assert told["step_f1"] >= 0.86
    assert told["step_specificity"] >= 0.99
    assert told["false"] <= 10
