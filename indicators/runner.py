"""Indicators of a snapshot: every value with its numerator, denominator, coverage and the version of its meaning."""

from collections.abc import Sequence
from datetime import datetime

import polars as pl
import pyarrow as pa

from indicators.frame import Cursor, Terms, frame
from indicators.header import Pack, chosen
from lake.tables import INDICATOR_VALUES as VALUES
from schemas.settings import Settings

DIGITS = 9  # sums of floats differ behind them from run to run
_ROUNDED = ("value", "numerator", "denominator", "coverage", "estimated_share")


def run_indicators(
    connection: Cursor, *, as_of: datetime, settings: Settings, snapshot_id: int = 0, ids: list[str] | None = None
) -> pa.Table:
    """Compute indicators (all, or those named) over a snapshot as it was known at `as_of`.

    Gives rows of the table `indicator_values`; periods are local days, half open. What has no denominator has no row.
    """
    wanted = chosen("indicator", ids)
    with frame(connection, Terms.of(settings, as_of), reads(wanted)):
        tables = [_values(connection, pack, as_of, snapshot_id) for pack in wanted]
    return pa.concat_tables(tables) if tables else VALUES.empty_table()


def changed_values(connection: Cursor, values: pa.Table) -> pa.Table:
    """Those of the values that the snapshot's `indicator_values` does not hold already, exactly so."""
    same = [name for name in VALUES.names if name not in ("snapshot_id", "computed_at", "unit")]
    known = connection.sql(f"SELECT {', '.join(same)} FROM indicator_values").to_arrow_table()
    stored = pl.DataFrame(pa.table([known[name].cast(VALUES.field(name).type) for name in same], names=same))
    fresh = pl.DataFrame(values).join(stored, on=same, how="anti", nulls_equal=True)
    return fresh.to_arrow().cast(VALUES)


def reads(wanted: Sequence[Pack]) -> list[str]:
    """Every table that one of these packs reads."""
    return sorted({name for pack in wanted for name in pack.reads})


def _values(connection: Cursor, pack: Pack, as_of: datetime, snapshot_id: int) -> pa.Table:
    asked = ", ".join(f"round({name}, {DIGITS}) AS {name}" if name in _ROUNDED else name for name in pack.columns)
    found = connection.sql(f"SELECT {asked} FROM ({pack.sql})").to_arrow_table()
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
