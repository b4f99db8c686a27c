"""`drava detectors`: what looks for leaks, open hydrants and dark lamps; what it finds, and how well it does."""

import sys
from typing import Annotated, get_args

import typer

from commands import alarms, evaluate
from commands.context import PROBLEM, Json, context, show_rows
from commands.indicators import Ids, Language, language, show_pack
from commands.looking import look
from indicators.header import Cadence
from indicators.telling import what
from indicators.thresholds import detectors as known
from lake.snapshot import find
from schemas.errors import DravaError
from schemas.settings import Settings


def add(app: typer.Typer) -> None:
    """Put the commands of this topic on the command line."""
    detectors = typer.Typer(no_args_is_help=True, help="What looks for leaks, open hydrants, dark lamps, …")
    detectors.command("list")(list_detectors)
    detectors.command("run")(detect)
    detectors.command("explain")(explain)
    evaluate.add(detectors)
    app.add_typer(detectors, name="detectors")


def list_detectors(ctx: typer.Context, lang: Language = None, as_json: Json = False) -> None:
    """List the detectors, with the thresholds of the home."""
    shared = context(ctx)
    settings = shared.home.settings if shared.path else Settings()
    to = language(shared, lang)
    rows = [
        {
            "id": pack.id,
            "version": pack.version,
            "title": pack.title.to(to),
            "grain": pack.grain,
            "cadence": pack.cadence,
        }
        for pack in known(settings)
    ]
    show_rows(rows, as_json=as_json)


def detect(
    ctx: typer.Context,
    ids: Ids = None,
    cadence: Annotated[
        list[str] | None, typer.Option(help="Only those that look so often: commit, hour, night; several times.")
    ] = None,
    lang: Language = None,
    as_json: Json = False,
) -> None:
    """Look for conditions in the newest snapshot; open, update, close and retract alarms."""
    shared = context(ctx)
    home = shared.home
    if wrong := set(cadence or ()) - set(get_args(Cadence)):
        raise DravaError(f"{min(wrong)!r} is no cadence", f"There is {', '.join(get_args(Cadence))}")
    wanted = [pack.id for pack in known(home.settings, ids) if not cadence or pack.cadence in cadence]
    seen = look(home, shared.store, find(home.path), shared.now(), wanted)
    if seen.changed:
        alarms.publish(shared)
    to = language(shared, lang)
    events = {pack.id for pack in known(home.settings) if pack.event and not ids}  # counted, not listed
    told = [alarm for alarm in seen.changed if alarm.detector not in events]
    rows = [
        {
            "alarm_id": alarm.alarm_id,
            "state": alarm.state,
            "severity": alarm.severity,
            "what": what(alarm.detector, alarm.kind, to, alarm.evidence),
            "subject": alarm.subject,
            "since": alarm.since,
        }
        for alarm in told
    ]
    show_rows(rows, as_json=as_json)
    if not as_json:
        sys.stdout.write(f"{seen.found} conditions found, {len(told)} alarms new or changed")
        sys.stdout.write(f", {len(seen.changed) - len(told)} events\n")
    for what_else in seen.strange:
        sys.stderr.write(f"drava: {what_else}\n")
    for name, why in seen.failed.items():
        sys.stderr.write(f"drava: {name} could not look: {why}\n")
    if seen.failed:
        raise typer.Exit(PROBLEM)


def explain(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="ID", help="As in the list.")],
    lang: Language = None,
    as_json: Json = False,
) -> None:
    """Say what an alarm means: its text, inputs, an example, and its SQL."""
    shared = context(ctx)
    settings = shared.home.settings if shared.path else Settings()
    show_pack(shared, known(settings, [name])[0], lang, as_json=as_json)
