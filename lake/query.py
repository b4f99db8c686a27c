"""Questions to one snapshot of the lake: a DuckDB connection that sees its tables and nothing else."""

import re
import zlib
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, cast

import duckdb
import pyarrow as pa

from lake import guard, relations
from lake.calendar import Place, civil_days
from lake.reader import Reader
from lake.relations import SMALL, columns_of, literal, quote, stored
from lake.snapshot import Snapshot, StoredFile, files_of, find, uniform
from lake.spans import MONTHLY_DAYS, Span, apart, ending, spans, within
from lake.tables import SYSTEM, family_schema, tables
from schemas.errors import DravaError
from schemas.settings import Settings, load
from schemas.vocabulary import families

_OWN: dict[str, Callable[[str], str]] = {
    "quarantine": relations.quarantine,
    "balance": relations.balance,
}
FRAMES = "missing_frames"  # a macro over all families and the balance
DAYS = "civil_days"  # made of the settings, not stored
VALUES = "indicator_values"


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
    settings = settings or load(home / "drava.toml")
    limits = settings.query
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
    seen = _Views(home, snapshot, connection, settings).create(tables)
    connection.execute("SET allowed_paths = $paths", {"paths": seen})
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    # a stand-in: everything of a connection is there, and DuckDB's own class cannot be made by others
    return cast("duckdb.DuckDBPyConnection", Reader(connection, limits.seconds if limited else None))


class _Views:
    """Creates the views of a snapshot on a connection and keeps the list of files that they read."""

    def __init__(
        self, home: Path, snapshot: Snapshot, connection: duckdb.DuckDBPyConnection, settings: Settings
    ) -> None:
        self.home = home.resolve()
        self.snapshot = snapshot
        self.connection = connection
        self.settings = settings
        self.seen: list[str] = []

    def create(self, wanted: Collection[str] | None) -> list[str]:
        self._snapshot()
        names = {*_base(), *(f"{name}_revisions" for name in families())} if wanted is None else needed(wanted)
        asked = [name for name in families() if {name, f"{name}_revisions"} & names]
        for name in asked:  # DuckDB plans a view when it is made: over no file that costs nothing
            for view in (name, f"{name}_revisions"):
                self._view(view, stored(columns_of(family_schema(families()[name])), []))
        if "observations" in names:
            self._view("observations", relations.observations(families()))
        for name in SYSTEM:
            if name in names:
                self._view(name, self._newest() if name == VALUES else self._system(name))
        for name in SMALL:
            if name in names:
                self._small(name)
        self._over_all(names)
        for text in _scripts(wanted):
            self.connection.execute(text)
        for name in asked:
            self._family(name, revisions=f"{name}_revisions" in names)
        return self.seen

    def _over_all(self, names: Collection[str]) -> None:
        if DAYS in names:
            self._days()
        if "datasets" in names:
            self._view("datasets", relations.described())
        if FRAMES in names:
            text = relations.missing_frames(families())
            self.connection.execute(f"CREATE MACRO {FRAMES}(since, until) AS TABLE {text}")

    def _days(self) -> None:
        place = replace(Place.of(self.settings), zone=self.snapshot.timezone)  # as all local times of a snapshot
        self.connection.register("_days", civil_days(place, self.home))
        self.connection.execute(f"CREATE TABLE {DAYS} AS FROM _days")
        self.connection.unregister("_days")

    def _view(self, name: str, query: str) -> None:
        self.connection.execute(f"CREATE OR REPLACE VIEW {quote(name)} AS {query}")

    def _snapshot(self) -> None:
        found, zone = self.snapshot, literal(self.snapshot.timezone)
        moment = f"CAST({literal(found.at.isoformat())} AS TIMESTAMPTZ)"
        self._view("snapshot", f"SELECT CAST({found.id} AS BIGINT) AS id, {moment} AS taken_at")
        self._view("municipality", f"SELECT {literal(found.municipality)} AS name, {zone} AS zone")
        self.connection.execute(f"CREATE MACRO local_time(t) AS timezone({zone}, t)")
        self.connection.execute(f"CREATE MACRO local_date(t) AS CAST(timezone({zone}, t) AS DATE)")

    def _family(self, name: str, *, revisions: bool) -> None:
        family = families()[name]
        columns = columns_of(family_schema(family))
        found = self._files(name)
        days = self.snapshot.revised.get(name, frozenset())
        same = uniform(found, columns)
        revised = [file for file in found if file.day in days]
        plain = [file for file in found if file.day not in days]
        whole = [within(span, stored(columns, span.paths, uniform=same)) for span in spans(plain)]
        merged = [within(s, relations.merged(family, columns, s.paths, uniform=same)) for s in spans(revised, few=True)]
        self._view(name, " UNION ALL ".join((whole if plain or not merged else []) + merged))
        if revisions:
            every = [within(span, stored(columns, span.paths, uniform=same)) for span in spans(found)]
            self._view(f"{name}_revisions", " UNION ALL ".join(every))

    def _system(self, name: str) -> str:
        rows = stored(columns_of(SYSTEM[name]), [file.path for file in self._files(name)])
        return _OWN[name](rows) if name in _OWN else rows

    def _newest(self) -> str:
        """The newest values: those of each span alone where no other has values of its days, so that few compare."""
        columns, found = columns_of(SYSTEM[VALUES]), self._files(VALUES)
        same, parts = uniform(found, columns), spans(found, few=True, recent=MONTHLY_DAYS) or [Span(())]
        parts = parts if apart(parts) else [Span(found)]
        newest = (relations.indicator_values(stored(columns, part.paths, uniform=same)) for part in parts)
        return " UNION ALL ".join(ending(part, rows) for part, rows in zip(parts, newest, strict=True))

    def _files(self, table: str) -> list[StoredFile]:
        found = files_of(self.home, self.snapshot, table)
        self.seen += [file.path for file in found]
        return found

    def _small(self, name: str) -> None:
        file = self.snapshot.small.get(name)
        paths = [str(self.home / "published" / "small" / file)] if file else []
        self.seen += paths
        self._view(name, stored(SMALL[name], paths, partitioned=False))


_COMMENT = re.compile(r"--.*")  # a word in it is no table; no literal of these files holds it


def _base() -> list[str]:
    return [*tables(), "observations", "datasets", FRAMES, DAYS, *SMALL]


@cache
def _texts() -> tuple[str, ...]:
    """The texts of lake/views/*.sql in name order, without comments: views and macros over the base views."""
    folder = files("lake") / "views"
    found = sorted((file.name, file) for file in folder.iterdir()) if folder.is_dir() else []
    return tuple(_COMMENT.sub("", file.read_text("utf-8")) for name, file in found if name.endswith(".sql"))


_CREATES = re.compile(r"create\s+(?:or\s+replace\s+)?(?:temp\s+)?(?:view|macro)\s+\"?(\w+)", re.IGNORECASE)


def _words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.lower()))


def _scripts(wanted: Collection[str] | None) -> list[str]:
    """Those texts that are needed for these names, in name order."""
    if wanted is None:
        return list(_texts())
    names, chosen = set(wanted), []
    for text in reversed(_texts()):  # a later file may build on an earlier one
        if names & set(_CREATES.findall(text)):
            names |= _words(text)
            chosen.append(text)
    return chosen[::-1]


def needed(wanted: Collection[str]) -> set[str]:
    """The base views behind these names: also those of the long view and of the views in lake/views."""
    names = set(wanted)
    for text in _scripts(wanted):
        names |= _words(text)
    if FRAMES in names:
        names.add("balance")
    return names | set(families()) if names & {"observations", FRAMES} else names


def fingerprint(wanted: Collection[str]) -> int:
    """A number that is another one where a view behind these names is defined otherwise."""
    return zlib.crc32("".join(_scripts(wanted)).encode())


def mentioned(query: str) -> set[str] | None:
    """The names a query mentions, for `tables`; None where it asks about the tables themselves.

    A column or a literal that is called like a view is none: to open one for nothing may take a second.
    """
    words = _words(query)
    asks = {"show", "information_schema", "sqlite_master"} & words or any(w.startswith("duckdb_") for w in words)
    return None if asks else guard.named(query) or words


def macros(connection: duckdb.DuckDBPyConnection) -> frozenset[str]:
    """The table macros of the snapshot, which a question may call."""
    rows = connection.execute(
        "SELECT function_name FROM duckdb_functions() WHERE function_type = 'table_macro' AND NOT internal"
    ).fetchall()
    return frozenset(row[0].lower() for row in rows)


@contextmanager
def clear_errors() -> Iterator[None]:
    """DuckDB's errors as one clear line; in a stream of Arrow batches they come as OSError."""
    try:
        yield
    except (duckdb.Error, OSError) as error:
        text = str(error)
        if "INTERRUPT" in text:
            raise DravaError(
                "the query took too long and was stopped", "Narrow it by day, or raise query.seconds"
            ) from None
        if "Out of Memory" in text:
            raise DravaError(
                "the query needs more memory than it may use", "Narrow it by day, or raise query.memory_mb"
            ) from None
        raise DravaError(guard.first_line(error)) from None


def ask(connection: duckdb.DuckDBPyConnection, query: str) -> Any:
    """Give a stranger's question as a relation, which runs when it is read. Raises DravaError where it may not run."""
    with clear_errors():
        guard.question(query, macros(connection))
        return connection.sql(query)


def stream(relation: Any, rows: int) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    """Run a relation: (columns, batches of at most so many rows), in constant memory."""
    with clear_errors():
        reader = relation.to_arrow_reader(rows)
        return reader.schema, _batches(reader)


def _batches(reader: Any) -> Iterator[pa.RecordBatch]:
    while True:
        with clear_errors():
            try:
                batch = reader.read_next_batch()
            except StopIteration:
                return
        yield batch
