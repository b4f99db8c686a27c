"""A dataset is one TOML file: where the series are, what is labelled, which detectors are held against it, how."""

import tomllib
from datetime import datetime
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, ValidationError, model_validator

from indicators.header import packs
from schemas.errors import DravaError
from schemas.vocabulary import Strict

Range = tuple[float, float]
Word = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
HINT = "docs/evaluate.md lists every key of a dataset"


class Source(Strict):
    """Files of one shape: Parquet or CSV, long (a column names the asset) or wide (the assets name their columns)."""

    file: str | tuple[str, ...] = ()  # several are put one below the other
    made: Word | None = None  # instead of a file: `make` of indicators/evaluate/made/<name>.py
    with_: dict[str, Any] = Field(default={}, alias="with")  # its arguments
    time: str | None = None  # column of the time; without it rows follow each other by `step_s` from `start`
    time_format: str | None = None  # strptime, where the column is text that is not ISO 8601
    start: datetime | None = None
    step_s: float | None = None  # length of a step
    stamp: Literal["start", "end"] = "end"  # which end of the step the time says
    asset: str | None = None  # long form: the column that names the asset
    where: dict[str, str | float | bool] = Field({})  # only rows with these values


class Asset(Strict):
    """One series: what a detector sees of it. `id = "*"` stands for every value of the source's asset column."""

    id: str
    source: str = ""  # default: the only one
    columns: dict[str, str]  # a method's column = arithmetic over the file's columns
    meta: dict[str, Any] = Field({})  # what the registry would know; a path that begins with ./ is relative to the data
    only: tuple[str, ...] = ()  # for "*"
    except_: tuple[str, ...] = Field(default=(), alias="except")


class Label(Strict):
    """One true event."""

    asset: str
    kind: str
    start: datetime
    end: datetime | None = None
    place: str | None = None
    flow: float | None = None


class Labels(Strict):
    """A file of true events, or the column of a source that is true (or not 0) while one lasts."""

    file: str | None = None
    source: str | None = None  # instead of a file: this source, with `state`
    state: str | None = None  # its column
    state_is: tuple[str | float | bool, ...] = ()  # values that mean an event; default: true, or anything but 0
    join_h: float = 0  # runs of `state` that lie closer are one event
    asset: str = ""  # a column, or ="NAME" for one asset
    kind: str = ""  # a column, or ="NAME"
    start: str = "start"  # a column: times, or step numbers where `step_s` is given
    end: str = ""
    place: str = ""
    flow: str = ""
    step_s: float | None = None
    origin: datetime | None = None
    time_format: str | None = None
    only_from: datetime | None = None  # events that start before are known, not to be found
    kinds: dict[str, str] = Field({})  # other names for kinds
    where: dict[str, str | float | bool] = Field({})


class Tolerance(Strict):
    """When an alarm counts for an event: from `before_h` before its start to `after_h` after it."""

    before_h: float = 0
    after_h: float | None = None  # None: up to its end
    until_end: bool = False  # never after its end


class Seed(Strict):
    """Faults put into real data by a named recipe. Each draw of each number in `seeds` is a copy of its own."""

    kind: str
    recipe: Literal["add", "scale", "set", "hold", "drop"]
    column: str
    amount: Range = (1, 1)  # of each fault, drawn log-uniformly from this range
    per: Literal["step", "hour", "mean"] = "step"  # of `add` and `set`: a step, an hour of the step, the asset's mean
    duration_h: Range  # the same
    ramp_h: Range = (0, 0)  # grows in a straight line for so long
    after_h: float = 0  # not earlier than so long after an asset's first row
    before_end_h: float = 0  # starts at least so long before its last row
    share: float = 1.0  # of the assets
    local_hours: tuple[int, ...] = ()  # only in these hours of the day
    quantum: float = 0  # running totals stay multiples of it (a register's last digit)
    apart_h: float = 0  # several faults an asset, at least so far apart; 0: one
    active: bool = False  # begins only at a step where the column is above zero
    in_use: float = 0  # and where it was on at least this share of the 28 days before


class Detector(Strict):
    """A detector to be scored."""

    name: Word  # of the pack, or of indicators/methods/<name>.py
    kinds: tuple[str, ...] = ()  # labels that it is to find; default: all
    goal: tuple[str, ...] = ()  # "recall >= 0.9": names of the result
    step_h: float = 24  # of a detector in SQL alone: how often it is run


class Euros(Strict):
    """BattLeDIM's rule: water saved from the alarm on, less the search, less false alarms."""

    flows: str  # a source with a column of true flow (m3/h) for each place
    network: str  # EPANET file with the pipes
    price: float = 0.80
    within_m: float = 300
    search: float = 500


class Steps(Strict):
    """Scoring by step, as LeakDB does: `state` of the labels against the state of alarm at each step."""

    early_h: float | None = None  # tau of the early-detection score
    early_share: float = 0.75  # so much of the window must be flagged


class Forecast(Strict):
    """A method whose `forecast` gives value, low and high for each row, held against a column."""

    truth: str


class Family(Strict):
    """For detectors in SQL alone: into which family's table the series go."""

    table: Word
    attributes: dict[str, Any] = Field({})
    columns: dict[str, str] = Field({})  # constant key columns


class Dataset(Strict):
    """One file of indicators/datasets/, or of a stranger."""

    model_config = ConfigDict(extra="forbid", frozen=False, populate_by_name=True)

    title: str
    licence: str
    simulated: bool
    zone: str = "UTC"  # of the wall-clock times in the files
    note: str = ""
    source: dict[str, Source]
    asset: tuple[Asset, ...]
    label: tuple[Label, ...] = ()
    labels: tuple[Labels, ...] = ()
    labelled: bool | None = None  # default: true where there are labels or seeds
    tolerance: dict[str, Tolerance] = Field({})  # by kind; "*" for the rest
    refractory_h: float = 24
    seeds: tuple[int, ...] = ()
    seed: tuple[Seed, ...] = ()
    detector: tuple[Detector, ...] = ()
    eur: Euros | None = None
    steps: Steps | None = None
    forecast: Forecast | None = None
    family: Family | None = None
    name: str = ""
    folder: Path = Path()

    @model_validator(mode="after")
    def _whole(self) -> Self:
        unknown = [one.source for one in self.asset if one.source and one.source not in self.source]
        if unknown:
            raise ValueError(f"there is no [source.{unknown[0]}]")
        if len(self.source) != 1 and any(not one.source for one in self.asset):
            raise ValueError("with several sources each [[asset]] names its own")
        if bool(self.seed) != bool(self.seeds):
            raise ValueError("`seeds` (numbers) and [[seed]] (recipes) go together")
        return self

    @cached_property
    def is_labelled(self) -> bool:
        """Whether an alarm that fits no label is false."""
        return bool(self.label or self.labels or self.seed) if self.labelled is None else self.labelled

    def path(self, name: str) -> Path:
        """A file of the dataset. Raises DravaError where it is not there."""
        path = self.folder / name
        if not path.is_file():
            raise DravaError(
                f"{self.name}: there is no file {path}",
                "Say where the data are with --data DIR or DRAVA_DATA; the dataset's title says where they come from",
            )
        return path

    def tolerance_of(self, kind: str) -> Tolerance:
        """Tolerance of a kind of event."""
        return self.tolerance.get(kind) or self.tolerance.get("*") or Tolerance()


def read(text: str, name: str, folder: Path) -> Dataset:
    """Read a dataset's text; its paths are relative to `folder`. Raises DravaError for a mistake."""
    try:
        return Dataset.model_validate({**tomllib.loads(text), "name": name, "folder": folder})
    except (tomllib.TOMLDecodeError, ValidationError, ValueError) as error:
        raise DravaError(f"the dataset {name} cannot be read: {error}", HINT) from None


def shipped() -> dict[str, str]:
    """The text of every dataset that comes with Drava, by its name."""
    folder = files("indicators") / "datasets"
    found = sorted((file for file in folder.iterdir() if file.name.endswith(".toml")), key=lambda file: file.name)
    return {file.name.removesuffix(".toml"): file.read_text("utf-8") for file in found}


def chosen(names: list[str] | None, data: Path | None) -> list[Dataset]:
    """Shipped datasets by name, all where none is named, over the files in `data`."""
    known = shipped()
    unknown = [name for name in names or () if name not in known]
    if unknown:
        raise DravaError(f"there is no dataset {unknown[0]!r}", f"There are: {', '.join(known)}; or use --config FILE")
    if data is None:
        raise DravaError(
            "it is not known where the data of the shipped datasets are",
            "Say --data DIR or set DRAVA_DATA: a folder with one folder a dataset, as docs/evaluate.md lists them",
        )
    return [read(known[name], name, data) for name in names or known]


def of_file(path: Path, data: Path | None) -> Dataset:
    """A stranger's dataset; its paths are relative to the file, or to `data`."""
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DravaError(f"{path} cannot be read: {error}", "Name a TOML file") from None
    return read(text, path.stem, data or path.parent)


def pack_of(name: str) -> Any:
    """The production pack of a detector, or None where only its method exists yet."""
    return next((pack for pack in packs("detector").values() if name in (pack.name, pack.id)), None)
