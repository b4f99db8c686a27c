"""A DuckDB connection whose SQL cannot leave its memory, and whose queries end in time."""

import threading
import weakref
from collections.abc import Callable  # noqa: TC003
from typing import Any, Self, cast

import duckdb

from lake import guard


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
    if timer is not threading.current_thread():
        timer.join()
