"""A lamp out in a cabinet's power: found in time, not at dimming, nor where the mains falls; nothing looks ahead."""

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from indicators.evaluate.made.streetlight_sim import make
from indicators.methods.lamp_out import find
from tests.indicators.causal import is_causal

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
HERE = {"zone": "Europe/Ljubljana", "lat": 46.42, "lon": 15.87}


def cabinet(*steps, nights=14, minutes=5, exponent=0.0, mains=0.0):
    """Two kilowatts from 17:00 to 05:00, dimmed to 60 % from 22:00; each step is hours since the start and a factor."""
    at = np.arange(1, nights * 1440 // minutes + 1) * minutes / 60
    clock = (at + 12 - 1e-9) % 24
    power = np.where((clock < 17) & (clock >= 5), 15.0, np.where((clock >= 22) | (clock < 4), 1200.0, 2000.0))
    chance = np.random.default_rng(7)
    volts = 230 * (1 + mains * np.sin(at / 3)) + chance.normal(0, 0.3, len(at))
    for hours, factor in steps:
        power[at > hours] *= factor
    power *= (volts / 230) ** exponent * (1 + chance.normal(0, 0.002, len(at)))
    times = [START + timedelta(hours=float(one)) for one in at]
    frame = pl.DataFrame({"asset": "c", "at": times, "power_w": power, "voltage_v": volts})
    return frame.with_columns(pl.col("at").cast(pl.Datetime("us", "UTC"))).with_columns(
        local=pl.col("at").dt.replace_time_zone(None)
    )


@pytest.mark.parametrize("minutes", [1, 5, 15])
def test_one_lamp_of_fifty_is_found_within_a_quarter_of_an_hour_and_again_when_it_burns(minutes):
    out = 11 * 24 + 8  # eight in the evening of the eleventh night
    (found,) = find(cabinet((out, 0.98), (out + 30, 1 / 0.98), minutes=minutes), {}).iter_rows(named=True)
    assert found["since"] == START + timedelta(hours=out)
    assert found["at"] - found["since"] <= timedelta(minutes=15)
    assert timedelta(0) <= found["until"] - START - timedelta(hours=out + 30) <= timedelta(minutes=15)
    told = json.loads(found["evidence"])
    assert told["lamps"] == 1
    assert told["missing_w"] == pytest.approx(40, abs=10)


def test_a_lamp_that_is_dead_at_dusk_is_found():
    (found,) = find(cabinet((11 * 24, 0.98)), {}).iter_rows(named=True)
    assert found["at"] <= START + timedelta(days=11, hours=5, minutes=20)


def test_dimming_is_expected_and_one_that_comes_early_by_some_minutes_is_no_lamp():
    rows = cabinet()
    early = rows["at"].is_between(START + timedelta(days=11, hours=9, minutes=56), START + timedelta(days=11, hours=10))
    assert find(rows, {}).is_empty()
    assert find(rows.with_columns(power_w=pl.when(early).then(1200.0).otherwise("power_w")), {}).is_empty()


def test_what_follows_the_voltage_is_no_lamp():
    rows = cabinet((11 * 24 + 8, 0.98), exponent=1.6, mains=0.02)
    assert [one["since"] for one in find(rows, {}).iter_rows(named=True)] == [START + timedelta(days=11, hours=8)]


def test_the_smallest_lamp_of_the_register_decides_how_small_a_step_counts():
    rows = cabinet((11 * 24 + 8, 0.99))
    assert find(rows, {}).is_empty()
    assert find(rows.with_columns(lamp_share=pl.lit(0.01)), {}).height == 1


def test_made_cabinets_are_always_the_same_burn_between_sunset_and_sunrise_and_their_lamps_are_found():
    told = {"seed": 5, "cabinets": 3, "first": "2025-03-10", "days": 50, "failures_a_year": 36, "step_min": 3}
    rows = make(**told, **HERE)
    assert rows.equals(make(**told, **HERE))
    noon = rows.filter(pl.col("time").dt.hour().is_between(9, 15))
    night = rows.filter(pl.col("time").dt.hour().is_between(0, 3))
    assert noon["power_w"].max() < 0.4 * night["power_w"].min()
    series = rows.select(
        "power_w", "voltage_v", "fails", lamp_share=1 / pl.col("lamps"), asset="cabinet", local="time",
        at=pl.col("time").dt.replace_time_zone(HERE["zone"], ambiguous="earliest").dt.convert_time_zone("UTC"),
    )  # fmt: skip
    found = find(series.drop("fails"), {})
    fails = series.filter("fails").select("asset", failed="at")
    timely = fails.join(found, on="asset").filter(
        (pl.col("at") - pl.col("failed")).dt.total_minutes().is_between(0, 15)
    )
    assert fails.height >= 10
    assert timely.height >= 0.8 * fails.height
    assert found.height <= fails.height + 1


def test_it_does_not_look_ahead():
    rows = cabinet((11 * 24 + 8, 0.98), (12 * 24 + 6, 0.98), (13 * 24, 1 / 0.98))
    cuts = [START + timedelta(days=11, hours=hours) for hours in (5.5, 8.1, 8.2, 9, 20)]
    assert is_causal(find, rows, {}, [*cuts, START + timedelta(days=13, hours=6)]) > 0


def test_steps_too_long_or_too_few_nights_give_nothing():
    assert find(cabinet((11 * 24 + 8, 0.98), minutes=60), {}).is_empty()
    assert find(cabinet((3 * 24 + 8, 0.98), nights=5), {}).is_empty()
    assert find(cabinet().clear(), {}).is_empty()
