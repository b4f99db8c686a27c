"""A question about some hours opens the files of their span of days alone; the rows are those without spans."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lake.query import open_snapshot
from lake.snapshot import StoredFile
from lake.spans import RECENT_DAYS, spans
from tests.lake.homes import TestHome, reading

DAYS = 70
LAST = datetime(2026, 3, 10, 12, tzinfo=UTC)
RECENT = "observed_at >= TIMESTAMPTZ '2026-03-09 00:00:00Z'"


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> TestHome:
    made = TestHome(tmp_path_factory.mktemp("spans") / "home")
    moments = [LAST - timedelta(n) for n in range(DAYS)]
    rows = [reading("m1", f"{t:%Y-%m-%dT%H:%M:%S}", volume_total_m3=n) for n, t in enumerate(moments)]
    again = [row | {"volume_total_m3": 1000 + n, "revision": 1, "message_id": 2} for n, row in enumerate(rows)]
    made.add("water_meter", rows + [row for row in again if row["observed_at"].day == 9])
    made.revised = {"water_meter": [f"2026-{month:02}-09" for month in (1, 2, 3)]}
    made.publish()
    return made


def asked(home: TestHome, query: str) -> list[tuple]:
    return open_snapshot(home.path, tables=["water_meter", "water_meter_revisions"]).execute(query).fetchall()


def test_every_reading_once_and_every_stored_row(home):
    assert asked(home, "SELECT count(*), count(DISTINCT day), sum(revision) FROM water_meter") == [(DAYS, DAYS, 3)]
    assert asked(home, "SELECT count(*) FROM water_meter_revisions") == [(DAYS + 3,)]
    assert asked(home, f"SELECT max(volume_total_m3) FROM water_meter WHERE {RECENT}") == [(1001,)]


def test_files_behind_the_asked_hours_are_not_opened(home):
    days = sorted((home.path / "lake" / "water_meter").glob("day=2026-02-*"))[3:6]  # the first of a span is always read
    kept = {file: file.read_bytes() for day in days for file in day.glob("*.parquet")}
    for file in kept:
        file.write_bytes(b"no Parquet")
    try:
        assert asked(home, f"SELECT count(*) FROM water_meter WHERE {RECENT}") == [(2,)]
        assert asked(home, f"SELECT count(*) FROM water_meter_revisions WHERE {RECENT}") == [(3,)]
        with pytest.raises(duckdb.Error):
            asked(home, "SELECT max(volume_total_m3) FROM water_meter")
    finally:
        for file, body in kept.items():
            file.write_bytes(body)


@given(st.sets(st.integers(0, 4000), min_size=1, max_size=60))
def test_spans_hold_every_file_once_in_order_and_few_are_enough(ages):
    days = sorted(date(2026, 3, 10) - timedelta(age) for age in ages)
    files = [StoredFile(str(Path("x") / str(day)), str(day), 1, 1, 0) for day in days]
    found = spans(files)
    assert [file for span in found for file in span.files] == files
    assert len(found) <= 1 + 4 + 6 + 11
    if len(found) > 1:
        assert all(str(s.first) <= f.day < str(s.end) for s in found for f in s.files)
        assert all(a.end <= b.first for a, b in pairwise(found))
        assert (days[-1] - found[-1].first).days < RECENT_DAYS
