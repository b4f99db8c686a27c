"""The KPI sheet: where each KPI of a strategy stands, how far its target is, and where its value comes from."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Literal

from indicators.frame import Cursor
from indicators.kpis import Kpi, Strategy
from schemas.settings import Lang

Status = Literal["reached", "on_course", "behind", "open", "no_target", "no_denominator", "not_entered"]
YEAR = timedelta(days=365)

WORDS: dict[Status, dict[Lang, str]] = {
    "reached": {"sl": "doseženo", "en": "reached"},
    "on_course": {"sl": "po načrtu", "en": "on course"},
    "behind": {"sl": "zaostaja", "en": "behind"},
    "open": {"sl": "ni doseženo, izhodišče neznano", "en": "not reached, baseline unknown"},
    "no_target": {"sl": "brez cilja", "en": "no target"},
    "no_denominator": {"sl": "ni imenovalca v registru", "en": "no denominator in the register"},
    "not_entered": {"sl": "ni vneseno", "en": "not entered"},
}


@dataclass(frozen=True)
class Point:
    """A value on a day, with what is known of it."""

    on: date
    value: float
    coverage: float | None = None
    version: int | None = None
    snapshot_id: int | None = None
    reference: str = ""


@dataclass(frozen=True)
class Row:
    """One KPI of the sheet. `series` ends with the present value; `reporting` stands beside what is installed."""

    kpi: Kpi
    how: Literal["computed", "entered", ""]
    series: tuple[Point, ...]
    reporting: Point | None
    status: Status

    @property
    def now(self) -> Point | None:
        """The present value."""
        return self.series[-1] if self.series else None

    @property
    def distance(self) -> float | None:
        """What is missing to the target, in the unit of the KPI; 0 where it is reached."""
        target = self.kpi.target[1]
        return None if self.now is None or target is None else max(0.0, target - self.now.value)

    @property
    def change(self) -> float | None:
        """The difference to a year before, or to the first value where there is none so old."""
        if len(self.series) < 2:  # noqa: PLR2004 - one value has no trend
            return None
        last = self.series[-1]
        before = [point for point in self.series[:-1] if point.on <= last.on - YEAR]
        return last.value - (before[-1] if before else self.series[0]).value


def sheet(connection: Cursor, wanted: Iterable[Strategy], until: date) -> dict[str, list[Row]]:
    """The rows of each strategy at the end of a local day, from a snapshot's computed and entered values."""
    computed = _computed(connection, until)
    entered = _entered(connection, until)
    return {one.id: [_row(kpi, computed, entered, until) for kpi in one.kpis] for one in wanted}


_Series = Mapping[tuple[str, str], Sequence[Point]]


def _row(kpi: Kpi, computed: _Series, entered: _Series, until: date) -> Row:
    installed, reporting, register = kpi.sources
    series = tuple(computed.get((installed, register), ()))
    how: Literal["computed", "entered", ""] = "computed" if series else ""
    if not series:
        series = tuple(entered.get(("", kpi.id), ()))
        how = "entered" if series else ""
    beside = computed.get((reporting, register), ()) if how == "computed" else ()
    return Row(kpi, how, series, beside[-1] if beside else None, _status(kpi, series, until))


def _status(kpi: Kpi, series: Sequence[Point], until: date) -> Status:
    if not series:
        return "no_denominator" if kpi.computed and not kpi.computed.startswith("count") else "not_entered"
    (base_year, base), (year, target) = kpi.base, kpi.target
    value = series[-1].value
    if target is None:
        return "no_target"
    if value >= target:
        return "reached"
    if base is None:
        return "open"
    begin, end = date(base_year, 12, 31), date(year, 12, 31)
    gone = min(1.0, max(0.0, (until - begin) / (end - begin)))
    return "on_course" if value >= base + gone * (target - base) else "behind"


# The last value of each month is enough to see where a KPI goes.
_COMPUTED = """
SELECT indicator, subject_id, period_end - 1 AS local_date, value, coverage, version, snapshot_id
FROM indicator_values
WHERE starts_with(indicator, 'kpi.') AND subject_kind = 'register' AND value IS NOT NULL AND period_end - 1 <= ?
QUALIFY row_number() OVER (
    PARTITION BY indicator, subject_id, date_trunc('month', period_start) ORDER BY period_start DESC) = 1
ORDER BY period_start"""

_ENTERED = """
SELECT '' AS indicator, kpi AS subject_id, local_date, value, reference FROM (
    SELECT * FROM entered_values WHERE local_date <= ?
    QUALIFY row_number() OVER (PARTITION BY kpi, local_date ORDER BY id DESC) = 1)
WHERE value IS NOT NULL ORDER BY local_date"""


def _computed(connection: Cursor, until: date) -> _Series:
    return _grouped(connection, _COMPUTED, until, ("coverage", "version", "snapshot_id"))


def _entered(connection: Cursor, until: date) -> _Series:
    return _grouped(connection, _ENTERED, until, ("reference",))


def _grouped(connection: Cursor, query: str, until: date, more: Sequence[str]) -> _Series:
    found: dict[tuple[str, str], list[Point]] = {}
    for row in rows(connection, query, [until]):
        point = Point(row["local_date"], row["value"], **{name: row[name] for name in more})
        found.setdefault((row["indicator"], row["subject_id"]), []).append(point)
    return found


Parameters = Sequence[object] | Mapping[str, object]


def rows(connection: Cursor, query: str, parameters: Parameters = ()) -> Iterator[dict[str, Any]]:
    """The rows of a question as dicts."""
    done = connection.execute(query, parameters)
    names = [column[0] for column in done.description]
    for row in done.fetchall():
        yield dict(zip(names, row, strict=True))
