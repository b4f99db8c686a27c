"""Proves what a reader of the lake sees: one row per reading, one snapshot, files pruned."""

import re
import threading
from datetime import date
from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import drava
from lake.query import mentioned, open_snapshot
from lake.relations import columns_of, merge
from lake.snapshot import find
from lake.tables import tables
from schemas.errors import DravaError
from schemas.vocabulary import families
from tests.lake.homes import TestHome, at, reading


@pytest.fixture
def home(tmp_path):
    return TestHome(tmp_path / "a home's lake")


def rows(home, query, **options):
    with open_snapshot(home.path, **options) as con:
        return con.execute(query).fetchall()


def test_an_empty_home_answers_with_empty_tables_and_the_right_types(home):
    found = dict(rows(home, "SELECT column_name, column_type FROM (DESCRIBE traffic_counter)"))
    assert list(found)[:6] == ["device_id", "lane", "direction", "vehicle_class", "observed_at", "observed_until"]
    assert (found["observed_at"], found["day"], found["count"]) == ("TIMESTAMP WITH TIME ZONE", "DATE", "BIGINT")
    names = [name for (name,) in rows(home, "SHOW TABLES")]
    assert {"observations", "quarantine", "balance", "things", "alarms", "indicator_values", "datasets"} <= set(names)
    full = {"datasets", "snapshot", "municipality", "civil_days", "local_days", "local_periods"}
    counts = [f"SELECT '{name}' AS name, count(*) AS rows FROM \"{name}\"" for name in names if name not in full]
    assert rows(home, f"FROM ({' UNION ALL '.join(counts)}) WHERE rows > 0") == []


def test_every_view_has_the_columns_of_its_table_in_order(home):
    with open_snapshot(home.path) as con:
        for name in families():
            shown = {column: kind for column, kind, *_ in con.execute(f"DESCRIBE {name}").fetchall()}
            kinds = columns_of(tables()[name])
            wanted = {column: kind.replace("TIMESTAMPTZ", "TIMESTAMP WITH TIME ZONE") for column, kind in kinds.items()}
            assert list(shown.items()) == list(wanted.items())


def test_a_revised_day_gives_the_last_value_of_each_measure(home):
    home.add(
        "water_meter",
        [
            reading("w1", "2026-03-01T10:00", volume_total_m3=Decimal(1), seq=1, quality=4, quality_tests=8),
            reading(
                "w1", "2026-03-01T10:00", volume_total_m3=Decimal(2), seq=2, quality=3, quality_tests=16, revision=1
            ),
            reading("w1", "2026-03-01T10:00", flow_m3h=0.5, seq=None, quality=1, quality_tests=1, extra="{}"),
            reading("w2", "2026-03-01T10:00", volume_total_m3=Decimal(7), quality=4, quality_tests=2),
            reading("w1", "2026-03-02T10:00", volume_total_m3=Decimal(3)),
        ],
    )
    home.revised = {"water_meter": ["2026-03-01"]}
    home.publish()
    columns = "device_id, volume_total_m3, flow_m3h, quality, quality_tests, revision, seq, extra"
    assert rows(home, f"SELECT {columns} FROM water_meter ORDER BY observed_at, device_id") == [
        ("w1", Decimal(2), 0.5, 3, 17, 1, 2, None),  # the failed value did not survive, so its flag does not count
        ("w2", Decimal(7), None, 4, 2, 0, None, None),
        ("w1", Decimal(3), None, 1, 0, 0, None, None),
    ]
    assert rows(home, "SELECT count(*) FROM water_meter_revisions") == [(5,)]


def test_readings_without_a_key_are_merged_too(home):
    same = {"lane": None, "direction": "north", "vehicle_class": None}
    home.add(
        "traffic_counter",
        [
            reading("t1", "2026-03-01T10:00", **same, count=5, seq=1),
            reading("t1", "2026-03-01T10:00", **same, count=6, seq=2, revision=1),
            reading("t1", "2026-03-01T10:00", **(same | {"lane": "1"}), count=7),
        ],
    )
    home.revised = {"traffic_counter": ["2026-03-01"]}
    home.publish()
    assert rows(home, 'SELECT lane, "count" FROM traffic_counter ORDER BY 2') == [(None, 6), ("1", 7)]


ORDER = st.tuples(st.none() | st.integers(0, 2), st.integers(0, 2))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from("ab"),  # device
            ORDER,
            st.none() | st.integers(0, 9),  # one measure
            st.none() | st.integers(0, 9),  # another
            st.sampled_from([1, 3, 4, 9]),
        ),
        max_size=12,
        unique_by=lambda row: (row[0], row[1]),
    )
)
def test_the_merge_is_what_its_words_say_for_any_rows(drawn):
    """Compares with the same rule said in Python, row by row."""
    import duckdb  # noqa: PLC0415 - nothing else here needs it

    family = families()["waste_container"]
    first, second = family.measures[:2]
    schema = {"device_id": "VARCHAR", "observed_at": "INTEGER", "day": "INTEGER", "seq": "INTEGER"}
    schema |= {"received_at": "INTEGER", "message_id": "INTEGER", "revision": "INTEGER", "quality": "INTEGER"}
    schema |= {"quality_tests": "INTEGER"} | dict.fromkeys(family.measures, "DOUBLE")
    with duckdb.connect() as con:
        con.execute("CREATE TABLE t (" + ", ".join(f'"{n}" {k}' for n, k in schema.items()) + ")")
        for device, (seq, received), one, two, quality in drawn:
            con.execute(
                "INSERT INTO t BY NAME SELECT ? AS device_id, 0 AS observed_at, 0 AS day, ? AS seq, ? AS received_at, "
                "0 AS message_id, 0 AS revision, ? AS quality, ? AS quality_tests, "
                f'? AS "{first}", ? AS "{second}"',
                [device, seq, received, quality, 1 << quality, one, two],
            )
        query = merge(family, dict.fromkeys(schema, ""), "SELECT * FROM t")
        found = con.execute(
            f'SELECT device_id, "{first}", "{second}", quality, quality_tests FROM ({query})'
        ).fetchall()
    assert sorted(found) == expected_merge(drawn)


def expected_merge(drawn):
    found = []
    for device in sorted({row[0] for row in drawn}):
        mine = sorted(
            (row for row in drawn if row[0] == device), key=lambda r: (r[1][0] is not None, r[1][0] or 0, r[1][1])
        )
        last = [next((row for row in reversed(mine) if row[n] is not None), None) for n in (2, 3)]
        givers = [row for row in last if row is not None] or mine
        tests = 0
        for row in givers:
            tests |= 1 << row[4]
        values = [row[n] if row else None for row, n in zip(last, (2, 3), strict=True)]
        found.append((device, *values, max(row[4] for row in givers), tests))
    return found


def test_a_filter_on_days_reaches_the_files_on_plain_and_revised_days(home):
    for day in range(1, 10):
        home.add("water_meter", [reading(f"w{n}", f"2026-03-{day:02d}T10:00", flow_m3h=1.0) for n in range(3)])
    home.revised = {"water_meter": ["2026-03-04", "2026-03-05"]}
    home.publish()
    # the first day is a span of its own; of the other eight, two are revised
    for day, wanted in (("2026-03-08", {"0/1", "1/6", "0/2"}), ("2026-03-04", {"0/1", "0/6", "1/2"})):
        plan = rows(home, f"EXPLAIN SELECT avg(flow_m3h) FROM water_meter WHERE day = DATE '{day}'")[0][1]
        assert set(re.findall(r"Scanning Files: (\d+/\d+)", plan)) <= wanted
        assert rows(home, f"SELECT count(*) FROM water_meter WHERE day = '{day}'") == [(3,)]


def test_a_file_from_before_a_column_was_added_reads_as_null_there(home):
    home.add("hydrant", [reading("h1", "2026-03-01T10:00", pressure_kpa=400.0)])
    file = next((home.path / "lake" / "hydrant" / "day=2026-03-01").glob("*.parquet"))
    pl.read_parquet(file).drop("battery_pct", "extra").write_parquet(file)
    home.add("hydrant", [reading("h1", "2026-03-02T10:00", pressure_kpa=500.0, battery_pct=9.0, extra="{}")])
    home.publish()
    query = "SELECT pressure_kpa, battery_pct, extra FROM hydrant ORDER BY observed_at"
    assert rows(home, query) == [(400.0, None, None), (500.0, 9.0, "{}")]


def test_the_long_view_has_a_row_for_each_measure_with_its_unit(home):
    key = {"lane": "1", "direction": "north", "vehicle_class": "car"}
    home.add("water_meter", [reading("w1", "2026-03-01T10:00", volume_total_m3=Decimal("1.5"), alarm_leak=True)])
    home.add("traffic_counter", [reading("t1", "2026-03-01T10:00", **key, count=12)])
    home.publish()
    query = "SELECT device_id, family, key, measure, value, unit FROM observations ORDER BY ALL"
    assert rows(home, query) == [
        ("t1", "traffic_counter", "1/north/car", "count", 12.0, "{vehicle}"),
        ("w1", "water_meter", "", "alarm_leak", 1.0, "1"),
        ("w1", "water_meter", "", "volume_total_m3", 1.5, "m3"),
    ]


def test_quarantine_counts_what_is_held_less_what_was_resolved(home):
    def entry(name, state, count, moment):
        return {
            "message_hash": name,
            "reason": "not_json",
            "detail": f"at {moment}",
            "payload": b"\xff",
            "state": state,
            "count": count,
            "received_at": at(f"2026-03-01T{moment}"),
        }

    home.add(
        "quarantine",
        [
            entry("a", "held", 2, "10:00"),
            entry("a", "held", 1, "12:00"),
            entry("a", "resolved", 1, "13:00"),
            entry("b", "held", 1, "10:00"),
            entry("b", "resolved", 1, "11:00"),
        ],
        time="received_at",
    )
    home.publish()
    query = "SELECT message_hash, element, detail, payload, first_at, last_at, count FROM quarantine"
    assert rows(home, query, settings=None) == [
        ("a", None, "at 12:00", b"\xff", at("2026-03-01T10:00"), at("2026-03-01T12:00"), 2)
    ]


def test_balance_adds_up_the_rows_of_a_day_device_and_gateway(home):
    day = {"day": date(2026, 3, 1), "device_id": "w1", "gateway": None}
    home.add("balance", [day | {"received": 2, "stored": 1}, day | {"received": 3, "stored": 3}], time="day")
    home.publish()
    assert rows(home, "SELECT day, device_id, gateway, received, stored FROM balance") == [
        (date(2026, 3, 1), "w1", None, 5, 4)
    ]


def test_an_indicator_shows_its_last_computed_value(home):
    value = {
        "indicator": "i",
        "subject_kind": "area",
        "subject_id": "a",
        "period_start": date(2026, 3, 1),
        "period_end": date(2026, 3, 1),
    }
    home.add(
        "indicator_values",
        [
            value | {"value": 1.0, "computed_at": at("2026-03-02T00:00"), "snapshot_id": 1},
            value | {"value": 2.0, "computed_at": at("2026-03-03T00:00"), "snapshot_id": 2},
        ],
        time="computed_at",
    )
    home.publish()
    assert rows(home, "SELECT value FROM indicator_values") == [(2.0,)]


def test_small_tables_of_the_catalogue_are_there(home):
    home.put("areas", [{"area_id": "d1", "title": "Breg", "kind": "district", "parent_id": None, "population": 900}])
    home.publish()
    assert rows(home, "SELECT area_id, population, network_km FROM areas") == [("d1", 900, None)]
    assert rows(home, "SELECT personal FROM datasets WHERE dataset = 'water_meter'") == [(True,)]


def test_the_snapshot_is_chosen_once_and_older_ones_stay(home):
    home.add("hydrant", [reading("h1", "2026-03-01T10:00", pressure_kpa=1.0)])
    home.publish("2026-03-01T12:00:00")
    with open_snapshot(home.path) as early:
        home.add("hydrant", [reading("h1", "2026-03-01T11:00", pressure_kpa=2.0)])
        home.publish("2026-03-01T13:00:00")
        assert early.execute("SELECT count(*) FROM hydrant").fetchall() == [(1,)]
        assert early.execute("SELECT id, taken_at FROM snapshot").fetchall() == [(1, at("2026-03-01T12:00"))]
    count = "SELECT count(*) FROM hydrant"
    assert rows(home, count) == [(2,)]
    assert rows(home, count, at="1") == [(1,)]
    assert rows(home, count, at="2026-03-01T13:59:00+01:00") == [(1,)]
    assert rows(home, count, at="2026-03-01T13:00:00Z") == [(2,)]
    assert find(home.path, "2020-01-01T00:00:00Z").oldest_instead
    assert find(home.path, "2020-01-01T00:00:00Z").id == 1
    for wrong in ("7", "yesterday"):
        with pytest.raises(DravaError):
            find(home.path, wrong)


def test_readers_beside_a_writer_see_versions_that_belong_together(home):
    def commits():
        for n in range(12):
            row = reading("x", f"2026-03-01T{n:02d}:00")
            home.add("hydrant", [row])
            home.add("streetlight", [row])
            home.publish(f"2026-03-01T{n:02d}:30:00")

    writer = threading.Thread(target=commits)
    writer.start()
    seen = []
    while writer.is_alive() or not seen:
        (pair,) = rows(home, "SELECT (SELECT count(*) FROM hydrant), (SELECT count(*) FROM streetlight)")
        seen.append(pair)
    writer.join()
    assert all(hydrants == lights for hydrants, lights in seen)
    assert seen == sorted(seen)
    assert rows(home, "SELECT count(*) FROM hydrant") == [(12,)]


def test_a_notebook_connects_by_the_packages_name(home):
    home.add("hydrant", [reading("h1", "2026-03-01T10:00", pressure_kpa=1.0)])
    home.publish()
    with drava.connect(str(home.path)) as con:
        assert con.sql("SELECT pressure_kpa FROM hydrant").pl()["pressure_kpa"].to_list() == [1.0]


def test_only_tables_that_a_query_mentions_are_opened(home):
    home.add("hydrant", [reading("h1", "2026-03-01T10:00", pressure_kpa=1.0)])
    home.add("streetlight", [reading("s1", "2026-03-01T10:00", power_w=1.0)])
    home.publish()
    (home.path / "lake" / "streetlight" / "_delta_log").rename(home.path / "away")
    query = "SELECT count(*) FROM Hydrant"
    assert rows(home, query, tables=mentioned(query)) == [(1,)]
    with pytest.raises(DravaError, match="streetlight"):
        rows(home, query)
    assert mentioned("SHOW TABLES") is None


@pytest.mark.parametrize(
    ("query", "named", "other"),
    [
        ("SELECT 1 AS inflow FROM Things WHERE a = 'water.balance' ORDER BY inflow", {"things"}, {"inflow", "balance"}),
        (
            "WITH t AS (FROM areas) SELECT (SELECT max(day) FROM balance) AS noise FROM t",
            {"areas", "balance"},
            {"noise"},
        ),
        (
            "FROM consumption_days_of('things', DATE '2026-03-01', today())",
            {"consumption_days_of", "things"},
            {"areas"},
        ),
        (
            "SELECT local_date(seen) FROM (SELECT seen FROM air) JOIN water.gas USING (a)",
            {"local_date", "air", "gas"},
            set(),
        ),
        ("SUMMARIZE things", {"things"}, set()),
        ("SELECT column_name FROM (DESCRIBE inflow)", {"inflow"}, set()),
        ("EXPLAIN SELECT * FROM areas", {"areas"}, set()),
        ("SELEC * FROM areas", {"areas"}, set()),
    ],
)
def test_what_a_question_mentions_are_its_tables_and_functions(query, named, other):
    found = mentioned(query)
    assert found is not None
    assert named <= found
    assert not other & found


def test_a_view_of_views_opens_the_tables_behind_it(home):
    home.publish()
    query = "SELECT count(*) FROM consumption_daily"
    assert rows(home, query, tables=mentioned(query)) == [(0,)]


def test_times_are_utc_and_local_time_is_at_hand(home):
    home.publish()
    query = "SELECT CAST(TIMESTAMPTZ '2026-07-01 22:30:00Z' AS VARCHAR), local_date(TIMESTAMPTZ '2026-07-01 22:30:00Z')"
    assert rows(home, query) == [("2026-07-01 22:30:00+00", date(2026, 7, 2))]
