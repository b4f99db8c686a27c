"""`drava indicators`: what the city asks, and what the answers mean."""

import sys
from functools import partial
from typing import Annotated, Any

import typer

from commands import kpi, report, values
from commands.context import Context, Json, context, show_json, show_rows
from indicators.compute import bring_up_to_date
from indicators.header import Cadence, Example, Kind, Pack, chosen, packs
from lake.commit import Lake
from lake.query import open_found
from lake.snapshot import find
from schemas.errors import DravaError
from schemas.settings import Lang

Ids = Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Only these; default: all.")]
CadenceOption = Annotated[
    Cadence | None, typer.Option("--cadence", help="Only what is due so often: at night is what is due hourly, too.")
]
Full = Annotated[bool, typer.Option("--full", help="Compute everything anew; what differs was not marked.")]
Language = Annotated[Lang | None, typer.Option(help="Language of the texts; default: that of the home.")]

_WAITS = {
    "en": "Another run is going on; this one begins when it has ended.",
    "sl": "Drug izračun še teče; ta se začne, ko se konča.",
}


def add(app: typer.Typer) -> None:
    """Put the commands of this topic on the command line."""
    indicators = typer.Typer(no_args_is_help=True, help="Numbers that the city asks for, each with its meaning.")
    indicators.command("list")(list_indicators)
    indicators.command("run")(run)
    indicators.command("explain")(explain)
    indicators.command("history")(values.history)
    kpi.attach(indicators)
    report.attach(indicators)
    app.add_typer(indicators, name="indicators")


def language(run: Context, wanted: Lang | None) -> Lang:
    """The language of texts: as wanted, or that of the home where there is one."""
    return wanted or (run.home.settings.lang if run.path else "en")


def list_indicators(ctx: typer.Context, lang: Language = None, as_json: Json = False) -> None:
    """List the indicators."""
    show_packs(context(ctx), "indicator", lang, as_json=as_json)


def show_packs(run: Context, kind: Kind, lang: Lang | None, *, as_json: bool) -> None:
    """List the packs of a kind."""
    to = language(run, lang)
    rows = [
        {
            "id": pack.id,
            "version": pack.version,
            "title": pack.title.to(to),
            **({"unit": pack.unit} if kind == "indicator" else {}),
            "grain": pack.grain,
            "cadence": pack.cadence,
        }
        for pack in packs(kind).values()
    ]
    show_rows(rows, as_json=as_json)


def run(
    ctx: typer.Context, ids: Ids = None, cadence: CadenceOption = None, full: Full = False, as_json: Json = False
) -> None:
    """Compute what has changed since the last run, and store the values that are new or others."""
    shared = context(ctx)
    lake = Lake(shared.home, shared.store, shared.clock)
    waits = partial(typer.echo, _WAITS[shared.home.settings.lang], err=True)
    found = bring_up_to_date(lake, ids=ids, cadence=cadence, full=full, waits=waits)
    rows = [
        {"indicator": name, "unit": packs()[name].unit, "values": count, "new_or_changed": found.new[name]}
        for name, count in found.computed.items()
    ]
    show_rows(rows, as_json=as_json)


def explain(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="ID", help="As in the list.")],
    lang: Language = None,
    subject: Annotated[str, typer.Option(help="Of one value: whose; with --period, down to its messages.")] = "",
    period: Annotated[str, typer.Option(metavar="YYYY-MM-DD", help="Of one value: the first day of its period.")] = "",
    as_json: Json = False,
) -> None:
    """Say what a number means: its text, inputs, coverage, an example, its SQL; or where one value comes from."""
    pack = chosen("indicator", [name])[0]
    if bool(subject) != bool(period):
        raise DravaError("one value has a subject and a period", "Say both --subject and --period")
    if subject:
        values.explained(context(ctx), pack, subject, period, as_json=as_json)
    else:
        show_pack(context(ctx), pack, lang, as_json=as_json)


def show_pack(shared: Context, pack: Pack, lang: Lang | None, *, as_json: bool) -> None:
    """Say what a pack means."""
    to = language(shared, lang)
    told = {**described(pack, to), **({"computed": computed(shared, pack)} if shared.path else {})}
    if as_json:
        show_json({**told, "sql": pack.sql})
        return
    for key, value in told.items():
        sys.stdout.write(f"{key:<11}{_text(value)}\n")
    sys.stdout.write(f"\n{pack.sql}\n")


def described(pack: Pack, lang: Lang) -> dict[str, Any]:
    """The texts of a pack."""
    told = {
        "id": f"{pack.id} (version {pack.version})",
        "title": pack.title.to(lang),
        "meaning": pack.meaning.to(lang),
        "unit": pack.unit,
        "grain": pack.grain,
        "cadence": pack.cadence,
        "inputs": list(pack.reads),
        "references": list(pack.references),
        "examples": [f"{one.title}: {_expected(one)}" for one in pack.example],
    }
    return {key: value for key, value in told.items() if value}


def _expected(example: Example) -> str:
    rows = [", ".join(f"{key} = {value}" for key, value in row.items()) for row in example.expect]
    return "; ".join(rows) or "no row"


def computed(shared: Context, pack: Pack) -> dict[str, Any]:
    """How many values (or alarms) are stored, for which periods, and how well they are covered."""
    home = shared.home
    if pack.kind == "detector":
        query, tables = "SELECT count(*) AS alarms FROM alarms WHERE detector = ?", ["alarms"]
    else:
        query, tables = _COVERAGE, ["indicator_values"]
    with open_found(home.path, find(home.path), settings=home.settings, tables=tables) as connection:
        done = connection.execute(query, [pack.id])
        names = [column[0] for column in done.description]
        return dict(zip(names, done.fetchone() or (), strict=True))


_COVERAGE = """SELECT count(*) AS values, min(period_start) AS first, max(period_start) AS last,
round(min(coverage), 3) AS lowest_coverage, round(avg(coverage), 3) AS mean_coverage, max(devices) AS devices,
round(avg(estimated_share), 3) AS estimated_share, max(snapshot_id) AS snapshot
FROM indicator_values WHERE indicator = ?"""


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {part}" for key, part in value.items() if part is not None)
    return f"\n{'':<11}".join(str(part) for part in value) if isinstance(value, list) else str(value)
