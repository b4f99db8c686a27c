"""Proves that a change of a Delta table happens exactly once, whatever a handle knew before."""

import json
import os

import pyarrow as pa
import pytest
from deltalake import DeltaTable

from catalog.plans import Plan, TableChange
from lake import log
from lake.delta import Delta
from lake.files import write_parquet
from lake.log import APP

SCHEMA = pa.schema([("device_id", pa.string()), ("observed_at", pa.timestamp("us", "UTC")), ("value", pa.float64())])
DAY = "2026-03-02"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "lake").mkdir()
    return tmp_path / "lake" / "readings"


def added(folder, number, rows=1, day=DAY):
    table = pa.table(
        {"device_id": ["d"] * rows, "observed_at": [number] * rows, "value": [float(number)] * rows}, SCHEMA
    )
    return TableChange([write_parquet(folder, f"{number:010d}", day, table, number)])


def apply(delta, number, change):
    return delta.apply(Plan(number, "ingest", number, {}), change).version


def values(folder):
    return sorted(DeltaTable(folder).to_pyarrow_table()["value"].to_pylist())


def test_a_change_applied_again_is_applied_once(folder):
    delta, change = Delta(folder, SCHEMA), added(folder, 1)
    assert apply(delta, 1, change) == apply(delta, 1, change) == 1
    assert apply(Delta(folder, SCHEMA), 1, change) == 1
    assert values(folder) == [1]
    assert DeltaTable(folder).transaction_version(APP) == 1


def test_a_stale_handle_sees_what_another_committed(folder):
    first, second = Delta(folder, SCHEMA), Delta(folder, SCHEMA)
    assert first.files() == second.files() == {}
    apply(first, 1, added(folder, 1))
    assert apply(second, 2, added(folder, 2)) == 2  # opened before the first change
    assert apply(first, 3, added(folder, 3)) == 3
    assert values(folder) == [1, 2, 3]
    second.reopen()
    assert sum(len(files) for files in second.files().values()) == 3


def test_a_stale_handle_does_not_apply_what_another_did_for_it(folder):
    first, second = Delta(folder, SCHEMA), Delta(folder, SCHEMA)
    first.version()
    second.version()
    change = added(folder, 1)
    apply(first, 1, change)
    assert apply(second, 1, change) == 1
    assert values(folder) == [1]


def test_a_file_is_replaced_and_taken_away_in_one_version(folder):
    delta, old = Delta(folder, SCHEMA), added(folder, 1, rows=3)
    apply(delta, 1, old)
    delta.files()
    new = TableChange(added(folder, 2, rows=3).adds, old.adds, data_change=False)
    assert apply(delta, 2, new) == 2
    assert values(folder) == [2, 2, 2]
    assert [file.path for files in delta.files().values() for file in files] == [new.adds[0].path]
    assert len(DeltaTable(folder, version=1).file_uris()) == 1
    assert DeltaTable(folder, version=1).to_pyarrow_table()["value"].to_pylist() == [1, 1, 1]


def test_a_column_that_an_upgrade_brought_is_known_to_all_readers(folder):
    apply(Delta(folder, SCHEMA), 1, added(folder, 1))
    wider = SCHEMA.append(pa.field("fresh", pa.int64()))
    apply(Delta(folder, wider), 2, added(folder, 2))
    assert DeltaTable(folder).to_pyarrow_table()["fresh"].to_pylist() == [None, None]
    assert values(folder) == [1, 2]


def test_an_empty_log_folder_of_a_crash_becomes_a_table(folder):
    (folder / "_delta_log").mkdir(parents=True)
    assert apply(Delta(folder, SCHEMA), 1, added(folder, 1)) == 1


def test_statistics_bound_the_times_of_a_file(folder):
    """Readers skip files by them: the bounds must hold at the microsecond, before and after 1970."""
    for number, time in enumerate((1_772_431_200_999_999, 1_772_431_200_000_001, -1, -999_999), 1):
        table = pa.table({"device_id": ["d"], "observed_at": [time], "value": [0.0]}, SCHEMA)
        [stats] = [json.loads(write_parquet(folder, str(number), DAY, table, 0).stats)]
        low, high = (pa.scalar(stats[side]["observed_at"]).cast(pa.timestamp("us", "UTC")).value
                     for side in ("minValues", "maxValues"))  # fmt: skip
        assert low <= time <= high


def test_a_file_left_by_a_crash_is_replaced_never_written_into(folder):
    """Files are read-only once written; a second attempt of the same plan number makes a new one."""
    first = added(folder, 1, rows=5).adds[0]
    kept = folder / "kept"
    os.link(folder / first.path, kept)
    before = kept.read_bytes()
    added(folder, 1, rows=1)
    assert kept.read_bytes() == before
    assert (folder / first.path).stat().st_mode & 0o222 == 0


def test_a_crash_between_the_two_names_of_an_entry_does_not_change_it_later(folder):
    """The name under which an entry was written may be left over: what comes next must not be written into it."""
    delta = Delta(folder, SCHEMA)
    version = apply(delta, 1, added(folder, 1))
    entry = log.path_of(folder, version)
    before = entry.read_bytes()
    os.link(entry, entry.with_name(log._FRESH))  # as a crash leaves it
    apply(Delta(folder, SCHEMA), 2, added(folder, 2))
    assert entry.read_bytes() == before
    assert values(folder) == [1.0, 2.0]
