"""Containers for waste by simulation: fill and temperature every few minutes, fires, heat of the sun, echoes that lie.

Nothing here comes from a real container: what one is like is drawn from the ranges below. A container is filled at the
hours people are about and emptied on fixed days, now and then not; what comes when it is full lies beside it.
"""

from datetime import datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

DAILY_PCT, BETWEEN_D = (8.0, 30.0), (2, 3, 4, 7)  # filled a day; between two collections
FORGOTTEN = 0.06  # share of the collections that do not happen
ECHO_SD, LIES, LIE_PCT = 2.0, 0.002, (0.0, 100.0)  # of the fill: noise, and share of readings that say anything
MEAN_CEL, SWING_CEL, WEATHER_SD = (
    (6.0, 24.0),
    (4.0, 9.0),
    3.0,
)  # of the air: mean from winter to summer, half a day's swing
SUN_CEL, CLOUD_MIN = (2.0, 28.0), 25.0  # metal in the sun is so much warmer at noon; clouds come and go so fast
SENSOR_SD, LEAPS, LEAP_CEL = 0.3, 0.00002, (15.0, 90.0)  # of the temperature: noise, and single readings that leap
BLAZE, BLAZE_CEL_MIN, BLAZE_CEL = 0.7, (0.8, 12.0), (90.0, 500.0)  # share of fires; rise a minute; highest
SMOULDER_CEL_MIN, SMOULDER_CEL = (0.15, 0.8), (68.0, 130.0)
BURNS_MIN, COOLS_MIN, DEAD_CEL, MOST_CEL = (
    (15.0, 90.0),
    40.0,
    180.0,
    125.0,
)  # above it the sensor is dead; it shows so much
NEW_D, APART_D, LOST = 3, 4, 0.02

Floats = np.ndarray[Any, np.dtype[np.float64]]
Chance = np.random.Generator


def make(*, seed: int, containers: int, first: str, days: int, fires_a_container: float, step_min: int) -> pl.DataFrame:
    """Rows of all containers: `time` (UTC), `container`, `fill_pct`, `temp_cel`; in truth `fire`, `overflows`."""
    parts, began = [], datetime.fromisoformat(first)
    for number in range(containers):
        chance = np.random.default_rng([seed, number])
        count = days * 1440 // step_min
        minutes: Floats = np.arange(count, dtype=np.float64) * step_min
        fire, heat, dead = _fires(chance, minutes, days, fires_a_container)
        true = _fill(chance, minutes, days, step_min)
        part = pl.DataFrame(
            {
                "time": pl.Series([began]).dt.replace_time_zone("UTC").repeat_by(count).explode()
                + pl.Series([timedelta(minutes=float(minute)) for minute in minutes]),
                "container": f"c{number:02d}",
                "fill_pct": _echo(chance, true),
                "temp_cel": _sensor(chance, _air(chance, minutes, days, began.timetuple().tm_yday) + heat),
                "fire": fire,
                "overflows": true >= 100,  # noqa: PLR2004 - full
            }
        )
        parts.append(part.filter((chance.random(count) >= LOST) & ~dead))
    return pl.concat(parts)


def _air(chance: Chance, minutes: Floats, days: int, yday: int) -> Floats:
    """Air and sun on the metal."""
    day = minutes / 1440
    summer = -np.cos(2 * np.pi * (day + yday - 20) / 365.25)
    mean = np.mean(MEAN_CEL) + (MEAN_CEL[1] - MEAN_CEL[0]) / 2 * summer
    swing = chance.uniform(*SWING_CEL) * np.sin(2 * np.pi * (day - 0.375))  # warmest at 15:00
    weather = np.interp(day, np.arange(days + 1), chance.normal(0, WEATHER_SD, days + 1))
    knots = np.arange(0, minutes[-1] + CLOUD_MIN, CLOUD_MIN)
    clear = np.clip(np.interp(minutes, knots, chance.beta(0.5, 0.5, len(knots))), 0, 1)
    high = np.clip(np.sin(2 * np.pi * (day - 0.25)), 0, 1) * (0.6 + 0.4 * summer)
    return np.asarray(mean + swing + weather + chance.uniform(*SUN_CEL) * high * _slow(clear, minutes))


def _slow(clear: Floats, minutes: Floats) -> Floats:
    """Metal follows the sun within a quarter of an hour."""
    keep = float(np.exp(-(minutes[1] - minutes[0]) / 15))
    out = np.empty_like(clear)
    last = 0.0
    for index, value in enumerate(clear):
        last = keep * last + (1 - keep) * value
        out[index] = last
    return out


def _fires(chance: Chance, minutes: Floats, days: int, number: float) -> tuple[Any, Floats, Any]:
    """How it burns, how much hotter it is by that, and from when on the sensor is dead (until a day later)."""
    fire, heat, dead = np.full(len(minutes), "", "<U8"), np.zeros(len(minutes)), np.zeros(len(minutes), bool)
    wanted = int(chance.poisson(number))
    slots = np.arange(NEW_D, days - 1, APART_D)
    for slot in np.sort(chance.choice(slots, min(wanted, len(slots)), replace=False)):
        start = (slot + chance.random()) * 1440
        blaze = chance.random() < BLAZE
        rate = _log(chance, BLAZE_CEL_MIN if blaze else SMOULDER_CEL_MIN)
        top = _log(chance, BLAZE_CEL if blaze else SMOULDER_CEL)
        over = start + top / rate + _log(chance, BURNS_MIN)
        since, after = minutes - start, minutes - over
        course = np.where(after < 0, np.minimum(rate * since, top), top * np.exp(-np.maximum(after, 0) / COOLS_MIN))
        course = np.where(since > 0, course, 0.0)
        heat += course
        fire[(since > 0) & (after <= 0)] = "blaze" if blaze else "smoulder"
        if (course > DEAD_CEL).any():
            died = minutes[int((course > DEAD_CEL).argmax())]
            dead |= (minutes >= died) & (minutes < died + 1440)
    return fire, heat, dead


def _fill(chance: Chance, minutes: Floats, days: int, step_min: int) -> Floats:
    """What is in it, in per cent of what it holds."""
    daily = _log(chance, DAILY_PCT)
    hour = (minutes / 60) % 24
    about = np.clip(np.sin(2 * np.pi * (hour - 6) / 36), 0, None)
    brought = chance.gamma(0.3, 1 / 0.3, len(minutes)) * about
    brought *= daily * days / brought.sum()
    every = int(chance.choice(BETWEEN_D))
    offset, clock = int(chance.integers(every)), 6 + chance.random() * 6
    level, out = 0.0, np.empty(len(minutes))
    for index, more in enumerate(brought):
        day, here = divmod(minutes[index], 1440)
        emptied = int(day) % every == offset and 0 <= here - clock * 60 < step_min
        level = 0.0 if emptied and chance.random() >= FORGOTTEN else min(level + more, 100.0)
        out[index] = level
    return out


def _echo(chance: Chance, true: Floats) -> Floats:
    shown = np.clip(true + chance.normal(0, ECHO_SD, len(true)), 0, 100)
    return np.where(chance.random(len(true)) < LIES, chance.uniform(*LIE_PCT, len(true)), shown).round(0)


def _sensor(chance: Chance, true: Floats) -> Floats:
    leaps = (chance.random(len(true)) < LEAPS) * chance.uniform(*LEAP_CEL, len(true))
    return np.clip(true + chance.normal(0, SENSOR_SD, len(true)) + leaps, -40, MOST_CEL).round(1)


def _log(chance: Chance, between: tuple[float, float]) -> float:
    return float(np.exp(chance.uniform(np.log(between[0]), np.log(between[1]))))
