"""The moment of a backup: what belongs together, chosen while nothing is being committed, and kept as it was then."""

import re
import sqlite3
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from catalog import plans
from lake.commit import Lake
from lake.held_snapshots import Held, bodies
from lake.snapshot import Snapshot, find

Databases = list[tuple[Path, sqlite3.Connection]]  # each as it was when reading began
_LOG = re.compile(r"(\d{20})\.(json|checkpoint(\.\d+\.\d+)?\.parquet)")


@dataclass(frozen=True)
class Moment:
    """What belongs together: chosen under the lake's lock, copied after it."""

    at: datetime
    snapshot: Snapshot
    catalog: tuple[Path, sqlite3.Connection]
    journals: list[Databases]
    logs: list[Path]
    pinned: Held  # older snapshots that stay: what they consist of


def hold(lake: Lake, held: ExitStack) -> Moment:
    """Choose the snapshot and begin to read the databases, while nothing is being committed.

    The catalogue first: journals only grow, so they hold everything that its positions do not.
    """
    home = lake.home
    with lake.exclusive():
        snapshot = find(home.path)
        catalog = _begin([home.catalog / "catalog.sqlite"], held)[0]
        folders = sorted({path.parent for path in home.journal.glob("*/*.sqlite")})
        begun = (_begin(sorted(folder.glob("*.sqlite")), held) for folder in folders)
        journals = [segments for segments in begun if segments]
        logs = [path for name, version in snapshot.tables.items() for path in _log(home.lake / name, version)]
        pinned = bodies(lake, plans.snapshots_kept(lake.store))
        return Moment(lake.clock(), snapshot, catalog, journals, logs, pinned)


def _begin(paths: list[Path], held: ExitStack) -> Databases:
    """Connections that see the databases as they are now, whatever is written or deleted later."""
    found = []
    for path in paths:
        try:
            connection = sqlite3.connect(
                f"{path.resolve().as_uri()}?mode=rw", uri=True, timeout=30, isolation_level=None
            )
        except sqlite3.OperationalError:
            if path.exists():
                raise
            continue  # a journal segment, all of it in the lake, that was let go a moment ago
        held.enter_context(closing(connection))
        connection.execute("PRAGMA query_only=ON")
        connection.execute("BEGIN")
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        found.append((path, connection))
    return found


def _log(folder: Path, version: int) -> list[Path]:
    """The entries of a Delta log from its last checkpoint up to a version."""
    found = [
        (int(match[1]), path) for path in (folder / "_delta_log").iterdir() if (match := _LOG.fullmatch(path.name))
    ]
    start = max((number for number, path in found if number <= version and path.suffix == ".parquet"), default=0)
    return sorted(path for number, path in found if start <= number <= version)
