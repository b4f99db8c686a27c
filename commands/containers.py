"""`drava containers`: the list of tomorrow for whoever empties the containers, ranked, with the reason for each."""

import sys
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from commands.context import Json, context, show_json, visible
from indicators.round import TABLES, text, tomorrow
from lake.query import open_snapshot
from schemas.errors import DravaError
from schemas.settings import Lang


def add(app: typer.Typer) -> None:
    """Put the commands of this topic on the command line."""
    app.command("containers")(containers)


def containers(
    ctx: typer.Context,
    area: Annotated[str | None, typer.Option(help="Only this area, with those in it.")] = None,
    lang: Annotated[Lang | None, typer.Option(help="Language of the texts; default: that of the home.")] = None,
    as_json: Json = False,
) -> None:
    """List the containers that are full or will be by tomorrow evening, the fullest first; and who was not heard."""
    run = context(ctx)
    settings = run.home.settings
    with open_snapshot(run.home.path, settings=settings, tables=TABLES) as lake:
        if area and not lake.execute("SELECT 1 FROM areas WHERE area_id = ?", [area]).fetchall():
            raise DravaError(f"there is no area {area!r}", "drava areas list names them")
        found = tomorrow(lake, as_of=run.now(), settings=settings, area=area)
    if as_json:
        stops = [{**vars(stop), "why": stop.why} for stop in found.stops]
        show_json({"stops": stops, "silent": found.silent})
        return
    told = text(found, ZoneInfo(settings.timezone), lang or settings.lang)
    sys.stdout.write("\n".join(map(visible, told.split("\n"))))
