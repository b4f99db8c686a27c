"""From the files of a dataset to the series that a method takes: asset, at, local, its columns."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from importlib import import_module
from typing import Any

import polars as pl

from indicators.evaluate.arithmetic import column
from indicators.evaluate.dataset import HINT, Asset, Dataset, Source
from schemas.errors import DravaError

TIME = pl.Datetime("us", "UTC")


def series(dataset: Dataset) -> pl.DataFrame:
    """All assets of a dataset, sorted by asset and time; columns that an asset does not have are null."""
    held = {asset.source or next(iter(dataset.source)) for asset in dataset.asset}
    files = {name: rows(dataset, name) for name in held}
    parts = [part for asset in dataset.asset for part in _assets(dataset, asset, files)]
    if not parts:
        raise DravaError(f"{dataset.name} has no series", HINT)
    return pl.concat(parts, how="diagonal").sort("asset", "at", maintain_order=True)


def assets(dataset: Dataset, ids: list[str]) -> dict[str, dict[str, Any]]:
    """What is known of each asset; paths in it are made whole."""
    known: dict[str, dict[str, Any]] = {}
    rest: dict[str, Any] = {}
    for asset in dataset.asset:
        meta = {key: _whole(dataset, value) for key, value in asset.meta.items()}
        if asset.id == "*":
            rest = meta
        else:
            known[asset.id] = meta
    return {one: known.get(one.split("#")[0], rest) for one in ids}


def _whole(dataset: Dataset, value: Any) -> Any:
    return str(dataset.path(value)) if isinstance(value, str) and value.startswith("./") else value


def rows(dataset: Dataset, name: str) -> pl.DataFrame:
    """The rows of a source with `at` (UTC, end of the step) and `local`; of repeated times the first."""
    source = dataset.source[name]
    found = _made(dataset, source) if source.made else _files(dataset, source)
    for key, value in source.where.items():
        found = found.filter(_known(found, key, name) == value)
    timed = _timed(found, source, dataset.zone, name)
    keys = ["at", *([source.asset] if source.asset else [])]
    return timed.unique(keys, keep="first", maintain_order=True).sort(*reversed(keys), maintain_order=True)


def _made(dataset: Dataset, source: Source) -> pl.DataFrame:
    told = {key: _whole(dataset, value) for key, value in source.with_.items()}
    try:
        made: pl.DataFrame = import_module(f"indicators.evaluate.made.{source.made}").make(**told)
    except ModuleNotFoundError as error:
        raise DravaError(
            f"nothing makes {source.made!r}: {error}",
            "Files of indicators/evaluate/made are their names; networks are simulated with drava[network]",
        ) from None
    return made


def _files(dataset: Dataset, source: Source) -> pl.DataFrame:
    names = (source.file,) if isinstance(source.file, str) else source.file
    if not names:
        raise DravaError(f"{dataset.name} has a source without a file", HINT)
    return pl.concat([table(dataset, one) for one in names], how="vertical_relaxed")


def table(dataset: Dataset, name: str) -> pl.DataFrame:
    """Read one file. Raises DravaError where it cannot be read."""
    path = dataset.path(name)
    try:
        return pl.read_parquet(path) if path.suffix == ".parquet" else pl.read_csv(path, infer_schema_length=None)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DravaError(f"{path} cannot be read: {error}", "Parquet, or CSV with a header") from None


def _known(found: pl.DataFrame, name: str, where: str) -> pl.Expr:
    if name not in found.columns:
        raise DravaError(f"{where} has no column {name!r}", f"It has {', '.join(found.columns[:20])}")
    return pl.col(name)


def _timed(found: pl.DataFrame, source: Source, zone: str, name: str) -> pl.DataFrame:
    if source.time is None:
        if source.start is None or source.step_s is None:
            raise DravaError(f"the source {name} has no `time`", "Name its column, or give `start` and `step_s`")
        step = timedelta(seconds=source.step_s)
        order = pl.int_range(pl.len()) if source.asset is None else pl.int_range(pl.len()).over(source.asset)
        local = pl.lit(source.start.replace(tzinfo=None)) + order * step
    else:
        local = moment(_known(found, source.time, name), found.schema[source.time], source.time_format)
    local = local.cast(pl.Datetime("us"))
    shift = timedelta(seconds=source.step_s or 0) if source.stamp == "start" else timedelta(0)
    timed = found.with_columns(at=utc(local, zone) + shift).filter(pl.col("at").is_not_null())
    return timed.with_columns(local=pl.col("at").dt.convert_time_zone(zone).dt.replace_time_zone(None))


def moment(expression: pl.Expr, kind: pl.DataType, form: str | None) -> pl.Expr:
    """A column of times or of text as wall clock."""
    return expression if kind.is_temporal() else expression.str.strip_chars().str.to_datetime(form, time_unit="us")


def utc(local: pl.Expr, zone: str) -> pl.Expr:
    """Wall clock to UTC: the first of two in autumn; in spring the hour that does not exist counts on."""
    there = local.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
    later = (local + timedelta(hours=1)).dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
    return pl.coalesce(there, later - timedelta(hours=1)).dt.convert_time_zone("UTC")


def _assets(dataset: Dataset, asset: Asset, files: Mapping[str, pl.DataFrame]) -> Iterator[pl.DataFrame]:
    name = asset.source or next(iter(dataset.source))
    found = files[name]
    key = dataset.source[name].asset
    if key is None:
        if asset.id == "*":
            raise DravaError(f"{dataset.name}: the source {name} is wide, so each asset has its own name", HINT)
        yield _one(found, asset, asset.id)
        return
    if key not in found.columns:
        raise DravaError(f"{name} has no column {key!r}", HINT)
    for (value,), part in found.group_by(key, maintain_order=True):
        if _wanted(str(value), asset):
            yield _one(part, asset, str(value))


def _wanted(value: str, asset: Asset) -> bool:
    if asset.id != "*":
        return value == asset.id
    return value not in asset.except_ and (not asset.only or value in asset.only)


def _one(part: pl.DataFrame, asset: Asset, name: str) -> pl.DataFrame:
    columns = {key: column(text, part.columns) for key, text in asset.columns.items()}
    return part.sort("at").select(pl.lit(name).alias("asset"), "at", "local", **columns)
