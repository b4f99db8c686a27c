"""The simulated city is reproducible, says the same as messages and as tables, and truly holds its faults."""

import csv
import io
import json
from collections import Counter, defaultdict
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from devices.assetrows import asset_rows
from devices.csvfile import read
from devices.kinds import kinds
from devices.rows import registrations
from devices.simulate import City, city
from schemas import units
from schemas.vocabulary import families, measures

START = datetime(2026, 10, 10, 22, tzinfo=UTC)  # local midnight; summer time ends in the third week
LOCAL = ZoneInfo("Europe/Ljubljana")
SIMULATED = ("water_meter", "district_meter", "waste_container", "streetlight", "hydrant", "traffic_counter")


@pytest.fixture(scope="module")
def town() -> City:
    return city(7, "ptuj", START, scale=0.4)


@pytest.fixture(scope="module")
def bodies(town) -> list[tuple[str, dict]]:
    """Every JSON object with its topic; what is not JSON or holds no object is left out."""
    found = []
    for topic, payload in town.messages():
        try:
            document = json.loads(payload, parse_float=Decimal)
        except ValueError:
            continue
        found += [
            (topic, one) for one in (document if isinstance(document, list) else [document]) if isinstance(one, dict)
        ]
    return found


def moment(value: str | int) -> datetime:
    if isinstance(value, str):
        return datetime.fromisoformat(value)
    return datetime.fromtimestamp(value / 1000 if value > 10**11 else value, UTC)


def frame(town: City, family: str) -> pl.DataFrame:
    return pl.DataFrame(town.readings(family))


def test_the_same_seed_gives_the_same_bytes_and_another_seed_another_town():
    small = {"days": 14, "scale": 0.1}
    one, same, other = (city(seed, "ptuj", START, **small) for seed in (3, 3, 4))
    assert list(one.messages()) == list(same.messages())
    assert (one.faults, one.registrations, one.expected) == (same.faults, same.registrations, same.expected)
    assert one.registrations != other.registrations


def test_the_messages_say_what_the_tables_say(town, bodies):
    known = {row["device_id"]: row["family"] for row in town.registrations}
    told: dict[tuple, dict] = {}
    for topic, sent in bodies:
        body = dict(sent)
        device = body.pop("device", None) or topic.split("/")[2]
        time = moment(body.pop("time"))
        if device not in known or time < town.start:
            continue
        body.pop("seq")
        keys = tuple(body.pop(key) for key in families()[known[device]].keys)
        told[device, keys, time] = {name: canonical(name, value) for name, value in body.items()}
    for family in SIMULATED:
        description = families()[family]
        columns = ("device_id", "observed_at", *description.keys)
        for row in frame(town, family).iter_rows(named=True):
            body = {name: value for name, value in row.items() if name not in columns and value is not None}
            assert told.pop((row["device_id"], tuple(row[k] for k in description.keys), row["observed_at"])) == body
    assert not told


def canonical(name: str, value: object) -> object:
    """A value as its column holds it: quantities in the canonical unit, exactly."""
    if isinstance(value, dict):
        factor, offset = units.conversion(value["unit"], measures()[name].unit)
        exact = Fraction(value["value"]) * factor + offset
        value = Decimal(exact.numerator) / Decimal(exact.denominator)
    return float(value) if measures()[name].type == "float" else value


def test_the_counts_agree_with_the_messages(town, bodies):
    expected, messages = town.expected, list(town.messages())
    known = {row["device_id"] for row in town.registrations}
    assert expected["messages"] == len(messages)
    assert expected["readings"] == len(bodies) == expected["stored"] + expected["duplicates"] + expected["unknown"]
    assert expected["duplicate_messages"] == len(messages) - len(set(messages)) - repeats_of_nonsense(messages)
    strangers = [topic for topic, body in bodies if "device" not in body and topic.split("/")[2] not in known]
    assert (len(strangers), len(set(strangers))) == (expected["unknown"], 2)
    assert expected["untrusted"] == sum(moment(body["time"]).year == 1970 for _, body in bodies)
    assert expected["stored"] == sum(expected[f"stored_{family}"] for family in SIMULATED)
    assert expected["undecodable"] == 30
    tables = sum(town.readings(family).num_rows for family in SIMULATED)
    assert expected["stored"] == tables + expected["untrusted"]


def repeats_of_nonsense(messages: list[tuple[str, bytes]]) -> int:
    nonsense = Counter(message for message in messages if b'"seq"' not in message[1])
    return sum(count - 1 for count in nonsense.values())


def test_every_family_has_its_size_and_three_weeks_have_the_promised_number_of_messages():
    town = city(8, "ptuj", START)
    sizes = Counter(row["family"] for row in town.registrations)
    assert sizes == {
        "water_meter": 160,
        "district_meter": 3,
        "waste_container": 40,
        "streetlight": 60,
        "hydrant": 25,
        "traffic_counter": 8,
    }
    assert 180_000 <= town.expected["messages"] <= 260_000


def test_no_reading_comes_twice_in_a_table_and_all_lie_within_the_gross_range(town):
    for family in SIMULATED:
        description = families()[family]
        data = frame(town, family)
        assert not data.select("device_id", "observed_at", *description.keys).is_duplicated().any()
        assert data["observed_at"].min() >= town.start
        assert data["observed_at"].max() < town.end
        for measure in description.columns:
            values = data[measure.name].drop_nulls()
            if measure.min is not None and len(values):
                assert measure.min <= values.min()
                assert values.max() <= measure.max


def test_registers_never_run_backwards(town):
    for family, measure in (
        ("water_meter", "volume_total_m3"),
        ("district_meter", "volume_total_m3"),
        ("streetlight", "energy_total_kwh"),
    ):
        data = frame(town, family).sort("device_id", "observed_at")
        assert data.select((pl.col(measure).diff().over("device_id") >= 0).all()).item()


def test_messages_come_in_the_order_of_device_time_but_for_the_late_ones(town, bodies):
    last: dict[str, datetime] = {}
    late = 0
    for topic, body in bodies:
        time = moment(body["time"])
        if time.year == 1970 or "gateway" in topic:
            continue
        late += time < last.get(topic, time)
        last[topic] = max(time, last.get(topic, time))
    assert 100 < late < 3 * (town.expected["late"] + town.expected["duplicates"])


def test_every_dialect_is_spoken(town, bodies):
    times = [body["time"] for _, body in bodies]
    assert any(isinstance(t, str) and t.endswith("Z") for t in times)
    assert any(isinstance(t, str) and t.endswith("+01:00") for t in times)
    assert any(isinstance(t, int) and t > 10**12 for t in times)
    assert any(isinstance(t, int) and t < 10**10 for t in times)
    written = {value["unit"] for _, body in bodies for value in body.values() if isinstance(value, dict)}
    assert written == {"L", "bar"}
    days = [payload for topic, payload in town.messages() if "/water_meter/" in topic and payload[:1] == b"["]
    assert max(len(json.loads(payload)) for payload in days) == 24


def test_a_gateway_speaks_for_its_own_devices_and_for_no_other(town, bodies):
    own = {row["device_id"] for row in town.registrations if row["gateway"] == "gw-01"}
    named = {body["device"] for topic, body in bodies if topic == "ptuj/gateway/gw-01/telemetry"}
    assert named == own
    assert len(own) == 5
    assert not any(topic.split("/")[2] in own for topic, body in bodies if "seq" in body)


def as_csv(rows: list[dict[str, str]]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)  # raises where a row has a column of its own
    return text.getvalue().encode()


def test_the_registry_reads_the_registrations_and_the_areas_without_a_problem(town):
    devices = registrations(read(as_csv(town.registrations)), LOCAL)
    areas = asset_rows(read(as_csv(town.areas)), kinds()["area"], LOCAL)
    assert (devices.problems, areas.problems) == ((), ())
    assert {row.area for row in devices.rows} <= {area.id for area in areas.rows}
    assert Counter(area.values["kind"] for area in areas.rows) == {"district": 3, "zone": 1}
    assert len({row.device_id for row in devices.rows}) == len(town.registrations)
    assert all(row.valid_from < START.timestamp() * 1_000_000 for row in devices.rows)


@pytest.mark.parametrize(
    ("start", "days", "faults"),
    [(datetime(2026, 1, 1), 21, None), (START, 2, None), (START, 21, {"flood"}), (START, 0, ())],  # noqa: DTZ001 - naive on purpose
)
def test_what_cannot_be_simulated_is_refused(start, days, faults):
    with pytest.raises(ValueError, match="zone"):
        city(1, "ptuj", start, days, faults)


def test_a_sequence_number_of_a_device_belongs_to_one_reading(bodies):
    numbers = defaultdict(set)
    for topic, body in bodies:
        if moment(body["time"]) >= START:
            reading = body["time"], body.get("lane"), body.get("direction")
            numbers[body.get("device", topic), body["seq"]].add(reading)
    assert max(map(len, numbers.values())) == 1


def test_the_time_of_sending_never_goes_back_and_is_never_before_the_measurement(town):
    sent = list(town.timed())
    assert [message for _, message in sent] == list(town.messages())
    times = [time for time, _ in sent]
    assert times == sorted(times)
    for time, (_, payload) in sent:
        if payload.startswith(b'{"time"') and payload.endswith(b"}"):
            assert moment(json.loads(payload)["time"]) <= time
