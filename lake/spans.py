"""A table's days in spans of time, so that a question about some hours opens the files of those hours alone.

DuckDB prunes files by a filter on `day`, but people and views filter on `observed_at`: then it opens the foot of every
file. Each span says in its own filter what its files hold; one that contradicts a question's filter is never opened.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby, pairwise

from lake.snapshot import StoredFile

RECENT_DAYS = 8  # what is asked for most is a span of its own
MONTHLY_DAYS = 62  # then by month, by quarter, by year: few spans make short plans, and each opens a file for its plan
QUARTERLY_DAYS = 400


@dataclass(frozen=True)
class Span:
    """Files of successive UTC days: from the first to before the end; both None where all files are one span."""

    files: Sequence[StoredFile]
    first: date | None = None
    end: date | None = None

    @property
    def paths(self) -> list[str]:
        """Where the files are."""
        return [file.path for file in self.files]


def spans(files: Sequence[StoredFile], *, few: bool = False, recent: int = RECENT_DAYS) -> list[Span]:
    """Files, which are in the order of their days, as spans; one without bounds where that is enough.

    `few` makes years alone before the `recent` days: for rows whose plan is long. Without files: one empty span, none
    of few.
    """
    if not files:
        return [] if few else [Span(())]
    newest = date.fromisoformat(files[-1].day)
    found = [list(group) for _, group in groupby(files, lambda f: _label(f.day, newest, few=few, recent=recent))]
    if len(found) == 1:
        return [Span(files)]
    return [
        Span(group, date.fromisoformat(group[0].day), date.fromisoformat(group[-1].day) + timedelta(1))
        for group in found
    ]


def _label(day: str, newest: date, *, few: bool, recent: int) -> str:
    age = (newest - date.fromisoformat(day)).days
    if age < recent:
        return ""
    if age < MONTHLY_DAYS and not few:
        return day[:7]
    return f"{day[:4]} {(int(day[5:7]) + 2) // 3}" if age < QUARTERLY_DAYS and not few else day[:4]


def within(span: Span, rows: str) -> str:
    """The rows of a span, with the filter that says when they were observed. A file's day is that of its rows."""
    if span.first is None or span.end is None:
        return rows
    low, high = (f"TIMESTAMPTZ '{day} 00:00:00+00'" for day in (span.first, span.end))
    return f"SELECT * FROM ({rows}) WHERE observed_at >= {low} AND observed_at < {high}"


def bounds(span: Span) -> tuple[str, str, str] | None:
    """Of values: the first and the last day on which a period of a span begins, and the last end; None where unsaid."""
    said = [file.periods for file in span.files if file.periods]
    if not said or len(said) < len(span.files):
        return None
    first, last, end = zip(*said, strict=True)
    return min(first), max(last), max(end)


def apart(found: Sequence[Span]) -> bool:
    """Whether no two spans have values that begin on the same day: what is the newest is then asked of each alone."""
    said = sorted(filter(None, map(bounds, found)))
    return len(found) == 1 or (len(said) == len(found) and all(one[1] < two[0] for one, two in pairwise(said)))


def ending(span: Span, rows: str) -> str:
    """The values of a span, with the filter that says of which periods they are."""
    if not (said := bounds(span)):
        return rows
    first, last, end = (f"DATE '{day}'" for day in said)
    return f"SELECT * FROM ({rows}) WHERE period_start BETWEEN {first} AND {last} AND period_end <= {end}"
