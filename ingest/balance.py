"""The two sheets of the balance: what became of every message and reading. They add up, or nothing is committed."""

from collections.abc import Iterable, Mapping, Sequence

import polars as pl

from ingest.decode import WHOLE, Batch, Refusal
from ingest.normalise import DAY_US
from lake.tables import BALANCE, MESSAGE_COUNTS, READING_COUNTS
from schemas.errors import DravaError

BY = ["day", "device_id", "gateway"]
_PLACE = ["_day", "_device", "gateway"]  # the same as numbers: what is grouped row by row
_READING_STATES = READING_COUNTS[1:]
_MESSAGE_STATES = "received", MESSAGE_COUNTS[1:]
_STATES = {state: number for number, state in enumerate((*MESSAGE_COUNTS[1:], *_READING_STATES))}


def sheet(
    batch: Batch, refused: Iterable[Refusal], readings: Mapping[str, pl.DataFrame], names: pl.Series
) -> pl.DataFrame:
    """Count a batch as `count` does. Raises DravaError where the sheets do not add up: a fault of this program."""
    whole = count(batch, refused, readings, names)
    check(whole, batch.messages.num_rows)
    return whole


def count(
    batch: Batch, refused: Iterable[Refusal], readings: Mapping[str, pl.DataFrame], names: pl.Series
) -> pl.DataFrame:
    """Count messages and readings: one row per (day received, device, gateway), columns of BALANCE and `day`.

    `readings` maps each state of READING_COUNTS to its readings (_message, _device); `names` has a device's name at its
    registry number. A message that is neither refused nor housekeeping nor has readings is not counted.
    """
    refused = list(refused)
    elements = [(r.message, r.device.num if r.device else None) for r in refused if r.element != WHOLE]
    states = [_stated(frame, state) for state, frame in readings.items()] + [_listed(elements, "readings_quarantined")]
    found = pl.concat(states)
    counted = _counted(_with_place(batch, found), "readings", _READING_STATES)
    messages = _counted(_with_place(batch, _messages(batch, refused, found), of_message=True), *_MESSAGE_STATES)
    whole = (
        pl.concat([messages, counted], how="diagonal")
        .group_by(_PLACE)
        .agg(pl.col(name).fill_null(0).sum().cast(pl.Int64) for name in (*MESSAGE_COUNTS, *READING_COUNTS))
    )
    device = names.gather(whole["_device"]).alias("device_id")
    return whole.with_columns(pl.col("_day").cast(pl.Date).alias("day"), device).select(*BALANCE.names, "day").sort(BY)


def _counted(rows: pl.DataFrame, total: str, states: Sequence[str]) -> pl.DataFrame:
    """How many rows stand at each place, together as `total` and in each state."""
    few = rows.group_by(*_PLACE, "state").len()  # numbers and few groups first, names of columns then
    each = (pl.col("len").filter(pl.col("state") == _STATES[state]).sum().alias(state) for state in states)
    return few.group_by(_PLACE).agg(pl.col("len").sum().alias(total), *each)


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


def _stated(frame: pl.DataFrame, state: str) -> pl.DataFrame:
    return frame.select("_message", "_device", pl.lit(_STATES[state], pl.Int8).alias("state"))


def _listed(pairs: list[tuple[int, int | None]], state: str) -> pl.DataFrame:
    return _stated(pl.DataFrame(pairs, schema={"_message": pl.Int32, "_device": pl.Int32}, orient="row"), state)


def _messages(batch: Batch, refused: list[Refusal], readings: pl.DataFrame) -> pl.DataFrame:
    """Each message once: in the first state of quarantined, housekeeping, decoded that is true of it."""
    whole = [(r.message, r.device.num if r.device else None) for r in refused if r.element == WHOLE]
    kept = [(number, device.num if device else None) for number, device in batch.housekeeping]
    decoded = _stated(readings.unique("_message", keep="first", maintain_order=True), "decoded")
    if not whole and not kept:
        return decoded
    listed = pl.concat([_listed(whole, "quarantined"), _listed(kept, "housekeeping"), decoded])
    return listed.unique("_message", keep="first", maintain_order=True)


def _with_place(batch: Batch, frame: pl.DataFrame, *, of_message: bool = False) -> pl.DataFrame:
    """Add the day received and the gateway. A gateway's message is no device's; its readings are their devices'."""
    received = pl.Series(batch.messages["received_at"].cast("int64")).gather(frame["_message"])
    frame = frame.with_columns((received // DAY_US).cast(pl.Int32).alias("_day"), _gateways(batch, frame))
    if of_message and batch.gateways:
        frame = frame.with_columns(pl.when(pl.col("gateway").is_null()).then("_device"))
    return frame


def _gateways(batch: Batch, frame: pl.DataFrame) -> pl.Series:
    if not batch.gateways:
        return pl.Series("gateway", [None], pl.String).new_from_index(0, frame.height)
    return pl.Series("gateway", [batch.gateways.get(n) for n in frame["_message"]], pl.String)
