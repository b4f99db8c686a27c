"""Values that are stored and values of this run: which of them are new, others, or without inputs any more."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import chain
from typing import Any

import polars as pl
import pyarrow as pa

from indicators.frame import Cursor, Part
from lake.relations import literal
from lake.tables import INDICATOR_VALUES as VALUES

KEY = ["indicator", "subject_kind", "subject_id", "period_start", "period_end"]
NUMBERS = ("value", "numerator", "denominator", "coverage", "estimated_share")
CLOSE = 1e-9  # sums of floats differ behind it from run to run
GONE = "value IS NULL AND numerator IS NULL AND denominator IS NULL"  # a row that says: there is no value any more
_NAMES = ", ".join(VALUES.names)


def empty() -> pl.DataFrame:
    """No values."""
    return pl.DataFrame(VALUES.empty_table())


@dataclass
class Known:
    """Values of a run that are not stored yet, and that packs see in place of the stored ones.

    Of `hidden` indicators they see those alone.
    """

    hidden: tuple[str, ...] = ()
    parts: dict[str, list[pl.DataFrame]] = field(default_factory=dict)

    def add(self, name: str, rows: pl.DataFrame) -> None:
        """Add what an indicator gave. What it gives last of a subject and period counts."""
        if rows.height:
            self.parts.setdefault(name, []).append(rows)

    @property
    def height(self) -> int:
        """How many there are."""
        return sum(rows.height for parts in self.parts.values() for rows in parts)

    def table(self, names: Collection[str] | None = None) -> pa.Table:
        """Those of some indicators, or all of them, in the order in which they are asked for."""
        chosen = [parts for name, parts in self.parts.items() if names is None or name in names]
        found = pl.concat([empty(), *chain.from_iterable(chosen)]).unique(subset=KEY, keep="last", maintain_order=True)
        return found.sort("indicator", "period_start", "subject_id").to_arrow().cast(VALUES)

    @contextmanager
    def shown(self, connection: Cursor, needs: Collection[str], part: Part | None = None) -> Iterator[None]:
        """Put what a pack needs of these over the stored ones in `indicator_values`, for as long as the block runs."""
        if not needs:
            yield
            return
        own = _own(connection)
        names = ", ".join(map(literal, self.hidden)) or "NULL"
        kept = f"NOT ({GONE}) AND coalesce(indicator NOT IN ({names}), true) AND {_within(part)}"
        connection.register("_fresh", self.table(needs))
        try:
            old = f'SELECT {_NAMES} FROM "{own}".main.indicator_values WHERE {kept}'
            new = f"SELECT {_NAMES} FROM _fresh WHERE NOT ({GONE}) AND {_within(part)}"
            both = f"SELECT {_NAMES} FROM ({old}) ANTI JOIN _fresh USING ({', '.join(KEY)}) UNION ALL {new}"
            connection.execute(f"CREATE TEMP VIEW indicator_values AS {both}")
            try:
                yield
            finally:
                connection.execute("DROP VIEW temp.main.indicator_values")
        finally:
            connection.unregister("_fresh")


def _own(connection: Cursor) -> str:
    """The database of the snapshot's own views; all is fetched, so that the connection is free again."""
    return str(connection.execute("SELECT current_database()").fetchall()[0][0])


def _within(part: Part | None) -> str:
    if part is None:
        return "true"
    first, end = part.first - timedelta(days=part.before), part.last + timedelta(days=part.after + 1)
    return f"period_end > DATE '{first}' AND period_start < DATE '{end}'"


def chosen_rows(part: Part, subjects: Collection[str] | None) -> str:
    """The condition on rows of a pack, or on stored ones, that belong to a part."""
    days = f"period_start BETWEEN DATE '{part.first}' AND DATE '{part.last}'"
    return days if subjects is None else f"{days} AND subject_id IN ({', '.join(map(literal, sorted(subjects)))})"


def stored(connection: Cursor, name: str, condition: str) -> pl.DataFrame:
    """What is stored of an indicator and fulfils a condition."""
    own = _own(connection)
    query = f'SELECT {_NAMES} FROM "{own}".main.indicator_values WHERE indicator = {literal(name)} AND {condition}'
    return pl.DataFrame(connection.sql(query).to_arrow_table().cast(VALUES))


def changed(fresh: pl.DataFrame, known: pl.DataFrame, constant: dict[str, Any]) -> pl.DataFrame:
    """Those of the fresh rows that are not stored so, and a row without a value for each stored one that is not fresh.

    `constant` are the columns that say of which run a row is.
    """
    both = fresh.join(known, on=KEY, how="left", suffix="_known", nulls_equal=True, coalesce=True)
    same = (pl.col("version") == pl.col("version_known")) & (pl.col("devices").eq_missing(pl.col("devices_known")))
    for name in NUMBERS:
        one, other = pl.col(name), pl.col(f"{name}_known")
        scale = pl.max_horizontal(one.abs(), other.abs(), 1.0)
        same &= one.eq_missing(other) | ((one - other).abs() <= CLOSE * scale).fill_null(value=False)
    new = both.filter(~same.fill_null(value=False)).select(fresh.columns)
    there = known.filter(~pl.all_horizontal(pl.col("value", "numerator", "denominator").is_null()))
    gone = there.join(fresh, on=KEY, how="anti", nulls_equal=True)
    nothing = [pl.lit(None, pl.Float64).alias(name) for name in (*NUMBERS[:3], "estimated_share")]
    said = [pl.lit(value, dtype=fresh.schema[name]).alias(name) for name, value in constant.items()]
    return pl.concat([new, gone.with_columns(*nothing, *said, coverage=0.0, devices=pl.lit(0, pl.Int64))])


def subjects_of(connection: Cursor, names: Sequence[str]) -> tuple[set[str], tuple[str, ...]]:
    """The things behind these ids of devices and things, and every device that ever hung on one of them."""
    own = _own(connection)
    source = f'"{own}".main.assignments'
    here = ", ".join(map(literal, names))
    rows = connection.execute(f"SELECT DISTINCT thing_id FROM {source} WHERE device_id IN ({here})").fetchall()
    things = {*names, *(row[0] for row in rows)}
    those = ", ".join(map(literal, sorted(things)))
    rows = connection.execute(f"SELECT DISTINCT device_id FROM {source} WHERE thing_id IN ({those})").fetchall()
    return things, tuple(sorted(row[0] for row in rows))
