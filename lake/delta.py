"""One Delta table as the commit needs it: its files by day, and a plan applied exactly once."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable, PostCommitHookProperties, Schema
from deltalake.exceptions import DeltaError

from catalog.plans import Applied, DataFile, Plan, TableChange
from lake import log
from lake.files import sync_file, sync_folder
from lake.tables import with_day

ATTEMPTS = 10
_QUIET = PostCommitHookProperties(create_checkpoint=False, cleanup_expired_logs=False)


@dataclass
class _End:
    """Where the log ends, as far as this process knows."""

    version: int
    link: str  # hash of the last entry
    plan: int  # the one that changed the table last
    columns: frozenset[str]


class Delta:
    """A handle on one table. Only the commit changes through it, and only while it holds the lake's lock."""

    def __init__(self, folder: Path, schema: pa.Schema) -> None:
        """Open the table; it is made by its first change."""
        self.folder = folder
        self.schema = with_day(schema)
        self._end: _End | None = None
        self._files: dict[str, list[DataFile]] | None = None
        self._touched: set[str] = set()
        self._checkpoint = 0

    def reopen(self) -> None:
        """Forget what was read: another process may have changed the table."""
        self._end = None
        self._files = None

    def _opened(self) -> _End:
        if self._end is None:
            if not DeltaTable.is_deltatable(str(self.folder)):
                self._create()
            table = DeltaTable(self.folder)
            version = table.version()
            columns = frozenset(field.name for field in table.schema().fields)
            entry = log.path_of(self.folder, version)
            body = entry.read_bytes() if entry.exists() else b""  # an old version may live in a checkpoint only
            self._end = _End(version, log.link(body), table.transaction_version(log.APP) or 0, columns)
            self._checkpoint = log.checkpointed(self.folder)
        return self._end

    def _create(self) -> None:
        self.folder.mkdir(mode=0o750, parents=True, exist_ok=True)
        self.folder.chmod(0o750)
        DeltaTable.create(self.folder, schema=self.schema, partition_by=["day"], mode="ignore")
        (self.folder / log.FOLDER).chmod(0o750)
        self._sync_log(0)
        sync_folder(self.folder)
        sync_folder(self.folder.parent)

    def newest_plan(self) -> int:
        """The plan that changed the table last; 0 where none has."""
        if not DeltaTable.is_deltatable(str(self.folder)):
            return 0
        try:
            return self._opened().plan
        except DeltaError:  # a damaged log: a change fails at it, and `drava doctor` names it
            return 0

    def version(self) -> int:
        """The newest version of the table."""
        return self._opened().version

    def files(self) -> Mapping[str, list[DataFile]]:
        """The live files by UTC day, from the newest version read."""
        if self._files is None:
            self._files = {}
            table = DeltaTable(self.folder, version=self._opened().version)
            actions = pa.table(table.get_add_actions(flatten=True))
            columns = (actions[name].to_pylist() for name in ("path", "partition.day", "num_records", "size_bytes"))
            for path, day, rows, size in zip(*columns, strict=True):
                file = DataFile(path, str(day), rows or 0, size, stats="", modified=0)
                self._files.setdefault(file.day, []).append(file)
            self._touched = set(self._files)
        return self._files

    def touched(self) -> set[str]:
        """UTC days whose files may have changed since this was last asked."""
        self.files()
        touched, self._touched = self._touched, set()
        return touched

    def paths(self, days: Iterable[str]) -> list[Path]:
        """The live files of these UTC days."""
        files = self.files()
        return [self.folder / file.path for day in days for file in files.get(day, [])]

    def apply(self, plan: Plan, change: TableChange) -> Applied:
        """Bring a plan's change into the log unless it is there already; when this returns it is on the disk."""
        for attempt in range(ATTEMPTS):
            end = self._opened()
            if end.plan >= plan.id:
                self._sync_log(end.version)
                break
            if not end.columns.issuperset(self.schema.names):
                end = self._widened(end)
            body = log.entry(plan, change, end.link)
            try:
                log.put(self.folder, end.version + 1, body)
            except FileExistsError:
                # somebody else's commit came first: a fresh look sees it
                self.reopen()
                if attempt == ATTEMPTS - 1:
                    raise
                continue
            self._end = _End(end.version + 1, log.link(body), plan.id, end.columns)
            self._remember(change)
            break
        end = self._opened()
        return Applied(end.version, end.link)

    def _widened(self, end: _End) -> _End:
        """Tell the log of columns that this program has and the table not yet: an upgrade brought a measure."""
        fresh = [field for field in Schema.from_arrow(self.schema).fields if field.name not in end.columns]
        table = DeltaTable(self.folder)
        table.alter.add_columns(fresh, post_commithook_properties=_QUIET)
        self._end = None
        end = self._opened()
        self._sync_log(end.version)
        return end

    def _remember(self, change: TableChange) -> None:
        if self._files is None:
            return
        gone = {file.path for file in change.removes}
        for day in {file.day for file in change.removes}:
            self._files[day] = [file for file in self._files.get(day, []) if file.path not in gone]
        for file in change.adds:
            self._files.setdefault(file.day, []).append(file)
        self._touched |= {file.day for file in (*change.adds, *change.removes)}

    def _sync_log(self, version: int) -> None:
        entry = log.path_of(self.folder, version)
        if entry.exists():
            entry.chmod(0o640)
            sync_file(entry)
        sync_folder(entry.parent)

    @property
    def entries(self) -> int:
        """Entries of the log since its last checkpoint, which every reader must read."""
        return self._opened().version - self._checkpoint

    def checkpoint(self) -> None:
        """Write a checkpoint, so that opening stays quick; maintenance alone does this."""
        table = DeltaTable(self.folder)
        table.create_checkpoint()
        folder = self.folder / log.FOLDER
        last = folder.glob("_last_checkpoint")  # none where this version has one already, as after a restore
        for path in [*folder.glob(f"{table.version():020d}.checkpoint*.parquet"), *last]:
            path.chmod(0o640)
            sync_file(path)
        sync_folder(folder)
        self._checkpoint = table.version()

    def beginning(self, needed: int) -> Applied:
        """Where the log may begin so that `needed` and every later version can be opened; no earlier than it does.

        That is a checkpoint that opens, with the entry of its version: both are on the disk when this returns.
        """
        entries = log.kept(self.folder)
        bound = min(needed, log.checkpointed(self.folder))
        place = max((at for at in log.checkpoints(self.folder) if at <= bound and at in entries), default=entries[0])
        if place > entries[0]:
            sync_file(log.checkpoint_of(self.folder, place))
            sync_folder(self.folder / log.FOLDER)
            try:
                pq.read_metadata(log.checkpoint_of(self.folder, place))  # deltalake passes over an empty one
                DeltaTable(self.folder, version=place).get_add_actions()
            except (DeltaError, pa.ArrowException, OSError):  # no ground to stand on: nothing goes
                place = entries[0]
        return log.begin(self.folder, place)
