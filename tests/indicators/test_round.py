"""Tomorrow's round: the fullest first, with the reason; who is silent is named; the interval holds what comes."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from indicators.round import text, tomorrow
from schemas.settings import Settings
from tests.indicators.world import empty, put

NOW = datetime(2026, 3, 30, 10, tzinfo=UTC)  # noon, the day after the change to summer time
ZONE = ZoneInfo("Europe/Ljubljana")
HOURLY = """
SELECT 'd{n}' AS device_id, t AS observed_at, {fill} AS fill_pct,
FROM (SELECT t, hour(timezone('Europe/Ljubljana', t)) AS local,
    date_diff('day', TIMESTAMP '2026-03-22 00:00:00', timezone('Europe/Ljubljana', t)) AS days
    FROM range(TIMESTAMPTZ '2026-03-22 00:00:00Z', TIMESTAMPTZ '2026-03-30 10:00:00Z', INTERVAL 1 HOUR) AS r (t))"""
BY_DAY = "20 + 8 * days + least(8, greatest(0, local - 8))"  # eight points between 8 and 16 o'clock


@pytest.fixture(scope="module")
def town():
    connection = empty()
    put(connection, "areas", [{"area_id": "east", "title": "Mlinsko"}])
    for n in range(5):
        thing = {"thing_id": f"b{n}", "family": "waste_container", "title": f"Otok {n}", "attributes": "{}"}
        put(connection, "things", [thing | ({"area_id": "east"} if n % 2 else {})])
        put(connection, "assignments", [{"device_id": f"d{n}", "thing_id": f"b{n}", "valid_from": "2026-01-01"}])
    put(connection, "waste_container", HOURLY.format(n=0, fill=BY_DAY))
    put(connection, "waste_container", HOURLY.format(n=1, fill="100"))
    put(connection, "waste_container", HOURLY.format(n=2, fill="3"))
    put(connection, "waste_container", HOURLY.format(n=3, fill="90") + " WHERE t < TIMESTAMPTZ '2026-03-28 12:00:00Z'")
    put(
        connection,
        "waste_container",
        HOURLY.format(n=4, fill="95").replace("AS fill_pct,", "AS fill_pct, 4 AS quality"),
    )
    return connection


def listed(town, **more):
    return tomorrow(town, as_of=NOW, settings=Settings(), **more)


def test_full_ones_stand_before_those_that_will_be_and_silent_ones_are_named(town):
    found = listed(town)
    assert [(stop.thing_id, stop.why) for stop in found.stops] == [("b1", "full"), ("b0", "will")]
    assert found.silent == ["Otok 3", "Otok 4"]  # the readings of the last one are bad


def test_a_container_that_fills_by_day_gains_what_these_hours_bring(town):
    """At eleven five of eight points have to come yet today, and all of tomorrow's; the mean rate would say 11."""
    (stop,) = [stop for stop in listed(town).stops if stop.thing_id == "b0"]
    last = stop.last_at.astimezone(ZONE)
    assert (last.hour, stop.fill_pct) == (11, 87)
    assert stop.then_pct == pytest.approx(100, abs=0.2)


def test_an_area_has_its_own_list(town):
    assert [stop.thing_id for stop in listed(town, area="east").stops] == ["b1"]
    assert listed(town, area="east").silent == ["Otok 3"]


def test_the_list_reads_in_both_languages_within_eighty_columns(town):
    found = listed(town)
    slovenian, english = text(found, ZONE, "sl"), text(found, ZONE, "en")
    assert "Otok 1, Mlinsko  [b1]\n     že poln: zdaj 100 %, jutri ob 20.00 100 %" in slovenian
    assert "full already: now 100%, tomorrow at 20:00 100%" in english
    assert "Od včeraj brez odčitka, napovedi zanje ni: Otok 3, Otok 4" in slovenian
    assert max(map(len, (slovenian + english).split("\n"))) <= 80


def test_as_of_an_earlier_day_it_says_what_was_known_then(town):
    found = tomorrow(town, as_of=NOW - timedelta(days=2), settings=Settings())
    assert "b0" not in {stop.thing_id for stop in found.stops}
    assert found.silent == ["Otok 4"]
