"""Runs detectors over a dataset and says how well they did: one plain dict a detector."""

import resource
from collections.abc import Sequence
from datetime import UTC, datetime
from time import perf_counter
from typing import Any

import polars as pl

from indicators.evaluate.dataset import Dataset, Detector, pack_of
from indicators.evaluate.euros import euros
from indicators.evaluate.forecast import forecasts
from indicators.evaluate.inputs import complete, kinds, method_of, placed
from indicators.evaluate.labels import events
from indicators.evaluate.score import (
    Match,
    Span,
    Window,
    edges,
    f1,
    intervals,
    match,
    null,
    quantile,
    ratio,
    spans,
    windows,
)
from indicators.evaluate.seeds import seeded, worlds
from indicators.evaluate.series import assets, series
from indicators.evaluate.steps import by_step
from indicators.method import FOUND, method
from schemas.errors import DravaError

YEAR_S = 365.25 * 86400
Result = dict[str, Any]


def evaluate(dataset: Dataset, only: Sequence[str] = (), heard: list[pl.DataFrame] | None = None) -> list[Result]:
    """Score the detectors of a dataset (or those of `only`): JSON-ready dicts, in the dataset's order.

    `heard` takes the counted alarms, a frame a detector: asset, at, since, until, and the event that each found.
    """
    wanted = [one for one in dataset.detector if not only or one.name in only]
    if not wanted:
        there = ", ".join(one.name for one in dataset.detector)
        raise DravaError(f"{dataset.name} has no [[detector]] {only[0] if only else ''}", f"It has {there or 'none'}")
    rows, true = prepared(dataset)
    rows, odd = complete(dataset, [one.name for one in dataset.detector], rows)
    true, outside = placed(dataset, rows, true)
    odd += [*outside, *kinds(dataset, true)]
    return [{**scored(dataset, one, rows, true, heard), "warnings": odd} for one in wanted]


def prepared(dataset: Dataset) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The series of a dataset with the faults that its recipes put in, and what is to be found."""
    rows = series(dataset)
    true = events(dataset)
    if dataset.seed:
        rows, put = seeded(dataset, rows)
        true = pl.concat([true, put]) if true.is_empty() else put
    return rows, true


def found_by(dataset: Dataset, detector: Detector, rows: pl.DataFrame) -> pl.DataFrame:
    """What a detector finds in the series: its method over all of them, or its SQL at one moment after the other."""
    name = method_of(detector.name)
    if name is None:
        from indicators.evaluate.sql import run_sql  # noqa: PLC0415 - methods need no database

        return run_sql(dataset, detector, pack_of(detector.name), rows)
    known = assets(dataset, rows["asset"].unique(maintain_order=True).to_list())
    return pl.concat([method(name)(world, known).match_to_schema(FOUND) for world in worlds(dataset, rows)])


def scored(
    dataset: Dataset,
    detector: Detector,
    rows: pl.DataFrame,
    true: pl.DataFrame,
    heard: list[pl.DataFrame] | None = None,
) -> Result:
    """Score one detector on what `prepared` gave."""
    started = perf_counter()
    if dataset.forecast is not None:
        told = forecasts(dataset, dataset.forecast, detector.name, rows)
    else:
        told = _alarms(dataset, detector, rows, true, found_by(dataset, detector, rows), heard)
    watched = spans(rows)
    head = {"dataset": dataset.name, "simulated": dataset.simulated, "detector": detector.name}
    tail = {
        "assets": len(watched),
        "years": round(_years(watched), 3),
        "wall_s": round(perf_counter() - started, 2),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }
    return _judged({**head, **told, **tail}, detector.goal)


def _years(watched: Sequence[Span]) -> float:
    return sum(span.last - span.first for span in watched) / YEAR_S


def _alarms(
    dataset: Dataset,
    detector: Detector,
    rows: pl.DataFrame,
    true: pl.DataFrame,
    found: pl.DataFrame,
    heard: list[pl.DataFrame] | None,
) -> Result:
    last = rows["at"].max().timestamp()  # type: ignore[union-attr]
    alarms = edges(found, dataset.refractory_h)
    mine = windows(dataset, true, detector.kinds, last)
    times = alarms["at"].dt.epoch("us").to_numpy() / 1e6
    matched = match(alarms["asset"].to_list(), times, mine)
    if heard is not None:
        heard.append(_listed(dataset, detector, alarms, mine, matched))
    watched = spans(rows)
    told = {
        "kind": ", ".join(detector.kinds or sorted({window.kind for window in mine})),
        **_counts(dataset, len(alarms), mine, matched),
        **_chance(len(alarms), watched, mine),
        "conditions": found.height,
        "alarms": alarms.height,
        "per_year": ratio(alarms.height, _years(watched)),
        "false_per_year": ratio(alarms.height - len(matched), _years(watched)) if dataset.is_labelled else None,
        "days_flagged": _days_flagged(alarms, watched),
        "by_kind": _by_kind(mine, matched),
    }
    wanted = true if not detector.kinds else true.filter(pl.col("kind").is_in(list(detector.kinds)))
    if dataset.eur is not None:
        told |= euros(dataset, dataset.eur, wanted, alarms) or {"eur": None}
    if dataset.steps is not None:
        told |= by_step(rows, wanted, found, dataset.steps)
    return told


def _listed(
    dataset: Dataset, detector: Detector, alarms: pl.DataFrame, mine: Sequence[Window], matched: Sequence[Match]
) -> pl.DataFrame:
    """The alarms that count, each with the event that it found; events that none found come after them."""
    by_alarm = {one.alarm: one for one in matched}
    lines = []
    for number, alarm in enumerate(alarms.select("asset", "at", "since", "until").iter_rows(named=True)):
        one = by_alarm.get(number)
        lines.append({**alarm, **(_event(mine[one.event]) if one else {}), "delay_h": one.delay_h if one else None})
    found = {one.event for one in matched}
    lines += [{"asset": one.asset, **_event(one)} for number, one in enumerate(mine) if number not in found]
    listed = pl.DataFrame(lines, _LISTED)
    return listed.select(pl.lit(dataset.name).alias("dataset"), pl.lit(detector.name).alias("detector"), pl.all())


_TIME = pl.Datetime("us", "UTC")
_LISTED = pl.Schema(
    {"asset": pl.String(), "at": _TIME, "since": _TIME, "until": _TIME, "event": pl.String(), "event_start": _TIME}
    | {"delay_h": pl.Float64()}
)


def _event(one: Window) -> dict[str, Any]:
    return {"event": one.kind, "event_start": datetime.fromtimestamp(one.start, UTC)}


def _counts(dataset: Dataset, alarms: int, mine: Sequence[Window], matched: Sequence[Match]) -> Result:
    delays = [one.delay_h for one in matched]
    false = alarms - len(matched)
    precision = ratio(len(matched), alarms) if dataset.is_labelled else None
    recall = ratio(len(matched), len(mine))
    return {
        "found": len(matched),
        "missed": len(mine) - len(matched),
        "false": false if dataset.is_labelled else None,
        "precision": precision,
        "recall": recall,
        "f1": f1(precision, recall),
        "delay_median_h": quantile(delays, 0.5),
        "delay_p90_h": quantile(delays, 0.9),
        "interval": intervals(len(mine), [one.event for one in matched], false),
    }


def _chance(alarms: int, watched: Sequence[Span], mine: Sequence[Window]) -> Result:
    found = null(alarms, watched, mine)
    precision, recall = ratio(found, alarms) if mine else None, ratio(found, len(mine))
    return {"null_found": round(found, 2), "null_precision": precision, "null_recall": recall}


def _days_flagged(alarms: pl.DataFrame, watched: Sequence[Span]) -> float | None:
    """The share of days of assets on which an alarm began."""
    days = sum((span.last - span.first) / 86400 for span in watched)
    flagged = alarms.select("asset", pl.col("at").dt.date()).unique().height
    return round(flagged / days, 5) if days else None


def _by_kind(mine: Sequence[Window], matched: Sequence[Match]) -> Result:
    told = {}
    for kind in sorted({window.kind for window in mine}):
        delays = [one.delay_h for one in matched if mine[one.event].kind == kind]
        told[kind] = {
            "events": sum(window.kind == kind for window in mine),
            "found": len(delays),
            "delay_median_h": quantile(delays, 0.5),
            "delay_p90_h": quantile(delays, 0.9),
        }
    return told


_COMPARED = {">=": lambda value, bound: value >= bound, "<=": lambda value, bound: value <= bound}


def _judged(result: Result, goals: Sequence[str]) -> Result:
    """Each goal of the dataset (`recall >= 0.9`, `by_kind.abrupt.delay_median_h <= 1`) with whether it was reached."""
    judged = {}
    for goal in goals:
        name, sign, bound = _parts(goal)
        if name.split(".")[0] not in result:
            raise DravaError(f"the goal {goal!r} names no figure", f"There are {', '.join(result)}")
        value: Any = result
        for part in name.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        judged[goal] = value is not None and _COMPARED[sign](value, bound)
    return {**result, "goals": judged}


def _parts(goal: str) -> tuple[str, str, float]:
    words = goal.split()
    try:
        name, sign, bound = words[0], words[1], float(words[2])
        _ = _COMPARED[sign]
    except (IndexError, ValueError, KeyError):
        raise DravaError(f"{goal!r} is not a goal", "Write it like `recall >= 0.9`") from None
    return name, sign, bound
