"""Values of indicators lie by the month of their periods; the newest are found, whatever way they came to lie."""

import random
from datetime import UTC, date, datetime, timedelta

import duckdb
import polars as pl
import pyarrow as pa
import pytest

from lake import files, whole
from lake.commit import append_values, by_month
from lake.maintain import compact_all
from lake.query import open_snapshot
from lake.tables import INDICATOR_VALUES
from lake.whole import finish_all
from tests.ingest.feeding import NOW, Feed

TABLE = "indicator_values"
KEY = ["indicator", "subject_kind", "subject_id", "period_start", "period_end"]
YEAR = (date(2025, 1, 1), date(2026, 1, 1))


@pytest.fixture
def feed(tmp_path):
    return Feed(tmp_path / "home")


def value(number, subject, first, amount, *, end=None, indicator="water.night"):
    """What the run of so many days after January 2026 said."""
    row = dict.fromkeys(INDICATOR_VALUES.names) | {"indicator": indicator, "version": 1, "subject_kind": "thing"}
    period = {"subject_id": subject, "period_start": first, "period_end": end or first + timedelta(days=1)}
    when = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=number)
    return row | period | {"value": amount, "snapshot_id": number, "computed_at": when}


def append(feed, rows):
    append_values(feed.lake, pa.Table.from_pylist(rows, INDICATOR_VALUES))


def shown(feed, condition="true"):
    names = ", ".join([*KEY, "value", "snapshot_id"])
    with open_snapshot(feed.home.path, tables=[TABLE], limited=False) as lake:
        return lake.execute(f"SELECT {names} FROM {TABLE} WHERE {condition} ORDER BY ALL").fetchall()


def newest(rows):
    last = {tuple(row[name] for name in KEY): (row["value"], row["snapshot_id"]) for row in rows}
    return sorted(key + said for key, said in last.items())


def paths(feed, month):
    return feed.lake.tables[TABLE].paths([month])


def old_layout(feed, rows, monkeypatch):
    """As programs before wrote them: by the day of the run, and the log says nothing of periods."""
    with monkeypatch.context() as before, feed.lake.exclusive():
        before.setattr(files, "_bounded", lambda _schema: [])
        table = pa.Table.from_pylist(rows, INDICATOR_VALUES)
        feed.lake.commit("indicators", {TABLE: {rows[0]["computed_at"].date().isoformat(): table}})


@pytest.mark.parametrize("seed", range(4))
def test_the_newest_of_each_value_is_shown_whatever_was_done_to_the_files(feed, monkeypatch, seed):
    """Seeds 2 and 3 begin with files of an older program."""
    chance, rows = random.Random(seed), []
    monkeypatch.setattr(whole, "PIECE_ROWS", 5)
    for number in range(12):
        days = [date(2025, 11, 20) + timedelta(days=chance.randrange(120)) for _ in range(8)]
        made = [
            value(number, chance.choice("abc"), day, chance.random(), indicator=chance.choice("xy")) for day in days
        ]
        made.append(value(number, "a", YEAR[0], chance.random(), end=YEAR[1]))  # a year's: it ends in another month
        made = list({tuple(row[name] for name in KEY): row for row in made}.values())
        rows += made
        if seed > 1 and number < 3:
            old_layout(feed, made, monkeypatch)
        else:
            append(feed, made)
        chance.choice([finish_all, compact_all, lambda _lake: 0, lambda _lake: 0])(feed.lake)
        assert shown(feed) == newest(rows)
    for day in (date(2025, 12, 31), date(2026, 1, 1), date(2026, 2, 11)):
        within = [row for row in rows if row["period_start"] <= day < row["period_end"]]
        assert shown(feed, f"period_start <= DATE '{day}' AND period_end > DATE '{day}'") == newest(within)
    stored = pl.read_parquet([path for month in feed.lake.tables[TABLE].files() for path in paths(feed, month)])
    assert stored.height == len(rows), "earlier values stay"


def test_a_question_about_a_year_opens_no_files_of_other_years(feed):
    """But the first of a span, for its columns."""
    rows = [value(1, "a", date(year, month, 5), float(month)) for year in (2024, 2025) for month in range(1, 13)]
    append(feed, rows)
    for month in range(2, 13):
        [path] = paths(feed, f"2024-{month:02}-01")
        path.chmod(0o600)
        path.write_bytes(b"no Parquet")
    assert len(shown(feed, "period_start >= DATE '2025-01-01'")) == 12
    with pytest.raises(duckdb.Error):
        shown(feed, "period_start >= DATE '2024-12-01'")


def test_months_become_one_sorted_file_with_every_row(feed, monkeypatch):
    monkeypatch.setattr(whole, "PIECE_ROWS", 4)
    days = [date(2026, 2, 1) + timedelta(days=n) for n in range(4)]
    rows = [value(n, subject, day, 1.0 * n) for n, day in enumerate(days) for subject in "cab"]
    again = [row | {"computed_at": NOW, "value": 9.0} for row in rows[:2]]
    for part in (rows[:6], rows[6:], again):
        append(feed, part)
    assert finish_all(feed.lake) == 3
    [path] = paths(feed, "2026-02-01")
    found = pl.read_parquet(path).select("indicator", "subject_id", "period_start", "computed_at")
    assert found.height == len(rows) + len(again)
    assert found.equals(found.sort(found.columns))
    assert shown(feed) == newest([*rows, *again])
    append(feed, [value(20, "a", date(2026, 2, 5), 0.0)])
    assert finish_all(feed.lake) == 0, "a few rows do not make a month anew"


def test_values_are_parted_by_the_month_in_which_their_period_begins():
    rows = [value(1, "a", date(2025, 12, 31), 1.0), value(1, "a", *YEAR[:1], 2.0, end=YEAR[1])]
    assert {day: part.num_rows for day, part in by_month(pa.Table.from_pylist(rows, INDICATOR_VALUES)).items()} == {
        "2025-01-01": 1,
        "2025-12-01": 1,
    }
