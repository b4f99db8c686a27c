"""Detectors that SQL cannot say: a pack's SELECT yields series, a function of indicators/methods/ finds conditions.

A method is causal: what it finds with `at` up to some moment does not change when later rows are added (only `until`
of a condition that still went on may). So production, which runs it over a window, and evaluation, which runs it over
years at once, use the same function, and neither looks ahead.
"""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

import polars as pl

from schemas.errors import DravaError

_TIME = pl.Datetime("us", "UTC")

# What a method gives, one row a condition.
_COLUMNS: dict[str, pl.DataType] = {
    "asset": pl.String(),
    "since": _TIME,  # when the condition began, as far as the method can say
    "at": _TIME,  # when it was known: the end of the data that shows it
    "until": _TIME,  # when it ended; null while it goes on at the end of the series
    "severity": pl.String(),  # info | warning | critical
    "litres_per_hour": pl.Float64(),
    "volume_m3": pl.Float64(),  # up to `until` or the end of the series
    "confidence": pl.Float64(),  # 0 to 1
    "evidence": pl.String(),  # JSON: the numbers, the baseline, `chart`, and where known `place` (a pipe, a zone)
}
FOUND = pl.Schema(_COLUMNS)

Assets = Mapping[str, Mapping[str, Any]]  # what is known of each asset: attributes of the thing or the area
Method = Callable[[pl.DataFrame, Assets], pl.DataFrame]


def method(name: str) -> Method:
    """Give `find` of indicators/methods/<name>.py.

    It takes a frame sorted by asset and time, with columns `asset`, `at` (UTC, end of the step), `local` (wall clock,
    naive) and those that the module's COLUMNS names (floats, null where unknown), and gives rows of FOUND.
    """
    try:
        found: Method = import_module(f"indicators.methods.{name}").find
    except ModuleNotFoundError:
        raise DravaError(f"there is no method {name!r}", "The files of indicators/methods are their names") from None
    return found


def nothing() -> pl.DataFrame:
    """No condition."""
    return pl.DataFrame(schema=FOUND)
