"""Draws at night: found after some nights with their hours and size; leaks and warm nights are none."""

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

from indicators.methods.night_draw import find
from tests.indicators.causal import is_causal

START = datetime(2026, 1, 5, tzinfo=UTC)
SINCE = 45  # days after it


def district(*, draw=0.0, days=75, nights=14, seed=6, leak=0.0, warm=0.0, metered=False):
    """Quarter hours of 100 m3/h, a third at night; a draw from 01:00 to 03:00 in five nights of seven."""
    rng = np.random.default_rng(seed)
    day = (np.arange(days * 96) + 1) / 96
    use = 70 - 40 * np.cos(2 * np.pi * (day - 0.1)) + rng.normal(0, 1.5, len(day))
    late = np.isin(np.floor(day - 0.5) % 7, (4, 5)) & ((day % 1 < 0.25) | (day % 1 > 0.9))
    use = use + np.where(late, 8.0, 0.0) + np.where(day > SINCE, leak, 0.0)
    use = use * np.where(day > SINCE, 1 + warm, 1.0)
    number = np.floor(day)
    active = (day >= SINCE) & (day < SINCE + nights) & (number % 7 != 2) & (number % 7 != 5)
    drawn = np.where(active & (day % 1 > 1.001 / 24) & (day % 1 < 3.001 / 24), draw, 0.0)
    at = [START + timedelta(minutes=15 * int(k) + 15) for k in range(len(day))]
    frame = pl.DataFrame(
        {"asset": "d", "at": at, "local": [t.replace(tzinfo=None) for t in at], "flow_m3h": use + drawn}
    )
    frame = frame.with_columns(pl.col("at").cast(pl.Datetime("us", "UTC")), pl.col("local").cast(pl.Datetime("us")))
    return frame.with_columns(metered_m3h=pl.Series(0.9 * use + drawn)) if metered else frame


def test_a_draw_is_found_within_five_active_nights_with_its_hours_its_size_and_its_end():
    (one,) = find(district(draw=7.0), {}).to_dicts()
    told = json.loads(one["evidence"])
    assert timedelta(days=1) < one["at"] - START - timedelta(days=SINCE) <= timedelta(days=7.5)
    assert ("00:00" <= told["from"] <= "01:30", "02:30" <= told["to"] <= "03:30") == (True, True)
    assert 4.0 < told["low_m3h"] < told["high_m3h"] < 8.0
    assert abs(one["until"] - START - timedelta(days=SINCE + 13, hours=3)) <= timedelta(days=2)


def test_what_went_through_the_meters_is_billed():
    assert find(district(draw=7.0, metered=True), {}).is_empty()


def test_quiet_weeks_late_weekends_a_leak_and_warm_nights_are_no_draws():
    for series in (district(), district(leak=8.0), district(warm=0.1)):
        assert find(series, {}).is_empty()


def test_nights_without_data_are_no_draws():
    day = (pl.col("at") - START).dt.total_seconds() / 86400
    gaps = district().filter(~day.is_between(47.02, 47.1) & ~day.is_between(50, 53))
    assert find(gaps, {}).is_empty()


def test_it_looks_at_nothing_behind_a_moment():
    series = district(draw=7.0)
    cuts = [START + timedelta(days=d) for d in (30, 46.2, 48.1, 49.5, 50.3, 52.4, 58, 66, 70)]
    assert is_causal(find, series, {}, cuts) > 2


def test_a_night_that_is_not_over_was_not_quiet():
    drawn, quiet = district(draw=7.0, nights=20), district()
    day = (pl.col("at") - START).dt.total_seconds() / 86400
    series = drawn.with_columns(
        flow_m3h=pl.when(day.is_between(54, 58.9)).then(quiet["flow_m3h"]).otherwise("flow_m3h")
    )
    assert is_causal(find, series, {}, [START + timedelta(days=59)]) == 1
