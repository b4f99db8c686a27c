"""`drava catalog`: what the datasets mean, whose they are, and what they hold."""

import sys
from typing import Annotated, Any

import typer

from catalog.datasets import Dataset, column_title, column_unit, dataset, datasets
from commands.context import Context, Json, context, show_json, show_rows
from commands.lake import At, chosen
from lake.describe import holding, measured_interval, span
from lake.query import open_found
from lake.snapshot import Snapshot
from lake.tables import tables
from schemas.settings import Lang
from schemas.vocabulary import families, seconds

Language = Annotated[Lang | None, typer.Option(help="Language of the texts; default: that of the home.")]


def add(app: typer.Typer) -> None:
    """Put the commands of this topic on the command line."""
    catalog = typer.Typer(no_args_is_help=True, help="The datasets: meaning, owner, columns, extent.")
    catalog.command("list")(list_datasets)
    catalog.command("show")(show)
    app.add_typer(catalog, name="catalog")


def list_datasets(ctx: typer.Context, lang: Language = None, at: At = None, as_json: Json = False) -> None:
    """List every dataset with its access class and how much it holds."""
    run = context(ctx)
    snapshot, language = chosen(run, at), lang or run.home.settings.lang
    rows = []
    for item in datasets().values():
        held = holding(run.home.path, snapshot, item.name) if item.name in tables() else None
        rows.append(
            {
                "dataset": item.name,
                "title": item.catalogue.title.to(language),
                "access": item.access,
                "personal": item.personal,
                "rows": held.rows if held else None,
                "bytes": held.bytes if held else None,
                "first_day": held.first_day if held else None,
                "last_day": held.last_day if held else None,
            }
        )
    show_rows(rows, as_json=as_json)


def show(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="DATASET", help="As in drava catalog list.")],
    lang: Language = None,
    at: At = None,
    as_json: Json = False,
) -> None:
    """Show one dataset: the seven fields of its description, its columns, its extent, how often it is updated."""
    run = context(ctx)
    language = lang or run.home.settings.lang
    item = dataset(name)
    described = _fields(item, language) | _extent(run, chosen(run, at), item)
    columns = described.pop("columns")
    for column in columns:
        column["title"] = column_title(column["name"], language)
    if as_json:
        show_json(described | {"columns": columns})
        return
    for field, value in described.items():
        sys.stdout.write(
            f"{field:18} {', '.join(value) if isinstance(value, list) else '' if value is None else value}\n"
        )
    sys.stdout.write("\n")
    show_rows(columns, as_json=False)


def _fields(item: Dataset, lang: str) -> dict[str, Any]:
    text = item.catalogue
    return {
        "dataset": item.name,
        "title": text.title.to(lang),
        "meaning": text.meaning.to(lang),
        "format": text.format,
        "owner": text.owner.to(lang),
        "update_interval": text.update_interval,
        "usage_interval": text.usage_interval,
        "users": text.users.sl if lang == "sl" else text.users.en,
        "links": text.links,
        "access": item.access,
        "personal": item.personal,
    }


def _extent(run: Context, snapshot: Snapshot, item: Dataset) -> dict[str, Any]:
    home = run.home
    connection = open_found(home.path, snapshot, settings=home.settings, tables={item.name, f"{item.name}_revisions"})
    try:
        described = connection.execute(f'DESCRIBE "{item.name}"').fetchall()
        columns = [{"name": row[0], "type": row[1], "unit": column_unit(row[0]), "title": ""} for row in described]
        if item.name not in tables():
            ((rows,),) = connection.execute(f'SELECT count(*) FROM "{item.name}"').fetchall()
            return {"rows": rows, "columns": columns}
        held = holding(home.path, snapshot, item.name)
        found: dict[str, Any] = {"rows": held.rows, "bytes": held.bytes, "files": held.files}
        if item.family:
            first, last = span(connection, item.name, item.time, held)
            declared = families()[item.name].expected_interval
            found |= {"first_time": first, "last_time": last, "declared_interval": declared}
            found["declared_interval_s"] = seconds(declared)
            found["measured_interval_s"] = measured_interval(connection, families()[item.name], held)
        return found | {"first_day": held.first_day, "last_day": held.last_day, "columns": columns}
    finally:
        connection.close()
