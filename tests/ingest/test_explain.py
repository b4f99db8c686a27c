"""The walk of one message: what is missing is named with the line that adds it, and nothing makes it raise."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.registry import Device, Registry
from devices.profiles import brought
from ingest.explain import State, Walk
from schemas.settings import Drop, Route, Settings

NOW = datetime(2026, 3, 1, 6, tzinfo=UTC)
EUI = "24e124fffe000101"
UP = f"application/7/device/{EUI}/event/up"
BIN = {"deviceInfo": {"devEui": EUI}, "fPort": 85, "data": "AXVXA4KAAgQAAA=="}


def walk(*devices, routes=(), lang="en"):
    known = {device.device_id: device for device in devices}
    return Walk(Settings(municipality="ptuj", lang=lang, route=list(routes)), Registry(1, known), brought(), NOW)


def device(model="EM310-UDL", family="waste_container", name=EUI):
    return Device(1, name, family, model, None, {}, 0)


def steps(found, topic, payload):
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return {step.name: step for step in found.steps(topic, body)}


ROUTE = Route(filter="application/+/device/+/event/up", codec="chirpstack")


def test_where_nothing_is_missing_the_last_step_says_what_is_stored():
    found = steps(walk(device(), routes=[ROUTE]), UP, BIN)
    assert {step.state for step in found.values()} == {State.DONE}
    for part in ("waste_container", "distance_mm = 640", "quality 3", "decoder_warning"):  # its depth is not known
        assert part in found["lake"].said


def test_a_slovenian_town_is_told_in_slovenian():
    found = steps(walk(device(), routes=[ROUTE], lang="sl"), UP, BIN)
    assert "vodi do dekodirnika" in found["route"].said
    assert "je v registru kot waste_container" in found["device"].said
    assert "kakovost 3, neopravljeni preskusi: decoder_warning" in found["lake"].said


def test_of_a_frame_that_nobody_knows_a_profile_is_proposed_and_applied():
    found = steps(walk(), UP, BIN)
    assert 'codec = "chirpstack"' in found["route"].line
    assert f"{EUI},waste_container,THING,2026-03-01," in found["device"].line
    assert "milesight" in found["profile"].said
    assert "distance_mm = 640" in found["lake"].said


@pytest.mark.parametrize(
    ("topic", "payload", "step", "said"),
    [
        (UP, b"\xff\x00", "route", "no codec reads"),
        ("ptuj/water_meter/m1/telemetry", {"volume_total_m3": 5}, "device", "not in the registry"),
        ("ptuj/water_meter/m1/telemetry", b"{", "codec", "not_json"),
        ("ptuj/boats/m1/telemetry", {"x": 1}, "route", "there is no family"),
        ("ptuj/waste_container/24e124fffe000101/telemetry", {"distance_mm": "far"}, "lake", "wrong_type"),
    ],
)
def test_what_is_wrong_is_said_at_its_step(topic, payload, step, said):
    assert said in steps(walk(device()), topic, payload)[step].said


def test_what_is_taken_out_at_the_edge_is_said_and_not_shown():
    found = walk(device(), routes=[ROUTE])
    found.settings.drop.append(Drop(filter="application/#", fields=["plate"]))
    told = steps(found, UP, {"deviceInfo": {"devEui": EUI}, "object": {"distance": 5, "plate": "MB-1"}})
    assert "plate" in told["edge"].said
    assert "MB-1" not in str(told)
    assert "distance_mm = 5" in told["lake"].said


def test_a_model_of_another_family_is_told():
    found = steps(walk(device(family="water_meter"), routes=[ROUTE]), UP, BIN)
    assert found["device"].state is State.WRONG


BODIES = st.binary(max_size=40) | st.recursive(
    st.none() | st.integers() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["data", "object", "deviceInfo", "devEui", "x"]), inner, max_size=3)
    ),
    max_leaves=8,
).map(lambda value: json.dumps(value).encode())
TOPICS = st.sampled_from([UP, "a", "ptuj/gateway/g/telemetry", "v3/app/devices/d/up", "ptuj/hydrant/h/telemetry", "/"])


@settings(deadline=None, max_examples=60)
@given(TOPICS, BODIES)
def test_nothing_makes_it_raise(topic, payload):
    found = steps(walk(device()), topic, payload)
    assert found
    assert all(step.said for step in found.values())
