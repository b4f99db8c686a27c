"""Decentlab's frames, protocol 2: one table a model says which words its sensors send, all big-endian.

A frame is version, device, flags, then 16-bit words; bit n of the flags says that sensor n is there. In the tables a
value is `name form`: `u` a plain word, `s` one around 32768, either over a divisor; other forms are told below. Fields
have the names of the vendor's JavaScript decoders. Pressure ranges are those of the vendor's default models.
"""

from collections.abc import Callable, Sequence
from struct import unpack_from
from typing import NamedTuple

from ingest.codecs.frames.frame import Decoder, Found, Values, bad

_VERSION, _HEADER = 2, 5
_MIDDLE = 32768
_Words = Sequence[int]
_Read = Callable[[_Words, int], object]


class _Sensor(NamedTuple):
    length: int
    values: list[tuple[str, int, _Read]]


def _lux(words: _Words, at: int) -> object:
    both, infrared = words[at - 2], words[at - 1]
    return max(both - 1.64 * infrared, 0.59 * both - 0.86 * infrared, 0) * 1.5504


_FORMS: dict[str, tuple[int, _Read]] = {  # how many words, and what they mean
    "pa": (1, lambda words, at: words[at] * 2),
    "sht35_t": (1, lambda words, at: 175 * words[at] / 65535 - 45),
    "sht35_rh": (1, lambda words, at: 100 * words[at] / 65535),
    "sht21_t": (1, lambda words, at: 175.72 * words[at] / 65536 - 46.85),
    "sht21_rh": (1, lambda words, at: 125 * words[at] / 65536 - 6),
    "lux": (0, _lux),
    "kelvin": (1, lambda words, at: (words[at] - 5000) / 100),
    "head": (1, lambda words, at: (words[at] - 1000) / 10),
    "keller_t": (1, lambda words, at: (words[at] - 384) * 0.003125 - 50),
    "bar_0_1": (1, lambda words, at: (words[at] - 16384) / 32768),
    "bar_-1_10": (1, lambda words, at: (words[at] - 16384) / 32768 * 11 - 1),
    "pyr": (1, lambda words, at: 3 * (words[at] / 32768 - 1) * 1000 * 5),
    "way": (2, lambda words, at: ((words[at] + words[at + 1] * 65536) / 8388608 - 1) * 100),
    "long": (2, lambda words, at: words[at] + words[at + 1] * 65536),
    "long/1000": (2, lambda words, at: (words[at] + words[at + 1] * 65536) / 1000),
    "long/10": (2, lambda words, at: (words[at] + words[at + 1] * 65536) / 10),
    "ms": (1, lambda words, at: words[at] / 1.024),
    "double": (1, lambda words, at: words[at] * 2),
}


def _form(text: str) -> tuple[int, _Read]:
    if text in _FORMS:
        return _FORMS[text]
    kind, _, over = text.partition("/")
    middle, parts = {"u": 0, "s": _MIDDLE}[kind], int(over or 1)
    if parts == 1:
        return 1, lambda words, at: words[at] - middle
    return 1, lambda words, at: (words[at] - middle) / parts


def _sensor(table: str) -> _Sensor:
    values, at = [], 0
    for entry in table.split(","):
        name, text = entry.split()
        size, read = _form(text)
        values.append((name, at, read))
        at += size
    return _Sensor(at, values)


def _decoder(*tables: str) -> Decoder:
    sensors = [_sensor(table) for table in tables]

    def decode(data: bytes, port: int | None = None) -> Found:  # noqa: ARG001 - the port may be set by the owner
        if len(data) < _HEADER or data[0] != _VERSION:
            return bad("this is no frame of Decentlab's protocol version 2")
        device, flags = unpack_from(">HH", data, 1)
        there = [sensor for bit, sensor in enumerate(sensors) if flags >> bit & 1]
        if flags >> len(sensors):
            return bad(f"the flags {flags:04x} name a sensor that this model does not have")
        count = sum(sensor.length for sensor in there)
        if len(data) != _HEADER + 2 * count:
            return bad(f"the flags {flags:04x} ask for {_HEADER + 2 * count} bytes, {len(data)} are there")
        return {"protocol_version": _VERSION, "device_id": device} | _read(there, unpack_from(f">{count}H", data, 5))

    return decode


def _read(sensors: list[_Sensor], words: _Words) -> Values:
    found: Values = {}
    start = 0
    for sensor in sensors:
        for name, at, read in sensor.values:
            found[name] = read(words, start + at)
        start += sensor.length
    return found


_BATTERY = "battery_voltage u/1000"
_WIND = "wind_speed s/100, wind_direction s/10, maximum_wind_speed s/100, air_temperature s/10"
_SKY = "lightning_strike_count s, lightning_average_distance s"
_AXES = "x_orientation_angle s/10, y_orientation_angle s/10"
_NORTH_EAST = "north_wind_speed s/100, east_wind_speed s/100"
_ROAD = "surface_temperature s/100, air_temperature s/100, air_humidity s/100, dew_point s/100, angle s"
_SHT35 = "air_temperature sht35_t, air_humidity sht35_rh"
_SHT21 = "air_temperature sht21_t, air_humidity sht21_rh"
_PRESSURE = "barometric_pressure pa"
_CTD = "water_depth s, temperature s/10, electrical_conductivity {}, freezing_flag u"
_STATUS = "status u, temperature s/100"

_MODELS: dict[str, tuple[str, ...]] = {
    "atm22": (f"{_WIND}, {_AXES}, {_NORTH_EAST}", _BATTERY),
    "atm41": (
        (
            f"solar_radiation s, precipitation s/1000, {_SKY}, {_WIND}, vapor_pressure s/100,"
            "atmospheric_pressure s/100, relative_humidity s/10, sensor_temperature_internal s/10,"
            f"{_AXES}, compass_heading s, {_NORTH_EAST}"
        ),
        _BATTERY,
    ),
    "atm41g2": (
        (
            f"solar_radiation s/10, precipitation u/1000, {_SKY}, {_WIND}, vapor_pressure s/100,"
            "barometric_pressure s/100, relative_humidity s/10, internal_temperature s/10,"
            "tilt_angle_x_orientation s/10, tilt_angle_y_orientation s/10,"
            "precipitation_electrical_conductivity s, cumulative_precipitation long/1000"
        ),
        _BATTERY,
    ),
    "ctd10": (_CTD.format("u"), _BATTERY),
    "ctd10b": (_CTD.format("double"), _BATTERY),
    "cws": (f"{_ROAD}, sensor_temperature s/100", _BATTERY),
    "cws2": (
        "air_temperature_radiation_shield sht35_t, air_humidity_radiation_shield sht35_rh",
        f"{_ROAD}, sensor_temperature s/100",
        _BATTERY,
    ),
    "dlr2_002": ("pulse_count u, pulse_interval u, cumulative_pulse_count long", _BATTERY),
    "iam": (
        _BATTERY,
        _SHT35,
        _PRESSURE,
        "ambient_light_visible_infrared u, ambient_light_infrared u, illuminance lux",
        "co2_concentration s, co2_sensor_status u, raw_ir_reading u",
        "activity_counter u",
        "total_voc u",
    ),
    "lid": (
        (
            "distance_average u, distance_minimum u, distance_maximum u, distance_median u, distance_10th_percentile u,"
            "distance_25th_percentile u, distance_75th_percentile u, distance_90th_percentile u,"
            "distance_most_frequent_value u, number_of_samples u, total_acquisition_time ms"
        ),
        _BATTERY,
    ),
    "lp8p": (
        _SHT21,
        f"barometer_temperature kelvin, {_PRESSURE}",
        (
            "co2_concentration s, co2_concentration_lpf s, co2_sensor_temperature s/100, capacitor_voltage_1 u/1000,"
            "capacitor_voltage_2 u/1000, co2_sensor_status u, raw_ir_reading u, raw_ir_reading_lpf u"
        ),
        _BATTERY,
    ),
    "lpw": ("potentiometer_position way", _BATTERY),
    "mbx": ("distance u, number_of_valid_samples u", _BATTERY),
    "ntu": (f"{_STATUS}, turbidity_in_ntu u/10, turbidity_in_fnu u/10, turbidity_in_mg_l u/10", _BATTERY),
    "optod": (
        f"{_STATUS}, oxygen_saturation s/100, oxygen_concentration s/100, oxygen_concentration_alt s/100",
        _BATTERY,
    ),
    "pheht": (f"{_STATUS}, ph s/100, redox s/10, ph_mv s/10", _BATTERY),
    "pm": (
        _BATTERY,
        (
            "pm1_0_mass_concentration u/10, pm2_5_mass_concentration u/10, pm4_mass_concentration u/10,"
            "pm10_mass_concentration u/10, typical_particle_size u, pm0_5_number_concentration u/10,"
            "pm1_0_number_concentration u/10, pm2_5_number_concentration u/10, pm4_number_concentration u/10,"
            "pm10_number_concentration u/10"
        ),
        _SHT21,
        _PRESSURE,
    ),
    "pr21": ("pressure bar_-1_10, temperature keller_t", _BATTERY),
    "pr26": ("pressure bar_0_1, temperature keller_t", _BATTERY),
    "pr36": ("pressure s/8192, temperature s/256", _BATTERY),
    "pr36ctd": (
        "pressure s/8192, temperature_electronics s/256, temperature_pt1000 s/256, electrical_conductivity s/1024",
        _BATTERY,
    ),
    "pyr": ("total_solar_radiation pyr", _BATTERY),
    "sht35": (_SHT35, _BATTERY),
    "tbrg": ("precipitation_in_interval u/10, interval u, total_accumulated_precipitation long/10", _BATTERY),
    "wrm": (_SHT35, "surface_temperature head, head_temperature head", _BATTERY),
}

DECODERS: dict[str, Decoder] = {f"decentlab_dl_{model}": _decoder(*tables) for model, tables in _MODELS.items()}
