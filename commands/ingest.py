"""`drava ingest`: receive, journal, commit."""

import asyncio
import json
import sys
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console
from rich.live import Live
from rich.text import Text

from commands.context import WRONG_USE, Context, context, plain
from ingest.connection import TakenOverError
from ingest.progress import NONE, Facts, Progress, Say
from ingest.run import Ingestion, stop_on_signals
from schemas.errors import DravaError

DEPART_IDLE = 5.0  # seconds without a message: nothing is queued any more
NOT_AGAIN = 3  # exit code: a supervisor must not start it again by itself (RestartPreventExitStatus)
LOG_SECONDS = 60.0  # between two lines of counters in a log for machines


def add(app: typer.Typer) -> None:
    """Put the commands of this topic on the command line."""
    app.command("ingest")(ingest)


def ingest(
    ctx: typer.Context,
    until_idle: Annotated[
        float | None, typer.Option(min=0.05, help="End when nothing has come for so many seconds and all is committed.")
    ] = None,
    name: Annotated[str, typer.Option(help="Name of this receiver's journal, where several share a home.")] = "main",
    depart: Annotated[
        bool,
        typer.Option("--depart", help="Unsubscribe, take what the broker still keeps, end the session for ever."),
    ] = False,
    log_json: Annotated[bool, typer.Option("--log-json", help="Log lines as JSON.")] = False,
) -> None:
    """Receive messages over MQTT, journal them, acknowledge, and commit them to the lake. SIGTERM drains and ends."""
    if depart and until_idle is None:
        until_idle = DEPART_IDLE
    asyncio.run(_run(context(ctx), until_idle, name, depart=depart, log_json=log_json))


async def _run(shared: Context, until_idle: float | None, name: str, *, depart: bool, log_json: bool) -> None:
    console = Console(stderr=True)

    def say(line: str, *, event: str = "ingest", level: str = "info", facts: Facts = NONE) -> None:
        moment = shared.now().isoformat(timespec="milliseconds")
        if log_json:
            entry = {"time": moment, "level": level, "event": event, "message": line, **facts}
            sys.stderr.write(json.dumps(entry, default=plain, ensure_ascii=False) + "\n")
        else:
            console.print(f"{moment} {line}", markup=False, highlight=False, soft_wrap=True)

    as_of = shared.as_of.isoformat() if shared.as_of else ""
    ingestion = Ingestion(shared.home, shared.now, as_of=as_of, say=say, name=name, depart=depart)
    stop_on_signals(ingestion)
    beside = _beside(ingestion.progress, say, console, log_json=log_json)
    try:
        await ingestion.run(until_idle)
    except DravaError as error:
        taken_over = isinstance(error, TakenOverError)
        if not log_json and not taken_over:
            raise
        tell(ingestion.progress, say)
        say(str(error), event="failed", level="error")
        raise typer.Exit(NOT_AGAIN if taken_over else WRONG_USE) from None
    finally:
        if beside:
            beside.cancel()
            await asyncio.gather(beside, return_exceptions=True)
    tell(ingestion.progress, say)


def _beside(progress: Progress, say: Say, console: Console, *, log_json: bool) -> asyncio.Task[None] | None:
    """What keeps people, or a log, informed while ingestion runs."""
    if log_json:
        return asyncio.create_task(log_counters(progress, say, LOG_SECONDS))
    return asyncio.create_task(_show(progress, console)) if console.is_terminal else None


async def log_counters(progress: Progress, say: Say, seconds: float) -> None:
    """Say the counters again and again, until cancelled."""
    while True:
        await asyncio.sleep(seconds)
        tell(progress, say)


def tell(progress: Progress, say: Say) -> None:
    """Say the counters: a line for people, and every one of them for machines."""
    facts = {name: value for name, value in asdict(progress).items() if name not in {"counts", "commits"}} | {
        "counts": {name: count for name, count in progress.counts.items() if count},
        "commits": sum(progress.commits.counts),
        "commit_seconds": round(progress.commits.total, 3),
    }
    say(_line(progress), event="progress", facts=facts)


async def _show(progress: Progress, console: Console) -> None:
    with Live(Text(""), console=console, refresh_per_second=4, transient=True) as live:
        while True:
            live.update(Text(_line(progress)))
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
