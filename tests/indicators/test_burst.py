"""Bursts of a district: found within the day, not where use rises or an hour is flushed, and without looking ahead."""

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

from indicators.methods.burst import find
from tests.indicators.causal import is_causal

START = datetime(2026, 1, 5, tzinfo=UTC)
BURST = START + timedelta(days=80.5)


def weather(days):
    """Of each day by itself, the same in every district."""
    return np.repeat(np.random.default_rng(9).normal(size=days), 24)


def district(name="d", *, days=95, burst=0.0, hours=72, seed=1, town=0.0):
    """Hourly flow of a district of 60 m3/h with noise of 3 %, and a burst on day 80 at noon; `town`: what all have."""
    rng = np.random.default_rng(seed)
    hour = np.arange(days * 24)
    use = 60 + 25 * np.sin(2 * np.pi * (hour / 24 - 0.3)) + 8 * np.sin(4 * np.pi * hour / 24)
    use = use * np.where(hour // 24 % 7 == 6, 0.9, 1.0) * (1 + 0.03 * rng.normal(size=len(hour)))
    use = use + town * weather(days)
    at = [START + timedelta(hours=int(h) + 1) for h in hour]
    first = 80 * 24 + 12
    flow = use + np.where((hour >= first) & (hour < first + hours), burst, 0.0)
    return pl.DataFrame(
        {"asset": name, "at": at, "local": [t.replace(tzinfo=None) for t in at], "flow_m3h": flow}
    ).with_columns(pl.col("at").cast(pl.Datetime("us", "UTC")), pl.col("local").cast(pl.Datetime("us")))


def test_a_burst_is_found_within_the_day_with_its_size_and_its_hour():
    first = find(district(burst=9.0), {}).sort("at").to_dicts()[0]
    assert timedelta(0) < first["at"] - BURST <= timedelta(hours=24)
    assert abs(first["since"] - BURST) <= timedelta(hours=6)
    told = json.loads(first["evidence"])
    assert told["low_m3h"] <= 9.0 <= told["high_m3h"]
    assert told["chart"][-1] is not None
    assert first["severity"] == "critical"


def test_it_ends_when_the_flow_falls_back():
    first = find(district(burst=12.0, hours=20), {}).sort("at").to_dicts()[0]
    assert first["until"] is not None
    assert first["until"] - BURST < timedelta(hours=48)


def test_quiet_districts_have_no_alarm():
    assert find(pl.concat([district(f"d{seed}", seed=seed) for seed in range(6)]), {}).is_empty()


def test_an_hour_of_flushing_and_a_day_without_data_are_no_burst():
    series = district().with_row_index("n")
    flow = pl.when(pl.col("n") == 1900).then(150.0).when(pl.col("n").is_between(2000, 2030)).then(None)
    assert find(series.with_columns(flow_m3h=flow.otherwise("flow_m3h")).drop("n"), {}).is_empty()


def test_a_burst_shows_where_the_neighbours_tell_what_all_have():
    town = [district(f"d{seed}", seed=seed, town=2.0, burst=5.0 if seed == 0 else 0.0) for seed in range(4)]
    within = pl.col("at").is_between(BURST, BURST + timedelta(hours=24)) & (pl.col("asset") == "d0")
    assert find(pl.concat(town), {}).filter(within).height == 1
    assert find(town[0], {}).filter(within).is_empty()


def test_what_a_tank_takes_in_is_no_burst():
    filling = pl.when(pl.col("at") > BURST).then(9.0).otherwise(0.0)
    assert find(district(burst=9.0, hours=400).with_columns(stored_m3=filling.cum_sum()), {}).is_empty()


def test_an_hour_that_the_clock_skips_or_repeats_is_no_burst():
    local = pl.col("at").dt.convert_time_zone("Europe/Ljubljana").dt.replace_time_zone(None)
    lived = district(days=300, seed=3).select("local", "flow_m3h")  # people live by the wall clock
    series = district(days=300).drop("flow_m3h").with_columns(local=local).join(lived, on="local").sort("at")
    assert series["local"].is_duplicated().any()
    assert find(series, {}).is_empty()


def test_a_district_known_for_less_than_nine_weeks_has_none():
    assert find(district(days=83, burst=9.0).filter(pl.col("at") > START + timedelta(days=21)), {}).is_empty()


def test_it_looks_at_nothing_behind_a_moment():
    series = pl.concat([district("a", burst=9.0), district("b", burst=12.0, hours=20)])
    cuts = [START + timedelta(days=d) for d in (48, 66.1, 80.6, 81, 81.4, 82.3, 90)]
    assert is_causal(find, series, {}, cuts) > 1
