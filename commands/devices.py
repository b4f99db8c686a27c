"""`drava devices`: what stands in the registry of devices, and bringing it there from CSV or Excel."""

from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from catalog import imports, registry
from commands import drift, exchange, explain, profiles, provision
from commands.context import Json, context, show_json, show_rows
from commands.registering import (
    DryRun,
    Excel,
    File,
    Why,
    author,
    cell,
    content,
    local,
    name_of,
    put_out,
    refuse,
    report,
)
from devices.rows import registrations
from devices.tables import read
from devices.template import registrations_template
from schemas.errors import DravaError
from schemas.vocabulary import families

Family = Annotated[str | None, typer.Option(help="Only this family.")]


def add(app: typer.Typer) -> None:
    """Put the commands of this topic on the command line."""
    devices = typer.Typer(no_args_is_help=True, help="Devices, and the things where they hang.")
    devices.command("import")(import_devices)
    devices.command("list")(list_devices)
    devices.command("show")(show)
    devices.command("template")(template)
    for topic in (explain, profiles, drift):
        topic.mount(devices)
    exchange.mount(devices)
    provision.mount(devices)
    app.add_typer(devices, name="devices")


def import_devices(
    ctx: typer.Context, file: File, dry_run: DryRun = False, why: Why = "", as_json: Json = False
) -> None:
    """Bring devices, things and assignments from a file; all of it, or nothing where a row is wrong."""
    run = context(ctx)
    settings = run.home.settings
    parsed = registrations(read(file.name, content(file)), ZoneInfo(settings.timezone))
    store = run.store
    if parsed.problems:  # list also what the good rows would contradict, so that one correction is enough
        refuse([*parsed.problems, *imports.check_registrations(store, parsed.sound)], settings, as_json=as_json)
    counts = imports.import_registrations(store, parsed.rows, **author(run, file.name, why, dry=dry_run))
    report(run, counts, dry=dry_run, as_json=as_json)


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
    show_rows(found if as_json else local(found, run.home.settings), as_json=as_json)


def show(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="DEVICE_OR_THING", help="Id of a device or of a thing.")],
    as_json: Json = False,
) -> None:
    """Show all that is known of a device or a thing, what held when, and its history of exchanges."""
    run = context(ctx)
    found = registry.show(run.store, name)
    if not found["device"] and not found["thing"]:
        raise DravaError(f"there is no device and no thing {name!r}", "Look at: drava devices list")
    if as_json:
        show_json(found)
        return
    lang = run.home.settings.lang
    for part in ("device", "thing"):
        if found[part]:
            typer.echo(name_of(part, lang))
            show_rows([{"": f"  {key}", " ": cell(value)} for key, value in found[part].items()], as_json=False)
    for part in ("history", "assignments"):
        if found[part]:
            typer.echo(name_of(part, lang))
            rows = [{key: cell(value) for key, value in row.items()} for row in found[part]]
            show_rows(local(rows, run.home.settings), as_json=False)


def template(family: Family = None, excel: Excel = False) -> None:
    """Print an example file to fill in: drava devices template --excel > devices.csv."""
    _known(family)
    put_out(registrations_template(family, excel=excel))


def _known(family: str | None) -> None:
    if family is not None and family not in families():
        raise DravaError(f"there is no family {family!r}", f"Name one of: {', '.join(families())}")
