"""Water drawn past the meter: every draw shows a fraction of itself, at the hours at which this house lives.

What else makes a register slow down is a house with fewer draws, each of its usual size, or an empty one in which
something drips. So what the register showed in the last days is explained twice by the four weeks before: as those
steps shown in part, and as some of them shown whole, among drips as in this house's nights. The logarithm of the ratio
of the two likelihoods says which it is; the longer the days, the less of it is needed.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from math import lgamma

import numpy as np
import polars as pl

from indicators.method import Assets
from indicators.methods.household import (
    COLUMNS,
    MOST_LPH,
    Days,
    Floats,
    Ints,
    Steps,
    bounds,
    days,
    moment,
    so_far,
    steps,
    weekly,
    windowed,
)

__all__ = ["COLUMNS", "find"]

BARS = ((2, 15.0), (3, 7.0), (4, 7.0))  # days, and the logarithm of the ratio that says enough in them
BASE_D, LAG_D = 28, 6  # what is usual: four weeks, which end so many days ago
MOST = 0.3  # of the usual volume: above it nothing is a bypass
SEEN_H = 8.0  # a day
LEAST_LPD = 30.0
PARTS = np.geomspace(0.035, 0.3, 8)  # of each draw, that the register may show
KEPT = np.array([0.0, 0.03, 0.08, 0.15, 0.3, 0.5, 0.8])  # of the draws, that a house may keep when it is half empty
DRIPS = np.array([0.5, 1.0, 2.0])  # of the drip of this house's nights
NIGHT = (1, 6)  # hours, of the shortest steps
BOUNDS = np.array([1, 2, 3, 4, 6, 9, 13, 19, 28, 41, 61, 91, 141])  # litres at which a class of steps begins
LENGTHS_H = np.array([0.4, 1.6, 4.5, 12.0, 36.0])  # steps of like length are held against each other
BORROWED = 8.0  # steps of all hours, that each hour of the day borrows
FEWEST = 10  # steps of a length in the weeks before; and half of them that are judged
BACK, BACK_D = 0.6, 2  # it is over when two days show more than this share
FALL_L = 5.0  # a register may fall by so much by itself
_DAY_S = 86400.0
AGAIN_D = 60  # what ended by itself was no bypass: quiet for so long

_CLASSES, _LENGTHS = len(BOUNDS) + 1, len(LENGTHS_H) - 1
_CELLS = _LENGTHS * 24 * _CLASSES
_LITRES = np.arange(int(MOST_LPH) + 1)
_CLASS = np.searchsorted(BOUNDS, _LITRES, "right")
_SHOWN = np.floor(PARTS[:, None] * _LITRES).astype(np.int64)  # whole litres; and now and then one more
_MORE = PARTS[:, None] * _LITRES - _SHOWN
_DRIP = np.geomspace(0.003, 2.0, 14)  # litres an hour


def _poisson(mean: float) -> Floats:
    """How likely each class is where single litres drip."""
    few = _LITRES[:400]
    chance = np.exp(few * np.log(mean) - mean - np.array([lgamma(n + 1) for n in few]))
    told: Floats = np.bincount(_CLASS[few], 0.999 * chance, minlength=_CLASSES).astype(np.float64)
    return told + 0.001 / _CLASSES


_DRIPPED = np.array([[_poisson(rate * hours) for rate in _DRIP] for hours in (1.0, 2.5, 7.0, 24.0)])


@dataclass(frozen=True)
class _Readings:
    """The sound steps of one meter: end (seconds), litres, and length and hour of the day as one number."""

    at: Floats
    litres: Ints
    key: Ints

    def between(self, after: float, until: float) -> "_Readings":
        """Those that end in this time."""
        part = slice(*np.searchsorted(self.at, (after + 1, until + 1)))
        return _Readings(self.at[part], self.litres[part], self.key[part])


def find(series: pl.DataFrame, assets: Assets) -> pl.DataFrame:  # noqa: ARG001 - the interface of methods
    """Find bypassed meters (FOUND)."""
    table = days(series)
    usual, shares = _shares(table)
    low = np.any([(share > 0) & (share <= MOST) for share in shares], axis=(0, 2))
    all_steps = steps(series)
    found: list[dict[str, object]] = []
    for asset in np.flatnonzero(low).tolist():
        found += _episodes(table, usual, shares, _readings(all_steps, asset), asset)
    return so_far(found, series)


def _shares(table: Days) -> tuple[Floats, list[Floats]]:
    """Usual litres a day, and what the last days of each of BARS show of them; NaN where either is not known."""
    seen = windowed(table.seen, BASE_D, LAG_D)
    usual = windowed(table.litres, BASE_D, LAG_D) / np.maximum(seen, 1e-9) * 24
    known = (seen >= SEEN_H * 24) & (usual >= LEAST_LPD) & np.isfinite(table.known)
    told = []
    for width, _ in BARS:
        lately = windowed(table.seen, width)
        share = windowed(table.litres, width) / np.maximum(lately, 1e-9) * 24 / np.maximum(usual, 1e-9)
        told.append(np.where(known & (lately >= SEEN_H * width), share, np.nan))
    return usual, told


def _readings(table: Steps, asset: int) -> _Readings:
    litres, hours = table.litres[asset], table.hours[asset]
    sound = (litres >= -FALL_L) & (litres <= MOST_LPH * np.clip(hours, 1, None))
    sound &= (hours > LENGTHS_H[0]) & (hours <= LENGTHS_H[-1])
    key = (np.searchsorted(LENGTHS_H, hours[sound]) - 1) * 24 + table.hour[asset][sound]
    whole = np.clip(np.rint(litres[sound]), 0, MOST_LPH).astype(np.int64)
    return _Readings(table.at[asset][sound], whole, key)


def _chances(classes: Ints, keys: Ints, weights: Floats | None) -> Floats:
    """How likely each class is at steps of each length and hour of the day: rows of `classes` are looked at apart."""
    rows = np.arange(len(classes))[:, None] * _CELLS
    counts = np.bincount((rows + keys * _CLASSES + classes).ravel(), weights, len(classes) * _CELLS)
    cells = counts.reshape(len(classes), _LENGTHS, 24, _CLASSES)
    near = cells + np.roll(cells, 1, 2) + np.roll(cells, -1, 2)
    all_hours = cells.sum(axis=2, keepdims=True)
    number = np.maximum(all_hours.sum(axis=3, keepdims=True), 1)
    all_hours = (all_hours + 0.02 * number / _CLASSES) / (1.02 * number)
    told: Floats = (near + BORROWED * all_hours) / (near.sum(axis=3, keepdims=True) + BORROWED)
    return told


class _Usual:
    """What the weeks before make of each step: as it was, and shown in part."""

    def __init__(self, before: _Readings) -> None:
        litres, keys = before.litres, before.key
        shown, more = _SHOWN[:, litres], _MORE[:, litres]
        self.often = np.bincount(keys // 24, minlength=_LENGTHS) >= FEWEST
        self.whole = _chances(_CLASS[litres][None], keys, None)[0]
        self.parts = _chances(
            np.concatenate([_CLASS[shown], _CLASS[shown + 1]], axis=1),
            np.concatenate([keys, keys]),
            np.concatenate([1 - more, more], axis=1).ravel(),
        )
        quiet = (keys >= NIGHT[0]) & (keys <= NIGHT[1]) & (litres <= 1)
        drip = (litres[quiet].sum() + 0.3) / (quiet.sum() + 10)
        rates = np.clip(np.searchsorted(_DRIP, drip * DRIPS), 0, len(_DRIP) - 1)
        self.drips = _DRIPPED[:, rates]

    def score(self, now: _Readings) -> tuple[float, float]:
        """How much better these steps are explained as shown in part, and in which part."""
        judged = self.often[now.key // 24]
        if 2 * judged.sum() < max(len(judged), FEWEST):
            return -np.inf, 1.0
        length, hour, kind = now.key[judged] // 24, now.key[judged] % 24, _CLASS[now.litres[judged]]
        parts = np.log(self.parts[:, length, hour, kind]).sum(axis=1)
        drips, draws = self.drips[length, :, kind].T, self.whole[length, hour, kind]
        thinned = (1 - KEPT)[:, None, None] * drips + KEPT[:, None, None] * draws
        best = int(parts.argmax())
        return float(parts[best] - np.log(thinned).sum(axis=2).max()), float(PARTS[best])


def _score(readings: _Readings, known: float, near: Sequence[int]) -> tuple[float, float, int]:
    """By how much the clearest of these spans of days stands above its bar, the part, and the span."""
    until = known - LAG_D * _DAY_S
    usual = _Usual(readings.between(until - BASE_D * _DAY_S, until))
    told = []
    for which in near:
        width, bar = BARS[which]
        score, part = usual.score(readings.between(known - width * _DAY_S, known))
        told.append((score - bar, part, width))
    return max(told)


def _episodes(
    table: Days, usual: Floats, shares: Sequence[Floats], readings: _Readings, asset: int
) -> list[dict[str, object]]:
    """From the day that shows it until two days show the usual again."""
    found: list[dict[str, object]] = []
    level, back, quiet_until = 0.0, 0, -1
    daily = table.litres[asset] / np.maximum(table.seen[asset], 1e-9) * 24
    low = np.array([(share[asset] > 0) & (share[asset] <= MOST) for share in shares])
    for day in range(len(daily)):
        if found and found[-1]["until"] is None:
            if table.seen[asset, day] >= SEEN_H and np.isfinite(table.known[asset, day]):
                back = back + 1 if daily[day] > BACK * level else 0
            if back >= BACK_D:
                found[-1]["until"] = moment(table.known[asset, day])
                quiet_until = day + AGAIN_D
        elif day > quiet_until and low[:, day].any():
            above, part, width = _score(readings, table.known[asset, day], np.flatnonzero(low[:, day]).tolist())
            if above >= 0:
                level, back = float(usual[asset, day]), 0
                found.append(_told(table, (asset, day), level, part, width))
    return found


def _spread(table: Days, asset: int, day: int) -> float:
    """Standard deviation of the litres a day of the usual weeks."""
    before = slice(day - LAG_D - BASE_D + 1, day - LAG_D + 1)
    weeks, seen = (weekly(of[asset, before]) for of in (table.litres, table.seen))
    return float((weeks / np.maximum(seen, SEEN_H) * 24).std(ddof=1))


def _told(table: Days, place: tuple[int, int], usual: float, part: float, width: int) -> dict[str, object]:
    asset, day = place
    last = slice(day - width + 1, day + 1)
    now = float(table.litres[asset, last].sum() / max(table.seen[asset, last].sum(), 1e-9) * 24)
    known = float(table.known[asset, day])
    return {
        "asset": table.assets[asset],
        "since": moment(known - width * _DAY_S),
        "at": moment(known),
        "until": None,
        "severity": "warning",
        "litres_per_hour": round((usual - now) / 24, 1),
        "confidence": 0.8,
        "evidence": json.dumps(
            {
                "usual_lpd": round(usual),
                "now_lpd": round(now, 1),
                "share": round(now / usual, 3),
                "days": width,
                "part": round(part, 3),
                **bounds((usual - now) / 24, _spread(table, asset, day) / 24),
                "chart": [round(float(one), 1) for one in table.litres[asset, max(0, day - 27) : day + 1]],
            }
        ),
    }
