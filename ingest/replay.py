"""Quarantine tried again: what can be read now is stored exactly once, what cannot stays where it is.

Entries are taken oldest first, as many at once as one plan takes; each plan is decided and published under the lake's
lock, so that a crash leaves none half done and a second run finds only what is still held.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from ingest.attempt import KEY, Attempt
from ingest.writer import Writer
from lake.commit import Lake
from lake.tables import READING_COUNTS
from schemas.reasons import Reason

MESSAGES_AT_ONCE = 50_000
BYTES_AT_ONCE = 64 * 2**20
ORDER = ["received_at", "element", "_key"]  # elements of an array in their order: a later one is the later word
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
    """Try entries of the quarantine again, oldest first; `tried` hears how many messages were.

    Gives tried, resolved and still held, and what became of the resolved readings by the states of the balance.
    """
    counts: Counter[str] = Counter()
    with writer.lake.exclusive():
        table = writer.lake.tables["quarantine"]
        files = {day: table.paths([day]) for day in sorted(table.files())}
    for day, paths in files.items():
        for part in _parts(_outstanding(paths, wanted)):
            stays: set[int] = set()
            while found := _try(writer, day, part, stays):
                counts.update(found)
                tried(counts["tried"])
    names = ("tried", "resolved", "held", *READING_COUNTS)
    return {name: counts[name] for name in names}


def _try(writer: Writer, day: str, part: pl.DataFrame, stays: set[int]) -> dict[str, int]:
    """One plan: the entries of a part that are still held. Empty where none is left; `stays` takes those that stay."""
    with writer.lake.exclusive():
        entries = _entries(writer.lake.tables["quarantine"].paths([day]), part, stays)
        if not entries.height:
            return {}
        attempt = Attempt(writer, _copies(entries, _raw_ids(writer.lake, day, entries)))
        work = attempt.work()
        stays |= set(attempt.entries.filter(attempt.stays)["_key"])
        if not attempt.stays.all():
            writer.publish("replay", work, {})
        tried, held = len(attempt.stays), int((attempt.stays | attempt.renamed).sum())
        return {"tried": tried, "resolved": tried - held, "held": held} | work.counts


def _scan(paths: Sequence[Path]) -> pl.LazyFrame:
    """Rows of the quarantine, with _key (a hash of KEY, good for a first choice) and _sign (held 1, resolved -1)."""
    sign = pl.when(pl.col("state") == "held").then(1).otherwise(-1).alias("_sign")
    return pl.scan_parquet(list(paths), hive_partitioning=False).with_columns(pl.struct(KEY).hash().alias("_key"), sign)


def _outstanding(paths: Sequence[Path], wanted: Wanted) -> pl.DataFrame:
    """What is held and not resolved, oldest first, without the bytes: _key, received_at, count, _size."""
    count = (pl.col("count") * pl.col("_sign")).sum()
    size = pl.col("payload").bin.size().max().fill_null(0).alias("_size")
    first = pl.col("received_at", "element").min()
    found = _scan(paths).filter(wanted.filter()).group_by("_key").agg(first, count, size)
    return found.filter(pl.col("count") > 0).collect(engine="streaming").sort(ORDER)


def _parts(found: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """Parts that one plan takes; an entry that is too large for one is a part of its own."""
    heavy = pl.max_horizontal(
        pl.col("count") / MESSAGES_AT_ONCE, pl.col("count") * pl.col("_size") / BYTES_AT_ONCE
    ).alias("_weight")
    begin, weight = 0, 0.0
    for place, more in enumerate(found.select(heavy).to_series()):
        if weight + more > 1 and place > begin:
            yield found[begin:place]
            begin, weight = place, 0.0
        weight += more
    if begin < found.height:
        yield found[begin:]


def _entries(paths: Sequence[Path], part: pl.DataFrame, stays: set[int]) -> pl.DataFrame:
    """The entries of a part that are still held: KEY, count (as many as one plan takes), payload and _key."""
    keys = part["_key"].filter(~part["_key"].is_in(pl.Series(list(stays), dtype=pl.UInt64).implode()))
    if not paths or not keys.len():
        return pl.DataFrame()
    when = pl.col("received_at").is_between(part["received_at"].min(), part["received_at"].max())
    rows = _scan(paths).filter(when).filter(pl.col("_key").is_in(keys.implode()))
    payload = pl.col("payload").filter(pl.col("_sign") > 0).first()
    found = rows.group_by("_key", *KEY).agg((pl.col("count") * pl.col("_sign")).sum(), payload)
    held = found.filter(pl.col("count") > 0).collect().sort(ORDER)
    return held.with_columns(pl.col("count").clip(upper_bound=MESSAGES_AT_ONCE))


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
        place = ["received_at", "topic"]
        low, high = entries["received_at"].min(), entries["received_at"].max()
        raw = pl.scan_parquet(paths, hive_partitioning=False).select(*place, "payload", "message_id")
        near_them = raw.filter(pl.col("received_at").is_between(low, high))
        columns = near_them.join(entries.lazy().select(place), on=place, how="semi").collect().sort("message_id")
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
