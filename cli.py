"""The command line: wires the commands together; owns no logic."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from commands import decode, devices, home, ingest
from commands.context import WRONG_USE, Context
from schemas.errors import DravaError

app = typer.Typer(
    name="drava",
    help="A city's telemetry lake.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
for topic in (home, devices, ingest, decode):
    topic.add(app)


@app.callback()
def options(
    ctx: typer.Context,
    home: Annotated[Path | None, typer.Option(envvar="DRAVA_HOME", help="Folder of the municipality.")] = None,
    as_of: Annotated[
        str | None, typer.Option(envvar="DRAVA_AS_OF", help="Clock of this run, RFC 3339; default: now.")
    ] = None,
) -> None:
    """Drava keeps what a city's devices measure, and answers questions about it."""
    ctx.obj = Context(path=home, as_of=_moment(as_of))


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise DravaError(f"--as-of {text!r} is not a time", "Write it like 2026-03-01T06:00:00Z") from None
    return found.replace(tzinfo=found.tzinfo or UTC).astimezone(UTC)


def run() -> None:
    """Run one command; a DravaError becomes one line and exit code 2."""
    try:
        app()
    except DravaError as error:
        sys.stderr.write(f"drava: {error}\n")
        sys.exit(WRONG_USE)


if __name__ == "__main__":
    run()
