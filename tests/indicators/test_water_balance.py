"""The water balance of a simulated town: it adds up, and silent meters make it uncertain, not wrong."""

from datetime import UTC, date, datetime, timedelta

import pytest

from devices.simulate import city
from indicators.runner import run_indicators
from schemas.settings import Settings
from tests.indicators.world import empty, settle

START, DAYS = datetime(2026, 3, 16, tzinfo=UTC), 12
SILENT = date(2026, 3, 25)
ASKED = [
    f"water.{name}"
    for name in (
        "consumption_connection", "consumption_area", "consumption_billed", "inflow", "balance", "non_revenue",
        "losses_eur", "losses_connection",
    )
]  # fmt: skip


def values(connection):
    found = run_indicators(connection, as_of=START + timedelta(days=DAYS), settings=Settings(), ids=ASKED).to_pylist()
    return {(r["indicator"].removeprefix("water."), r["subject_id"], r["period_start"]): r for r in found}


@pytest.fixture(scope="module")
def town():
    connection = empty()
    settle(connection, city(7, "ptuj", START, days=DAYS, faults=()))
    return connection


@pytest.fixture(scope="module")
def whole(town):
    return values(town)


def test_the_terms_of_the_balance_add_up_in_each_district_and_in_the_town(whole):
    balances = [key for key in whole if key[0] == "balance"]
    assert {place for _, place, _ in balances} == {"district-1", "district-2", "district-3", "town"}
    for _, place, day in balances:
        term = {name: whole[name, place, day] for name in ("inflow", "consumption_area", "balance", "non_revenue")}
        losses = term["inflow"]["value"] - term["consumption_area"]["value"]
        assert term["balance"]["value"] == pytest.approx(losses, abs=1e-6)
        assert term["non_revenue"]["value"] == pytest.approx(100 * losses / term["inflow"]["value"])
        assert whole["losses_eur", place, day]["value"] == pytest.approx(losses * Settings().prices.water_eur_m3)


def test_the_town_is_the_sum_of_its_districts(whole):
    for day in {key[2] for key in whole if key[:2] == ("balance", "town")}:
        parts = [whole["balance", f"district-{n}", day]["value"] for n in (1, 2, 3)]
        assert whole["balance", "town", day]["value"] == pytest.approx(sum(parts), abs=1e-6)


def silenced(town, share):
    """The values where that share of the meters fell silent on the evening before SILENT."""
    town.execute("BEGIN")
    try:
        town.execute(
            "DELETE FROM water_meter WHERE observed_at >= ? AND hash(device_id) % 100 < ?",
            [datetime(2026, 3, 24, 23, tzinfo=UTC), share],
        )
        return values(town)
    finally:
        town.execute("ROLLBACK")


def test_a_tenth_of_silent_meters_is_filled_and_told(town, whole):
    found, true = silenced(town, 12)["consumption_area", "town", SILENT], whole["consumption_area", "town", SILENT]
    assert found["coverage"] < true["coverage"] == pytest.approx(1, abs=0.01)
    assert found["estimated_share"] > true["estimated_share"]
    measured = found["value"] * (1 - found["estimated_share"])
    assert abs(found["value"] - true["value"]) < abs(measured - true["value"]) / 2


def test_with_half_of_the_meters_silent_there_is_no_balance(town):
    found = silenced(town, 50)
    assert ("consumption_area", "town", SILENT) in found
    assert not [
        key for key in found if key[0] in ("balance", "non_revenue", "losses_eur") and key[1:] == ("town", SILENT)
    ]
