"""The lines of a report: every indicator of every subject in a month or a year, from the values of its parts."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby
from typing import Any

from indicators.frame import Cursor
from indicators.header import Pack, packs
from indicators.quantities import day, month
from indicators.sheet import rows
from schemas.errors import DravaError
from schemas.settings import Lang
from schemas.vocabulary import families

FEW = 10  # more things than these are one line
YEAR_BACK = timedelta(days=370)
WELL_COVERED = 0.9
DAY = timedelta(days=1)
_MONTHS = 12


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
            raise DravaError(f"{text} has not begun", f"The last whole day is {today - DAY}")
        if number:
            return cls(start, date(start.year + start.month // _MONTHS, start.month % _MONTHS + 1, 1), today)
        return cls(start, date(start.year + 1, 1, 1), today)

    @property
    def before(self) -> date:
        """The first day of the period before."""
        if self.whole_year:
            return date(self.start.year - 1, 1, 1)
        return (self.start - DAY).replace(day=1)

    @property
    def whole_year(self) -> bool:
        """Whether it is a year."""
        return (self.end - self.start).days > 2 * 31

    @property
    def last(self) -> date:
        """Its last day that is over."""
        return min(self.end, self.today) - DAY

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
    whole: bool  # of the municipality
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


def asked() -> list[Pack]:
    """The indicators of a report: none about a household; those of the KPI sheet stand there."""
    return [pack for pack in packs("indicator").values() if not pack.personal and area_of(pack) != "kpi"]


def area_of(pack: Pack) -> str:
    """The first word of its id."""
    return pack.id.split(".", 1)[0]


# Kinds with many subjects become one row a period here: a city has more lamps than a reader has patience.
_VALUES = """
WITH found AS (
    SELECT indicator, version, subject_kind, subject_id, period_start, period_end, value, coverage, devices,
        estimated_share, snapshot_id, CASE WHEN denominator > 0 THEN denominator ELSE 1 END AS weight
    FROM indicator_values
    WHERE value IS NOT NULL AND indicator IN (SELECT unnest($asked::VARCHAR[])) AND period_start <= $last
        AND period_end > CASE WHEN period_end - period_start > 20 THEN $year_back ELSE $before END
),
kinds AS (
    SELECT indicator, subject_kind, count(DISTINCT subject_id) AS subjects,
        subjects > $few AND subject_kind NOT IN ('area', 'family') AS folded
    FROM found WHERE period_end > $start GROUP BY indicator, subject_kind
)
SELECT f.indicator, f.subject_kind, CASE WHEN k.folded THEN NULL ELSE f.subject_id END AS subject_id,
    any_value(coalesce(nullif(t.title, ''), nullif(a.title, ''), f.subject_id)) AS place,
    any_value(k.subjects) AS subjects,
    f.period_start, any_value(f.period_end) AS period_end, sum(f.value * f.weight) / sum(f.weight) AS value,
    sum(f.weight) AS weight, avg(f.coverage) AS coverage, avg(f.estimated_share) AS estimated_share,
    sum(f.devices) AS devices, count(*) AS parts, list(DISTINCT f.version) AS versions,
    max(f.snapshot_id) AS snapshot_id
FROM found AS f JOIN kinds AS k ON k.indicator = f.indicator AND k.subject_kind = f.subject_kind
LEFT JOIN things AS t ON f.subject_kind = 'thing' AND t.thing_id = f.subject_id
LEFT JOIN areas AS a ON f.subject_kind = 'area' AND a.area_id = f.subject_id
GROUP BY f.indicator, f.subject_kind, 3, f.period_start
ORDER BY f.indicator, f.subject_kind, 3, f.period_start"""

_Group = Sequence[Mapping[str, Any]]


def tables_of(connection: Cursor, period: Period, lang: Lang) -> Iterator[Table]:
    """Every indicator that has a value in the period, in the order of their ids."""
    known = {pack.id: pack for pack in asked()}
    bounds = {"start": period.start, "before": period.before, "last": period.last}
    more = {"asked": list(known), "year_back": period.start - YEAR_BACK, "few": FEW}
    found = rows(connection, _VALUES, {**bounds, **more})
    for name, group in groupby(found, key=lambda row: row["indicator"]):
        pack = known[name]
        subjects = [list(same) for _, same in groupby(group, key=lambda row: (row["subject_kind"], row["subject_id"]))]
        now = [same for same in subjects if any(_in(row, period) for row in same)]
        lines = sorted((_line(pack, same, period, lang) for same in now), key=_order)
        if lines:
            yield Table(pack, tuple(lines), _target(pack, period))


def _order(line: Line) -> tuple[bool, str]:
    return not line.whole, line.where.casefold()


def _in(row: Mapping[str, Any], period: Period) -> bool:
    return bool(row["period_start"] < period.end and row["period_end"] > period.start)


def _line(pack: Pack, group: _Group, period: Period, lang: Lang) -> Line:
    inside = [row for row in group if _in(row, period)]
    earlier = [row for row in group if period.before <= row["period_start"] < period.start]
    first, known = group[0], sum(row["parts"] for row in inside)
    folded = first["subject_id"] is None
    return Line(
        where=_many(first["subjects"], first["subject_kind"], lang) if folded else _place(first, lang),
        whole=first["subject_kind"] == "municipality",
        value=_mean(inside, "value", "weight") or 0.0,
        before=_mean(earlier, "value", "weight"),
        trend=tuple(_trend(inside if pack.period in ("day", "week") else group)),
        known=known,
        possible=max(known, (first["subjects"] if folded else 1) * _periods(pack, period)),
        coverage=_mean(inside, "coverage", "parts"),
        estimated=_mean(inside, "estimated_share", "parts"),
        devices=max((int(row["devices"] or 0) for row in inside), default=0) or None,
        versions=tuple(sorted({version for row in inside for version in row["versions"]})),
        snapshot=max(row["snapshot_id"] for row in inside),
    )


def _periods(pack: Pack, period: Period) -> int:
    """How many periods of a pack are over within the period of the report."""
    if pack.period == "day":
        return period.days
    if pack.period == "month" and period.whole_year:
        return period.last.month
    return period.days // 7 if pack.period == "week" else 1


def _mean(group: _Group, name: str, by: str) -> float | None:
    """The weighted mean: with denominators as weights a share of a month is the share of all its parts."""
    pairs = [(row[name], float(row[by])) for row in group if row[name] is not None]
    total = sum(weight for _, weight in pairs)
    return sum(value * weight for value, weight in pairs) / total if total else None


def _trend(group: _Group) -> Iterator[float | None]:
    """One value a period, in their order; days without one are gaps."""
    for n, row in enumerate(group):
        yield row["value"]
        length = row["period_end"] - row["period_start"]
        if n + 1 < len(group) and length <= DAY:
            yield from (None for _ in range((group[n + 1]["period_start"] - row["period_end"]) // length))


def _place(row: Mapping[str, Any], lang: Lang) -> str:
    if row["subject_kind"] == "municipality":
        return "vsa občina" if lang == "sl" else "whole municipality"
    if row["subject_kind"] == "family" and row["subject_id"] in families():
        return families()[row["subject_id"]].catalogue.title.to(lang)
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in str(row["place"]))


def _many(number: int, kind: str, lang: Lang) -> str:
    word = {"thing": ("objektov", "objects"), "device": ("naprav", "devices")}.get(kind, ("predmetov", "subjects"))
    return f"{number} {word[lang == 'en']}"


def _target(pack: Pack, period: Period) -> tuple[int, float] | None:
    ahead = sorted((int(year), value) for year, value in pack.targets.items() if int(year) >= period.start.year)
    return ahead[0] if ahead else None
