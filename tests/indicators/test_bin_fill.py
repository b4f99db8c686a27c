"""The forecast of fill: each sees only earlier collections, and on the real bins of Edinburgh it is as good as told."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from indicators.evaluate.dataset import chosen
from indicators.evaluate.run import evaluate
from indicators.methods.bin_fill import forecast
from tests.indicators.world import ROOT

DATA = ROOT.parent / "shared" / "data"
START = datetime(2026, 1, 5, 6, tzinfo=UTC)


def collections(bins=20, times=15, seed=3):
    """Bins that fill at a steady rate of their own, collected every one to three days."""
    chance = np.random.default_rng(seed)
    rows = []
    for one in range(bins):
        rate, at = chance.uniform(15, 40), START + timedelta(hours=one)
        for _ in range(times):
            days = chance.uniform(1, 3)
            at += timedelta(days=days)
            fill = float(np.clip(rate * days + chance.normal(0, 4), 0, 100))
            rows.append({"asset": f"b{one:02}", "at": at, "local": at.replace(tzinfo=None), "fill_pct": fill})
    return pl.DataFrame(rows).sort("asset", "at")


def test_a_forecast_sees_only_earlier_collections():
    rows = collections()
    whole = forecast(rows, {})
    for cut in (START + timedelta(days=6), START + timedelta(days=17, hours=5)):
        past = rows.filter(pl.col("at") <= cut)
        assert_frame_equal(forecast(past, {}), whole.filter(pl.col("at") <= cut))
        last = past.with_row_index().filter(pl.col("at") == past["at"].max())["index"]
        changed = past.with_columns(
            fill_pct=pl.when(pl.int_range(pl.len()).is_in(last.to_list())).then(1.0).otherwise("fill_pct")
        )
        assert_frame_equal(forecast(changed, {}), whole.filter(pl.col("at") <= cut))


def test_bins_with_a_steady_rate_are_forecast_by_it():
    rows = collections()
    late = forecast(rows, {}).join(rows, on=["asset", "at"]).filter(pl.col("at") > START + timedelta(days=14))
    assert (late["value"] - late["fill_pct"]).abs().mean() < 6
    assert late["fill_pct"].is_between(late["low"], late["high"]).mean() > 0.7
    assert (late["high"] - late["low"]).mean() < 40


def test_without_collections_nothing_is_told():
    assert forecast(collections().clear(), {}).is_empty()
    assert forecast(collections(bins=1, times=1), {}).is_empty()


@pytest.mark.skipif(not (DATA / "edinburgh_litter_bins").is_dir(), reason="Edinburgh is not beside this checkout")
def test_goals_on_the_bins_of_edinburgh():
    (result,) = evaluate(chosen(["edinburgh_litter_bins"], DATA)[0])
    assert all(result["goals"].values()), result
