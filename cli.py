"""The command line: wires the commands together; owns no logic."""

import sys
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from commands.context import WRONG_USE, Context
from schemas.errors import DravaError

# Which file holds which command. Only the one that is asked for is loaded: `drava ingest` is to stay small.
COMMANDS = {
    "init": "home",
    "version": "home",
    "deploy": "deploy",
    "devices": "devices",
    "areas": "assets",
    "assets": "assets",
    "sources": "sources",
    "ingest": "ingest",
    "import": "history",
    "quarantine": "quarantine",
    "balance": "balance",
    "doctor": "doctor",
    "sql": "lake",
    "export": "lake",
    "lake": "lake",
    "catalog": "catalog",
    "indicators": "indicators",
    "detectors": "detectors",
    "alarms": "alarms",
    "notify": "notify",
    "morning": "morning",
    "containers": "containers",
    "correct": "correct",
    "decode": "decode",
    "watch": "watch",
    "backup": "backup",
    "restore": "backup",
    "verify": "backup",
    "demo": "demo",
    "bench": "bench",
}


class Commands(TyperGroup):
    """Finds a command's file when the command is used."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002
        """Every command, in the order of a first day with Drava."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002
        """Load the command's file; None where there is no such command."""
        if cmd_name not in COMMANDS:
            return None
        topic = typer.Typer()
        topic.callback()(lambda: None)  # a group, even of one command
        import_module(f"commands.{COMMANDS[cmd_name]}").add(topic)
        return typer.main.get_group(topic).commands[cmd_name]


app = typer.Typer(
    name="drava",
    cls=Commands,
    help="A city's telemetry lake.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


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
    except SystemExit:  # how every command ends: nothing more is imported for it
        raise
    except DravaError as error:
        sys.stderr.write(f"drava: {error}\n")
        sys.exit(WRONG_USE)
    except _world() as error:
        what = str(getattr(error, "orig", error))
        sys.stderr.write(f"drava: {what}. Look at the disk and at the permissions: drava doctor says more\n")
        sys.exit(WRONG_USE)


def _world() -> tuple[type[Exception], ...]:
    """What a disk or a database raises that cannot be used; asked for when something was raised."""
    from catalog.store import UNUSABLE  # noqa: PLC0415 - most commands never need it

    return OSError, UNUSABLE


if __name__ == "__main__":
    run()
