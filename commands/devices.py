"""`drava devices`, `drava areas`: what stands in the registry, and bringing it there from CSV."""

import getpass
import json
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer

from catalog import registry
from catalog.registry import Counts
from commands import drift, explain, profiles
from commands.context import WRONG_USE, Json, context, show_json, show_rows
from devices.csvfile import MAX_BYTES, read
from devices.problems import Problem
from devices.rows import area_rows, registrations
from devices.template import areas_template, registrations_template
from lake.commit import refresh
from schemas.errors import DravaError
from schemas.settings import Settings
from schemas.vocabulary import families

File = Annotated[Path, typer.Argument(help="CSV file: ; , or tab; UTF-8 or Windows-1250; Excel's own is fine.")]
Family = Annotated[str | None, typer.Option(help="Only this family.")]
Excel = Annotated[bool, typer.Option("--excel", help="As a Slovenian Excel saves it: semicolons and decimal commas.")]


def add(app: typer.Typer) -> None:
    """Put the commands of this topic on the command line."""
    devices = typer.Typer(no_args_is_help=True, help="Devices, and the things where they hang.")
    devices.command("import")(import_devices)
    devices.command("list")(list_devices)
    devices.command("show")(show)
    devices.command("template")(template)
    for topic in (explain, profiles, drift):
        topic.mount(devices)
    app.add_typer(devices, name="devices")
    areas = typer.Typer(no_args_is_help=True, help="Supply districts and other zones.")
    areas.command("import")(import_areas)
    areas.command("list")(list_areas)
    areas.command("template")(template_of_areas)
    app.add_typer(areas, name="areas")


def import_devices(ctx: typer.Context, file: File, as_json: Json = False) -> None:
    """Bring devices, things and assignments from a CSV file; all of it, or nothing where a row is wrong."""
    run = context(ctx)
    settings = run.home.settings
    parsed = registrations(read(_bytes(file)), ZoneInfo(settings.timezone))
    store = run.store
    if parsed.problems:  # list also what the good rows would contradict, so that one correction is enough
        _refuse([*parsed.problems, *registry.check_registrations(store, parsed.sound)], settings, as_json=as_json)
    counts = registry.import_registrations(store, parsed.rows, now=run.now(), who=_who())
    refresh(run.home, store, run.now)
    _report(counts, settings, as_json=as_json)


def import_areas(ctx: typer.Context, file: File, as_json: Json = False) -> None:
    """Bring areas from a CSV file; all of it, or nothing where a row is wrong."""
    run = context(ctx)
    settings = run.home.settings
    parsed = area_rows(read(_bytes(file)))
    if parsed.problems:
        _refuse(parsed.problems, settings, as_json=as_json)
    store = run.store
    counts = registry.import_areas(store, parsed.rows, now=run.now(), who=_who())
    refresh(run.home, store, run.now)
    _report(counts, settings, as_json=as_json)


def list_devices(
    ctx: typer.Context,
    family: Family = None,
    area: Annotated[str | None, typer.Option(help="Only things in this area.")] = None,
    as_json: Json = False,
) -> None:
    """List the devices and where each hangs now."""
    run = context(ctx)
    _known(family)
    found = registry.list_devices(run.store, now=run.now(), family=family, area=area)
    show_rows(found if as_json else _local(found, run.home.settings), as_json=as_json)


def list_areas(ctx: typer.Context, as_json: Json = False) -> None:
    """List the areas and how many things are in each."""
    show_rows(registry.list_areas(context(ctx).store), as_json=as_json)


def show(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="DEVICE_OR_THING", help="Id of a device or of a thing.")],
    as_json: Json = False,
) -> None:
    """Show all that is known of a device or a thing, and its history of exchanges."""
    run = context(ctx)
    found = registry.show(run.store, name)
    if not found["device"] and not found["thing"]:
        raise DravaError(f"there is no device and no thing {name!r}", "Look at: drava devices list")
    if as_json:
        show_json(found)
        return
    names = _NAMES[run.home.settings.lang]
    for part in ("device", "thing"):
        if found[part]:
            typer.echo(names[part])
            show_rows([{"": f"  {key}", " ": _told(value)} for key, value in found[part].items()], as_json=False)
    typer.echo(names["assignments"])
    show_rows(_local(found["assignments"], run.home.settings), as_json=False)


def template(family: Family = None, excel: Excel = False) -> None:
    """Print an example file to fill in: drava devices template --excel > devices.csv."""
    _known(family)
    _print(registrations_template(family, excel=excel))


def template_of_areas(excel: Excel = False) -> None:
    """Print an example file to fill in: drava areas template --excel > areas.csv."""
    _print(areas_template(excel=excel))


def _local(rows: Sequence[Mapping[str, Any]], settings: Settings) -> list[dict[str, Any]]:
    """Times for people are those of the municipality."""
    zone = ZoneInfo(settings.timezone)

    def told(value: object) -> object:
        return value.astimezone(zone) if isinstance(value, datetime) else value

    return [{name: told(value) for name, value in row.items()} for row in rows]


def _told(value: object) -> object:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else value


def _bytes(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            return opened.read(MAX_BYTES + 1)  # one byte too many is refused by the reader, whatever the rest is
    except OSError as error:
        raise DravaError(f"{file} cannot be read: {error.strerror}", "Name a CSV file that you may read") from None


def _print(data: bytes) -> None:
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def _known(family: str | None) -> None:
    if family is not None and family not in families():
        raise DravaError(f"there is no family {family!r}", f"Name one of: {', '.join(families())}")


def _who() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a user without an entry in the system's list
        return ""


def _refuse(problems: Sequence[Problem], settings: Settings, *, as_json: bool) -> None:
    """Name every wrong row and end."""
    if as_json:
        show_json({"problems": [problem.record() for problem in problems]})
    for problem in sorted(problems, key=lambda problem: problem.line):
        typer.echo(problem.text(settings.lang, ZoneInfo(settings.timezone)), err=True)
    words = {"en": "Nothing was imported. Problems: {n}.", "sl": "Nič ni bilo uvoženo. Število napak: {n}."}
    typer.echo(words[settings.lang].format(n=len(problems)), err=True)
    raise typer.Exit(WRONG_USE)


_NAMES: dict[str, dict[str, str]] = {
    "en": {"areas": "areas", "things": "things", "devices": "devices", "assignments": "assignments"}
    | {"device": "device", "thing": "thing"},
    "sl": {"areas": "območja", "things": "objekti", "devices": "naprave", "assignments": "dodelitve"}
    | {"device": "naprava", "thing": "objekt"},
}
_LINE = {
    "en": "{name}: {added} added, {changed} changed, {removed} removed",
    "sl": "{name}: dodano {added}, spremenjeno {changed}, odstranjeno {removed}",
}


def _report(counts: Counts, settings: Settings, *, as_json: bool) -> None:
    if counts.problems:
        _refuse(counts.problems, settings, as_json=as_json)
    if as_json:
        show_json({"added": counts.added, "changed": counts.changed, "removed": counts.removed})
        return
    for table in counts.added:
        numbers = {"added": counts.added, "changed": counts.changed, "removed": counts.removed}
        typer.echo(
            _LINE[settings.lang].format(
                name=_NAMES[settings.lang][table], **{word: found[table] for word, found in numbers.items()}
            )
        )
