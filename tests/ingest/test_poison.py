"""Proves that no message, however hostile, is lost, blocks its neighbours or is read as something it is not."""

import json
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from tests.ingest.feeding import HOUR, NOW, Feed, topic, view, z

GOOD = {"time": z(NOW - HOUR), "seq": 1, "volume_total_m3": 12.5}
AT = NOW - HOUR


@pytest.fixture
def feed(tmp_path):
    feed = Feed(tmp_path / "home", more='[[route]]\nfilter = "application/+/device/+/event/+"\ncodec = "chirpstack"\n')
    feed.register(("m1", "water_meter"), ("m2", "water_meter"), ("c1", "waste_container"), ("t1", "traffic_counter"))
    feed.register(("g1m", "water_meter"), ("g1t", "traffic_counter"), gateway="g1")
    return feed


def one(feed, where, payload, **facts):
    """The message between two good ones: gives (readings of m1's neighbours stored, held by reason)."""
    feed.say(topic("m2"), GOOD)
    feed.say(where, payload, **facts)
    feed.say(topic("m2"), GOOD | {"time": z(NOW), "seq": 2, "volume_total_m3": 12.6})
    feed.commit()
    assert len(feed.sql("SELECT 1 FROM water_meter WHERE device_id = 'm2'")) == 2
    feed.check()
    return feed.quarantined()


BYTES = {
    "empty": (b"", "not_json"),
    "blank": (b" \n", "not_json"),
    "text": (b"hello", "not_json"),
    "nul": (b"\0\0\0", "not_json"),
    "nul after a good object": (json.dumps(GOOD).encode() + b"\0", "not_json"),
    "two objects": (json.dumps(GOOD).encode() * 2, "not_json"),
    "two lines": (b"\n".join([json.dumps(GOOD).encode()] * 2), "not_json"),
    "byte order mark": (b"\xef\xbb\xbf" + json.dumps(GOOD).encode(), "not_json"),
    "not UTF-8": (b'{"volume_total_m3": 1, "x": "\xff\xfe"}', "not_json"),
    "lone surrogate": (b'{"volume_total_m3": 1, "x": "\\ud800"}', "not_json"),
    "NaN": (b'{"volume_total_m3": NaN}', "not_json"),
    "Infinity": (b'{"flow_m3h": Infinity}', "not_json"),
    "-Infinity": (b'{"flow_m3h": -Infinity}', "not_json"),
    "1e999": (b'{"flow_m3h": 1e999}', "not_json"),
    "1e400 in an unknown field": (b'{"flow_m3h": 1, "x": 1e400}', "not_json"),
    "nested arrays": (b"[" * 100_000 + b"]" * 100_000, "not_json"),
    "nested objects": (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "not_json"),
    "nested unknown field": (b'{"flow_m3h":1,"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "not_json"),
    "number": (b"17", "wrong_shape"),
    "string": (b'"17"', "wrong_shape"),
    "null": (b"null", "wrong_shape"),
    "true": (b"true", "wrong_shape"),
    "empty array": (b"[]", "wrong_shape"),
    "empty object": (b"{}", "no_measure"),
    "only a time": (b'{"time": "2026-03-02T05:00:00Z"}', "no_measure"),
    "only unknown fields": (b'{"voda": 17}', "no_measure"),
    "only nulls": (b'{"volume_total_m3": null}', "no_measure"),
    "number as a string": (b'{"volume_total_m3": "12.5"}', "wrong_type"),
    "decimal comma": (b'{"volume_total_m3": "12,5"}', "wrong_type"),
    "boolean for a number": (b'{"volume_total_m3": true}', "wrong_type"),
    "number for a boolean": (b'{"alarm_leak": 2}', "wrong_type"),
    "text for a boolean": (b'{"alarm_leak": "yes"}', "wrong_type"),
    "array for a number": (b'{"volume_total_m3": [1]}', "wrong_type"),
    "huge integer": (b'{"volume_total_m3": ' + b"9" * 30 + b"}", "wrong_type"),
    "huge count": (b'{"pulse_count": ' + b"9" * 30 + b"}", "wrong_type"),
    "half a pulse": (b'{"pulse_count": 1.5}', "wrong_type"),
    "seq as a string": (b'{"volume_total_m3": 1, "seq": "7"}', "wrong_type"),
    "seq below zero": (b'{"volume_total_m3": 1, "seq": -1}', "wrong_type"),
    "seq beyond 64 bits": (b'{"volume_total_m3": 1, "seq": 18446744073709551616}', "wrong_type"),
    "another device": (b'{"volume_total_m3": 1, "device": "m2"}', "device_mismatch"),
    "another device id": (b'{"volume_total_m3": 1, "device_id": "m2"}', "device_mismatch"),
    "a device that is a number": (b'{"volume_total_m3": 1, "device": 7}', "wrong_type"),
    "a device that is zero": (b'{"volume_total_m3": 1, "device": 0}', "wrong_type"),
    "unit of something else": (b'{"volume_total_m3": {"value": 1, "unit": "Cel"}}', "wrong_unit"),
    "unknown unit": (b'{"volume_total_m3": {"value": 1, "unit": "firkin"}}', "wrong_unit"),
    "quantity without a unit": (b'{"volume_total_m3": {"value": 1}}', "wrong_type"),
    "quantity of a string": (b'{"volume_total_m3": {"value": "1", "unit": "L"}}', "wrong_type"),
    "quantity of a boolean": (b'{"volume_total_m3": {"value": true, "unit": "L"}}', "wrong_type"),
    "quantity beyond all floats": (b'{"volume_total_m3": {"value": ' + b"9" * 400 + b', "unit": "L"}}', "wrong_type"),
    "quantity that grows beyond floats": (b'{"flow_m3h": {"value": 1e308, "unit": "m3/s"}}', "wrong_type"),
    "a unit that is an object": (b'{"volume_total_m3": {"value": 1, "unit": {}}}', "wrong_type"),
}


def test_what_cannot_be_a_reading_is_held_with_its_reason_and_touches_no_neighbour(feed):
    for number, (payload, _) in enumerate(BYTES.values()):
        feed.say(topic("m1"), payload)
        feed.say(topic("m2"), {"time": z(AT + number * HOUR / 60), "volume_total_m3": number})
    feed.commit()
    held = dict(feed.sql("SELECT payload, reason FROM quarantine"))
    assert {name: held.get(payload) for name, (payload, _) in BYTES.items()} == {n: r for n, (_, r) in BYTES.items()}
    assert feed.sql("SELECT device_id, count(*) FROM water_meter GROUP BY 1") == [("m2", len(BYTES))]
    feed.check()


TOPICS = {
    "climbing": f"{topic('..')}",
    "climbing far": "ptuj/../../etc/passwd",
    "quote": "ptuj/water_meter/m1' OR 1=1 --/telemetry",
    "statement": 'ptuj/water_meter/"; DROP TABLE plans; --/telemetry',
    "newline": "ptuj/water_meter/m1\nm2/telemetry",
    "carriage return": "ptuj/water_meter/m1\r/telemetry",
    "empty levels": "ptuj/water_meter//telemetry",
    "only slashes": "///",
    "very long": "ptuj/water_meter/" + "x" * 60_000 + "/telemetry",
    "very deep": "ptuj/" + "/".join("x" * 20_000),
    "day= folder": "ptuj/water_meter/day=2026-01-01/telemetry",
    "unknown family": topic("m1", "moon_meter"),
    "a table of ours": topic("m1", "raw_messages"),
    "another municipality": "maribor/water_meter/m1/telemetry",
    "upper case": "PTUJ/water_meter/m1/telemetry",
    "missing level": "ptuj/water_meter/telemetry",
    "empty topic": "",
    "right to left": "ptuj/water_meter/\u202em1/telemetry",
}


def test_a_hostile_topic_is_held_as_it_is_and_opens_nothing(feed):
    before = set(feed.home.path.parent.iterdir())
    for where in TOPICS.values():
        feed.say(where, GOOD)
    feed.say(topic("m2"), GOOD)
    feed.commit()
    held = dict(feed.sql("SELECT topic, reason FROM quarantine"))
    assert set(held) == set(TOPICS.values())
    assert set(held.values()) == {"no_route", "unknown_device"}
    assert set(feed.home.path.parent.iterdir()) == before
    tables = {path.name for path in feed.home.lake.iterdir()}
    assert tables == {".lock", "water_meter", "raw_messages", "quarantine", "balance"}
    feed.check()


def test_a_family_that_is_not_the_devices_own_is_refused(feed):
    assert one(feed, topic("c1"), GOOD) == {"wrong_family": 1}


def test_an_unregistered_device_is_held_with_its_name(feed):
    """wmbusmeters#626: a telegram of an unknown or a neighbour's meter is nobody's reading."""
    assert one(feed, topic("m9"), GOOD) == {"unknown_device": 1}
    assert feed.sql("SELECT device_id FROM quarantine") == [("m9",)]


def test_a_gateway_speaks_for_its_own_devices_only(feed):
    where = "ptuj/gateway/g1/telemetry"
    held = one(feed, where, [GOOD | {"device": "g1m"}, GOOD | {"device": "m1"}, GOOD])
    assert held == {"foreign_gateway": 1, "wrong_shape": 1}
    assert feed.sql("SELECT device_id FROM water_meter WHERE device_id <> 'm2'") == [("g1m",)]
    assert feed.sql("SELECT DISTINCT gateway FROM quarantine") == [("g1",)]


def test_a_gateway_that_names_its_devices_by_device_id_is_heard_live(feed):
    """Two spellings of one field must not mean two things: a round without times is live either way."""
    where = "ptuj/gateway/g1/telemetry"
    for name in ("device", "device_id"):
        feed.say(where, [{name: "g1m", "volume_total_m3": 1}, {name: "g1t", "count": 3}])
        feed.now += HOUR
    feed.commit()
    assert feed.quarantined() == {}
    assert len(view(feed, "water_meter")) == len(view(feed, "traffic_counter")) == 2


def test_one_wrong_element_of_an_upload_is_held_alone(feed):
    upload = [GOOD | {"time": z(AT + n * HOUR / 60), "seq": n} for n in range(10)]
    upload[4] = {"time": z(AT), "volume_total_m3": "x"}
    assert one(feed, topic("m1"), upload) == {"wrong_type": 1}
    assert len(feed.sql("SELECT 1 FROM water_meter WHERE device_id = 'm1'")) == 9
    [(element, payload)] = feed.sql("SELECT element, payload FROM quarantine")
    assert (element, json.loads(payload)) == (4, upload[4])


def test_an_upload_with_20_000_elements_is_held_whole(feed):
    assert one(feed, topic("m1"), [GOOD] * 20_000) == {"too_large": 1}


def test_10_000_empty_objects_in_a_message_do_not_stop_the_writer(feed):
    """The cost of refused elements grows with their number, not with its square."""
    began = time.monotonic()
    assert one(feed, topic("m1"), [{}] * 10_000) == {"no_measure": 10_000}
    assert time.monotonic() - began < 10


def test_1_001_undecodable_messages_then_a_good_one(feed):
    """telegraf#13476: bad messages must not use up a window."""
    for number in range(1001):
        feed.say(topic("m1"), b"\x00bad %d" % number)
    feed.say(topic("m1"), GOOD)
    feed.commit()
    assert feed.quarantined() == {"not_json": 1001}
    assert len(view(feed, "water_meter")) == 1
    feed.check()


@pytest.mark.parametrize("error", [OverflowError("too large"), KeyError("x"), RecursionError(), TypeError()])
def test_a_codec_that_fails_costs_its_message_alone(feed, monkeypatch, error):
    """A fault of ours in one decoder must not stop a town: the message waits for the next version."""

    def broken(_topic, _payload):
        raise error

    monkeypatch.setattr("ingest.codecs.json.decode", broken)
    monkeypatch.setattr("ingest.codecs.chirpstack.decode", broken)
    feed.restart()
    assert one(feed, "application/1/device/0011223344556677/event/up", b"{}") == {"decoder_failed": 1}
    assert type(error).__name__ in feed.sql("SELECT detail FROM quarantine")[0][0]


def test_the_same_poison_again_is_counted_not_kept_twice(feed):
    for _ in range(3):
        one(feed, topic("m1"), b"poison")
    assert feed.sql("SELECT count, payload FROM quarantine") == [(3, b"poison")]


def test_a_field_first_seen_later_is_kept(feed):
    """Proves telegraf PR#19554: a field of unknown name is not lost and crashes nothing, whatever it holds."""
    feed.say(topic("m1"), GOOD)
    feed.commit()
    values = ({"k": 1}, {"k": "v"}, {"k": {"a": [1, None, True]}}, {"k": 10**30}, {"k": -0.0}, {"k": "\x00'\""})
    for number, extra in enumerate(values, 2):
        feed.say(topic("m1"), {"time": z(AT + number * HOUR / 60), "seq": number, "volume_total_m3": 13} | extra)
        feed.commit()
    found = feed.sql("SELECT extra FROM water_meter ORDER BY seq")
    assert [json.loads(text) for (text,) in found[1:]] == list(values)


def test_int_then_float_then_string(feed):
    """telegraf#19563: a whole number may come as 5 or 5.0; half a vehicle or a text is held, the column stays."""
    for number, count in enumerate((5, 5.0, 5.5, "5")):
        feed.say(topic("t1", "traffic_counter"), {"time": z(AT + number * HOUR / 60), "count": count})
        feed.commit()
    assert feed.sql("SELECT count FROM traffic_counter ORDER BY observed_at") == [(5,), (5,)]
    assert feed.quarantined() == {"wrong_type": 2}


def test_keys_may_be_numbers_or_texts_and_are_the_same_lane(feed):
    for lane in (1, "1"):
        feed.say(topic("t1", "traffic_counter"), {"time": z(AT), "lane": lane, "count": 3})
    assert feed.commit()["duplicate"] == 1
    feed.say(topic("t1", "traffic_counter"), {"time": z(AT), "lane": "x" * 65, "count": 3})
    feed.say(topic("t1", "traffic_counter"), {"time": z(AT), "lane": [1], "count": 3})
    assert feed.commit()["quarantined"] == 2


@pytest.mark.parametrize("seconds", [2**53, 10**12, -(2**53), 0, 86_401])
def test_an_impossible_interval_never_makes_an_impossible_end(feed, seconds):
    feed.say(topic("t1", "traffic_counter"), {"time": z(AT), "interval_s": seconds, "count": 3})
    feed.commit()
    assert feed.sql("SELECT observed_until, quality FROM traffic_counter") == [(None, 4)]


@pytest.mark.parametrize("pulses", [2**53, -(2**53), 10**15])
def test_a_register_computed_beyond_its_column_is_kept_without_it(tmp_path, pulses):
    feed = Feed(tmp_path / "home")
    feed.register(("p1", "water_meter"), factors={"m3_per_pulse": 1000.0, "index_offset_m3": 0.0})
    feed.say(topic("p1"), {"time": z(AT), "pulse_count": pulses})
    feed.commit()
    assert feed.sql("SELECT pulse_count, volume_total_m3, quality FROM water_meter") == [(pulses, None, 4)]
    feed.check()


@pytest.mark.parametrize("value", [1e9, 999_999_999_998.123456, -999_999_999_998.123456, 9_007_199_254.740993, 1e-7])
def test_a_register_at_the_edge_of_its_column_is_stored_once(feed, value):
    feed.say(topic("m1"), {"time": z(AT), "volume_total_m3": value})
    feed.commit()
    feed.restart()
    feed.say(topic("m1"), {"time": z(AT), "volume_total_m3": value})
    assert feed.commit()["duplicate"] == 1
    [(stored,)] = feed.sql("SELECT volume_total_m3 FROM water_meter")
    assert abs(stored - Decimal(value)) <= max(Decimal("0.0000005"), abs(Decimal(value)) * Decimal("1e-15"))


def test_quantities_are_converted_exactly(feed):
    feed.say(topic("m1"), {"time": z(AT), "volume_total_m3": {"value": 12500.1, "unit": "L"}})
    feed.commit()
    assert feed.sql("SELECT volume_total_m3 FROM water_meter") == [(Decimal("12.500100"),)]


# --- the clock of the device -----------------------------------------------------------------------------------------
HEARD = NOW


def placed(feed, told, **facts):
    """How a live reading with this `time` was placed: (observed_at, time_source, quality)."""
    feed.say(topic("m1"), {"volume_total_m3": 1} | ({} if told is None else {"time": told}), at=HEARD, **facts)
    feed.commit()
    feed.check()
    return feed.sql("SELECT observed_at, time_source, quality FROM water_meter")


@pytest.mark.parametrize(
    "told",
    [
        "1970-01-01T00:00:00Z",
        0,
        1,
        "2105-01-01T00:00:00Z",
        "9999-12-31T23:59:59.999999Z",
        "0001-01-01T00:00:00+23:59",
        "2026-03-02T05:00:00",  # naive: whose noon?
        "2026-03-02 05:00",
        "yesterday",
        "",
        "2019-12-31T23:59:59Z",  # before the device was there
        z(HEARD + timedelta(minutes=11)),
        1e300,
        -1e300,
        -1,
        int("9" * 400),
        True,
        [2026, 3, 2],
        {"s": 1},
    ],
    ids=lambda value: str(value)[:24],
)
def test_a_live_reading_with_a_clock_that_cannot_be_trusted_is_placed_by_the_broker(feed, told):
    assert placed(feed, told) == [(HEARD, "broker", 3)]


def test_a_clock_one_hour_off(feed):
    """An hour ahead is seen; an hour behind cannot be told from a late message, and is believed."""
    assert placed(feed, z(HEARD + HOUR)) == [(HEARD, "broker", 3)]
    feed.say(topic("m2"), {"time": z(HEARD - HOUR), "volume_total_m3": 1}, at=HEARD)
    feed.commit()
    found = feed.sql("SELECT observed_at, time_source, quality FROM water_meter WHERE device_id = 'm2'")
    assert found == [(HEARD - HOUR, "device", 1)]


@pytest.mark.parametrize("factor", [1, 1_000, 1_000_000, 1_000_000_000], ids=["s", "ms", "us", "ns"])
@pytest.mark.parametrize("path", ["typed", "general"])
def test_seconds_ms_us_and_ns_are_one_time(feed, factor, path):
    """arc#590: epoch times of any unit, on the quick path and on the general one."""
    more = {"note": 1} if path == "general" else {}
    feed.say(topic("m1"), {"time": int(AT.timestamp()) * factor, "volume_total_m3": 1} | more)
    feed.commit()
    assert feed.sql("SELECT observed_at, time_source FROM water_meter") == [(AT, "device")]


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-02T06:00:00+01:00",
        "2026-03-02T05:00:00Z",
        "2026-03-02t05:00:00z",
        "2026-03-02T05:00:00.000000Z",
        "2026-03-02T05:00:00.0000004Z",
        "2026-03-02 05:00:00+00:00",
    ],
)
def test_one_time_written_in_many_ways_is_one_reading_on_both_paths(feed, text):
    feed.say(topic("m1"), {"time": z(AT), "volume_total_m3": 1})
    feed.say(topic("m1"), {"time": text, "volume_total_m3": 1})
    feed.say(topic("m1"), {"time": text, "volume_total_m3": 1, "note": "general path"})
    assert feed.commit()["duplicate"] == 2


def test_finer_digits_than_a_microsecond_are_read_alike_on_both_paths(feed):
    feed.say(topic("m1"), {"time": "2026-03-02T05:00:00.1234567Z", "volume_total_m3": 1})
    feed.say(topic("m1"), {"time": "2026-03-02T05:00:00.1234567Z", "volume_total_m3": 1, "note": "general path"})
    assert feed.commit()["duplicate"] == 1


def test_history_without_a_trusted_time_is_held(feed):
    upload = [{"time": told, "volume_total_m3": n} for n, told in enumerate([z(AT), 0, None, z(NOW + HOUR)])]
    assert one(feed, topic("m1"), upload) == {"impossible_time": 3}
    assert feed.sql("SELECT observed_at FROM water_meter WHERE device_id = 'm1'") == [(AT,)]


def test_a_retained_message_without_its_own_time_is_held_with_it_is_a_duplicate(feed):
    """node-red#2119: a retained message at each reconnect stores nothing new."""
    for _ in range(3):
        feed.say(topic("m1"), GOOD, retain=True)
        feed.say(topic("m2"), {"volume_total_m3": 1}, retain=True)
        feed.now += HOUR
        feed.commit()
    assert feed.quarantined() == {"stale_retained": 3}
    assert len(view(feed, "water_meter")) == 1
    feed.check()


@pytest.mark.parametrize("between", ["one batch", "two batches", "restart"])
@pytest.mark.parametrize("heard", [HEARD, datetime(2026, 3, 2, 0, 0, 5, tzinfo=UTC)], ids=["by day", "at midnight"])
def test_a_redelivery_of_a_reading_without_a_time_is_a_duplicate(feed, between, heard):
    """The broker sends again what it holds for unacknowledged: DUP, and another time of receipt."""
    feed.say(topic("m1"), {"volume_total_m3": 7.5}, at=heard - timedelta(seconds=20))
    if between != "one batch":
        feed.commit()
    if between == "restart":
        feed.restart()
    feed.say(topic("m1"), {"volume_total_m3": 7.5}, at=heard, duplicate=True)
    feed.commit()
    assert feed.sql("SELECT observed_at FROM water_meter") == [(heard - timedelta(seconds=20),)]
    feed.check()


def test_equal_readings_without_a_time_are_all_kept_where_nothing_is_sent_again(feed):
    for minute in (30, 20, 10, 0):
        feed.say(topic("c1", "waste_container"), {"fill_pct": 40}, at=NOW - timedelta(minutes=minute))
    feed.commit()
    assert len(view(feed, "waste_container")) == 4


def test_too_old_is_counted_not_stored(tmp_path):
    feed = Feed(tmp_path / "home", more="[ingest]\ntoo_old_days = 30\n")
    feed.register(("m1", "water_meter"))
    for days in (29, 31, 400):
        feed.say(topic("m1"), {"time": z(NOW - timedelta(days=days)), "volume_total_m3": 1})
    assert feed.commit()["too_old"] == 2
    assert len(view(feed, "water_meter")) == 1
    feed.check()
