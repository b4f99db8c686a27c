"""Proves what a person at the terminal gets from the lake and the catalogue, and what is written down about it."""

import csv
import io
import json
import sqlite3
from datetime import UTC, datetime
from decimal import Decimal

import pyarrow.parquet as pq
import pytest
import typer
from typer.testing import CliRunner

from commands import catalog, lake
from commands.context import Context
from schemas.errors import DravaError
from tests.lake.homes import SETTINGS, TestHome, reading

NOW = datetime(2026, 3, 3, 0, 30, tzinfo=UTC)
SCHEDULE = """
[[export]]
name = "hydrants"
dataset = "hydrant"
format = "excel-csv"
every = "day"
[[export]]
name = "meters"
dataset = "water_meter"
every = "month"
"""


@pytest.fixture
def home(tmp_path):
    made = TestHome(tmp_path / "home")
    hours = [reading("h1", f"2026-03-0{day}T{hour:02d}:00", pressure_kpa=400.0) for day in (1, 2) for hour in range(24)]
    made.add("hydrant", hours)
    made.add("water_meter", [reading("w1", "2026-03-01T10:00", volume_total_m3=Decimal("12.5"))])
    made.publish("2026-03-02T06:00:00")
    return made


def drava(home, *words, stdin=None):
    app = typer.Typer(pretty_exceptions_enable=False)
    lake.add(app)
    catalog.add(app)
    return CliRunner().invoke(app, list(words), obj=Context(home.path, NOW), input=stdin)


def out(home, *words, **more):
    done = drava(home, *words, **more)
    assert done.exit_code == 0, (done.output, done.exception)
    return done.stdout


def refused(home, *words):
    done = drava(home, *words)
    assert isinstance(done.exception, DravaError), done.output
    assert "\n" not in str(done.exception)
    return str(done.exception)


def test_sql_as_csv_has_a_header_and_utc_times(home):
    query = "SELECT device_id, observed_at, pressure_kpa, extra FROM hydrant ORDER BY observed_at LIMIT 1"
    assert out(home, "sql", "--format", "csv", query) == (
        "device_id,observed_at,pressure_kpa,extra\nh1,2026-03-01T00:00:00Z,400.0,\n"
    )
    assert out(home, "sql", "--format", "csv", "-", stdin=query).splitlines()[1].startswith("h1,")
    assert out(home, "sql", "--format", "csv", "SELECT 1 AS a WHERE false") == "a\n"


def test_sql_as_json_is_one_array_even_of_odd_values(home):
    query = "SELECT 1 AS a, 2 AS a, 'nan'::DOUBLE AS x, 12.50::DECIMAL(6, 2) AS d, 'č\"\n' AS t, [1, NULL] AS l"
    assert json.loads(out(home, "sql", "--format", "json", query)) == [
        {"a": 1, "a_2": 2, "x": None, "d": 12.5, "t": 'č"\n', "l": [1, None]}
    ]
    assert json.loads(out(home, "sql", "--json", "SELECT 1 WHERE false")) == []
    assert len(json.loads(out(home, "sql", "--json", "FROM range(3)"))) == 3


def test_sql_writes_parquet_and_csv_files(home, tmp_path):
    file = tmp_path / "x.parquet"
    out(home, "sql", "--format", "parquet", "--output", str(file), "SELECT * FROM hydrant")
    assert pq.read_table(file).num_rows == 48
    out(home, "sql", "--output", str(tmp_path / "x.csv"), "SELECT 1 AS a")
    assert (tmp_path / "x.csv").read_text() == "a\n1\n"


def test_sql_for_people_is_a_table_of_at_most_a_thousand_rows(home):
    done = drava(home, "sql", "SELECT range AS n, 'a\x1b[31m' AS t FROM range(5000)")
    assert done.exit_code == 0
    assert len(done.stdout.splitlines()) == 1001
    assert "1000 rows" in done.stderr
    assert "\x1b" not in done.stdout
    assert "Scan" in out(home, "sql", "EXPLAIN SELECT 1")


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("SELECT nothing FROM hydrant", "nothing"),
        ("SELEC 1", "syntax error"),
        ("SELECT * FROM no_such_table", "no_such_table"),
        ("COPY hydrant TO '/tmp/x'", "COPY"),
        ("SELECT CAST('x' AS INTEGER)", "x"),
        ("SELECT content FROM read_text('/etc/passwd')", "read_text"),
        ("SELECT 1; SELECT 2", "one SELECT"),
    ],
)
def test_a_mistake_in_sql_is_one_clear_line(home, query, said):
    assert said in refused(home, "sql", query)


def test_sql_at_a_snapshot_or_time_and_before_all_of_them(home):
    home.add("hydrant", [reading("h2", "2026-03-02T23:30")])
    home.publish("2026-03-03T00:00:00")
    count = "SELECT count(*) AS n FROM hydrant"
    assert json.loads(out(home, "sql", "--json", count)) == [{"n": 49}]
    assert json.loads(out(home, "sql", "--json", "--at", "1", count)) == [{"n": 48}]
    done = drava(home, "sql", "--json", "--at", "2020-01-01T00:00:00Z", count)
    assert json.loads(done.stdout) == [{"n": 48}]
    assert "snapshot 1" in done.stderr


def test_an_export_by_period_says_what_it_wrote(home):
    report = json.loads(
        out(home, "export", "hydrant", "--excel", "--from", "2026-03-02", "--to", "2026-03-02", "--json")
    )
    file = home.path / "exports" / "hydrant_2026-03-02_2026-03-02.csv"
    assert report == {"dataset": "hydrant", "file": str(file), "rows": 24, "bytes": file.stat().st_size}
    first = next(csv.DictReader(io.StringIO(file.read_text("utf-8-sig")), delimiter=";"))
    assert first["observed_at_local"] == "2026-03-02 00:00:00"
    assert "not a date" in refused(home, "export", "hydrant", "--from", "1.3.2026")
    assert "hydrant" in refused(home, "export", "hydrants")


def audited(home):
    with sqlite3.connect(home.path / "catalog" / "catalog.sqlite") as db:
        return [json.loads(row[0]) for row in db.execute("SELECT detail FROM audit WHERE action = 'export'")]


def test_personal_data_leave_for_a_purpose_and_are_written_down(home):
    assert "--purpose" in refused(home, "export", "water_meter")
    assert not list((home.path / "exports").iterdir())
    out(home, "export", "water_meter", "--format", "jsonl", "--purpose", "complaint 17")
    (row,) = audited(home)
    assert (row["dataset"], row["purpose"], row["snapshot"]) == ("water_meter", "complaint 17", 1)
    out(home, "export", "hydrant")
    assert len(audited(home)) == 1


def test_the_schedule_writes_what_is_due_once_and_one_fault_does_not_stop_the_rest(home):
    (home.path / "drava.toml").write_text(SETTINGS + SCHEDULE)
    done = drava(home, "export", "--scheduled", "--json")
    assert done.exit_code == 1
    assert "meters" in done.stderr  # personal, and no purpose in the settings
    (report,) = json.loads(done.stdout)
    assert report["file"].endswith("exports/hydrants/2026-03-02.csv")  # 00:30 UTC is 01:30 on the third in Ptuj
    assert json.loads(drava(home, "export", "--scheduled", "--json").stdout) == []
    purpose = SCHEDULE.replace('every = "month"', 'every = "month"\npurpose = "billing"')
    (home.path / "drava.toml").write_text(SETTINGS + purpose)
    (report,) = json.loads(out(home, "export", "--scheduled", "--json"))
    assert report["file"].endswith("exports/meters/2026-02.csv")
    assert [row["purpose"] for row in audited(home)] == ["billing"]


def test_lake_info_counts_files_and_rows(home):
    found = json.loads(out(home, "lake", "info", "--json"))
    assert found["snapshot"] == 1
    tables = {row["table"]: row for row in found["tables"]}
    assert (tables["hydrant"]["rows"], tables["hydrant"]["files"], tables["hydrant"]["partitions"]) == (48, 2, 2)
    assert (tables["hydrant"]["first_day"], tables["hydrant"]["last_day"]) == ("2026-03-01", "2026-03-02")
    assert "hydrant" in out(home, "lake", "info")


def test_the_catalogue_lists_and_shows_datasets_in_both_languages(home):
    listed = {row["dataset"]: row for row in json.loads(out(home, "catalog", "list", "--json"))}
    assert (listed["hydrant"]["rows"], listed["water_meter"]["personal"]) == (48, True)
    assert {"balance", "things", "observations"} <= set(listed)
    shown = json.loads(out(home, "catalog", "show", "hydrant", "--lang", "sl", "--json"))
    assert shown["title"] == "Hidranti"
    assert shown["measured_interval_s"] == 3600
    assert shown["first_time"] == "2026-03-01T00:00:00+00:00"
    assert shown["last_time"] == "2026-03-02T23:00:00+00:00"
    units = {column["name"]: column["unit"] for column in shown["columns"]}
    assert units["pressure_kpa"] == "kPa"
    seven = {"meaning", "format", "owner", "update_interval", "usage_interval", "users", "links"}
    assert seven <= {field for field, value in shown.items() if value}
    assert "pressure_kpa" in out(home, "catalog", "show", "hydrant")
    assert "streetlight" in refused(home, "catalog", "show", "nothing")
    for name in listed:
        assert json.loads(out(home, "catalog", "show", name, "--json"))["columns"]
