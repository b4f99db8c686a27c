"""Recorded payloads, read in place through `drava decode`: each file with the right result or a true reason."""

import json
from collections import Counter
from datetime import datetime
from pathlib import Path

import pytest

from bench.samples import SAMPLES, arguments, files, kind, lines
from ingest.codecs.vectors import frames

pytestmark = pytest.mark.skipif(not SAMPLES.is_dir(), reason="recorded payloads are not here: ../shared/payloads")
FILES = files(SAMPLES) if SAMPLES.is_dir() else []
# What is no reading, with its reason. All other files are readings and nothing else.
NOT_READINGS = {
    "docs_ack.json": ["ack"],
    "docs_integration.json": ["integration"],
    "docs_join.json": ["join"],
    "docs_location.json": ["location"],
    "docs_log.json": ["log"],
    "docs_status.json": ["status"],
    "docs_txack.json": ["txack"],
    "docs_up.json": ["no_profile"],  # one byte of a device that nobody names
    "docs_downlink_event_message.json": ["downlink_ack"],
    "docs_downlink_failed_event_message.json": ["downlink_failed"],
    "docs_downlink_message.json": ["downlink"],
    "docs_join_message.json": ["join"],
    "docs_uplink_message.INVALID_JSON.json": ["not_json"],  # a comma is missing in the vendor's own page
    "bosch_parking_tps110.json": ["startup"],
    "kamstrup_flowiq_mbus.json": ["bad_frame", "installation"],  # the vendor's decoder refuses the first, too
}
# What the recorders' decoder says beside the values: of the radio, of the decoder, or words where we have yes and no.
BESIDE = {"lora_frame_counter", "lora_frame_port", "lora_frequency", "lora_spreading_factor", "lora_rssi", "lora_snr"}
WRONG = {("parking_nwave_1.up.json", "battery_voltage")}  # a byte read as signed there: no such cell can give 2.32 V
BESIDE |= {"protocol_version", "type", "gpio_type", "position", "battery_health", "beep", "pir", "total_current"}
# Where we read a frame otherwise, and why.
THEIRS = {("parking_nwave_1.up.json", "battery_voltage")}  # they take the byte as signed: no cell gives 2.32 V


def name(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"


def expected(path: Path) -> list[str]:
    if path.name.endswith(".expected_decoded.json"):
        return ["wrong_shape"]  # a platform's record of a reading, no network server's message
    if path.name.endswith(".telegram.hex"):
        return ["not_json"]
    return NOT_READINGS.get(path.name, [])


@pytest.mark.parametrize("path", FILES, ids=name)
def test_every_file_has_its_result(path):
    found = lines(path)
    assert found
    others = [line.get("housekeeping") or line.get("rejected") for line in found if kind(line) != "reading"]
    assert others == expected(path)
    for line in found:
        assert line.get("detail") or kind(line) != line.get("rejected"), "a reason needs a detail"
        assert kind(line) != "reading" or line["values"]
    if path.name.endswith((".up.json", "wmbus.json")):
        assert all(line["device"] and line["time"] for line in found)


PAIRS = [path for path in FILES if path.name.endswith(".up.json") and path.parent.name == "chirpstack_v4"]


@pytest.mark.parametrize("path", PAIRS, ids=name)
def test_what_was_recorded_beside_an_uplink_is_what_we_read(path):
    """By time and by number: names and units differ, and the words of a state are not numbers."""
    recorded = json.loads(path.with_name(path.name.replace(".up.", ".expected_decoded.")).read_text())
    found = lines(path)
    assert len(found) == len(recorded["telemetry"])
    for line, record in zip(found, recorded["telemetry"], strict=True):
        assert instant(line["time"]) == instant(record["ts"])
        assert line["device"] == json.loads(path.read_text())["deviceInfo"]["devEui"]
        ours = numbers([line["values"], line.get("extra", {})])
        for key, value in record["values"].items():
            if key not in BESIDE and (path.name, key) not in THEIRS and not isinstance(value, str | bool):
                assert any(same(value, number) for number in ours), (key, value, line)


def instant(stamp: object) -> int:
    if isinstance(stamp, int):
        return stamp
    return int(datetime.fromisoformat(str(stamp)).timestamp() * 1000 + 1e-3)


def numbers(value: object) -> list[float]:
    if isinstance(value, dict):
        return [number for inner in value.values() for number in numbers(inner)]
    if isinstance(value, list):
        return [number for inner in value for number in numbers(inner)]
    return [] if isinstance(value, bool | str) or value is None else [float(value)]


def same(theirs: float, ours: float) -> bool:
    """Up to a change of unit by a power of ten; 50 for 50.5: their decoder cuts off the half per cent of the frame."""
    units = (1, 10, 100, 1000, 0.1, 0.01, 0.001)
    return int(ours) == theirs or any(abs(theirs * factor - ours) < 1e-6 for factor in units)


VECTORS = [path for path in FILES if path.suffix == ".json" and path.parent.name in ("decoded_objects", "ttn_codecs")]


@pytest.mark.parametrize("path", VECTORS, ids=name)
def test_every_vector_of_a_vendor_gives_at_least_one_line(path):
    document = json.loads(path.read_text())
    assert len(lines(path)) >= len(document if isinstance(document, list) else [document])
    assert all(vector.data for vector in frames(path.read_bytes()))
    assert arguments(path)[:2] == ["--codec", "frames"]


def test_the_table_counts_every_file():
    counted = Counter(kind(line) for path in FILES for line in lines(path))
    assert len(FILES) >= 85
    assert counted["reading"] >= 100
    assert set(counted) == {"reading", "housekeeping", "not_json", "wrong_shape", "no_profile", "bad_frame"}
