"""`drava indicators enter`, `kpis`: values that no device gives, and where each KPI of the strategies stands."""

import sys
from collections.abc import Iterator, Sequence
from datetime import date
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer

from catalog.entered import enter, history
from commands.context import Context, Json, context, show_json, show_rows
from indicators import words
from indicators.entered import entry
from indicators.kpis import Kpi, Strategy, of_town, strategies
from indicators.kpis import kpi as kpi_named
from indicators.sheet import WORDS, Row, sheet
from lake.commit import refresh
from lake.query import open_found
from lake.snapshot import find
from schemas.errors import DravaError
from schemas.settings import Lang

TABLES = ("indicator_values", "entered_values", "municipality", "snapshot")
HEADINGS: dict[Lang, dict[str, str]] = {
    "en": {
        "kpi": "kpi",
        "title": "title",
        "base": "printed, first year",
        "target": "printed, target",
        "value": "value",
        "reporting": "reporting",
        "change": "change in a year",
        "distance": "to target",
        "status": "status",
        "coverage": "coverage",
        "on": "on",
        "how": "from",
    },
    "sl": {
        "kpi": "kazalnik",
        "title": "naslov",
        "base": "zapisano, začetek",
        "target": "zapisano, cilj",
        "value": "vrednost",
        "reporting": "poroča",
        "change": "sprememba v letu",
        "distance": "do cilja",
        "status": "stanje",
        "coverage": "pokritost",
        "on": "na dan",
        "how": "izvor",
    },
}
HOW: dict[Lang, dict[str, str]] = {
    "en": {"computed": "computed", "entered": "entered", "": ""},
    "sl": {"computed": "izračunano", "entered": "vneseno", "": ""},
}


def attach(indicators: typer.Typer) -> None:
    """Put these commands below `drava indicators`."""
    indicators.command("enter")(enter_value)
    indicators.command("kpis")(kpis)


def enter_value(
    ctx: typer.Context,
    kpi: Annotated[str, typer.Argument(metavar="KPI", help="P27, M17, …: drava indicators kpis names them.")],
    value: Annotated[str | None, typer.Option(help="12,5 or 12.5; yes or no where the KPI is one.")] = None,
    day: Annotated[str | None, typer.Option("--date", help="The day whose value it is; default: today.")] = None,
    author: Annotated[str, typer.Option(help="Who says so.")] = "",
    source: Annotated[str, typer.Option(help="Where it comes from: a document, a register, a count.")] = "",
    note: Annotated[str, typer.Option(help="What else should be known; why it is corrected.")] = "",
    withdraw: Annotated[bool, typer.Option("--withdraw", help="Take back what was entered for this day.")] = False,
    as_json: Json = False,
) -> None:
    """Enter a value by hand; one for the same day corrects the earlier, which stays in the history.

    Without --value the history of the KPI is shown.
    """
    run = context(ctx)
    found = kpi_named(kpi)
    if value is None and not withdraw:
        show_rows(_history(run, found), as_json=as_json)
        return
    if value is not None and withdraw:
        raise DravaError("--value and --withdraw contradict each other", "Name one of them")
    zone = run.home.settings.timezone
    local = day or run.now().astimezone(ZoneInfo(zone)).date().isoformat()
    fresh = entry(found.id, value, local, author=author, source=source, note=note, now=run.now(), zone=zone)
    before = enter(run.store, fresh)
    refresh(run.home, run.store, run.clock)
    told = {"kpi": found.id, "date": fresh.local_date, "value": fresh.value, "before": before.value if before else None}
    if as_json:
        show_json(told)
        return
    said = "taken back" if fresh.value is None else f"= {fresh.value:.15g}"
    instead = f", instead of {before.value:g}" if before and before.value not in (None, fresh.value) else ""
    sys.stdout.write(f"{found.id} on {fresh.local_date} {said}{instead}: {found.title.to(run.home.settings.lang)}\n")


def _history(run: Context, kpi: Kpi) -> list[dict[str, Any]]:
    return [
        {
            "kpi": one.kpi,
            "date": one.local_date,
            "value": one.value,
            "author": one.author,
            "source": one.reference,
            "note": one.note,
            "entered_at": one.entered_at,
        }
        for one in history(run.store, kpi.id)
    ]


def kpis(
    ctx: typer.Context,
    strategy: Annotated[str | None, typer.Option(help="ptuj or maribor; default: that of the municipality.")] = None,
    lang: Annotated[Lang | None, typer.Option(help="Language of the texts; default: that of the home.")] = None,
    as_json: Json = False,
) -> None:
    """Show where each KPI of the strategy stands: value, trend, distance to the target, status, and its source."""
    run = context(ctx)
    settings = run.home.settings
    to = lang or settings.lang
    wanted = _wanted(strategy, settings.municipality)
    until = run.now().astimezone(ZoneInfo(settings.timezone)).date()
    with open_found(run.home.path, find(run.home.path), settings=settings, tables=TABLES) as connection:
        found = sheet(connection, wanted, until)
    listed = [row for one in wanted for row in found[one.id]]
    if as_json:
        show_json([_plain(row, to) for row in listed])
    else:
        show_rows([_shown(row, to) for row in listed], as_json=False)


def _wanted(name: str | None, municipality: str) -> Sequence[Strategy]:
    if name is None:
        return of_town(municipality)
    if name not in strategies():
        raise DravaError(f"there is no strategy {name!r}", f"Name one of: {', '.join(strategies())}")
    return [strategies()[name]]


def _plain(row: Row, lang: Lang) -> dict[str, Any]:
    """A row as numbers."""
    now = row.now
    return {
        "kpi": row.kpi.id,
        "area": row.kpi.area,
        "section": row.kpi.section,
        "title": row.kpi.title.to(lang),
        "measure": row.kpi.measure.to(lang),
        "unit": row.kpi.unit,
        "printed": row.kpi.printed,
        "value": now.value if now else None,
        "date": now.on if now else None,
        "reporting": row.reporting.value if row.reporting else None,
        "change": row.change,
        "distance": row.distance,
        "status": row.status,
        "coverage": _coverage(row),
        "how": row.how,
        "source": now.reference if now else "",
        "version": now.version if now else None,
        "snapshot": now.snapshot_id if now else None,
        "note": row.kpi.note.to(lang) if row.kpi.note else "",
    }


def _shown(row: Row, lang: Lang) -> dict[str, object]:
    """A row in the words of a reader."""
    return dict(zip(HEADINGS[lang].values(), _cells(row, lang), strict=True))


def _cells(row: Row, lang: Lang) -> Iterator[object]:
    printed, now = row.kpi.printed, row.now
    years = sorted(printed)
    yield row.kpi.id
    yield row.kpi.title.to(lang)
    yield f"{years[0]}: {printed[years[0]]}" if years else ""
    yield f"{years[-1]}: {printed[years[-1]]}" if years else ""
    yield amount(now.value if now else None, row.kpi.unit, lang)
    yield amount(row.reporting.value if row.reporting else None, row.kpi.unit, lang)
    yield amount(row.change, row.kpi.unit, lang, signed=True)
    yield amount(row.distance, row.kpi.unit, lang)
    yield WORDS[row.status][lang]
    coverage = _coverage(row)
    yield "" if coverage is None else amount(100 * coverage, "%", lang)
    yield _day(now.on, lang) if now else ""
    yield HOW[lang][row.how]


def _coverage(row: Row) -> float | None:
    """That of the number which reports, where there is one: what is installed is known by definition."""
    point = row.reporting or row.now
    return point.coverage if point else None


def amount(value: float | None, unit: str, lang: Lang, *, signed: bool = False) -> str:
    """A value with its unit; nothing where there is none."""
    if value is None:
        return ""
    sign = "+" if signed and value > 0 else ""
    return f"{sign}{words.number(value, lang)} {words.unit(unit, lang)}".strip()


def _day(day: date, lang: Lang) -> str:
    return f"{day.day}. {day.month}. {day.year}" if lang == "sl" else day.isoformat()
