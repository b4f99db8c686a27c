"""The true events of a dataset, from its files, its own lines, or a column of its series that says so at each step."""

from datetime import timedelta

import polars as pl

from indicators.evaluate.dataset import Dataset, Labels
from indicators.evaluate.series import TIME, moment, rows, table, utc
from schemas.errors import DravaError

EVENTS = pl.Schema(
    {
        "asset": pl.String(),
        "kind": pl.String(),
        "start": TIME,
        "end": TIME,
        "place": pl.String(),
        "flow": pl.Float64(),
    }
)


def events(dataset: Dataset) -> pl.DataFrame:
    """All true events (`EVENTS`), sorted by asset and start; those without an end have null."""
    parts = [_file(dataset, one) if one.file else _states(dataset, one) for one in dataset.labels]
    if dataset.label:
        inline = pl.DataFrame([label.model_dump() for label in dataset.label])
        local = [_wall(pl.col(name), inline.schema[name], dataset.zone).alias(name) for name in ("start", "end")]
        parts.append(inline.with_columns(local).match_to_schema(EVENTS, missing_columns="insert"))
    found = pl.concat(parts) if parts else pl.DataFrame(schema=EVENTS)
    return found.sort("asset", "start", "kind")


def _wall(expression: pl.Expr, kind: pl.DataType, zone: str) -> pl.Expr:
    """Times without a zone are wall clock of the dataset."""
    if kind == pl.Null:
        return expression.cast(TIME)
    if isinstance(kind, pl.Datetime) and kind.time_zone is not None:
        return expression.dt.convert_time_zone("UTC").cast(TIME)
    return utc(expression.cast(pl.Datetime("us")), zone)


def _file(dataset: Dataset, labels: Labels) -> pl.DataFrame:
    found = table(dataset, str(labels.file))
    for key, value in labels.where.items():
        found = found.filter(pl.col(key) == value)

    def word(name: str) -> pl.Expr:
        if name.startswith("="):
            return pl.lit(name[1:])
        return _there(found, name, dataset).cast(pl.String).str.strip_chars() if name else pl.lit(None, pl.String)

    def time(name: str) -> pl.Expr:
        if not name:
            return pl.lit(None, TIME)
        return utc(_moment(dataset, labels, found, name), dataset.zone)

    flow = pl.col(labels.flow).cast(pl.Float64) if labels.flow else pl.lit(None, pl.Float64)
    told = found.select(
        asset=word(labels.asset),
        kind=word(labels.kind).replace(labels.kinds) if labels.kinds else word(labels.kind),
        start=time(labels.start),
        end=time(labels.end),
        place=word(labels.place),
        flow=flow,
    )
    return _late(dataset, labels, told)


def _there(found: pl.DataFrame, name: str, dataset: Dataset) -> pl.Expr:
    if name not in found.columns:
        raise DravaError(f"{dataset.name}: the labels have no column {name!r}", f"They have {', '.join(found.columns)}")
    return pl.col(name)


def _moment(dataset: Dataset, labels: Labels, found: pl.DataFrame, name: str) -> pl.Expr:
    there = _there(found, name, dataset)
    if labels.step_s is None:
        return moment(there, found.schema[name], labels.time_format).cast(pl.Datetime("us"))
    if labels.origin is None:
        raise DravaError(f"{dataset.name}: labels in steps need `origin`", "The time of step 0")
    steps = there.cast(pl.Float64) * labels.step_s * 1_000_000
    return pl.lit(labels.origin.replace(tzinfo=None)).cast(pl.Datetime("us")) + steps.cast(pl.Int64).cast(
        pl.Duration("us")
    )


def _late(dataset: Dataset, labels: Labels, told: pl.DataFrame) -> pl.DataFrame:
    if labels.only_from is not None:
        bound = pl.select(utc(pl.lit(labels.only_from.replace(tzinfo=None)).cast(pl.Datetime("us")), dataset.zone))
        told = told.filter(pl.col("start") >= bound.item())
    return told.match_to_schema(EVENTS)


def on(found: pl.DataFrame, name: str, values: tuple[str | float | bool, ...]) -> pl.Expr:
    """Whether a row says that an event lasts."""
    if values:
        return pl.col(name).is_in(list(values))
    return pl.col(name).cast(pl.Float64).fill_null(0) != 0 if found.schema[name] != pl.Boolean else pl.col(name)


def _states(dataset: Dataset, labels: Labels) -> pl.DataFrame:
    """Runs of a state column: an event begins with the step before its first row ends, and ends with its last row."""
    if labels.source is None or labels.state is None:
        raise DravaError(f"{dataset.name} has labels without a file or a state", "docs/evaluate.md lists the keys")
    found = rows(dataset, labels.source)
    key = dataset.source[labels.source].asset
    named = [one.id for one in dataset.asset if one.id != "*" and (one.source or labels.source) == labels.source]
    asset = pl.col(key).cast(pl.String) if key else pl.lit(labels.asset.removeprefix("=") or named[0])
    _there(found, labels.state, dataset)
    state = on(found, labels.state, labels.state_is)
    kind = pl.lit(labels.kind.removeprefix("=")) if labels.kind.startswith("=") else pl.col(labels.kind or labels.state)
    gap = timedelta(hours=labels.join_h)
    lasting = found.select(asset=asset, kind=kind.cast(pl.String), at="at", state=state, before=_before(key))
    lasting = lasting.filter("state").sort("asset", "kind", "at")
    apart = (pl.col("before") - pl.col("at").shift(1) > gap).fill_null(True).over("asset", "kind")
    told = (
        lasting.with_columns(run=apart.cast(pl.Int64).cum_sum().over("asset", "kind"))
        .group_by("asset", "kind", "run", maintain_order=True)
        .agg(start=pl.col("before").first(), end=pl.col("at").last())
        .select("asset", "kind", "start", "end", place=pl.lit(None, pl.String), flow=pl.lit(None, pl.Float64))
    )
    return _late(dataset, labels, told)


def _before(key: str | None) -> pl.Expr:
    """The end of the step before, which is where a step begins; the first step of a series is as long as the second."""
    step = pl.col("at").diff()
    length = step.median() if key is None else step.median().over(key)
    before = pl.col("at").shift(1) if key is None else pl.col("at").shift(1).over(key)
    return pl.coalesce(before, pl.col("at") - length)
