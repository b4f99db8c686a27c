"""One Delta table as the commit needs it: its files by day, and a change applied exactly once."""

from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, PostCommitHookProperties, Schema, Transaction
from deltalake.exceptions import CommitFailedError, DeltaError
from deltalake.transaction import AddAction, RemoveAction

from catalog.plans import DataFile, TableChange
from lake.files import sync_file, sync_folder
from lake.tables import with_day

APP = "drava"  # one application id in the log; its version is the plan's id
ATTEMPTS = 10
_QUIET = PostCommitHookProperties(create_checkpoint=False, cleanup_expired_logs=False)


class Delta:
    """A handle on one table. Only the commit changes through it, and only while it holds the lake's lock."""

    def __init__(self, folder: Path, schema: pa.Schema) -> None:
        """Open the table; it is made by its first change."""
        self.folder = folder
        self.schema = with_day(schema)
        self._table: DeltaTable | None = None
        self._files: dict[str, list[DataFile]] | None = None

    def reopen(self) -> None:
        """Forget what was read: another process may have changed the table."""
        self._table = None
        self._files = None

    def _opened(self) -> DeltaTable:
        if self._table is None:
            if not DeltaTable.is_deltatable(str(self.folder)):
                self._create()
            self._table = DeltaTable(self.folder)
        return self._table

    def _create(self) -> None:
        self.folder.mkdir(mode=0o750, parents=True, exist_ok=True)
        self.folder.chmod(0o750)
        DeltaTable.create(self.folder, schema=self.schema, partition_by=["day"], mode="ignore")
        log = self.folder / "_delta_log"
        log.chmod(0o750)
        self._sync_log(0)
        sync_folder(self.folder)
        sync_folder(self.folder.parent)

    def newest_plan(self) -> int:
        """The plan that changed the table last; 0 where none has."""
        if not DeltaTable.is_deltatable(str(self.folder)):
            return 0
        try:
            return self._opened().transaction_version(APP) or 0
        except DeltaError:  # a damaged log: a change fails at it, and `drava doctor` names it
            return 0

    def version(self) -> int:
        """The newest version of the table."""
        return self._opened().version()

    def files(self) -> dict[str, list[DataFile]]:
        """The live files by UTC day, from the newest version read."""
        if self._files is None:
            found: dict[str, list[DataFile]] = {}
            for action in pa.table(self._opened().get_add_actions(flatten=True)).to_pylist():
                file = DataFile(
                    path=action["path"],
                    day=str(action["partition.day"]),
                    rows=action["num_records"] or 0,
                    size=action["size_bytes"],
                    stats="",
                    modified=0,
                )
                found.setdefault(file.day, []).append(file)
            self._files = found
        return self._files

    def paths(self, days: Iterable[str]) -> list[Path]:
        """The live files of these UTC days."""
        files = self.files()
        return [self.folder / file.path for day in days for file in files.get(day, [])]

    def apply(self, plan_id: int, change: TableChange) -> int:
        """Commit a change unless the log holds it already. Returns the version that includes it, synced to disk."""
        for attempt in range(ATTEMPTS):
            table = self._opened()
            if (table.transaction_version(APP) or 0) >= plan_id:
                break
            try:
                self._widen(table)
                self._commit(table, plan_id, change)
                self._remember(change)
                break
            except CommitFailedError:
                # somebody else's commit came first: a fresh handle sees it, an old one would fail for ever
                self.reopen()
                if attempt == ATTEMPTS - 1:
                    raise
        version = self._opened().version()
        self._sync_log(version)
        return version

    def _widen(self, table: DeltaTable) -> None:
        """Tell the log of columns that this program has and the table not yet: an upgrade brought a measure."""
        known = {field.name for field in table.schema().fields}
        fresh = [field for field in Schema.from_arrow(self.schema).fields if field.name not in known]
        if fresh:
            table.alter.add_columns(fresh, post_commithook_properties=_QUIET)
            table.update_incremental()
            self._sync_log(table.version())

    def _commit(self, table: DeltaTable, plan_id: int, change: TableChange) -> None:
        adds = [AddAction(f.path, f.size, {"day": f.day}, f.modified, change.data_change, f.stats) for f in change.adds]
        removes = [
            RemoveAction(
                path=f.path,
                deletion_timestamp=f.modified,
                data_change=change.data_change,
                partition_values={"day": f.day},
                size=f.size,
            )
            for f in change.removes
        ]
        table.create_write_transaction(
            [*adds, *removes],
            mode="append",
            schema=self.schema,
            partition_by=["day"],
            commit_properties=CommitProperties(max_commit_retries=0, app_transactions=[Transaction(APP, plan_id)]),
            post_commithook_properties=_QUIET,
        )
        table.update_incremental()

    def _remember(self, change: TableChange) -> None:
        if self._files is None:
            return
        gone = {file.path for file in change.removes}
        for day in {file.day for file in change.removes}:
            self._files[day] = [file for file in self._files.get(day, []) if file.path not in gone]
        for file in change.adds:
            self._files.setdefault(file.day, []).append(file)

    def _sync_log(self, version: int) -> None:
        log = self.folder / "_delta_log"
        entry = log / f"{version:020d}.json"
        if entry.exists():  # an old version may live in a checkpoint only
            entry.chmod(0o640)
            sync_file(entry)
        sync_folder(log)

    def checkpoint(self) -> None:
        """Write a checkpoint, so that opening stays quick; maintenance alone does this."""
        table = self._opened()
        table.create_checkpoint()
        log = self.folder / "_delta_log"
        for path in log.glob(f"{table.version():020d}.checkpoint*.parquet"):
            path.chmod(0o640)
            sync_file(path)
        if (log / "_last_checkpoint").exists():
            (log / "_last_checkpoint").chmod(0o640)
            sync_file(log / "_last_checkpoint")
        sync_folder(log)
