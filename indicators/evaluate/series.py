"""From the files of a dataset to the series that a method takes: asset, at, local, its columns."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from importlib import import_module
from typing import Any

import polars as pl

from indicators.evaluate.arithmetic import column
from indicators.evaluate.dataset import FILE, HINT, Asset, Dataset, Source
from indicators.evaluate.files import STAR, found, like, moments, table
from schemas.errors import DravaError


def series(dataset: Dataset) -> pl.DataFrame:
    """All assets of a dataset, sorted by asset and time; columns that an asset does not have are null."""
    held = {asset.source or next(iter(dataset.source)) for asset in dataset.asset}
    files = {name: rows(dataset, name) for name in held}
    parts = [part for asset in dataset.asset for part in _assets(dataset, asset, files)]
    if not parts:
        raise DravaError(f"{dataset.name} has no series", HINT)
    twice = [name for name, count in Counter(part["asset"][0] for part in parts).items() if count > 1]
    if twice:
        raise DravaError(f"{dataset.name}: the asset {twice[0]!r} comes twice", "One [[asset]] and one source for each")
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
    path = isinstance(value, str) and (value.startswith("./") or value.lower().endswith(".inp"))
    return str(dataset.path(value)) if path else value


def rows(dataset: Dataset, name: str) -> pl.DataFrame:
    """The rows of a source with `at` (UTC, end of the step) and `local`; of repeated times the first."""
    source = dataset.source[name]
    read = _made(dataset, source) if source.made else files(dataset, source.file, name)
    read = _kept(read, source, name)
    timed = _timed(read, source, dataset.zone, name)
    keys = ["at", *([source.key] if source.key else [])]
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
    except TypeError as error:
        raise DravaError(f"{source.made!r} is not made `with` that: {error}", HINT) from None
    return made


def files(dataset: Dataset, named: str | tuple[str, ...], where: str, *, may_be_empty: bool = False) -> pl.DataFrame:
    """The rows of files one below the other; of a pattern, `*` is a column with what it stood for."""
    names = (named,) if isinstance(named, str) else named
    if not names:
        raise DravaError(f"{dataset.name}: {where} has no file", HINT)
    parts = []
    for name in names:
        there = found(dataset.folder, name)
        if not there:
            raise DravaError(f"{dataset.name}: no file is like {name!r}", f"They are looked for in {dataset.folder}")
        for path, word in there:
            part = table(dataset.path(path), may_be_empty=may_be_empty)
            parts.append(part.with_columns(pl.lit(word).alias(FILE)) if STAR in name else part)
    try:
        return pl.concat(parts, how="vertical_relaxed")
    except pl.exceptions.PolarsError as error:
        hint = "Files of one source have the same columns; make others a source of their own"
        raise DravaError(f"{dataset.name}: the files of {where} differ: {error}", hint) from None


def known(read: pl.DataFrame, name: str, where: str) -> pl.Expr:
    """A column by its name. Raises DravaError where it is not there."""
    if name not in read.columns:
        raise DravaError(f"{where} has no column {name!r}", f"It has {', '.join(read.columns[:20])}")
    return pl.col(name)


def chosen(read: pl.DataFrame, where: Mapping[str, Any], name: str) -> pl.DataFrame:
    """The rows with these values. Raises DravaError where there are none."""
    for key, value in where.items():
        known(read, key, name)
        read = read.filter(like(read, key, (value,)))
        if read.is_empty():
            raise DravaError(f"{name} has no row whose {key} is {value!r}", "Look at its `where`")
    return read


def _kept(read: pl.DataFrame, source: Source, name: str) -> pl.DataFrame:
    """Rows of the source that name their asset; what stands for nothing is nothing."""
    read = chosen(read, source.where, name)
    for key in read.columns if source.missing else ():
        read = read.with_columns(pl.when(~like(read, key, source.missing)).then(pl.col(key)).alias(key))
    if source.key is None:
        return read
    words = words_of(read, source.asset if isinstance(source.asset, tuple) else (source.key,), name)
    return read.with_columns(words.alias(source.key)).filter(pl.col(source.key).is_not_null())


def words_of(read: pl.DataFrame, names: Sequence[str], where: str) -> pl.Expr:
    """A column as names, or several with `/` between them."""
    words = []
    for name in names:
        named = known(read, name, where)
        if read.schema[name].is_float():  # a whole number beside empty cells
            whole = pl.when(named == named.round()).then(named.cast(pl.Int64, strict=False).cast(pl.String))
            named = pl.coalesce(whole, named.cast(pl.String))
        words.append(named.cast(pl.String).str.strip_chars())
    return pl.concat_str(words, separator="/")


def _timed(read: pl.DataFrame, source: Source, zone: str, name: str) -> pl.DataFrame:
    if source.time is None:
        if source.start is None or source.step_s is None:
            raise DravaError(f"the source {name} has no `time`", "Name its column, or give `start` and `step_s`")
        step = timedelta(seconds=source.step_s)
        order = pl.int_range(pl.len()) if source.key is None else pl.int_range(pl.len()).over(source.key)
        first = moments(pl.Series([source.start]), None, zone)[0]
        at = read.select((pl.lit(first.replace(tzinfo=None)) + order * step).cast(pl.Datetime("us")))
        times = at.to_series().dt.replace_time_zone("UTC")
    else:
        known(read, source.time, name)
        times = moments(read[source.time], source.time_format, zone)
    shift = timedelta(seconds=source.step_s or 0) if source.stamp == "start" else timedelta(0)
    timed = read.with_columns((times + shift).alias("at")).filter(pl.col("at").is_not_null())
    if timed.is_empty():
        raise DravaError(f"no row of {name} has a time", f"Look at its column {source.time!r}")
    return timed.with_columns(local=pl.col("at").dt.convert_time_zone(zone).dt.replace_time_zone(None))


def _assets(dataset: Dataset, asset: Asset, files: Mapping[str, pl.DataFrame]) -> Iterator[pl.DataFrame]:
    name = asset.source or next(iter(dataset.source))
    read = files[name]
    key = dataset.source[name].key
    if key is None:
        if asset.id == "*":
            raise DravaError(f"{dataset.name}: the source {name} is wide, so each asset has its own name", HINT)
        yield _one(read, asset, asset.id, name)
        return
    there = set(read[key].to_list())
    if absent := [one for one in ((asset.id,) if asset.id != "*" else asset.only) if one not in there]:
        raise DravaError(f"{name} has no asset {absent[0]!r}", f"Its {key} is {', '.join(sorted(there)[:20])}")
    own = {one.id for one in dataset.asset}
    for (value,), part in read.group_by(key, maintain_order=True):
        if value == asset.id if asset.id != "*" else _wanted(str(value), asset) and value not in own:
            yield _one(part, asset, str(value), name)


def _wanted(value: str, asset: Asset) -> bool:
    return value not in asset.except_ and (not asset.only or value in asset.only)


def _one(part: pl.DataFrame, asset: Asset, name: str, source: str) -> pl.DataFrame:
    """The series of an asset; what is no finite number is nothing."""
    told = {}
    for key, text in asset.columns.items():
        try:
            value = part.sort("at").select(column(text, part.columns).cast(pl.Float64)).to_series()
        except pl.exceptions.PolarsError as error:
            hint = f"Numbers are needed; what stands for no number is named in [source.{source}]: missing = ['n/a']"
            raise DravaError(f"{name}: {key} = {text!r} cannot be computed: {_line(error)}", hint) from None
        told[key] = value if len(value) == part.height else pl.repeat(value[0], part.height, eager=True)
    made = part.sort("at").select(pl.lit(name).alias("asset"), "at", "local", **told)
    return made.with_columns(pl.when(pl.col(key).is_finite()).then(pl.col(key)).alias(key) for key in told)


def _line(error: Exception) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), "")[:160]
