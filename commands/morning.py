"""`drava morning`: the list of the morning, for the terminal, as files, and as letters to those who want it."""

import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer

from catalog.alarms import Alarm
from catalog.outbox import Letter, post_new
from commands.context import Context, context
from indicators.causes import is_detector
from indicators.frame import Cursor
from indicators.header import packs
from indicators.morning import LABELS, MESSAGES, READINGS, Balance, Figure, Finding, Morning, Silent
from indicators.morning_page import page
from indicators.morning_text import text
from indicators.notify import Herald
from indicators.notify_text import one_line
from indicators.places import TABLES, Places
from indicators.round import TABLES as OF_ROUND
from indicators.round import Round, tomorrow
from indicators.telling import what, why
from indicators.thresholds import detectors
from indicators.words import MONTHS
from lake.query import open_snapshot
from schemas.alerts import Recipient
from schemas.settings import Home, Lang
from schemas.vocabulary import families

DAYS = 1  # alarms that ended earlier are history, not this morning's
SILENT = "platform.silent_device"
COVERAGE = "platform.completeness"
ELSEWHERE = ("platform.", "kpi.")  # how the platform fares is for its operators, KPIs have a sheet of their own
WASTE = "waste.bin_overflow"  # who wants to know of full containers gets the list of tomorrow
_READ = (*TABLES, *OF_ROUND, *families(), "alarms", "indicator_values", "balance", "quarantine")
_COVERED = ("family", "municipality")
_LOST = ("litres_per_hour", "volume_m3", "eur")


def add(app: typer.Typer) -> None:
    """Put the commands of this topic on the command line."""
    app.command("morning")(morning)


def morning(
    ctx: typer.Context,
    lang: Annotated[str | None, typer.Option(help="sl or en; default: the municipality's language.")] = None,
    html: Annotated[Path | None, typer.Option(help="Write the report to this file as a page too.")] = None,
    send: Annotated[
        bool, typer.Option("--send", help="Write it to reports/, and send it to recipients; once a local day.")
    ] = False,
) -> None:
    """Say what is new, what goes on, what is over, who is silent; then the indicators and the balance."""
    run = context(ctx)
    home = run.home
    wanted: Lang = "en" if (lang or home.settings.lang) == "en" else "sl"
    found = gathered(home, run.now(), wanted)
    if html:
        html.write_text(page(found), "utf-8")
    if send:
        for path in _kept(run, found):
            typer.echo(str(path))
        for letter in _sent(run):
            typer.echo(f"{letter.recipient}: {letter.body['subject']}")
    else:
        typer.echo(text(found), nl=False)


def gathered(home: Home, at: datetime, lang: Lang, recipient: Recipient | None = None) -> Morning:
    """Everything the list says, from the newest snapshot; for a recipient what concerns it, and no household's use."""
    settings = home.settings
    with open_snapshot(home.path, settings=settings, tables=_READ) as snapshot:
        places = Places.read(snapshot)
        herald = Herald(settings, {pack.id: pack for pack in detectors(settings)}, at, places)
        known = [_alarm(row) for row in alarms(snapshot, at - timedelta(days=DAYS))]
        meant = [alarm for alarm in known if recipient is None or herald.wants(recipient, alarm)]
        happened = [alarm for alarm in meant if herald.event(alarm)]
        listed = [alarm for alarm in meant if not _merely_silent(alarm) and not herald.event(alarm)]
        figures = _figures(snapshot, home, lang)
        return Morning(
            municipality=settings.title or settings.municipality,
            zone=ZoneInfo(settings.timezone),
            at=at,
            lang=lang,
            findings=[_finding(alarm, herald, lang, discreet=recipient is not None) for alarm in listed],
            figures=[figure for name, _, figure in figures if not name.startswith(ELSEWHERE)],
            balance=_balance(snapshot),
            rows=_stored(snapshot, lang),
            silent=_silent([alarm for alarm in meant if _merely_silent(alarm)], places, lang),
            coverage=_coverage(figures, lang),
            events=list(
                Counter(
                    what(alarm.detector, alarm.kind, lang)
                    for alarm in happened
                    if alarm.since > at - timedelta(days=DAYS)
                ).items()
            ),
            round=_round(snapshot, home, at, places, recipient),
        )


def _coverage(figures: Sequence[tuple[str, str, Figure]], lang: Lang) -> list[Figure]:
    """The share of readings that came, by family; that of all of them last."""
    by_kind = {kind: [one for name, what_, one in figures if (name, what_) == (COVERAGE, kind)] for kind in _COVERED}
    return by_kind["family"] + [replace(one, where=LABELS["total"][lang]) for one in by_kind["municipality"]]


def _round(snapshot: Cursor, home: Home, at: datetime, places: Places, recipient: Recipient | None) -> Round:
    """The containers of tomorrow; for a recipient those of its areas, where it wants to know of full ones."""
    names = recipient.detectors if recipient else ()
    if names and not any(is_detector(WASTE, name) for name in names):
        return Round()
    found = tomorrow(snapshot, as_of=at, settings=home.settings)
    areas = set(recipient.areas) if recipient else set()
    stops = [stop for stop in found.stops if not areas or areas & set(places.within(stop.area_id))]
    return Round(stops, found.silent)


# --- what is kept and sent -------------------------------------------------------------------------------------------
def _kept(run: Context, found: Morning) -> list[Path]:
    """Write the list as text and as a page, named by the local day; the same day's is replaced."""
    folder = run.home.reports
    folder.mkdir(mode=0o750, exist_ok=True)
    written = []
    for suffix, body in ((".txt", text(found)), (".html", page(found))):
        path = folder / f"morning-{_day_of(found)}{suffix}"
        fresh = path.with_name(f".{path.name}.new")
        fresh.write_text(body, "utf-8")
        fresh.chmod(0o640)
        fresh.replace(path)
        written.append(path)
    return written


def _sent(run: Context) -> list[Letter]:
    """Put the list of this local day into the outbox for everybody who wants it and has not got it."""
    home, now = run.home, run.now()
    letters = []
    for recipient in home.settings.recipient:
        if recipient.morning:
            found = gathered(home, now, recipient.lang or home.settings.lang, recipient)
            about = f"morning-{_day_of(found)}"
            letter = Letter(f"{about}.1.{recipient.name}", about, recipient.name, 1, "list", _body(found), now, now)
            letters.append(letter)
    return post_new(run.store, letters)


def _day_of(found: Morning) -> str:
    return found.at.astimezone(found.zone).date().isoformat()


def _body(found: Morning) -> dict[str, Any]:
    subject = one_line(f"[{found.town}] {found.label('heading')} {_day_of(found)} – {found.summary}")
    document = {
        "event": "list",
        "municipality": found.municipality,
        "date": _day_of(found),
        "text": found.summary,
        "alarms": [
            {
                "alarm_id": one.alarm_id,
                "group": found.group(one),
                "kind": one.kind,
                "title": one.title,
                "where": one.where,
                "severity": one.severity,
                "since": one.since.isoformat(),
                "until": one.until.isoformat() if one.until else None,
            }
            for one in found.ordered
        ],
        "silent": {one.title: len(one.devices) for one in found.silent},
    }
    return {"subject": subject, "text": text(found), "html": page(found), "document": document}


# --- what it says ----------------------------------------------------------------------------------------------------
def alarms(snapshot: Cursor, since: datetime) -> list[dict[str, Any]]:
    """Alarms that hold, or ended or were found after `since`, with the titles of their places."""
    return _rows(
        snapshot,
        """SELECT a.*, t.family, t.title AS thing_title, r.title AS area_title
        FROM alarms AS a LEFT JOIN things AS t ON t.thing_id = a.thing_id
        LEFT JOIN areas AS r ON r.area_id = coalesce(a.area_id, t.area_id)
        WHERE a.state <> 'retracted' AND (a.until IS NULL OR a.until > $1 OR a.found_at > $1)
        ORDER BY a.since, a.alarm_id""",
        [since],
    )


def _rows(snapshot: Cursor, query: str, parameters: Sequence[object] = ()) -> list[dict[str, Any]]:
    done = snapshot.execute(query, list(parameters))
    names = [column[0] for column in done.description]
    return [dict(zip(names, row, strict=True)) for row in done.fetchall()]


def _alarm(row: Mapping[str, Any]) -> Alarm:
    known = {name: row[name] for name in Alarm.__dataclass_fields__ if name != "evidence"}
    return Alarm(**known, evidence=json.loads(row["evidence"] or "{}"))


def _merely_silent(alarm: Alarm) -> bool:
    """Single devices are counted; a gateway or a town that is silent is a finding."""
    return alarm.detector == SILENT and alarm.severity == "info" and not alarm.cause and alarm.holds


def _finding(alarm: Alarm, herald: Herald, lang: Lang, *, discreet: bool) -> Finding:
    thing, area = herald.places.titles(alarm)
    private = discreet and herald.personal(alarm)
    amounts = {} if private else {name: getattr(alarm, name) for name in _LOST}
    return Finding(
        alarm_id=alarm.alarm_id,
        kind=alarm.kind,
        title=what(alarm.detector, alarm.kind, lang, alarm.evidence),
        where=", ".join(dict.fromkeys(part for part in (thing or alarm.thing_id or alarm.device_id, area) if part)),
        since=alarm.since,
        until=alarm.until,
        severity=alarm.severity,
        why="" if private else why(alarm.detector, {**vars(alarm), **alarm.evidence}, lang),
        found_at=alarm.found_at,
        cause=alarm.cause,
        muted=alarm.muted,
        unconfirmed_at=alarm.unconfirmed_at,
        private=private,
        **amounts,
    )


def _silent(found: Collection[Alarm], places: Places, lang: Lang) -> list[Silent]:
    """Devices that are silent, by family."""
    by_family: dict[str, list[str]] = {}
    for alarm in found:
        family, _ = places.devices.get(alarm.device_id or "", ("", None))
        title = families()[family].catalogue.title.to(lang) if family in families() else family
        by_family.setdefault(title, []).append(places.titles(alarm)[0] or alarm.subject)
    return [Silent(title, sorted(names)) for title, names in sorted(by_family.items())]


def _figures(snapshot: Cursor, home: Home, lang: Lang) -> list[tuple[str, str, Figure]]:
    """The newest value of each indicator for each area and the town, with the indicator's id and the subject's kind."""
    newest = _rows(
        snapshot,
        """SELECT v.*, coalesce(r.title, v.subject_id) AS place
        FROM indicator_values AS v LEFT JOIN areas AS r ON r.area_id = v.subject_id
        WHERE v.subject_kind NOT IN ('thing', 'device')
        QUALIFY row_number() OVER (
            PARTITION BY v.indicator, v.subject_id ORDER BY v.period_start DESC, v.computed_at DESC) = 1
        ORDER BY v.indicator, place""",
    )
    known = packs("indicator")
    return [
        (
            row["indicator"],
            row["subject_kind"],
            Figure(
                known[row["indicator"]].title.to(lang),
                _place(row, home, lang),
                row["value"],
                row["unit"],
                _period(row, lang),
            ),
        )
        for row in newest
        if row["indicator"] in known
    ]


def _place(row: Mapping[str, Any], home: Home, lang: Lang) -> str:
    if row["subject_kind"] == "municipality":
        return home.settings.title or home.settings.municipality.replace("-", " ").replace("_", " ").title()
    family = families().get(row["subject_id"]) if row["subject_kind"] == "family" else None
    return family.catalogue.title.to(lang) if family else str(row["place"])


def _period(row: Mapping[str, Any], lang: Lang) -> str:
    first, last = row["period_start"], row["period_end"] - timedelta(days=1)
    return _day(first, lang) if first >= last else f"{_day(first, lang)} – {_day(last, lang)}"


def _day(day: date, lang: Lang) -> str:
    return f"{day.day}. {day.month}. {day.year}" if lang == "sl" else f"{day.day} {MONTHS[day.month - 1]} {day.year}"


def _stored(snapshot: Cursor, lang: Lang) -> list[tuple[str, int]]:
    """Rows of each family that has some."""
    counts = " UNION ALL ".join(f"SELECT '{name}' AS family, count(*) AS n FROM {name}" for name in families())
    return [
        (families()[row["family"]].catalogue.title.to(lang), row["n"]) for row in _rows(snapshot, counts) if row["n"]
    ]


def _balance(snapshot: Cursor) -> Balance:
    names = ("received", *MESSAGES, "readings", *(_column(name) for name in READINGS))
    sums = ", ".join(f"coalesce(sum({name}), 0)::BIGINT AS {name}" for name in names)
    row = _rows(snapshot, f"SELECT {sums} FROM balance")[0]
    reasons = _rows(snapshot, "SELECT reason, sum(count)::BIGINT AS count FROM quarantine GROUP BY reason")
    return Balance(
        received=row["received"],
        messages={name: row[name] for name in MESSAGES},
        decoded=row["readings"],
        readings={name: row[_column(name)] for name in READINGS},
        reasons={row["reason"]: row["count"] for row in reasons},
    )


def _column(name: str) -> str:
    """The balance's column of a count of readings; messages and readings in quarantine are two columns."""
    return "readings_quarantined" if name == "quarantined" else name
