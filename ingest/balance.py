"""The two sheets of the balance: what became of every message and reading. They add up, or nothing is committed."""

from collections.abc import Iterable, Mapping

import polars as pl

from ingest.decode import WHOLE, Batch, Refusal
from ingest.normalise import DAY_US
from lake.tables import BALANCE, MESSAGE_COUNTS, READING_COUNTS
from schemas.errors import DravaError

BY = ["day", "device_id", "gateway"]
_PLACE = ["_day", "_device", "gateway"]  # the same as numbers: what is grouped row by row
_READING_STATES = READING_COUNTS[1:]


def sheet(
    batch: Batch, refused: Iterable[Refusal], readings: Mapping[str, pl.DataFrame], names: Mapping[int, str]
) -> pl.DataFrame:
    """Count a batch as `count` does. Raises DravaError where the sheets do not add up: a fault of this program."""
    whole = count(batch, refused, readings, names)
    check(whole, batch.messages.num_rows)
    return whole


def count(
    batch: Batch, refused: Iterable[Refusal], readings: Mapping[str, pl.DataFrame], names: Mapping[int, str]
) -> pl.DataFrame:
    """Count messages and readings: one row per (day received, device, gateway), columns of BALANCE and `day`.

    `readings` maps each state of READING_COUNTS to its readings (_message, _device); `names` a registry number to its
    device. A message that is neither refused nor housekeeping nor has readings is not counted.
    """
    refused = list(refused)
    states = [frame.select("_message", "_device", pl.lit(state).alias("state")) for state, frame in readings.items()]
    elements = [(r.message, r.device.num if r.device else None) for r in refused if r.element != WHOLE]
    states.append(_frame(elements, "readings_quarantined"))
    found = pl.concat(states)
    counted = (
        _with_place(batch, found)
        .group_by(_PLACE)
        .agg(pl.len().alias("readings"), *((pl.col("state") == state).sum().alias(state) for state in _READING_STATES))
    )
    messages = _messages(batch, refused, found)
    whole = (
        pl.concat([messages, counted], how="diagonal")
        .group_by(_PLACE)
        .agg(pl.col(name).fill_null(0).sum().cast(pl.Int64) for name in (*MESSAGE_COUNTS, *READING_COUNTS))
    )
    day = pl.col("_day").cast(pl.Date).cast(pl.String).alias("day")
    device = pl.col("_device").replace_strict(list(names), list(names.values()), default=None, return_dtype=pl.String)
    return whole.with_columns(day, device.alias("device_id")).select(*BALANCE.names, "day").sort(BY)


def check(rows: pl.DataFrame, received: int | None = None) -> None:
    """Raise DravaError unless both sheets add up in every row, and the messages to `received` in total."""
    message_sum = pl.sum_horizontal(MESSAGE_COUNTS[1:])
    reading_sum = pl.sum_horizontal(_READING_STATES)
    wrong = rows.filter((pl.col("received") != message_sum) | (pl.col("readings") != reading_sum))
    total = int(rows["received"].sum())
    if wrong.height or (received is not None and total != received):
        raise DravaError(
            f"the balance of a batch does not add up ({wrong.height} rows; {total} of {received} messages)",
            "Nothing was committed and the journal keeps the messages: report this with the journal",
        )


def _frame(pairs: list[tuple[int, int | None]], state: str) -> pl.DataFrame:
    frame = pl.DataFrame(pairs, schema={"_message": pl.Int32, "_device": pl.Int32}, orient="row")
    return frame.with_columns(pl.lit(state).alias("state"))


def _messages(batch: Batch, refused: list[Refusal], readings: pl.DataFrame) -> pl.DataFrame:
    whole = [(r.message, r.device.num if r.device else None) for r in refused if r.element == WHOLE]
    kept = [(number, device.num if device else None) for number, device in batch.housekeeping]
    decoded = readings.unique("_message", keep="first").with_columns(pl.lit("decoded").alias("state"))
    listed = pl.concat([_frame(whole, "quarantined"), _frame(kept, "housekeeping"), decoded]).unique(
        "_message", keep="first", maintain_order=True
    )
    return (
        _with_place(batch, listed, of_message=True)
        .group_by(_PLACE)
        .agg(
            pl.len().alias("received"), *((pl.col("state") == state).sum().alias(state) for state in MESSAGE_COUNTS[1:])
        )
    )


def _with_place(batch: Batch, frame: pl.DataFrame, *, of_message: bool = False) -> pl.DataFrame:
    """Add the day received and the gateway. A gateway's message is no device's; its readings are their devices'."""
    received = pl.Series(batch.messages["received_at"].cast("int64")).gather(frame["_message"])
    frame = frame.with_columns((received // DAY_US).cast(pl.Int32).alias("_day"), _gateways(batch, frame))
    if of_message:
        frame = frame.with_columns(pl.when(pl.col("gateway").is_null()).then("_device"))
    return frame


def _gateways(batch: Batch, frame: pl.DataFrame) -> pl.Series:
    if not batch.gateways:
        return pl.Series("gateway", [None] * frame.height, pl.String)
    return pl.Series("gateway", [batch.gateways.get(n) for n in frame["_message"]], pl.String)
