"""Which readings are new: exact identity, duplicates, completions, revisions.

Identity is (device, keys, observed_at) without the value. The same reading again is a duplicate; a row that adds
measures completes the reading; another value of the same measure revises it. Rows are only ever appended: the view
puts a reading together from its rows in the order (seq, received_at, message_id), whatever order they arrived in.

One high-water time per device and key tells most readings to be new without looking; it may only err high. The rest is
looked up in the published files of its day.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from ingest.normalise import flag
from lake.tables import columns
from schemas.quality import Test
from schemas.vocabulary import Family

STORED, COMPLETED, REVISED, DUPLICATE = "stored", "completed", "revised", "duplicate"
HOUR_US = 3_600_000_000
LOAD_FILES = 256

Files = Callable[[Sequence[str]], list[Path]]  # UTC days -> live files of the family's table


class FamilyState:
    """What the writer remembers of one family: a mark per device and key, the last registers there."""

    def __init__(self, family: Family) -> None:
        """Start empty; `load` or `learn` fill it."""
        self.family = family
        self.registers = [m.name for m in family.columns if m.kind == "cumulative"]
        self.by = ["device_id", *family.keys]
        self.version = -1  # of the table this state knows
        self.files: set[Path] = set()  # that it has learnt from
        self._marks = pl.DataFrame(
            schema={**dict.fromkeys(self.by, pl.String), "_mark": pl.Int64}
            | {f"_last_{name}": pl.Float64 for name in self.registers}
        )

    def learn(self, rows: pl.DataFrame) -> None:
        """Take in rows that are about to be, or are, published: columns by, observed_at (µs), registers."""
        if not rows.height:
            return
        fresh = rows.select(
            *self.by,
            pl.col("observed_at").alias("_mark"),
            *(pl.col(name).cast(pl.Float64).alias(f"_last_{name}") for name in self.registers),
        )
        both = pl.concat([self._marks, fresh])
        self._marks = both.group_by(self.by).agg(
            pl.col("_mark").max(),
            *(
                pl.col(f"_last_{n}")
                .filter(pl.col(f"_last_{n}").is_not_null())
                .sort_by(pl.col("_mark").filter(pl.col(f"_last_{n}").is_not_null()), maintain_order=True)
                .last()
                for n in self.registers
            ),
        )

    def load(self, files: Sequence[Path]) -> None:
        """Learn from published files, some at a time so that memory stays small."""
        for start in range(0, len(files), LOAD_FILES):
            scan = _scan(self.family, files[start : start + LOAD_FILES])
            time = pl.col("observed_at").dt.epoch("us")
            last = [
                pl.col(name)
                .drop_nulls()
                .sort_by(time.filter(pl.col(name).is_not_null()), pl.col("revision").filter(pl.col(name).is_not_null()))
                .last()
                for name in self.registers
            ]
            self.learn(scan.group_by(self.by).agg(time.max(), *last).collect())

    def marked(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Add _mark and the last registers to rows; order is kept."""
        return rows.join(self._marks, on=self.by, how="left", maintain_order="left")


def judge(state: FamilyState, rows: pl.DataFrame, files: Files) -> pl.DataFrame:
    """Add `status` and `revision` to normalised rows of one family, sorted by device, keys and time.

    Returns all rows; those with status `duplicate` are not to be stored.
    """
    identity = [*state.by, "observed_at"]
    # elements of one array that differ in nothing else stay in their order: the later one is the later word
    by = [*identity, "seq", "received_at", "message_id"]
    rows = state.marked(rows).sort(by, nulls_last=False, maintain_order=True)
    rows = rows.with_row_index("_row")
    same = pl.all_horizontal(pl.col(name) == pl.col(name).shift(1) for name in identity).fill_null(value=False)
    again = same | same.shift(-1, fill_value=False)
    late = (pl.col("observed_at") <= pl.col("_mark")).fill_null(value=False)
    resent = (pl.col("time_source") == "broker") & pl.col("duplicate")
    rows = rows.with_columns(again.alias("_again"), late.alias("_late"), resent.alias("_resent"))
    doubtful = rows.filter(pl.col("_again") | pl.col("_late") | pl.col("_resent"))
    rows = rows.with_columns(pl.lit(STORED).alias("status"), pl.lit(0, pl.Int16).alias("revision"))
    if doubtful.height:
        placed = rows.filter(pl.col("time_source") == "broker")
        rows = rows.update(_judged(state, doubtful, placed, files), on="_row", how="left")
    return _continuous(state, rows)


def _judged(state: FamilyState, doubtful: pl.DataFrame, placed: pl.DataFrame, files: Files) -> pl.DataFrame:
    """Decide about rows that may not be new: columns _row, status, revision. `placed` got their time by the broker."""
    measures = list(state.family.measures)
    identity = [*state.by, "observed_at"]
    stored = _look_up(state, doubtful, files)
    # exact copies, the mass of all duplicates, are decided in columns
    copies = doubtful.filter(~pl.struct(*identity, *measures).is_first_distinct())
    rest = doubtful.join(copies, on="_row", how="anti")
    pairs = rest.join(stored, on=identity, how="inner", suffix="_there", nulls_equal=False)
    contained = pl.all_horizontal(
        pl.col(m).is_null() | (pl.col(m) == pl.col(f"{m}_there")).fill_null(value=False) for m in measures
    )
    known = pairs.filter(contained).select("_row").unique()
    duplicates = pl.concat([copies.select("_row"), known, _resent(state, rest, placed, stored)]).unique()
    rest = rest.join(duplicates, on="_row", how="anti")
    there = stored.join(rest, on=identity, how="semi")
    decided = _one_by_one(identity, measures, rest, there)
    return pl.concat(
        [
            duplicates.with_columns(pl.lit(DUPLICATE).alias("status"), pl.lit(0, pl.Int16).alias("revision")),
            pl.DataFrame(decided, schema={"_row": pl.UInt32, "status": pl.String, "revision": pl.Int16}, orient="row"),
        ]
    )


def _look_up(state: FamilyState, doubtful: pl.DataFrame, files: Files) -> pl.DataFrame:
    """The published rows of the devices and days in doubt, a day at a time."""
    names = [*state.by, "observed_at", *state.family.measures, "time_source", "seq", "received_at", "message_id"]
    schema = {name: doubtful.schema[name] for name in names}
    found = [pl.DataFrame(schema=schema)]
    ask = doubtful.filter(pl.col("_late") | pl.col("_resent"))
    # the first copy of what was sent again may stand in the day before
    days = [(ask, pl.col("observed_at")), (ask.filter("_resent"), pl.col("observed_at") - HOUR_US)]
    asked = pl.concat(rows.with_columns(pl.from_epoch(time, "us").dt.date().alias("_day")) for rows, time in days)
    for (date,), part in asked.group_by("_day"):
        paths = files([str(date)])
        if paths:
            found.append(_of_day(state.family, paths, part, schema))
    return pl.concat(found)


def _scan(family: Family, files: Sequence[Path]) -> pl.LazyFrame:
    return pl.scan_parquet(
        list(files),
        schema=columns(family.name),
        missing_columns="insert",
        extra_columns="ignore",
        hive_partitioning=False,
    )


def _of_day(family: Family, paths: list[Path], part: pl.DataFrame, schema: dict[str, Any]) -> pl.DataFrame:
    devices = part["device_id"].unique()
    low, high = part["observed_at"].min(), part["observed_at"].max()
    # what was placed in time by the broker may stand anywhere in the hour before
    time = pl.col("observed_at").dt.epoch("us")
    near = time.is_between(int(low) - HOUR_US, int(high))  # type: ignore[arg-type] # µs
    return (
        _scan(family, paths)
        .select(schema.keys())
        .filter(pl.col("device_id").is_in(devices.implode()) & near)
        .with_columns(time, pl.col("received_at").dt.epoch("us"))
        .cast(schema)  # type: ignore[arg-type] # names and types
        .collect()
    )


def _resent(state: FamilyState, rest: pl.DataFrame, placed: pl.DataFrame, stored: pl.DataFrame) -> pl.DataFrame:
    """Readings without a time of their own that the broker sent again (DUP): the same values within the hour before."""
    resent = rest.filter(pl.col("_resent"))
    if not resent.height:
        return pl.DataFrame(schema={"_row": pl.UInt32})
    measures = list(state.family.measures)
    columns = [*state.by, "observed_at", *measures, "message_id"]
    before = pl.concat([stored.filter(pl.col("time_source") == "broker").select(columns), placed.select(columns)])
    pairs = resent.join(before, on=[*state.by, *measures], how="inner", suffix="_there", nulls_equal=True)
    age = pl.col("observed_at") - pl.col("observed_at_there")
    earlier = pl.col("message_id_there") < pl.col("message_id")  # the first of several copies stays
    return pairs.filter(age.is_between(0, HOUR_US) & earlier).select("_row").unique()


def _one_by_one(
    identity: list[str], measures: list[str], rest: pl.DataFrame, there: pl.DataFrame
) -> list[tuple[int, str, int]]:
    """Decide completions and revisions: few rows, in the order that does not depend on arrival."""
    readings: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for row in there.iter_rows(named=True):
        readings.setdefault(tuple(row[name] for name in identity), []).append(row)
    decided = []
    for row in rest.iter_rows(named=True):
        rows = readings.setdefault(tuple(row[name] for name in identity), [])
        status = _status(row, rows, measures)
        decided.append((row["_row"], status, len(rows) if status != DUPLICATE else 0))
        if status != DUPLICATE:
            rows.append(row)
    return decided


def _status(row: dict[str, Any], rows: list[dict[str, Any]], measures: list[str]) -> str:
    if not rows:
        return STORED
    values = {name: row[name] for name in measures if row[name] is not None}
    merged: dict[str, Any] = {}
    for other in sorted(rows, key=order):
        if all(other[name] == value for name, value in values.items()):
            return DUPLICATE
        merged |= {name: other[name] for name in measures if other[name] is not None}
    if all(merged.get(name) == value for name, value in values.items()):
        return DUPLICATE
    differs = any(name in merged and merged[name] != value for name, value in values.items())
    return REVISED if differs else COMPLETED


def order(row: dict[str, Any]) -> tuple[int, int, int]:
    """Which of several rows of a reading is the later word, in whatever order they arrived."""
    return (-1 if row["seq"] is None else row["seq"], row["received_at"], row["message_id"])


def _continuous(state: FamilyState, rows: pl.DataFrame) -> pl.DataFrame:
    """Flag registers that went down against the reading before, for readings that arrive in order."""
    if not state.registers:
        return rows
    told = (pl.col("status") != DUPLICATE) & (pl.col("observed_at") >= pl.col("_mark")).fill_null(value=True)
    fresh = (pl.col("status") == STORED) & ~pl.col("_late")
    down = []
    for name in state.registers:
        value = pl.when(told).then(pl.col(name).cast(pl.Float64)).otherwise(None)
        # the last one that was told, in this batch or before it: the same answer however messages fall into batches
        before = pl.coalesce(value.forward_fill().shift(1).over(state.by), f"_last_{name}")
        down.append((value < before).fill_null(value=False))
    tests = pl.when(fresh & pl.any_horizontal(down)).then(int(Test.MONOTONIC)).otherwise(0)
    rows = rows.with_columns((pl.col("quality_tests") | tests).cast(pl.Int32))
    return rows.with_columns(flag(pl.col("quality_tests")).alias("quality"))
