"""Tomorrow's round: which containers will be full by tomorrow evening, the fullest first, and who was not heard."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from indicators import words
from indicators.frame import Cursor, Terms, frame
from indicators.places import Places
from schemas.settings import Lang, Settings

TABLES = ("fill_forecast", "waste_container", "assignments", "things", "areas", "devices", "municipality")
FULL = 90.0  # percent: as the indicator waste.tomorrow has it
BACK = timedelta(days=40)  # what the interval of the forecast looks back

_WORDS: dict[str, dict[Lang, str]] = {
    "title": {"sl": "Zabojniki za jutri", "en": "Containers for tomorrow"},
    "none": {"sl": "Nobeden ne bo poln.", "en": "None will be full."},
    "now": {"sl": "zdaj {}", "en": "now {}"},
    "then": {"sl": "jutri ob 20.00 {}", "en": "tomorrow at 20:00 {}"},
    "full": {"sl": "že poln", "en": "full already"},
    "will": {"sl": "bo poln", "en": "will be full"},
    "may": {"sl": "morda poln", "en": "may be full"},
    "rate": {"sl": "na dan {} točk", "en": "{} points a day"},
    "heard": {"sl": "slišan {}", "en": "heard {}"},
    "silent": {
        "sl": "Od včeraj brez odčitka, napovedi zanje ni: {}",
        "en": "No reading since yesterday, so no forecast: {}",
    },
}

_STOPS = """
SELECT f.thing_id, t.title, t.area_id, coalesce(a.title, t.area_id), t.lat, t.lon, f.fill_pct, f.last_at, f.low_pct,
    least(f.then_pct, 100), f.high_pct, f.points_a_day
FROM fill_forecast AS f JOIN things AS t ON t.thing_id = f.thing_id
LEFT JOIN areas AS a ON a.area_id = t.area_id
CROSS JOIN run AS r
WHERE f.local_date = r.today AND (f.then_pct >= $1 OR f.high_pct >= $1)
ORDER BY f.fill_pct >= $1 DESC, f.then_pct DESC, f.high_pct DESC, f.thing_id"""

_SILENT = """
SELECT t.thing_id, coalesce(t.title, t.thing_id), t.area_id
FROM things AS t JOIN assignments AS a ON a.thing_id = t.thing_id AND a.valid_to IS NULL
CROSS JOIN run AS r
WHERE t.family = 'waste_container' AND NOT EXISTS (
    FROM waste_container AS w WHERE w.device_id = a.device_id AND w.fill_pct IS NOT NULL AND w.quality NOT IN (4, 9)
        AND w.observed_at >= timezone(r.zone, CAST(r.today - 1 AS TIMESTAMP)))
ORDER BY ALL"""


@dataclass(frozen=True)
class Stop:
    """One container of the round: how full it is, and what is expected of it at 20:00 tomorrow; percents."""

    thing_id: str
    title: str | None
    area_id: str | None
    area: str | None
    lat: float | None
    lon: float | None
    fill_pct: float
    last_at: datetime
    low_pct: float | None
    then_pct: float
    high_pct: float | None
    points_a_day: float | None

    @property
    def why(self) -> str:
        """`full` already, `will` be full by tomorrow evening, or `may` be, at the upper end of what is expected."""
        return "full" if self.fill_pct >= FULL else "will" if self.then_pct >= FULL else "may"

    @property
    def place(self) -> str:
        """Where it stands."""
        return ", ".join(part for part in (self.title, self.area) if part) or self.thing_id


@dataclass(frozen=True)
class Round:
    """The list of tomorrow, and the containers that nobody knows of."""

    stops: Sequence[Stop] = ()
    silent: Sequence[str] = ()


def tomorrow(connection: Cursor, *, as_of: datetime, settings: Settings, area: str | None = None) -> Round:
    """Make the list as it is known at `as_of`, of an area with those in it, or of the town."""
    terms = Terms.of(settings, as_of)
    with frame(connection, terms, TABLES, back=BACK):
        stops = [Stop(*row) for row in connection.execute(_STOPS, [FULL]).fetchall()]
        silent = connection.execute(_SILENT).fetchall()
    within = Places.read(connection).within
    return Round(
        [stop for stop in stops if area is None or area in within(stop.area_id)],
        list(dict.fromkeys(title for _, title, place in silent if area is None or area in within(place))),
    )


def heading(found: Round, lang: Lang) -> str:
    """The title of the list with how many are on it."""
    return f"{_WORDS['title'][lang]} ({len(found.stops)})"


def text(found: Round, zone: ZoneInfo, lang: Lang) -> str:
    """Write the list for a driver: three short lines a container."""
    lines = [heading(found, lang)]
    for n, stop in enumerate(found.stops, 1):
        lines.append(f"{n:>3}. {stop.place}  [{stop.thing_id}]")
        lines.append(f"     {expected(stop, lang)}")
        lines.append(f"     {', '.join(_notes(stop, zone, lang))}")
    if not found.stops:
        lines.append(f"  {_WORDS['none'][lang]}")
    if found.silent:
        lines += ["", _WORDS["silent"][lang].format(", ".join(found.silent))]
    return "\n".join(lines) + "\n"


def expected(stop: Stop, lang: Lang) -> str:
    """What is to be expected of a container, and why it is on the list."""
    now = _WORDS["now"][lang].format(_percent(stop.fill_pct, lang))
    between = f" ({stop.low_pct:.0f}–{stop.high_pct:.0f})" if stop.low_pct is not None else ""
    then = _WORDS["then"][lang].format(_percent(stop.then_pct, lang))
    return f"{_WORDS[stop.why][lang]}: {now}, {then}{between}"


def _notes(stop: Stop, zone: ZoneInfo, lang: Lang) -> list[str]:
    rate = _WORDS["rate"][lang].format(f"{stop.points_a_day:.0f}") if stop.points_a_day is not None else ""
    heard = _WORDS["heard"][lang].format(words.moment(stop.last_at, zone, lang))
    where = f"{stop.lat:.5f} {stop.lon:.5f}" if stop.lat is not None and stop.lon is not None else ""
    return [note for note in (rate, heard, where) if note]


def _percent(value: float, lang: Lang) -> str:
    return f"{value:.0f} %" if lang == "sl" else f"{value:.0f}%"
