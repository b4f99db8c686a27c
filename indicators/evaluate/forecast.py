"""Forecasts against what came: mean absolute error, and how often the interval held it."""

from importlib import import_module
from typing import Any

import polars as pl

from indicators.evaluate.dataset import Dataset, Forecast
from indicators.evaluate.series import assets
from schemas.errors import DravaError


def forecasts(dataset: Dataset, rule: Forecast, name: str, rows: pl.DataFrame) -> dict[str, Any]:
    """Score `forecast(series, assets)` of indicators/methods/<name>.py: rows of asset, at, value, low, high.

    Its row for a moment is a forecast made with what was known before that row.
    """
    try:
        forecast = import_module(f"indicators.methods.{name}").forecast
    except (ModuleNotFoundError, AttributeError):
        raise DravaError(f"there is no forecast {name!r}", "`forecast` of indicators/methods/NAME.py") from None
    known = assets(dataset, rows["asset"].unique(maintain_order=True).to_list())
    told = forecast(rows, known).join(rows.select("asset", "at", truth=rule.truth), on=["asset", "at"])
    told = told.filter(pl.col("truth").is_not_null() & pl.col("value").is_not_null())
    error = (told["value"] - told["truth"]).abs()
    held = told["truth"].is_between(told["low"], told["high"])
    return {
        "kind": "forecast",
        "forecasts": told.height,
        "mae": _round(error.mean()),
        "mae_constant": _round((told["truth"] - told["truth"].median()).abs().mean()),
        "coverage": _round(held.mean()),
        "interval_width": _round((told["high"] - told["low"]).mean()),
        **dict.fromkeys(_ALARMS),
    }


_ALARMS = ("found", "missed", "false", "precision", "recall", "f1", "delay_median_h", "delay_p90_h", "null_found")


def _round(value: Any) -> float | None:
    return None if value is None else round(float(value), 4)
