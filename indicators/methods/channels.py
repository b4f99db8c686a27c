"""Channels: the measures of devices as one long table, a row a reading."""

import polars as pl


def long(series: pl.DataFrame) -> pl.DataFrame:
    """`asset, at, local, channel, measure, value`, by asset, channel, measure and time; only finite values.

    A series has columns value_NAME, or `measure` and `value`; `channel` (a lane) where a device has several of one.
    """
    if "channel" not in series.columns:
        series = series.with_columns(channel=pl.lit(""))
    keys = ["asset", "at", "local", "channel"]
    if "measure" in series.columns:
        found = series.select(*keys, "measure", "value")
    else:
        names = [name for name in series.columns if name.startswith("value_")]
        floats = [pl.col(name).cast(pl.Float64).alias(name.removeprefix("value_")) for name in names]
        found = series.select(*keys, *floats).unpivot(index=keys, variable_name="measure")
    return found.filter(pl.col("value").is_finite()).sort("asset", "channel", "measure", "at")
