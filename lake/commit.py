"""The one place where data becomes visible: decide once, write, plan, commit, publish.

Order of a commit: the Parquet files of all tables are written and synced; one plan row names them and the journal
positions; the Delta logs get their entries from the plan, synced; one catalogue transaction publishes the snapshot.
Within each of these steps the waits for the disk overlap.
A crash before the plan leaves files that nothing names; a crash after it is rolled forward as written.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import polars as pl
import pyarrow as pa

from catalog import plans
from catalog.marks import ALL, MANY, Mark, Run
from catalog.plans import DataFile, Plan, Snapshot, TableChange
from catalog.store import Store
from lake.delta import Delta
from lake.files import Pieces, sync_file, sync_folder, write_parquet
from lake.lock import locked
from lake.publish import Publisher
from lake.tables import INDICATOR_VALUES, tables
from schemas.clock import micros
from schemas.errors import DravaError
from schemas.settings import Home
from schemas.steps import reached

if TYPE_CHECKING:
    from pathlib import Path

ENCODERS = 2  # files encoded at once: more take memory, not time
DISK_WAITS = 32  # files and folders synced at once

Clock = Callable[[], datetime]
Days = Mapping[str, pa.Table]  # UTC day -> rows
Rewritten = Mapping[str, pa.Table | Pieces]  # the same, perhaps piece by piece


class Lake:
    """The tables of one home, for those who write. Readers use `lake.query`."""

    def __init__(self, home: Home, store: Store, clock: Clock) -> None:
        """Open the lake; nothing is read or changed before `exclusive`."""
        self.home = home
        self.store = store
        self.clock = clock
        self.tables = {name: Delta(home.lake / name, schema) for name, schema in tables().items()}
        self.snapshot: Snapshot | None = None
        self._publisher = Publisher(home, store)
        self._locked = False
        self._encoders = ThreadPoolExecutor(ENCODERS, thread_name_prefix="encode")
        self._disk = ThreadPoolExecutor(DISK_WAITS, thread_name_prefix="disk")
        self._lasting: set[Path] = set()  # folders whose name is on the disk

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Hold the lake's lock: one writer at a time. A plan that a crash left behind is completed first."""
        with locked(self.home.lake / ".lock"):
            self._locked = True
            try:
                self._catch_up()
                yield
            finally:
                self._locked = False

    def _catch_up(self) -> None:
        unfinished = plans.pending(self.store)
        newest = plans.latest(self.store)
        if unfinished is not None or newest != self.snapshot:
            for table in self.tables.values():
                table.reopen()
            self._check_age()
            self.snapshot = newest
        if unfinished is not None:
            self._roll_forward(unfinished)
        self._publisher.refresh(self.snapshot)

    def _check_age(self) -> None:
        """Refuse a catalogue older than its tables: they would take its new plans for old ones and skip them."""
        last = plans.next_id(self.store) - 1
        for name, table in self.tables.items():
            if (found := table.newest_plan()) > last:
                raise DravaError(
                    f"table {name} holds plan {found}, the catalogue knows {last}: it is older than the lake",
                    "Restore catalogue and lake from the same backup (drava restore)",
                )

    def commit(
        self,
        kind: str,
        rows: Mapping[str, Days],
        *,
        positions: Mapping[str, tuple[int, int]] | None = None,
        revised: Sequence[tuple[str, str]] = (),
        dirty: Sequence[Mark] = (),
        run: Run | None = None,
    ) -> Snapshot:
        """Append rows to tables and publish them together. Tables without rows are not touched.

        `rows` maps a table to its rows by UTC day; `positions` a journal's uuid to (row, messages so far); `run` says
        what a run of indicators has seen, whose values the rows are. Raises DravaError outside of `exclusive`.
        """
        facts = {"positions": dict(positions or {}), "revised": list(revised), "dirty": list(dirty), "run": run}
        return self._change(kind, rows, {}, facts)

    def rewrite(
        self,
        kind: str,
        rows: Mapping[str, Rewritten],
        removes: Mapping[str, Sequence[DataFile]],
        dirty: Sequence[Mark] = (),
    ) -> Snapshot:
        """Replace files by others. They hold the same rows (compaction), or `dirty` says what is another (erasure).

        Raises DravaError outside of `exclusive`.
        """
        return self._change(kind, rows, removes, {"dirty": list(dirty)})

    def _change(
        self,
        kind: str,
        rows: Mapping[str, Rewritten],
        removes: Mapping[str, Sequence[DataFile]],
        facts: Mapping[str, Any],
    ) -> Snapshot:
        if not self._locked:
            raise DravaError("a commit outside of the lake's lock", "This is a fault of the program: report it")
        now = micros(self.clock())
        number = plans.next_id(self.store)
        adds = self._write(number, rows, now)
        reached("files_written")
        change = {
            name: TableChange(
                adds.get(name, []), list(removes.get(name, ())), data_change=not removes or bool(facts.get("dirty"))
            )
            for name in sorted(adds.keys() | removes.keys())
        }
        plan = Plan(number, kind, now, change, **facts)
        plans.write(self.store, plan)
        reached("plan_written")
        return self._roll_forward(plan)

    def _write(self, number: int, rows: Mapping[str, Rewritten], now: int) -> dict[str, list[DataFile]]:
        """Write and sync all files; while some are encoded, others wait for the disk."""
        jobs = [
            (name, self._encoders.submit(write_parquet, self.home.lake / name, f"{number:010d}", day, table, now))
            for name, days in rows.items()
            for day, table in days.items()
            if table.num_rows
        ]
        written: dict[str, list[DataFile]] = {}
        syncs: list[Future[None]] = []
        try:
            for name, job in jobs:
                written.setdefault(name, []).append(file := job.result())
                syncs.append(self._disk.submit(sync_file, self.home.lake / name / file.path))
            days = {self.home.lake / name / f"day={file.day}" for name, files in written.items() for file in files}
            fresh = days - self._lasting
            syncs += [self._disk.submit(sync_folder, folder) for folder in days | {day.parent for day in fresh}]
            for sync in syncs:
                sync.result()
        finally:  # where one fails, none may go on writing under a name that is used again
            wait([job for _, job in jobs])
            wait(syncs)
        self._lasting |= fresh
        return written

    def _roll_forward(self, plan: Plan) -> Snapshot:
        jobs = {name: self._disk.submit(self.tables[name].apply, plan, change) for name, change in plan.tables.items()}
        applied = {}
        try:
            for name, job in jobs.items():
                applied[name] = job.result()
                reached("delta_first")
        finally:
            wait(jobs.values())  # where one fails, the others end before the lock is given back
        reached("delta_committed")
        self.snapshot = plans.publish(self.store, plan, applied)
        reached("snapshot_made")
        self._publisher.refresh(self.snapshot)
        reached("published")
        return self.snapshot


def refresh(home: Home, store: Store, clock: Clock) -> None:
    """Show readers what the catalogue's small tables (registry, alarms) hold now."""
    with Lake(home, store, clock).exclusive():
        pass  # taking the lock completes what is pending and publishes


def append_values(lake: Lake, values: pa.Table, run: Run | None = None, dirty: Sequence[Mark] | None = None) -> int:
    """Append rows to `indicator_values` in a commit of their own, with what their run has seen.

    `dirty` says what they change for others (default: all of them). Returns the snapshot's id.
    """
    with lake.exclusive():
        rows = {"indicator_values": by_month(values)}
        return lake.commit("indicators", rows, dirty=marks_of(values) if dirty is None else dirty, run=run).id


def by_month(values: pa.Table) -> dict[str, pa.Table]:
    """Values of indicators by the first day of the month in which their period begins, as they are asked."""
    found = pl.DataFrame(values).sort("indicator", "subject_id", "period_start")
    months = found.group_by(pl.col("period_start").dt.month_start())
    return {str(month): rows.to_arrow().cast(INDICATOR_VALUES) for (month,), rows in months}


def marks_of(values: pa.Table) -> list[Mark]:
    """What values of indicators make dirty for those that need them: their subjects on the days of their periods."""
    span = ["indicator", "period_start", "period_end"]
    found = pl.DataFrame(values.select([*span, "subject_id"])).group_by(span).agg(pl.col("subject_id").unique())
    return [
        Mark(name, subject, str(first), str(end - timedelta(days=1)))
        for name, first, end, subjects in found.iter_rows()
        for subject in (subjects if len(subjects) <= MANY else [ALL])
    ]
