"""Proves that a dataset leaves whole: its period, its area, its format, and never as a formula."""

import csv
import io
import json
from datetime import date, datetime
from decimal import Decimal

import openpyxl
import polars as pl
import pyarrow as pa
import pytest

from catalog.datasets import dataset
from lake import xlsx
from lake.export import Request, expected_rows, export
from lake.formats import new_file
from lake.schedule import due
from lake.snapshot import find
from schemas.errors import DravaError
from schemas.settings import Export, load
from tests.lake.homes import TestHome, at, reading


@pytest.fixture
def home(tmp_path):
    return TestHome(tmp_path / "home")


def written(home, name, form="jsonl", **more):
    """Export and read back: bytes of the file."""
    target = home.path / "exports" / "out"
    request = Request(dataset(name), form, **more)
    snapshot = find(home.path)
    rows = export(home.path, snapshot, request, target, settings=load(home.path / "drava.toml"))
    return rows, target.read_bytes()


def devices(home, **more):
    rows, body = written(home, "hydrant", **more)
    found = [(r["device_id"], r["observed_at"]) for r in map(json.loads, body.splitlines())]
    assert rows == len(found)
    return found


def test_a_period_is_made_of_local_days_with_both_ends(home):
    moments = ["2026-03-28T22:59:59", "2026-03-28T23:00", "2026-03-29T21:59:59", "2026-03-29T22:00"]
    home.add("hydrant", [reading("h1", moment) for moment in moments])
    home.publish()
    spring = date(2026, 3, 29)  # a day of 23 hours
    assert [when for _, when in devices(home, first=spring, last=spring)] == [
        "2026-03-28T23:00:00Z",
        "2026-03-29T21:59:59Z",
    ]
    assert len(devices(home, first=spring)) == 3
    assert len(devices(home, last=spring)) == 3
    assert len(devices(home)) == 4
    request = Request(dataset("hydrant"), "csv", spring, spring)
    assert expected_rows(home.path, find(home.path), request) == 4  # a bar's total: the stored rows of both UTC days


def place(home):
    """Two areas, one in the other; a device that moves from one to a third."""
    home.put("areas", [{"area_id": a, "parent_id": p} for a, p in (("town", None), ("east", "town"), ("else", None))])
    home.put("things", [{"thing_id": f"t-{a}", "family": "hydrant", "area_id": a} for a in ("town", "east", "else")])
    spans = [("h1", "t-east", "2026-01-01", "2026-03-02"), ("h1", "t-else", "2026-03-02", None)]
    spans += [("h2", "t-town", "2026-01-01", None), ("h3", "t-else", "2026-01-01", None)]
    home.put(
        "assignments",
        [
            {"device_id": d, "thing_id": t, "valid_from": at(f), "valid_to": at(u) if u else None}
            for d, t, f, u in spans
        ],
    )
    rows = [reading(d, f"2026-03-0{n}T10:00", flow_m3h=1.0) for d in ("h1", "h2", "h3", "h4") for n in (1, 2)]
    home.add("hydrant", rows)


def test_an_area_holds_its_children_and_what_hung_there_at_the_time(home):
    place(home)
    home.publish()
    assert sorted(devices(home, area="town")) == [
        ("h1", "2026-03-01T10:00:00Z"),
        ("h2", "2026-03-01T10:00:00Z"),
        ("h2", "2026-03-02T10:00:00Z"),
    ]
    assert devices(home, area="east") == [("h1", "2026-03-01T10:00:00Z")]
    assert ("h1", "2026-03-02T10:00:00Z") in devices(home, area="else")
    rows, _ = written(home, "observations", area="east")
    assert rows == 1
    with pytest.raises(DravaError, match="no area"):
        devices(home, area="east' OR 1=1 --")
    with pytest.raises(DravaError, match="knows no areas"):
        written(home, "raw_messages", area="east")
    with pytest.raises(DravaError, match="no times"):
        written(home, "areas", first=date(2026, 1, 1))


@pytest.mark.parametrize(
    "name", ["alarms", "balance", "things", "devices", "assignments", "indicator_values", "quarantine", "inflow"]
)
def test_every_dataset_can_be_asked_by_area(home, name):
    place(home)
    home.publish()
    rows, _ = written(home, name, area="town")
    assert rows == {"things": 2, "assignments": 2}.get(name, 0)


def test_revised_days_are_merged_and_the_same_question_gives_the_same_file(home):
    for day in range(1, 6):
        home.add("hydrant", [reading(f"h{n}", f"2026-03-0{day}T10:00", flow_m3h=1.0, seq=1) for n in range(50)])
    home.add("hydrant", [reading("h1", "2026-03-03T10:00", flow_m3h=2.0, seq=2, revision=1)])
    home.revised = {"hydrant": ["2026-03-03"]}
    home.publish()
    rows, body = written(home, "hydrant")
    assert rows == 250
    assert body == written(home, "hydrant")[1]
    found = {(r["device_id"], r["observed_at"][:10]): r["flow_m3h"] for r in map(json.loads, body.splitlines())}
    assert found["h1", "2026-03-03"] == 2.0
    assert sum(found.values()) == 251
    assert written(home, "hydrant", first=date(2020, 1, 1), last=date(2020, 1, 2)) == (0, b"")


NASTY = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", " =1", "＝1", "\r\n=cmd", 'a;b"c', "plain", "", None]


def nasty(home):
    rows = [reading("h1", f"2026-03-01T10:{n:02d}", extra=text, flow_m3h=-1.5) for n, text in enumerate(NASTY)]
    home.add("hydrant", rows)
    home.publish()


def test_csv_for_excel_has_local_time_and_nothing_that_calculates(home):
    nasty(home)
    rows, body = written(home, "hydrant", "excel-csv")
    assert rows == len(NASTY)
    assert body.startswith(b"\xef\xbb\xbf")
    found = list(csv.DictReader(io.StringIO(body.decode("utf-8-sig"), newline=""), delimiter=";"))
    assert found[0]["observed_at_local"] == "2026-03-01 11:00:00"
    assert found[0]["observed_at_utc"] == "2026-03-01 10:00:00"
    assert {row["flow_m3h"] for row in found} == {"-1,5"}  # a number stays a number
    texts = [row["extra"] for row in found]
    assert texts == ["'" + text for text in NASTY[:8]] + ['a;b"c', "plain", "", ""]


def test_plain_csv_is_what_other_programs_read(home):
    nasty(home)
    _, body = written(home, "hydrant", "csv")
    found = list(csv.DictReader(io.StringIO(body.decode(), newline="")))
    assert found[0]["observed_at"] == "2026-03-01T10:00:00Z"
    assert [row["extra"] for row in found] == [text or "" for text in NASTY]
    assert pl.read_csv(body)["flow_m3h"].sum() == -1.5 * len(NASTY)


def test_parquet_keeps_types_and_json_lines_are_json(home):
    micro = datetime.fromisoformat("2026-03-01T10:00:00.000001+00:00")
    home.add("water_meter", [reading("w1", "2026-03-01T10:00", volume_total_m3=Decimal("1.500001"), observed_at=micro)])
    home.publish()
    _, body = written(home, "water_meter", "parquet")
    frame = pl.read_parquet(io.BytesIO(body))
    assert frame["volume_total_m3"].to_list() == [Decimal("1.500001")]
    assert frame["observed_at"].to_list() == [micro]
    _, body = written(home, "water_meter", "jsonl")
    line = json.loads(body)
    assert (line["observed_at"], line["volume_total_m3"]) == ("2026-03-01T10:00:00.000001Z", 1.500001)


def test_a_workbook_has_text_ids_both_times_and_no_formula(home):
    nasty(home)
    home.add("hydrant", [reading("0042", "2026-07-01T10:00", message_id=2**62, battery_pct=55.5)])
    home.publish()
    _, body = written(home, "hydrant", "xlsx")
    sheet = openpyxl.load_workbook(io.BytesIO(body)).active
    head, *lines = sheet.iter_rows()
    column = {cell.value: n for n, cell in enumerate(head)}
    assert not [cell for line in lines for cell in line if cell.data_type == "f"]
    last = next(line for line in lines if line[column["device_id"]].value == "0042")
    assert last[column["device_id"]].data_type == "s"
    assert last[column["message_id"]].value == str(2**62)  # Excel would round it
    assert last[column["battery_pct"]].value == 55.5
    assert last[column["observed_at_local"]].value == datetime(2026, 7, 1, 12)  # noqa: DTZ001 - a sheet has no zones
    assert last[column["observed_at_utc"]].value == datetime(2026, 7, 1, 10)  # noqa: DTZ001
    assert lines[0][column["extra"]].value == "=1+1"


def test_a_workbook_goes_on_on_further_sheets():
    batch = pa.record_batch({"device_id": [f"d{n}" for n in range(25)], "x": [float("nan")] * 25})
    out = io.BytesIO()
    rows = xlsx.write_xlsx(out, batch.schema, [batch], title="readings", zone="UTC", sheet_rows=11)
    book = openpyxl.load_workbook(out)
    assert rows == 25
    assert [(sheet.title, sheet.max_row) for sheet in book] == [
        ("readings", 11),
        ("readings (2)", 11),
        ("readings (3)", 6),
    ]
    assert book["readings (3)"]["A6"].value == "d24"


def test_a_file_appears_whole_or_not_at_all(tmp_path):
    target = tmp_path / "out.csv"
    target.write_text("old")

    def fail():
        with new_file(target) as out:
            out.write(b"half")
            raise DravaError("the query took too long")

    with pytest.raises(DravaError):
        fail()
    assert [path.name for path in tmp_path.iterdir()] == ["out.csv"]
    assert target.read_text() == "old"
    with pytest.raises(DravaError, match="cannot be written"), new_file(target / "below"):
        pass


@pytest.mark.parametrize(
    ("every", "today", "first", "last", "name"),
    [
        ("day", date(2026, 3, 1), date(2026, 2, 28), date(2026, 2, 28), "2026-02-28.csv"),
        ("week", date(2026, 1, 7), date(2025, 12, 29), date(2026, 1, 4), "2026-W01.csv"),
        ("month", date(2026, 1, 1), date(2025, 12, 1), date(2025, 12, 31), "2025-12.csv"),
    ],
)
def test_the_last_period_that_is_over_is_due_until_its_file_is_there(tmp_path, every, today, first, last, name):
    entry = Export(name="e", dataset="hydrant", every=every)
    (found,) = due(entry, tmp_path, today)
    assert (found.first, found.last, found.file) == (first, last, tmp_path / "e" / name)
    found.file.parent.mkdir()
    found.file.touch()
    assert due(entry, tmp_path, today) == []


def test_periods_that_were_missed_are_written_later(tmp_path):
    entry = Export(name="e", dataset="hydrant", every="day")
    (tmp_path / "e").mkdir()
    (tmp_path / "e" / "2026-03-01.csv").touch()
    assert [found.name for found in due(entry, tmp_path, date(2026, 3, 5))] == [
        "2026-03-02",
        "2026-03-03",
        "2026-03-04",
    ]
