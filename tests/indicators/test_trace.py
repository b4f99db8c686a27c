"""What was told on a day, why it changed, and the readings and messages that a value comes from."""

from datetime import date, timedelta
from itertools import pairwise

import pytest

from indicators.header import packs
from indicators.trace import Of, causes, messages, needed_values, readings, told
from ingest.correct import Correction, correct
from lake.query import open_found
from lake.snapshot import find
from tests.indicators.changing import HOUR, PLACES, START, Home

IDS = ["water.consumption_connection", "water.consumption_billed"]
DAY = date(2026, 3, 25)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Two meters; a gap that is filled later, a correction, an erasure, and a run after each."""
    found = Home(tmp_path_factory.mktemp("told") / "home")
    for device in ("m1", "m2"):
        found.register(device, "water_meter", area="east")
        for hour in [*range(40), *range(80, 100)]:
            found.say(device, hour, PLACES[device][2](hour))
    found.feed.commit()
    found.run(ids=IDS)
    for act in (
        lambda: found.late("m1", 41, 38, 1),
        lambda: correct(
            found.feed.writer,
            Correction("m1", START + 71.5 * HOUR, "volume_total_m3", 10.858, "ana", "read from a photo"),
        ),
        lambda: found.register("m1", "water_meter", attributes={"billed": "no"}),
        lambda: found.erase("m2", 0, 1),
    ):
        found.feed.now += timedelta(hours=1)
        act()
        found.run(ids=IDS)
    return found


def asked(home):
    there = home.feed.home
    return open_found(there.path, find(there.path), limited=False)


def test_what_was_told_stays_with_what_came_in_between(home):
    of = Of(packs()["water.consumption_connection"], "t-m1", DAY)
    values = told(home.feed.home.path, find(home.feed.home.path), of)
    assert len(values) >= 3
    with asked(home) as lake:
        reasons = [causes(lake, home.feed.store, of, a, b) for a, b in pairwise(values)]
    assert any((c.kind, c.about.get("device_id")) == ("readings", "m1") for c in reasons[0])
    assert any(c.about.get("author") == "ana" and c.about["reason"] == "read from a photo" for c in reasons[1])
    (billed,) = (packs()[name] for name in IDS[1:])
    of = Of(billed, "east", DAY)
    values = told(home.feed.home.path, find(home.feed.home.path), of)
    with asked(home) as lake:
        last = causes(lake, home.feed.store, of, values[0], values[-1])
    assert any(c.kind == "registry" for c in last)
    assert any((c.kind, c.about.get("indicator")) == ("values", IDS[0]) for c in last)


def test_a_value_is_explained_down_to_its_messages(home):
    of = Of(packs()["water.consumption_billed"], "east", date(2026, 3, 24))
    with asked(home) as lake:
        below = needed_values(lake, of, date(2026, 3, 25))
        rows = readings(lake, of, date(2026, 3, 25), "Europe/Ljubljana")
        raw = messages(lake, [row["message_id"] for row in rows])
    assert {(row["indicator"], row["subject_id"]) for row in below} == {(IDS[0], "t-m1"), (IDS[0], "t-m2")}
    assert {row["device_id"] for row in rows} == {"m1", "m2"}
    assert {row["message_id"] for row in rows} == {row["message_id"] for row in raw}
    assert all("volume_total_m3" in row["payload"] for row in raw)


def test_a_correction_is_seen_with_its_author(home):
    of = Of(packs()["water.consumption_connection"], "t-m2", DAY)
    correct(home.feed.writer, Correction("m2", START + 81 * HOUR, "volume_total_m3", 702.512, "bor", "typed wrong"))
    with asked(home) as lake:
        rows = readings(lake, Of(of.pack, "t-m2", date(2026, 3, 26)), date(2026, 3, 27), "Europe/Ljubljana")
        raw = messages(lake, [row["message_id"] for row in rows])
    (row,) = [row for row in rows if row["corrected"]]
    assert row["corrected"] == "bor: typed wrong"
    assert row["revision"] == 1
    assert any("bor" in message["payload"] for message in raw)
