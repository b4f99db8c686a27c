"""The civil days of a place: when each begins and ends, its night, holidays, school holidays, and the sun."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache, lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
from astral import Observer
from astral.sun import sunrise, sunset

from devices.csvfile import read
from schemas.errors import DravaError
from schemas.settings import Settings

COUNTRY = "SI"
FIRST, LAST = date(2010, 1, 1), date(2035, 12, 31)
NIGHT = time(2), time(4)  # when a town draws least
SCHOOL_FILE = "school_holidays.csv"  # in a home it replaces the one that comes with Drava
REGIONS = ("all", "east", "west")
_AUGUST, _DAY = 8, timedelta(days=1)
_UTC_US = pa.timestamp("us", "UTC")

CIVIL_DAYS = pa.schema([
    pa.field("local_date", pa.date32()),
    pa.field("starts_at", _UTC_US),
    pa.field("ends_at", _UTC_US),
    pa.field("night_starts_at", _UTC_US),
    pa.field("night_ends_at", _UTC_US),
    pa.field("holiday_sl", pa.string()),
    pa.field("holiday_en", pa.string()),
    pa.field("school_holiday", pa.bool_()),  # null: nobody has said what the school year is like
    pa.field("school_holiday_sl", pa.string()),
    pa.field("school_holiday_en", pa.string()),
    pa.field("sunrise", _UTC_US),
    pa.field("sunset", _UTC_US),
])  # fmt: skip


@dataclass(frozen=True)
class Place:
    """What a day depends on."""

    zone: str
    lat: float
    lon: float
    school_region: str = "east"

    @classmethod
    def of(cls, settings: Settings) -> "Place":
        """The place of a home."""
        return cls(settings.timezone, settings.lat, settings.lon, settings.calendar.school_region)


@dataclass(frozen=True)
class Break:
    """A stretch of days without school, both ends included."""

    since: date
    until: date
    region: str
    title_sl: str
    title_en: str


def civil_days(place: Place, home: Path | None = None) -> pa.Table:
    """Every day from FIRST to LAST at this place, as CIVIL_DAYS. Raises DravaError where the town's CSV is wrong."""
    return _table(place, tuple(school_breaks(home)))


def sun(place: Place, days: Iterable[date]) -> Iterator[tuple[date, datetime, datetime]]:
    """Local day, sunrise and sunset (UTC); a day on which the sun does not rise or set is left out."""
    for day in days:
        if (told := _risen(place, day)) is not None:
            yield (day, *told)


@lru_cache(maxsize=4096)  # each run asks for the same year again
def _risen(place: Place, day: date) -> tuple[datetime, datetime] | None:
    observer, zone = Observer(place.lat, place.lon), ZoneInfo(place.zone)
    try:
        rise, set_ = (find(observer, day, tzinfo=zone).astimezone(UTC) for find in (sunrise, sunset))
    except ValueError:  # beyond the polar circle
        return None
    return rise, set_


def school_breaks(home: Path | None = None) -> list[Break]:
    """The school holidays that hold here: the town's own file where there is one, else those that come with Drava."""
    own = home / SCHOOL_FILE if home else None
    if own and own.is_file():
        return _breaks(own.read_bytes(), str(own))
    shipped = files("schemas") / "calendar" / SCHOOL_FILE
    return _breaks(shipped.read_bytes(), SCHOOL_FILE)


def _breaks(data: bytes, where: str) -> list[Break]:
    sheet = read(data)
    if sheet.problems:
        raise DravaError(f"line {sheet.problems[0].line} of {where} cannot be read", "Save it as CSV with ; or ,")
    found = []
    for row in sheet.rows:
        if (one := _break(row.cells)) is None:
            raise DravaError(
                f"line {row.line} of {where} is no school holiday",
                "Columns since, until (2026-02-23), region (all, east or west), title_sl, title_en",
            )
        found.append(one)
    return found


def _break(cells: Mapping[str, str]) -> Break | None:
    try:
        since, until = (date.fromisoformat(cells[name]) for name in ("since", "until"))
    except (KeyError, ValueError):
        return None
    region = cells.get("region") or "all"
    titles = cells.get("title_sl") or "šolske počitnice", cells.get("title_en") or "School holidays"
    return Break(since, until, region, *titles) if since <= until and region in REGIONS else None


@cache
def _table(place: Place, breaks: Sequence[Break]) -> pa.Table:
    days = [FIRST + n * _DAY for n in range((LAST - FIRST).days + 1)]
    names = {lang: _holidays(lang) for lang in ("sl", "en_US")}
    school, known = _school(place, breaks)
    light = {day: (up, down) for day, up, down in sun(place, days)}
    zone = ZoneInfo(place.zone)
    columns = zip(
        *(
            (
                day,
                _first(zone, day, time()),
                _first(zone, day + _DAY, time()),
                _first(zone, day, NIGHT[0]),
                _last(zone, day, NIGHT[1]),
                names["sl"].get(day),
                names["en_US"].get(day),
                day in school if _school_year(day) in known else None,
                *school.get(day, (None, None)),
                *light.get(day, (None, None)),
            )
            for day in days
        ),
        strict=True,
    )
    arrays = [pa.array(column, field.type) for column, field in zip(columns, CIVIL_DAYS, strict=True)]
    return pa.table(arrays, schema=CIVIL_DAYS)


def _first(zone: ZoneInfo, day: date, clock: time) -> datetime:
    """When clocks first show this time or, where they leap over it, a later one."""
    return datetime.combine(day, clock, zone).astimezone(UTC)


def _last(zone: ZoneInfo, day: date, clock: time) -> datetime:
    """When clocks show this time for the last time."""
    return max(datetime.combine(day, clock, zone).replace(fold=fold).astimezone(UTC) for fold in (0, 1))


@cache
def _holidays(lang: str) -> dict[date, str]:
    from holidays import country_holidays  # noqa: PLC0415 - 50 ms that few questions need

    found: Any = country_holidays(COUNTRY, years=range(FIRST.year, LAST.year + 1), language=lang)
    return dict(found.items())


def _school(place: Place, breaks: Sequence[Break]) -> tuple[dict[date, tuple[str, str]], set[int]]:
    """Titles by day without school in the place's region, and the school years of which anything is known."""
    free: dict[date, tuple[str, str]] = {}
    for one in breaks:
        if one.region in ("all", place.school_region):
            for n in range((one.until - one.since).days + 1):
                free[one.since + n * _DAY] = (one.title_sl, one.title_en)
    return free, {_school_year(one.since) for one in breaks}


def _school_year(day: date) -> int:
    """The year in whose September it began."""
    return day.year if day.month > _AUGUST else day.year - 1
