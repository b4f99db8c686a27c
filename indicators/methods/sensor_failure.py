"""A sensor that fails: it leaps far out of everything it ever showed, or shows one and the same value.

What leaves its range step by step (a flood, a frost) is the world; what is beyond it at once, by more than the width of
the range, and mostly stays there, is the sensor. A value that stands still is held against the channel's own rests.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import polars as pl

from indicators.method import FOUND, Assets
from indicators.methods.channels import long
from schemas.vocabulary import measures

COLUMNS = ()  # value_NAME for each channel, or `measure` and `value`
LEARN = 1000  # readings of which a channel is known; ten days of quarter hours
AGAIN = 100  # the range is learned anew after so many
MARGIN = 1.0  # widths of the range beyond the range
WITHIN = 2  # one of so many readings before was within the range: it leapt
OF, MOST = 8, 4  # so many of the last readings beyond: three in a row are a glitch
HOLD = 12  # readings within, after which it is sound again
LIVELY = 0.1  # share of readings that differ from the one before: others are settings, not measurements
LEAPS = (  # with a burst, a fire, a feast or a crowd: of these only the rests are told
    *("pressure_kpa", "flow_m3h", "fill_pct", "count", "pm25_ugm3", "pm10_ugm3", "no2_ugm3", "o3_ugm3", "co2_ppm"),
    *("noise_laeq_db", "solar_wm2", "free_chlorine_mgl"),
)
RESTS, ODD = 4.0, 3  # times its third longest rest before: two of them may have been faults
STILL = 24  # and at least so many readings
RARE = 0.002  # share of a value before, zero or an end of the range: with more, it rests there by itself

Floats = np.ndarray[Any, np.dtype[np.float64]]
Ints = np.ndarray[Any, np.dtype[np.int64]]


@dataclass
class _Fault:
    shape: str
    first: int
    at: int
    low: float
    high: float
    until: int | None = None


def find(series: pl.DataFrame, assets: Assets) -> pl.DataFrame:  # noqa: ARG001 - the interface of methods
    """Find failed sensors: one condition a channel of an asset (FOUND); evidence names the channel."""
    found: list[dict[str, Any]] = []
    if not series.is_empty():
        for (asset, _, measure), part in long(series).group_by("asset", "channel", "measure", maintain_order=True):
            value = part["value"].to_numpy()
            at = part["at"].dt.epoch("us").to_numpy() / 1e6
            for fault in _still(value) if measure in LEAPS else _faults(value):
                found.append(_told(str(asset), str(measure), fault, value, at))
    return pl.DataFrame(found, FOUND).sort("at", "asset")


def _faults(value: Floats) -> Iterator[_Fault]:
    beyond = _beyond(value)
    yield from beyond
    for fault in _still(value):  # a sensor that is known to have failed is no news
        if not any(one.at <= fault.at and (one.until is None or one.until >= fault.first) for one in beyond):
            yield fault


def _beyond(value: Floats) -> list[_Fault]:
    """Leaps out of the range: the rows since the last learning are judged by what was learned then."""
    far = np.zeros(len(value), bool)
    faults: list[_Fault] = []
    open_: _Fault | None = None
    low, high, moves, known, begun = np.inf, -np.inf, 0, 0, -1
    for start in range(0, len(value), AGAIN):
        stop = min(start + AGAIN, len(value))
        rows = value[start:stop]
        if known >= LEARN and moves >= LIVELY * known:
            width = high - low
            far[start:stop] = (rows < low - MARGIN * width) | (rows > high + MARGIN * width)
            looked = np.flatnonzero(_watched(far, start, stop, quiet=open_ is None)) + start
            for number in map(int, looked):
                if open_ is None:
                    if far[number] and (number == 0 or not far[number - 1]):
                        near = value[max(number - WITHIN, 0) : number]
                        leapt = bool(((near >= low) & (near <= high)).any())
                        begun = number if leapt or 0 <= number - begun < OF else -1
                    if begun >= 0 and far[max(number - OF + 1, 0) : number + 1].sum() >= MOST:
                        since = max(begun, number - OF + 1)
                        open_ = _Fault("impossible", since + int(np.argmax(far[since : number + 1])), number, low, high)
                        faults.append(open_)
                elif not far[number - HOLD + 1 : number + 1].any():
                    open_.until, open_, begun = number, None, -1
        fresh = rows[~far[start:stop]] if open_ is None else rows[:0]
        if len(fresh):
            low, high = min(low, float(fresh.min())), max(high, float(fresh.max()))
            moves += int((np.diff(fresh) != 0).sum())
            known += len(fresh)
    return faults


def _watched(far: np.ndarray[Any, np.dtype[np.bool_]], start: int, stop: int, *, quiet: bool) -> Any:
    """Which rows need a look: all while something goes on, else none where nothing is far."""
    if quiet and not far[max(start - OF, 0) : stop].any():
        return np.zeros(stop - start, bool)
    return np.ones(stop - start, bool)


def _still(value: Floats) -> Iterator[_Fault]:
    """Runs of one value that are far longer than those before; at zero or an end of the range where that is rare."""
    starts = np.concatenate([[0], np.flatnonzero(np.diff(value) != 0) + 1, [len(value)]])
    length = np.diff(starts)
    rests = [0] * ODD
    for number, (first, size) in enumerate(zip(starts[:-1].tolist(), length.tolist(), strict=True)):
        if size <= rests[0]:
            continue
        before = value[:first]
        at_end = first and (value[first] == 0 or not before.min() < value[first] < before.max())
        if at_end and (before == value[first]).mean() >= RARE:
            continue
        least = int(max(STILL, np.ceil(RESTS * rests[0])))
        if size >= least and first >= LEARN and number >= LIVELY * first:
            last = first + size
            until = last if last < len(value) else None
            yield _Fault("stuck", first, first + least - 1, float(before.min()), float(before.max()), until)
        elif not at_end:
            rests = sorted([*rests[1:], size])


def _longest(value: Floats) -> int:
    """Readings of the longest run of one value."""
    starts = np.concatenate([[0], np.flatnonzero(np.diff(value) != 0) + 1, [len(value)]])
    return int(np.diff(starts).max(initial=0))


def _told(asset: str, measure: str, fault: _Fault, value: Floats, at: Floats) -> dict[str, Any]:
    chart = value[max(fault.at - 47, 0) : fault.at + 1]
    title = measures()[measure].title if measure in measures() else None
    last = fault.until if fault.until is not None else len(value) - 1
    return {
        "asset": asset,
        "since": _moment(at[fault.first]),
        "at": _moment(at[fault.at]),
        "until": None if fault.until is None else _moment(at[fault.until]),
        "severity": "warning",
        "litres_per_hour": None,
        "volume_m3": None,
        "confidence": 0.9 if fault.shape == "impossible" else 0.8,
        "evidence": json.dumps(
            {
                "shape": fault.shape,
                "measure": measure,
                "measure_en": title.en if title else measure,
                "measure_sl": title.sl if title else measure,
                "rest": _longest(value[: fault.first]),
                "same": _longest(value[fault.first : last + 1]),
                "value": round(float(value[fault.at]), 3),
                "low": round(fault.low, 3),
                "high": round(fault.high, 3),
                "hours": round((at[last] - at[fault.first]) / 3600, 1),
                "chart": [round(float(one), 3) for one in chart],
            }
        ),
    }


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(float(seconds), UTC)
