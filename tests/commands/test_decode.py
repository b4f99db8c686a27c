"""`drava decode`: one JSON object a line for each reading, housekeeping or reason, without a home."""

import base64
import json
from importlib.resources import files

import pytest
import typer
from typer.testing import CliRunner

import cli
from commands import decode
from schemas.errors import DravaError
from tests.ingest.feeding import make_home

EUI = "24e124fffe00a1b2"
UPLINK = {
    "time": "2026-02-03T04:05:06.7Z",
    "deviceInfo": {"devEui": EUI},
    "fCnt": 0,
    "fPort": 85,
    "data": "A4I6AQQAAQ==",
}


@pytest.fixture
def run(tmp_path):
    app = typer.Typer()
    decode.add(app)
    app.callback()(lambda: None)

    def lines(*arguments: str, **messages: bytes) -> list[dict]:
        for name, payload in messages.items():
            (tmp_path / name).write_bytes(payload)
        found = CliRunner().invoke(app, ["decode", *arguments, *(str(tmp_path / name) for name in messages)])
        if found.exception:
            raise found.exception
        return [json.loads(line) for line in found.stdout.splitlines()]

    return lines


def test_a_reading_has_device_time_and_values(run):
    assert run("--codec", "chirpstack", "--model", "em310-udl", a=json.dumps(UPLINK).encode()) == [
        {
            "device": EUI,
            "time": "2026-02-03T04:05:06.700000Z",
            "values": {"distance_mm": 314, "tilt": True},
            "time_source": "network_server",
            "seq": 0,
            "profile": "milesight_em310_udl",
        }
    ]


def test_history_and_unnamed_fields_are_told(run):
    message = json.dumps(UPLINK | {"data": "IM7Qx6NpUwB4AgDSBAAA", "time": None}).encode()
    assert run("--codec", "chirpstack", "--model", "EM300-DI", a=message) == [
        {
            "device": EUI,
            "time": "2026-03-01T05:00:00Z",
            "values": {"ambient_temp_cel": 8.3, "pulse_count": 1234},
            "time_source": "device",
            "seq": 0,
            "history": True,
            "extra": {"humidity": 60.0},
            "profile": "milesight_em300_di",
        }
    ]


def test_a_reading_without_any_time_says_null(run):
    message = json.dumps(UPLINK | {"time": None}).encode()
    assert run("--codec", "chirpstack", "--model", "EM310-UDL", a=message)[0]["time"] is None


def test_each_file_gives_its_lines_in_order(run):
    found = run(
        "--codec", "chirpstack", a=b"{", b=json.dumps(UPLINK).encode(), c=json.dumps({"level": "INFO"}).encode()
    )
    assert [line.get("rejected") or line.get("housekeeping") for line in found] == ["not_json", None, "log"]


def test_the_topic_is_given_to_the_codec(run):
    topic = f"application/1/device/{EUI}/event/join"
    assert run("--codec", "chirpstack", "--topic", topic, a=b"{}") == [{"housekeeping": "join", "device": EUI}]


def test_what_the_network_server_decoded_passes_where_no_profile_is_named(run):
    message = json.dumps(UPLINK | {"object": {"distance": 314.0}}).encode()
    (line,) = run("--codec", "chirpstack", a=message)
    assert (line["device"], line["values"]) == (EUI, {"distance": 314.0})
    assert "profile" not in line


def test_the_device_type_that_the_server_names_is_enough(run):
    message = {"deviceInfo": {"devEui": EUI, "deviceProfileName": "Milesight EM310-UDL"}}
    (line,) = run("--codec", "chirpstack", a=json.dumps(UPLINK | message).encode())
    assert line["values"] == {"distance_mm": 314, "tilt": True}


def test_a_frame_that_one_device_type_alone_can_read_is_shown_as_assumed(run):
    """For a person who looks: `decode` stores nothing, and what is stored is by the registry's model."""
    (line,) = run("--codec", "chirpstack", a=json.dumps(UPLINK).encode())
    assert (line["values"], line["assumed"]) == ({"distance_mm": 314, "tilt": True}, "milesight_em310_udl")


@pytest.mark.parametrize(
    ("port", "frame", "model"),
    [
        (2, "0d3b0aef00000001", None),  # any eight bytes would do for a Dragino
        (1, "aa", None),  # one byte fits several
        (85, "03671001", None),  # the temperature of a container, of a meter's surroundings, or of a room
        (1, "02012f000304d200010bb1", None),  # several Decentlab models, with different results
        (85, "03823a01040001", "Acme X1"),  # the server names a model, and it is none of ours
    ],
)
def test_a_frame_that_several_could_read_says_which_ones(run, port, frame, model):
    message = {"deviceInfo": {"devEui": EUI, "deviceProfileName": model}, "fPort": port, "data": _base64(frame)}
    (line,) = run("--codec", "chirpstack", a=json.dumps(UPLINK | message).encode())
    assert line["rejected"] == "no_profile"
    assert "it could be" in line["detail"]


def _base64(frame: str) -> str:
    return base64.b64encode(bytes.fromhex(frame)).decode()


VECTOR = {"fPort": 85, "hex": "03 82 3a 01 04 00 01", "decoded": {"distance": 1}}


@pytest.mark.parametrize(
    "frame",
    [
        b"03823a01040001",
        b"0x03 0x82 0x3A 0x01 0x04 0x00 0x01\n",
        b"A4I6AQQAAQ==",
        b"\x03\x82\x3a\x01\x04\x00\x01",
        b'{"bytes": [3, 130, 58, 1, 4, 0, 1]}',
        json.dumps(VECTOR).encode(),
        json.dumps([VECTOR]).encode(),
        json.dumps({"examples": [{"input": VECTOR, "output": {"data": {"distance": 1}}}]}).encode(),
        b'## Example\n```json\n// 03823A01 040001\n{"distance": 1}\n```\n',
    ],
)
def test_bare_frames_are_read_by_the_device_types_name_in_every_form(run, frame):
    for arguments in (["--codec", "milesight_em310_udl"], ["--codec", "frames", "--model", "EM310-UDL"]):
        (line,) = run(*arguments, a=frame)
        assert (line["device"], line["time"], line["values"]) == (None, None, {"distance_mm": 314, "tilt": True})


def test_lines_of_frames_are_read_one_by_one(run):
    found = run("--codec", "milesight_em310_udl", a=b"017557\nno frame\n03823a01")
    assert [line.get("rejected") or line["values"] for line in found] == [
        {"battery_pct": 87},
        "bad_frame",
        {"distance_mm": 314},
    ]


def test_a_vector_of_a_device_that_nothing_reads_keeps_the_vendors_object(run):
    assert run("--codec", "frames", a=json.dumps(VECTOR).encode())[0]["values"] == {"distance": 1}
    assert run("--codec", "frames", a=b"ffff")[0]["rejected"] == "no_profile"
    assert run("--codec", "frames", a=b"")[0]["rejected"] == "bad_frame"
    assert run("--codec", "frames", a=b"[]")[0]["rejected"] == "wrong_shape"
    assert run("--codec", "frames", a=b'[{"x": 1}, 7]')[1]["rejected"] == "wrong_shape"
    assert run("--codec", "frames", a=b"{")[0]["rejected"] == "not_json"


def test_foreign_json_is_read_by_declared_paths(run):
    message = b'{"meta": {"id": "m1"}, "ts": 1770091506, "data": {"t": 21.5, "q": null}}'
    paths = ["device=meta.id", "time=ts", "temp_cel=data.t", "flow_m3h=data.q"]
    (line,) = run("--codec", "json", *(word for path in paths for word in ("--path", path)), a=message)
    assert (line["device"], line["time"], line["values"]) == ("m1", "2026-02-03T04:05:06Z", {"temp_cel": 21.5})
    with pytest.raises(DravaError, match="device"):
        run("--codec", "json", "--path", "time=ts", a=message)


def test_with_a_home_its_own_profiles_and_its_zone_count(tmp_path):
    home = make_home(tmp_path / "home").path
    (home / "profiles").mkdir()
    text = (files("devices") / "profiles" / "milesight_em310_udl.toml").read_text()
    text = text.replace('id = "milesight_em310_udl"', 'id = "our_bins"').replace("EM310-UDL", "OUR-1")
    (home / "profiles" / "our_bins.toml").write_text(text)
    (tmp_path / "frame").write_text("03823a01040001")
    words = ["--home", str(home), "decode", "--codec", "frames", "--model", "our 1", str(tmp_path / "frame")]
    (line,) = CliRunner().invoke(cli.app, words).stdout.splitlines()
    assert json.loads(line)["profile"] == "our_bins"


def test_own_json_needs_no_model(run):
    message = b'{"time": "2026-02-03T04:05:06Z", "fill_pct": 41}'
    (line,) = run("--codec", "json", "--topic", "ptuj/waste_container/b1/telemetry", a=message)
    assert (line["device"], line["time"], line["values"]) == ("b1", "2026-02-03T04:05:06Z", {"fill_pct": 41})


def test_a_model_without_a_profile_and_a_codec_that_is_not_there(run):
    (line,) = run("--codec", "chirpstack", "--model", "X1", a=json.dumps(UPLINK).encode())
    assert (line["rejected"], "X1" in line["detail"]) == ("no_profile", True)
    with pytest.raises(DravaError, match="chirpstack"):
        run("--codec", "os", a=b"")


@pytest.mark.parametrize(
    ("part", "whole"), [("em310", "milesight_em310_udl"), ("Milesight EM310", "milesight_em310_udl")]
)
def test_a_part_of_a_device_types_name_is_enough_where_it_is_the_only_one(run, part, whole):
    assert run("--codec", part, a=b"03823a01040001")[0]["profile"] == whole


@pytest.mark.parametrize(("wrong", "meant"), [("chirpstak", "chirpstack"), ("em400", "em400_tld"), ("wmbus", "wmbusm")])
def test_a_name_that_is_not_there_tells_the_nearest(run, wrong, meant):
    with pytest.raises(DravaError) as told:
        run("--codec", wrong, a=b"")
    assert meant in told.value.hint.partition("?")[0]


def test_a_file_that_is_not_there_is_named(run, tmp_path):
    with pytest.raises(DravaError, match="nowhere"):
        run("--codec", "chirpstack", str(tmp_path / "nowhere"))
