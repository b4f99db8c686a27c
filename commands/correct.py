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
from schemas.settings import Lang

_SAID = {
    "en": "{device}, {measure} at {at}: {before} → {after}; the next run computes its indicators anew.",
    "sl": "{device}, {measure} ob {at}: {before} → {after}; naslednji zagon znova izračuna kazalnike.",
}
_REFUSED: dict[Lang, dict[str, tuple[str, str]]] = {
    "en": {
        "key": ("--key {text!r} names no reading", "Write each key once, like --key lane=1"),
        "number": ("{text!r} is not a number", "Write it like 412.503"),
    },
    "sl": {
        "key": ("--key {text!r} ne pove, kateri odčitek", "Vsak ključ napišite enkrat, na primer --key lane=1"),
        "number": ("{text!r} ni število", "Napišite na primer 412,503"),
    },
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
    zone, lang = ZoneInfo(home.settings.timezone), home.settings.lang
    when = moment(time_of(at, "AT", zone))
    what = Correction(device, when, measure, _value(value, lang), author or user(), reason, _keys(key or [], lang))
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
        typer.echo(_SAID[lang].format(**told))


def _keys(pairs: list[str], lang: Lang) -> dict[str, str]:
    """NAME=VALUE of each option. Raises DravaError where one says nothing, or two speak of the same key."""
    found: dict[str, str] = {}
    for pair in pairs:
        name, _, value = pair.partition("=")
        if not name or not value or name in found:
            raise _refused("key", lang, pair)
        found[name] = value
    return found


def _value(text: str, lang: Lang) -> float | bool:
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    try:
        number = float(text.replace(",", "."))
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise _refused("number", lang, text)
    return number


def _refused(kind: str, lang: Lang, text: str) -> DravaError:
    what, hint = _REFUSED[lang][kind]
    return DravaError(what.format(text=text), hint)
