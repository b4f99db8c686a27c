"""Columns of readings made comparable: times to UTC with their source, derived values, quality. A pure function.

A measure is never overwritten by a test: the flag says what is wrong with it.
"""

from dataclasses import dataclass
from functools import cache

import polars as pl

from ingest.known import Known
from schemas.quality import Quality, Test
from schemas.reasons import Reason
from schemas.vocabulary import Derivation, Family, families

MINUTE_US = 60_000_000
DAY_US = 86_400_000_000
DAY_S = 86_400
PLACED = 2  # steps after which observed_at is known
FLOOR_US = 946_684_800_000_000  # 2000-01-01: no device of ours is older

Frame = pl.DataFrame
LIMIT = 999_999_999_999  # DECIMAL(18,6) holds less than 10^12


@dataclass(frozen=True)
class Normalised:
    """Readings that may be stored, readings refused with a reason, readings too old to store."""

    rows: Frame  # columns of the family's table but for revision, and those that begin with _
    refused: Frame  # _message, _element, _device, reason, detail
    too_old: Frame  # _message, _device


def normalise(
    family: Family,
    frame: Frame,
    messages: Frame,
    known: Known,
    *,
    future_minutes: int,
    too_old_days: int,
    ingested_at: int,
) -> Normalised:
    """Normalise the readings of one family.

    `frame` as FamilyRows.frame gives it; `messages` has received_at (µs), retain, duplicate, message_id in the order
    of the batch; `ingested_at` is the clock in µs.
    """
    steps = _steps(family.name, future_minutes * MINUTE_US, too_old_days * DAY_US)
    # the order of rows is that of the messages: later steps rely on it
    rows = frame.hstack(messages[frame["_message"]]).hstack(known.facts(family, frame["_device"]))
    for step in steps[:PLACED]:
        rows = rows.with_columns(step)
    rows = known.as_of(family, rows)
    for step in steps[PLACED:]:
        rows = rows.with_columns(step)
    wrong, old = rows["reason"].is_not_null(), rows["_old"]
    refused = rows.select("_message", "_element", "_device", "reason").filter(wrong)
    too_old = rows.select("_message", "_device").filter(old & ~wrong)
    rows = rows.filter(~(wrong | old)) if refused.height or too_old.height else rows
    return Normalised(rows.with_columns(pl.lit(ingested_at, pl.Int64).alias("ingested_at")), refused, too_old)


@cache
def _steps(name: str, future: int, too_old: int) -> list[list[pl.Expr]]:
    """What is computed for a family, one step on the other. Made once: to build expressions costs more than their use.

    `future` and `too_old` in µs.
    """
    family = families()[name]
    tested = [_reason(family), _tests(family), (pl.col("observed_at") < pl.col("received_at") - too_old).alias("_old")]
    steps = [_trusted(future), _place_in_time(), [_derived(rule) for rule in family.derive], tested, _kept(family)]
    return [step for step in steps if step]


def _trusted(future: int) -> list[pl.Expr]:
    """Whether the device's clock, and the next best time, can be true."""
    low = pl.max_horizontal(pl.col("_commissioned"), FLOOR_US)

    def trusted(column: str) -> pl.Expr:
        time = pl.col(column)
        return ((time >= low) & (time <= pl.col("received_at") + future)).fill_null(value=False)

    return [trusted("_time").alias("_own"), trusted("_next_time").alias("_next")]


def _place_in_time() -> list[pl.Expr]:
    """Choose observed_at: the device's clock where it can be trusted, else the next best (never for history)."""
    sources = pl.when("_own").then(pl.lit("device")).when("_next").then("_next_source").otherwise(pl.lit("broker"))
    times = pl.when("_own").then("_time").when("_next").then("_next_time").otherwise("received_at")
    return [
        times.alias("observed_at"),
        sources.alias("time_source"),
        (~pl.col("_own") & pl.col("_time").is_not_null()).alias("_clock_wrong"),
    ]


def _derived(rule: Derivation) -> pl.Expr:
    """A measure computed from another one by what the registry knows of the device; given values are kept."""
    source = pl.col(rule.source).cast(pl.Float64)
    first, second = (pl.col(f"_{name}") for name in rule.factors)
    if rule.rule == "linear":
        value = source * first + second.fill_null(0)
    else:  # fill: 0 % at the empty distance, 100 % at the full one; beyond both ends it is what it is at the end
        value = ((first - source) / (first - second.fill_null(0)) * 100).clip(0, 100)
    held = pl.when(value.abs() < LIMIT).then(value)  # neither infinite nor beyond the column
    return pl.coalesce(rule.measure, held).alias(rule.measure)


def _reason(family: Family) -> pl.Expr:
    nothing = pl.all_horizontal(pl.col(name).is_null() for name in family.measures)
    placeless = pl.col("_history").fill_null(value=False) & ~pl.col("_own")
    stale = pl.col("retain") & pl.col("_time").is_null() & ~pl.col("_next")
    return (
        pl.when(nothing)
        .then(pl.lit(Reason.NO_MEASURE.value))
        .when(placeless)
        .then(pl.lit(Reason.IMPOSSIBLE_TIME.value))
        .when(stale)
        .then(pl.lit(Reason.STALE_RETAINED.value))
        .alias("reason")
    )


def _tests(family: Family) -> pl.Expr:
    """The bits of the tests that look at one reading alone."""
    failed = [
        ~pl.col(m.name).is_between(m.min, m.max) for m in family.columns if m.min is not None and m.max is not None
    ]
    missing = [
        pl.col(rule.measure).is_null() & pl.col(rule.source).is_not_null() for rule in family.derive
    ]  # the registry does not know the factor: the reading is kept, and says so
    bits = [
        _bit(_any(failed), Test.GROSS_RANGE),
        _bit(pl.col("_clock_wrong"), Test.TIME),
        _bit(_any([pl.col(name).cast(pl.Boolean) for name in family.source_alarms]), Test.SOURCE_ALARM),
        _bit(_any(missing), Test.DECODER_WARNING),
        _bit(_any([pl.col("observed_at") >= pl.col("_calibrated_until")]), Test.CALIBRATION),
    ]
    return pl.sum_horizontal(bits).cast(pl.Int32).alias("quality_tests")


def _kept(family: Family) -> list[pl.Expr]:
    """The columns that follow from the others, and values as they will be stored: a reading equals its stored self."""
    if "interval_s" in family.measures:
        length = next(m for m in family.columns if m.name == "interval_s")
        possible = pl.col("interval_s").is_between(length.min or 0, length.max or DAY_S)
        until = pl.when(possible).then(pl.col("observed_at") + pl.col("interval_s") * 1_000_000).otherwise(None)
    else:
        until = pl.lit(None, pl.Int64)
    return [
        until.alias("observed_until"),
        *(pl.col(m.name).round(6) for m in family.columns if m.type == "decimal"),
        flag(pl.col("quality_tests")).alias("quality"),
    ]


def flag(tests: pl.Expr) -> pl.Expr:
    """The QARTOD flag that a set of failed tests means."""
    return (
        pl.when(tests & int(Test.GROSS_RANGE) != 0)
        .then(int(Quality.FAIL))
        .when(tests != 0)
        .then(int(Quality.SUSPECT))
        .otherwise(int(Quality.GOOD))
        .cast(pl.Int8)
    )


def _any(conditions: list[pl.Expr]) -> pl.Expr:
    if not conditions:
        return pl.lit(value=False)
    return pl.any_horizontal(condition.fill_null(value=False) for condition in conditions)


def _bit(condition: pl.Expr, test: Test) -> pl.Expr:
    return pl.when(condition).then(int(test)).otherwise(0)
