"""Failed sensors: the leaps of a real water station are found, its clean run is quiet, nothing looks ahead."""

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from indicators.evaluate.dataset import chosen
from indicators.evaluate.run import evaluate
from indicators.evaluate.series import series
from indicators.methods.sensor_failure import find
from tests.indicators.causal import is_causal
from tests.indicators.world import ROOT

DATA = ROOT.parent / "shared" / "data"
REAL = pytest.mark.skipif(not (DATA / "wdseventdb_testbed").is_dir(), reason="WDSEventDB is not beside this checkout")
START = datetime(2026, 1, 1, tzinfo=UTC)


@REAL
def test_the_failures_of_a_real_station_that_can_be_seen_are_found_and_the_clean_run_is_quiet():
    told = evaluate(chosen(["wdseventdb_testbed"], DATA)[0])[0]
    assert (told["found"], told["false"]) == (2, 0)
    assert told["step_f1"] >= 0.9


@REAL
def test_it_does_not_look_ahead():
    rows = series(chosen(["wdseventdb_testbed"], DATA)[0]).filter(pl.col("asset") == "run_1")
    assert is_causal(find, rows, {}, [datetime(2025, 1, 1, 15, 11, 10, tzinfo=UTC)]) >= 1


def of(values):
    at = [START + timedelta(minutes=15 * number) for number in range(len(values))]
    return pl.DataFrame(
        {"asset": "one", "at": at, "local": [one.replace(tzinfo=None) for one in at], "value_level": values}
    )


def waves(count):
    chance = np.random.default_rng(7)
    return 2 + np.sin(np.arange(count) / 15) + chance.normal(0, 0.02, count)


def test_a_value_that_stands_still_is_stuck():
    values = waves(2000)
    values[1500:1700] = values[1500]
    found = find(of(values), {}).row(0, named=True)
    assert found["since"] == START + timedelta(minutes=15 * 1500)
    assert found["until"] == START + timedelta(minutes=15 * 1700)


def test_zero_is_a_rest_where_it_was_one_before_and_else_a_fault():
    values = waves(2000)
    values[1500:1700] = 0.0
    assert "stuck" in find(of(values), {}).row(0, named=True)["evidence"]
    values[300:320] = values[700:720] = 0.0
    assert find(of(values), {}).is_empty()


def test_two_odd_rests_and_one_at_the_end_of_the_range_do_not_hide_a_fault():
    values = waves(3000)
    values[100:160], values[400:440] = values[100], values[400]
    values[700:740] = values.max() + 0.1
    values[2500:2540] = values[2500]
    assert [one["since"] for one in find(of(values), {}).iter_rows(named=True)] == [
        START + timedelta(minutes=15 * 2500)
    ]


def test_where_a_value_rests_often_at_the_end_of_its_range_it_is_no_fault():
    values = np.minimum(waves(3000), 2.9)
    values[2500:2560] = 2.9
    assert find(of(values), {}).is_empty()


def test_a_pressure_that_leaps_is_a_burst_and_one_that_stands_still_a_fault():
    values = waves(2000)
    values[1200:1300] = -40 + waves(100)
    values[1600:1700] = values[1600]
    found = find(of(values).rename({"value_level": "value_pressure_kpa"}), {})
    assert [json.loads(one)["shape"] for one in found["evidence"]] == ["stuck"]


def test_a_flood_that_rises_step_by_step_is_no_failure_and_a_glitch_of_three_readings_neither():
    values = waves(2000)
    values[1500:1540] += np.linspace(0, 12, 40)
    values[1540:1600] += 12
    values[1800:1803] = -40
    assert find(of(values), {}).is_empty()
