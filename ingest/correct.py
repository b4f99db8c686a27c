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
from schemas.settings import Lang
from schemas.vocabulary import Family, families

_REFUSED: dict[Lang, dict[str, tuple[str, str]]] = {  # what is wrong, and what to do
    "en": {
        "device": ("there is no device {device!r}", "drava devices list shows them"),
        "same": ("{measure} is {before} already", "Look at the other measures: drava sql"),
        "measure": ("{family} has no measure {measure!r}", "It has {names}"),
        "keys": ("which reading is meant is not clear: keys of {family}: {names}", "Say {say}"),
        "no_keys": ("{family} has one reading at a time, without keys", "Leave --key away"),
        "author": ("a correction has an author and a reason", "Say --reason (and --author)"),
        "range": ("{measure} of {value} cannot be", "It lies between {low} and {high} {unit}"),
        "reading": (
            "{device} has no reading at {at}",
            "Name the moment as observed_at has it; what was never read is brought with drava import",
        ),
        "none": ("that would be no correction: {why}", "docs/operations.md lists the reasons of quarantine"),
    },
    "sl": {
        "device": ("naprave {device!r} ni", "Naprave našteje drava devices list"),
        "same": ("{measure} je že {before}", "Poglejte druge veličine: drava sql"),
        "measure": ("{family} nima veličine {measure!r}", "Ima {names}"),
        "keys": ("ni jasno, kateri odčitek je mišljen; ključi družine {family}: {names}", "Dodajte {say}"),
        "no_keys": ("{family} ima ob enem času en sam odčitek, brez ključev", "Izpustite --key"),
        "author": ("popravek ima avtorja in razlog", "Dodajte --reason (in --author)"),
        "range": ("{measure} ne more biti {value}", "Vrednost je med {low} in {high} {unit}"),
        "reading": (
            "naprava {device} nima odčitka ob {at}",
            "Čas navedite, kot je v observed_at; česar nihče ni odčital, se vnese z drava import",
        ),
        "none": ("to ne bi bil popravek: {why}", "Razloge karantene našteje docs/operations.md"),
    },
}
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
    lang = writer.home.settings.lang
    known = writer.router().known.find(what.device)
    if known is None:
        raise _refused(lang, "device", device=what.device)
    family = families()[known.family]
    _check(family, what, lang)
    row = _row(writer, family, known.device_id, what)
    before = row[what.measure]
    if before is not None and float(before) == float(what.value):
        raise _refused(lang, "same", measure=what.measure, before=before)
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


def _refused(lang: Lang, kind: str, **about: object) -> DravaError:
    what, hint = _REFUSED[lang][kind]
    return DravaError(what.format(**about), hint.format(**about))


def _check(family: Family, what: Correction, lang: Lang) -> None:
    """Refuse what no reading of this family can be."""
    measure = next((m for m in family.columns if m.name == what.measure), None)
    if measure is None:
        names = ", ".join(m.name for m in family.columns)
        raise _refused(lang, "measure", family=family.name, measure=what.measure, names=names)
    if set(what.keys) != set(family.keys):
        say = " ".join(f"--key {name}=…" for name in family.keys)
        kind = "keys" if family.keys else "no_keys"
        raise _refused(lang, kind, family=family.name, names=", ".join(family.keys), say=say)
    if not what.author.strip() or not what.reason.strip():
        raise _refused(lang, "author")
    low, high = measure.min, measure.max
    if (low is not None and what.value < low) or (high is not None and what.value > high):
        raise _refused(lang, "range", measure=measure.name, value=what.value, low=low, high=high, unit=measure.unit)


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
        raise _refused(home.settings.lang, "reading", device=device, at=what.at.isoformat())
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
        raise _refused(writer.home.settings.lang, "none", why=why)


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, bool) else float(value)
