"""Which readings are new: exact identity, duplicates, completions, revisions.

Identity is (device, keys, observed_at) without the value. The same reading again is a duplicate; a row that adds
measures completes the reading; another value of the same measure revises it. Rows are only ever appended: the view
puts a reading together from its rows in the order (seq, received_at, message_id), whatever order they arrived in.

One high-water time per device and key (`ingest.state`) tells most readings to be new without looking. The rest is
looked up in the published files of its day.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl

from ingest.known import WIDTH
from ingest.normalise import flag
from ingest.state import FamilyState, Files, scan_files
from schemas.quality import Test
from schemas.vocabulary import Family

STORED, COMPLETED, REVISED, DUPLICATE = "stored", "completed", "revised", "duplicate"
HOUR_US = 3_600_000_000
AUTHOR = "corrected_by"  # the field of a message from a file that says who corrects a reading
LOOK_UP_BYTES = 8 * 2**20


def judge(state: FamilyState, rows: pl.DataFrame, files: Files) -> pl.DataFrame:
    """Add `status` and `revision` to normalised rows of one family, sorted by series and time.

    Returns all rows; those with status `duplicate` are not to be stored.
    """
    rows, again = _ordered(state.marked(rows))
    days = rows.select(_day_of(pl.col("observed_at")))["_day"].unique()
    state.recent.cover([day for day in state.recent.unknown(days) if not files([str(day)])])
    late = (rows["observed_at"] <= rows["_mark"]).fill_null(value=False)
    resent = (rows["time_source"] == "broker") & rows["duplicate"]
    rows = rows.with_columns(
        again.alias("_again"),
        late.alias("_late"),
        resent.alias("_resent"),
        status=pl.lit(STORED),
        revision=pl.lit(0, pl.Int16),
    )
    doubt = again | late | resent
    if doubt.any():
        rows = rows.with_row_index("_row")
        placed = rows.filter(pl.col("time_source") == "broker")
        rows = rows.update(_judged(state, rows.filter(doubt), placed, files), on="_row", how="left")
    return _in_sequence(state, rows)


def insisting(judged: pl.DataFrame) -> pl.DataFrame:
    """What a person says (ingest/correct.py) counts also where it was said before: it takes another word back."""
    again = judged["status"] == DUPLICATE
    if not again.any() or "_history" not in judged.columns:
        return judged
    person = (
        pl.col("_history").fill_null(value=False) & pl.col("extra").str.json_path_match(f"$.{AUTHOR}").is_not_null()
    )
    says = again & judged.select(person.fill_null(value=False))["_history"]
    return judged.with_columns(
        status=pl.when(says).then(pl.lit(REVISED)).otherwise(pl.col("status")),
        revision=pl.when(says).then(pl.lit(1, pl.Int16)).otherwise(pl.col("revision")),
    )


def _ordered(rows: pl.DataFrame) -> tuple[pl.DataFrame, pl.Series]:
    """Rows by series, time and the order of several words about one reading; and which share their identity."""
    rows = rows.sort("_series", maintain_order=True)  # cheap, and enough where devices speak in order of time
    series, time = rows["_series"], rows["observed_at"]
    follows = (series == series.shift(1)).fill_null(value=False)
    if (time > time.shift(1))[1:].filter(follows[1:]).all():
        return rows, pl.repeat(value=False, n=rows.height, eager=True)
    # elements of one array that differ in nothing else stay in their order: the later one is the later word
    rows = rows.sort(
        "_series", "observed_at", "seq", "received_at", "message_id", nulls_last=False, maintain_order=True
    )
    same = rows.select(
        ((pl.col("_series") == pl.col("_series").shift(1)) & (pl.col("observed_at") == pl.col("observed_at").shift(1)))
        .fill_null(value=False)
        .alias("same")
    )["same"]
    return rows, same | same.shift(-1, fill_value=False)


def _judged(state: FamilyState, doubtful: pl.DataFrame, placed: pl.DataFrame, files: Files) -> pl.DataFrame:
    """Decide about rows that may not be new: columns _row, status, revision; new ones may be left out.

    `placed` got their time by the broker.
    """
    measures = list(state.family.measures)
    identity = [*state.by, "observed_at"]
    stored = _look_up(state, doubtful, files)
    met = doubtful.join(stored, on=identity, how="semi")["_row"]
    doubtful = doubtful.filter(pl.col("_again") | pl.col("_resent") | pl.col("_row").is_in(met.implode()))
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
    """The published rows that share their identity with rows in doubt; for those sent again, all that stand near."""
    names = [*state.by, "observed_at", *state.family.measures, "time_source", "seq", "received_at", "message_id"]
    schema = {name: doubtful.schema[name] for name in names}
    late = doubtful.filter(pl.col("_late") & ~pl.col("_resent")).with_columns(_day_of(pl.col("observed_at")))
    late = state.recent.perhaps(late)
    found = [pl.DataFrame(schema=schema)]
    for days, paths in _parts(late["_day"].unique().sort(), files):
        part = late.filter(pl.col("_day").is_in(days.implode()))
        same = part.lazy().select(*state.by, "observed_at")
        there = _published(state.family, paths, part, schema)
        found.append(there.join(same, on=[*state.by, "observed_at"], how="semi").collect(engine="streaming"))
    resent = doubtful.filter("_resent")
    # the first copy of what was sent again may stand in the day before
    asked = [resent.with_columns(_day_of(pl.col("observed_at") - before)) for before in (0, HOUR_US)]
    for (date,), part in pl.concat(asked).group_by("_day"):
        paths = files([str(date)])
        if paths:
            found.append(_published(state.family, paths, part, schema).collect())
    return pl.concat(found).unique(maintain_order=True)


def _day_of(time: pl.Expr) -> pl.Expr:
    return pl.from_epoch(time, "us").dt.date().alias("_day")


def _parts(days: pl.Series, files: Files) -> Iterator[tuple[pl.Series, list[Path]]]:
    """Days and their files, as many at once as are small together: to open them one by one costs more than to read."""
    begin, size, paths = 0, 0, list[Path]()
    for place, day in enumerate(days):
        there = files([str(day)])
        more = sum(path.stat().st_size for path in there)
        if paths and size + more > LOOK_UP_BYTES:
            yield days[begin:place], paths
            begin, size, paths = place, 0, []
        size, paths = size + more, paths + there
    if paths:
        yield days[begin:], paths


def _published(family: Family, paths: list[Path], part: pl.DataFrame, schema: dict[str, Any]) -> pl.LazyFrame:
    """Rows of these files that may have to do with rows in doubt: of their devices, about their time."""
    devices = part["device_id"].unique()
    low, high = part["observed_at"].min(), part["observed_at"].max()
    # what was placed in time by the broker may stand anywhere in the hour before
    time = pl.col("observed_at").dt.epoch("us")
    near = time.is_between(int(low) - HOUR_US, int(high))  # type: ignore[arg-type] # µs
    return (
        scan_files(family, paths)
        .select(schema.keys())
        .filter(pl.col("device_id").is_in(devices.implode()) & near)
        .with_columns(time, pl.col("received_at").dt.epoch("us"))
        .cast(schema)  # type: ignore[arg-type] # names and types
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


def _in_sequence(state: FamilyState, rows: pl.DataFrame) -> pl.DataFrame:
    """Test readings that arrive in order against those before them."""
    told = rows.select(
        told=(pl.col("status") != DUPLICATE) & (pl.col("observed_at") >= pl.col("_mark")).fill_null(value=True)
    )["told"]
    fell = _fallen(state, rows, told)
    rows, bits = state.memory.tests(rows, told)
    if bits is None and fell is None:
        return rows
    fresh = (rows["status"] == STORED) & ~rows["_late"]
    if fell is not None:
        down = fell.cast(pl.Int32) * int(Test.MONOTONIC)
        bits = down if bits is None else bits | down
    tests = rows["quality_tests"] | (bits * fresh.cast(pl.Int32))
    rows = rows.with_columns(tests.alias("quality_tests"))
    return rows.with_columns(flag(pl.col("quality_tests")).alias("quality"))


def _fallen(state: FamilyState, rows: pl.DataFrame, told: pl.Series) -> pl.Series | None:
    """Registers that went down against the reading before; None where none did."""
    row = pl.int_range(pl.len())
    begins = pl.when((pl.col("_series") != pl.col("_series").shift(1)).fill_null(value=True)).then(row).forward_fill()
    down = []
    for name in state.registers:
        if rows[name].null_count() == rows.height:
            continue
        value = pl.col(name).cast(pl.Float64)
        # the last one that was told, in this batch or before it: the same answer however messages fall into batches
        before = pl.when(told & value.is_not_null()).then(row).forward_fill().shift(1)
        known = pl.when(before >= begins).then(value.gather(before)).otherwise(f"_last_{name}")
        down.append((value < known).fill_null(value=False) & ~_rolled_over(rows, value, known))
    fell = rows.select(fell=pl.any_horizontal(down))["fell"] if down else None
    return fell if fell is not None and fell.any() else None


def _rolled_over(rows: pl.DataFrame, value: pl.Expr, before: pl.Expr) -> pl.Expr:
    """Whether a register of so many digits went past its end: it stood in the last tenth, and is in the first."""
    if f"_{WIDTH}" not in rows.columns:
        return pl.lit(value=False)
    end = pl.lit(10.0).pow(pl.col(f"_{WIDTH}"))
    return ((before >= end * 0.9) & (before < end) & (value < end * 0.1)).fill_null(value=False)
