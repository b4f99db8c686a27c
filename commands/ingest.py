"""`drava ingest`: receive, journal, commit."""

import asyncio
import json
import sys
from typing import Annotated

import typer
from rich.console import Console
from rich.live import Live
from rich.text import Text

from commands.context import Context, context
from ingest.run import Ingestion, Progress, stop_on_signals


def add(app: typer.Typer) -> None:
    """Put the commands of this topic on the command line."""
    app.command("ingest")(ingest)


def ingest(
    ctx: typer.Context,
    until_idle: Annotated[
        float | None, typer.Option(min=0.05, help="End when nothing has come for so many seconds and all is committed.")
    ] = None,
    name: Annotated[str, typer.Option(help="Name of this receiver's journal, where several share a home.")] = "main",
    log_json: Annotated[bool, typer.Option("--log-json", help="Log lines as JSON.")] = False,
) -> None:
    """Receive messages over MQTT, journal them, acknowledge, and commit them to the lake. SIGTERM drains and ends."""
    asyncio.run(_run(context(ctx), until_idle, name, log_json=log_json))


async def _run(shared: Context, until_idle: float | None, name: str, *, log_json: bool) -> None:
    console = Console(stderr=True)

    def say(line: str) -> None:
        moment = shared.now().isoformat(timespec="milliseconds")
        if log_json:
            sys.stderr.write(json.dumps({"time": moment, "message": line}, ensure_ascii=False) + "\n")
        else:
            console.print(f"{moment} {line}", markup=False, highlight=False, soft_wrap=True)

    as_of = shared.as_of.isoformat() if shared.as_of else ""
    ingestion = Ingestion(shared.home, shared.now, as_of=as_of, say=say, name=name)
    stop_on_signals(ingestion)
    live = console.is_terminal and not log_json
    showing = asyncio.create_task(_show(ingestion, console)) if live else None
    progress = await ingestion.run(until_idle)
    if showing:
        showing.cancel()
        await asyncio.gather(showing, return_exceptions=True)
    say(_line(progress))


async def _show(ingestion: Ingestion, console: Console) -> None:
    with Live(Text(""), console=console, refresh_per_second=4, transient=True) as live:
        while True:
            live.update(Text(_line(ingestion.progress)))
            await asyncio.sleep(0.25)


def _line(progress: Progress) -> str:
    counts = progress.counts
    return (
        f"received {progress.received:,}  acknowledged {progress.acknowledged:,}  committed {progress.committed:,}  "
        f"stored {counts.get('stored', 0):,}  duplicate {counts.get('duplicate', 0):,}  "
        f"revised {counts.get('revised', 0):,}  quarantined "
        f"{counts.get('quarantined', 0) + counts.get('readings_quarantined', 0):,}"
        + (f"  ({progress.trouble})" if progress.trouble else "")
    )
