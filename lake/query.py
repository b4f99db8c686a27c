"""Questions to one snapshot of the lake: a DuckDB connection that sees its tables and nothing else."""

import re
import threading
import weakref
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any, Self, cast
from urllib.parse import unquote

import duckdb
from deltalake import DeltaTable
from deltalake.exceptions import TableNotFoundError

from lake import guard, relations
from lake.relations import SMALL, columns_of, literal, quote, stored
from lake.snapshot import Snapshot, find
from lake.tables import SYSTEM, family_schema, tables
from schemas.errors import DravaError
from schemas.settings import Settings, load
from schemas.vocabulary import families

_OWN: dict[str, Callable[[str], str]] = {
    "quarantine": relations.quarantine,
    "balance": relations.balance,
    "indicator_values": relations.indicator_values,
}


class Reader:
    """A DuckDB connection whose SQL cannot leave its memory, and whose queries end in time.

    DuckDB lets COPY write to every path it may read, so statements are checked before they run.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, seconds: float | None) -> None:
        """Guard an open connection; each query is interrupted after `seconds`."""
        self._connection = connection
        self._seconds = seconds
        self._stop: Callable[[], object] = bool

    def __getattr__(self, name: str) -> Any:
        """Everything else is DuckDB's own."""
        return getattr(self._connection, name)

    def __enter__(self) -> Self:
        """Give the reader itself; it is closed at the end of the block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    def _start(self, query: object) -> None:
        guard.harmless(query if isinstance(query, str) else str(getattr(query, "query", "")))
        self._stop()
        if self._seconds is not None:
            timer = threading.Timer(self._seconds, _interrupt, [weakref.ref(self)])
            timer.daemon = True
            timer.start()
            # also at the interpreter's end: a thread that still waits then would keep DuckDB from being cleaned up
            self._stop = weakref.finalize(self, _end, timer)

    def execute(self, query: object, *args: object, **kwargs: object) -> "Reader":
        """Run SQL; results are fetched from this object."""
        self._start(query)
        self._connection.execute(cast("Any", query), *args, **kwargs)
        return self

    def sql(self, query: object, *args: Any, **kwargs: Any) -> Any:
        """Give the query as a relation."""
        self._start(query)
        return self._connection.sql(cast("Any", query), *args, **kwargs)

    query = from_query = sql

    def executemany(self, query: object, *args: Any, **kwargs: Any) -> "Reader":
        """Run SQL for each set of parameters."""
        self._start(query)
        self._connection.executemany(cast("Any", query), *args, **kwargs)
        return self

    def cursor(self) -> "Reader":
        """Another connection to the same snapshot, for another thread."""
        return Reader(self._connection.cursor(), self._seconds)

    duplicate = cursor

    def close(self) -> None:
        """End the connection."""
        self._stop()
        self._connection.close()


def _interrupt(reader: weakref.ref[Reader]) -> None:
    found = reader()
    if found is not None:
        found.interrupt()


def _end(timer: threading.Timer) -> None:
    timer.cancel()
    timer.join()


def open_snapshot(
    home: Path,
    at: str | None = None,
    *,
    settings: Settings | None = None,
    tables: Collection[str] | None = None,
    limited: bool = True,
) -> duckdb.DuckDBPyConnection:
    """Open one snapshot for reading: the newest, or the last one at or before `at` (snapshot id or RFC 3339 time).

    Times are UTC. `tables` names the views that will be asked (default: all): Delta logs of others are not opened.
    Without `limited` a query may take as long as it takes. Needs the right to read the files, nothing more.
    """
    return open_found(home, find(home, at), settings=settings, tables=tables, limited=limited)


def open_found(
    home: Path,
    snapshot: Snapshot,
    *,
    settings: Settings | None = None,
    tables: Collection[str] | None = None,
    limited: bool = True,
) -> duckdb.DuckDBPyConnection:
    """Open a snapshot that was chosen before."""
    limits = (settings or load(home / "drava.toml")).query
    connection = duckdb.connect(
        config={
            "memory_limit": f"{limits.memory_mb}MB",
            "threads": limits.threads,
            "temp_directory": "",  # nothing is ever written: what does not fit into memory is an error
            "python_enable_replacements": False,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        }
    )
    connection.execute("SET TimeZone = 'UTC'")
    seen = _Views(home, snapshot, connection).create(tables)
    connection.execute(f"SET allowed_paths = {_paths(seen)}")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    # a stand-in: everything of a connection is there, and DuckDB's own class cannot be made by others
    return cast("duckdb.DuckDBPyConnection", Reader(connection, limits.seconds if limited else None))


def _paths(paths: Collection[str]) -> str:
    return "[" + ", ".join(literal(path) for path in paths) + "]"


class _Views:
    """Creates the views of a snapshot on a connection and keeps the list of files that they read."""

    def __init__(self, home: Path, snapshot: Snapshot, connection: duckdb.DuckDBPyConnection) -> None:
        self.home = home.resolve()
        self.snapshot = snapshot
        self.connection = connection
        self.seen: list[str] = []

    def create(self, wanted: Collection[str] | None) -> list[str]:
        self._snapshot()
        names = set(_base()) if wanted is None else needed(wanted)
        for name in families():
            if name in names:
                self._family(name)
        if "observations" in names:
            self._view("observations", relations.observations(families()))
        for name, schema in SYSTEM.items():
            if name in names:
                rows = stored(columns_of(schema), self._files(name))
                self._view(name, _OWN[name](rows) if name in _OWN else rows)
        for name in SMALL:
            if name in names:
                self._small(name)
        for text in _scripts(wanted):
            self.connection.execute(text)
        return self.seen

    def _view(self, name: str, query: str) -> None:
        self.connection.execute(f"CREATE VIEW {quote(name)} AS {query}")

    def _snapshot(self) -> None:
        found, zone = self.snapshot, literal(self.snapshot.timezone)
        moment = f"CAST({literal(found.at.isoformat())} AS TIMESTAMPTZ)"
        self._view("snapshot", f"SELECT CAST({found.id} AS BIGINT) AS id, {moment} AS at")
        self._view("municipality", f"SELECT {literal(found.municipality)} AS name, {zone} AS zone")
        self.connection.execute(f"CREATE MACRO local_time(t) AS timezone({zone}, t)")
        self.connection.execute(f"CREATE MACRO local_date(t) AS CAST(timezone({zone}, t) AS DATE)")

    def _family(self, name: str) -> None:
        family = families()[name]
        columns = columns_of(family_schema(family))
        paths = self._files(name)
        days = self.snapshot.revised.get(name, frozenset())
        revised = [path for path in paths if _day(path) in days]
        plain = [path for path in paths if _day(path) not in days]
        self._view(name, relations.readings(family, columns, plain, revised))
        self._view(f"{name}_revisions", stored(columns, paths))

    def _files(self, table: str) -> list[str]:
        found = files_of(self.home, self.snapshot, table)
        self.seen += found
        return found

    def _small(self, name: str) -> None:
        file = self.snapshot.small.get(name)
        paths = [str(self.home / "published" / "small" / file)] if file else []
        self.seen += paths
        self._view(name, stored(SMALL[name], paths, partitioned=False))


def files_of(home: Path, snapshot: Snapshot, table: str) -> list[str]:
    """The Parquet files of a table in this snapshot."""
    version = snapshot.tables.get(table)
    if version is None:
        return []
    folder = home.resolve() / "lake" / table
    try:
        return sorted(unquote(uri) for uri in DeltaTable(folder, version=version).file_uris())
    except TableNotFoundError as error:
        raise DravaError(
            f"table {table} cannot be read: {guard.first_line(error)}", "drava doctor checks the lake"
        ) from None


def _day(path: str) -> str:
    return Path(path).parent.name.removeprefix("day=")


def _base() -> list[str]:
    return [*tables(), "observations", *SMALL]


def _views_folder() -> Iterator[tuple[str, str]]:
    folder = files("lake") / "views"
    if folder.is_dir():
        for file in sorted(folder.iterdir(), key=lambda f: f.name):
            if file.name.endswith(".sql"):
                yield file.name, file.read_text("utf-8")


_CREATES = re.compile(r"create\s+(?:or\s+replace\s+)?(?:temp\s+)?(?:view|macro)\s+\"?(\w+)", re.IGNORECASE)


def _words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.lower()))


def _scripts(wanted: Collection[str] | None) -> list[str]:
    """The texts of lake/views/*.sql that are needed for these names, in name order."""
    texts = [text for _, text in _views_folder()]
    if wanted is None:
        return texts
    names, chosen = set(wanted), []
    for text in reversed(texts):  # a later file may build on an earlier one
        if names & set(_CREATES.findall(text)):
            names |= _words(text)
            chosen.append(text)
    return chosen[::-1]


def needed(wanted: Collection[str]) -> set[str]:
    """The base views behind these names: those of `_revisions`, of the long view and of the views in lake/views."""
    names = {name.removesuffix("_revisions") for name in wanted}
    for text in _scripts(wanted):
        names |= {word.removesuffix("_revisions") for word in _words(text)}
    if "observations" in names:
        names |= set(families())
    return names


def mentioned(query: str) -> set[str] | None:
    """The names a query mentions, for `tables`; None where it asks about the tables themselves."""
    words = _words(query)
    asks = {"show", "information_schema", "sqlite_master"} & words or any(w.startswith("duckdb_") for w in words)
    return None if asks else words


def macros(connection: duckdb.DuckDBPyConnection) -> frozenset[str]:
    """The table macros of the snapshot, which a question may call."""
    rows = connection.execute(
        "SELECT function_name FROM duckdb_functions() WHERE function_type = 'table_macro' AND NOT internal"
    ).fetchall()
    return frozenset(row[0].lower() for row in rows)


@contextmanager
def clear_errors() -> Iterator[None]:
    """DuckDB's errors as one clear line."""
    try:
        yield
    except duckdb.InterruptException:
        raise DravaError(
            "the query took too long and was stopped", "Narrow it by day, or raise query.seconds"
        ) from None
    except duckdb.OutOfMemoryException:
        raise DravaError(
            "the query needs more memory than it may use", "Narrow it by day, or raise query.memory_mb"
        ) from None
    except duckdb.Error as error:
        raise DravaError(guard.first_line(error)) from None


def ask(connection: duckdb.DuckDBPyConnection, query: str) -> Any:
    """Run one question of a stranger. Gives a stream of Arrow batches (`pyarrow.RecordBatchReader`)."""
    guard.question(query, macros(connection))
    with clear_errors():
        return connection.execute(query).to_arrow_reader()
