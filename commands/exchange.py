"""`drava devices replace`, `history`, `undo`: an exchange, what was changed by whom, and taking it back."""

from decimal import Decimal
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer

from catalog import imports
from commands.context import Json, context, show_json, show_rows
from commands.registering import DryRun, Why, author, local, report, time_of
from devices.csvfile import number
from devices.exchange import Exchange, exchanged
from devices.problems import Fault
from schemas.errors import DravaError

Register = Annotated[str | None, typer.Option(help="Register in m³, as on the protocol: 412,503 or 412.503.")]


def mount(devices: typer.Typer) -> None:
    """Put these commands beside the others of `drava devices`."""
    devices.command("replace")(replace)
    devices.command("history")(history)
    devices.command("undo")(undo)


def replace(
    ctx: typer.Context,
    old: Annotated[str, typer.Argument(help="Device that was taken away.")],
    new: Annotated[str, typer.Argument(help="Device that hangs there now.")],
    at: Annotated[str, typer.Option("--at", help="When: 2026-03-01T10:30, local, or RFC 3339.")],
    end_register: Register = None,
    start_register: Register = None,
    model: Annotated[str | None, typer.Option(help="Model of the new device.")] = None,
    gateway: Annotated[str | None, typer.Option(help="Gateway that speaks for the new device.")] = None,
    calibrated_until: Annotated[str | None, typer.Option(help="Day on which the calibration ends.")] = None,
    dry_run: DryRun = False,
    why: Why = "",
    as_json: Json = False,
) -> None:
    """Exchange a device; said again with other values it corrects the exchange."""
    run = context(ctx)
    zone = ZoneInfo(run.home.settings.timezone)
    what = Exchange(
        old,
        new,
        time_of(at, "--at", zone),
        _register(end_register, "--end-register"),
        _register(start_register, "--start-register"),
        model,
        gateway,
        None if calibrated_until is None else time_of(calibrated_until, "--calibrated-until", zone),
    )
    words = f"replace {old} {new} --at {at}"
    counts = imports.change(
        run.store,
        "devices replace",
        lambda book: exchanged(book, what),
        imports.Author(**author(run, words, why, dry=dry_run)),
    )
    report(run, counts, dry=dry_run, as_json=as_json)


def _register(text: str | None, option: str) -> Decimal | None:
    if text is None:
        return None
    found = number(text, "," if "," in text else ".")
    if isinstance(found, Fault):
        raise DravaError(f"{option} {text!r} is not a number", "Write it like 412.503")
    return found


def history(
    ctx: typer.Context,
    number_of: Annotated[int | None, typer.Argument(metavar="[IMPORT]", help="Show what this import changed.")] = None,
    as_json: Json = False,
) -> None:
    """List what changed the registry: who, when, from what, why; or what one import changed, row by row."""
    run = context(ctx)
    if number_of is None:
        rows = imports.history(run.store)
        show_rows(rows if as_json else local(rows, run.home.settings), as_json=as_json)
        return
    rows = [dict(row) for row in imports.rows_of(run.store, number_of)]
    if not rows:
        raise DravaError(f"there is no import {number_of}", "Look at: drava devices history")
    if as_json:
        show_json(rows)
        return
    show_rows([{name: _shown(value) for name, value in row.items()} for row in rows], as_json=False)


def _shown(value: Any) -> Any:
    return ", ".join(f"{k} {v}" for k, v in value.items() if v is not None) if isinstance(value, dict) else value


def undo(
    ctx: typer.Context,
    number_of: Annotated[int, typer.Argument(metavar="IMPORT", help="Number of the import: drava devices history.")],
    dry_run: DryRun = False,
    why: Why = "",
    as_json: Json = False,
) -> None:
    """Take back what one import changed, of devices or of objects; this is an import too, and can be undone."""
    run = context(ctx)
    words = f"undo {number_of}"
    counts = imports.undo(run.store, number_of, imports.Author(**author(run, words, why, dry=dry_run)))
    report(run, counts, dry=dry_run, as_json=as_json)
