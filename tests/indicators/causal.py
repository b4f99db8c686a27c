"""The prefix property: what a method finds up to a moment does not change when later rows are added."""

from collections.abc import Callable, Sequence
from datetime import datetime

import polars as pl

from indicators.method import FOUND, Assets

KEPT = [
    name
    for name in FOUND
    if name not in ("until", "volume_m3", "litres_per_hour", "evidence", "severity", "confidence")
]


def is_causal(
    find: Callable[[pl.DataFrame, Assets], pl.DataFrame],
    series: pl.DataFrame,
    assets: Assets,
    cuts: Sequence[datetime],
    *,
    kept: Sequence[str] = KEPT,
) -> int:
    """Fail where `find` over the rows up to a cut differs, in `kept`, from what it finds by then in all rows.

    Gives how many conditions were compared, so that a test can say that there were some.
    """
    whole = find(series, assets).match_to_schema(FOUND)
    compared = 0
    for cut in cuts:
        before = find(series.filter(pl.col("at") <= cut), assets).match_to_schema(FOUND)
        expected = whole.filter(pl.col("at") <= cut)
        assert _rows(before, kept) == _rows(expected, kept), f"looks ahead of {cut}"
        assert _closed(before) <= _closed(whole), f"an end that was known on {cut} has moved"
        compared += expected.height
    return compared


def _rows(found: pl.DataFrame, kept: Sequence[str]) -> list[tuple[object, ...]]:
    return found.select(kept).sort(list(kept)).rows()


def _closed(found: pl.DataFrame) -> set[tuple[object, ...]]:
    """Conditions that had ended: their end was seen, so it stays."""
    return set(found.filter(pl.col("until").is_not_null()).select("asset", "at", "until").rows())
