"""Drava, installed. The rooms of the checkout live in `app/`, beside this file."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb

__version__ = "0.1.0"


def rooms() -> None:
    """Make the rooms importable by the names that the eye sees (`from lake.query import …`)."""
    app = Path(__file__).parent / "app"
    place = str(app if app.is_dir() else app.parent.parent)
    if place not in sys.path:
        sys.path.insert(0, place)


def connect(home: str | Path, at: str | None = None) -> "duckdb.DuckDBPyConnection":
    """Open a home's newest snapshot (or the one at `at`) for reading, as a DuckDB connection for notebooks."""
    rooms()
    from lake.query import open_snapshot  # noqa: PLC0415 - the rooms are importable only now

    return open_snapshot(Path(home), at=at)
