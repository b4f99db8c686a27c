"""A gateway that goes off is one alarm through a real home and lake, its devices none; it is over when they speak."""

import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pyarrow as pa
import pytest

from catalog.store import Store
from lake.commit import Lake
from schemas.settings import Home
from tests.commands.test_indicators import Town, days_of, write_csv

NOW = datetime(2026, 3, 20, 6, tzinfo=UTC)
OFF = NOW - timedelta(hours=9)
BEHIND = {"c0": "gw-a", "c1": "gw-a", "c2": "gw-a", "c3": "gw-b", "c4": "gw-b", "c5": ""}
SILENT = "platform.silent_device"


def spoken(town, first, last, silent=()):
    """Readings of each hour, without those of who is silent; the lake takes them as ingestion does."""
    at = [first + timedelta(hours=hour) for hour in range(int((last - first).total_seconds()) // 3600)]
    rows = [(device, one) for device in BEHIND if device not in silent for one in at]
    readings = pa.table(
        {
            "device_id": [device for device, _ in rows],
            "observed_at": pa.array([one for _, one in rows], pa.timestamp("us", "UTC")),
            "received_at": pa.array([one + timedelta(seconds=20) for _, one in rows], pa.timestamp("us", "UTC")),
            "fill_pct": [20.0 + one.hour for _, one in rows],
            "seq": range(len(rows)),
        }
    )
    there = Home(town.path)
    store = Store.at(there.catalog)
    lake = Lake(there, store, lambda: last)
    with lake.exclusive():
        lake.commit("ingest", {"waste_container": days_of("waste_container", readings, last)})
    store.close()


def told(town, at):
    """What stands in the list after a look at that moment."""
    town.place.end = at
    town("detectors", "run", SILENT)
    return {(row["device_id"], row["state"]) for row in json.loads(town("alarms", "list", "--json"))}


@pytest.fixture
def town(tmp_path):
    made = Town(tmp_path / "home", SimpleNamespace(end=NOW))
    made("init", str(made.path), "--municipality", "ptuj")
    rows = [
        {"device_id": device, "family": "waste_container", "thing_id": f"b-{device}", "gateway": gateway}
        | {"valid_from": "2026-03-01T00:00:00Z"}
        for device, gateway in BEHIND.items()
    ]
    made("devices", "import", write_csv(tmp_path / "devices.csv", rows))
    return made


def test_a_gateway_is_told_for_its_devices_and_over_when_they_speak(town):
    spoken(town, NOW - timedelta(days=10), OFF)
    spoken(town, OFF, NOW, silent=("c0", "c1", "c2", "c3"))
    assert told(town, NOW) == {("gw-a", "open")}  # one device by itself is waited for until a day is over
    later = OFF + timedelta(hours=27)
    spoken(town, NOW, later, silent=("c3",))
    assert told(town, later) == {("gw-a", "closed"), ("c3", "open")}
