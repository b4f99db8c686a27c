"""`drava indicators history`, `explain --subject`: what was told of a period, why it changed, what it comes from."""

import sys
from datetime import date
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer

from commands.context import Context, Json, context, show_json, show_rows, visible
from indicators.header import Pack, chosen
from indicators.trace import Of, causes, messages, needed_values, readings, told
from indicators.trace_words import became, headline, why
from lake.query import open_found
from lake.snapshot import find
from schemas.errors import DravaError

Subject = Annotated[str, typer.Option(help="Whose value: a thing, an area, a family, as in indicator_values.")]
Period = Annotated[str, typer.Option(metavar="YYYY-MM-DD", help="Its first local day; YYYY-MM: that month.")]
_COLUMNS = ("value", "unit", "numerator", "denominator", "coverage", "devices", "estimated_share")
_SEEN = ("version", "snapshot_id")
_TITLES = {"en": ("value", "values", "readings", "messages"), "sl": ("vrednost", "vrednosti", "odčitki", "sporočila")}


def history(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="ID", help="As in the list.")],
    subject: Subject,
    period: Period,
    as_json: Json = False,
) -> None:
    """Say what was told of a period, when, and what came in between that changed it."""
    run = context(ctx)
    of, values = _of(run, name, subject, period)
    lang, zone = run.home.settings.lang, ZoneInfo(run.home.settings.timezone)
    rows: list[dict[str, Any]] = []
    with open_found(run.home.path, find(run.home.path), settings=run.home.settings) as lake:
        for before, row in zip([None, *values], values, strict=False):
            found = [] if before is None else causes(lake, run.store, of, before, row)
            because = [*became(before, row, lang), *(why(cause, lang, zone) for cause in found)]
            told = {"computed_at": row["computed_at"], **{name: row[name] for name in (*_COLUMNS, *_SEEN)}}
            rows.append({**told, "because": because})
    if as_json:
        show_json(rows)
        return
    for row in rows:
        sys.stdout.write(f"{headline(row, lang, zone)}\n")
        sys.stdout.writelines(f"    {visible(line)}\n" for line in row["because"])


def explained(run: Context, pack: Pack, subject: str, period: str, *, as_json: bool) -> None:
    """Show a value down to its readings and messages."""
    of, values = _of(run, pack.id, subject, period)
    value = values[-1]
    home = run.home
    with open_found(home.path, find(home.path), settings=home.settings, limited=False) as lake:
        below = needed_values(lake, of, value["period_end"])
        rows = readings(lake, of, value["period_end"], home.settings.timezone)
        raw = messages(lake, {row["message_id"] for row in rows})
    if as_json:
        show_json({"value": value, "values": below, "readings": rows, "messages": raw})
        return
    titles = _TITLES[home.settings.lang]
    _section(titles[0], [{k: value[k] for k in ("period_start", "period_end", *_COLUMNS, *_SEEN, "computed_at")}])
    for title, listed in zip(titles[1:], (below, rows, raw), strict=True):
        _section(title, listed)


def _section(title: str, rows: list[dict[str, Any]]) -> None:
    if rows:
        sys.stdout.write(f"\n{title}\n")
        show_rows(rows, as_json=False)


def _of(run: Context, name: str, subject: str, period: str) -> tuple[Of, list[dict[str, Any]]]:
    """The value that is meant, and all that were ever told of it. Raises DravaError where there is none."""
    pack = chosen("indicator", [name])[0]
    try:
        first = date.fromisoformat("-".join([*period.split("-"), "01", "01"][:3]))  # a month and a year begin so, too
    except ValueError:
        raise DravaError(f"{period!r} is not a day", "Write the first day of the period, like 2026-03-01") from None
    of = Of(pack, subject, first)
    values = told(run.home.path, find(run.home.path), of)
    if not values:
        raise DravaError(
            f"{pack.id} has no value of {subject!r} for {first}",
            f"drava sql \"SELECT DISTINCT subject_id FROM indicator_values WHERE indicator = '{pack.id}'\"",
        )
    return of, values
