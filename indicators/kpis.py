"""The KPIs of the strategies, as data: what was printed, what it is measured by, and what is wrong with it."""

import re
import tomllib
from functools import cache
from importlib.resources import files
from typing import Annotated, Any

from pydantic import Field

from schemas.errors import DravaError
from schemas.vocabulary import Strict, Text

_NUMBER = re.compile(r"\d{1,3}(?:\.\d{3})+(?:,\d+)?|\d+(?:,\d+)?")  # as Slovenians write: 4.200 and 0,3
_FOLDER = "kpi"
COMPUTED = {  # what registry and telemetry give: the number installed, and the number that reports
    "share": ("kpi.installed_share", "kpi.reporting_share"),
    "count": ("kpi.installed_count", "kpi.reporting_count"),
    "property": ("kpi.property_share", ""),
    "density": ("kpi.sites_per_km2", ""),
}


class Kpi(Strict):
    """One number that a strategy asks for. `printed` holds its values as they stand there, by year."""

    id: Annotated[str, Field(pattern=r"^[PM]\d\d[\da-g]?[a-g]?$")]
    area: str
    section: str = ""
    measure: Text
    title: Text
    unit: str
    printed: dict[str, str] = Field(default_factory=dict)
    computed: Annotated[str, Field(pattern=r"^((share|count|property|density):[a-z0-9_]+)?$")] = ""
    note: Text | None = None

    @property
    def base(self) -> tuple[int, float | None]:
        """The first year of the strategy's values and the number printed for it; 0 where there are no values."""
        return self._at(min)

    @property
    def target(self) -> tuple[int, float | None]:
        """The last year of the strategy's values and the number printed for it."""
        return self._at(max)

    @property
    def sources(self) -> tuple[str, str, str]:
        """Indicator of what is installed, of what reports (may be empty), and the register they are about."""
        sort, _, register = self.computed.partition(":")
        return (*COMPUTED[sort], register) if sort else ("", "", "")

    def _at(self, which: Any) -> tuple[int, float | None]:
        year = which(self.printed, default=None)
        return (int(year), number_in(self.printed[year])) if year else (0, None)


class Strategy(Strict):
    """One strategy: its title, the titles of its areas, and its KPIs in the order of the areas."""

    id: str
    title: Text
    areas: dict[str, Text]
    kpis: tuple[Kpi, ...]


class Reference(Strict):
    """An indicator of a standard that a value of ours resembles; the standard's text is not quoted."""

    standard: str
    number: str
    title: Text
    unit: str
    indicator: str = ""
    kpis: tuple[str, ...] = ()
    verified: bool


def number_in(printed: str) -> float | None:
    """The number in a printed value: `4.200` is 4200, `80 %` is 80, `300 kW` is 300; none in `?`, `-` and blanks."""
    found = _NUMBER.search(printed)
    return float(found[0].replace(".", "").replace(",", ".")) if found else None


@cache
def strategies() -> dict[str, Strategy]:
    """Every strategy by its id."""
    return {name: _strategy(_toml(f"{name}.toml")) for name in ("ptuj", "maribor")}


@cache
def kpis() -> dict[str, Kpi]:
    """Every KPI of all strategies by its id."""
    return {kpi.id: kpi for strategy in strategies().values() for kpi in strategy.kpis}


@cache
def references() -> tuple[Reference, ...]:
    """Indicators of ISO 37120 and ISO 37122 that ours resemble."""
    return tuple(Reference.model_validate(row) for row in _toml("iso.toml")["reference"])


@cache
def registers() -> dict[str, Text]:
    """The titles of the registers that shares and counts are about."""
    return {name: Text.model_validate(text) for name, text in _toml("registers.toml").items()}


def kpi(name: str) -> Kpi:
    """One KPI, in small letters or capitals. Raises DravaError where there is none."""
    sought = name[:1].upper() + name[1:].lower()
    if sought not in kpis():
        near = [one for one in kpis() if one.startswith(sought[:3])]
        hint = f"Did you mean {', '.join(near)}?" if near else "drava indicators kpis names them"
        raise DravaError(f"there is no KPI {name!r}", hint)
    return kpis()[sought]


def of_town(municipality: str) -> list[Strategy]:
    """The strategies that concern a municipality: its own, or all where it has none."""
    own = [strategy for name, strategy in strategies().items() if name in municipality]
    return own or list(strategies().values())


def _strategy(raw: dict[str, Any]) -> Strategy:
    rows = tuple(Kpi.model_validate(row) for row in raw["kpi"])
    return Strategy(**raw["strategy"], areas=raw["area"], kpis=rows)


def _toml(name: str) -> dict[str, Any]:
    return tomllib.loads((files("indicators") / _FOLDER / name).read_text("utf-8"))
