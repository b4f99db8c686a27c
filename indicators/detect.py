"""Detectors over a snapshot: each row is a condition with its place, its time, its size and the numbers behind it."""

from datetime import datetime, timedelta

import pyarrow as pa

from indicators.frame import Cursor, Terms, frame
from indicators.header import Pack, chosen
from indicators.runner import reads
from schemas.settings import Settings

_TIME = pa.timestamp("us", "UTC")
FINDINGS = pa.schema(
    [
        ("detector", pa.string()),
        ("kind", pa.string()),
        ("thing_id", pa.string()),
        ("device_id", pa.string()),
        ("area_id", pa.string()),
        ("since", _TIME),
        ("until", _TIME),
        ("severity", pa.string()),  # info | warning | critical
        ("litres_per_hour", pa.float64()),
        ("volume_m3", pa.float64()),
        ("eur", pa.float64()),
        ("confidence", pa.float64()),
        ("evidence", pa.string()),  # JSON
        ("going_on", pa.bool_()),
    ]
)


MEMORY = timedelta(days=100)  # what lies further back no detector looks at


def run_detectors(connection: Cursor, *, as_of: datetime, settings: Settings, ids: list[str] | None = None) -> pa.Table:
    """Look for conditions (with all detectors, or those named) in a snapshot as it was known at `as_of`.

    Gives rows of `FINDINGS`, sorted by detector, time and subject. A condition that goes on has no `until`; one that
    ended more than 35 days before is not looked for again.
    """
    wanted = chosen("detector", ids)
    with frame(connection, Terms.of(settings, as_of), reads(wanted), back=MEMORY):
        tables = [_findings(connection, pack) for pack in wanted]
    return pa.concat_tables(tables) if tables else FINDINGS.empty_table()


def _findings(connection: Cursor, pack: Pack) -> pa.Table:
    columns = ", ".join(
        name if name != "evidence" else "CAST(to_json(evidence) AS VARCHAR) AS evidence" for name in pack.columns
    )
    order = "ORDER BY since, thing_id, device_id, area_id"
    found = connection.sql(f"SELECT {columns} FROM ({pack.sql}) {order}").to_arrow_table()
    constant = {"detector": pack.id, "kind": pack.name}
    return pa.table(
        [
            pa.repeat(pa.scalar(constant[field.name], field.type), found.num_rows)
            if field.name in constant
            else found[field.name].cast(field.type)
            for field in FINDINGS
        ],
        schema=FINDINGS,
    )
