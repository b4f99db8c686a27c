"""`drava bench`: measurements that print ratios against a peer in the same run."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from commands.context import Json
from schemas.errors import DravaError

BENCH = Path(__file__).parent.parent / "bench"


def add(app: typer.Typer) -> None:
    """Put the commands of this topic on the command line."""
    group = typer.Typer(help="Measure, against a peer in the same run.", no_args_is_help=True)
    group.callback()(lambda: None)
    group.command("ingest")(ingest)
    group.command("indicators")(indicators)
    app.add_typer(group, name="bench")


def ingest(
    messages: Annotated[int, typer.Option(help="QoS 1 messages in the backlog.")] = 500_000,
    days: Annotated[int, typer.Option(help="Over how many days their times spread.")] = 1,
    devices: Annotated[int, typer.Option(help="How many devices send them.")] = 2000,
    runs: Annotated[int, typer.Option(help="How often; the median is printed.")] = 3,
    slow_disk_ms: Annotated[int, typer.Option(help="How much longer each fsync of Drava takes.")] = 0,
    as_json: Json = False,
) -> None:
    """From a backlog at the broker to rows visible in SQL, beside mosquitto_sub and the usual Python stack."""
    asked = {"--messages": messages, "--days": days, "--devices": devices, "--runs": runs}
    _run("ingest.py", asked | {"--slow-disk-ms": slow_disk_ms}, as_json=as_json)


def indicators(
    scale: Annotated[
        float, typer.Option(help="1: a city of 14,568 devices; less: fewer devices, the same days.")
    ] = 0.1,
    days: Annotated[int, typer.Option(help="How many days it has measured.")] = 365,
    place: Annotated[Path | None, typer.Option(help="Folder to keep the homes in; scale 1 needs 11 GB.")] = None,
    as_json: Json = False,
) -> None:
    """Measure the nightly run for a new day and what pages ask, beside the same SQL on DuckDB's own tables."""
    asked: dict[str, object] = {"--scale": scale, "--days": days}
    _run("indicators_all.py", asked | ({"--place": place} if place else {}), as_json=as_json)


def _run(name: str, asked: Mapping[str, object], *, as_json: bool) -> None:
    script = BENCH / name
    if not script.is_file():
        raise DravaError("the measurements are not installed", "Run this from a checkout, after make test")
    words = [str(word) for pair in asked.items() for word in pair]
    command = [sys.executable, str(script), *words, *(["--json"] if as_json else [])]
    done = subprocess.run(command, check=False)  # noqa: S603 - our own script, numbers and a folder as its arguments
    raise typer.Exit(done.returncode)
