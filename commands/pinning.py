"""`drava lake pin`, `unpin`, `pins`: snapshots that stay, because what was given away was computed from them."""

from dataclasses import asdict
from typing import Annotated

import typer

from catalog import pins
from commands.context import Json, context, show_rows
from commands.registering import who
from lake.snapshot import find


def mount(lake: typer.Typer) -> None:
    """Put these commands beside the others of `drava lake`."""
    lake.command("pin")(pin)
    lake.command("unpin")(unpin)
    lake.command("pins")(pins_listed)


def pin(
    ctx: typer.Context,
    why: Annotated[str, typer.Option(help="What was computed from it: it is shown with the pin.")],
    snapshot: Annotated[int | None, typer.Argument(help="Number of the snapshot; default: the newest.")] = None,
) -> None:
    """Keep a snapshot for as long as the pin is there."""
    run = context(ctx)
    chosen = find(run.home.path).id if snapshot is None else snapshot
    number = pins.pin(run.store, chosen, why, who=who(), now=run.now())
    typer.echo(f"pin {number}: snapshot {chosen}")


def unpin(ctx: typer.Context, number: Annotated[int, typer.Argument(metavar="PIN", help="As in pins.")]) -> None:
    """Let a pin go."""
    run = context(ctx)
    pins.unpin(run.store, number, who=who(), now=run.now())
    typer.echo(f"pin {number} is gone")


def pins_listed(ctx: typer.Context, as_json: Json = False) -> None:
    """List the pins, and what each is for."""
    show_rows([asdict(one) for one in pins.listed(context(ctx).store)], as_json=as_json)
