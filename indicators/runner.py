"""Indicators of a snapshot: every value with its numerator, denominator, coverage and the version of its meaning.

A run computes what is dirty (indicators/dirty.py), in the order in which indicators build on each other, and gives the
rows that are not stored yet: values that are new or others, and a row without a value where a stored one has no inputs
any more. What it gives equals what a run over all history would give.
"""

import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from functools import cache, partial
from zoneinfo import ZoneInfo

import polars as pl
import pyarrow as pa

from catalog.marks import ALL, Taken
from indicators.dirty import Dirt, Now, Stretch, days_of, dirt_of, left_of, merged, remaining, stretches, whole
from indicators.frame import LOCAL, Cursor, Part, Terms, frame
from indicators.header import Pack, chosen
from indicators.order import ordered
from indicators.values import Known, changed, chosen_rows, empty, stored, subjects_of
from lake.commit import marks_of
from lake.query import fingerprint, needed
from lake.tables import INDICATOR_VALUES as VALUES
from schemas.clock import micros, moment
from schemas.errors import DravaError
from schemas.settings import Settings
from schemas.vocabulary import families

BESIDE = 2  # days to neighbours
MANY = 500
DIGITS = 9  # sums of floats differ behind them from run to run
_ROUNDED = ("value", "numerator", "denominator", "coverage", "estimated_share")


@dataclass(frozen=True)
class Seen:
    """The snapshot of a run and the first day of which it holds anything."""

    snapshot_id: int
    snapshot_at: datetime
    beginning: date
    rows: Mapping[str, Mapping[int, int]] = field(default_factory=dict)  # of each family, by day (ordinal)


@dataclass
class Sight:
    """What a run looks at: the snapshot, and values that it has given and that are not in it yet."""

    connection: Cursor
    found: Known = field(default_factory=Known)


@dataclass(frozen=True)
class Step:
    """What one stretch gave: rows that are to be stored, and what is left to do of this and of what needs it."""

    indicator: str
    version: int  # of its definition
    computed: int  # values, with those that are stored so
    rows: pl.DataFrame
    left: dict[str, list[tuple[str, str, str]]]


def run_indicators(
    connection: Cursor, *, as_of: datetime, settings: Settings, snapshot_id: int = 0, ids: list[str] | None = None
) -> pa.Table:
    """Compute indicators (all, or those named) over all history of a snapshot as it was known at `as_of`.

    Gives rows of the table `indicator_values`; periods are local, half open. What has no denominator has no row. Of
    indicators that others need, the values of this run count, and not the stored ones.
    """
    terms, found = Terms.of(settings, as_of), Known(hidden=tuple(pack.id for pack in chosen("indicator", ids)))
    tables = []
    for pack in _in_order(ids):
        with frame(connection, terms, pack.reads), found.shown(connection, pack.needs):
            tables.append(_values(connection, pack, as_of, snapshot_id))
        found.add(pack.id, pl.DataFrame(tables[-1]))
    return pa.concat_tables(tables) if tables else VALUES.empty_table()


def _in_order(ids: list[str] | None) -> list[Pack]:
    wanted = chosen("indicator", ids)
    return [pack for pack in ordered(wanted) if pack in wanted]


def run_dirty(
    sight: Sight,
    wanted: Sequence[Pack],
    *,
    as_of: datetime,
    settings: Settings,
    seen: Seen,
    taken: Taken,
    full: bool = False,
) -> Iterator[Step]:
    """Compute what is dirty of these indicators (in order), or all of them; `taken` was read before the snapshot.

    Between two steps what they gave may be stored, and the sight be renewed: what is left is not lost.
    """
    terms = Terms.of(settings, as_of)
    now = Now(terms.today, seen.beginning)
    left = {pack.id: left_of(pack, taken.marks) for pack in wanted}
    for pack in wanted:
        version = definition(pack, terms)
        dirt = whole(now) if full else _dirt(pack, version, taken, terms, now)
        dirt.join(left[pack.id])
        _follow(sight.connection, pack, dirt, terms)
        parts = list(stretches(pack, dirt.until(now), partial(_rows, pack, seen)))
        if not parts:
            yield Step(pack.id, version, 0, empty(), {pack.id: []})
        for number, part in enumerate(parts, 1):
            count, new = _stretch(sight.connection, pack, part, terms, seen, sight.found)
            sight.found.add(pack.id, new)
            left[pack.id] = remaining(parts[number:])
            told = _pass_on(new, [one for one in wanted if pack.id in one.needs], left)
            yield Step(pack.id, version, count, new, {name: left[name].rows() for name in (pack.id, *told)})


def _pass_on(new: pl.DataFrame, needing: Sequence[Pack], left: Mapping[str, Dirt]) -> list[str]:
    """Note what follows from new values for those that need them."""
    if not new.height or not needing:
        return []
    for mark in marks_of(new.to_arrow()):
        for pack in needing:
            left[pack.id].add(mark.subject if pack.own else ALL, days_of(mark), pack.reach)
    return [pack.id for pack in needing]


def definition(pack: Pack, terms: Terms) -> int:
    """A number that is another one where the definition is: the SELECT, the views behind it, prices, the place."""
    said = (pack.version, pack.sql, fingerprint(pack.reads), replace(terms, as_of=moment(0)))
    return zlib.crc32(repr(said).encode()) & 0x7FFFFFFF


def inputs(pack: Pack) -> frozenset[str]:
    """Every dataset on which an indicator depends: tables of the lake and of the registry, other indicators."""
    return _inputs((*pack.reads, *pack.needs))


@cache
def _inputs(names: tuple[str, ...]) -> frozenset[str]:
    return frozenset(needed(names) | set(names) | (set(families()) if "heard" in names else set()))


def _dirt(pack: Pack, version: int, taken: Taken, terms: Terms, now: Now) -> Dirt:
    position = taken.positions.get(pack.id)
    if position is None or position.version != version:
        return whole(now)
    if position.as_of > micros(terms.as_of):
        raise DravaError(
            f"{pack.id} was computed as of {moment(position.as_of):%FT%TZ}, which is later",
            "Values of earlier days are kept: drava indicators history shows them",
        )
    since = moment(position.as_of).astimezone(ZoneInfo(terms.zone)).date()
    return dirt_of(pack, inputs(pack), taken.marks, position, since, now)


def _stretch(
    connection: Cursor, pack: Pack, stretch: Stretch, terms: Terms, seen: Seen, found: Known
) -> tuple[int, pl.DataFrame]:
    """Compute a stretch: how many values it has, and what of them is to be stored."""
    part = Part(stretch.first, stretch.last, pack.reach.before, pack.reach.after)
    things: set[str] | None = None
    if stretch.subjects is not None:
        things, devices = subjects_of(connection, sorted(stretch.subjects))
        part = replace(part, devices=devices)
    with frame(connection, terms, pack.reads, part=part), found.shown(connection, pack.needs, part):
        condition = chosen_rows(part, things)
        fresh = pl.DataFrame(_values(connection, pack, terms.as_of, seen.snapshot_id, condition))
    run = {"version": pack.version, "snapshot_id": seen.snapshot_id, "computed_at": terms.as_of}
    return fresh.height, changed(fresh, stored(connection, pack.id, condition), run)


def _rows(pack: Pack, seen: Seen, first: int, last: int) -> int:
    """How many readings a pack reads for the values of these days. Macros read few besides those of their days."""
    near = pack.changes is not None or any(name in LOCAL for name in pack.reads)
    before, after = (BESIDE, BESIDE) if near else (pack.reach.before, pack.reach.after)
    days = range(first - before, last + after + 1)
    return sum(of.get(day, 0) for name, of in seen.rows.items() if name in inputs(pack) for day in days)


def _follow(connection: Cursor, pack: Pack, dirt: Dirt, terms: Terms) -> None:
    """Add what changes with readings that came: the days beside them of all things, and further ones of some."""
    for begin, end in merged(dirt.readings):
        first, last = date.fromordinal(begin), date.fromordinal(end)
        query = (
            f"SELECT thing_id, wide, first_date, last_date FROM {pack.changes}(DATE '{first}', DATE '{last}') "
            f"WHERE first_date < DATE '{first}' - {BESIDE} OR last_date > DATE '{last}' + {BESIDE}"
        )
        with frame(
            connection, terms, (str(pack.changes),), part=Part(first, last, pack.reach.before, pack.reach.after)
        ):
            rows = connection.execute(query).fetchall()
        dirt.add(ALL, (begin - BESIDE, end + BESIDE))
        common = sum(not wide for _, wide, _, _ in rows) > MANY  # so many are computed as all
        for thing, wide, since, until in rows:
            dirt.add(thing if wide or not common else ALL, (since.toordinal(), until.toordinal()))


def reads(wanted: Sequence[Pack]) -> list[str]:
    """Every table that one of these packs reads."""
    return sorted({name for pack in wanted for name in pack.reads})


def _values(connection: Cursor, pack: Pack, as_of: datetime, snapshot_id: int, condition: str = "true") -> pa.Table:
    asked = ", ".join(f"round({name}, {DIGITS}) AS {name}" if name in _ROUNDED else name for name in pack.columns)
    found = connection.sql(f"SELECT {asked} FROM ({pack.sql}) WHERE {condition}").to_arrow_table()
    constant = {
        "indicator": pack.id,
        "version": pack.version,
        "unit": pack.unit,
        "snapshot_id": snapshot_id,
        "computed_at": as_of,
    }
    columns = [
        pa.repeat(pa.scalar(constant[field.name], field.type), found.num_rows)
        if field.name in constant
        else found[field.name].cast(field.type)
        for field in VALUES
    ]
    return pa.table(columns, schema=VALUES)
