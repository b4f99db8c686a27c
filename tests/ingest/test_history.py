"""History from files: the same readings from any kind of file, nothing twice, nothing half done, nothing hidden."""

import json
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl
import pytest
import xlsxwriter
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from cli import app
from ingest.columns import layout, messages
from ingest.journal import Reader
from ingest.sheets import Unreadable, open_sheet
from schemas.errors import DravaError
from schemas.vocabulary import families
from tests.ingest.feeding import NOW, Feed, check_balance, topic, z

ROOT = Path(__file__).parents[2]
ZONE = ZoneInfo("Europe/Ljubljana")
EXCEL = (
    "sep=;\r\n"
    "Šifra;Čas odčitka;Stanje (m3);Pretok;Opomba\r\n"
    "w1;1. 3. 2025 8:00;1.234,5;0,25;prvo čiščenje\r\n"
    "w1;1. 3. 2025 9:00;1.235;;\r\n"
    ";;;;\r\n"
    "w2;2025-03-01T08:00:00Z;12,125;1;\r\n"
)
MAPS = ("--map", "stanje_(m3)=volume_total_m3", "--map", "pretok=flow_m3h:L/s")
NAMED = ("--device-column", "Šifra", "--time-column", "Čas odčitka", *MAPS)


@pytest.fixture
def feed(tmp_path):
    feed = Feed(tmp_path / "home")
    feed.register(("w1", "water_meter"), ("w2", "water_meter"))
    return feed


def bring(feed, file, *words, family="water_meter", lang="en"):
    options = ["--home", str(feed.home.path), "--as-of", NOW.isoformat(), "import", str(file), "--family", family]
    return CliRunner(env={"DRAVA_LANG": lang}).invoke(app, [*options, *words])


def write(tmp_path, text, encoding="utf-8", name="history.csv"):
    file = tmp_path / name
    file.write_bytes(text.encode(encoding))
    return file


def stored(feed):
    columns = "device_id, observed_at, volume_total_m3, flow_m3h, time_source"
    return feed.sql(f"SELECT {columns} FROM water_meter ORDER BY 1, 2")


def local(text):
    return datetime.fromisoformat(text).replace(tzinfo=ZONE).astimezone(UTC)


EXPECTED = [
    ("w1", local("2025-03-01T08:00"), Decimal("1234.5"), 0.9, "device"),
    ("w1", local("2025-03-01T09:00"), Decimal(1235), None, "device"),
    ("w2", datetime(2025, 3, 1, 8, tzinfo=UTC), Decimal("12.125"), 3.6, "device"),
]


@pytest.mark.parametrize("encoding", ["cp1250", "utf-8-sig", "utf-16", "utf-8"])
def test_a_file_of_a_slovenian_excel_is_read_and_doing_it_twice_stores_nothing_new(feed, tmp_path, encoding):
    file = write(tmp_path, EXCEL, encoding)
    done = bring(feed, file, *NAMED, lang="sl")
    assert done.exit_code == 0, done.output
    assert "Prebranih vrstic: 3. Odčitki: shranjeni 3" in done.stdout
    assert "Neuporabljeni stolpci: opomba" in done.stdout
    assert stored(feed) == EXPECTED
    again = bring(feed, file, *NAMED)
    assert "stored 0, completed 0, revised 0,\nduplicate 3" in again.stdout
    assert stored(feed) == EXPECTED
    check_balance(feed.home.path, 6)


def test_a_workbook_and_a_parquet_file_give_the_same(feed, tmp_path):
    header = ["device_id", "observed_at", "volume_total_m3", "flow_m3h"]
    rows = [
        ("w1", datetime(2025, 3, 1, 8, tzinfo=UTC).replace(tzinfo=None), 1234.5, 0.9),
        ("w1", datetime(2025, 3, 1, 9, tzinfo=UTC).replace(tzinfo=None), 1235, None),
        ("w2", datetime(2025, 3, 1, 9, tzinfo=UTC).replace(tzinfo=None), 12.125, 3.6),
    ]
    book = xlsxwriter.Workbook(tmp_path / "history.xlsx")
    sheet = book.add_worksheet()
    sheet.write_row(0, 0, header)
    for number, row in enumerate(rows, 1):
        sheet.write_row(number, 0, [row[0]])
        sheet.write_datetime(number, 1, row[1], book.add_format({"num_format": "d.m.yyyy hh:mm"}))
        sheet.write_row(number, 2, row[2:])
    book.close()
    done = bring(feed, tmp_path / "history.xlsx", "--json")
    assert done.exit_code == 0, done.output
    assert stored(feed) == EXPECTED
    pl.DataFrame(rows, schema=header, orient="row").write_parquet(tmp_path / "history.parquet")
    assert "duplicate 3" in bring(feed, tmp_path / "history.parquet").stdout
    aware = pl.DataFrame(rows, schema=header, orient="row").with_columns(
        pl.col("observed_at").dt.replace_time_zone("Europe/Ljubljana")
    )
    aware.write_parquet(tmp_path / "aware.parquet")
    assert "duplicate 3" in bring(feed, tmp_path / "aware.parquet", "--zone", "America/New_York").stdout
    assert stored(feed) == EXPECTED


@pytest.mark.parametrize(
    ("form", "name"), [("csv", "e.csv"), ("excel-csv", "e.csv"), ("xlsx", "e.xlsx"), ("parquet", "e.parquet")]
)
def test_what_was_exported_comes_back_as_the_same_readings(feed, tmp_path, form, name):
    bring(feed, write(tmp_path, EXCEL), *NAMED)
    options = ["--home", str(feed.home.path), "--as-of", NOW.isoformat(), "export", "water_meter", "--format", form]
    done = CliRunner().invoke(app, [*options, "--purpose", "test", "--output", str(tmp_path / name)])
    assert done.exit_code == 0, done.output
    there = Feed(tmp_path / "there")
    there.register(("w1", "water_meter"), ("w2", "water_meter"))
    done = bring(there, tmp_path / name)
    assert done.exit_code == 0, done.output
    assert stored(there) == EXPECTED


def test_keys_counts_and_states_of_other_families(feed, tmp_path):
    feed.register(("t1", "traffic_counter"), ("h1", "hydrant"))
    table = pl.DataFrame(
        {
            "device_id": ["t1", "t1"],
            "time": [1_740_816_000, 1_740_816_900],
            "lane": [1.0, 2.0],
            "direction": ["a\\b", 'n"'],
            "count": [5.0, 6.0],
        }
    )
    table.write_parquet(tmp_path / "t.parquet")
    known = families()["traffic_counter"]
    count = next(m.name for m in known.columns if m.type == "int" and m.name != "interval_s")
    done = bring(feed, tmp_path / "t.parquet", "--map", f"count={count}", family="traffic_counter")
    assert done.exit_code == 0, done.output
    assert feed.sql(f"SELECT lane, direction, {count} FROM traffic_counter ORDER BY 1") == [
        ("1", "a\\b", 5),
        ("2", 'n"', 6),
    ]
    file = write(tmp_path, "time;open_state\n2025-03-01T08:00:00Z;da\n2025-03-01T09:00:00Z;NE\n")
    done = bring(feed, file, "--device", "h1", family="hydrant")
    assert done.exit_code == 0, done.output
    assert feed.sql("SELECT open_state FROM hydrant ORDER BY observed_at") == [(True,), (False,)]


def test_bad_values_are_quarantined_as_they_were_and_the_rest_is_stored(feed, tmp_path):
    file = write(
        tmp_path,
        "device_id;time;volume_total_m3\n"
        "w1;2025-03-01T08:00:00Z;1\n"
        'w1;2025-03-01T09:00:00Z;"ni ""odčitka"""\n'
        "w1;včeraj;3\n"
        "w1;;4\n"
        "w1;26. 10. 2025 2:30;5\n"  # that hour came twice
        "w1;1970-01-01T00:00:00Z;6\n"
        "w9;2025-03-01T08:00:00Z;7\n"
        "a/b;2025-03-01T08:00:00Z;8\n"
        ";2025-03-01T08:00:00Z;9\n"
        "w1;2025-03-01T10:00:00Z;\n",
    )
    done = bring(feed, file)
    assert done.exit_code == 0, done.output
    assert "stored 1," in done.stdout
    assert "drava quarantine list" in done.stdout
    assert feed.quarantined() == {
        "wrong_type": 1,
        "impossible_time": 4,
        "unknown_device": 2,
        "no_route": 1,
        "no_measure": 1,
    }
    payload = feed.sql("SELECT payload FROM quarantine WHERE reason = 'wrong_type'")[0][0]
    assert payload.decode() == '{"time":"2025-03-01T09:00:00Z","volume_total_m3":"ni \\"odčitka\\""}'
    check_balance(feed.home.path, 10)


def test_what_replay_tries_again_is_still_history(feed, tmp_path):
    file = write(tmp_path, "device_id,time,volume_total_m3\nw9,,7\nw9,2025-03-01T08:00:00Z,8\n")
    bring(feed, file)
    feed.register(("w9", "water_meter"))
    options = ["--home", str(feed.home.path), "--as-of", NOW.isoformat()]
    assert CliRunner().invoke(app, [*options, "quarantine", "replay"]).exit_code == 0
    assert feed.quarantined() == {"impossible_time": 1}
    assert [row[2] for row in stored(feed)] == [8]
    check_balance(feed.home.path, 2)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("device_id;time;volume_total_m3\nw1;2025-03-01;1\nw1;2025-03-02;2;3\n", "line 3"),
        ('device_id;time;volume_total_m3\nw1;2025-03-01;"1\nw1;2025-03-02;2\n', "line 2"),
        ("device_id;time;volume_total_m3;time\nw1;2025-03-01;1;\n", "twice"),
        ("device_id;time;volume_total_m3\n", "no rows"),
        ("", "no rows"),
        ("device_id;time;volume_total_m3\nw1;2025-03-01;1\0\n", "NUL"),
        ("device_id;time;volume_total_m3\nw1;2025-03-01;" + "1" * 70_000, "longer than"),
    ],
)
def test_what_is_no_table_is_refused_before_anything_is_journalled(feed, tmp_path, text, says):
    done = bring(feed, write(tmp_path, text))
    assert done.exit_code == 2
    assert says in done.stderr
    assert "nothing was imported" in done.stderr
    assert not (feed.home.journal / "import").exists()


@pytest.mark.parametrize(
    ("header", "words", "says"),
    [
        ("device_id;time;stanje", (), "no column of the file is a measure"),
        ("id;time;volume_total_m3", (), "--device-column"),
        ("device_id;kdaj;volume_total_m3", (), "--time-column"),
        ("device_id;time;stanje", ("--map", "stanje=volume"), "no column 'volume'"),
        ("device_id;time;stanje", ("--map", "stanja=volume_total_m3"), "no column 'stanja'"),
        ("device_id;time;stanje", ("--map", "stanje=volume_total_m3:kg"), "cannot become"),
        ("device_id;time;volume_total_m3", ("--zone", "Ptuj"), "not a time zone"),
        ("device_id;time;volume_total_m3", ("--decimal", ";"), "no decimal mark"),
    ],
)
def test_columns_that_are_not_clear_are_asked_for(feed, tmp_path, header, words, says):
    done = bring(feed, write(tmp_path, f"{header}\nw1;2025-03-01;1\n"), *words)
    assert isinstance(done.exception, DravaError)
    assert says in str(done.exception)
    assert not (feed.home.journal / "import").exists()


def test_numbers_that_can_be_read_in_two_ways_are_asked_about(feed, tmp_path):
    file = write(tmp_path, "device_id;time;volume_total_m3\nw1;2025-03-01;1.234\n")
    assert "two ways" in str(bring(feed, file).exception)
    assert bring(feed, file, "--decimal", ".").exit_code == 0
    assert [row[2] for row in stored(feed)] == [Decimal("1.234")]


@pytest.mark.parametrize("name", ["history.ods", "history.parquet", "history.xlsx", "missing.csv"])
def test_what_is_no_file_of_a_kind_we_read_is_said(feed, tmp_path, name):
    if not name.startswith("missing"):
        (tmp_path / name).write_bytes(b"PK\x03\x04 not really")
    done = bring(feed, tmp_path / name)
    assert isinstance(done.exception, DravaError), done.output


def test_rows_sorted_by_device_do_not_make_a_file_of_every_day_and_part(feed, tmp_path, monkeypatch):
    monkeypatch.setattr("ingest.sheets.PART_ROWS", 40)
    days = 80
    began = datetime(2025, 1, 1, tzinfo=UTC)
    rows = [
        {"device_id": device, "time": began + timedelta(days=day, hours=hour), "volume_total_m3": day * 4 + hour}
        for device in ("w1", "w2")
        for day in range(days)
        for hour in range(3)
    ]
    pl.DataFrame(rows).write_parquet(tmp_path / "h.parquet")
    assert f"stored {len(rows):,}," in bring(feed, tmp_path / "h.parquet").stdout
    assert len(list((feed.home.lake / "water_meter").rglob("*.parquet"))) <= days
    assert not list((feed.home.journal / "import").glob("sorted-*"))


def test_two_imports_at_once_are_refused_and_live_messages_are_not_disturbed(feed, tmp_path):
    file = write(tmp_path, "device_id,time,volume_total_m3\nw1,2025-03-01T08:00:00Z,1\n")
    other = Feed(feed.home.path, journal="import")
    assert "another receiver" in str(bring(feed, file).exception)
    other.journal.close()
    feed.say(topic("w1"), {"time": z(NOW), "volume_total_m3": 5})
    feed.journalled()
    assert bring(feed, file).exit_code == 0
    assert feed.commit()["stored"] == 1
    check_balance(feed.home.path, 2)


@pytest.mark.parametrize("step", ["files_written", "plan_written", "delta_committed", "published"])
def test_killed_in_the_middle_and_repeated_each_row_is_stored_once(feed, tmp_path, step):
    lines = [f"w{1 + n % 2},2025-0{1 + n % 3}-11T{n // 6:02d}:00:00Z,{n}" for n in range(90)]
    file = write(tmp_path, "device_id,time,volume_total_m3\n" + "\n".join(lines) + "\n")
    words = ["--home", str(feed.home.path), "--as-of", NOW.isoformat(), "import", str(file), "--family", "water_meter"]
    killed = subprocess.run(
        [sys.executable, "-c", "from cli import run; run()", *words],
        cwd=ROOT,
        env=os.environ | {"DRAVA_TEST_KILL_AT": step},
        capture_output=True,
        text=True,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    done = bring(feed, file)
    assert done.exit_code == 0, done.output
    assert feed.sql("SELECT count(*), sum(volume_total_m3) FROM water_meter_revisions") == [(90, sum(range(90)))]
    assert feed.sql("SELECT sum(stored), sum(duplicate), sum(received) FROM balance") == [
        (90, 60, 150)
    ]  # two months were journalled
    assert Reader(feed.home.journal / "import").waiting(10**9) == (0, None)
    check_balance(feed.home.path, 150)


@given(
    st.lists(
        st.tuples(
            st.floats(width=64) | st.none(),
            st.integers(-(2**63), 2**63 - 1) | st.none(),
            st.text(max_size=12),
        ),
        min_size=1,
        max_size=20,
    )
)
@settings(max_examples=60, deadline=None)
def test_whatever_a_file_holds_every_row_becomes_one_message_of_valid_json(rows):
    frame = pl.DataFrame(
        {
            "device_id": [r[2] for r in rows],
            "time": [r[1] for r in rows],
            "volume_total_m3": [r[0] for r in rows],
            "flow_m3h": [r[2] for r in rows],
            "battery_pct": [r[1] for r in rows],
        },
        schema_overrides={"volume_total_m3": pl.Float64, "time": pl.Int64, "battery_pct": pl.Int64},
    )
    what = layout(frame.columns, families()["water_meter"], maps=["flow_m3h=flow_m3h:L/s"])
    made = messages(frame, what, "ptuj", ZONE, {"flow_m3h": "."})
    assert made.height == frame.height
    for payload, where, row in zip(made["payload"], made["topic"], rows, strict=True):
        document = json.loads(payload)
        assert where == f"ptuj/water_meter/{row[2]}/telemetry"
        if row[0] is not None and row[0] == row[0] and abs(row[0]) != float("inf"):
            assert document["volume_total_m3"] == row[0]


DAIAD = ROOT.parent / "shared" / "data" / "daiad_smart_meters" / "swm_trialA.parquet"


@pytest.mark.skipif(not DAIAD.exists(), reason="the DAIAD meters are not there: ../shared/data/daiad_smart_meters")
def test_a_real_meters_year_keeps_its_last_register(feed, tmp_path):
    meter = pl.scan_parquet(DAIAD).filter(pl.col("meter") == 7).collect()
    meter.write_parquet(tmp_path / "m.parquet")
    feed.register(("7", "water_meter"), since=datetime(2016, 1, 1, tzinfo=UTC))
    words = ("--device-column", "meter", "--time-column", "timestamp", "--zone", "UTC")
    feed.home.file.write_text(feed.home.file.read_text() + "[ingest]\ntoo_old_days = 36500\n")
    done = bring(feed, tmp_path / "m.parquet", *words, "--map", "reading_l=volume_total_m3:L")
    assert done.exit_code == 0, done.output
    last = meter.sort("timestamp")["reading_l"][-1]
    assert feed.sql("SELECT arg_max(volume_total_m3, observed_at), count(*) FROM water_meter") == [
        (Decimal(str(last)) / 1000, meter["timestamp"].n_unique())
    ]
    assert feed.quarantined() == {}


def test_a_file_can_be_looked_at_again_and_again(tmp_path):
    sheet = open_sheet(write(tmp_path, EXCEL, "cp1250"))
    assert not isinstance(sheet, Unreadable)
    assert sheet.header == ("šifra", "čas_odčitka", "stanje_(m3)", "pretok", "opomba")
    assert [[f.to_dicts() for f in sheet.parts(["pretok"])] for _ in range(2)] == [
        [[{"pretok": "0,25"}, {"pretok": None}, {"pretok": "1"}]]
    ] * 2
