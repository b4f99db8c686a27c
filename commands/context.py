"""What every command shares: the home, the clock, and how results are shown."""

import json
import os
import pwd
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from schemas.errors import DravaError
from schemas.settings import Home

if TYPE_CHECKING:
    from catalog.store import Store

DONE, PROBLEM, WRONG_USE = 0, 1, 2

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


@dataclass
class Context:
    """The options before the command: which home, which clock."""

    path: Path | None
    as_of: datetime | None

    @property
    def home(self) -> Home:
        """The home that --home or DRAVA_HOME names."""
        if self.path is None:
            raise DravaError("no home is named", "Say drava --home DIR …, or set DRAVA_HOME")
        return Home(self.path)

    @property
    def store(self) -> "Store":
        """The catalogue of the home. Raises DravaError where this user may not use it."""
        if not self.may_write:
            raise DravaError(
                f"the catalogue of {self.home.path} is for the user of the service alone",
                "Run this as that user: runuser -u drava -- drava …",
            )
        from catalog.store import Store  # noqa: PLC0415 - the receiver's process, which needs none, is to stay small

        return Store.at(self.home.catalog)

    @property
    def may_write(self) -> bool:
        """Whether this user may use the catalogue: who only reads the home needs none."""
        place = self.home.catalog
        if not place.is_dir() or os.access(place, os.R_OK | os.W_OK | os.X_OK):
            return True
        read_only = os.statvfs(place).f_flag & os.ST_RDONLY  # then nobody writes, and doctor is to say so
        return bool(read_only) and os.access(place, os.R_OK | os.X_OK)

    def now(self) -> datetime:
        """The clock of this run, UTC: --as-of where given."""
        return self.as_of or datetime.now(UTC)

    @property
    def clock(self) -> Callable[[], datetime]:
        """The clock as a function, for the rooms."""
        return self.now


def context(ctx: typer.Context) -> Context:
    """Give the shared context of a running command."""
    found = ctx.find_object(Context)
    if found is None:
        raise DravaError("the command was started without its context")
    return found


def who() -> str:
    """Who runs this, by the system's own word: a variable of the environment could say anything."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid {os.getuid()}"


def plain(value: object) -> object:
    """Make a value fit for JSON: times as RFC 3339, decimals as numbers, bytes as text."""
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    if isinstance(value, Path):
        return str(value)
    msg = f"cannot print {type(value).__name__} as JSON"
    raise TypeError(msg)


def show_json(value: Any) -> None:
    """Print one JSON document."""
    sys.stdout.write(json.dumps(value, default=plain, ensure_ascii=False, indent=2) + "\n")


def show_rows(rows: Iterable[Mapping[str, object]], *, as_json: bool, columns: Sequence[str] | None = None) -> None:
    """Print rows as a table for people, or as a JSON array of objects."""
    listed = list(rows)
    if as_json:
        show_json([dict(row) for row in listed])
        return
    names = list(columns or (listed[0].keys() if listed else []))
    table = Table(*names, box=None, pad_edge=False, header_style="bold")
    for row in listed:
        table.add_row(*(cell(row.get(name)) for name in names))
    _console().print(table) if names else sys.stdout.write("(none)\n")


def _console() -> Console:
    """A terminal has its width; a pipe has none, and nothing is cut there."""
    return Console() if sys.stdout.isatty() else Console(width=100_000)


def cell(value: object) -> str:
    """One value for people; control characters of hostile text made visible."""
    if value is None:
        return ""
    text = value.isoformat(sep=" ") if isinstance(value, datetime) else str(value)
    return visible(text).replace("[", "\\[")


def visible(text: str) -> str:
    """A text for a terminal: control characters of hostile text made visible."""
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)
