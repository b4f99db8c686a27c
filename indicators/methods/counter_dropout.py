"""A traffic counter that counts nothing: zeros where this channel has counted at this time of day on nearly all days.

What is expected at a time of day is the third lowest of the last fourteen days, each over an hour around it. So a free
day, a rainy day or a holiday among them is expected too, and a road that is closed for good becomes usual by itself.
Where it counted less in the hours before the zeros (snow, a storm, Christmas), so much less is expected. Zeros in a row
are a dropout after two hours, as soon as so many vehicles are missing, by night also after seven hours of zeros, which
is the check of the FHWA, if some were to be expected.
"""

import json
from datetime import timedelta
from typing import Any

import numpy as np
import polars as pl
from numpy.lib.stride_tricks import sliding_window_view

from indicators.method import FOUND, Assets, nothing

COLUMNS = ("count",)

DAYS, LOWEST = 14, 2  # of so many days before, the one with so many below it
MISSING = 25.0  # vehicles that should have come at least: the 20th percentile of a fortnight, not the mean
LEAST_H, LEAST_STEPS = 2.0, 3  # zeros in a row: most shorter ones at busy places are a closed road
LONG_H, LONG_MISSING = 7.0, 4.0  # after so long so many are enough: more than the edge of a quiet night
QUIET_H, KNOWN = (3.0, 12.0), 10.0  # what was counted so long before the zeros, where so many were to be expected
AGAIN_D = 7.0  # a channel that drops out again so soon after its last dropout has the same fault
AROUND_H = 0.5  # a time of day is so much before and after it
SHORTEST_MIN, LONGEST_MIN = 1, 60  # steps that it can judge
CHART_H = 48

Floats = np.ndarray[Any, np.dtype[np.float64]]
Whole = np.ndarray[Any, np.dtype[np.int64]]


def find(series: pl.DataFrame, assets: Assets) -> pl.DataFrame:  # noqa: ARG001 - the interface of methods
    """Find dropouts (FOUND); rows of a thing with several lanes say which in `channel`."""
    if "channel" not in series.columns:
        series = series.with_columns(channel=pl.lit(""))
    found: list[dict[str, Any]] = []
    for (asset, channel), rows in series.filter(pl.col("count").is_not_null()).group_by(
        "asset", "channel", maintain_order=True
    ):
        found += _channel(str(asset), str(channel), rows)
    return _together(pl.DataFrame(found, FOUND).sort("asset", "at", "since")) if found else nothing()


def _channel(asset: str, channel: str, rows: pl.DataFrame) -> list[dict[str, Any]]:
    if rows.height < LEAST_STEPS:
        return []
    step = float(rows["at"].head(97).diff().dt.total_seconds().median() or 0) / 60  # type: ignore[arg-type]
    if not SHORTEST_MIN <= step <= LONGEST_MIN:
        return []
    counts = rows["count"].to_numpy().astype(float)
    usual = _usual(rows, counts, step)
    zero = counts == 0
    index = np.arange(len(counts))
    last = np.maximum.accumulate(np.where(zero, -1, index))  # the last row that counted, -1 before any
    sums = np.cumsum(usual * zero)
    missing = np.where(zero & (last >= 0), sums - sums[np.maximum(last, 0)], 0.0)
    missing *= _share(counts, usual, np.maximum(last, 0) + 1, step)
    steps = index - last
    hit = (missing >= MISSING) & (steps >= max(LEAST_STEPS, LEAST_H * 60 / step))
    hit |= (missing >= LONG_MISSING) & (steps >= LONG_H * 60 / step)
    hits = np.flatnonzero(hit)
    # a hit is a new fault where the last one was long ago, so a channel that flickers is told once
    times = rows["at"].dt.epoch("us").to_numpy() / 8.64e10
    first = hits[np.diff(times[hits], prepend=-np.inf) > AGAIN_D]
    counted = np.flatnonzero(~zero)
    ends = np.searchsorted(counted, first)
    told = []
    for at, end in zip(first.tolist(), ends.tolist(), strict=True):
        until = rows["at"][int(counted[end])] - timedelta(minutes=step) if end < len(counted) else None
        told.append(_told(asset, channel, rows, (int(last[at]), at), until, float(missing[at]), step))
    return told


def _share(counts: Floats, usual: Floats, end: Whole, step: float) -> Floats:
    """How much of what was to be expected was counted just before each row of `end`; 1 where more, or nothing known."""
    came, expected = (np.concatenate([[0.0], np.cumsum(values)]) for values in (counts, usual))
    share = np.ones(len(end))
    for hours in QUIET_H:
        start = np.maximum(end - int(hours * 60 / step), 0)
        due = expected[end] - expected[start]
        share = np.where(due >= KNOWN, np.minimum(share, (came[end] - came[start]) / np.maximum(due, KNOWN)), share)
    return share


def _usual(rows: pl.DataFrame, counts: Floats, step: float) -> Floats:
    """What is to be expected at least in each row; 0 while too little is known."""
    minutes = rows["local"].dt.epoch("us").to_numpy() / 6e7
    slots = round(1440 / step)
    place = np.round(minutes / step).astype(np.int64)
    place -= place[0] // slots * slots
    grid = np.full((place[-1] // slots + 1) * slots, np.nan)
    grid[place] = counts
    # the hour around a time of day: of earlier days, so what is after it is known too
    side = int(AROUND_H * 60 / step)
    window = np.ones(2 * side + 1)
    there = np.convolve(np.isfinite(grid), window, "same")
    mean = np.convolve(np.nan_to_num(grid), window, "same") / np.maximum(there, 1)
    days = np.where(np.isfinite(grid), mean, np.nan).reshape(-1, slots)
    usual = np.zeros(days.shape)
    if len(days) > DAYS:
        ordered = np.partition(sliding_window_view(days[:-1], DAYS, axis=0), LOWEST, axis=2)[:, :, LOWEST]
        usual[DAYS:] = np.nan_to_num(ordered)
    return usual.ravel()[place]


def _told(
    asset: str, channel: str, rows: pl.DataFrame, span: tuple[int, int], until: Any, missing: float, step: float
) -> dict[str, Any]:
    last, at = span
    chart = rows[: at + 1].filter(pl.col("at") > rows["at"][at] - timedelta(hours=CHART_H))
    hourly = chart.group_by(pl.col("at").dt.truncate("1h"), maintain_order=True).agg(pl.col("count").sum())
    return {
        "asset": asset,
        "since": rows["at"][last],
        "at": rows["at"][at],
        "until": until,
        "severity": "warning",
        "confidence": 0.9,
        "evidence": json.dumps(
            {
                "channel": channel,
                "hours": round((at - last) * step / 60, 2),
                "missing": round(missing, 0),
                "chart": hourly["count"].to_list(),
            }
        ),
    }


def _together(found: pl.DataFrame) -> pl.DataFrame:
    """Lanes of a thing that drop out while another one of it is out are the same fault."""
    kept: list[int] = []
    open_: tuple[str, Any] = ("", None)
    for index, (asset, at, until) in enumerate(found.select("asset", "at", "until").iter_rows()):
        if kept and open_[0] == asset and (open_[1] is None or at <= open_[1]):
            continue
        kept.append(index)
        open_ = (asset, until)
    return found[kept]
