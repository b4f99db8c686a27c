"""A part of energy is that part of the whole; changed readings change days where energy_reach says, and no others."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.indicators.world import empty, put
from tests.lake.dirt import APART, LITRE, dirty_series

BEGAN = int(datetime(2026, 2, 1, tzinfo=UTC).timestamp()) * 1_000_000
DAY = 86_400_000_000
REGISTERS = {"streetlight": ("energy_total_kwh",), "heat_meter": ("heat_total_kwh", "cooling_total_kwh")}
IDENTITY = (("device_id", pa.string()), ("observed_at", pa.timestamp("us", "UTC")))
DIFFERENT = """WITH now AS (FROM energy_daily), change AS (
    (FROM now EXCEPT FROM earlier) UNION (FROM earlier EXCEPT FROM now))
SELECT c.thing_id, c.local_date, r.first_date, r.last_date FROM change AS c
LEFT JOIN energy_reach($first, $last) AS r ON r.thing_id = c.thing_id
WHERE coalesce(c.local_date NOT BETWEEN r.first_date AND r.last_date, true)"""


@pytest.fixture(scope="module")
def world():
    connection = empty()
    for family in REGISTERS:
        connection.execute(f"CREATE TABLE older_{family} AS FROM {family}")
        connection.execute(f"CREATE OR REPLACE VIEW {family}_revisions AS FROM {family} UNION ALL FROM older_{family}")
    return connection


def moment(at):
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at)


@st.composite
def towns(draw):
    """Lamps and heat meters with the series of each register; the first device perhaps moves to another thing."""
    width = draw(st.sampled_from([0, 0, 5]))
    full = 10**width * 1000 if width else 0
    town = []
    for family in draw(st.lists(st.sampled_from(sorted(REGISTERS)), min_size=1, max_size=3)):
        town.append((family, [draw(dirty_series(BEGAN, full, APART, 25)) for _ in REGISTERS[family]]))
    hung = [{"device_id": f"e{n}", "thing_id": f"t{n}", "valid_from": moment(0)} for n in range(len(town))]
    if draw(st.booleans()):
        points = town[0][1][0]
        change = moment(points[draw(st.integers(0, len(points) - 1))][0] + draw(st.sampled_from([0, DAY // 3])))
        known = draw(st.booleans())
        hung[0] |= {"valid_to": change, "end_register": points[-1][1] if known else None}
        start = points[0][1] if known else None
        hung.append({"device_id": "e0", "thing_id": "other", "valid_from": change, "start_register": start})
    return town, hung, width


def readings(town, family):
    """The rows of a family: two registers read at one moment are one row."""
    rows = {}
    for n, (kind, series) in enumerate(town):
        for column, points in zip(REGISTERS[kind], series, strict=True):
            for at, value in points if kind == family else ():
                row = rows.setdefault((n, at), {"device_id": f"e{n}", "observed_at": moment(at)})
                row[column] = value
    columns = [(column, pa.decimal128(18, 6)) for column in REGISTERS[family]]
    return pa.Table.from_pylist(list(rows.values()), pa.schema([*IDENTITY, *columns]))


def fill(world, town, hung, width):
    for table in ("things", "devices", "assignments", *REGISTERS, *(f"older_{family}" for family in REGISTERS)):
        world.execute(f"DELETE FROM {table}")
    factors = f'{{"register_width": {width}}}' if width else "{}"
    put(world, "things", [{"thing_id": "other", "family": town[0][0]}])
    put(world, "things", [{"thing_id": f"t{n}", "family": family} for n, (family, _) in enumerate(town)])
    for n, (family, _) in enumerate(town):
        put(world, "devices", [{"device_id": f"e{n}", "family": family, "factors": factors}])
    put(world, "assignments", hung)
    for family in REGISTERS:
        put(world, family, readings(town, family))


def spans(draw, town, beside=(0,)):
    at = draw(st.sampled_from([at for _, series in town for points in series for at, _ in points]))
    first = moment(at).date() + timedelta(draw(st.sampled_from(beside)))
    return {"first": first, "last": first + timedelta(draw(st.sampled_from([0, 0, 1, 6])))}


def rows(world, query, **named):
    return world.execute(query, named).fetchall()


def before(draw, world, family, span):
    """Put what was known earlier into the table: some readings not at all yet, or with another register or quality."""
    inside = "local_date(observed_at) BETWEEN $first AND $last"
    new = draw(st.sampled_from(["come", "revised"]))
    columns = REGISTERS[family]
    for device, at, *values in rows(
        world, f"SELECT device_id, observed_at, {', '.join(columns)} FROM {family} WHERE {inside}", **span
    ):
        if draw(st.integers(0, 3)) == 0:
            continue
        world.execute(f"DELETE FROM {family} WHERE device_id = ? AND observed_at = ?", [device, at])
        if new == "revised":
            other = {name: _another(draw, value) for name, value in zip(columns, values, strict=True)}
            quality = draw(st.sampled_from([1, 1, 4]))
            put(world, f"older_{family}", [{"device_id": device, "observed_at": at, "quality": quality} | other])
    put(world, family, f"SELECT * EXCLUDE (day) FROM older_{family}")


def _another(draw, value):
    if value is None:
        return None
    return max(draw(st.sampled_from([value, Decimal(0), value + 50, value - LITRE, value * 2])), Decimal(0))


@settings(max_examples=8, deadline=None)
@given(data=st.data(), made=towns())
def test_a_part_of_energy_is_that_part_of_the_whole(world, data, made):
    fill(world, *made)
    span = spans(data.draw, made[0], beside=(0, 0, 0, 1, -1, 3, -3, 12, -12, 30, -30))
    daily = "FROM energy_daily WHERE local_date BETWEEN $first AND $last ORDER BY ALL"
    assert rows(world, "FROM energy_days($first, $last) ORDER BY ALL", **span) == rows(world, daily, **span)


@settings(max_examples=8, deadline=None)
@given(data=st.data(), made=towns())
def test_what_new_and_revised_readings_of_energy_change_is_within_their_reach(world, data, made):
    fill(world, *made)
    span = spans(data.draw, made[0])
    for family in REGISTERS:
        before(data.draw, world, family, span)
    world.execute("CREATE OR REPLACE TABLE earlier AS FROM energy_daily")
    for family in REGISTERS:
        world.execute(f"DELETE FROM {family}")
        put(world, family, readings(made[0], family))
    assert rows(world, DIFFERENT, **span) == []


def test_a_lamp_whose_register_only_rises_reaches_the_readings_beside_it(world):
    hours = [(BEGAN + n * DAY // 24, n * LITRE) for n in range(24 * 20)]
    fill(world, [("streetlight", [hours])], [{"device_id": "e0", "thing_id": "t0", "valid_from": moment(0)}], 0)
    day = date(2026, 2, 10)
    found = rows(world, "FROM energy_reach($first, $last)", first=day, last=day)
    assert found == [("t0", False, day - timedelta(1), day + timedelta(1))]


def test_a_heat_meter_is_wide_where_one_of_its_registers_falls(world):
    rising = [(BEGAN + n * DAY // 24, n * LITRE) for n in range(24 * 20)]
    falling = [(at, value if at < BEGAN + 9 * DAY else Decimal(0)) for at, value in rising]
    fill(
        world, [("heat_meter", [rising, falling])], [{"device_id": "e0", "thing_id": "t0", "valid_from": moment(0)}], 0
    )
    day = date(2026, 2, 10)
    found = rows(world, "FROM energy_reach($first, $last)", first=day, last=day)
    assert found == [("t0", True, day - timedelta(57), day + timedelta(64))]
