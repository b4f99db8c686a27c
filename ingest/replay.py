"""Quarantine tried again: what can be read now is stored exactly once, what cannot stays where it is.

Each plan appends the rows, `resolved` rows that match the held ones, and the balance's difference: what was counted as
quarantined leaves the place where it was counted and is counted as what became of it. Received totals never move.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa

from catalog import plans
from ingest import balance
from ingest.decode import WHOLE, Batch, Refusal, decode
from ingest.rows import FamilyRows
from ingest.writer import Work, Writer, by_day, quarantine
from lake.commit import Days, Lake
from lake.tables import BALANCE, MESSAGE_COUNTS, QUARANTINE, READING_COUNTS
from schemas.reasons import Reason

MESSAGES_AT_ONCE = 20_000
BYTES_AT_ONCE = 64 * 2**20
KEY = ["message_hash", "element", "reason", "detail", "topic", "device_id", "gateway", "qos", "retain", "received_at"]
HASH_DIGITS = 11  # 44 bits of the hash stand for a message whose raw copy is gone; no journal has the number 0


@dataclass(frozen=True)
class Wanted:
    """Which entries to try. None: whatever it is; `digest` is a message's hash or its beginning."""

    reason: Reason | None = None
    device: str | None = None
    digest: str | None = None

    def filter(self) -> pl.Expr:
        """The same as a condition on the quarantine's columns."""
        found = pl.lit(value=True)
        if self.reason is not None:
            found &= pl.col("reason") == self.reason.value
        if self.device is not None:
            found &= pl.col("device_id") == self.device
        if self.digest is not None:
            found &= pl.col("message_hash").str.starts_with(self.digest)
        return found


def replay(writer: Writer, wanted: Wanted, tried: Callable[[int], None] = lambda _: None) -> dict[str, int]:
    """Try entries of the quarantine again, oldest day first; `tried` hears how many messages were.

    Gives tried, resolved and still held, and what became of the resolved readings by the states of the balance.
    """
    counts: Counter[str] = Counter()
    with writer.lake.exclusive():
        days = sorted(writer.lake.tables["quarantine"].files())
    for day in days:
        done: set[int] = set()  # entries of this day that stay
        while found := _try_some(writer, day, wanted, done):
            counts.update(found)
            tried(counts["tried"])
    names = ("tried", "resolved", "held", *READING_COUNTS)
    return {name: counts[name] for name in names}


def _try_some(writer: Writer, day: str, wanted: Wanted, done: set[int]) -> dict[str, int]:
    """One plan: the next entries of a day. Empty where none is left; `done` takes those that stay."""
    with writer.lake.exclusive():
        entries = _outstanding(writer.lake.tables["quarantine"].paths([day]), wanted, done)
        if not entries.height:
            return {}
        attempt = _Attempt(writer, _copies(entries, _raw_ids(writer.lake, day, entries)))
        work = attempt.work()
        done |= set(attempt.entries.filter(attempt.stays)["_key"])
        for rows in attempt.held.values():  # held anew: another reason, or a part of what was held
            done |= set(_keyed(pl.DataFrame(rows))["_key"])
        if not attempt.stays.all():
            writer.publish("replay", work, {})
        tried, held = len(attempt.stays), int((attempt.stays | attempt.renamed).sum())
        return {"tried": tried, "resolved": tried - held, "held": held} | work.counts


def _keyed(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.with_columns(pl.struct(KEY).hash().alias("_key"))


def _outstanding(paths: Sequence[Path], wanted: Wanted, done: set[int]) -> pl.DataFrame:
    """Entries that are held and not resolved: KEY, count, payload and _key; as many as one plan takes."""
    if not paths:
        return pl.DataFrame()
    scan = pl.scan_parquet(list(paths), hive_partitioning=False).filter(wanted.filter())
    signed = pl.when(pl.col("state") == "held").then("count").otherwise(-pl.col("count"))
    size = pl.col("payload").bin.size().max().fill_null(0).alias("_size")
    found = scan.group_by(KEY).agg(signed.sum().alias("count"), size).filter(pl.col("count") > 0).collect()
    seen = pl.Series(list(done), dtype=pl.UInt64).implode()
    found = _keyed(found).filter(~pl.col("_key").is_in(seen)).sort(KEY[-1], *KEY[:-1])
    found = found.with_columns(pl.col("count").clip(upper_bound=MESSAGES_AT_ONCE))
    messages, size = pl.col("count").cum_sum(), (pl.col("count") * pl.col("_size")).cum_sum()
    first = pl.int_range(pl.len()) == 0
    found = found.filter(first | ((messages <= MESSAGES_AT_ONCE) & (size <= BYTES_AT_ONCE)))
    held = (pl.col("state") == "held") & pl.col("message_hash").is_in(found["message_hash"].implode())
    payloads = scan.filter(held).select("message_hash", "element", "payload")
    return found.join(
        payloads.collect().unique(["message_hash", "element"]), on=["message_hash", "element"], nulls_equal=True
    ).sort(KEY[-1], *KEY[:-1])


def _copies(entries: pl.DataFrame, ids: Sequence[Sequence[int]]) -> pl.DataFrame:
    """Each entry as often as it was counted, with a message id and its place among the entries (_entry)."""
    places = [place for place, count in enumerate(entries["count"]) for _ in range(count)]
    numbers = [
        found[min(n, len(found) - 1)] for found, count in zip(ids, entries["count"], strict=True) for n in range(count)
    ]
    return entries[places].with_columns(
        pl.Series("message_id", numbers, pl.Int64), pl.Series("_entry", places, pl.Int32)
    )


def _raw_ids(lake: Lake, day: str, entries: pl.DataFrame) -> list[list[int]]:
    """The ids of the messages behind each entry; where their raw copies are gone, a number made of the hash."""
    paths = lake.tables["raw_messages"].paths([day])
    whole: dict[tuple[Any, ...], list[int]] = {}
    near: dict[tuple[Any, ...], list[tuple[int, bytes]]] = {}
    if paths:
        place = pl.col("received_at").is_in(entries["received_at"].implode()) & pl.col("topic").is_in(
            entries["topic"].implode()
        )
        raw = pl.scan_parquet(paths, hive_partitioning=False).filter(place)
        columns = raw.select("received_at", "topic", "payload", "message_id").collect().sort("message_id")
        for received_at, topic, payload, number in columns.iter_rows():
            whole.setdefault((received_at, topic, payload), []).append(number)
            near.setdefault((received_at, topic), []).append((number, payload))
    found = []
    for entry in entries.iter_rows(named=True):
        at = (entry["received_at"], entry["topic"])
        ids = whole.get((*at, entry["payload"]), [])
        if not ids and entry["element"] is not None:
            ids = [number for number, payload in near.get(at, []) if entry["payload"] in payload]
        found.append(ids or [int(entry["message_hash"][:HASH_DIGITS], 16)])
    return found


class _Attempt:
    """Entries of the quarantine decoded again, and what becomes of each. Call inside the lake's lock."""

    def __init__(self, writer: Writer, entries: pl.DataFrame) -> None:
        self.writer = writer
        self.entries = entries
        self._elements: list[int | None] = entries["element"].to_list()
        self._batch = decode(_messages(entries), writer.router())
        self._take_elements()
        self._made, self._readings = writer.readings(self._batch)
        self.stays, self.renamed = self._decided()
        self.held: Days = {}

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
        self.held = _planned(quarantine(self._batch, "held"), number) if refused else {}
        work.tables["quarantine"] = _merged(_resolved(resolved, number), self.held)
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
            counted = balance.count(part, [r for r in refused if r.message in chosen], readings, self.writer.names())
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
            pl.col("received_at").dt.date().cast(pl.String).alias("day"),
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
        pl.col("received_at").dt.date().cast(pl.String).alias("day"),
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
