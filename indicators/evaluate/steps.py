"""Scoring by step: the state of alarm at each row of the series against the true state, as LeakDB scores it."""

from typing import Any

import numpy as np
import polars as pl

from indicators.evaluate.dataset import Steps
from indicators.evaluate.score import f1, ratio

Bools = np.ndarray[Any, np.dtype[np.bool_]]


def by_step(series: pl.DataFrame, events: pl.DataFrame, found: pl.DataFrame, rules: Steps) -> dict[str, Any]:
    """Count rows: recall, specificity, precision and F1 in all rows together, and the early-detection score.

    A row is true where it lies in (start, end] of an event, and flagged where it lies in [at, until] of an alarm.
    """
    counts = np.zeros(4)
    early: list[float] = []
    for (asset,), rows in series.group_by("asset", maintain_order=True):
        at = rows["at"].dt.epoch("us").to_numpy() / 1e6
        true_of = _intervals(events.filter(pl.col("asset") == asset), "start", "end")
        flagged = _covered(at, _intervals(found.filter(pl.col("asset") == asset), "at", "until"), "left")
        true = _covered(at, true_of, "right")
        counts += [(true & flagged).sum(), (true & ~flagged).sum(), (~true & flagged).sum(), (~true & ~flagged).sum()]
        if rules.early_h is not None:
            early += [_early(at, flagged, one, rules) for one in true_of]
    hit, miss, false, quiet = counts.tolist()
    precision, recall = ratio(hit, hit + false), ratio(hit, hit + miss)
    return {
        "step_recall": recall,
        "step_precision": precision,
        "step_specificity": ratio(quiet, quiet + false),
        "step_f1": f1(precision, recall),
        "early": round(float(np.mean(early)), 4) if early else None,
        "rows": int(counts.sum()),
    }


def _intervals(rows: pl.DataFrame, start: str, end: str) -> list[tuple[float, float]]:
    """Seconds from and to; without an end for good."""
    told = rows.select(pl.col(start).dt.epoch("us") / 1e6, (pl.col(end).dt.epoch("us") / 1e6).fill_null(np.inf))
    return list(told.iter_rows())


def _covered(at: np.ndarray[Any, Any], intervals: list[tuple[float, float]], closed: str) -> Bools:
    covered = np.zeros(len(at), bool)
    for start, end in intervals:
        first = np.searchsorted(at, start, "left" if closed == "left" else "right")
        covered[first : np.searchsorted(at, end, "right")] = True
    return covered


def _early(at: np.ndarray[Any, Any], flagged: Bools, event: tuple[float, float], rules: Steps) -> float:
    """2 / (1 + e^(6 x / tau)) for a first flag x after the start, if from there on enough of the window is flagged."""
    tau = float(rules.early_h or 0) * 3600
    window = (at > event[0]) & (at <= min(event[1], event[0] + tau))
    flags = flagged[window]
    if not flags.any() or flags.mean() < rules.early_share:
        return 0.0
    late = at[window][int(flags.argmax())] - event[0]
    return float(2 / (1 + np.exp(6 * late / tau)))
