"""Faults put into real series by a named recipe: the same seed gives the same faults, and labels say where."""

from datetime import datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from indicators.evaluate.dataset import HINT, Dataset, Seed
from indicators.evaluate.labels import EVENTS
from schemas.errors import DravaError

Random = np.random.Generator
Values = np.ndarray[Any, np.dtype[np.float64]]


def seeded(dataset: Dataset, series: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Copies of all series with faults, one copy a seed (`asset#seed`), and the labels of the faults."""
    for seed in dataset.seed:
        for column in (seed.column, *(["hours"] if seed.per == "hour" else [])):
            if column not in series.columns:
                raise DravaError(f"{dataset.name}: [[seed]] {seed.kind!r} needs the column {column!r}", HINT)
    parts: list[pl.DataFrame] = []
    events: list[dict[str, Any]] = []
    for number in dataset.seeds:
        for (asset,), rows in series.group_by("asset", maintain_order=True):
            name = f"{asset}#{number}"
            # each asset has its own stream of chance, so that leaving one out does not change the others
            chance = np.random.default_rng([number, *str(asset).encode()])
            changed, found = _faults(dataset, rows, chance)
            parts.append(changed.with_columns(asset=pl.lit(name)))
            events += [{"asset": name, "place": None, "flow": None, **event} for event in found]
    return pl.concat(parts).sort("asset", "at", maintain_order=True), pl.DataFrame(events, EVENTS)


def worlds(dataset: Dataset, series: pl.DataFrame) -> list[pl.DataFrame]:
    """Each copy of all series by itself: nobody has himself for a neighbour."""
    if not dataset.seed:
        return [series]
    copy = pl.col("asset").str.extract("#([0-9]+)$")
    return [world for _, world in series.group_by(copy, maintain_order=True)]


def _faults(dataset: Dataset, rows: pl.DataFrame, chance: Random) -> tuple[pl.DataFrame, list[dict[str, Any]]]:
    """One recipe for an asset, by the shares of the recipes, or none."""
    draw = chance.random()
    for seed in dataset.seed:
        if draw < seed.share:
            return _one(seed, rows, chance)
        draw -= seed.share
    return rows, []


def _one(seed: Seed, rows: pl.DataFrame, chance: Random) -> tuple[pl.DataFrame, list[dict[str, Any]]]:
    events: list[dict[str, Any]] = []
    earliest = rows["at"][0] + timedelta(hours=seed.after_h)
    while (start := _start(seed, rows, earliest, chance)) is not None:
        end = start + timedelta(hours=_drawn(seed.duration_h, chance))
        rows, happened = _put(seed, rows, start, end, chance)
        if happened:
            events.append({"kind": seed.kind, "start": start, "end": min(end, rows["at"][-1])})
        earliest = end + timedelta(hours=seed.apart_h)
        if not seed.apart_h:
            break
    return rows, events


def _start(seed: Seed, rows: pl.DataFrame, earliest: datetime, chance: Random) -> datetime | None:
    """A moment to begin: within any step of the time that is left; with `apart_h` not later than so long after."""
    latest = rows["at"][-1] - timedelta(hours=seed.before_end_h)
    if seed.apart_h:
        latest = min(latest, earliest + timedelta(hours=seed.apart_h))
    before = rows.with_columns(before=pl.col("at").shift(1))
    there = before.filter(pl.col("before").is_between(earliest, latest))
    if seed.active:
        there = there.filter(pl.col(seed.column) > 0)
    if seed.in_use:
        used = _used(seed, rows).filter(pl.col("used") >= seed.in_use * 28)
        there = there.filter(pl.col("at").dt.date().is_in(used["at"].to_list()))
    if there.is_empty():
        return None
    one = there.row(int(chance.integers(there.height)), named=True)
    began: datetime = one["before"] + (one["at"] - one["before"]) * chance.random()
    return began


def _used(seed: Seed, rows: pl.DataFrame) -> pl.DataFrame:
    """Of each day (`at`), on how many of the 28 days before the column was above zero."""
    daily = rows.group_by(pl.col("at").dt.date()).agg(used=(pl.col(seed.column) > 0).any().cast(pl.Int64)).sort("at")
    whole = daily.upsample("at", every="1d").with_columns(pl.col("used").fill_null(0))
    return whole.with_columns(used=pl.col("used").rolling_sum(28, min_samples=1).shift(1).fill_null(0))


def _drawn(given: tuple[float, float], chance: Random) -> float:
    low, high = given
    if low == high:
        return low
    if low <= 0:
        return float(chance.uniform(low, high))
    return float(np.exp(chance.uniform(np.log(low), np.log(high))))


def _put(seed: Seed, rows: pl.DataFrame, start: datetime, end: datetime, chance: Random) -> tuple[pl.DataFrame, bool]:
    """Put one fault into the rows that end after `start` and not after `end`."""
    inside = (rows["at"] > start) & (rows["at"] <= end)
    if seed.local_hours:
        inside &= rows["local"].dt.hour().is_in(list(seed.local_hours))
    mask = inside.to_numpy()
    if not mask.any():
        return rows, False
    if seed.recipe == "drop":
        return rows.filter(~inside), True
    values = rows[seed.column].to_numpy().astype(float).copy()
    amount, ramp = _drawn(seed.amount, chance), _drawn(seed.ramp_h, chance)
    since = (rows["at"] - start).dt.total_seconds().to_numpy() / 3600
    grown = np.clip(since / ramp, 0, 1) if ramp > 0 else np.ones(len(values))
    changed = _recipe(seed, rows, values, amount, grown, mask)
    if seed.quantum:
        changed = _whole(changed, values, seed.quantum)
    return rows.with_columns(pl.Series(seed.column, changed).alias(seed.column)), True


def _recipe(seed: Seed, rows: pl.DataFrame, values: Values, amount: float, grown: Values, mask: Any) -> Values:
    changed = values.copy()
    if seed.recipe == "hold":
        before = values[: max(int(mask.argmax()), 1)]
        known = before[np.isfinite(before)]
        changed[mask] = known[-1] if len(known) else np.nan
        return changed
    if seed.recipe == "scale":
        changed[mask] *= (1 + (amount - 1) * grown)[mask]
        return changed
    put = amount * grown * _size(seed, rows, values)
    changed[mask] = put[mask] if seed.recipe == "set" else (changed + put)[mask]
    return changed


def _size(seed: Seed, rows: pl.DataFrame, values: Values) -> Values | float:
    """What an amount of 1 is at each step."""
    if seed.per == "hour":
        return rows["hours"].to_numpy().astype(float)
    return float(np.nanmean(values)) if seed.per == "mean" else 1.0


def _whole(changed: Values, before: Values, quantum: float) -> Values:
    """Running totals as a register shows them: cut to its last digit; gaps stay gaps."""
    # the excess over what was there is cut, so that steps without a fault keep their own value exactly
    excess = np.nancumsum(np.nan_to_num(changed - before))
    cut: Values = np.floor(excess / quantum + 1e-9) * quantum
    return before + np.diff(cut, prepend=0.0)
