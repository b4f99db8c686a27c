"""`drava detectors`: what looks for leaks, open hydrants and dark lamps; what it finds, and how well it does."""

import sys
from typing import Annotated, Any

import typer

from catalog.alarms import Alarm, revise
from commands import alarms, evaluate
from commands.context import Json, context, show_rows
from commands.indicators import Ids, Language, language, show_pack, show_packs
from indicators.alarms import reconcile
from indicators.detect import run_detectors
from indicators.header import chosen
from indicators.telling import what
from lake.query import open_found
from lake.snapshot import find


def add(app: typer.Typer) -> None:
    """Put the commands of this topic on the command line."""
    detectors = typer.Typer(no_args_is_help=True, help="What looks for leaks, open hydrants, dark lamps, …")
    detectors.command("list")(list_detectors)
    detectors.command("run")(detect)
    detectors.command("explain")(explain)
    evaluate.add(detectors)
    app.add_typer(detectors, name="detectors")


def list_detectors(ctx: typer.Context, lang: Language = None, as_json: Json = False) -> None:
    """List the detectors."""
    show_packs(context(ctx), "detector", lang, as_json=as_json)


def detect(ctx: typer.Context, ids: Ids = None, lang: Language = None, as_json: Json = False) -> None:
    """Look for conditions in the newest snapshot; open, update, close and retract alarms."""
    shared = context(ctx)
    home, as_of = shared.home, shared.now()
    detectors = [pack.id for pack in chosen("detector", ids)]
    snapshot = find(home.path)
    with open_found(home.path, snapshot, settings=home.settings, limited=False) as connection:
        found = run_detectors(connection, as_of=as_of, settings=home.settings, ids=ids)
    changed: list[Alarm] = []

    def decide(known: Any) -> list[Alarm]:
        changed[:] = reconcile(known, found, detectors=detectors, as_of=as_of, snapshot_id=snapshot.id)
        return changed

    if revise(shared.store, decide):
        alarms.publish(shared)
    to = language(shared, lang)
    rows = [
        {
            "alarm_id": alarm.alarm_id,
            "state": alarm.state,
            "severity": alarm.severity,
            "what": what(alarm.detector, alarm.kind, to),
            "subject": alarm.subject,
            "since": alarm.since,
        }
        for alarm in changed
    ]
    show_rows(rows, as_json=as_json)
    if not as_json:
        sys.stdout.write(f"{found.num_rows} conditions found, {len(changed)} alarms new or changed\n")


def explain(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="ID", help="As in the list.")],
    lang: Language = None,
    as_json: Json = False,
) -> None:
    """Say what an alarm means: its text, inputs, an example, and its SQL."""
    show_pack(context(ctx), chosen("detector", [name])[0], lang, as_json=as_json)
