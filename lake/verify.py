"""Is everything there that the newest snapshot and the pinned ones name, and do readers see what the catalogue says?"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from catalog import pins, plans
from catalog.plans import Applied
from catalog.store import Store
from lake.chain import ALTERED, Known, walk
from lake.held_snapshots import NOT_HELD
from lake.lock import locked
from lake.manifest import hash_of
from lake.publish import snapshot_file
from lake.snapshot import Snapshot, StoredFile, files_of, find, read
from schemas.errors import DravaError
from schemas.settings import Home
from schemas.vocabulary import Text

_ROWS = 65_536  # read at once


@dataclass(frozen=True)
class Problem:
    """One thing that is not as it must be."""

    where: str
    what: Text


@dataclass
class Verified:
    """What was looked at, and what is wrong. `rows` by table: as the logs say, or as counted in the files."""

    snapshot: int = 0
    files: int = 0
    bytes: int = 0
    links: int = 0  # of the chains of log entries
    rows: dict[str, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def verify(home: Home, store: Store, *, deep: bool = False, progress: Callable[[int], object] = bool) -> Verified:
    """Look at the newest snapshot: its logs and their chains, its files, what readers are shown.

    Of snapshots that a pin keeps, the files.

    `deep` reads every file, counts its rows and compares its hash with the one in the log.

    The lake is locked only while versions are compared: ingestion goes on. Nothing is changed.
    """
    with locked(home.lake / ".lock"):
        newest = plans.latest(store)
        snapshot = Snapshot(id=newest.id, tables=newest.versions) if newest else Snapshot()
        found = Verified(snapshot=snapshot.id)
        found.problems += _published(home, snapshot)
        if plans.pending(store) is None:  # a commit that a crash interrupted is completed by the next writer
            found.problems += _strangers(home, snapshot)
        ends = plans.ends(store)
        links: dict[str, dict[int, str]] = {}
        for (table, plan), link in plans.links(store).items():
            links.setdefault(table, {})[plan] = link
    seen: set[str] = set()
    for table, version in snapshot.tables.items():
        walked = walk(home.lake / table, version, partial(_known, store, table, links.get(table, {}), ends.get(table)))
        found.links += walked.links
        if walked.broken:
            found.problems.append(Problem(f"{table}, log entry {walked.broken[0]}", walked.broken[1]))
        try:
            files = files_of(home.path, snapshot, table)
        except DravaError as error:
            found.problems.append(
                _problem(table, f"the log cannot be read: {error.what}", "dnevnika ni mogoče prebrati")
            )
            continue
        found.rows[table] = 0
        for file in files:
            digest = walked.sha256.get(Path(file.path).relative_to(home.lake.resolve() / table).as_posix(), "")
            found.rows[table] += _file(found, file, digest, deep=deep)
            seen.add(file.path)
            progress(file.size)
    for file in _pinned(home, store, found, seen):
        _file(found, file, "", deep=deep)
        progress(file.size)
    return found


def _pinned(home: Home, store: Store, found: Verified, seen: set[str]) -> Iterator[StoredFile]:
    """Files that only an older snapshot, kept by a pin, consists of."""
    kept = pins.pinned(store) - {found.snapshot}
    for known in (snapshot for snapshot in plans.snapshots_kept(store) if snapshot.id in kept):
        path = home.published / "snapshots" / snapshot_file(known)
        try:
            shown = read(path)
        except (OSError, ValueError, KeyError, TypeError):
            en, sl = "pinned, and cannot be read", "pripet, a ga ni mogoče prebrati"
            found.problems.append(_problem(f"published/snapshots/{path.name}", en, sl))
            continue
        found.problems += _small(home, shown)
        files = (file for table in shown.tables.keys() - set(NOT_HELD) for file in files_of(home.path, shown, table))
        for file in files:
            if file.path not in seen:
                seen.add(file.path)
                yield file


def _known(store: Store, table: str, links: Mapping[int, str], end: Applied | None) -> Known:
    return Known(links, plans.begins(store).get(table), end)


def _problem(where: str, en: str, sl: str) -> Problem:
    return Problem(where, Text(en=en, sl=sl))


def _published(home: Home, snapshot: Snapshot) -> Iterator[Problem]:
    """What readers are shown against what the catalogue says."""
    where = "published/current.json"
    try:
        shown = find(home.path)
    except (ValueError, KeyError, TypeError):
        yield _problem(where, "is not a snapshot", "ni posnetek")
        return
    if (shown.id, dict(shown.tables)) != (snapshot.id, dict(snapshot.tables)):
        yield _problem(
            where,
            f"shows snapshot {shown.id}, the catalogue has {snapshot.id}: the next commit mends it",
            f"kaže posnetek {shown.id}, katalog ima {snapshot.id}: popravi ga naslednja objava",
        )
    yield from _small(home, shown)


def _small(home: Home, shown: Snapshot) -> Iterator[Problem]:
    """The tables of the catalogue that readers are shown."""
    for file in shown.small.values():
        path = home.published / "small" / Path(file).name
        if not path.is_file():
            yield _problem(f"published/small/{file}", "is missing", "manjka")
        elif not hash_of(path).startswith(path.stem.rpartition("-")[2]):
            yield _problem(f"published/small/{file}", "is not what was written", "ni to, kar je bilo zapisano")


def _strangers(home: Home, snapshot: Snapshot) -> Iterator[Problem]:
    """Versions of tables that no commit of ours made."""
    for table, version in snapshot.tables.items():
        try:
            newest = DeltaTable(home.lake / table).version()
        except (DeltaError, OSError):
            continue  # said when its files are looked for
        if newest != version:
            yield _problem(
                table,
                f"the log ends at version {newest}, the snapshot at {version}: something else wrote into the table",
                f"dnevnik se konča z različico {newest}, posnetek s {version}: v tabelo je pisal nekdo drug",
            )


def _file(found: Verified, file: StoredFile, digest: str, *, deep: bool) -> int:
    """Check one file; where the log keeps its hash, against that. Returns its rows."""
    path = Path(file.path)
    where = "/".join(path.parts[-3:])
    found.files += 1
    found.bytes += file.size
    if not path.is_file():
        found.problems.append(_problem(where, "is missing", "manjka"))
        return 0
    size = path.stat().st_size
    if size != file.size:
        en, sl = f"has {size} bytes instead of {file.size}", f"ima {size} bajtov namesto {file.size}"
        found.problems.append(_problem(where, en, sl))
        return 0
    if not deep:
        return file.rows
    if digest and hash_of(path) != digest:
        found.problems.append(Problem(where, ALTERED))
        return 0
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as parquet:
            rows = sum(int(batch.num_rows) for batch in parquet.iter_batches(_ROWS))
    except (pa.ArrowException, OSError) as error:
        found.problems.append(_problem(where, f"cannot be read: {error}".splitlines()[0], "ni mogoče prebrati"))
        return 0
    if rows != file.rows:
        en, sl = f"has {rows} rows instead of {file.rows}", f"ima {rows} vrstic namesto {file.rows}"
        found.problems.append(_problem(where, en, sl))
    return rows
