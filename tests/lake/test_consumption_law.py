"""The law: over any span a thing's consumption is the difference of its registers, to the last digit.

Across any number of exchanges and rollovers, over both changes of the clock, in whatever order readings arrive.
"""

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.imports import import_registrations
from devices.registry import Registration
from lake.commit import micros
from tests.indicators.world import empty, put
from tests.ingest.feeding import NOW, Feed, topic, z

MICRO = Decimal("0.000001")
NIGHTS = [
    datetime(2026, 3, 28, 12, tzinfo=UTC),
    datetime(2026, 10, 24, 12, tzinfo=UTC),
]  # before a day of 23, of 25 hours


@dataclass
class Life:
    """A house through its meters: what was drawn since the beginning (µm³) at the instant of each register."""

    drawn: dict[datetime, int]
    readings: list[dict]
    hung: list[dict]
    devices: list[dict]


@st.composite
def lives(draw):
    at = draw(st.sampled_from(NIGHTS))
    drawn, life = 0, Life({at: 0}, [], [], [])
    for number in range(draw(st.integers(1, 4))):
        width = draw(st.sampled_from([None, 3, 5]))
        full = 10 ** (width or 12) * 1_000_000
        first = draw(
            st.one_of(st.integers(0, 10**9), st.integers(full - 20_000_000, full - 1) if width else st.just(0))
        )
        device, since, began = f"m{number}", at, drawn
        for seconds, rise in draw(st.lists(st.tuples(st.integers(2, 300_000), RISES), min_size=1, max_size=12)):
            at, drawn = at + timedelta(seconds=seconds), max(drawn + rise, began - first)
            life.drawn[at] = drawn
            register = (first + drawn - began) % full * MICRO
            life.readings.append({"device_id": device, "observed_at": at, "volume_total_m3": register})
        last = life.readings.pop()  # the protocol of the exchange says it
        span = {"device_id": device, "thing_id": "house", "valid_from": since, "valid_to": at}
        life.hung.append(span | {"start_register": first * MICRO, "end_register": last["volume_total_m3"]})
        factors = f'{{"register_width": {width}}}' if width else "{}"
        life.devices.append({"device_id": device, "family": "water_meter", "factors": factors})
    return life


RISES = st.one_of(st.integers(0, 5_000_000), st.integers(0, 5_000_000), st.integers(-1000, -1))  # up to a litre back


@pytest.fixture(scope="module")
def world():
    connection = empty()
    put(connection, "things", [{"thing_id": "house", "family": "water_meter"}])
    return connection


def fill(world, life, order):
    for table in ("devices", "assignments", "water_meter"):
        world.execute(f"DELETE FROM {table}")
    put(world, "devices", life.devices)
    put(world, "assignments", life.hung)
    rows = list(life.readings)
    order.shuffle(rows)
    if rows:
        put(world, "water_meter", pa.Table.from_pylist(rows))


@settings(max_examples=20, deadline=None)
@given(life=lives(), order=st.randoms(), ends=st.tuples(st.integers(0, 99), st.integers(0, 99)))
def test_consumption_over_any_span_is_the_difference_of_registers(world, life, order, ends):
    fill(world, life, order)
    instants = sorted(life.drawn)
    first, last = sorted(instants[end % len(instants)] for end in ends)
    query = "SELECT sum(volume_m3 - reverse_m3) FROM consumption_hourly WHERE starts_at >= ? AND ends_at <= ?"
    found = world.execute(query, [first, last]).fetchone()[0] or Decimal(0)
    assert found == (life.drawn[last] - life.drawn[first]) * MICRO
    sums = "SELECT sum(volume_m3), sum(reverse_m3), bool_and(volume_m3 >= 0 AND reverse_m3 >= 0) FROM"
    hourly, daily = (world.execute(f"{sums} {view}").fetchone() for view in ("consumption_hourly", "consumption_daily"))
    assert hourly == daily
    assert hourly[2]
    assert world.execute("SELECT count(*) FROM consumption_hourly WHERE estimated").fetchone() == (0,)


@settings(max_examples=8, deadline=None)
@given(life=lives(), order=st.randoms())
def test_every_day_between_the_first_and_the_last_register_is_covered(world, life, order):
    fill(world, life, order)
    partly = world.execute("SELECT local_date FROM consumption_daily WHERE coverage <> 1 ORDER BY 1").fetchall()
    ends = world.execute("SELECT min(local_date), max(local_date) FROM consumption_daily").fetchone()
    assert {day for (day,) in partly} <= set(ends)


@pytest.mark.parametrize("seed", range(2))
def test_the_law_holds_through_the_writer_in_any_order_of_arrival(tmp_path, seed):
    """Two meters and a rollover; late messages, the same ones twice, some completed and some revised by later ones."""
    feed, chance = Feed(tmp_path / "home"), random.Random(seed)
    start, change = NOW - timedelta(hours=60), NOW - timedelta(hours=30)
    common = {"family": "water_meter", "thing_id": "house"}
    old = Registration(
        device_id="old", valid_from=micros(start), valid_to=micros(change), start_register=Decimal("99990.1"),
        end_register=Decimal("3.5"), factors={"register_width": 5}, **common,
    )  # fmt: skip
    new = Registration(device_id="new", valid_from=micros(change), start_register=Decimal("0.25"), **common)
    assert not import_registrations(feed.store, [old, new], now=NOW).problems
    said = []
    for hour in range(1, 30):
        register = (Decimal("99990.1") + hour * Decimal("0.45")) % 100_000
        said.append(("old", start + timedelta(hours=hour), register))
        said.append(("new", change + timedelta(hours=hour), Decimal("0.25") + hour * Decimal("0.111")))
    messages = []
    for n, (device, at, register) in enumerate(said):
        body = {"time": z(at), "volume_total_m3": float(register), "seq": 2 * n + 1}
        messages.append((device, body))
        if n % 3 == 0:
            messages.append((device, body))
        if n % 4 == 0:
            messages.append((device, {"time": z(at), "water_temp_cel": 9.5}))
        if n % 5 == 0:  # what a later message of the device revises
            messages.append((device, body | {"volume_total_m3": float(register) + 17, "seq": 2 * n}))
    chance.shuffle(messages)
    for n, (device, body) in enumerate(messages):
        feed.say(topic(device), body)
        if n % 25 == 24:
            feed.commit()
    feed.commit()
    feed.check()
    total = Decimal("13.4") + 29 * Decimal("0.111")  # 99990.1 to 3.5 past 100,000, and the new meter's
    for view in ("consumption_hourly", "consumption_daily"):
        assert feed.sql(f"SELECT sum(volume_m3), sum(reverse_m3), bool_or(estimated) FROM {view}") == [
            (total, Decimal(0), False)
        ]
    assert feed.sql("SELECT count(*) FROM consumption_hourly") == [(30 + 29,)]
