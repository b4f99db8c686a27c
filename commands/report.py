"""`drava indicators report`: a month or a year of the city as one file that stands alone."""

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

import typer

from catalog import pins
from commands.context import Context, context
from commands.registering import who
from indicators.kpis import of_town
from indicators.report import Report, gather
from indicators.report_html import page
from indicators.report_lines import Period
from indicators.report_text import markdown, table
from lake.query import open_found
from lake.snapshot import find
from schemas.errors import DravaError
from schemas.settings import Lang
from schemas.vocabulary import families

Format = Literal["html", "md", "csv"]
_WRITERS: dict[Format, Callable[[Report, ZoneInfo], str]] = {
    "html": page,
    "md": markdown,
    "csv": lambda report, _: table(report),
}

_TABLES = ("indicator_values", "entered_values", "things", "areas", "devices", *families())
_UNPINNED = {
    "en": "Snapshot {snapshot} is not kept for this report: only the user of the service can pin it (drava lake pin).",
    "sl": "Posnetek {snapshot} za to poročilo ni obdržan: pripne ga lahko le uporabnik storitve (drava lake pin).",
}


def attach(indicators: typer.Typer) -> None:
    """Put this command below `drava indicators`."""
    indicators.command("report")(report)


def report(
    ctx: typer.Context,
    period: Annotated[str, typer.Option(help="A month or a year: 2026-10, 2026.")],
    form: Annotated[Format, typer.Option("--format", help="html, md or csv.")] = "html",
    lang: Annotated[Lang | None, typer.Option(help="Language of the texts; default: that of the home.")] = None,
    out: Annotated[Path | None, typer.Option(help="Write to this file; default: standard output.")] = None,
    keep: Annotated[
        bool, typer.Option("--pin/--no-pin", help="Keep the snapshot of a report that is written to a file.")
    ] = True,
) -> None:
    """Write one file that stands alone: values, trends, targets, coverage, the KPI sheet, what is missing and why."""
    run = context(ctx)
    settings = run.home.settings
    zone = ZoneInfo(settings.timezone)
    chosen = Period.of(period, run.now().astimezone(zone).date())
    snapshot = find(run.home.path)
    why = f"report {period}: {out.name}" if out is not None and keep and snapshot.id else ""
    with (
        _kept(run, snapshot.id, why) if why else nullcontext(),
        open_found(run.home.path, snapshot, settings=settings, tables=_TABLES, limited=False) as connection,
    ):
        found = gather(
            connection,
            municipality=settings.title or settings.municipality,
            lang=lang or settings.lang,
            period=chosen,
            made_at=run.now(),
            strategies=of_town(settings.municipality),
        )
        _write(_WRITERS[form](found, zone), out)


def _write(text: str, out: Path | None) -> None:
    if out is None:
        sys.stdout.write(text)
        return
    try:
        out.write_text(text, "utf-8", newline="")
    except OSError as error:
        raise DravaError(
            f"{out} cannot be written: {error.strerror}", "Name a file in a folder that is there"
        ) from None
    sys.stdout.write(f"{out}\n")


@contextmanager
def _kept(run: Context, snapshot: int, why: str) -> Iterator[None]:
    """Keep what a report is computed from; the same report again adds nothing, and one that fails leaves nothing."""
    if not run.may_write:
        typer.echo(_UNPINNED[run.home.settings.lang].format(snapshot=snapshot), err=True)
        yield
        return
    if any((one.snapshot_id, one.why) == (snapshot, why) for one in pins.listed(run.store)):
        yield
        return
    number = pins.pin(run.store, snapshot, why, who=who(), now=run.now())
    with ExitStack() as failed:
        failed.callback(pins.unpin, run.store, number, who=who(), now=run.now())
        yield
        failed.pop_all()
