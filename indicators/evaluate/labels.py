"""The true events of a dataset, from its files, its own lines, or a column of its series that says so at each step."""

from datetime import timedelta

import polars as pl

from indicators.evaluate.dataset import HINT, Dataset, Labels
from indicators.evaluate.files import TIME, like, moments
from indicators.evaluate.series import chosen, files, known, rows, words_of
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
        inline = pl.DataFrame([{**label.model_dump(), "start": None, "end": None} for label in dataset.label])
        local = {
            name: pl.concat(
                [moments(pl.Series([getattr(label, name)]), None, dataset.zone).cast(TIME) for label in dataset.label]
            )
            for name in ("start", "end")
        }
        parts.append(inline.with_columns(**local).match_to_schema(EVENTS, missing_columns="insert"))
    told = pl.concat(parts) if parts else pl.DataFrame(schema=EVENTS)
    _sound(dataset, told)
    return told.sort("asset", "start", "kind")


def _sound(dataset: Dataset, told: pl.DataFrame) -> None:
    """Raise DravaError for an event that cannot be one."""
    for name in ("asset", "kind", "start"):
        if told[name].null_count():
            raise DravaError(f"{dataset.name}: {told[name].null_count()} labels have no {name}", HINT)
    wrong = told.filter(pl.col("end") < pl.col("start"))
    if wrong.height:
        one = wrong.row(0, named=True)
        raise DravaError(
            f"{dataset.name}: {one['kind']} at {one['asset']} ends before it starts ({one['start']})", HINT
        )


def _file(dataset: Dataset, labels: Labels) -> pl.DataFrame:
    read = files(dataset, str(labels.file), "the file of labels", may_be_empty=True)
    read = chosen(read, labels.where, f"{dataset.name}: the file of labels")

    def word(name: str) -> pl.Expr:
        if name.startswith("="):
            return pl.lit(name[1:])
        return words_of(read, (name,), f"{dataset.name}: the file of labels") if name else pl.lit(None, pl.String)

    flow = _there(read, labels.flow, dataset).cast(pl.Float64) if labels.flow else pl.lit(None, pl.Float64)
    told = read.select(
        asset=words_of(read, labels.asset, f"{dataset.name}: the file of labels")
        if isinstance(labels.asset, tuple)
        else word(labels.asset),
        kind=word(labels.kind).replace(labels.kinds) if labels.kinds else word(labels.kind),
        start=_moment(dataset, labels, read, labels.start),
        end=_moment(dataset, labels, read, labels.end),
        place=word(labels.place),
        flow=flow,
    )
    return _late(dataset, labels, told)


def _there(read: pl.DataFrame, name: str, dataset: Dataset) -> pl.Expr:
    return known(read, name, f"{dataset.name}: the file of labels")


def _moment(dataset: Dataset, labels: Labels, read: pl.DataFrame, name: str) -> pl.Expr | pl.Series:
    if not name:
        return pl.lit(None, TIME)
    there = _there(read, name, dataset)
    if labels.step_s is None:
        return moments(read[name], labels.time_format, dataset.zone)
    if labels.origin is None:
        raise DravaError(f"{dataset.name}: labels in steps need `origin`", "The time of step 0")
    origin = moments(pl.Series([labels.origin]), None, dataset.zone)[0]
    micros = read.select((there.cast(pl.Float64) * labels.step_s * 1_000_000).cast(pl.Int64).cast(pl.Duration("us")))
    return pl.lit(origin, TIME) + micros.to_series()


def _late(dataset: Dataset, labels: Labels, told: pl.DataFrame) -> pl.DataFrame:
    if labels.only_from is not None:
        told = told.filter(pl.col("start") >= moments(pl.Series([labels.only_from]), None, dataset.zone)[0])
    return told.match_to_schema(EVENTS)


def on(found: pl.DataFrame, name: str, values: tuple[str | float | bool, ...]) -> pl.Expr:
    """Whether a row says that an event lasts."""
    if values:
        return like(found, name, values)
    if found.schema[name] == pl.String:
        raise DravaError(f"the state {name!r} is text", "Say which of its words are an event: state_is = ['yes']")
    return pl.col(name).cast(pl.Float64).fill_null(0) != 0 if found.schema[name] != pl.Boolean else pl.col(name)


def _states(dataset: Dataset, labels: Labels) -> pl.DataFrame:
    """Runs of a state column: an event begins with the step before its first row ends, and ends with its last row."""
    if labels.source is None or labels.state is None:
        raise DravaError(f"{dataset.name} has labels without a file or a state", HINT)
    if labels.source not in dataset.source:
        raise DravaError(f"{dataset.name}: labels name [source.{labels.source}], which is not there", HINT)
    found = rows(dataset, labels.source)
    key = dataset.source[labels.source].key
    named = [one.id for one in dataset.asset if one.id != "*" and (one.source or labels.source) == labels.source]
    if not key and not labels.asset and len(named) != 1:
        raise DravaError(f"{dataset.name}: labels of [source.{labels.source}] name no asset", 'asset = "=NAME"')
    asset = pl.col(key).cast(pl.String) if key else pl.lit(str(labels.asset or named[0]).removeprefix("="))
    _there(found, labels.state, dataset)
    state = on(found, labels.state, labels.state_is)
    kind = (
        pl.lit(labels.kind.removeprefix("="))
        if labels.kind.startswith("=")
        else _there(found, labels.kind or labels.state, dataset)
    )
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
