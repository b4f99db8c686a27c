"""`drava decode`: one JSON object a line for each reading, housekeeping or reason, without a home."""

import json

import pytest
import typer
from typer.testing import CliRunner

from commands import decode
from schemas.errors import DravaError

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
        }
    ]


def test_a_reading_without_any_time_says_null(run):
    message = json.dumps(UPLINK | {"time": None}).encode()
    assert run("--codec", "chirpstack", "--model", "EM310-UDL", a=message)[0]["time"] is None


def test_each_file_gives_its_lines_in_order(run):
    found = run(
        "--codec", "chirpstack", a=b"{", b=json.dumps(UPLINK).encode(), c=json.dumps({"level": "INFO"}).encode()
    )
    assert [line.get("rejected") or line.get("housekeeping") for line in found] == ["not_json", "no_profile", "log"]
    assert "--model" in found[1]["detail"]


def test_the_topic_is_given_to_the_codec(run):
    topic = f"application/1/device/{EUI}/event/join"
    assert run("--codec", "chirpstack", "--topic", topic, a=b"{}") == [{"housekeeping": "join", "device": EUI}]


def test_own_json_needs_no_model(run):
    message = b'{"time": "2026-02-03T04:05:06Z", "fill_pct": 41}'
    (line,) = run("--codec", "json", "--topic", "ptuj/waste_container/b1/telemetry", a=message)
    assert (line["device"], line["time"], line["values"]) == ("b1", "2026-02-03T04:05:06Z", {"fill_pct": 41})


def test_a_model_without_a_profile_and_a_codec_that_is_not_there(run):
    (line,) = run("--codec", "chirpstack", "--model", "X1", a=json.dumps(UPLINK).encode())
    assert (line["rejected"], "X1" in line["detail"]) == ("no_profile", True)
    with pytest.raises(DravaError, match="chirpstack"):
        run("--codec", "os", a=b"")


def test_a_file_that_is_not_there_is_named(run, tmp_path):
    with pytest.raises(DravaError, match="nowhere"):
        run("--codec", "chirpstack", str(tmp_path / "nowhere"))
