"""`drava sql`, `drava export`, `drava lake info`: questions to the lake, and files out of it."""

import os
import pwd
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Literal
from zoneinfo import ZoneInfo

import typer
from rich.console import Console
from rich.progress import Progress

from catalog.datasets import dataset, permit, record
from commands import pinning
from commands.context import PROBLEM, Context, Json, context, show_json, show_rows
from lake.commit import Lake
from lake.describe import holdings
from lake.export import SUFFIX, Format, Request, expected_rows, export
from lake.formats import BATCH, ROW_GROUP, TextFormat, new_file, text_cells, text_rows, write_lines, write_parquet
from lake.maintain import checkpoint, compact_all
from lake.query import ask, mentioned, open_found, stream
from lake.schedule import due
from lake.snapshot import Snapshot, find
from lake.sweep import sweep
from schemas.errors import DravaError

TABLE_ROWS = 1000
SqlFormat = Literal["table", "csv", "json", "parquet"]
At = Annotated[str | None, typer.Option("--at", help="Snapshot number or time (RFC 3339); default: the newest.")]
Output = Annotated[Path | None, typer.Option("--output", "-o", help="File to write.")]
Day = Annotated[str | None, typer.Option(metavar="YYYY-MM-DD", help="Local date, included.")]


def add(app: typer.Typer) -> None:
    """Put the commands of this topic on the command line."""
    app.command("sql")(sql)
    app.command("export")(export_dataset)
    lake = typer.Typer(no_args_is_help=True, help="The lake: its tables and files.")
    lake.command("info")(info)
    lake.command("maintain")(maintain)
    pinning.mount(lake)
    app.add_typer(lake, name="lake")


def chosen(run: Context, at: str | None) -> Snapshot:
    """The snapshot to read; says so where it is not the one asked for."""
    snapshot = find(run.home.path, at)
    if snapshot.oldest_instead:
        sys.stderr.write(
            f"drava: nothing as old as {at} is kept; this is snapshot {snapshot.id} of {snapshot.at:%FT%TZ}\n"
        )
    return snapshot


def sql(
    ctx: typer.Context,
    query: Annotated[str, typer.Argument(help="One SELECT (DuckDB), or - to read it from standard input.")],
    *,
    form: Annotated[SqlFormat, typer.Option("--format", help="How to print the result.")] = "table",
    output: Output = None,
    at: At = None,
    as_json: Json = False,
) -> None:
    """Ask the lake. `SHOW TABLES` lists what there is; times are UTC."""
    run = context(ctx)
    text = sys.stdin.read() if query == "-" else query
    home, snapshot = run.home, chosen(run, at)
    connection = open_found(home.path, snapshot, settings=home.settings, tables=mentioned(text))
    try:
        relation = ask(connection, text)
        with _destination(output, binary=form == "parquet") as out:
            _answer(relation, "json" if as_json else form, out, to_people=output is None)
    finally:
        connection.close()


def _answer(relation: Any, form: SqlFormat, out: BinaryIO, *, to_people: bool) -> None:
    if form == "parquet":
        write_parquet(out, *stream(relation, ROW_GROUP))
    elif form == "table" and to_people:
        _table(relation)
    else:
        kind: TextFormat = "json" if form == "json" else "csv"
        header, lines = text_rows(relation, kind)
        write_lines(out, header, stream(lines, BATCH)[1], kind)


def _table(relation: Any) -> None:
    names, cells = text_cells(relation)
    rows = [row for batch in _until(stream(cells, TABLE_ROWS + 1)[1], TABLE_ROWS + 1) for row in batch.to_pylist()]
    if names == ["explain_key", "explain_value"]:
        sys.stdout.writelines(f"{row['explain_value']}\n" for row in rows)
        return
    show_rows(rows[:TABLE_ROWS], as_json=False, columns=names)
    if len(rows) > TABLE_ROWS:
        sys.stderr.write(f"(the first {TABLE_ROWS} rows; all of them with --format csv)\n")


def _until(batches: Iterable[Any], enough: int) -> Iterator[Any]:
    seen = 0
    for batch in batches:
        yield batch
        seen += batch.num_rows
        if seen >= enough:
            return


@contextmanager
def _destination(output: Path | None, *, binary: bool) -> Iterator[BinaryIO]:
    if output is not None:
        with new_file(output) as file:
            yield file
        return
    if binary and sys.stdout.isatty():
        raise DravaError("Parquet is not for a terminal", "Say --output FILE")
    try:
        yield sys.stdout.buffer
        sys.stdout.flush()
    except BrokenPipeError:  # `| head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def export_dataset(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="DATASET", help="As in drava catalog list.")] = "",
    *,
    form: Annotated[Format, typer.Option("--format", help="Of the file.")] = "csv",
    excel: Annotated[
        bool, typer.Option("--excel", help="CSV for Excel: semicolons, decimal commas, local time.")
    ] = False,
    first: Annotated[str | None, typer.Option("--from", metavar="YYYY-MM-DD", help="First local day.")] = None,
    last: Annotated[str | None, typer.Option("--to", metavar="YYYY-MM-DD", help="Last local day, included.")] = None,
    area: Annotated[str, typer.Option(help="Only this area and the areas in it.")] = "",
    output: Output = None,
    purpose: Annotated[str, typer.Option(help="What personal data are needed for; it is written down.")] = "",
    scheduled: Annotated[
        bool, typer.Option("--scheduled", help="Write what the settings' [[export]] say is due.")
    ] = False,
    at: At = None,
    as_json: Json = False,
) -> None:
    """Write a dataset to a file, by period and area."""
    run = context(ctx)
    if scheduled:
        _scheduled(run, as_json=as_json)
        return
    if not name:
        raise DravaError("no dataset is named", "drava catalog list shows them")
    request = Request(dataset(name), "excel-csv" if excel else form, _date("--from", first), _date("--to", last), area)
    target = output or run.home.exports / _file_name(request)
    report = _export(run, chosen(run, at), request, target, purpose)
    show_rows([report], as_json=False) if not as_json else show_json(report)


def _file_name(request: Request) -> str:
    parts = [request.dataset.name, request.area.replace("/", "-"), str(request.first or ""), str(request.last or "")]
    return "_".join(part for part in parts if part) + "." + SUFFIX[request.format]


def _date(option: str, text: str | None) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise DravaError(f"{option} {text!r} is not a date", "Write it like 2026-03-01") from None


def _export(run: Context, snapshot: Snapshot, request: Request, target: Path, purpose: str) -> dict[str, Any]:
    permit(request.dataset, purpose)
    home = run.home
    if request.dataset.personal:  # written down before anything leaves: a crash must not hide it
        detail = asdict(request) | {"dataset": request.dataset.name, "purpose": purpose, "snapshot": snapshot.id}
        detail |= {"first": str(request.first or ""), "last": str(request.last or ""), "file": str(target)}
        record(home.catalog, run.now(), _who(), "export", detail)
    with _progress(expected_rows(home.path, snapshot, request), request.dataset.name) as told:
        rows = export(home.path, snapshot, request, target, settings=home.settings, progress=told)
    return {"dataset": request.dataset.name, "file": str(target), "rows": rows, "bytes": target.stat().st_size}


def _who() -> str:
    """Who asks, by the system's own word: a variable of the environment could say anything."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid {os.getuid()}"


@contextmanager
def _progress(total: int | None, title: str) -> Iterator[Callable[[int], object]]:
    if not sys.stderr.isatty():
        yield bool
        return
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=total)
        yield lambda rows: bar.advance(task, rows)


def _scheduled(run: Context, *, as_json: bool) -> None:
    home, snapshot = run.home, find(run.home.path)
    today = run.now().astimezone(ZoneInfo(home.settings.timezone)).date()
    reports, failed = [], False
    for entry in home.settings.export:
        for period in due(entry, home.exports, today):
            try:
                request = Request(dataset(entry.dataset), entry.format, period.first, period.last, entry.area)
                reports.append(_export(run, snapshot, request, period.file, entry.purpose))
            except DravaError as error:  # one export that cannot be must not hold up the others
                sys.stderr.write(f"drava: export {entry.name!r}: {error}\n")
                failed = True
                break
    show_json(reports) if as_json else show_rows(reports, as_json=False)
    if failed:
        raise typer.Exit(PROBLEM)


def info(ctx: typer.Context, at: At = None, as_json: Json = False) -> None:
    """Show the snapshot and what each table holds: version, files, rows, bytes, days."""
    run = context(ctx)
    snapshot = chosen(run, at)
    tables = [held.as_dict() for held in holdings(run.home.path, snapshot)]
    if as_json:
        show_json({"snapshot": snapshot.id, "at": snapshot.at, "tables": tables})
        return
    sys.stdout.write(f"snapshot {snapshot.id}, {snapshot.at:%FT%TZ}\n" if snapshot.id else "nothing is committed yet\n")
    show_rows(tables, as_json=False)


def maintain(ctx: typer.Context, as_json: Json = False) -> None:
    """Compact all days and let go of what no kept snapshot needs. Ingestion does it by itself; this does it now."""
    run = context(ctx)
    lake = Lake(run.home, run.store, run.now)
    compacted = compact_all(lake)
    swept = sweep(lake)
    checkpoint(lake)
    show_rows([{"compacted_files": compacted, **asdict(swept)}], as_json=as_json)
