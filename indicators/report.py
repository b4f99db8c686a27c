"""A month or a year of the city: every indicator by area, the KPI sheet, and what is missing and why."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import groupby, pairwise
from typing import Any

from indicators.frame import Cursor
from indicators.header import Pack, packs
from indicators.kpis import Reference, Strategy, references
from indicators.quantities import day, month
from indicators.sheet import Row, rows, sheet
from schemas.errors import DravaError
from schemas.settings import Lang
from schemas.vocabulary import families

FEW = 10  # more things than these are one line
YEAR_BACK = timedelta(days=370)
WELL_COVERED = 0.9
_MONTHS = 12
_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Period:
    """Local days from `start` up to, not including, `end`; `known` is the last day of it that is over."""

    start: date
    end: date
    today: date

    @classmethod
    def of(cls, text: str, today: date) -> "Period":
        """From `2026-10` or `2026`. Raises DravaError where that is no period that has begun."""
        year, _, number = text.partition("-")
        try:
            start = date(int(year), int(number or 1), 1)
        except ValueError:
            raise DravaError(f"{text!r} is not a period", "Write a month or a year: 2026-10, 2026") from None
        if start >= today:
            raise DravaError(f"{text} has not begun", f"The last whole day is {today - _DAY}")
        if number:
            return cls(start, date(start.year + start.month // _MONTHS, start.month % _MONTHS + 1, 1), today)
        return cls(start, date(start.year + 1, 1, 1), today)

    @property
    def before(self) -> date:
        """The first day of the period before."""
        if self.whole_year:
            return date(self.start.year - 1, 1, 1)
        return (self.start - _DAY).replace(day=1)

    @property
    def whole_year(self) -> bool:
        """Whether it is a year."""
        return (self.end - self.start).days > 2 * 31

    @property
    def last(self) -> date:
        """Its last day that is over."""
        return min(self.end, self.today) - _DAY

    @property
    def running(self) -> bool:
        """Whether a part of it is still to come."""
        return self.today < self.end

    @property
    def days(self) -> int:
        """How many of its days are over."""
        return (self.last - self.start).days + 1

    def title(self, lang: Lang) -> str:
        """In words."""
        name = str(self.start.year) if self.whole_year else month(self.start, lang)
        if not self.running:
            return name
        return f"{name}, {'do' if lang == 'sl' else 'until'} {day(self.last, lang)}"


@dataclass(frozen=True)
class Line:
    """One indicator of one subject: its mean over the period, weighted as its own denominators say."""

    where: str
    value: float
    before: float | None
    trend: tuple[float | None, ...]
    known: int  # periods with a value
    possible: int
    coverage: float | None
    estimated: float | None
    devices: int | None
    versions: tuple[int, ...]
    snapshot: int

    @property
    def thin(self) -> bool:
        """Whether too little is known for the number to be trusted."""
        return self.known < self.possible or (self.coverage is not None and self.coverage < WELL_COVERED)


@dataclass(frozen=True)
class Table:
    """One indicator with a line a subject."""

    pack: Pack
    lines: tuple[Line, ...]
    target: tuple[int, float] | None


@dataclass(frozen=True)
class Gap:
    """An indicator without a value in the period; `why` is a word of the report, `of` what it is about."""

    pack: Pack
    why: str
    of: str = ""


@dataclass(frozen=True)
class Report:
    """Everything a report says."""

    municipality: str
    lang: Lang
    period: Period
    made_at: datetime
    snapshot: int
    taken_at: datetime
    areas: Mapping[str, Sequence[Table]]
    strategies: Sequence[Strategy]
    kpis: Mapping[str, Sequence[Row]]
    gaps: Sequence[Gap]
    references: Sequence[Reference] = field(default_factory=references)


def gather(
    connection: Cursor,
    *,
    municipality: str,
    lang: Lang,
    period: Period,
    made_at: datetime,
    strategies: Sequence[Strategy],
) -> Report:
    """Everything the report says, from one snapshot."""
    found = next(rows(connection, "SELECT id, taken_at FROM snapshot"))
    tables = sorted(_tables(connection, period, lang), key=lambda table: _rank(area_of(table.pack)))
    areas = {area: tuple(group) for area, group in groupby(tables, key=lambda table: area_of(table.pack))}
    return Report(
        municipality=municipality,
        lang=lang,
        period=period,
        made_at=made_at,
        snapshot=found["id"],
        taken_at=found["taken_at"],
        areas=areas,
        strategies=strategies,
        kpis=sheet(connection, strategies, period.last),
        gaps=list(_gaps(connection, period, {table.pack.id for table in tables})),
    )


def asked() -> list[Pack]:
    """The indicators of a report: none about a household; those of the KPI sheet stand there."""
    return [pack for pack in packs("indicator").values() if not pack.personal and area_of(pack) != "kpi"]


def area_of(pack: Pack) -> str:
    """The first word of its id."""
    return pack.id.split(".", 1)[0]


def _rank(area: str) -> tuple[bool, bool, str]:
    """Water first, and the platform after all that the city does."""
    return area == "platform", area != "water", area


_VALUES = """
SELECT v.*, coalesce(nullif(t.title, ''), nullif(a.title, ''), v.subject_id) AS place
FROM indicator_values AS v
LEFT JOIN things AS t ON v.subject_kind = 'thing' AND t.thing_id = v.subject_id
LEFT JOIN areas AS a ON v.subject_kind = 'area' AND a.area_id = v.subject_id
WHERE v.value IS NOT NULL AND v.indicator = ? AND v.period_start < ? AND v.period_end > ?
ORDER BY v.period_start"""


def _tables(connection: Cursor, period: Period, lang: Lang) -> Iterator[Table]:
    for pack in asked():
        since = period.before if pack.period in ("day", "week") else period.start - YEAR_BACK
        found = list(rows(connection, _VALUES, [pack.id, period.last + _DAY, since]))
        lines = tuple(_lines(pack, found, period, lang))
        if lines:
            yield Table(pack, lines, _target(pack, period))


def _lines(pack: Pack, found: Sequence[dict[str, Any]], period: Period, lang: Lang) -> Iterator[Line]:
    subjects: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in found:
        subjects.setdefault((row["subject_kind"], row["subject_id"]), []).append(row)
    now = {key: group for key, group in subjects.items() if any(_in(row, period) for row in group)}
    single = {kind for kind, _ in now if sum(other == kind for other, _ in now) <= FEW or kind in ("area", "family")}
    for (kind, name), group in sorted(now.items(), key=lambda item: _order(item[0], item[1])):
        if kind in single:
            yield _line(pack, group, period, _place(kind, name, group[0]["place"], lang))
    for kind in sorted({kind for kind, _ in now} - single):
        groups = [group for (of, _), group in now.items() if of == kind]
        yield _line(
            pack, [row for group in groups for row in group], period, _many(len(groups), kind, lang), len(groups)
        )


def _order(key: tuple[str, str], group: Sequence[dict[str, Any]]) -> tuple[bool, str]:
    return key[0] != "municipality", str(group[0]["place"]).casefold()


def _in(row: Mapping[str, Any], period: Period) -> bool:
    return bool(row["period_start"] < period.end and row["period_end"] > period.start)


def _line(pack: Pack, group: Sequence[dict[str, Any]], period: Period, where: str, subjects: int = 1) -> Line:
    inside = [row for row in group if _in(row, period)]
    earlier = [row for row in group if period.before <= row["period_start"] < period.start]
    devices: dict[str, int] = {}
    for row in inside:
        devices[row["subject_id"]] = max(devices.get(row["subject_id"], 0), row["devices"] or 0)
    shown = inside if pack.period in ("day", "week") else group
    return Line(
        where=where,
        value=_mean(inside, "value") or 0.0,
        before=_mean(earlier, "value"),
        trend=tuple(_trend(shown)),
        known=len(inside),
        possible=max(len(inside), subjects * _periods(pack, period)),
        coverage=_mean(inside, "coverage", weighted=False),
        estimated=_mean(inside, "estimated_share", weighted=False),
        devices=sum(devices.values()) or None,
        versions=tuple(sorted({row["version"] for row in inside})),
        snapshot=max(row["snapshot_id"] for row in inside),
    )


def _periods(pack: Pack, period: Period) -> int:
    """How many periods of a pack are over within the period of the report."""
    if pack.period == "day":
        return period.days
    if pack.period == "month" and period.whole_year:
        return period.last.month
    return period.days // 7 if pack.period == "week" else 1


def _mean(group: Iterable[Mapping[str, Any]], name: str, *, weighted: bool = True) -> float | None:
    """The mean; of values weighted by denominators, so that a share of a month is the share of all its parts."""
    pairs = [(row[name], _weight(row) if weighted else 1.0) for row in group if row[name] is not None]
    total = sum(weight for _, weight in pairs)
    return sum(value * weight for value, weight in pairs) / total if total else None


def _weight(row: Mapping[str, Any]) -> float:
    denominator = row["denominator"]
    return float(denominator) if denominator and denominator > 0 else 1.0


def _trend(group: Sequence[Mapping[str, Any]]) -> Iterator[float | None]:
    """One value a period, in their order; periods without one are gaps."""
    by_start = {
        start: _mean(list(same), "value") for start, same in groupby(group, key=lambda row: row["period_start"])
    }
    starts = sorted(by_start)
    step = min((later - start for start, later in pairwise(starts)), default=_DAY)
    for start, later in zip(starts, [*starts[1:], None], strict=True):
        yield by_start[start]
        if later is not None and step <= _DAY:
            yield from (None for _ in range((later - start) // step - 1))


def _place(kind: str, name: str, title: str, lang: Lang) -> str:
    if kind == "municipality":
        return "vsa občina" if lang == "sl" else "whole municipality"
    if kind == "family" and name in families():
        return families()[name].catalogue.title.to(lang)
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in title)


def _many(number: int, kind: str, lang: Lang) -> str:
    word = {"thing": ("objektov", "objects"), "device": ("naprav", "devices")}.get(kind, ("predmetov", "subjects"))
    return f"{number} {word[lang == 'en']}"


def _target(pack: Pack, period: Period) -> tuple[int, float] | None:
    ahead = sorted((int(year), value) for year, value in pack.targets.items() if int(year) >= period.start.year)
    return ahead[0] if ahead else None


# What is missing.
def _gaps(connection: Cursor, period: Period, there: Iterable[str]) -> Iterator[Gap]:
    registered = {row["family"] for row in rows(connection, "SELECT DISTINCT family FROM devices")}
    ever = any(rows(connection, "SELECT 1 FROM indicator_values LIMIT 1"))
    heard: dict[str, bool] = {}
    for pack in asked():
        if pack.id in set(there):
            continue
        reads = [name for name in pack.reads if name in families()]
        absent = [name for name in reads if name not in registered]
        silent = [name for name in reads if name in registered and not _heard(connection, name, period, heard)]
        if absent:
            yield Gap(pack, "no_devices", absent[0])
        elif silent:
            yield Gap(pack, "no_readings", silent[0])
        else:
            late = pack.period in ("month", "year") and period.running
            yield Gap(pack, "not_over" if late else "no_denominator" if ever else "not_computed")


def _heard(connection: Cursor, family: str, period: Period, known: dict[str, bool]) -> bool:
    if family not in known:
        query = f"SELECT count(*) AS n FROM (SELECT 1 FROM {family} WHERE day BETWEEN ? AND ? LIMIT 1)"
        known[family] = next(rows(connection, query, [period.start - _DAY, period.last]))["n"] > 0
    return known[family]
