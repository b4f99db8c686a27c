"""A dataset is one TOML file: where the series are, what is labelled, which detectors are held against it, how."""

import tomllib
from datetime import datetime
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from zoneinfo import available_timezones

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from indicators.header import packs
from schemas.errors import DravaError
from schemas.vocabulary import Strict

Number = Annotated[float, Field(allow_inf_nan=False)]
NotBelowZero = Annotated[float, Field(ge=0, le=1e7, allow_inf_nan=False)]
AboveZero = Annotated[float, Field(gt=0, le=1e7, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1)]
Word = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
Value = str | float | bool


def _last(name: object) -> object:
    return name.rsplit(".", 1)[-1] if isinstance(name, str) else name


def _rising(told: tuple[float, float]) -> tuple[float, float]:
    if told[0] > told[1]:
        raise ValueError("the first number is the smaller one")
    return told


Range = Annotated[tuple[Number, Number], AfterValidator(_rising)]
Hours = Annotated[tuple[NotBelowZero, NotBelowZero], AfterValidator(_rising)]
FILE = "name of the file"  # the column of a pattern's `*`
HINT = "docs/evaluate.md lists every key of a dataset"


class Source(Strict):
    """Files of one shape: Parquet or CSV, long (a column names the asset) or wide (the assets name their columns)."""

    file: str | tuple[str, ...] = ()  # several are put one below the other
    made: Word | None = None  # instead of a file: `make` of indicators/evaluate/made/<name>.py
    with_: dict[str, Any] = Field(default={}, alias="with")  # its arguments
    time: str | None = None  # column of the time; without it rows follow each other by `step_s` from `start`
    time_format: str | None = None  # strptime, where the column is text that is not ISO 8601
    start: datetime | None = None
    step_s: AboveZero | None = None  # length of a step
    stamp: Literal["start", "end"] = "end"  # which end of the step the time says
    asset: str | tuple[str, ...] | None = None  # long form: the column or columns that name the asset; "*": see `key`
    where: dict[str, Value] = Field({})  # only rows with these values
    missing: tuple[Value, ...] = ()  # values that stand for none: "n/a", -9999

    @property
    def key(self) -> str | None:
        """The column that names the asset; `*` is the part of the file's name that the pattern's `*` stands for."""
        return (
            FILE
            if self.asset == "*"
            else self.asset
            if isinstance(self.asset, str)
            else "/".join(self.asset or ()) or None
        )


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
    state_is: tuple[Value, ...] = ()  # values that mean an event; default: true, or anything but 0
    join_h: NotBelowZero = 0  # runs of `state` that lie closer are one event
    asset: str | tuple[str, ...] = ""  # a column or columns, or ="NAME" for one asset
    kind: str = ""  # a column, or ="NAME"
    start: str = "start"  # a column: times, or step numbers where `step_s` is given
    end: str = ""
    place: str = ""
    flow: str = ""
    step_s: AboveZero | None = None
    origin: datetime | None = None
    time_format: str | None = None
    only_from: datetime | None = None  # events that start before are known, not to be found
    kinds: dict[str, str] = Field({})  # other names for kinds
    where: dict[str, Value] = Field({})


class Tolerance(Strict):
    """When an alarm counts for an event: from `before_h` before its start to `after_h` after it."""

    before_h: NotBelowZero = 0
    after_h: NotBelowZero | None = None  # None: up to its end
    until_end: bool = False  # never after its end


class Seed(Strict):
    """Faults put into real data by a named recipe. Each draw of each number in `seeds` is a copy of its own."""

    kind: str
    recipe: Literal["add", "scale", "set", "hold", "drop"]
    column: str
    amount: Range = (1, 1)  # of each fault, drawn log-uniformly from this range
    per: Literal["step", "hour", "mean"] = "step"  # of `add` and `set`: a step, an hour of the step, the asset's mean
    duration_h: Hours  # the same
    ramp_h: Hours = (0, 0)  # grows in a straight line for so long
    after_h: NotBelowZero = 0  # not earlier than so long after an asset's first row
    before_end_h: NotBelowZero = 0  # starts at least so long before its last row
    share: Share = 1.0  # of the assets
    local_hours: tuple[int, ...] = ()  # only in these hours of the day
    quantum: NotBelowZero = 0  # running totals stay multiples of it (a register's last digit)
    apart_h: NotBelowZero = 0  # several faults an asset, at least so far apart; 0: one
    active: bool = False  # begins only at a step where the column is above zero
    in_use: Share = 0  # and where it was on at least this share of the 28 days before


class Detector(Strict):
    """A detector to be scored."""

    name: Annotated[Word, BeforeValidator(_last)]  # of a pack, or of indicators/methods/<name>.py
    kinds: tuple[str, ...] = ()  # labels that it is to find; default: all
    goal: tuple[str, ...] = ()  # "recall >= 0.9": names of the result
    step_h: AboveZero | None = None  # of a detector in SQL alone: how often it is run; default by its cadence


class Euros(Strict):
    """BattLeDIM's rule: water saved from the alarm on, less the search, less false alarms."""

    flows: str  # a source with a column of true flow (m3/h) for each place
    network: str  # EPANET file with the pipes
    price: NotBelowZero = 0.80
    within_m: AboveZero = 300
    search: NotBelowZero = 500


class Steps(Strict):
    """Scoring by step, as LeakDB does: `state` of the labels against the state of alarm at each step."""

    early_h: AboveZero | None = None  # tau of the early-detection score
    early_share: Share = 0.75  # so much of the window must be flagged


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
    lat: Annotated[float, Field(ge=-90, le=90)] | None = None  # of the sun, for lamps; default: that of the settings
    lon: Annotated[float, Field(ge=-180, le=180)] | None = None
    note: str = ""
    source: dict[str, Source]
    asset: tuple[Asset, ...]
    label: tuple[Label, ...] = ()
    labels: tuple[Labels, ...] = ()
    labelled: bool | None = None  # default: true where there are labels or seeds
    tolerance: dict[str, Tolerance] = Field({})  # by kind; "*" for the rest
    refractory_h: NotBelowZero = 24
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
        if self.zone not in available_timezones():
            raise ValueError(f"zone: {self.zone!r} is no time zone; write it like Europe/Ljubljana")
        if not self.source or not self.asset:
            raise ValueError("there is no [source.NAME] or no [[asset]]")
        ids = [one.id for one in self.asset if one.id != "*"]
        if twice := sorted({one for one in ids if ids.count(one) > 1}):
            raise ValueError(f"the [[asset]] {twice[0]!r} is there twice")
        if sum(one.share for one in self.seed) > 1 + 1e-9:
            raise ValueError("the shares of [[seed]] make more than 1 together")
        unknown = [one.source for one in self.asset if one.source and one.source not in self.source]
        if unknown:
            raise ValueError(f"there is no [source.{unknown[0]}]")
        if len(self.source) != 1 and any(not one.source for one in self.asset):
            raise ValueError("with several sources each [[asset]] names its own")
        if self.eur is not None and self.eur.flows not in self.source:
            raise ValueError(f"eur.flows: there is no [source.{self.eur.flows}]")
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
    except ValidationError as error:
        raise DravaError(f"the dataset {name} cannot be read: {_said(error)}", HINT) from None
    except (TypeError, ValueError) as error:  # no TOML, or one that gives our own names
        raise DravaError(f"the dataset {name} cannot be read: {error}", HINT) from None


def _said(error: ValidationError) -> str:
    """The mistakes in one line, each with its place."""
    told = [(".".join(map(str, one["loc"])), _mistake(one["type"], one["msg"])) for one in error.errors()]
    shown = [f"{place}: {what}" if place else what for place, what in told[:3]]
    return "; ".join(shown) + (f"; and {len(told) - 3} more" if len(told) > 3 else "")  # noqa: PLR2004 - those shown


def _mistake(kind: str, said: str) -> str:
    words = {"extra_forbidden": "there is no such key", "tuple_type": "is a list, or a table in [[double]] brackets"}
    return words.get(kind, said.removeprefix("Value error, "))


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
