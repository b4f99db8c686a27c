"""`drava morning`: what a snapshot says about the town, as text for the terminal and as a page."""

import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer

from commands.context import context
from indicators.frame import Cursor
from indicators.header import packs
from indicators.morning import MESSAGES, READINGS, Balance, Figure, Finding, Morning, text
from indicators.morning_page import page
from indicators.telling import what, why
from lake.query import open_snapshot
from schemas.settings import Home, Lang
from schemas.vocabulary import families

DAYS = 21  # alarms that ended earlier are history, not this morning's
_LOST = ("litres_per_hour", "volume_m3", "eur")


def add(app: typer.Typer) -> None:
    """Put the commands of this topic on the command line."""
    app.command("morning")(morning)


def morning(
    ctx: typer.Context,
    lang: Annotated[str | None, typer.Option(help="sl or en; default: the municipality's language.")] = None,
    html: Annotated[Path | None, typer.Option(help="Write the report to this file as a page too.")] = None,
) -> None:
    """Say what is wrong, where, since when and what it costs; then the indicators and the balance."""
    run = context(ctx)
    home = run.home
    wanted: Lang = "en" if (lang or home.settings.lang) == "en" else "sl"
    found = gathered(home, run.now(), wanted)
    typer.echo(text(found), nl=False)
    if html:
        html.write_text(page(found), "utf-8")


def gathered(home: Home, at: datetime, lang: Lang) -> Morning:
    """Everything the report says, from the newest snapshot."""
    settings = home.settings
    with open_snapshot(home.path, settings=settings) as snapshot:
        return Morning(
            municipality=settings.title or settings.municipality,
            zone=ZoneInfo(settings.timezone),
            at=at,
            lang=lang,
            findings=[_finding(alarm, lang) for alarm in alarms(snapshot, at - timedelta(days=DAYS))],
            figures=_figures(snapshot, lang),
            balance=_balance(snapshot),
            rows=_stored(snapshot, lang),
        )


def alarms(snapshot: Cursor, since: datetime) -> list[dict[str, Any]]:
    """Alarms that hold, or ended after `since`, with the titles of their places."""
    return _rows(
        snapshot,
        """SELECT a.*, t.family, t.title AS thing_title, r.title AS area_title
        FROM alarms AS a LEFT JOIN things AS t ON t.thing_id = a.thing_id
        LEFT JOIN areas AS r ON r.area_id = coalesce(a.area_id, t.area_id)
        WHERE a.state <> 'retracted' AND (a.until IS NULL OR a.until > ?) ORDER BY a.since, a.alarm_id""",
        [since],
    )


def _rows(snapshot: Cursor, query: str, parameters: Sequence[object] = ()) -> list[dict[str, Any]]:
    done = snapshot.execute(query, list(parameters))
    names = [column[0] for column in done.description]
    return [dict(zip(names, row, strict=True)) for row in done.fetchall()]


def _finding(alarm: Mapping[str, Any], lang: Lang) -> Finding:
    place = [alarm["thing_title"] or alarm["thing_id"], alarm["area_title"] or alarm["area_id"]]
    evidence = json.loads(alarm["evidence"] or "{}")
    return Finding(
        alarm_id=alarm["alarm_id"],
        kind=alarm["kind"],
        title=what(alarm["detector"], alarm["kind"], lang),
        where=", ".join(dict.fromkeys(part for part in place if part)),
        since=alarm["since"],
        until=alarm["until"],
        severity=alarm["severity"],
        why=why(alarm["detector"], {**alarm, **evidence}, lang),
        **{name: alarm[name] for name in _LOST},
    )


def _figures(snapshot: Cursor, lang: Lang) -> list[Figure]:
    """The newest value of each indicator for each area and for the whole town."""
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
        Figure(known[row["indicator"]].title.to(lang), _place(row, lang), row["value"], row["unit"], _period(row, lang))
        for row in newest
        if row["indicator"] in known
    ]


def _place(row: Mapping[str, Any], lang: Lang) -> str:
    family = families().get(row["subject_id"]) if row["subject_kind"] == "family" else None
    return family.catalogue.title.to(lang) if family else str(row["place"])


def _period(row: Mapping[str, Any], lang: Lang) -> str:
    first, last = row["period_start"], row["period_end"] - timedelta(days=1)
    return _day(first, lang) if first >= last else f"{_day(first, lang)} – {_day(last, lang)}"


def _day(day: date, lang: Lang) -> str:
    return f"{day.day}. {day.month}. {day.year}" if lang == "sl" else day.isoformat()


def _stored(snapshot: Cursor, lang: Lang) -> list[tuple[str, int]]:
    """Rows of each family."""
    counts = " UNION ALL ".join(f"SELECT '{name}' AS family, count(*) AS n FROM {name}" for name in families())
    return [(families()[row["family"]].catalogue.title.to(lang), row["n"]) for row in _rows(snapshot, counts)]


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
