"""`drava correct`: a person says what a device should have said, and why."""

import math
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from commands.context import Json, context, show_json
from commands.registering import time_of
from commands.registering import who as user
from ingest.correct import Correction, correct
from ingest.writer import Writer
from lake.commit import Lake
from schemas.clock import moment
from schemas.errors import DravaError

_SAID = {
    "en": "{device}, {measure} at {at}: {before} → {after}; the next run computes its indicators anew.",
    "sl": "{device}, {measure} ob {at}: {before} → {after}; naslednji zagon znova izračuna kazalnike.",
}


def add(app: typer.Typer) -> None:
    """Put the commands of this topic on the command line."""
    app.command("correct")(correct_reading)


def correct_reading(
    ctx: typer.Context,
    device: Annotated[str, typer.Argument(help="The device.")],
    at: Annotated[str, typer.Argument(help="observed_at of the reading: RFC 3339, or local time.")],
    measure: Annotated[str, typer.Argument(help="The measure: a column of its family.")],
    value: Annotated[str, typer.Argument(help="What it should have been, in the unit of the column.")],
    reason: Annotated[str, typer.Option(help="Why: it stays with the reading.")],
    author: Annotated[str, typer.Option(help="Who says so; default: the user of this command.")] = "",
    key: Annotated[list[str] | None, typer.Option(help="NAME=VALUE of a family with keys: lane=1.")] = None,
    as_json: Json = False,
) -> None:
    """Correct a reading: what the device said stays, the correction is its revision."""
    run = context(ctx)
    home = run.home
    zone = ZoneInfo(home.settings.timezone)
    pairs = dict(pair.split("=", 1) for pair in key or [] if "=" in pair)
    when = moment(time_of(at, "AT", zone))
    what = Correction(device, when, measure, _value(value), author or user(), reason, pairs)
    store = run.store
    done = correct(Writer(home, store, Lake(home, store, run.clock), run.clock), what)
    store.close()
    told = {
        "device": device,
        "at": when.astimezone(zone),
        "measure": measure,
        "before": done.before,
        "after": done.after,
    }
    if as_json:
        show_json(told)
    else:
        typer.echo(_SAID[home.settings.lang].format(**told))


def _value(text: str) -> float | bool:
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    try:
        number = float(text.replace(",", "."))
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise DravaError(f"{text!r} is not a number", "Write it like 412.503")
    return number
