"""Entries of the quarantine decoded again: which stay, which go, and the rows of the plan that says so.

The plan appends the readings, `resolved` rows that match the held ones, and the balance's difference: what was counted
as quarantined leaves the place where it was counted, and is counted as what became of it. Received totals never move.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace

import polars as pl
import pyarrow as pa

from catalog import plans
from ingest import balance
from ingest.decode import WHOLE, Batch, Refusal, decode
from ingest.rows import FamilyRows
from ingest.writer import Work, Writer, by_day, quarantine
from lake.commit import Days
from lake.tables import BALANCE, MESSAGE_COUNTS, QUARANTINE, READING_COUNTS
from schemas.reasons import Reason

# what makes two rows of the quarantine the same entry
KEY = ["message_hash", "element", "reason", "detail", "topic", "device_id", "gateway", "qos", "retain", "received_at"]


class Attempt:
    """Entries of the quarantine, each as often as it was counted. Use it inside the lake's lock.

    `stays` says of each whether it is refused as before; `renamed` whether it is refused, but for another reason.
    """

    def __init__(self, writer: Writer, entries: pl.DataFrame) -> None:
        """Decode and decide; nothing is written. `entries` has the columns of KEY, payload and message_id."""
        self.writer = writer
        self.entries = entries
        self._elements: list[int | None] = entries["element"].to_list()
        self._batch = decode(_messages(entries), writer.router())
        self._take_elements()
        self._made, self._readings = writer.readings(self._batch)
        self.stays, self.renamed = self._decided()

    def _take_elements(self) -> None:
        """Of an entry that is one element, keep what belongs to that element; it is history."""
        batch = self._batch
        batch.rows = {name: self._taken(rows) for name, rows in batch.rows.items()}
        batch.refused = [
            refusal if (element := self._elements[refusal.message]) is None else replace(refusal, element=element)
            for refusal in batch.refused
            if self._belongs(refusal.message, refusal.element)
        ]
        batch.housekeeping = [
            (number, device) for number, device in batch.housekeeping if self._elements[number] is None
        ]

    def _belongs(self, message: int, element: int) -> bool:
        wanted = self._elements[message]
        if wanted is None:
            return True
        nested = self.entries["payload"][message].lstrip()[:1] == b"["  # the element was itself an array: still wrong
        return element in (WHOLE, wanted) and not nested

    def _taken(self, rows: FamilyRows) -> FamilyRows:
        places = [
            place
            for place, message in enumerate(rows.message)
            if self._belongs(message, rows.element.get(place, WHOLE))
        ]
        kept = FamilyRows(rows.family)
        for place in places:
            message, row = rows.message[place], len(kept.records)
            kept.records.append(rows.records[place])
            kept.message.append(message)
            kept.device.append(rows.device[place])
            element = self._elements[message]
            if element is not None or place in rows.history:
                kept.history.add(row)
            for name in ("element", "profile", "extra", "next_best"):
                if place in getattr(rows, name):
                    getattr(kept, name)[row] = getattr(rows, name)[place]
            if element is not None:
                kept.element[row] = element
        return kept

    def _decided(self) -> tuple[pl.Series, pl.Series]:
        """Which entries stay (refused as before, or nothing came of them), and which are refused for a new reason."""
        came = {message for frame in self._readings.values() for message in frame["_message"]}
        came |= {message for message, _ in self._batch.housekeeping}
        came |= {refusal.message for refusal in self._batch.refused}
        again = {refusal.message: refusal.reason.value for refusal in self._batch.refused if self._same(refusal)}
        reasons = list(enumerate(self.entries["reason"]))
        stays = [again.get(n) == reason or n not in came for n, reason in reasons]
        renamed = [n in again and again[n] != reason for n, reason in reasons]
        return pl.Series("stays", stays, pl.Boolean), pl.Series("renamed", renamed, pl.Boolean)

    def _same(self, refusal: Refusal) -> bool:
        """Whether a refusal is of what the entry holds, not of a part of a message that can be read now."""
        element = self._elements[refusal.message]
        return refusal.element == (WHOLE if element is None else element)

    def work(self) -> Work:
        """The plan's rows: readings, resolved and newly refused entries, the balance's difference."""
        work = self._made
        resolved = self.entries.filter(~self.stays)
        refused = [refusal for refusal in self._batch.refused if not self.stays[refusal.message]]
        difference = pl.concat([self._left(resolved), *self._counted(refused)])
        sums = difference.group_by(balance.BY).agg(pl.col(name).sum() for name in (*MESSAGE_COUNTS, *READING_COUNTS))
        balance.check(sums)
        work.tables["balance"] = by_day(sums.select(*BALANCE.names, "day"), BALANCE)
        number = plans.next_id(self.writer.store)
        self._batch.refused = refused
        held = _planned(quarantine(self._batch, "held"), number) if refused else {}
        work.tables["quarantine"] = _merged(_resolved(resolved, number), held)
        work.counts = {name: int(difference[name].filter(difference[name] > 0).sum()) for name in READING_COUNTS}
        return work

    def _counted(self, refused: Iterable[Refusal]) -> Iterator[pl.DataFrame]:
        """What the entries are now, as the balance counts: messages with their readings, elements as readings alone."""
        refused = list(refused)
        for alone in (False, True):
            chosen = {n for n, element in enumerate(self._elements) if (element is not None) is alone}
            part = Batch(self._batch.messages, gateways=self._batch.gateways)
            part.housekeeping = [] if alone else self._batch.housekeeping
            readings = {
                state: frame.filter(pl.col("_message").is_in(list(chosen))) for state, frame in self._readings.items()
            }
            counted = balance.count(
                part, [r for r in refused if r.message in chosen], readings, self.writer.router().known.names
            )
            if alone:
                counted = counted.with_columns(pl.lit(0, pl.Int64).alias(name) for name in MESSAGE_COUNTS)
            yield counted

    def _left(self, resolved: pl.DataFrame) -> pl.DataFrame:
        """What leaves the place where the entries were counted: see `balance.sheet` for where that is."""
        element = pl.col("element").is_not_null()
        nobody = (pl.col("reason") == Reason.UNKNOWN_DEVICE.value) | (~element & pl.col("gateway").is_not_null())
        message, reading = -(~element).cast(pl.Int64), -element.cast(pl.Int64)
        counts = dict.fromkeys((*MESSAGE_COUNTS, *READING_COUNTS), pl.lit(0, pl.Int64))
        counts |= {"received": message, "quarantined": message, "readings": reading, "readings_quarantined": reading}
        return resolved.select(
            pl.when(~nobody).then("device_id").alias("device_id"),
            "gateway",
            *(value.alias(name) for name, value in counts.items()),
            pl.col("received_at").dt.date().alias("day"),
        )


def _messages(entries: pl.DataFrame) -> pa.Table:
    """Entries as messages of the journal."""
    return (
        entries.select(
            pl.col("received_at").dt.epoch("us"),
            "topic",
            "payload",
            "qos",
            "retain",
            pl.lit(value=False).alias("duplicate"),
            "message_id",
        )
        .to_arrow()
        .cast(_MESSAGES)
    )


_MESSAGES = pa.schema([
    pa.field("received_at", pa.int64()),
    pa.field("topic", pa.string()),
    pa.field("payload", pa.binary()),
    pa.field("qos", pa.int8()),
    pa.field("retain", pa.bool_()),
    pa.field("duplicate", pa.bool_()),
    pa.field("message_id", pa.int64()),
])  # fmt: skip


def _resolved(entries: pl.DataFrame, plan: int) -> Days:
    """Rows that take entries out of the quarantine: those that held them again, without the bytes."""
    rows = entries.group_by(KEY, maintain_order=True).agg(pl.len().cast(pl.Int64).alias("count"))
    rows = rows.with_columns(
        pl.lit(None, pl.Binary).alias("payload"),
        pl.lit("resolved").alias("state"),
        pl.lit(plan, pl.Int64).alias("plan_id"),
        pl.col("received_at").dt.date().alias("day"),
    )
    return by_day(rows, QUARANTINE)


def _planned(days: Days, plan: int) -> Days:
    """The same rows with the plan that wrote them: of two reasons the later one is shown."""
    place = QUARANTINE.get_field_index("plan_id")
    return {
        day: rows.set_column(place, QUARANTINE.field(place), pa.repeat(pa.scalar(plan, pa.int64()), rows.num_rows))
        for day, rows in days.items()
    }


def _merged(first: Days, second: Days) -> Days:
    days = sorted(first.keys() | second.keys())
    return {day: pa.concat_tables([part[day] for part in (first, second) if day in part]) for day in days}
