"""What commands that change the registry share: reading the file, saying what would change, refusing, showing."""

import getpass
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer

from catalog.imports import Counts
from commands.context import WRONG_USE, Context, Json, show_json
from devices.changes import Effect, said
from devices.csvfile import MAX_BYTES, moment
from devices.facts import ALWAYS
from devices.kinds import kinds
from devices.problems import Fault, Problem
from lake.commit import refresh
from schemas.clock import moment as instant
from schemas.errors import DravaError
from schemas.settings import Settings

SHOWN = 100  # lines of problems or differences that people are shown; --json gives all

File = Annotated[
    Path, typer.Argument(help="CSV (; , or tab; UTF-8, UTF-16 or Windows-1250) or .xlsx, as Excel saves it.")
]
Excel = Annotated[bool, typer.Option("--excel", help="As a Slovenian Excel saves it: semicolons and decimal commas.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would change, and change nothing.")]
Why = Annotated[str, typer.Option(help="Why: it is written into the audit.")]
__all__ = ["DryRun", "Excel", "File", "Json", "Why"]

_NAMES: dict[str, dict[str, str]] = {
    "en": {"things": "things", "devices": "devices", "assignments": "assignments", "history": "what held when"}
    | {"device": "device", "thing": "thing", "assignment": "assignment"},
    "sl": {"things": "objekti", "devices": "naprave", "assignments": "dodelitve", "history": "kaj je kdaj veljalo"}
    | {"device": "naprava", "thing": "objekt", "assignment": "dodelitev"},
}
_COUNTED = {
    "en": "{name}: {added} added, {changed} changed, {removed} removed",
    "sl": "{name}: dodano {added}, spremenjeno {changed}, odstranjeno {removed}",
}
_WHAT = {
    "en": {"added": "+", "changed": "~", "ended": "ended", "reopened": "reopened", "withdrawn": "withdrawn"},
    "sl": {"added": "+", "changed": "~", "ended": "konec", "reopened": "znova", "withdrawn": "umaknjeno"},
}
_FROM = {"en": "from", "sl": "od"}
_MORE = {"en": "… and {n} more; --json gives all", "sl": "… in še {n}; z --json dobite vse"}
_DRY = {"en": "Nothing was changed: this was a dry run.", "sl": "Nič ni bilo spremenjeno: to je bil le poskus."}
_SAME = {"en": "Nothing is different.", "sl": "Nič se ne razlikuje."}
_NUMBER = {
    "en": "This is import {n}; drava devices undo {n} takes it back.",
    "sl": "To je uvoz {n}; razveljavi ga drava devices undo {n}.",
}
_REFUSED = {"en": "Nothing was imported. Problems: {n}.", "sl": "Nič ni bilo uvoženo. Število napak: {n}."}


def name_of(kind: str, lang: str) -> str:
    """The name of a kind or table for people."""
    titles = {name: k.title.to(lang) for name, k in kinds().items()} | {
        k.table: k.title.to(lang).lower() for k in kinds().values()
    }
    return _NAMES[lang].get(kind) or titles.get(kind, kind)


def content(file: Path) -> bytes:
    """The bytes of a file, a little more than may be read at most."""
    try:
        with file.open("rb") as opened:
            return opened.read(MAX_BYTES + 1)  # one byte too many is refused by the reader, whatever the rest is
    except OSError as error:
        raise DravaError(f"{file} cannot be read: {error.strerror}", "Name a file that you may read") from None


def put_out(data: bytes) -> None:
    """Print bytes as they are."""
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def who() -> str:
    """The user of this command."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a user without an entry in the system's list
        return ""


def author(run: Context, source: str, why: str, *, dry: bool) -> dict[str, Any]:
    """Who changes the registry, and why."""
    return {"now": run.now(), "who": who(), "source": source, "why": why, "dry": dry}


def time_of(text: str, option: str, zone: ZoneInfo) -> int:
    """The time of an option, µs. Raises DravaError."""
    found = moment(text.strip(), zone)
    if isinstance(found, Fault):
        problem = Problem(0, option, text, found)
        raise DravaError(f"{option} {text!r}: {problem.reason('en')}", problem.mend("en"))
    return found


def local(rows: Sequence[Mapping[str, Any]], settings: Settings) -> list[dict[str, Any]]:
    """Times for people are those of the municipality."""
    zone = ZoneInfo(settings.timezone)

    def told(value: object) -> object:
        return value.astimezone(zone) if isinstance(value, datetime) else value

    return [{name: told(value) for name, value in row.items()} for row in rows]


def refuse(problems: Sequence[Problem], settings: Settings, *, as_json: bool) -> None:
    """Name every wrong row and end."""
    if as_json:
        show_json({"problems": [problem.record() for problem in problems]})
    ordered = sorted(problems, key=lambda problem: problem.line)
    _few([problem.text(settings.lang, ZoneInfo(settings.timezone)) for problem in ordered], settings, err=True)
    typer.echo(_REFUSED[settings.lang].format(n=len(problems)), err=True)
    raise typer.Exit(WRONG_USE)


def report(run: Context, counts: Counts, *, dry: bool, as_json: bool) -> None:
    """Show readers the new registry, and people what has changed."""
    settings = run.home.settings
    if counts.problems:
        refuse(counts.problems, settings, as_json=as_json)
    if counts.anything and not dry:
        refresh(run.home, run.store, run.now)
    if as_json:
        show_json({**_numbers(counts), "import": counts.number, "dry_run": dry, "changes": _records(counts.effects)})
        return
    for table in counts.added:
        numbers = {word: found[table] for word, found in _numbers(counts).items()}
        if any(numbers.values()):
            typer.echo(_COUNTED[settings.lang].format(name=name_of(table, settings.lang), **numbers))
    _few([line(effect, settings) for effect in counts.effects], settings, err=False)
    if not counts.anything:
        typer.echo(_SAME[settings.lang])
    else:
        typer.echo(_DRY[settings.lang] if dry else _NUMBER[settings.lang].format(n=counts.number))


def _numbers(counts: Counts) -> dict[str, dict[str, int]]:
    return {"added": counts.added, "changed": counts.changed, "removed": counts.removed}


def _records(effects: Sequence[Effect]) -> list[dict[str, Any]]:
    return [
        {"kind": e.kind, "id": e.id, "what": e.what, "from": instant(e.since), "columns": _told(e, str)}
        for e in effects
    ]


def _told(effect: Effect, zone: Callable[[Any], Any]) -> dict[str, list[Any]]:
    times = ("valid_to", "calibrated_until")

    def one(name: str, value: Any) -> Any:
        return zone(instant(value)) if name in times and value is not None else value

    return {name: [one(name, old), one(name, new)] for name, (old, new) in effect.columns.items()}


def line(effect: Effect, settings: Settings) -> str:
    """One difference for people: what becomes of which object, from when, and each column old → new."""
    zone, lang = ZoneInfo(settings.timezone), settings.lang

    def day(at: datetime) -> str:
        there = at.astimezone(zone)
        return there.strftime("%Y-%m-%d" if (there.hour, there.minute, there.second) == (0, 0, 0) else "%Y-%m-%d %H:%M")

    columns = _told(effect, day).items()
    new = effect.what == "added"
    cells = [f"{name} {said(b)}" if new and a is None else f"{name} {said(a)} → {said(b)}" for name, (a, b) in columns]
    since = "" if effect.since == ALWAYS else f" {_FROM[lang]} {day(instant(effect.since))}"
    told = f"{_WHAT[lang][effect.what]} {name_of(effect.kind, lang)} {effect.id}{since}: {', '.join(cells)}"
    return "".join(char if char.isprintable() else "?" for char in told).removesuffix(": ")


def _few(lines: Sequence[str], settings: Settings, *, err: bool) -> None:
    for text in lines[:SHOWN]:
        typer.echo(text, err=err)
    if len(lines) > SHOWN:
        typer.echo(_MORE[settings.lang].format(n=len(lines) - SHOWN), err=err)


def cell(value: object) -> object:
    """A value of the registry for people."""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else value
