"""Every frame that vendors and recorders published is decoded as they decode it; where we differ, it says why."""

import base64
import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ingest.codecs.frames import DECODERS
from ingest.codecs.frames.nas_packet import packet
from ingest.codecs.record import Housekeeping, Rejected
from schemas.reasons import Reason

PAYLOADS = Path(__file__).parents[4].parent / "shared" / "payloads"
pytestmark = pytest.mark.skipif(not PAYLOADS.is_dir(), reason="recorded payloads are not here: ../shared/payloads")


def load(name: str):
    return json.loads((PAYLOADS / name).read_text("utf-8")) if PAYLOADS.is_dir() else []


def snake(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")


DECENTLAB = [
    pytest.param(path.name[len("decentlab_") : -5], vector, id=f"{path.stem}-{vector['hex'][:16]}{n}")
    for path in sorted(PAYLOADS.glob("decoded_objects/decentlab_*.json"))
    for n, vector in enumerate(load(f"decoded_objects/{path.name}"))
]


@pytest.mark.parametrize(("model", "vector"), DECENTLAB)
def test_decentlab(model, vector):
    found = DECODERS[f"decentlab_{snake(model)}"](bytes.fromhex(vector["hex"]), 1)
    expected = {
        snake(key): value["value"] if isinstance(value, dict) else value for key, value in vector["decoded"].items()
    }
    assert found == expected


@pytest.mark.parametrize("vector", load("ttn_codecs/kamstrup_flowiq_mbus.json"), ids=lambda v: v["description"][:30])
def test_kamstrup(vector):
    found = DECODERS["kamstrup_flowiq"](bytes.fromhex(vector["hex"]), vector["fPort"])
    if vector["errors"]:
        assert isinstance(found, Rejected)
        assert "base value" in vector["errors"][0]
        assert "base value" in found.detail
        return
    records: dict[str, dict] = {}
    for value in vector["decoded"]["values"]:
        said = "Invalid" if value["Unit"] == "Invalid" else value["Value"]
        records.setdefault(value["Timestamp"], {})[snake(value["Type"])] = said
    if list(records) == [None]:
        assert records[None] == {"module_type_config_number": 7362751}
        assert found == Housekeeping("installation")
        return
    assert found == {"history": [{"timestamp": time.removesuffix(".000")} | one for time, one in records.items()]}


@pytest.mark.parametrize("vector", load("ttn_codecs/bosch_parking_tps110.json"), ids=lambda v: v["decoded"]["type"])
def test_bosch(vector):
    found = DECODERS["bosch_tps110"](bytes.fromhex(vector["hex"]), vector["fPort"])
    assert found == (Housekeeping("startup") if vector["decoded"]["type"] == "startup" else vector["decoded"])


@pytest.mark.parametrize("vector", load("decoded_objects/nas_ul20xx_streetlight.json"), ids=lambda v: v["hex"][:14])
def test_nas(vector):
    data = bytes.fromhex(vector["hex"])
    found = packet(data, vector["fPort"])
    if isinstance(found.get("device_unix_epoch"), int):
        time = datetime.fromtimestamp(found["device_unix_epoch"], UTC)
        found["device_unix_epoch"] = time.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    silent = [part for part in vector["decoded"].get("dimming_source", []) if vector["hex"].endswith("FFFF")]
    for part in silent:  # the vendor shows a driver that did not answer as one without faults
        assert not any(part["status"].values())
        part["status"] = {}
    assert found == vector["decoded"]
    assert isinstance(DECODERS["nas_ul20xx"](data, vector["fPort"]), dict)


@pytest.mark.parametrize("model", ["em400_mud", "em500_swl"])
def test_milesight_of_the_things_network(model):
    vector = load(f"ttn_codecs/milesight_{model}.json")
    found = DECODERS[f"milesight_{model}"](bytes.fromhex(vector["hex"]), vector["fPort"])
    assert {"level" if key == "depth" else key: value for key, value in found.items()} == vector["decoded"]


def examples(path: Path) -> list[tuple[str, dict]]:
    """Pairs of frame and object in the vendor's read-me: a comment of hexadecimal, then JSON."""
    found = re.findall(r"^// ?([0-9A-Fa-f ]+)\n(\{.*?^\})", path.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    return [(frame, json.loads(text)) for frame, text in found]


EXAMPLES = [
    pytest.param(path.name.split(".")[0].split("_")[-1], frame, made, id=f"{path.name.split('.')[0]}-{n}")
    for path in sorted(PAYLOADS.glob("decoded_objects/milesight_*.examples.md"))
    for n, (frame, made) in enumerate(examples(path))
]


@pytest.mark.parametrize(("model", "frame", "made"), EXAMPLES)
def test_milesight_examples(model, frame, made):
    found = DECODERS[f"milesight_{model[:5]}_{model[5:]}"](bytes.fromhex(frame), 85)
    if "data" in made:  # over NB-IoT: of the header only the signal is kept, the rest names a person's contract
        (values,) = made["data"]
        made = values | {"csq": made["csq"]}
    words = {"threshold_alarm": True, "threshold_alarm_release": False}
    assert found == {key: words.get(value, value) if isinstance(value, str) else value for key, value in made.items()}


UPS = {
    "bin_level_em310udl": "milesight_em310_udl",
    "bin_level_em400tld": "milesight_em400_tld",
    "current_ct101_1": "milesight_ct101",
    "indoor_air_am319": "milesight_am319",
    "outdoor_noise_r72624": "netvox_r72624",
    "parking_bosch": "bosch_tps110",
    "parking_bosch_1": "bosch_tps110",
    "parking_nwave": "nwave_g4",
    "parking_nwave_1": "nwave_g4",
    "pulse_counter_em300di": "milesight_em300_di",
    "road_weather_dlcws": "decentlab_dl_cws",
    "water_level_em500swl": "milesight_em500_swl",
    "water_pressure_level_dlpr36": "decentlab_dl_pr36",
}
RENAMED = {"temperature_abnormal": "temperature_alarm", "distance_alarming": "distance_alarm", "water_level": "depth"}
OURS_IS_RIGHT = {  # (sample, field): ours, and what is wrong with theirs
    ("pulse_counter_em300di", "humidity"): 50.5,  # they cut off the half per cent that the frame holds
    ("parking_nwave_1", "battery_voltage"): 3.344,  # they read the byte as signed: 2.32 V is less than a cell can give
    ("parking_nwave_1", "battery_health"): "normal",
}


@pytest.mark.parametrize(("name", "decoder"), UPS.items(), ids=UPS)
def test_recorded_uplinks(name, decoder):
    sent = load(f"chirpstack_v4/{name}.up.json")
    telemetry = load(f"chirpstack_v4/{name}.expected_decoded.json")["telemetry"]
    found = DECODERS[decoder](base64.b64decode(sent["data"]), sent["fPort"])
    theirs = {RENAMED.get(k, k): v for k, v in telemetry[0]["values"].items() if not k.startswith("lora_")}
    theirs |= {key: value for (sample, key), value in OURS_IS_RIGHT.items() if sample == name}
    past = [one["values"] | {"timestamp": one["ts"] // 1000} for one in telemetry[1:]]
    history = [{k: v for k, v in one.items() if k != "gpio_type"} for one in past]
    ours = {key: value for key, value in found.items() if key not in {"history", "protocol_version", "device_id"}}
    assert (ours, found.get("history", [])) == (theirs, history)


def test_every_recorded_uplink_is_compared():
    recorded = {path.name.split(".")[0] for path in PAYLOADS.glob("chirpstack_v4/*.expected_decoded.json")}
    assert recorded == set(UPS)


def test_a_frame_of_another_device_is_never_an_exception():
    for name in UPS:
        sent = load(f"chirpstack_v4/{name}.up.json")
        for decode in DECODERS.values():
            found = decode(base64.b64decode(sent["data"]), sent["fPort"])
            assert isinstance(found, dict | Housekeeping) or found.reason is Reason.BAD_FRAME
