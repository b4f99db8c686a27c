"""The tables of the lake: their columns and types. A column never changes its name or type."""

from functools import cache

import polars as pl
import pyarrow as pa

from schemas.vocabulary import ARROW, Family, families

UTC_US = pa.timestamp("us", "UTC")

RAW_MESSAGES = pa.schema([
    pa.field("received_at", UTC_US),
    pa.field("topic", pa.string()),
    pa.field("payload", pa.binary()),
    pa.field("qos", pa.int8()),
    pa.field("retain", pa.bool_()),
    pa.field("message_id", pa.int64()),
])  # fmt: skip

QUARANTINE = pa.schema([
    pa.field("message_hash", pa.string()),  # of topic and payload: a redelivered message is the same entry
    pa.field("element", pa.int32()),  # which reading of the message; null: the whole message
    pa.field("reason", pa.string()),
    pa.field("detail", pa.string()),
    pa.field("topic", pa.string()),
    pa.field("payload", pa.binary()),
    pa.field("device_id", pa.string()),
    pa.field("gateway", pa.string()),
    pa.field("qos", pa.int8()),
    pa.field("retain", pa.bool_()),
    pa.field("received_at", UTC_US),
    pa.field("count", pa.int64()),
    pa.field("state", pa.string()),  # held | resolved
    pa.field("plan_id", pa.int64()),
])  # fmt: skip

MESSAGE_COUNTS = ("received", "decoded", "housekeeping", "quarantined")
READING_COUNTS = ("readings", "stored", "completed", "revised", "duplicate", "readings_quarantined", "too_old")

BALANCE = pa.schema([
    pa.field("device_id", pa.string()),
    pa.field("gateway", pa.string()),
    *(pa.field(name, pa.int64()) for name in MESSAGE_COUNTS + READING_COUNTS),
])  # fmt: skip

INDICATOR_VALUES = pa.schema([
    pa.field("indicator", pa.string()),
    pa.field("version", pa.int32()),
    pa.field("subject_kind", pa.string()),
    pa.field("subject_id", pa.string()),
    pa.field("period_start", pa.date32()),
    pa.field("period_end", pa.date32()),
    pa.field("value", pa.float64()),
    pa.field("unit", pa.string()),
    pa.field("numerator", pa.float64()),
    pa.field("denominator", pa.float64()),
    pa.field("coverage", pa.float64()),
    pa.field("devices", pa.int64()),
    pa.field("estimated_share", pa.float64()),
    pa.field("snapshot_id", pa.int64()),
    pa.field("computed_at", UTC_US),
])  # fmt: skip

SYSTEM: dict[str, pa.Schema] = {
    "raw_messages": RAW_MESSAGES,
    "quarantine": QUARANTINE,
    "balance": BALANCE,
    "indicator_values": INDICATOR_VALUES,
}


def family_schema(family: Family) -> pa.Schema:
    """The columns of a family's table, without the partition column `day`."""
    return pa.schema([
        pa.field("device_id", pa.string()),
        *(pa.field(key, pa.string()) for key in family.keys),
        pa.field("observed_at", UTC_US),
        pa.field("observed_until", UTC_US),
        *(pa.field(measure.name, ARROW[measure.type]) for measure in family.columns),
        pa.field("quality", pa.int8()),
        pa.field("quality_tests", pa.int32()),
        pa.field("time_source", pa.string()),
        pa.field("received_at", UTC_US),
        pa.field("ingested_at", UTC_US),
        pa.field("seq", pa.int64()),
        pa.field("profile", pa.string()),
        pa.field("revision", pa.int16()),
        pa.field("message_id", pa.int64()),
        pa.field("extra", pa.string()),
    ])  # fmt: skip


@cache
def tables() -> dict[str, pa.Schema]:
    """Every table of the lake and its columns, without the partition column `day`."""
    return {name: family_schema(family) for name, family in families().items()} | SYSTEM


@cache
def columns(name: str) -> pl.Schema:
    """The columns of a table for scans: a file from before a column was added reads as null there."""
    return pl.from_arrow(tables()[name].empty_table()).schema  # type: ignore[union-attr] # a table is no series


def with_day(schema: pa.Schema) -> pa.Schema:
    """The schema as Delta knows it: with the partition column."""
    return schema.append(pa.field("day", pa.date32()))
