"""Water drawn past the meter: the house goes on living, at as many hours as ever, and the register shows a fraction.

An empty house has hours without use; a bypass takes most of every draw. So three things have to be there for three days
(or, less clearly, four): a small share of the usual volume, at the usual number of hours, without one usual large draw.
"""

import json

import numpy as np
import polars as pl

from indicators.method import Assets
from indicators.methods.household import COLUMNS, Days, Floats, days, moment, so_far, windowed

__all__ = ["COLUMNS", "find"]

BASE_D, LAG_D = 28, 7  # what is usual: four weeks, which end a week before
FACES = (
    (3, 0.3, 0.6, 0.3),
    (4, 0.3, 0.4, 0.4),
)  # days; at most of the volume; at least of the hours; at most of a peak
LOW, LOW_DAYS = 0.35, 10  # where more days than these were below this share, such days say nothing
SEEN_H = 8.0  # a day
LEAST_LPD = 30.0
BACK, BACK_D = 0.6, 2  # it is over when two days show more than this share
AGAIN_D = 60  # what ended by itself was no bypass: quiet for so long


def find(series: pl.DataFrame, assets: Assets) -> pl.DataFrame:  # noqa: ARG001 - the interface of methods
    """Find bypassed meters (FOUND)."""
    table = days(series)
    usual = windowed(table.litres, BASE_D, LAG_D) / np.maximum(windowed(table.seen, BASE_D, LAG_D), 1e-9) * 24
    shows = np.zeros(table.litres.shape, bool)
    for face in FACES:
        shows |= _shows(table, usual, *face)
    found: list[dict[str, object]] = []
    for asset in np.flatnonzero(shows.any(axis=1)):
        found += _episodes(table, usual, shows, int(asset))
    return so_far(found, series)


def _shows(table: Days, usual: Floats, width: int, most: float, active: float, peak: float) -> np.ndarray:
    """On which days the last `width` days look like a bypass."""

    def ratio(values: Floats) -> Floats:
        now = windowed(values, width) / np.maximum(windowed(table.seen, width), 1e-9)
        before = windowed(values, BASE_D, LAG_D) / np.maximum(windowed(table.seen, BASE_D, LAG_D), 1e-9)
        told: Floats = now / np.maximum(before, 1e-9)
        return told

    seen = (windowed(table.seen, width) >= SEEN_H * width) & (windowed(table.seen, BASE_D, LAG_D) >= SEEN_H * 24)
    return (
        seen
        & (usual >= LEAST_LPD)
        & (ratio(table.litres) <= most)
        & (ratio(table.active) >= active)
        & (_peak(table, width) <= peak)
        & (_low_days(table, usual) <= LOW_DAYS)
        & np.isfinite(table.known)
    )


def _peak(table: Days, width: int) -> Floats:
    """The largest draw of the last days, of the usual largest draw of a day."""
    there = np.isfinite(table.peak).astype(float)
    peaks = np.nan_to_num(table.peak)
    usual = windowed(peaks, BASE_D, LAG_D) / np.maximum(windowed(there, BASE_D, LAG_D), 1)
    last = np.max([np.pad(peaks, ((0, 0), (back, 0)))[:, : peaks.shape[1]] for back in range(width)], axis=0)
    told: Floats = last / np.maximum(usual, 1e-9)
    return told


def _low_days(table: Days, usual: Floats) -> Floats:
    """How many of the usual days were low themselves, each against the usual of its time."""
    daily = table.litres / np.maximum(table.seen, 1e-9) * 24
    low = ((daily < LOW * usual) & (table.seen >= SEEN_H)).astype(float)
    return np.nan_to_num(windowed(low, BASE_D, LAG_D))


def _episodes(table: Days, usual: Floats, shows: np.ndarray, asset: int) -> list[dict[str, object]]:
    found: list[dict[str, object]] = []
    quiet_until = -1
    level, back = 0.0, 0
    daily = table.litres[asset] / np.maximum(table.seen[asset], 1e-9) * 24
    for day in range(len(daily)):
        if found and found[-1]["until"] is None:
            enough = table.seen[asset, day] >= SEEN_H and np.isfinite(table.known[asset, day])
            back = back + 1 if enough and daily[day] > BACK * level else 0 if enough else back
            if back >= BACK_D:
                found[-1]["until"] = moment(table.known[asset, day])
                quiet_until = day + AGAIN_D
        elif shows[asset, day] and day > quiet_until:
            level, back = float(usual[asset, day]), 0
            found.append(_told(table, asset, day, level))
    return found


def _told(table: Days, asset: int, day: int, usual: float) -> dict[str, object]:
    last = slice(day - 2, day + 1)
    now = float(table.litres[asset, last].sum() / max(table.seen[asset, last].sum(), 1e-9) * 24)
    chart = [round(float(one), 1) for one in table.litres[asset, max(0, day - 27) : day + 1]]
    known = np.where(np.isfinite(table.known[asset]), table.known[asset], 0)
    return {
        "asset": table.assets[asset],
        "since": moment(known[day] - 3 * 86400),
        "at": moment(known[day]),
        "until": None,
        "severity": "warning",
        "litres_per_hour": round((usual - now) / 24, 1),
        "confidence": 0.7,
        "evidence": json.dumps(
            {"usual_lpd": round(usual), "now_lpd": round(now, 1), "share": round(now / usual, 3), "chart": chart}
        ),
    }
