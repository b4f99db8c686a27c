"""`drava alarms`: the list of what is wrong, and one alarm with its numbers, its baseline and a small chart."""

import json
import sys
from dataclasses import asdict
from shutil import get_terminal_size
from textwrap import wrap
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

import typer

from catalog.alarms import Alarm, mark
from commands import muting
from commands.alarm_watch import watch
from commands.context import Context, Json, context, show_json, who
from indicators.header import packs
from indicators.notify import Herald
from indicators.places import TABLES, Places
from indicators.telling import brief, severity, tell
from indicators.thresholds import detectors
from lake.commit import Lake
from lake.query import open_snapshot
from schemas.errors import DravaError
from schemas.settings import Lang

State = Literal["open", "acknowledged", "closed", "retracted", "all"]
Language = Annotated[Lang | None, typer.Option(help="Language of the texts; default: that of the home.")]
Id = Annotated[str, typer.Argument(metavar="ID", help="As in drava alarms list; its beginning is enough.")]
_LABELS = 10  # columns of the labels beside the text of an alarm
_ID = 12  # columns of an id in the list


def add(app: typer.Typer) -> None:
    """Put the commands of this topic on the command line."""
    alarms = typer.Typer(no_args_is_help=True, help="What the detectors found.")
    alarms.command("list")(list_alarms)
    alarms.command("show")(show)
    alarms.command("acknowledge")(acknowledge)
    alarms.command("close")(close)
    alarms.command("watch")(watch)
    muting.add(alarms)
    app.add_typer(alarms, name="alarms")


def list_alarms(
    ctx: typer.Context,
    state: Annotated[State | None, typer.Option(help="Only this state; default: all but retracted.")] = None,
    events: Annotated[bool, typer.Option("--events", help="Events, such as emptyings, instead of faults.")] = False,
    lang: Language = None,
    as_json: Json = False,
) -> None:
    """List the alarms, the newest last."""
    run = context(ctx)
    to = lang or run.home.settings.lang
    zone = ZoneInfo(run.home.settings.timezone)
    wanted = (
        {state} if state not in (None, "all") else {"open", "acknowledged", "closed", *(["retracted"] if state else [])}
    )
    happened = {pack.id for pack in packs("detector").values() if pack.event}
    found = [
        (alarm, places)
        for alarm, places in _stored(run)
        if alarm.state in wanted and (alarm.detector in happened) == events
    ]
    if as_json:
        show_json([_plain(alarm, places) for alarm, places in found])
        return
    for alarm, places in found:
        head, *rest = brief(alarm, places, zone, to)
        _wrapped(f"{alarm.alarm_id:<{_ID}}", head)
        for line in rest:
            _wrapped(" " * _ID, line)
    if not found:
        sys.stdout.write("(none)\n")


def _wrapped(label: str, text: str) -> None:
    """One line of a label and its text, at most as wide as the terminal; what follows stands under the text."""
    width = max(get_terminal_size().columns, len(label) + 20) if sys.stdout.isatty() else 100_000
    lines = wrap(_printable(text), width - len(label), break_on_hyphens=False) or [""]
    for n, line in enumerate(lines):
        sys.stdout.write(f"{label if n == 0 else ' ' * len(label)}{line}\n")


def show(
    ctx: typer.Context,
    alarm_id: Id,
    lang: Language = None,
    as_json: Json = False,
) -> None:
    """Show one alarm: what, where, since when, how much, why; then the numbers behind it."""
    run = context(ctx)
    alarm, places = _one(run, alarm_id)
    if as_json:
        show_json(_plain(alarm, places))
        return
    to = lang or run.home.settings.lang
    told = tell(alarm, places, ZoneInfo(run.home.settings.timezone), to)
    sys.stdout.write(f"{told.title}  [{severity(alarm.severity, to)}]  {alarm.alarm_id}\n")
    for label, text in told.lines:
        _wrapped(f"  {label + ':':<{_LABELS}}", text)
    numbers = {name: value for name, value in alarm.evidence.items() if name != "chart"}
    sys.stdout.write(f"\n  {alarm.detector}, snapshot {alarm.snapshot_id}, {alarm.computed_at:%FT%TZ}\n")
    for name, value in numbers.items():
        _wrapped(f"  {name:<22}", str(value))
    chart = alarm.evidence.get("chart") or []
    if chart:
        _wrapped(f"  {'chart':<22}", " ".join("–" if v is None else f"{v:g}" for v in chart))


def acknowledge(ctx: typer.Context, alarm_id: Id) -> None:
    """Say that somebody has seen this alarm. It stays so until the condition ends."""
    _mark(context(ctx), alarm_id, "acknowledged")


def close(ctx: typer.Context, alarm_id: Id) -> None:
    """Say that it is over. What its detector still sees after a day and a half opens again; what is urgent, at once."""
    _mark(context(ctx), alarm_id, "closed")


def _mark(run: Context, alarm_id: str, state: Literal["acknowledged", "closed"]) -> None:
    alarm, _ = _one(run, alarm_id)
    settings = run.home.settings
    with open_snapshot(run.home.path, settings=settings, tables=TABLES) as lake:
        places = Places.read(lake)
    herald = Herald(settings, {pack.id: pack for pack in detectors(settings)}, run.now(), places)
    marked = mark(run.store, alarm.alarm_id, state, now=run.now(), who=who(), announce=herald.announce)
    publish(run)
    sys.stdout.write(f"{marked.alarm_id} {marked.state}\n")


def publish(run: Context) -> None:
    """Show readers the alarms as they are now."""
    with Lake(run.home, run.store, run.clock).exclusive():
        pass


def _one(run: Context, alarm_id: str) -> tuple[Alarm, tuple[str | None, str | None]]:
    found = [row for row in _stored(run) if row[0].alarm_id.startswith(alarm_id)]
    if not found:
        raise DravaError(f"there is no alarm {alarm_id!r}", "drava alarms list --state all names them")
    if len(found) > 1 and found[0][0].alarm_id != alarm_id:
        raise DravaError(f"{len(found)} alarms begin with {alarm_id!r}", "Write more of the id")
    return found[0]


def _stored(run: Context) -> list[tuple[Alarm, tuple[str | None, str | None]]]:
    """Every alarm of the newest snapshot with the titles of its thing and its area."""
    names = [name for name in Alarm.__dataclass_fields__ if name != "evidence"]
    columns = ", ".join(f"a.{name}" for name in names)
    with open_snapshot(run.home.path, settings=run.home.settings, tables=["alarms", "things", "areas"]) as connection:
        rows = connection.execute(
            f"""SELECT {columns}, a.evidence, t.title, r.title
            FROM alarms AS a LEFT JOIN things AS t ON t.thing_id = a.thing_id
            LEFT JOIN areas AS r ON r.area_id = coalesce(a.area_id, t.area_id) ORDER BY a.since, a.alarm_id"""
        ).fetchall()
    return [(_alarm(names, row), (row[-2], row[-1])) for row in rows]


def _alarm(names: list[str], row: tuple[Any, ...]) -> Alarm:
    return Alarm(**dict(zip(names, row, strict=False)), evidence=json.loads(row[len(names)] or "{}"))


def _plain(alarm: Alarm, places: tuple[str | None, str | None]) -> dict[str, Any]:
    return {**asdict(alarm), "thing_title": places[0], "area_title": places[1]}


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)
