"""What the writer remembers of a family's series: for each device and key the newest time and the last registers.

Every series has a number, and what is remembered stands in columns at that number: a batch is looked up and learnt by
gathering and scattering whole numbers. A mark may only err high.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import polars as pl

from ingest.judgement import Memory, recent
from ingest.recent import Recent
from lake.tables import columns
from schemas.vocabulary import Family

LOAD_FILES = 256

Files = Callable[[Sequence[str]], list[Path]]  # UTC days -> live files of the family's table


class FamilyState:
    """The series of one family, each with its mark (µs) and the last value of each register there."""

    def __init__(self, family: Family) -> None:
        """Start empty; `load` or `learn` fill it."""
        self.family = family
        self.registers = [m.name for m in family.columns if m.kind == "cumulative"]
        self.by = ["device_id", *family.keys]
        self.version = -1  # of the table this state knows
        self.files: set[Path] = set()  # that it has learnt from
        self._series = pl.DataFrame(schema={**dict.fromkeys(self.by, pl.String), "_series": pl.UInt32})
        self._of_device = pl.Series("_series", [], pl.UInt32)  # by registry number, where a device is one series
        self._mark = pl.Series("_mark", [], pl.Int64)
        self._last = {name: pl.Series(f"_last_{name}", [], pl.Float64) for name in self.registers}
        self.recent = Recent()
        self.memory = Memory(family)  # of what the tests against earlier readings need

    def marked(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Add _series, _mark and _last_<register> to rows with _device, device_id and keys; their order is kept."""
        series = self._numbers(rows)
        last = (values.gather(series) for values in self._last.values())
        return rows.with_columns(series, self._mark.gather(series), *last)

    def learn(self, rows: pl.DataFrame) -> None:
        """Take in rows that are, or are about to be, published: _series, observed_at (µs), registers.

        They are ordered by series and time.
        """
        for name, known in self._last.items():
            if rows[name].null_count() < rows.height:
                told = self._newest(rows.select("_series", "observed_at", name).filter(pl.col(name).is_not_null()))
                self._last[name] = known.scatter(told["_series"], told[name].cast(pl.Float64))
        newest = self._newest(rows.select("_series", "observed_at"))
        self._mark = self._mark.scatter(newest["_series"], newest["observed_at"])
        self.memory.learn(rows)

    def _newest(self, rows: pl.DataFrame) -> pl.DataFrame:
        """The last row of each series, where it is not older than the mark."""
        series = rows["_series"]
        last = rows.filter((series != series.shift(-1)).fill_null(value=True))
        return last.filter((last["observed_at"] >= self._mark.gather(last["_series"])).fill_null(value=True))

    def load(self, files: Sequence[Path]) -> None:
        """Learn from published files, some at a time so that memory stays small."""
        self.recent.forget()
        for start in range(0, len(files), LOAD_FILES):
            scan = scan_files(self.family, files[start : start + LOAD_FILES])
            time = pl.col("observed_at").dt.epoch("us")
            last = [
                pl.col(name)
                .drop_nulls()
                .sort_by(time.filter(pl.col(name).is_not_null()), pl.col("revision").filter(pl.col(name).is_not_null()))
                .last()
                for name in self.registers
            ]
            found = scan.group_by(self.by).agg(time.max(), *last).collect()
            self.learn(found.with_columns(self._numbered(found)))
        if self.memory.watched:
            self._load_memory(recent(files))

    def _load_memory(self, files: Sequence[Path]) -> None:
        for start in range(0, len(files), LOAD_FILES):
            scan = scan_files(self.family, files[start : start + LOAD_FILES])
            found = scan.group_by(self.by).agg(*self.memory.asked()).collect()
            self.memory.load(found.with_columns(self._numbered(found)))

    def _numbers(self, rows: pl.DataFrame) -> pl.Series:
        """The number of each row's series; those met for the first time get one."""
        if self.family.keys:
            return self._numbered(rows)
        devices = rows["_device"]
        size = int(devices.max()) + 1  # type: ignore[arg-type] # whole numbers
        if size > self._of_device.len():
            self._of_device = self._of_device.extend_constant(None, size - self._of_device.len())
        if self._of_device.gather(devices).has_nulls():
            fresh = rows.select("_device", "device_id").unique("_device")
            self._of_device = self._of_device.scatter(fresh["_device"], self._numbered(fresh))
        return self._of_device.gather(devices)

    def _numbered(self, rows: pl.DataFrame) -> pl.Series:
        found = rows.select(self.by).join(self._series, on=self.by, how="left", maintain_order="left")
        fresh = found.filter(pl.col("_series").is_null()).select(self.by).unique(maintain_order=True)
        if not fresh.height:
            return found["_series"]
        self._series = pl.concat(
            [self._series, fresh.with_row_index("_series", self._mark.len()).select(*self.by, "_series")]
        )
        self._mark = self._mark.extend_constant(None, fresh.height)
        self._last = {name: values.extend_constant(None, fresh.height) for name, values in self._last.items()}
        return self._numbered(rows)


def scan_files(family: Family, files: Sequence[Path]) -> pl.LazyFrame:
    """Published files of a family, older ones without a newer column."""
    return pl.scan_parquet(
        list(files),
        schema=columns(family.name),
        missing_columns="insert",
        extra_columns="ignore",
        hive_partitioning=False,
    )
