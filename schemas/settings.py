"""The settings of one home (one municipality): `drava.toml`, overlaid by `DRAVA_…` variables."""

import os
import re
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from schemas.alerts import Mail, Notify, Recipient, Threshold, named_once
from schemas.errors import DravaError
from schemas.section import Section

FORMAT = 1  # version of home, journal and catalogue; a newer one is refused
MAX_PORT = 65535
NAME = r"^[a-z0-9][a-z0-9_-]{0,62}$"

Lang = Literal["sl", "en"]


def _ported(url: str) -> str:
    try:
        port = urlsplit(url).port
    except ValueError:
        port = 0
    if port == 0:
        raise ValueError("the port is a number from 1 to 65535")
    return url


def _filter(text: str) -> str:
    levels = text.split("/")
    wild = any(("+" in level or "#" in level) and len(level) > 1 for level in levels)
    if not text or wild or "#" in levels[:-1]:
        raise ValueError("a topic filter has + and # alone between slashes, # only at its end")
    return text


class Broker(Section):
    """Where the MQTT broker is and how we stand to it."""

    url: Annotated[str, Field(pattern=r"^mqtts?://[^/\s]+$"), AfterValidator(_ported)] = "mqtt://127.0.0.1:1883"
    username: str = ""
    password_file: str = ""
    ca_file: str = ""
    client_id: str = ""
    shared_group: Annotated[str, Field(pattern=r"^[a-z0-9_-]{0,62}$")] = ""
    session_expiry_h: Annotated[int, Field(ge=1, le=8760)] = 168
    max_packet_kb: Annotated[int, Field(ge=1, le=262144)] = 1024
    longest_outage_h: Annotated[int, Field(ge=1, le=8760)] = 48
    conf_file: str = ""


class RouteField(Section):
    """Where a measure stands in foreign JSON, and its unit as UCUM where it is not the measure's own."""

    path: str
    unit: str | None = None


class Route(Section):
    """Messages whose topic matches `filter` are read by `codec`.

    Foreign JSON (codec json) declares paths: `device` at least; without `fields` the device's profile reads the rest.
    """

    filter: Annotated[str, AfterValidator(_filter)]
    codec: str
    device: str = ""
    time: str = ""
    seq: str = ""
    records: str = ""
    fields: dict[str, str | RouteField] = Field(default_factory=dict)


class Drop(Section):
    """Fields of messages on topics that match `filter` are taken out before anything is stored."""

    filter: Annotated[str, AfterValidator(_filter)]
    fields: Annotated[list[str], Field(min_length=1)]


class Ingest(Section):
    """How messages become commits."""

    flush_seconds: Annotated[float, Field(gt=0, le=3600)] = 5
    flush_rows: Annotated[int, Field(ge=100, le=1_000_000)] = 50_000
    future_minutes: Annotated[int, Field(ge=0, le=1440)] = 10
    too_old_days: Annotated[int, Field(ge=1, le=36500)] = 36500
    raw_days: Annotated[int, Field(ge=0, le=36500)] = 90
    min_free_mb: Annotated[int, Field(ge=0)] = 500


def _address(text: str) -> str:
    port = re.fullmatch(r"(?:[A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\]):(\d{1,5})", text)
    if text and not (port and int(port[1]) <= MAX_PORT):
        raise ValueError("not an address; write it like 127.0.0.1:9464 or [::1]:9464")
    return text


class Metrics(Section):
    """Where `drava ingest` answers Prometheus; empty: nowhere. Port 0 is any that is free."""

    listen: Annotated[str, AfterValidator(_address)] = "127.0.0.1:9464"


class Query(Section):
    """Limits of one SQL query."""

    memory_mb: Annotated[int, Field(ge=64)] = 2048
    seconds: Annotated[int, Field(ge=1)] = 300
    threads: Annotated[int, Field(ge=1, le=64)] = 2


class Prices(Section):
    """What a unit costs, for amounts in EUR. The municipality's own tariffs."""

    water_eur_m3: Annotated[float, Field(ge=0)] = 1.2
    energy_eur_kwh: Annotated[float, Field(ge=0)] = 0.18


class Calendar(Section):
    """What a local day depends on besides zone and place."""

    school_region: Literal["east", "west"] = "east"


class Export(Section):
    """An export on a schedule: `drava export --scheduled` writes what is due."""

    name: Annotated[str, Field(pattern=NAME)]
    dataset: str
    format: Literal["parquet", "csv", "excel-csv", "jsonl", "xlsx"] = "csv"
    every: Literal["day", "week", "month"] = "day"
    area: str = ""
    purpose: str = ""


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("not a time zone; write it like Europe/Ljubljana") from None
    return name


class Settings(BaseSettings):
    """Everything a home can be told. Each setting is also a variable: `DRAVA_BROKER__URL`, `DRAVA_LANG`."""

    model_config = SettingsConfigDict(
        env_prefix="DRAVA_", env_nested_delimiter="__", extra="forbid", nested_model_default_partial_update=True
    )

    municipality: Annotated[str, Field(pattern=NAME)] = "town"
    title: str = ""
    lang: Lang = "sl"
    timezone: Annotated[str, AfterValidator(_zone)] = "Europe/Ljubljana"
    lat: Annotated[float, Field(ge=-90, le=90)] = 46.42
    lon: Annotated[float, Field(ge=-180, le=180)] = 15.87
    broker: Broker = Broker()
    route: list[Route] = []
    drop: list[Drop] = []
    ingest: Ingest = Ingest()
    metrics: Metrics = Metrics()
    query: Query = Query()
    prices: Prices = Prices()
    calendar: Calendar = Calendar()
    export: list[Export] = []
    limits: tuple[Literal["drinking_water"], ...] = ()
    threshold: Annotated[list[Threshold], AfterValidator(named_once)] = []
    mail: Mail = Mail()
    notify: Notify = Notify()
    recipient: Annotated[list[Recipient], AfterValidator(named_once)] = []

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - signature of pydantic-settings
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - signature of pydantic-settings
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment wins over the file, the file over the defaults."""
        return env_settings, init_settings, TomlConfigSettingsSource(settings_cls)


def _explain(error: ValidationError) -> str:
    first = error.errors()[0]
    name = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return f"setting {name!r} is not known"
    return f"setting {name!r} has the value {first['input']!r}: {first['msg'].lower()}"


def load(file: Path) -> Settings:
    """Read `drava.toml`. Raises DravaError with the setting's name, its value and the mend."""

    class FromFile(Settings):
        model_config = SettingsConfigDict(toml_file=file)

    _refuse_unknown_variables()
    try:
        return FromFile()
    except ValidationError as error:
        raise DravaError(_explain(error), f"Mend it in {file} or in the environment (DRAVA_…)") from None
    except SettingsError as error:
        raise DravaError(
            f"a DRAVA_… variable cannot be read: {error}", "Lists and tables are written as JSON"
        ) from None
    except ValueError as error:  # not TOML
        raise DravaError(f"{file} is not valid TOML: {error}", "Mend the line it names") from None


def _refuse_unknown_variables() -> None:
    own = {"DRAVA_HOME", "DRAVA_AS_OF", "DRAVA_TEST_KILL_AT"}
    known = set(Settings.model_fields)
    for name in os.environ:
        if name.startswith("DRAVA_") and name not in own:
            first = name.removeprefix("DRAVA_").lower().split("__")[0]
            if first not in known:
                raise DravaError(
                    f"environment variable {name} is not a setting", "Unset it; docs/operations.md lists the settings"
                )


class Home:
    """The folder of one municipality: its settings and the place of everything in it."""

    def __init__(self, path: Path) -> None:
        """Open an existing home. Raises DravaError where there is none or it is newer than this program."""
        self.path = path
        self.file = path / "drava.toml"
        if not self.file.is_file():
            raise DravaError(f"{path} is not a Drava home", f"Make one: drava init {path} --municipality NAME")
        marker = path / "format"
        version = marker.read_text().strip() if marker.is_file() else "?"
        if not re.fullmatch(r"\d{1,6}", version) or int(version) > FORMAT:
            raise DravaError(
                f"{path} has format {version}, this program reads up to {FORMAT}", "Install a newer version of Drava"
            )
        self.settings = load(self.file)

    journal = property(lambda self: self.path / "journal", doc="Journal segments: the last copy of raw bytes.")
    catalog = property(lambda self: self.path / "catalog", doc="The catalogue's database.")
    lake = property(lambda self: self.path / "lake", doc="Delta tables, one folder each.")
    published = property(lambda self: self.path / "published", doc="What readers need, readable by the group.")
    exports = property(lambda self: self.path / "exports", doc="Exports and reports.")
    reports = property(lambda self: self.path / "reports", doc="The list of every morning.")
    profiles = property(lambda self: self.path / "profiles", doc="The city's own profiles of device types; optional.")
    cache = property(lambda self: self.path / "cache", doc="What was computed at length and can be computed again.")
    secrets = property(lambda self: self.path / "secrets", doc="Passwords, for the owner alone.")


PRIVATE, SHARED = 0o700, 0o750
FOLDERS = {
    "journal": PRIVATE,
    "catalog": PRIVATE,
    "secrets": PRIVATE,
    "lake": SHARED,
    "published": SHARED,
    "exports": SHARED,
}


def as_dict(settings: Settings) -> dict[str, Any]:
    """Give the settings in force, for `drava doctor` and tests."""
    return settings.model_dump(mode="json")
