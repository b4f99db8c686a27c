"""A month or a year of the city: every indicator by area, the KPI sheet, and what is missing and why."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby

from indicators.frame import Cursor
from indicators.header import Pack
from indicators.kpis import Reference, Strategy, references
from indicators.report_lines import DAY, Period, Table, area_of, asked, tables_of
from indicators.sheet import Row, rows, sheet
from schemas.settings import Lang
from schemas.vocabulary import families


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
    tables = sorted(tables_of(connection, period, lang), key=lambda table: _rank(area_of(table.pack)))
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


def _rank(area: str) -> tuple[bool, bool, str]:
    """Water first, and the platform after all that the city does."""
    return area == "platform", area != "water", area


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
        known[family] = next(rows(connection, query, [period.start - DAY, period.last]))["n"] > 0
    return known[family]
