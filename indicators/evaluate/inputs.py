"""What each detector takes: its columns with their units, and whether a dataset gives them in these units."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from importlib import import_module
from importlib.util import find_spec

import polars as pl

from indicators.evaluate.dataset import HINT, Dataset, pack_of
from indicators.evaluate.files import epanet
from schemas.errors import DravaError
from schemas.vocabulary import families


@dataclass(frozen=True)
class Named:
    """Columns of one unit, whose names begin with this: one a sensor."""

    begins: str
    least: int = 0  # so many are needed


_DISTRICT = (Named("flow_"), Named("level_"), Named("pressure_"))
NAMED = {
    "hydrant_flow": _DISTRICT,
    "pressure_leak": (*_DISTRICT[:2], Named("pressure_", 2)),
    "step_leak": (*_DISTRICT[:2], Named("pressure_", 2)),
}
_CHANNELS = (Named("value_", 1),)  # of methods that look at each channel by itself
NEEDED = {"rise_m3", "hours", "flow_m3h", "power_w", "count", "fill_pct"}  # of the columns of methods; the rest may be


@dataclass(frozen=True)
class Unit:
    """Columns by the beginning of their names, and between what the largest median of them lies in that unit."""

    begins: str
    title: str
    low: float
    high: float


UNITS = (
    Unit("rise_m3", "m³ since the reading before", 0, 3),
    Unit("hours", "hours since the reading before: hours()", 1 / 3600, 800),
    Unit("flow_", "m³/h", 0, 50_000),
    Unit("pressure_", "metres of water (1 bar is 10.2, 1 kPa is 0.102)", 12, 180),
    Unit("level_", "metres", 0, 100),
    Unit("stored_m3", "m³", 0, 1e6),
    Unit("metered_m3h", "m³/h", 0, 50_000),
    Unit("power_w", "W", 10, 1e6),
    Unit("voltage_v", "V", 80, 500),
    Unit("lamp_share", "share of one lamp in the cabinet's power, 0 to 1", 0, 1),
    Unit("fill_pct", "%, 0 to 100", 1.5, 130),
)


def method_of(name: str) -> str | None:
    """The method of a detector, or None of one in SQL alone. Raises DravaError for a name that is neither."""
    pack = pack_of(name)
    if pack is not None and pack.method is not None:
        return str(pack.method)
    if find_spec(f"indicators.methods.{name}") is not None:
        return name
    if pack is None:
        raise DravaError(f"there is no detector {name!r}", "`drava detectors list` names them")
    return None


def columns_of(name: str) -> tuple[str, ...]:
    """The columns of a method that are called by name."""
    return tuple(import_module(f"indicators.methods.{name}").COLUMNS)


def named_of(name: str) -> tuple[Named, ...]:
    """The columns of a method that there are any number of."""
    return NAMED.get(name, () if columns_of(name) else _CHANNELS)


def complete(dataset: Dataset, names: Iterable[str], rows: pl.DataFrame) -> tuple[pl.DataFrame, list[str]]:
    """The rows with every column that these detectors may ask for, and what is odd about them.

    Raises DravaError for a column that none of them takes, and for one that is missing.
    """
    methods = {one: method for one in names if (method := method_of(one)) is not None}
    mine = {column for method in methods.values() for column in columns_of(method)}
    taken = set(mine)
    begins = tuple(named.begins for method in methods.values() for named in named_of(method))
    if len(methods) < len(set(names)):
        taken |= _measures(dataset)
    given = [column for column in rows.columns if column not in ("asset", "at", "local")]
    for column in given:
        if column not in taken and not (begins and column.startswith(begins)):
            raise DravaError(
                f"{dataset.name}: no detector here takes the column {column!r}",
                f"They take {', '.join([*sorted(taken), *(f'{one}NAME' for one in sorted(set(begins)))])}",
            )
    for name, method in methods.items():
        _needed(dataset, name, method, rows)
    ours = [column for column in given if column in mine or (begins and column.startswith(begins))]
    whole = rows.with_columns(pl.lit(None, pl.Float64).alias(column) for column in sorted(mine - set(given)))
    return whole, [*_units(rows, ours), *_empty(rows, given), *_unknown(dataset, given)]


def placed(dataset: Dataset, rows: pl.DataFrame, true: pl.DataFrame) -> tuple[pl.DataFrame, list[str]]:
    """The events that can be found in the series, and what was left out. Raises DravaError where none can be."""
    if true.is_empty():
        return true, []
    watched = rows.group_by("asset").agg(first=pl.col("at").min(), last=pl.col("at").max())
    there = true.join(watched, on="asset", how="left", maintain_order="left")
    strange = sorted(there.filter(pl.col("first").is_null())["asset"].unique().to_list())
    wide = pl.col("kind").replace_strict(_hours(dataset, true), return_dtype=pl.Duration("us"))
    over = pl.max_horizontal(pl.coalesce("end", "last"), pl.col("start") + wide)
    outside = pl.col("first").is_not_null() & ((pl.col("start") > pl.col("last")) | (over < pl.col("first")))
    away = there.filter(outside)
    kept = there.filter(pl.col("first").is_not_null() & ~outside).select(true.columns)
    assets = ", ".join(sorted(watched["asset"].to_list())[:10])
    if strange and kept.is_empty():
        raise DravaError(f"{dataset.name}: no label is of an asset: {', '.join(strange[:5])}", f"Assets are {assets}")
    if kept.is_empty():
        says = f"the labels lie from {_day(true['start'])}"
        seen = f"the series from {_day(rows['at'])}"
        raise DravaError(f"{dataset.name}: {says}, {seen}", "Look at time_format, origin and zone")
    told = []
    if strange:
        number = true.height - there["first"].count()
        told.append(f"{number} labels left out: no series of {', '.join(strange[:5])} (assets: {assets})")
    if away.height:
        told.append(f"{away.height} labels left out: outside the time of their series, such as {away['start'][0]}")
    return kept, told


def _day(times: pl.Series) -> str:
    ordered = times.sort()
    return f"{ordered[0]:%Y-%m-%d} to {ordered[-1]:%Y-%m-%d}"


def _hours(dataset: Dataset, true: pl.DataFrame) -> dict[str, timedelta]:
    kinds = true["kind"].unique().to_list()
    return {kind: timedelta(hours=dataset.tolerance_of(kind).after_h or 0) for kind in kinds}


def kinds(dataset: Dataset, true: pl.DataFrame) -> list[str]:
    """What is odd about the kinds that tolerances and detectors name."""
    there = {*true["kind"].to_list(), *(seed.kind for seed in dataset.seed)}
    if not there:
        return ["there are no events: every alarm is false"] if dataset.is_labelled else []
    said = f"the labels have {', '.join(sorted(there))}"
    odd = [f"[tolerance.{kind}] is of no label: {said}" for kind in dataset.tolerance if kind not in {*there, "*"}]
    for one in dataset.detector:
        odd += [
            f"{one.name} is to find {kind!r}, of which there is none: {said}" for kind in one.kinds if kind not in there
        ]
    short = true.filter((pl.col("end") == pl.col("start")).fill_null(value=False))["kind"].unique().to_list()
    for kind in sorted(short):
        if not dataset.tolerance_of(kind).after_h:
            odd.append(f"events of {kind!r} end as they begin: without after_h in [tolerance.{kind}] none can be found")
    return odd


def _needed(dataset: Dataset, name: str, method: str, rows: pl.DataFrame) -> None:
    known = {column for column in rows.columns if rows[column].count()}
    for column in columns_of(method):
        if column in NEEDED and column not in known:
            raise DravaError(f"{dataset.name}: {name} needs the column {column!r}, and no asset has values of it", HINT)
    for named in named_of(method):
        there = sum(column.startswith(named.begins) for column in known)
        if there < named.least:
            raise DravaError(f"{dataset.name}: {name} needs {named.least} or more columns {named.begins}NAME", HINT)


def _measures(dataset: Dataset) -> set[str]:
    if dataset.family is None:
        raise DravaError(f"{dataset.name}: detectors in SQL alone need [family]", HINT)
    if dataset.family.table not in families():
        raise DravaError(f"there is no family {dataset.family.table!r}", f"There are {', '.join(families())}")
    family = families()[dataset.family.table]
    return {*family.measures, *family.keys}


def _units(rows: pl.DataFrame, given: list[str]) -> Iterator[str]:
    """What looks like another unit."""
    size = {column: pl.col(column).abs().replace(0.0, None).median() for column in given}
    medians = rows.select(**size).row(0, named=True) if given else {}
    for unit in UNITS:
        mine = {column: told for column, told in medians.items() if column.startswith(unit.begins) and told is not None}
        column = max(mine, key=mine.__getitem__, default="")
        if mine and not unit.low <= mine[column] <= unit.high:
            yield f"{column} is about {mine[column]:g}; it is taken as {unit.title}: look at the unit"


_NODES, _LINKS = {"JUNCTIONS", "RESERVOIRS", "TANKS"}, {"PIPES", "PUMPS", "VALVES"}


def _unknown(dataset: Dataset, given: list[str]) -> Iterator[str]:
    """Sensors that the model of a network does not know: nothing is located by them."""
    for asset in dataset.asset:
        if not isinstance(file := asset.meta.get("network"), str):
            continue
        there = [(section, words[0]) for section, words in epanet(dataset.path(file))]
        for begins, sections in (("pressure_", _NODES), ("flow_", _LINKS)):
            known = {name for section, name in there if section in sections}
            named = [one.removeprefix(begins) for one in given if one.startswith(begins) and one != "flow_m3h"]
            if strange := [name for name in named if name not in known]:
                yield f"{file} does not know {begins}{f', {begins}'.join(strange[:5])}: NAME is to be that of the model"


def _empty(rows: pl.DataFrame, given: list[str]) -> Iterator[str]:
    """Assets without values."""
    values = rows.group_by("asset").agg(pl.max_horizontal(pl.col(column).count() for column in given).alias("n"))
    empty = sorted(values.filter(pl.col("n") == 0)["asset"].to_list()) if given else []
    if empty:
        yield f"{len(empty)} assets have no value at all: {', '.join(empty[:10])}"
