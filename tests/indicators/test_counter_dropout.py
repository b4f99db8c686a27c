"""Dropouts of traffic counters: causal, found in the day, and neither a quiet night nor a lane's flicker makes more."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

from indicators.methods.counter_dropout import find
from tests.indicators.causal import is_causal

START = datetime(2026, 3, 2, tzinfo=UTC)


def counter(*out, days=30, channel="1"):
    """A road with a rush hour and quiet nights; zero in the given spans of hours since the start."""
    at = [START + timedelta(minutes=15 * (step + 1)) for step in range(days * 96)]
    hours = np.arange(1, len(at) + 1) / 4
    level = np.clip(20 * np.sin((hours % 24 - 6) / 16 * np.pi), 0, None)
    counts = np.random.default_rng(5).poisson(level).astype(float)
    for first, last in out:
        counts[(hours > first) & (hours <= last)] = 0
    frame = pl.DataFrame({"asset": "a", "at": at, "count": counts, "channel": channel})
    return frame.with_columns(
        pl.col("at").cast(pl.Datetime("us", "UTC")), local=pl.col("at").dt.replace_time_zone(None)
    )


def test_a_dropout_at_noon_is_found_after_two_hours_and_ends():
    (found,) = find(counter((20 * 24 + 12, 21 * 24 + 12)), {}).iter_rows(named=True)
    assert found["since"] == START + timedelta(days=20, hours=12)
    assert found["at"] - found["since"] <= timedelta(hours=2)
    assert found["until"] == START + timedelta(days=21, hours=12)


def test_zeros_on_a_day_of_snow_on_which_hardly_anybody_drives_are_no_dropout():
    rows = counter((20 * 24 + 12, 20 * 24 + 16))
    snow = pl.col("at").is_between(START + timedelta(days=20), START + timedelta(days=22))
    assert find(rows, {}).height == 1
    assert find(
        rows.with_columns(count=pl.when(snow).then(pl.col("count").clip(upper_bound=1)).otherwise("count")), {}
    ).is_empty()


def test_without_a_dropout_nothing_is_found():
    assert find(counter(), {}).is_empty()


def test_a_lane_that_flickers_is_told_once_and_so_are_lanes_of_one_counter():
    flicker = [(20 * 24 + hour, 20 * 24 + hour + 4) for hour in (8, 13, 33)]
    lanes = pl.concat([counter(*flicker), counter(*flicker, channel="2")]).sort("asset", "at", maintain_order=True)
    assert find(lanes, {}).height == 1


def test_it_does_not_look_ahead():
    rows = counter((18 * 24 + 9, 19 * 24), (27 * 24, 28 * 24))
    cuts = [START + timedelta(days=18, hours=10), START + timedelta(days=20), START + timedelta(days=28, hours=3)]
    assert is_causal(find, rows, {}, cuts) > 0
