"""`drava alarms mute`, `mutes`, `unmute`: maintenance windows, in which alarms are kept and not sent."""

from datetime import UTC, datetime
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from catalog.mutes import Mute, mute, unmute, windows
from commands.context import Context, Json, context, show_rows, who
from indicators.causes import is_detector
from indicators.thresholds import detectors
from lake.query import open_snapshot
from schemas.errors import DravaError


def add(alarms: typer.Typer) -> None:
    """Put the commands of this topic below `drava alarms`."""
    alarms.command("mute")(add_window)
    alarms.command("mutes")(list_windows)
    alarms.command("unmute")(end_window)


def add_window(
    ctx: typer.Context,
    until: Annotated[str, typer.Option(help="End: 2026-03-01T18:00, local, or with an offset.")],
    reason: Annotated[str, typer.Option(help="Why; stands at each alarm that was not sent.")],
    area: Annotated[str | None, typer.Option(help="An area, with those in it.")] = None,
    thing: Annotated[str | None, typer.Option(help="One thing.")] = None,
    detector: Annotated[str | None, typer.Option(help="A detector, or a pattern such as water.*")] = None,
    since: Annotated[str | None, typer.Option("--from", help="Beginning; default: now.")] = None,
) -> None:
    """Say that work is done at a place: its alarms are kept and not sent, and say why."""
    run = context(ctx)
    _check(run, area, thing, detector)
    if not reason.strip():
        raise DravaError("a maintenance window needs a reason", "Say --reason")
    begin = _moment(run, since, "--from") if since else run.now()
    window = Mute(0, area, thing, detector, begin, _moment(run, until, "--until"), reason.strip(), who())
    show_rows([_row(run, mute(run.store, window, run.now()))], as_json=False)


def list_windows(
    ctx: typer.Context,
    every: Annotated[bool, typer.Option("--all", help="Also those that are over.")] = False,
    as_json: Json = False,
) -> None:
    """List maintenance windows that go on or are to come."""
    run = context(ctx)
    show_rows([_row(run, w) for w in windows(run.store) if every or w.until > run.now()], as_json=as_json)


def end_window(ctx: typer.Context, number: Annotated[int, typer.Argument(help="As in drava alarms mutes.")]) -> None:
    """End a maintenance window now; what still goes on is sent by the next run of detectors."""
    run = context(ctx)
    unmute(run.store, number, now=run.now(), who=who())


def _check(run: Context, area: str | None, thing: str | None, detector: str | None) -> None:
    """Refuse what is not there: a window for a misspelt place would mute nothing."""
    if detector and "*" not in detector:
        detectors(run.home.settings, [detector])
    elif detector and not any(is_detector(pack.id, detector) for pack in detectors(run.home.settings)):
        raise DravaError(f"no detector is meant by {detector!r}", "drava detectors list names them")
    known = {
        "area": "SELECT area_id FROM areas UNION SELECT area_id FROM things",
        "thing": "SELECT thing_id FROM things",
    }
    with open_snapshot(run.home.path, settings=run.home.settings, tables=["areas", "things"]) as lake:
        for kind, name in (("area", area), ("thing", thing)):
            if name and (name,) not in lake.execute(known[kind]).fetchall():
                raise DravaError(f"there is no {kind} {name!r}", "drava areas list, drava devices list name them")


def _moment(run: Context, text: str, option: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise DravaError(f"{option} {text!r} is not a time", "Write it like 2026-03-01T18:00") from None
    zone = ZoneInfo(run.home.settings.timezone)
    return (found if found.tzinfo else found.replace(tzinfo=zone)).astimezone(UTC)


def _row(run: Context, window: Mute) -> dict[str, object]:
    zone = ZoneInfo(run.home.settings.timezone)
    return {
        "id": window.id,
        "area": window.area_id,
        "thing": window.thing_id,
        "detector": window.detector,
        "from": f"{window.since.astimezone(zone):%Y-%m-%d %H:%M}",
        "until": f"{window.until.astimezone(zone):%Y-%m-%d %H:%M}",
        "reason": window.reason,
        "who": window.who,
    }
