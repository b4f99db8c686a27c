"""Means of the local days of a real file: what a slow fault is seen by, without a hundred rows for each of them."""

import polars as pl

WHOLE = 0.9  # share of the rows of a usual day


def make(*, file: str, time: str, asset: str | None = None) -> pl.DataFrame:
    """One row a local day (`day`) and asset, or of a wide file one row a day: the means of its columns of numbers."""
    rows = pl.read_parquet(file).with_columns(day=pl.col(time).dt.date()).drop(time)
    keys = ["day", *([asset] if asset else [])]
    values = [name for name, kind in rows.schema.items() if kind.is_numeric() and name not in keys]
    known = [pl.when(pl.col(name).count() >= WHOLE * _usual(rows, keys)).then(pl.col(name).mean()) for name in values]
    return rows.group_by(keys).agg(known).sort(keys)


def _usual(rows: pl.DataFrame, keys: list[str]) -> int:
    return int(rows.group_by(keys).len()["len"].median() or 0)  # type: ignore[arg-type]
