"""A reading that a person corrects: a message like any other, journalled and committed, with its author and reason.

Nothing is overwritten: what the device said stays, the correction is its revision and has the last word. Another
correction takes it back.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from catalog.datasets import record
from catalog.plans import position
from ingest.decode import with_ids
from ingest.identity import AUTHOR
from ingest.journal import MESSAGES, Journal, Reader
from ingest.writer import JOURNAL_BITS, Writer
from lake.query import open_found
from lake.relations import literal, quote
from lake.snapshot import find
from schemas.clock import micros
from schemas.errors import DravaError
from schemas.vocabulary import Family, Measure, families

JOURNAL = "corrections"
REASON = "correction"  # beside AUTHOR in the column `extra` of the revision


@dataclass(frozen=True)
class Correction:
    """What a person says that a device measured."""

    device: str
    at: datetime
    measure: str
    value: float | bool
    author: str
    reason: str
    keys: Mapping[str, str] = field(default_factory=dict)  # lane, direction, ... of families that have some


@dataclass(frozen=True)
class Corrected:
    """A reading before and after."""

    family: str
    before: Any
    after: Any


def correct(writer: Writer, what: Correction) -> Corrected:
    """Correct one measure of one reading. Raises DravaError where there is none, or what is said cannot be."""
    known = writer.router().known.find(what.device)
    if known is None:
        raise DravaError(f"there is no device {what.device!r}", "drava devices list shows them")
    family = families()[known.family]
    _check(family, what)
    row = _row(writer, family, known.device_id, what)
    before = row[what.measure]
    if before is not None and float(before) == float(what.value):
        raise DravaError(f"{what.measure} is {before} already", "Look at the other measures: drava sql")
    batch = _message(writer, family, known.device_id, what, row["seq"])
    journal = Journal(writer.home.journal / JOURNAL)
    try:
        reader = Reader(journal.folder)
        while writer.commit_from(reader, 1000):  # what a crash left
            pass
        _try(writer, reader, batch)
        detail: dict[str, Any] = {"device": known.device_id, "family": family.name, "reason": what.reason, **what.keys}
        detail |= {"observed_at": what.at.isoformat(), "measure": what.measure}
        detail |= {"before": _plain(before), "after": what.value}
        record(writer.home.catalog, writer.clock(), what.author, "correct", detail)
        journal.append([(batch, micros(writer.clock()))])
        while counts := writer.commit_from(reader, 1000):
            journal.trim(counts["row"])
    finally:
        journal.close()
    return Corrected(family.name, before, _row(writer, family, known.device_id, what)[what.measure])


def _check(family: Family, what: Correction) -> None:
    """Refuse what no reading of this family can be."""
    measure = next((m for m in family.columns if m.name == what.measure), None)
    if measure is None:
        names = ", ".join(m.name for m in family.columns)
        raise DravaError(f"{family.name} has no measure {what.measure!r}", f"It has {names}")
    if set(what.keys) != set(family.keys):
        needed = ", ".join(family.keys) or "none"
        raise DravaError(
            f"which reading is meant is not clear: keys of {family.name}: {needed}", "Say --key NAME=VALUE"
        )
    if not what.author.strip() or not what.reason.strip():
        raise DravaError("a correction has an author and a reason", "Say --reason (and --author)")
    _within(measure, what.value)


def _within(measure: Measure, value: float | bool) -> None:
    low, high = measure.min, measure.max
    if not isinstance(value, bool) and ((low is not None and value < low) or (high is not None and value > high)):
        raise DravaError(f"{measure.name} of {value} cannot be", f"It lies between {low} and {high} {measure.unit}")


def _row(writer: Writer, family: Family, device: str, what: Correction) -> Mapping[str, Any]:
    """The reading as it is shown now."""
    home = writer.home
    same = "".join(f" AND {quote(name)} = {literal(value)}" for name, value in what.keys.items())
    names = ", ".join(quote(name) for name in [*(m.name for m in family.columns), "seq"])
    at = f"TIMESTAMPTZ {literal(what.at.astimezone(UTC).isoformat())}"
    query = f"SELECT {names} FROM {family.name} WHERE device_id = {literal(device)} AND observed_at = {at}{same}"
    with open_found(home.path, find(home.path), settings=home.settings, tables=[family.name]) as lake:
        rows = lake.sql(query).to_arrow_table().to_pylist()
    if not rows:
        raise DravaError(
            f"{device} has no reading at {what.at.isoformat()}",
            "Name the moment as observed_at has it; what was never read is brought with drava import",
        )
    return dict(rows[0])


def _message(writer: Writer, family: Family, device: str, what: Correction, seq: int | None) -> pa.RecordBatch:
    """The correction as a message on the device's topic; with the counter of what it corrects it has the last word."""
    said = {"time": what.at.astimezone(UTC).isoformat(), **what.keys, what.measure: what.value}
    said |= {AUTHOR: what.author, REASON: what.reason} | ({} if seq is None else {"seq": seq})
    topic = f"{writer.home.settings.municipality}/{family.name}/{device}/telemetry"
    row = (micros(writer.clock()), topic, json.dumps(said, ensure_ascii=False).encode(), None, False, False)
    columns = [pa.array([value], f.type) for value, f in zip(row, MESSAGES, strict=True)]
    return pa.record_batch(columns, schema=MESSAGES)


def _try(writer: Writer, reader: Reader, batch: pa.RecordBatch) -> None:
    """Refuse a message that would be no revision, before anything is written."""
    with writer.lake.exclusive():
        at = position(writer.store, reader.uuid)
        counts = writer.decide(with_ids(batch, (at.num << JOURNAL_BITS) + at.messages)).counts
    if counts.get("revised", 0) + counts.get("completed", 0) != 1:
        why = ", ".join(f"{name} {count}" for name, count in sorted(counts.items()) if count)
        raise DravaError(f"that would be no correction: {why}", "docs/operations.md lists the reasons of quarantine")


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, bool) else float(value)
