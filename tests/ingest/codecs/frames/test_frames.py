"""Frames of our own making: every kind a device can send, signs of no value, and no value from half a frame."""

import base64
import struct

import pytest

from devices.profiles import load, profiles
from ingest.codecs.frames import DECODERS
from ingest.codecs.record import Housekeeping, Rejected
from ingest.example import differences
from schemas.reasons import Reason

T = 1_772_341_200  # 2026-03-01T05:00:00Z
W1, FLOWIQ, LDDS, PCR2 = (
    DECODERS[n] for n in ("axioma_qalcosonic_w1", "kamstrup_flowiq", "dragino_ldds75", "parametric_pcr2")
)
NAS, NWAVE, BOSCH, NETVOX, LPP = (
    DECODERS[n] for n in ("nas_ul20xx", "nwave_g4", "bosch_tps110", "netvox_r72624", "cayenne_lpp")
)
SWL, PP, CT, AM = (DECODERS[f"milesight_{n}"] for n in ("em500_swl", "em500_pp", "ct101", "am319"))


def read(decoder, frame, port=None):
    return decoder(frame if isinstance(frame, bytes) else bytes.fromhex(frame), port)


def refused(found, *words) -> bool:
    assert isinstance(found, Rejected), found
    assert found.reason is Reason.BAD_FRAME
    for word in words:
        assert word in found.detail
    return True


WHOLE = [
    pytest.param(p.decoder, e.port, base64.b64decode(e.data), id=f"{p.decoder}: {e.title}")
    for p in profiles().values()
    for e in p.example
    if e.data and e.reading
]


@pytest.mark.parametrize(("name", "port", "frame"), WHOLE)
def test_a_cut_frame_is_refused_or_says_less_and_nothing_else(name, port, frame):
    whole = DECODERS[name](frame, port)
    for end in range(1, len(frame)):
        cut = DECODERS[name](frame[:end], port)
        if isinstance(cut, dict) and name != "nas_ul20xx":  # there, fewer addresses agree on more
            for some, all_ in zip(cut.pop("history", []), whole.get("history", []), strict=False):
                assert some.items() <= all_.items(), end
            assert cut.items() <= whole.items(), end
        else:
            assert isinstance(cut, dict | Housekeeping) or refused(cut)


@pytest.mark.parametrize("name", sorted(DECODERS))
def test_an_empty_frame_says_nothing(name):
    for port in (None, 1, 2, 14, 23, 85, 100):
        found = DECODERS[name](b"", port)
        assert found == {} or isinstance(found, Housekeeping) or refused(found)


def test_a_port_that_a_device_does_not_speak_on_is_named():
    for name in ("axioma_qalcosonic_w1", "bosch_tps110", "nas_ul20xx", "netvox_r72624", "nwave_g4", "parametric_pcr2"):
        assert refused(DECODERS[name](b"\x01\x02\x03", 222), "port 222 is not of this device")


def test_a_bare_frame_is_read_where_its_form_tells_its_kind():
    assert (read(BOSCH, "01")["type"], read(BOSCH, "0102")["type"]) == ("parking status", "heartbeat")
    assert (read(NWAVE, "95")["type"], read(NWAVE, "00d3d8")["type"]) == ("parking_status", "heartbeat")
    assert read(PCR2, "0a0010160013 01ff9a")["LTR"] == 16
    assert read(NETVOX, "010907480fa0ffffffff00")["co2"] == 400.0
    assert refused(read(NAS, "00 00000000 00 34 07 18 00 0e f5 ff ff"), "without its port")
    assert refused(read(NWAVE, "95deadbeef"), "without its port")


@pytest.mark.parametrize(("mm", "said"), [(0, "No Sensor"), (20, "Invalid Reading"), (21, 21), (7500, 7500)])
def test_ldds75_distance(mm, said):
    found = read(LDDS, struct.pack(">HHBhB", 0x8D4A, mm, 1, -105, 1), 2)
    assert found == {"Bat": 3.402, "Distance": said, "Interrupt_flag": 1, "TempC_DS18B20": -10.5, "Sensor_flag": 1}
    assert read(LDDS, struct.pack(">HHB", 0x0D4A, mm, 0), 2)["Distance"] == said


def test_ldds75_without_probe_and_on_other_ports():
    assert "TempC_DS18B20" not in read(LDDS, struct.pack(">HHBhB", 3402, 640, 0, 0x7FFF, 1), 2)
    assert read(LDDS, "2701000104", 5) == Housekeeping("device_status")
    assert refused(read(LDDS, "0d4a028000ffb501", 3), "port 3")


def test_pcr2_in_each_form():
    assert read(PCR2, "0a0010160013 01ff9a", 14) == {"LTR": 16, "RTL": 19, "TEMP": -10.2}
    assert read(PCR2, "00660a 016603 02670055", 14) == {"LTR": 10, "RTL": 3, "TEMP": 8.5}
    counts = {"LTR": 2, "RTL": 1, "LTR_SUM": 40, "RTL_SUM": 38, "SBX_BATT": 87, "SBX_PV": 1200, "DIFF": 2, "TEMP": 8.5}
    assert read(PCR2, "be0103 0002 0001 0028 0026 57 04b0 0055", 14) == counts
    assert read(PCR2, "be0104 0002 0001 0028 0026 1c20 04b0 0055", 14) == counts | {"SBX_BATT": 7200}
    assert read(PCR2, "be0104", 190) == Housekeeping("configuration")
    assert refused(read(PCR2, "0a00100b0001", 14), "byte 3: 0b")
    assert refused(read(PCR2, "be01040002", 14), "17 bytes")
    assert refused(read(PCR2, "00660a056603", 14), "presence_5")


@pytest.mark.parametrize(
    ("byte", "minutes", "error", "over"),
    [(0x95, 74, 0, False), (0xB3, 89, 0, False), (0xB5, 90, 4, False), (0xF1, 240, 59, False), (0xFF, 660, None, True)],
)
def test_nwave_duration_of_the_state_before(byte, minutes, error, over):
    assert read(NWAVE, bytes([byte]), 1) == {
        "type": "parking_status",
        "occupied": True,
        "previous_state_duration": minutes,
        "previous_state_duration_error": error,
        "previous_state_duration_overflow": over,
    }


def test_nwave_gives_no_tag_of_a_driver():
    assert "tag" not in str(read(NWAVE, "95deadbeef", 10))
    assert "dead" not in str(read(NWAVE, "95deadbeef", 10))
    assert read(NWAVE, "00deadbeef", 10) == Housekeeping("user_registration")


@pytest.mark.parametrize(
    ("x", "temperature", "health"), [(125, 0, "normal"), (124, 0, "low"), (99, 0, "critical"), (99, -60, "low")]
)
def test_nwave_battery_by_temperature(x, temperature, health):
    assert read(NWAVE, struct.pack("Bbb", 0, x, temperature), 2)["battery_health"] == health


def test_bosch_says_what_is_no_observation():
    kinds = {3: "startup", 4: "device_information", 5: "device_usage", 6: "debug"}
    assert [read(BOSCH, bytes(17), port) for port in kinds] == [Housekeeping(kind) for kind in kinds.values()]
    assert read(BOSCH, "00", 2) == {"type": "heartbeat", "occupied": False}
    assert refused(read(BOSCH, "0000", 1), "at most 1")


def test_netvox_leaves_out_what_it_does_not_have():
    assert read(NETVOX, "010907480fa0ffffffff00", 6) == {"battery_volt": 7.2, "co2": 400.0}
    assert read(NETVOX, "01090c48ff9c1b58006400", 6) == {
        "battery_volt": 7.2,
        "temperature": -1.0,
        "humidity": 70.0,
        "wind_speed": 1.0,
    }
    assert read(NETVOX, "0109000a0120260101aabb", 6) == Housekeeping("version")
    assert refused(read(NETVOX, "010903480fa0ffffffff00", 6), "type 03")
    assert refused(read(NETVOX, "010a07480fa0ffffffff00", 6), "01 09")


def test_lpp_every_type_by_its_bytes():
    frame = "00 00 01  01 02 ff 38  02 65 01 f4  03 66 01  04 67 ff d7  05 68 79  06 71 04d2fb2e0000  07 73 2742"
    more = "08 74 0154  09 78 57  0a 82 00000a00  0b 88 06765ff2960a0003e8  0c 8e 01  0d 87 ff8000  0e 85 69a3c7d0"
    assert read(LPP, frame + more) == {
        "digital_in_0": 1,
        "analog_in_1": -2.0,
        "luminosity_2": 500,
        "presence_3": 1,
        "temperature_4": -4.1,
        "relative_humidity_5": 60.5,
        "accelerometer_6": {"x": 1.234, "y": -1.234, "z": 0.0},
        "barometric_pressure_7": 1005.0,
        "voltage_8": 3.4,
        "percentage_9": 87,
        "distance_10": 2.56,
        "gps_11": {"latitude": 42.3519, "longitude": -87.9094, "altitude": 10.0},
        "switch_12": 1,
        "colour_13": {"r": 255, "g": 128, "b": 0},
        "unix_time_14": 1772341200,
    }
    assert refused(read(LPP, "0167ff"), "temperature of channel 1 is cut off")
    assert refused(read(LPP, "01670001 01670002"), "twice")
    assert refused(read(LPP, "01fe00"), "01 fe")


def test_milesight_signs_of_no_value():
    assert read(SWL, "0377ffff") == {"depth_error": "collection failed"}
    assert read(SWL, "0377fdff") == {"depth_error": "out of range"}
    assert read(SWL, "20ce" + "d0c7a369" + "ffff") == {
        "history": [{"timestamp": T, "depth_error": "collection failed"}]
    }
    assert read(PP, "037bf6ff") == {"pressure": -10}
    assert read(CT, "0498ffff") == {"current_sensor_status": "read failed"}
    assert read(CT, "0967fdff") == {"temperature_sensor_status": "over range alarm"}
    assert read(CT, "0967f6ff 017557") == {"temperature": -1.0, "battery": 87}


def test_milesight_zeros_at_the_end_are_no_items_but_zeros_in_between_are_wrong():
    assert read(CT, "0498b80b 00000000") == {"current": 30.0}
    assert refused(read(CT, "0498b80b 00000000 01"), "byte 4")


def test_milesight_answers_to_settings_are_no_measurement():
    assert read(SWL, "fe02 0a00 ff03 1400 ff1b 0000000000") == {}
    assert read(AM, "ff3a0a00 ff2501") == {}
    assert refused(read(AM, "ff3a0a00 ff250101"), "byte 7")


def test_nas_energy_of_several_drivers_is_no_lamps_energy():
    entry = "{:02x} 03 {} {}"
    two = entry.format(2, "e8030000", "2800") + entry.format(4, "e8030000", "2800")
    found = read(NAS, two, 25)
    assert "active_power__W" not in found
    assert found["dali_single_1.active_power__W"] == found["dali_single_2.active_power__W"] == 40
    assert read(NAS, entry.format(2, "e8030000", "2800"), 25)["active_power__W"] == 40
    with_meter = read(NAS, entry.format(255, "d0070000", "5000") + two, 25)
    assert (with_meter["active_power__W"], with_meter["active_energy__Wh"]) == (80, 2000)


def test_nas_says_what_it_does_not_know():
    assert read(NAS, "ff 10 ff", 25)["power_factor"] == "unknown"
    silent = read(NAS, "00 00000000 00 34 07 18 00 0e f5 ff ff", 23)
    assert silent["dimming_level__percent"] == "n/a"
    assert not {"timestamp", "lamp_on", "lamp_failure"} & silent.keys()
    assert refused(read(NAS, "02" + "00" * 12, 23), "header 02")
    assert refused(read(NAS, "87 00", 61), "kind 87")
    assert refused(read(NAS, "03 03 e8030000 2800", 25), "03 is no address")
    assert read(NAS, "80 20 06 00", 61) == Housekeeping("dig_input_notification")
    assert read(NAS, "00", 99) == Housekeeping("boot")


@pytest.mark.parametrize("name", [name for name in sorted(DECODERS) if name.startswith("decentlab")])
def test_decentlab_refuses_what_its_flags_do_not_say(name):
    decoder = DECODERS[name]
    assert decoder(bytes.fromhex("02 0001 0000")) == {"protocol_version": 2, "device_id": 1}
    assert refused(decoder(bytes.fromhex("02 0001 0000 0000")), "5 bytes")
    assert refused(decoder(bytes.fromhex("02 0001 8000")), "8000")
    assert refused(decoder(bytes.fromhex("01 0001 0000")), "version 2")


def test_em4301_items_by_their_bytes():
    meter = DECODERS["yobiiq_em4301"]
    frame = "0101 69a3c7d0 0304 00000064 0405 0000000a 070c 0000090a 081d 9c 0920 ff38 0917 fffffc18 0af1 0129 0b0a 03"
    assert read(meter, frame, 1) == {
        "timestamp": T,
        "activeEnergyImportL123T1": 100,
        "activeEnergyImportL123T2": 10,
        "activeEnergyImportL123": 110,
        "voltageL1N": 231.4,
        "powerFactorL1": -1.0,
        "phaseAngleL1": -2.0,
        "reactivePowerL1": -1.0,
        "modbusErrorCode": 3,
    }
    assert refused(read(meter, "0102 00000000", 1), "01 02")
    assert refused(read(meter, "0101 0000", 1), "timestamp is cut off")
    assert refused(read(meter, "01", 77), "port 77")
    assert read(meter, "00", 1) == Housekeeping("command")


def test_a_city_names_a_general_decoder_in_a_profile_of_its_own(tmp_path):
    file = tmp_path / "acme_lpp.toml"
    file.write_text(
        """
id = "acme_lpp"
title = { en = "Acme bin", sl = "Zabojnik Acme" }
family = "waste_container"
decoder = "cayenne_lpp"
[recognise]
models = ["Acme LPP"]
[fields]
distance_10 = { column = "distance_mm", unit = "m" }
temperature_1 = { column = "temp_cel" }
[[example]]
title = "640 mm, 8.5 degrees"
data = "CoIAAAKAAWcAVQ=="
port = 1
[[example.reading]]
values = { distance_mm = 640, temp_cel = 8.5 }
[[example]]
title = "cut off"
data = "CoIAAAKA/w=="
port = 1
rejected = "bad_frame"
""",
        "utf-8",
    )
    profile = load(file)
    assert [differences(profile, example) for example in profile.example] == [[], []]
