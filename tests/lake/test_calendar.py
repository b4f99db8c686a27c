"""Golden days: what a day, a night, a week, a month and a year are in Europe/Ljubljana when clocks change."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from indicators.runner import run_indicators
from lake.calendar import FIRST, LAST, Place, civil_days, school_breaks, sun
from lake.query import open_snapshot
from schemas.errors import DravaError
from schemas.settings import Settings
from tests.indicators.world import empty, meter, put, registers
from tests.lake.homes import SETTINGS, TestHome

PTUJ = Place("Europe/Ljubljana", 46.42, 15.87)
CHANGES = {
    "2025-03-30": ("2025-03-29T23:00Z", "2025-03-30T22:00Z", 23, "2025-03-30T01:00Z", "2025-03-30T02:00Z"),
    "2025-10-26": ("2025-10-25T22:00Z", "2025-10-26T23:00Z", 25, "2025-10-26T00:00Z", "2025-10-26T03:00Z"),
    "2026-03-29": ("2026-03-28T23:00Z", "2026-03-29T22:00Z", 23, "2026-03-29T01:00Z", "2026-03-29T02:00Z"),
    "2026-10-25": ("2026-10-24T22:00Z", "2026-10-25T23:00Z", 25, "2026-10-25T00:00Z", "2026-10-25T03:00Z"),
}


def utc(text):
    return datetime.fromisoformat(text)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    found = TestHome(tmp_path_factory.mktemp("calendar") / "home")
    found.publish()
    return found


@pytest.fixture(scope="module")
def snapshot(home):
    with open_snapshot(home.path) as connection:
        yield connection


@pytest.mark.parametrize("day", CHANGES)
def test_a_day_on_which_clocks_change(snapshot, day):
    starts, ends, hours, night_starts, night_ends = CHANGES[day]
    found = snapshot.execute(
        "SELECT starts_at, ends_at, hours, night_starts_at, night_ends_at FROM local_days WHERE local_date = ?", [day]
    ).fetchone()
    assert found == (utc(starts), utc(ends), hours, utc(night_starts), utc(night_ends))


def test_all_other_days_of_the_two_years_have_24_hours_and_nights_of_two(snapshot):
    rows = snapshot.execute(
        "SELECT CAST(local_date AS VARCHAR), hours, date_diff('hour', night_starts_at, night_ends_at) FROM local_days "
        "WHERE year IN (2025, 2026) AND (hours <> 24 OR night_ends_at - night_starts_at <> INTERVAL 2 HOUR) ORDER BY 1"
    ).fetchall()
    assert rows == [(day, about[2], 1 if about[2] == 23 else 3) for day, about in CHANGES.items()]


@pytest.mark.parametrize(
    ("period", "starts_on", "hours", "days"),
    [
        ("week", "2025-03-24", 167, 7),
        ("week", "2025-10-20", 169, 7),
        ("week", "2026-03-23", 167, 7),
        ("week", "2026-10-19", 169, 7),
        ("week", "2026-03-30", 168, 7),
        ("month", "2025-03-01", 31 * 24 - 1, 31),
        ("month", "2025-10-01", 31 * 24 + 1, 31),
        ("month", "2026-03-01", 31 * 24 - 1, 31),
        ("month", "2026-10-01", 31 * 24 + 1, 31),
        ("year", "2025-01-01", 8760, 365),
        ("year", "2026-01-01", 8760, 365),
        ("year", "2028-01-01", 8784, 366),
    ],
)
def test_the_lengths_of_weeks_months_and_years(snapshot, period, starts_on, hours, days):
    found = snapshot.execute(
        "SELECT hours, days, date_diff('hour', starts_at, ends_at) FROM local_periods "
        "WHERE period = ? AND starts_on = ?",
        [period, starts_on],
    ).fetchone()
    assert found == (hours, days, hours)


def test_days_follow_each_other_without_gap_or_overlap(snapshot):
    rows = snapshot.execute(
        "SELECT count(*) FROM (SELECT ends_at, lead(starts_at) OVER (ORDER BY local_date) AS following "
        "FROM local_days) WHERE ends_at <> following"
    ).fetchone()
    assert rows == (0,)
    assert snapshot.execute("SELECT min(local_date), max(local_date) FROM local_days").fetchone() == (FIRST, LAST)


@pytest.mark.parametrize(
    ("zone", "day", "starts", "hours"),
    [
        ("Atlantic/Azores", date(2026, 10, 25), "2026-10-25T00:00Z", 25),  # the hour of midnight comes twice
        ("America/Sao_Paulo", date(2018, 11, 4), "2018-11-04T03:00Z", 23),  # the hour of midnight does not come
        ("UTC", date(2026, 3, 29), "2026-03-29T00:00Z", 24),
    ],
)
def test_other_zones(zone, day, starts, hours):
    row = civil_days(Place(zone, 0, 0)).slice((day - FIRST).days, 1).to_pylist()[0]
    assert (row["local_date"], row["starts_at"]) == (day, utc(starts))
    assert row["ends_at"] - row["starts_at"] == timedelta(hours=hours)


# Consumption and traffic through the views and packs that everybody asks.
@pytest.mark.parametrize("day", CHANGES)
def test_a_steady_flow_books_as_many_hours_as_the_day_has(day):
    hours = CHANGES[day][2]
    first = utc(CHANGES[day][0]) - timedelta(hours=24)
    connection = empty()
    meter(connection, "house", "m1", "2025-01-01T00:00:00Z")
    registers(
        connection, "m1", [(first + n * timedelta(hours=1), Decimal(n) / 100) for n in range(24 + hours + 24 + 1)]
    )
    found = connection.execute(
        "SELECT local_date, volume_m3, coverage, estimated FROM consumption_daily ORDER BY local_date"
    ).fetchall()
    middle = date.fromisoformat(day)
    assert found == [
        (middle - timedelta(days=1), Decimal("0.24"), 1.0, False),
        (middle, Decimal(hours) / 100, 1.0, False),
        (middle + timedelta(days=1), Decimal("0.24"), 1.0, False),
    ]


@pytest.mark.parametrize("day", CHANGES)
def test_the_daily_volume_of_a_counter_is_complete_on_these_days(day):
    starts, ends, hours = utc(CHANGES[day][0]), utc(CHANGES[day][1]), CHANGES[day][2]
    connection = empty()
    put(connection, "assignments", [{"device_id": "d", "thing_id": "bridge", "valid_from": "2025-01-01T00:00:00Z"}])
    put(
        connection,
        "traffic_counter",
        f"SELECT 'd' AS device_id, '1' AS lane, t AS observed_at, 3 AS count, 300 AS interval_s "
        f"FROM range(TIMESTAMPTZ '{starts}', TIMESTAMPTZ '{ends}', INTERVAL 5 MINUTE) AS r (t)",
    )
    found = run_indicators(
        connection, as_of=ends + timedelta(hours=6), settings=Settings(), ids=["traffic.daily_volume"]
    ).to_pylist()
    assert [(row["period_start"].isoformat(), row["value"], row["coverage"]) for row in found] == [
        (day, 3.0 * 12 * hours, 1.0)
    ]


# Holidays, school, sun.
def test_working_days_and_holidays(snapshot):
    rows = snapshot.execute(
        "SELECT CAST(local_date AS VARCHAR), working_day, holiday_sl, holiday_en FROM local_days WHERE local_date IN "
        "('2026-02-08', '2026-04-06', '2026-04-07', '2026-06-25', '2026-10-31') ORDER BY 1"
    ).fetchall()
    assert rows == [
        (
            "2026-02-08",
            False,
            "Prešernov dan, slovenski kulturni praznik",
            "Prešeren's Day, the Slovenian Cultural Holiday",
        ),
        ("2026-04-06", False, "velikonočni ponedeljek", "Easter Monday"),
        ("2026-04-07", True, None, None),
        ("2026-06-25", False, "dan državnosti", "Statehood Day"),
        ("2026-10-31", False, "dan reformacije", "Reformation Day"),
    ]
    months = (
        "SELECT working_days FROM local_periods WHERE period = 'month' AND starts_on IN ('2026-04-01', '2026-05-01') "
    )
    assert snapshot.execute(months + "ORDER BY starts_on").fetchall() == [(20,), (20,)]


def test_winter_holidays_differ_by_region_and_unknown_years_are_unknown(tmp_path):
    asked = (
        "SELECT school_holiday FROM local_days WHERE local_date IN ('2026-02-18', '2026-02-25', '2026-12-28') ORDER BY "
    )
    found = {}
    for region in ("east", "west"):
        home = TestHome(tmp_path / region, SETTINGS + f'[calendar]\nschool_region = "{region}"\n')
        home.publish()
        with open_snapshot(home.path) as connection:
            found[region] = [row[0] for row in connection.execute(asked + "local_date").fetchall()]
    assert found == {"east": [False, True, None], "west": [True, False, None]}


def test_the_towns_own_file_replaces_the_school_holidays(tmp_path):
    home = TestHome(tmp_path / "home")
    home.publish()
    (home.path / "school_holidays.csv").write_bytes(
        "since;until;title_sl\r\n2026-12-24;2027-01-03;Božične počitnice\r\n".encode("cp1250")
    )
    with open_snapshot(home.path) as connection:
        asked = "SELECT school_holiday, school_holiday_sl FROM local_days WHERE local_date = ?"
        assert connection.execute(asked, ["2026-12-24"]).fetchone() == (True, "Božične počitnice")
        assert connection.execute(asked, ["2027-01-04"]).fetchone() == (False, None)
        assert connection.execute(asked, ["2026-02-25"]).fetchone() == (None, None)


@pytest.mark.parametrize("line", ["2026-12-24;2026-12-01;all", "soon;2026-12-01;all", "2026-12-24;2026-12-25;north"])
def test_a_wrong_line_of_the_towns_file_is_named(tmp_path, line):
    (tmp_path / "school_holidays.csv").write_text(f"since;until;region\n{line}\n", "utf-8")
    with pytest.raises(DravaError, match=r"line 2 of .*school_holidays\.csv"):
        school_breaks(tmp_path)


def test_the_shipped_school_holidays_are_in_order_and_each_has_a_title():
    found = school_breaks()
    assert [one.since for one in found] == sorted(one.since for one in found)
    assert all(one.title_sl and one.title_en for one in found)


def test_the_sun_of_ptuj_and_of_the_far_north():
    ((day, up, down),) = sun(PTUJ, [date(2026, 6, 21)])
    assert (day, up.tzinfo) == (date(2026, 6, 21), UTC)
    assert abs(up - utc("2026-06-21T03:05Z")) < timedelta(minutes=5)
    assert abs(down - utc("2026-06-21T18:52Z")) < timedelta(minutes=5)
    assert list(sun(Place("Europe/Oslo", 78.2, 15.6), [date(2026, 6, 21)])) == []
