"""Power of lighting cabinets by simulation: real sun times, dimming, mains, weather, a meter, and lamps that fail.

Nothing here comes from a real cabinet: what a cabinet is like is drawn from the ranges below. It is computed by the
minute and read by a meter that gives means of its steps. A lamp fails while it burns or is found dead when the lighting
is switched on, and burns again some evenings later.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
from scipy.signal import lfilter

from lake.calendar import Place, sun

LAMPS = (45, 55)
LED_W, SODIUM_W = (25, 90), (80, 170)  # of a lamp with its driver or ballast
UNLIKE = 0.04  # one standard deviation between the lamps of a cabinet
SODIUM, CELL, DIMMED, BY_LAMP, OTHER = 0.3, 0.5, 0.7, 0.5, 0.25  # shares of cabinets
CELL_MIN = 6.0  # a photocell switches so much earlier or later, with the clouds
DIM_TO, DIM_FROM_H, DIM_UNTIL_H = (0.45, 0.75), (22.0, 22.5, 23.0, 24.0), (28.0, 28.5, 29.0)
BY_LAMP_MIN = 1.5  # lamps that dim by their own clocks do so within a few minutes
VOLTS, MAINS_SD, TAP_V, TAPS_A_DAY = 232.0, 1.5, 2.3, 4  # mean, wander of an hour, steps of a transformer
LED_EXPONENT, SODIUM_EXPONENT = (-0.05, 0.1), (1.3, 1.8)  # power goes with the voltage to this
PER_KELVIN = (-0.0012, 0.0002)
LED_WARM, LED_WARM_MIN = (0.01, 0.03), (8.0, 20.0)  # drawn more when just switched on
SODIUM_COLD, SODIUM_COLD_MIN = (-0.5, -0.3), (2.0, 3.5)
AGES_A_YEAR = (-0.01, 0.03)
STANDBY_W, OTHER_W = (8, 25), (40, 250)  # of the cabinet; of a board or bus stop that goes by the clock
OTHER_FROM_H, OTHER_UNTIL_H = (5.0, 6.0), (22.0, 23.0, 24.0)
MINUTE_SD, WANDER_SD = 0.002, 0.002  # noise of a minute, and of half an hour
RESOLUTION_W = (1, 5)
AT_DUSK = 0.5  # share of the failures that are found when the lighting is switched on
NEW_D, REPAIRED_D, APART_D = 14, (4, 21), 2.0  # none fails in the first fortnight
LOST, GAPS_A_YEAR, GAP_MIN = 0.004, 6, (30, 480)  # rows of the meter that never come, one by one and together

Floats = np.ndarray[Any, np.dtype[np.float64]]
Whole = np.ndarray[Any, np.dtype[np.int64]]
Chance = np.random.Generator
_DAY = 1440


@dataclass(frozen=True)
class Nights:
    """The nights one after the other; times are minutes from the beginning."""

    start: datetime
    dusk: Floats
    dawn: Floats
    midnights: tuple[datetime, ...]  # local
    kelvin: Floats  # outdoors, by the minute, from the mean

    def clock(self, hours: float) -> Floats:
        """Wall clock of each night: hours after the midnight before it, above 24 on the next day."""
        wall = (midnight + timedelta(hours=hours) for midnight in self.midnights)
        return np.array([(moment.timestamp() - self.start.timestamp()) / 60 for moment in wall])

    @property
    def minutes(self) -> int:
        """How long it all lasts."""
        return len(self.kelvin)


def make(
    *, seed: int, cabinets: int, first: str, days: int, failures_a_year: float, step_min: int, **place: Any
) -> pl.DataFrame:
    """Give time (wall clock, end of the step), cabinet, lamps, power_w, voltage_v, `fails`: a lamp fails in this step.

    `place` is zone, lat and lon.
    """
    nights = _nights(Place(**place), date.fromisoformat(first), days, np.random.default_rng([seed, 0]))
    parts = []
    for number in range(1, cabinets + 1):
        chance = np.random.default_rng([seed, number])
        lamps = int(chance.integers(LAMPS[0], LAMPS[1] + 1))
        told = _metered(nights, chance, _cabinet(nights, chance, lamps, failures_a_year * days / 365), step_min)
        parts.append(told.with_columns(cabinet=pl.lit(f"cabinet-{number}"), lamps=lamps))
    zone = place["zone"]
    return pl.concat(parts).with_columns(pl.col("time").dt.convert_time_zone(zone).dt.replace_time_zone(None))


def _nights(place: Place, first: date, days: int, chance: Chance) -> Nights:
    zone = ZoneInfo(place.zone)
    start = datetime.combine(first, time(12), zone)
    light = list(sun(place, (first + timedelta(days=day) for day in range(days + 1))))

    def minute(moment: datetime) -> float:
        return (moment.timestamp() - start.timestamp()) / 60

    at = np.arange(days * _DAY)
    season = -10 * np.cos(2 * np.pi * ((at / _DAY + first.timetuple().tm_yday) / 365.25 - 0.05))
    return Nights(
        start,
        dusk=np.array([minute(down) for _, _, down in light[:-1]]),
        dawn=np.array([minute(up) for _, up, _ in light[1:]]),
        midnights=tuple(datetime.combine(day, time(0), zone) for day, _, _ in light),
        kelvin=season + 4 * np.cos(2 * np.pi * at / _DAY - 0.8) + _wander(chance, len(at), 3.0, 3 * _DAY),
    )


def _wander(chance: Chance, size: int, deviation: float, minutes: float) -> Floats:
    """Noise that forgets within so many minutes."""
    keeps = float(np.exp(-1 / minutes))
    steps = chance.normal(0, deviation * np.sqrt(1 - keeps**2), size)
    steps[0] = chance.normal(0, deviation)
    return np.asarray(lfilter([1.0], [1.0, -keeps], steps), float)


def _cabinet(nights: Nights, chance: Chance, number: int, failures: float) -> tuple[Floats, Floats, Whole]:
    """Power and voltage by the minute, and the minutes in which a lamp fails."""
    sodium = chance.random() < SODIUM
    each = chance.uniform(*(SODIUM_W if sodium else LED_W))
    lamps = np.maximum(each * (1 + UNLIKE * chance.normal(size=number)), 1)
    lit, since = _lit(nights, chance)
    failed, lost = _failing(nights, chance, lamps, lit, chance.poisson(failures))
    volts = _mains(nights, chance)
    burning = (lamps.sum() - lost) * (volts / 230) ** chance.uniform(*(SODIUM_EXPONENT if sodium else LED_EXPONENT))
    burning *= 1 + chance.uniform(*PER_KELVIN) * nights.kelvin
    burning *= 1 + chance.uniform(*AGES_A_YEAR) * np.arange(nights.minutes) / (365 * _DAY)
    burning *= _dimming(nights, chance)
    cold, minutes = (SODIUM_COLD, SODIUM_COLD_MIN) if sodium else (LED_WARM, LED_WARM_MIN)
    burning *= 1 + chance.uniform(*cold) * np.exp(-since / chance.uniform(*minutes))
    power = lit * burning + chance.uniform(*STANDBY_W) + _other(nights, chance)
    noise = chance.normal(0, MINUTE_SD, nights.minutes) + _wander(chance, nights.minutes, WANDER_SD, 30)
    return power * (1 + noise), volts, failed


def _lit(nights: Nights, chance: Chance) -> tuple[Floats, Floats]:
    """Whether the lighting is on, and for how many minutes it has been."""
    unlike = CELL_MIN if chance.random() < CELL else 0.0
    on = nights.dusk + chance.uniform(0, 20) + chance.normal(0, unlike, len(nights.dusk))
    off = nights.dawn - chance.uniform(0, 20) + chance.normal(0, unlike, len(nights.dawn))
    lit = _between(nights.minutes, on, off)
    index = np.arange(nights.minutes)
    switched = np.maximum.accumulate(np.where(np.diff(lit, prepend=0) > 0, index, 0))
    return lit, (index - switched).astype(float)


def _between(minutes: int, first: Floats, last: Floats) -> Floats:
    """1 from each first minute to before each last one."""
    edges = np.zeros(minutes + 1)
    for ends, sign in ((first, 1), (last, -1)):
        np.add.at(edges, np.clip(np.round(ends).astype(int), 0, minutes), sign)
    return np.cumsum(edges)[:-1]


def _dimming(nights: Nights, chance: Chance) -> Floats:
    dimmed, unlike = chance.random() < DIMMED, BY_LAMP_MIN if chance.random() < BY_LAMP else 0.0
    depth = 1 - chance.uniform(*DIM_TO) if dimmed else 0.0
    first, last = (nights.clock(float(chance.choice(hours))) for hours in (DIM_FROM_H, DIM_UNTIL_H))
    jitter = chance.normal(0, unlike, (2, len(first)))
    return 1 - depth * _between(nights.minutes, first + jitter[0], last + jitter[1])


def _other(nights: Nights, chance: Chance) -> Floats:
    """Something else that the cabinet feeds."""
    watts = chance.uniform(*OTHER_W) if chance.random() < OTHER else 0.0
    first, last = (nights.clock(float(chance.choice(hours))) for hours in (OTHER_FROM_H, OTHER_UNTIL_H))
    return watts * _between(nights.minutes, first, last)


def _mains(nights: Nights, chance: Chance) -> Floats:
    at = np.arange(nights.minutes)
    taps = np.cumsum(chance.random(nights.minutes) < TAPS_A_DAY / _DAY) % 2
    wander = _wander(chance, nights.minutes, MAINS_SD, 60) + chance.normal(0, 0.2, nights.minutes)
    return VOLTS - 1.5 * np.cos(2 * np.pi * at / _DAY) + TAP_V * taps + wander


def _failing(nights: Nights, chance: Chance, lamps: Floats, lit: Floats, number: int) -> tuple[Whole, Floats]:
    """The minutes in which lamps fail, and the power that is missing by the minute."""
    dusks = np.flatnonzero(np.diff(lit, prepend=0) > 0)
    lost = np.zeros(nights.minutes)
    failed: list[int] = []
    for lamp in chance.permutation(len(lamps))[:number]:
        night = int(chance.integers(NEW_D, len(dusks) - 1))
        minute = int(dusks[night])
        if chance.random() > AT_DUSK:
            burning = np.flatnonzero(lit[minute : minute + _DAY] > 0)
            minute += int(chance.choice(burning))
        if any(abs(minute - other) < APART_D * _DAY for other in failed):
            continue
        failed.append(minute)
        again = dusks[min(night + int(chance.integers(*REPAIRED_D)), len(dusks) - 1)]
        lost[minute:again] += lamps[lamp]
    return np.array(sorted(failed), np.int64), lost


def _metered(nights: Nights, chance: Chance, told: tuple[Floats, Floats, Whole], step: int) -> pl.DataFrame:
    """What the meter sends of each step."""
    power, volts, failed = told
    rows = nights.minutes // step
    resolution = chance.choice(RESOLUTION_W)
    fails = np.zeros(rows, bool)
    fails[failed // step] = True
    kept = fails | (chance.random(rows) >= LOST)
    for first, last in _gaps(nights, chance, failed):
        kept[first // step : last // step] = False
    ends = (np.arange(rows) + 1) * step * 60_000_000
    frame = pl.DataFrame(
        {
            "time": pl.Series(round(nights.start.timestamp() * 1e6) + ends).cast(pl.Datetime("us", "UTC")),
            "power_w": np.round(power[: rows * step].reshape(-1, step).mean(axis=1) / resolution) * resolution,
            "voltage_v": np.round(volts[: rows * step].reshape(-1, step).mean(axis=1), 1),
            "fails": fails,
        }
    )
    return frame.filter(kept)


def _gaps(nights: Nights, chance: Chance, failed: Whole) -> Iterator[tuple[int, int]]:
    """Hours without the meter, none within an hour of a failure: such a one nobody could see in time."""
    for _ in range(chance.poisson(GAPS_A_YEAR * nights.minutes / 365 / _DAY)):
        first = int(chance.integers(0, nights.minutes))
        last = first + int(chance.integers(*GAP_MIN))
        if not any(first - 60 <= minute <= last + 60 for minute in failed):
            yield first, last
