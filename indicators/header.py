"""A pack is one file: a TOML header in the first comment says what the number means, then one SELECT computes it."""

import re
import tomllib
from collections.abc import Iterator
from datetime import datetime
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from schemas.errors import DravaError
from schemas.vocabulary import Strict, Text

Kind = Literal["indicator", "detector"]
Cadence = Literal["commit", "hour", "night"]
Period = Literal["day", "week", "month", "year"]
Year = Annotated[str, Field(pattern=r"^[0-9]{4}$")]
Rows = list[dict[str, Any]] | str  # rows, or a SELECT that yields them

VALUE_COLUMNS = (
    "subject_kind",
    "subject_id",
    "period_start",
    "period_end",
    "value",
    "numerator",
    "denominator",
    "coverage",
    "devices",
    "estimated_share",
)
FINDING_COLUMNS = (
    "thing_id",
    "device_id",
    "area_id",
    "since",
    "until",
    "severity",
    "litres_per_hour",
    "volume_m3",
    "eur",
    "confidence",
    "evidence",
    "going_on",
)


class Example(Strict):
    """Rows in and rows out: documentation that runs as a test. Columns not named are not compared."""

    title: str
    as_of: datetime
    given: dict[str, Rows]
    expect: tuple[dict[str, Any], ...] = ()  # nothing is to come out


class Says(Strict):
    """How an alarm of a detector reads; `{name}` is a field of the alarm or of its evidence."""

    what: Text
    why: Text
    chart: Text | None = None  # what the numbers of evidence.chart are


class Reach(Strict):
    """Local days of input around a period on which its values depend, besides those of the period itself."""

    before: Annotated[int, Field(ge=0)] = 1
    after: Annotated[int, Field(ge=0)] = 1


class Pack(Strict):
    """One question of the city: what it asks, from which tables, and its SELECT."""

    id: Annotated[str, Field(pattern=r"^[a-z]+(\.[a-z0-9_]+)+$")]
    kind: Kind
    version: Annotated[int, Field(ge=1)] = 1
    title: Text
    meaning: Text
    unit: str = ""
    grain: str
    personal: bool = False  # the value says something about one household
    reads: tuple[str, ...]
    references: tuple[str, ...] = ()
    cadence: Cadence
    period: Period = "day"  # local, half open: what period_start and period_end say
    reach: Reach = Reach()
    needs: tuple[
        str, ...
    ] = ()  # indicators whose values it reads from `indicator_values`, this run's before stored ones
    own: bool = False  # a value depends on no device but those that ever hung on its own thing
    changes: Annotated[str, Field(pattern=r"^[a-z_]+$")] | None = None  # macro (first, last): thing_id, first_date and
    # last_date of what changes when readings of these days come; `reach` is for all other changes
    targets: dict[Year, float] = Field(default_factory=dict)  # what the city wants to reach by the end of a year
    method: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")] | None = None  # the SELECT yields series for this one
    subject: Literal["thing", "device", "area"] = "thing"  # what an asset of those series is
    memory_days: Annotated[int, Field(ge=1)] = 100  # how far back a detector looks
    explains: tuple[str, ...] = ()  # detectors whose alarms at the same place and time have this one as their cause
    event: bool = False  # over as soon as it is seen, and no fault: kept for a week, counted, told to nobody at once
    refractory_min: Annotated[int, Field(ge=0)] = 60  # what begins again so soon after its end has not ended
    says: Says | None = None
    example: tuple[Example, ...] = ()
    sql: str

    @property
    def name(self) -> str:
        """The last word of the id; for a detector the kind of its alarms."""
        return self.id.rsplit(".", 1)[-1]

    @property
    def only_now(self) -> bool:
        """Whether it tells of nothing that is over: what it does not find any more has ended."""
        return " true AS going_on" in self.sql

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns that the SELECT yields, in their order."""
        return VALUE_COLUMNS if self.kind == "indicator" else FINDING_COLUMNS


_SHAPE = re.compile(r"\A/\*\n(?P<header>.*?)\n\*/\n(?P<sql>.*)\Z", re.DOTALL)


def parse(text: str, where: str) -> Pack:
    """Read one pack. Raises DravaError naming the file where it is not one."""
    found = _SHAPE.match(text)
    if found is None:
        raise DravaError(f"{where} does not begin with a header comment", "Begin it with /*, a TOML header, */")
    try:
        pack = Pack.model_validate({**tomllib.loads(found["header"]), "sql": found["sql"].strip().removesuffix(";")})
    except (tomllib.TOMLDecodeError, ValidationError) as error:
        raise DravaError(f"{where} has a header that cannot be read: {error}", "Mend the header") from None
    if (pack.says is None) == (pack.kind == "detector"):
        raise DravaError(f"{where} must have [says] exactly when it is a detector", "Mend the header")
    return pack


def _walk(folder: Traversable) -> Iterator[Traversable]:
    for entry in sorted(folder.iterdir(), key=lambda e: e.name):
        if entry.is_dir():
            yield from _walk(entry)
        elif entry.name.endswith(".sql"):
            yield entry


@cache
def packs(kind: Kind | None = None) -> dict[str, Pack]:
    """Every pack by its id, in the order of areas and names."""
    found = [parse(file.read_text("utf-8"), file.name) for file in _walk(files("indicators") / "packs")]
    return {pack.id: pack for pack in found if kind in (None, pack.kind)}


def chosen(kind: Kind, ids: list[str] | None) -> list[Pack]:
    """Packs of a kind by full id or last word; all where none is named. Raises DravaError for an unknown one."""
    known = packs(kind)
    if not ids:
        return list(known.values())
    short = {pack.name: pack for pack in known.values()}
    missing = [name for name in ids if name not in known and name not in short]
    if missing:
        raise DravaError(f"{missing[0]!r} is not an {kind} of Drava", f"drava {kind}s list names them")
    return [known.get(name) or short[name] for name in ids]
