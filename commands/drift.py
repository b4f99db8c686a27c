"""`drava devices drift`, `unknown`: what devices say that nobody has named, and devices that nobody has registered."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer

from catalog import events
from commands.context import Context, Json, context, show_json, show_rows
from lake.query import open_snapshot
from schemas.settings import Lang
from schemas.vocabulary import families

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DRIFT: dict[Lang, dict[str, str]] = {
    "en": {n: n for n in ("family", "event", "field", "readings", "devices", "example", "last")},
    "sl": {
        "family": "družina",
        "event": "dogodek",
        "field": "polje",
        "readings": "odčitki",
        "devices": "naprave",
        "example": "primer",
        "last": "nazadnje",
    },
}
_EVENTS: dict[Lang, dict[str, str]] = {
    "en": {
        "new_field": "a field without a name, kept in extra",
        "integer": "an integer where the column has a fraction: stored as the column's type",
        "wrong_type": "a text where a number belongs: in quarantine",
        "wrong_unit": "a unit of another kind: in quarantine",
    },
    "sl": {
        "new_field": "polje brez imena, shranjeno v extra",
        "integer": "celo število, kjer ima stolpec decimalke: shranjeno v vrsti stolpca",
        "wrong_type": "besedilo namesto števila: v karanteni",
        "wrong_unit": "enota druge vrste: v karanteni",
    },
}
_UNKNOWN: dict[Lang, dict[str, str]] = {
    "en": {n: n for n in ("device_id", "messages", "first", "last", "topic")} | {"device_id": "device"},
    "sl": {"device_id": "naprava", "messages": "sporočila", "first": "prvič", "last": "zadnjič", "topic": "tema"},
}
_NEXT: dict[Lang, str] = {
    "en": "Register them with: drava devices import; then: drava quarantine replay --reason unknown_device",
    "sl": "Vpišite jih z: drava devices import; nato: drava quarantine replay --reason unknown_device",
}
Since = Annotated[int, typer.Option("--days", min=1, help="Only readings of so many days before now.")]


def mount(devices: typer.Typer) -> None:
    """Put the commands below `drava devices`."""
    devices.command("drift")(drift)
    devices.command("unknown")(unknown)


def drift(ctx: typer.Context, days: Since = 30, as_json: Json = False) -> None:
    """List fields that no profile names, and types and units that are not as declared."""
    run = context(ctx)
    settings = run.home.settings
    rows = [*_fields(run, days), *_noticed(run)]
    if as_json:
        show_json(rows)
        return
    zone, titles = ZoneInfo(settings.timezone), _DRIFT[settings.lang]
    words = _EVENTS[settings.lang]
    for row in rows:
        row["event"] = words.get(row["event"], row["event"])
        row["last"] = _local(row["last"], zone)
    show_rows([{titles[name]: row[name] for name in titles} for row in rows], as_json=False)


def _fields(run: Context, days: int) -> list[dict[str, Any]]:
    """Fields in `extra`, by family."""
    since = run.now() - timedelta(days=days)
    rows: list[dict[str, Any]] = []
    tables = [f"{name}_revisions" for name in families()]
    with open_snapshot(run.home.path, settings=run.home.settings, tables=tables) as lake:
        for name in families():
            found = lake.execute(
                "SELECT key AS field, count(*) AS readings, count(DISTINCT device_id) AS devices, "
                "arg_max(CAST(value AS VARCHAR), observed_at) AS example, max(observed_at) AS last "
                f"FROM {name}_revisions AS r, json_each(r.extra) WHERE r.observed_at >= ? GROUP BY key ORDER BY key",
                [since],
            )
            columns = [column[0] for column in found.description]
            part = [dict(zip(columns, row, strict=True)) for row in found.fetchall()]
            rows += [{"family": name, "event": "new_field", **row} for row in part]
    return rows


def _noticed(run: Context) -> list[dict[str, Any]]:
    """Events in the catalogue: each when it was first seen."""
    store = run.store
    found = events.listed(store)
    store.close()
    return [
        {
            "family": row["family"],
            "event": row["event"],
            "field": row["detail"],
            "readings": None,
            "devices": None,
            "example": None,
            "last": _EPOCH + timedelta(microseconds=row["at"]),
        }
        for row in found
    ]


def unknown(ctx: typer.Context, as_json: Json = False) -> None:
    """List devices that speak and are not in the registry."""
    run = context(ctx)
    settings = run.home.settings
    with open_snapshot(run.home.path, settings=settings, tables=["quarantine"]) as lake:
        found = lake.execute(
            "SELECT device_id, CAST(sum(count) AS BIGINT) AS messages, min(first_at) AS first, max(last_at) AS last, "
            "arg_max(topic, last_at) AS topic FROM quarantine WHERE reason = 'unknown_device' "
            "GROUP BY device_id ORDER BY messages DESC, device_id"
        )
        columns = [column[0] for column in found.description]
        rows = [dict(zip(columns, row, strict=True)) for row in found.fetchall()]
    if as_json:
        show_json(rows)
        return
    zone, titles = ZoneInfo(settings.timezone), _UNKNOWN[settings.lang]
    show_rows([{titles[name]: _local(row[name], zone) for name in titles} for row in rows], as_json=False)
    if rows:
        typer.echo(_NEXT[settings.lang])


def _local(value: Any, zone: ZoneInfo) -> Any:
    return value.astimezone(zone).replace(microsecond=0) if isinstance(value, datetime) else value
