"""The SQL of consumption against an independent program in plain Python: examples of the page, dirt made and real."""

import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.indicators.world import ROOT, empty, put
from tests.lake.dirt import dirty_series
from tests.lake.meterwise import HOUR, Meter, days, midnight, steps

PAGE = (ROOT / "docs" / "consumption.md").read_text("utf-8")
START = int(datetime(2026, 3, 1, tzinfo=UTC).timestamp()) * 1_000_000
BEGAN = "2010-01-01T00:00:00Z"
MICRO = Decimal("0.000001")
DAIAD = ROOT.parent / "shared" / "data" / "daiad_smart_meters"
HAS_DAIAD = pytest.mark.skipif(not DAIAD.exists(), reason="daiad_smart_meters is not beside this checkout")
STEP = "device_id, epoch_us(starts_at), epoch_us(ends_at), step, volume_m3, reverse_m3, estimated, register_before"
Readings = dict[str, list[tuple[int, Decimal]]]


@pytest.fixture(scope="module")
def world():
    return empty()


def moment(at: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at)


def fill(world: duckdb.DuckDBPyConnection, readings: Readings, factors: str = "{}") -> None:
    """One thing a meter, which hung there always."""
    for table in ("things", "devices", "assignments", "water_meter"):
        world.execute(f"DELETE FROM {table}")
    names = [{"device_id": d, "thing_id": f"t-{d}", "family": "water_meter", "factors": factors} for d in readings]
    put(world, "things", [{"thing_id": n["thing_id"], "family": n["family"]} for n in names])
    put(world, "devices", [{k: n[k] for k in ("device_id", "family", "factors")} for n in names])
    put(world, "assignments", [{k: n[k] for k in ("device_id", "thing_id")} | {"valid_from": BEGAN} for n in names])
    rows = [(d, moment(at), value) for d, series in readings.items() for at, value in series]
    columns = [pa.array(c) for c in zip(*rows, strict=True)]
    put(world, "water_meter", pa.table(columns, names=["device_id", "observed_at", "volume_total_m3"]))


def agrees(world: duckdb.DuckDBPyConnection, readings: Readings, meter: Meter, zone: str = "Europe/Ljubljana") -> None:
    """Steps and days, row by row."""
    found = {device: steps(meter, sorted(series)) for device, series in readings.items()}
    wanted = [
        (device, s.starts, s.ends, s.kind, s.amount, s.reverse, s.estimated, s.before)
        for device, ones in sorted(found.items())
        for s in ones
    ]
    assert world.execute(f"SELECT {STEP} FROM consumption_hourly ORDER BY ALL").fetchall() == wanted
    daily = [
        (f"t-{device}", day, total.amount, total.estimated, total.known / length(day, zone), total.reverse)
        for device, ones in sorted(found.items())
        for day, total in sorted(days(ones, zone).items())
    ]
    assert world.execute("FROM consumption_daily ORDER BY ALL").fetchall() == daily


def length(day: date, zone: str) -> int:
    return midnight(day + timedelta(1), zone) - midnight(day, zone)


def examples() -> list[tuple[int, str, str]]:
    blocks = re.findall(r"```meter\n(.*?)```", PAGE, re.DOTALL)
    found = [dict(line.strip().split(" ", 1) for line in block.strip().splitlines()) for block in blocks]
    return [(int(e.get("register_width", 0)), e["reads"], e["books"]) for e in found]


def series(text: str) -> list[tuple[int, Decimal]]:
    """`413.1 - 0×3`: hourly readings, one left out, three zeros."""
    words = (word.partition("×") for word in text.split())
    cells = [cell for cell, _, times in words for _ in range(int(times or 1))]
    return [(START + i * HOUR, Decimal(cell)) for i, cell in enumerate(cells) if cell != "-"]


def shown(kind: str, amount: Decimal, reverse: Decimal) -> str:
    if kind in ("jump", "reset"):
        return kind
    value = f"{(reverse or amount).normalize():f}"
    return value if kind == "counted" else f"{value}/{kind}"


@pytest.mark.parametrize(("width", "reads", "books"), examples())
def test_the_examples_of_the_page(world, width, reads, books):
    meter = Meter(full=Decimal(10) ** width if width else None)
    readings = {"m": series(reads)}
    fill(world, readings, f'{{"register_width": {width}}}' if width else "{}")
    agrees(world, readings, meter)
    query = "SELECT step, volume_m3, reverse_m3 FROM consumption_hourly ORDER BY ends_at"
    assert " ".join(shown(*row) for row in world.execute(query).fetchall()) == books


def test_the_page_lists_which_readings_were_left_out(world):
    fill(world, {"m": series("10 11 99999 12 0 0 14")})
    query = re.search(r"```sql\n(.*?)```", PAGE, re.DOTALL)[1]
    assert [int(row[2]) for row in world.execute(f"{query} ORDER BY observed_at").fetchall()] == [99999, 0, 0]


@settings(max_examples=15, deadline=None)
@given(data=st.data(), width=st.sampled_from([0, 1, 5]))
def test_generated_dirt_is_booked_as_the_page_says(world, data, width):
    full = 10**width * 1000 if width else 0
    readings = {f"m{n}": data.draw(dirty_series(START, full)) for n in range(6)}
    fill(world, readings, f'{{"register_width": {width}}}' if width else "{}")
    agrees(world, readings, Meter(full=Decimal(10) ** width if width else None))


def real(meters: str) -> Readings:
    """Readings of DAIAD's meters in m3; of two values at one instant the higher, as the suite takes them."""
    found: Readings = {}
    rows = duckdb.sql(
        f"SELECT 'd' || meter, epoch_us(timestamp), CAST(max(reading_l) AS BIGINT) FROM '{DAIAD}/*.parquet' "
        f"WHERE {meters} GROUP BY ALL ORDER BY ALL"
    ).fetchall()
    for device, at, litres in rows:
        found.setdefault(device, []).append((at, litres * MICRO * 1000))
    return found


@HAS_DAIAD
@pytest.mark.parametrize(
    "meters",
    ["meter IN (8, 14, 50)", pytest.param("true", marks=pytest.mark.soak, id="all 92")],
)
def test_the_dirt_of_real_meters_is_booked_row_by_row_as_the_page_says(meters):
    world, readings = empty("Europe/Madrid"), real(meters)
    fill(world, readings)
    agrees(world, readings, Meter(), "Europe/Madrid")


def test_the_slow_program_stands_alone():
    """It imports nothing of ours: what it says is the page's word."""
    text = Path(__file__).with_name("meterwise.py").read_text("utf-8")
    assert not re.findall(r"^(?:from|import) (?:lake|indicators|schemas|catalog|ingest)", text, re.MULTILINE)
