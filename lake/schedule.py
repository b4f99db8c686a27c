"""Which exports of a schedule are due: whole local periods that are over and whose file is not there."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from lake.export import SUFFIX
from schemas.settings import Export

_BACK = 400  # periods: a schedule that was off for longer begins again


@dataclass(frozen=True)
class Due:
    """One file to write: the period's name, its first and last local date."""

    name: str
    first: date
    last: date
    file: Path


def due(entry: Export, exports: Path, today: date) -> list[Due]:
    """Give the periods to write, oldest first: those after the newest file, at least the last one that is over."""
    found: list[Due] = []
    for period in _back(entry, exports / entry.name, today):
        if period.file.exists():
            break
        found.append(period)
    written = any((exports / entry.name).glob(f"*.{SUFFIX[entry.format]}"))
    return found[::-1] if written else found[:1]


def _back(entry: Export, folder: Path, today: date) -> Iterator[Due]:
    """Periods that are over, newest first."""
    start = _start(entry.every, today)
    for _ in range(_BACK):
        last = start - timedelta(days=1)
        start = _start(entry.every, last)
        name = _name(entry.every, start)
        yield Due(name, start, last, folder / f"{name}.{SUFFIX[entry.format]}")


def _start(every: str, day: date) -> date:
    if every == "month":
        return day.replace(day=1)
    return day - timedelta(days=day.weekday()) if every == "week" else day


def _name(every: str, start: date) -> str:
    if every == "week":
        year, week, _ = start.isocalendar()
        return f"{year}-W{week:02d}"
    return f"{start:%Y-%m}" if every == "month" else start.isoformat()
