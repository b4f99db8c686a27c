"""Hydrants seen by a district: known within ten minutes, closed or left open, not where pumps switch and tanks fill."""

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

from indicators.methods.hydrant_flow import find
from tests.indicators.causal import is_causal

START = datetime(2026, 1, 5, tzinfo=UTC)
OPENED = 12.4  # days after it


def district(*, drawn=((OPENED, 40, 30.0),), days=14, seed=1, pressures=3, tank=False, outage=False):
    """Five minutes of a district of 100 m3/h: what is drawn beside is (day, minutes, m3/h); a tank fills twice."""
    rng = np.random.default_rng(seed)
    day = (np.arange(days * 288) + 1) / 288
    use = 100 + 40 * np.sin(2 * np.pi * (day - 0.3)) + 2 * rng.normal(size=len(day))
    opened = np.zeros(len(day))
    for since, minutes, flow in drawn:
        opened += flow * ((day >= since) & (day < since + minutes / 1440))
    fills = np.where(tank & ((day + 0.03 * np.floor(day)) % 0.5 < 0.15), 35.0, 0.0)
    flow = use + opened + fills
    if outage:
        flow = np.where((day > OPENED) & (day < OPENED + 0.05), flow - 60, flow)
    at = [START + timedelta(minutes=5 * int(k) + 5) for k in range(len(day))]
    frame = pl.DataFrame({"asset": "d", "at": at, "local": [t.replace(tzinfo=None) for t in at], "flow_m3h": flow})
    frame = frame.with_columns(pl.col("at").cast(pl.Datetime("us", "UTC")), pl.col("local").cast(pl.Datetime("us")))
    near = (0.01, 0.03, 0.005)
    metres = {
        f"pressure_n{k}": 50 - (1 + k / 2) * (flow / 100) ** 2 - near[k] * opened + rng.normal(0, 0.03, len(day))
        for k in range(pressures)
    }
    level = {"level_T": 3 + np.cumsum(fills / 12 - fills.mean() / 12) / 200} if tank else {}
    return frame.with_columns(**metres, **level)


def opened(series):
    return find(series, {}).sort("at").to_dicts()


def test_an_opening_is_known_within_ten_minutes_with_its_size_its_sensor_and_its_end():
    (one,) = opened(district())
    began = START + timedelta(days=OPENED)
    assert timedelta(0) < one["at"] - began <= timedelta(minutes=10)
    assert abs(one["until"] - began - timedelta(minutes=40)) <= timedelta(minutes=10)
    told = json.loads(one["evidence"])
    assert told["litres_per_hour_low"] < 30_000 < told["litres_per_hour_high"]
    assert (told["state"], told["sensor"]) == ("closed", "n1")


def test_the_inflow_alone_is_enough():
    (one,) = opened(district(pressures=0))
    assert one["at"] - START - timedelta(days=OPENED) <= timedelta(minutes=10)


def test_one_left_open_becomes_critical_and_goes_on():
    (one,) = opened(district(drawn=((OPENED, 4000, 30.0),)))
    assert (one["until"], one["severity"], json.loads(one["evidence"])["state"]) == (None, "critical", "left_open")


def test_two_at_once_have_each_its_own_end():
    first, second = opened(district(drawn=((OPENED, 180, 30.0), (OPENED + 0.05, 40, 60.0))))
    assert abs(second["until"] - second["since"] - timedelta(minutes=40)) <= timedelta(minutes=10)
    assert abs(first["until"] - first["since"] - timedelta(minutes=180)) <= timedelta(minutes=10)


def test_a_quiet_district_a_tank_that_fills_and_the_end_of_an_outage_are_no_hydrants():
    assert opened(district(drawn=())) == []
    assert opened(district(drawn=(), tank=True)) == []
    assert opened(district(drawn=(), outage=True)) == []


def test_it_looks_at_nothing_behind_a_moment():
    series = district(drawn=((9.3, 30, 25.0), (OPENED, 180, 30.0), (OPENED + 0.05, 40, 60.0)))
    cuts = [START + timedelta(days=d) for d in (7.5, 9.301, 9.31, 9.4, 12.4, 12.406, 12.41, 12.46, 12.51, 12.53, 13.2)]
    assert is_causal(find, series, {}, cuts) > 5


def test_gaps_and_silent_sensors_are_no_hydrants():
    row = pl.int_range(pl.len())
    gaps = district(drawn=()).with_columns(
        flow_m3h=pl.when(row.is_between(3300, 3320) | (row % 50 == 0)).then(None).otherwise("flow_m3h"),
        pressure_n1=pl.when(row > 3400).then(None).otherwise("pressure_n1"),
    )
    assert opened(gaps) == []
