"""The night flow of real district meters equals the one computed from the file itself."""

from datetime import UTC, date, datetime

import polars as pl
import pytest

from indicators.runner import run_indicators
from schemas.settings import Settings
from tests.indicators.world import ROOT, empty, put

FILE = ROOT.parent / "shared" / "data" / "battledim_2019" / "scada_flows_levels_2019.parquet"
METERS = {"p227": "in", "p235": "in", "PUMP_1": "out"}
ZONE = "Europe/Nicosia"

pytestmark = pytest.mark.skipif(not FILE.exists(), reason="battledim_2019 is not beside this checkout")


def measured():
    return pl.read_parquet(FILE).filter(
        pl.col("timestamp").is_between(pl.datetime(2019, 2, 1), pl.datetime(2019, 4, 30))
    )


def test_the_minimum_night_flow_equals_that_of_the_file():
    flows = measured()
    connection = empty(ZONE)
    for name, direction in METERS.items():
        put(
            connection,
            "things",
            [
                {
                    "thing_id": name,
                    "family": "district_meter",
                    "area_id": "ab",
                    "attributes": f'{{"direction": "{direction}"}}',
                }
            ],
        )
        put(connection, "assignments", [{"device_id": name, "thing_id": name, "valid_from": "2018-01-01T00:00:00Z"}])
        local = pl.col("timestamp").dt.replace_time_zone(ZONE, ambiguous="earliest", non_existent="null")
        readings = flows.select(
            device_id=pl.lit(name), observed_at=local.dt.convert_time_zone("UTC"), flow_m3h=pl.col(name)
        )
        put(connection, "district_meter", readings.drop_nulls().to_arrow())
    ours = run_indicators(
        connection,
        as_of=datetime(2019, 5, 2, tzinfo=UTC),
        settings=Settings(timezone=ZONE),
        ids=["water.night_flow"],
    )
    night = (
        flows.filter(pl.col("timestamp").dt.hour().is_in([2, 3]))
        .group_by(pl.col("timestamp").dt.date())
        .agg(flow=(pl.col("p227") + pl.col("p235") - pl.col("PUMP_1")).mean())
    )
    expected = dict(night.iter_rows())
    found = dict(zip(ours["period_start"].to_pylist(), ours["value"].to_pylist(), strict=True))
    spring = date(2019, 3, 31)  # in Nicosia the hour from three to four does not exist that night
    assert found.keys() == expected.keys()
    assert len(found) > 80
    assert {day: flow for day, flow in found.items() if day != spring} == pytest.approx(
        {day: flow for day, flow in expected.items() if day != spring}, rel=1e-6
    )
