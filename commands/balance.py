"""`drava balance`: what became of every message and of every reading, and whether it adds up everywhere."""

import os
from collections.abc import Iterable, Sequence
from datetime import date
from typing import Annotated, Any

import typer

from commands.context import PROBLEM, Context, Json, context, show_json, show_rows
from ingest.reconcile import COUNTED_DAYS, COUNTS, Moment, Reckoning, moment, reckon
from lake.commit import Lake
from lake.snapshot import find
from lake.tables import MESSAGE_COUNTS, READING_COUNTS
from schemas.errors import DravaError
from schemas.settings import Lang

TITLES: dict[str, tuple[str, str]] = {  # en, sl
    "day": ("day (UTC)", "dan (UTC)"),
    "device_id": ("device", "naprava"),
    "gateway": ("gateway", "prehod"),
    "received": ("received", "prejeta"),
    "decoded": ("decoded", "dekodirana"),
    "housekeeping": ("housekeeping", "vzdrževalna"),
    "quarantined": ("quarantined", "v karanteni"),
    "readings": ("readings", "odčitki"),
    "stored": ("stored", "shranjeni"),
    "completed": ("completed", "dopolnjeni"),
    "revised": ("revised", "popravljeni"),
    "duplicate": ("duplicate", "podvojeni"),
    "readings_quarantined": ("quarantined", "v karanteni"),
    "too_old": ("too old", "prestari"),
}
MISSING = {"day": TITLES["day"], "device_id": TITLES["device_id"], "missing": ("missing", "manjka")}
SHEETS = (
    (MESSAGE_COUNTS, "Messages", "Sporočila"),
    (READING_COUNTS, "Readings", "Odčitki"),
)


def add(app: typer.Typer) -> None:
    """Put the commands of this topic on the command line."""
    app.command("balance")(balance)


def balance(
    ctx: typer.Context,
    day: Annotated[
        str | None, typer.Option(metavar="YYYY-MM-DD", help="Day of receipt (UTC): its devices and gateways.")
    ] = None,
    device: Annotated[str | None, typer.Option(help="One device: its days.")] = None,
    as_json: Json = False,
) -> None:
    """Show both sheets and check them against tables, raw messages and journals. Exit code 1: a difference."""
    run = context(ctx)
    found = reckon(run.home, _moment(run), run.now(), day=_date(day), device=device)
    if as_json:
        show_json(_document(found))
    else:
        detailed = day is not None or device is not None
        _show(found, run.home.settings.lang, detailed=detailed)
    if not found.adds_up:
        raise typer.Exit(PROBLEM)


def _moment(run: Context) -> Moment:
    """Snapshot and journals of one moment; who may only read the published files has the snapshot alone."""
    home = run.home
    if not _may_write(run):
        return Moment(find(home.path), None)
    store = run.store
    try:
        return moment(home, store, Lake(home, store, run.clock))
    finally:
        store.close()


def _may_write(run: Context) -> bool:
    return os.access(run.home.catalog, os.W_OK | os.X_OK)


def _date(text: str | None) -> date | None:
    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError:
        raise DravaError(f"--day {text!r} is not a date", "Write it like 2026-03-01") from None


def _document(found: Reckoning) -> dict[str, Any]:
    return {
        "adds_up": found.adds_up,
        "total": found.total,
        "rows": found.rows,
        "wrong": found.wrong,
        "missing": found.missing,
        "checks": [
            {"name": c.name, "what": c.what.en, "left": c.left, "right": c.right, "agrees": c.agrees}
            for c in found.checks
        ],
    }


def _show(found: Reckoning, lang: Lang, *, detailed: bool) -> None:
    at = 1 if lang == "sl" else 0
    rows = found.rows if detailed else _daily(found.rows)
    shown = (
        _added(rows) | {"day": ("total", "skupaj")[at]} if detailed else found.total | {"day": ("total", "skupaj")[at]}
    )
    keys = ("day", "device_id", "gateway") if detailed else ("day",)
    for counts, *names in SHEETS:
        typer.echo(f"{names[at]}:")
        columns = {name: TITLES[name][at] for name in (*keys, *counts)}
        show_rows([{title: row.get(name) for name, title in columns.items()} for row in [*rows, shown]], as_json=False)
        typer.echo("")
    for check in found.checks:
        sign = "=" if check.agrees else "≠"
        mark = "✓" if check.agrees else "✗"
        typer.echo(
            f"{mark} {check.what.to(lang)}: {check.left:,} {sign} {check.right:,}{_by(check.left - check.right, at)}"
        )
    _show_missing(found, at, detailed=detailed)
    if found.wrong:
        typer.echo(("Rows that do not add up:", "Vrstice, ki se ne izidejo:")[at])
        show_rows(found.wrong, as_json=False)


def _show_missing(found: Reckoning, at: int, *, detailed: bool) -> None:
    """Frames that never came are on no sheet: only the next frame's counter tells."""
    count = sum(row["missing"] for row in found.missing)
    devices = len({row["device_id"] for row in found.missing})
    what = (
        f"frames missing by their counters, at least: {count:,} of {devices:,} devices",
        f"okvirji, ki po števcih manjkajo, najmanj: {count:,}, naprav: {devices:,}",
    )[at]
    span = "" if detailed else (f" (last {COUNTED_DAYS} days)", f" (zadnjih {COUNTED_DAYS} dni)")[at]
    typer.echo(f"{'!' if count else '✓'} {what}{span}")
    if detailed and count:
        columns = {name: MISSING[name][at] for name in MISSING}
        show_rows([{title: row[name] for name, title in columns.items()} for row in found.missing], as_json=False)


def _by(difference: int, at: int) -> str:
    return f" ({('difference', 'razlika')[at]} {difference:+,})" if difference else ""


def _daily(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    days: dict[date, list[dict[str, Any]]] = {}
    for row in rows:
        days.setdefault(row["day"], []).append(row)
    return [{"day": day} | _added(part) for day, part in sorted(days.items())]


def _added(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return {name: sum(row[name] for row in rows) for name in COUNTS}
