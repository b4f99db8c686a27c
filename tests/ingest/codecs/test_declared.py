"""Foreign JSON by declared paths: device, time and measures stand where the route says, or the reason is told."""

import json

import pytest

from ingest.codecs import load
from ingest.codecs.declared import Field, Path, Paths
from ingest.codecs.json import MAX_ELEMENTS
from ingest.codecs.record import Reading, Rejected, Uplink, epoch_us
from ingest.route import declared
from schemas.errors import DravaError
from schemas.reasons import Reason
from schemas.settings import Route

NOW = "2026-02-03T04:05:06Z"


def route(**said) -> Paths:
    found = declared(Route(filter="sensors/+/state", codec="json", **said))
    assert found is not None
    return found


def one(paths: Paths, document, topic="sensors/m1/state"):
    (found,) = paths.decode(topic, json.dumps(document).encode())
    return found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("id", 7),
        ("$.id", 7),
        ("data.t", 21.5),
        ("$.data['a.b']", 1),
        ("list[1].v", 5),
        ("list[0]", 4),
        ("topic.2", "m1"),
        ("$.topic.2", "inside"),
    ],
)
def test_a_path_leads_to_its_place(text, found):
    document = {"id": 7, "data": {"t": 21.5, "a.b": 1}, "list": [4, {"v": 5}], "topic": {"2": "inside"}}
    assert Path.of(text).find("sensors/m1/state", document) == found


@pytest.mark.parametrize("text", ["", "$", "a..b", "a[", "a[-1]", "a b", "[*]", "a['']", "a[0"])
def test_what_is_no_path_is_refused(text):
    with pytest.raises(DravaError, match="no path"):
        Path.of(text)


def test_with_fields_a_message_is_a_reading_with_units():
    paths = route(
        device="topic.2", time="ts", seq="n", fields={"temp_cel": "d.t", "flow_m3h": {"path": "d.q", "unit": "L/h"}}
    )
    assert one(paths, {"ts": NOW, "n": 4, "d": {"t": 21.5, "q": 120, "x": 1}}) == Reading(
        "m1", epoch_us(NOW), {"temp_cel": 21.5, "flow_m3h": {"value": 120, "unit": "L/h"}}, seq=4
    )


def test_without_fields_the_devices_profile_reads_the_document():
    document = {"meta": {"id": 17}, "d": {"t": 1}}
    assert one(route(device="meta.id"), document) == Uplink("17", None, None, None, None, document)


def test_each_record_of_a_list_is_a_reading_and_takes_the_device_from_around_it():
    paths = route(device="id", time="at", records="rows", fields={"fill_pct": "v"})
    payload = json.dumps({"id": "b1", "rows": [{"at": NOW, "v": 1}, 7, {"id": "b2", "v": 2}, {"v": None}]}).encode()
    first, second, third, fourth = paths.decode("", payload)
    assert first == Reading("b1", epoch_us(NOW), {"fill_pct": 1})
    assert (second.reason, fourth.reason) == (Reason.WRONG_SHAPE, Reason.NO_MEASURE)
    assert third == Reading("b2", None, {"fill_pct": 2})


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ({"d": 1}, Reason.WRONG_SHAPE),
        ({"id": "", "d": 1}, Reason.WRONG_SHAPE),
        ({"id": True, "d": 1}, Reason.WRONG_SHAPE),
        ({"id": "x" * 129, "d": 1}, Reason.WRONG_SHAPE),
        ({"id": "a"}, Reason.NO_MEASURE),
        ([1], Reason.WRONG_SHAPE),
    ],
)
def test_what_does_not_fit_is_refused(document, reason):
    assert one(route(device="id", fields={"fill_pct": "d"}), document).reason is reason


def test_a_list_that_is_none_or_too_long_is_refused():
    paths = route(device="topic.2", records="rows")
    for document, reason in (
        ({"rows": 1}, Reason.WRONG_SHAPE),
        ({"rows": []}, Reason.WRONG_SHAPE),
        ({"rows": [0] * (MAX_ELEMENTS + 1)}, Reason.TOO_LARGE),
    ):
        found = paths.decode("", json.dumps(document).encode())
        assert isinstance(found, Rejected)
        assert found.reason is reason


def test_a_route_without_paths_declares_none_and_half_of_them_is_a_mistake():
    assert declared(Route(filter="a/+", codec="chirpstack")) is None
    with pytest.raises(DravaError, match="where the device stands"):
        declared(Route(filter="a/+", codec="json", time="ts"))
    with pytest.raises(DravaError, match="takes no paths"):
        load("chirpstack", Paths(Path.of("id"), fields={"x": Field(Path.of("y"))}))
