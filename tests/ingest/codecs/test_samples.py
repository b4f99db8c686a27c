"""Recorded ChirpStack messages, read in place: three device types yield their readings, the others a true reason."""

import json
from pathlib import Path

import pytest

from devices.profiles import by_model
from ingest.codecs.chirpstack import decode
from ingest.codecs.record import Housekeeping, Reading, Rejected
from ingest.uplink import readings
from schemas.reasons import Reason

SAMPLES = Path(__file__).parents[3].parent / "shared" / "payloads" / "chirpstack_v4"
pytestmark = pytest.mark.skipif(not SAMPLES.is_dir(), reason="recorded payloads are not here: ../shared/payloads")

OURS = {"EM310-UDL", "EM400-TLD", "EM300-DI"}
UPS = sorted(SAMPLES.glob("*.up.json"))
EXPECTED = {  # what the recorders' decoder calls a column
    "battery": "battery_pct",
    "distance": "distance_mm",
    "position": "tilt",
    "pulse": "pulse_count",
}
ASIDE = {"temperature_abnormal": "temperature_alarm", "distance_alarming": "distance_alarm"}


def name(path: Path) -> str:
    return path.name.split(".")[0]


def expected(path: Path) -> tuple[str, list[dict]]:
    document = json.loads((path.parent / f"{name(path)}.expected_decoded.json").read_text())
    return document["deviceType"].strip(), document["telemetry"]


def uplink(path: Path):
    found = decode("", path.read_bytes())
    assert isinstance(found, list), found
    return found[0]


def columns(values: dict, temperature: str) -> tuple[dict, dict]:
    """The recorders' names as our columns, and what no column takes."""
    known = EXPECTED | {"temperature": temperature}
    named = {
        known[key]: value == "tilt" if key == "position" else value for key, value in values.items() if key in known
    }
    aside = {ASIDE.get(key, key): value for key, value in values.items() if key not in known and key != "gpio_type"}
    if aside.get("humidity") == 50:
        aside["humidity"] = 50.5  # the recorders' decoder cuts off the half per cent that the frame holds
    return named, aside


def test_there_are_samples_of_each_of_our_models():
    assert {expected(path)[0] for path in UPS} >= OURS


@pytest.mark.parametrize("path", [p for p in UPS if expected(p)[0] in OURS] if SAMPLES.is_dir() else [], ids=name)
def test_our_models_yield_what_was_recorded(path):
    model, telemetry = expected(path)
    profile = by_model(model)
    sent = uplink(path)
    found = readings(profile, sent)
    temperature = "temp_cel" if profile.family == "waste_container" else "ambient_temp_cel"
    assert len(found) == len(telemetry)
    for reading, record in zip(found, telemetry, strict=True):
        assert isinstance(reading, Reading)
        assert (reading.values, reading.extra) == columns(record["values"], temperature)
        time = reading.time if reading.history else reading.next_best[0][1]
        assert time // 1000 == record["ts"]
        assert (reading.device, reading.seq) == ("1000000000000001", 4)
    assert [reading.history for reading in found] == [False, True][: len(telemetry)]


@pytest.mark.parametrize("path", [p for p in UPS if expected(p)[0] not in OURS] if SAMPLES.is_dir() else [], ids=name)
def test_other_models_have_no_profile_and_their_frames_are_not_read_by_ours(path):
    assert by_model(expected(path)[0]) is None
    sent = uplink(path)
    assert sent.data
    for model in OURS:
        found = readings(by_model(model), sent)
        assert isinstance(found, Rejected), (model, found)
        assert found.reason is Reason.BAD_FRAME


@pytest.mark.parametrize("kind", ["ack", "integration", "join", "location", "log", "status", "txack"])
def test_the_documented_events_are_housekeeping(kind):
    payload = (SAMPLES / f"docs_{kind}.json").read_bytes()
    device = json.loads(payload)["deviceInfo"]["devEui"]
    assert decode("", payload) == Housekeeping(kind, device)
    assert decode(f"application/x/device/{device}/event/{kind}", payload) == Housekeeping(kind, device)


def test_the_documented_uplink_is_one():
    sent = uplink(SAMPLES / "docs_up.json")
    assert (sent.device, sent.port, sent.data, sent.seq) == ("0101010101010101", 1, b"\xaa", None)
    assert sent.next_best == (("network_server", 1_658_136_855_775_023),)
