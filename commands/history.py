"""`drava import`: history from files, through the same journal and the same checks as what arrives live."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

from commands.context import WRONG_USE, Context, Json, context, show_json
from ingest.columns import Layout, decimal_marks, ignored, layout
from ingest.history import Importer, Progress
from ingest.sheets import Sheet, open_sheet
from ingest.writer import Writer
from lake.commit import Lake
from schemas.errors import DravaError
from schemas.settings import Lang, Settings
from schemas.vocabulary import Family, families

SHOWN = 20  # mistakes of a file that are listed
STEPS = {"sl": {"read": "branje", "commit": "shranjevanje"}, "en": {"read": "reading", "commit": "storing"}}


def add(app: typer.Typer) -> None:
    """Put the commands of this topic on the command line."""
    app.command("import")(import_history)


def import_history(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(help="CSV, Excel workbook (.xlsx, first sheet) or Parquet.")],
    family: Annotated[str, typer.Option(help="Family whose readings these are.")],
    device_column: Annotated[str | None, typer.Option(help="Column with the device; default: device_id.")] = None,
    device: Annotated[str | None, typer.Option(help="All rows are of this device.")] = None,
    time_column: Annotated[str | None, typer.Option(help="Column with the time; default: time or observed_at.")] = None,
    maps: Annotated[
        list[str] | None,
        typer.Option("--map", metavar="SOURCE=COLUMN[:UNIT]", help="A column that is called otherwise; UCUM unit."),
    ] = None,
    zone: Annotated[str | None, typer.Option(help="Zone of times without offset; default: the municipality's.")] = None,
    decimal: Annotated[
        str | None, typer.Option(help="Decimal mark of a CSV file: , or . (default: found out).")
    ] = None,
    as_json: Json = False,
) -> None:
    """Bring history from a file. Doing it twice stores nothing new; a file that is no table is refused as a whole."""
    run = context(ctx)
    settings = run.home.settings
    sheet = _sheet(file, settings, as_json=as_json)
    what = layout(
        sheet.header,
        _family(family),
        device=_name(device_column, sheet),
        only_device=device,
        time=_name(time_column, sheet),
        maps=maps or (),
    )
    if decimal not in (None, ",", "."):
        raise DravaError(f"--decimal {decimal!r} is no decimal mark", "Say --decimal , or --decimal .")
    marks = decimal_marks(sheet, what, decimal)
    counts = _bring(run, sheet, what, marks, _zone(zone or settings.timezone))
    left = ignored(sheet.header, what)
    if as_json:
        show_json(counts | {"ignored_columns": left})
    else:
        typer.echo(_said(counts, left, settings.lang))


def _sheet(file: Path, settings: Settings, *, as_json: bool) -> Sheet:
    found = open_sheet(file)
    if isinstance(found, Sheet):
        return found
    if as_json:
        show_json({"problems": [problem.record() for problem in found.problems]})
    for problem in found.problems[:SHOWN]:
        sys.stderr.write(problem.text(settings.lang) + "\n")
    more = len(found.problems) - SHOWN
    said = {"sl": "nič ni bilo uvoženo", "en": "nothing was imported"}[settings.lang]
    sys.stderr.write(f"{file}: {said}{f' (+{more})' if more > 0 else ''}\n")
    raise typer.Exit(WRONG_USE)


def _family(name: str) -> Family:
    found = families().get(name)
    if found is None:
        raise DravaError(f"there is no family {name!r}", f"There are {', '.join(families())}")
    return found


def _name(column: str | None, sheet: Sheet) -> str | None:
    """A column as the header has it: those of CSV files are in lower case."""
    if column is None or column in sheet.header:
        return column
    return "_".join(column.lower().split())


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise DravaError(f"--zone {name!r} is not a time zone", "Write it like Europe/Ljubljana or UTC") from None


def _bring(run: Context, sheet: Sheet, what: Layout, marks: dict[str, str | None], zone: ZoneInfo) -> dict[str, int]:
    home, store = run.home, run.store
    writer = Writer(home, store, Lake(home, store, run.clock), run.clock)
    with _progress(home.settings.lang) as progress:
        importer = Importer(writer, zone, progress)
        try:
            return importer.bring(sheet, what, marks)
        finally:
            importer.close()
            store.close()


@contextmanager
def _progress(lang: Lang) -> Iterator[Progress]:
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Bars(*columns, console=console, transient=True, disable=not console.is_terminal) as bars:
        tasks = {step: bars.add_task(text, total=None, start=True) for step, text in STEPS[lang].items()}
        yield lambda step, done, total: bars.update(tasks[step], completed=done, total=total)


def _said(counts: dict[str, int], left: list[str], lang: Lang) -> str:
    numbers = {name: f"{count:,}" for name, count in counts.items()}
    held = counts.get("quarantined", 0) + counts.get("readings_quarantined", 0)
    numbers |= {"held": f"{held:,}", "left": ", ".join(left)}
    lines = [_LINES[lang][0].format_map(_Zero(numbers))]
    if held:
        lines.append(_LINES[lang][1])
    if left:
        lines.append(_LINES[lang][2].format_map(numbers))
    return "\n".join(lines)


class _Zero(dict[str, str]):
    """What was not counted did not happen."""

    def __missing__(self, key: str) -> str:
        return "0"


_LINES: dict[Lang, tuple[str, str, str]] = {
    "sl": (
        """Prebranih vrstic: {rows}. Odčitki: shranjeni {stored}, dopolnjeni {completed}, popravljeni {revised},
podvojeni {duplicate}, prestari {too_old}, v karanteni {held}.""",
        "Kaj je narobe z vrsticami v karanteni, pove: drava quarantine list",
        "Neuporabljeni stolpci: {left}",
    ),
    "en": (
        """Rows read: {rows}. Readings: stored {stored}, completed {completed}, revised {revised},
duplicate {duplicate}, too old {too_old}, quarantined {held}.""",
        "What is wrong with the quarantined rows: drava quarantine list",
        "Columns not used: {left}",
    ),
}
