"""Every identity of the days that this process alone has filled: what is not among them is surely not published.

A gateway's memory, or a backlog of weeks, brings rows older than their series' marks by the ten thousand. To look each
up in the published files would open every file of every day for each batch.
"""

from collections.abc import Sequence
from datetime import date

import polars as pl

MOST_ROWS = 200_000  # 12 bytes each, for each family
_IDENTITY = ["_series", "observed_at"]
_NOTHING = pl.DataFrame(schema={"_series": pl.UInt32, "observed_at": pl.Int64})


class Recent:
    """Identities of one family's covered days. Forget all when another process has written, or files were rewritten."""

    def __init__(self) -> None:
        """No day is covered."""
        self._days: set[date] = set()
        self._rows = _NOTHING

    def forget(self) -> None:
        """Cover nothing."""
        self._days.clear()
        self._rows = _NOTHING

    def cover(self, days: Sequence[date]) -> None:
        """Take up UTC days of which nothing is published yet."""
        self._days.update(days)

    def unknown(self, days: pl.Series) -> list[date]:
        """Which of these days are not covered."""
        return [day for day in days if day not in self._days]

    def learn(self, rows: pl.DataFrame) -> None:
        """Take in published rows: _series, observed_at (µs), day."""
        if not self._days:
            return
        fresh = rows.filter(pl.col("day").is_in(list(self._days))) if self.unknown(rows["day"].unique()) else rows
        self._rows = pl.concat([self._rows, fresh.select(_IDENTITY)], rechunk=True)
        if self._rows.height > MOST_ROWS:
            self.forget()

    def perhaps(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Rows (_series, observed_at, _day) without those that are surely not published."""
        if not self._days:
            return rows
        covered = rows["_day"].is_in(list(self._days))
        return pl.concat([rows.filter(~covered), rows.filter(covered).join(self._rows, on=_IDENTITY, how="semi")])
