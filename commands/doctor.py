"""`drava doctor`: whether everything is as it must be, and what to do where it is not."""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from commands.context import PROBLEM, Context, Json, context, show_json
from ingest.doctor import examine
from ingest.health import Finding, Level, Say
from lake.commit import Lake
from schemas.errors import DravaError

MARKS = {Level.OK: "✓", Level.WARN: "!", Level.FAIL: "✗"}


def add(app: typer.Typer) -> None:
    """Put the commands of this topic on the command line."""
    app.command("doctor")(doctor)


def doctor(
    ctx: typer.Context,
    broker_conf: Annotated[
        Path | None, typer.Option(help="The broker's mosquitto.conf, where it is on this machine.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Check settings, permissions, disk, clock, broker, journals, lake, balance. Exit code 1 where something fails."""
    run = context(ctx)
    findings = []
    for finding in _findings(run, broker_conf):
        findings.append(finding)
        if not as_json:  # one by one: some take a while
            _show(finding)
    if as_json:
        show_json([finding.record() for finding in findings])
    if any(finding.level is Level.FAIL for finding in findings):
        raise typer.Exit(PROBLEM)


def _findings(run: Context, conf: Path | None) -> Iterable[Finding]:
    try:
        home = run.home
        store = run.store
    except DravaError as error:
        if run.path is None:
            raise
        yield Say("en")("home.unreadable", what=error.what, hint=error.hint)
        return
    yield from examine(home, store, Lake(home, store, run.clock), run.now(), conf)
    store.close()


def _show(finding: Finding) -> None:
    sys.stdout.write(f"{MARKS[finding.level]} {finding.check}: {_printable(finding.what)}\n")
    if finding.todo and finding.level is not Level.OK:
        sys.stdout.write(f"    → {_printable(finding.todo)}\n")
    sys.stdout.flush()


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in text)
