"""`drava assets`, `drava areas`: registers of what a share is a share of, from CSV, Excel or GeoJSON."""

import sys
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

import typer

from catalog import imports, registry
from commands.context import Json, context, show_rows
from commands.registering import DryRun, Excel, Why, author, content, local, put_out, refuse, report, time_of
from devices import output
from devices.assetrows import asset_rows
from devices.kinds import Kind, kinds
from devices.kinds import kind as kind_of
from devices.tables import read
from devices.template import kind_template
from schemas.clock import micros
from schemas.errors import DravaError

Name = Annotated[str, typer.Argument(metavar="KIND", help="Kind of objects: drava assets kinds names them.")]
File = Annotated[Path, typer.Argument(help="CSV, .xlsx, or GeoJSON in WGS 84.")]
Since = Annotated[str, typer.Option("--from", help="valid_from of the rows that have none.")]
At = Annotated[str, typer.Option("--on", help="As it was on this day; default: now.")]
Format = Annotated[Literal["csv", "excel-csv", "geojson"], typer.Option("--format", help="How it is written.")]
Output = Annotated[Path | None, typer.Option("--output", "-o", help="File to write; default: to the screen.")]


def add(app: typer.Typer) -> None:
    """Put the commands of this topic on the command line."""
    assets = typer.Typer(no_args_is_help=True, help="Buildings, networks, roads, lights: what shares are shares of.")
    assets.command("kinds")(list_kinds)
    assets.command("import")(import_assets)
    assets.command("list")(list_assets)
    assets.command("export")(export_assets)
    assets.command("template")(template)
    app.add_typer(assets, name="assets")
    areas = typer.Typer(no_args_is_help=True, help="Supply districts and other zones.")
    areas.command("import")(import_areas)
    areas.command("list")(list_areas)
    areas.command("export")(export_areas)
    areas.command("template")(template_of_areas)
    app.add_typer(areas, name="areas")


def list_kinds(ctx: typer.Context, as_json: Json = False) -> None:
    """List the kinds of objects and how many of each are in service now."""
    run = context(ctx)
    counted = registry.count_assets(run.store, now=run.now())
    lang = run.home.settings.lang
    rows = [
        {"kind": k.name, "title": k.title.to(lang), "in_service": counted.get(k.name, 0), "table": k.dated_table}
        for k in kinds().values()
    ]
    show_rows(rows, as_json=as_json)


def import_assets(
    ctx: typer.Context,
    kind: Name,
    file: File,
    since: Since = "",
    dry_run: DryRun = False,
    why: Why = "",
    as_json: Json = False,
) -> None:
    """Bring objects of one kind from a file; all of it, or nothing where a row is wrong."""
    _import(ctx, kind_of(kind), file, since, why, dry=dry_run, as_json=as_json)


def import_areas(
    ctx: typer.Context, file: File, since: Since = "", dry_run: DryRun = False, why: Why = "", as_json: Json = False
) -> None:
    """Bring areas from a file; all of it, or nothing where a row is wrong."""
    _import(ctx, kinds()["area"], file, since, why, dry=dry_run, as_json=as_json)


def _import(ctx: typer.Context, kind: Kind, file: Path, since: str, why: str, *, dry: bool, as_json: bool) -> None:
    run = context(ctx)
    zone = ZoneInfo(run.home.settings.timezone)
    begun = time_of(since, "--from", zone) if since else None
    parsed = asset_rows(read(file.name, content(file), kind), kind, zone, begun)
    if parsed.problems:
        refuse(parsed.problems, run.home.settings, as_json=as_json)
    counts = imports.import_assets(run.store, kind, parsed.rows, **author(run, file.name, why, dry=dry))
    report(run, counts, dry=dry, as_json=as_json)


def list_assets(ctx: typer.Context, kind: Name, on: At = "", as_json: Json = False) -> None:
    """List the objects of a kind that are in service, as they are now or were on a day."""
    run = context(ctx)
    rows = registry.list_assets(run.store, kind_of(kind), when=_when(ctx, on))
    show_rows(rows if as_json else local(rows, run.home.settings), as_json=as_json)


def list_areas(ctx: typer.Context, as_json: Json = False) -> None:
    """List the areas and how many things are in each."""
    show_rows(registry.list_areas(context(ctx).store), as_json=as_json)


def export_assets(ctx: typer.Context, kind: Name, form: Format = "csv", to: Output = None, on: At = "") -> None:
    """Write the objects of a kind that are in service, in the form in which they can be imported."""
    _export(ctx, kind_of(kind), form, to, on)


def export_areas(ctx: typer.Context, form: Format = "geojson", to: Output = None, on: At = "") -> None:
    """Write the areas, as GeoJSON or as a table."""
    _export(ctx, kinds()["area"], form, to, on)


def _export(ctx: typer.Context, kind: Kind, form: str, to: Path | None, on: str) -> None:
    run = context(ctx)
    rows = registry.list_assets(run.store, kind, when=_when(ctx, on))
    data = output.FORMS[form](kind, rows)
    if to is None:
        put_out(data)
        return
    try:
        to.write_bytes(data)
    except OSError as error:
        raise DravaError(f"{to} cannot be written: {error.strerror}", "Name a file in a folder of yours") from None
    sys.stderr.write(f"{to}: {len(rows)}\n")


def _when(ctx: typer.Context, on: str) -> int:
    run = context(ctx)
    return time_of(on, "--on", ZoneInfo(run.home.settings.timezone)) if on else micros(run.now())


def template(kind: Name, excel: Excel = False) -> None:
    """Print an example file to fill in: drava assets template hydrant --excel > hydrants.csv."""
    put_out(kind_template(kind_of(kind), excel=excel))


def template_of_areas(excel: Excel = False) -> None:
    """Print an example file to fill in: drava areas template --excel > areas.csv."""
    put_out(kind_template(kinds()["area"], excel=excel))
