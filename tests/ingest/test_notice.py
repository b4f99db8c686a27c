"""Types and units that are not as declared are told once each, the integer stored in its column's type."""

from datetime import timedelta
from decimal import Decimal

from typer.testing import CliRunner

from catalog import events
from cli import app
from tests.ingest.feeding import HOUR, NOW, Feed, topic, z

START = NOW - timedelta(days=1)


def test_each_thing_is_noticed_once_and_drift_lists_it(tmp_path):
    feed = Feed(tmp_path / "home")
    feed.register(("m1", "water_meter"))
    for hour in range(4):
        said = {"time": z(START + hour * HOUR), "volume_total_m3": 5, "valve": "open"}
        feed.say(topic("m1"), said)
        feed.say(topic("m1"), said | {"volume_total_m3": "five"})
        feed.say(topic("m1"), said | {"volume_total_m3": {"value": 5, "unit": "kPa"}})
        feed.commit()
        if hour == 2:
            feed.restart()
    assert feed.quarantined() == {"wrong_type": 4, "wrong_unit": 4}
    assert feed.sql("SELECT DISTINCT volume_total_m3 FROM water_meter") == [(Decimal(5),)]
    noticed = {("integer", "volume_total_m3"), ("wrong_type", "volume_total_m3"), ("wrong_unit", "volume_total_m3")}
    found = events.listed(feed.store)
    assert {(one["event"], one["detail"]) for one in found} == noticed
    assert len(found) == 3
    shown = CliRunner().invoke(app, ["--home", str(feed.home.path), "--as-of", z(NOW), "devices", "drift"])
    assert shown.exit_code == 0, shown.output
    for part in ("valve", '"open"', "integer", "text where a number belongs", "unit of another kind"):
        assert part in shown.stdout
    feed.check()
