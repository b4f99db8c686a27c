"""Proves what a reader of the lake sees, and that its SQL reaches nothing else."""

from decimal import Decimal

import pytest

from lake.query import open_snapshot
from tests.lake.homes import TestHome, reading


@pytest.fixture
def home(tmp_path):
    return TestHome(tmp_path / "a home's lake")


def rows(home, query, **options):
    with open_snapshot(home.path, **options) as con:
        return con.execute(query).fetchall()


def test_an_empty_home_answers_with_empty_tables_and_the_right_types(home):
    found = dict(rows(home, "SELECT column_name, column_type FROM (DESCRIBE traffic_counter)"))
    assert list(found)[:6] == ["device_id", "lane", "direction", "vehicle_class", "observed_at", "observed_until"]
    assert found["observed_at"] == "TIMESTAMP WITH TIME ZONE"
    assert rows(home, "SELECT count(*) FROM observations") == [(0,)]
    assert rows(home, "SELECT count(*) FROM quarantine") == [(0,)]


def test_a_revised_day_gives_the_last_value_of_each_measure(home):
    home.add(
        "water_meter",
        [
            reading("w1", "2026-03-01T10:00", volume_total_m3=Decimal(1), seq=1, quality=4, quality_tests=8),
            reading(
                "w1", "2026-03-01T10:00", volume_total_m3=Decimal(2), seq=2, quality=3, quality_tests=16, revision=1
            ),
            reading("w1", "2026-03-01T10:00", flow_m3h=0.5, seq=None, quality=1, quality_tests=1, extra="{}"),
            reading("w1", "2026-03-02T10:00", volume_total_m3=Decimal(3)),
        ],
    )
    home.revised = {"water_meter": ["2026-03-01"]}
    home.publish()
    columns = "volume_total_m3, flow_m3h, quality, quality_tests, revision, seq, extra"
    query = f"SELECT {columns} FROM water_meter ORDER BY observed_at"
    assert rows(home, query) == [(Decimal(2), 0.5, 3, 17, 1, 2, None), (Decimal(3), None, 1, 0, 0, None, None)]
    assert rows(home, "SELECT count(*) FROM water_meter_revisions") == [(4,)]
