"""Leaks of a district from flow alone: a constant is found, a factor is not, and nothing is seen before it is there."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from indicators.methods.district_leak import find
from indicators.methods.inflow import hourly, levels
from tests.indicators.causal import is_causal

START = datetime(2026, 1, 5, tzinfo=UTC)
DAYS = 70


def district(name="d", *, days=DAYS, factor=1.0, leak=0.0, since=40.0, until=999.0, grows=0.0, seed=1):
    """Hourly flow of a district of 60 m3/h that sleeps at night and rests on Sundays, with noise of 4 %."""
    rng = np.random.default_rng(seed)
    hour = np.arange(days * 24)
    day = hour / 24
    use = 60 + 25 * np.sin(2 * np.pi * (day - 0.3)) + 8 * np.sin(4 * np.pi * day)
    use = use * np.where(hour // 24 % 7 == 6, 0.9, 1.0) * (1 + 0.04 * rng.normal(size=len(hour)))
    use = use * np.where(day > 30, factor, 1.0)
    size = leak * (np.clip((day - since) / grows, 0, 1) ** 2 if grows else (day >= since))
    flow = use + np.where(day < until, size, 0.0)
    at = [START + timedelta(hours=int(h) + 1) for h in hour]
    return pl.DataFrame(
        {"asset": name, "at": at, "local": [t.replace(tzinfo=None) for t in at], "flow_m3h": flow}
    ).with_columns(pl.col("at").cast(pl.Datetime("us", "UTC")), pl.col("local").cast(pl.Datetime("us")))


def found(series):
    return find(series, {}).sort("at").to_dicts()


def test_a_constant_flow_is_found_within_a_day_with_its_hour_and_its_size():
    (leak,) = found(district(leak=6.0, since=40.5))
    assert timedelta(0) < leak["at"] - (START + timedelta(days=40.5)) <= timedelta(hours=24)
    assert abs(leak["since"] - (START + timedelta(days=40.5))) <= timedelta(hours=2)
    assert leak["litres_per_hour"] == pytest.approx(6000, rel=0.25)
    assert (leak["severity"], leak["until"]) == ("critical", None)


def test_a_repair_ends_it():
    (leak,) = found(district(leak=8.0, since=40.5, until=52.25))
    assert abs(leak["until"] - (START + timedelta(days=52.25))) <= timedelta(days=1.5)
    assert leak["volume_m3"] == pytest.approx(8 * 24 * 11.75, rel=0.25)


def test_a_leak_that_grows_is_found_while_it_grows():
    first = found(district(leak=30.0, since=35, grows=25))[0]
    assert START + timedelta(days=37) < first["at"] < START + timedelta(days=49)


@pytest.mark.parametrize("factor", [1.05, 0.95])
def test_more_or_less_use_all_day_is_no_leak(factor):
    assert not found(district(factor=factor))


def test_a_quiet_district_has_no_alarm_in_ten_weeks_of_ten_seeds():
    assert not found(pl.concat([district(f"d{seed}", seed=seed) for seed in range(10)]))


def test_an_hour_of_flushing_and_a_day_without_data_are_no_leak():
    series = district().with_row_index("n")
    flow = pl.when(pl.col("n") == 1000).then(150.0).when(pl.col("n").is_between(1200, 1230)).then(None)
    assert not found(series.with_columns(flow_m3h=flow.otherwise("flow_m3h")).drop("n"))


def test_a_tank_that_fills_is_no_leak():
    series = district()
    taken = pl.when(pl.int_range(pl.len()) % 30 < 10).then(12.0).otherwise(0.0)
    filled = series.with_columns(flow_m3h=pl.col("flow_m3h") + taken, stored_m3=taken.cum_sum())
    straight = levels(hourly(series)).level
    assert np.abs(levels(hourly(filled)).level - straight).max() < 1.0


def test_what_rises_through_the_meters_is_theirs():
    series = district(leak=6.0, since=40.5)
    quiet = district(seed=2).select(pl.col("flow_m3h") / 10).to_series()
    drawn = pl.when(pl.col("at") > START + timedelta(days=40.5)).then(6.0).otherwise(0.0)
    assert not found(series.with_columns(metered_m3h=quiet + drawn))
    assert len(found(series.with_columns(metered_m3h=quiet))) == 1


def test_it_looks_at_nothing_behind_a_moment():
    series = pl.concat([district("a", leak=6.0, since=40.5, until=55), district("b", leak=30, since=35, grows=25)])
    cuts = [START + timedelta(days=d) for d in (20, 40.6, 41, 42.3, 47, 55.4, 56, 63)]
    assert is_causal(find, series, {}, cuts) > 3
