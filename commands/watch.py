"""`drava watch`: readings as they come into the lake, until Ctrl-C."""

import json
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer

from commands.context import Context, cell, context, plain
from devices.registry import normal_id
from lake.query import open_found
from lake.snapshot import find
from schemas.errors import DravaError
from schemas.vocabulary import families

LOOK_SECONDS = 0.5
LEAST_QUALITY = 1
LIVE = timedelta(days=2)  # older readings are history, not news: their days are not even opened


def add(app: typer.Typer) -> None:
    """Put the command on the command line."""
    app.command("watch")(watch)


def watch(
    ctx: typer.Context,
    device: Annotated[str | None, typer.Argument(help="Only this device.")] = None,
    last: Annotated[int, typer.Option(help="Begin with so many of the newest readings.")] = 5,
    once: Annotated[bool, typer.Option("--once", help="Show the newest readings and end.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Show readings live, as they are committed: when, which device, what, and how good."""
    run = context(ctx)
    zone = ZoneInfo(run.home.settings.timezone)
    with suppress(KeyboardInterrupt):
        for row in _rows(run, normal_id(device) if device else None, last, once=once):
            typer.echo(json.dumps(row, default=plain, ensure_ascii=False) if as_json else _line(row, zone))
            sys.stdout.flush()


def _rows(run: Context, device: str | None, last: int, *, once: bool) -> Iterator[dict[str, Any]]:
    """Readings in the order of their messages; first the newest that are there."""
    seen, at = -1, -1
    while True:
        try:
            snapshot = find(run.home.path, None)
        except DravaError:
            if once:
                raise
            snapshot = None  # nothing was committed yet
        if snapshot is not None and snapshot.id != seen:
            with open_found(run.home.path, snapshot, settings=run.home.settings, tables=_tables()) as lake:
                found = _newer(lake, device, at, last if at < 0 else None, run.now() - LIVE)
            seen = snapshot.id
            at = max([at, 0, *(row["message_id"] for row in found)])
            yield from found
        if once:
            return
        time.sleep(LOOK_SECONDS)


def _tables() -> list[str]:
    return [f"{name}_revisions" for name in families()]


def _newer(lake: Any, device: str | None, after: int, most: int | None, since: datetime) -> list[dict[str, Any]]:
    """Readings since a time of messages after this one, at most so many of the newest."""
    rows: list[dict[str, Any]] = []
    for name, family in families().items():
        query = f"SELECT * FROM {name}_revisions WHERE message_id > ? AND observed_at >= ?"
        asked: list[Any] = [after, since]
        if device is not None:
            query, asked = f"{query} AND device_id = ?", [*asked, device]
        found = lake.execute(f"{query} ORDER BY message_id DESC LIMIT {most or 1000}", asked)
        columns = [column[0] for column in found.description]
        for values in found.fetchall():
            row = dict(zip(columns, values, strict=True))
            told = {measure: row[measure] for measure in (*family.keys, *family.measures) if row[measure] is not None}
            head = {key: row[key] for key in ("message_id", "observed_at", "device_id")}
            rows.append({**head, "family": name, "values": told, "quality": row["quality"], "extra": row["extra"]})
    rows.sort(key=lambda row: (row["message_id"], row["observed_at"]))
    return rows[-most:] if most else rows


def _line(row: dict[str, Any], zone: ZoneInfo) -> str:
    values = "  ".join(f"{name} {_told(value)}" for name, value in row["values"].items())
    doubt = "" if row["quality"] == LEAST_QUALITY else f"  (quality {row['quality']})"
    when = row["observed_at"].astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")
    return f"{when}  {cell(row['device_id'])}  {row['family']}  {values}{doubt}"


def _told(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else cell(value)
