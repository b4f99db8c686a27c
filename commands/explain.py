"""`drava devices explain`: one message through every step, with the line that adds what is missing."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from catalog import registry
from commands.context import PROBLEM, Json, cell, context, show_json
from devices.profiles import in_force
from ingest.explain import State, Walk
from schemas.errors import DravaError
from schemas.settings import Lang

_STEPS: dict[Lang, dict[str, str]] = {
    "en": {n: n for n in ("edge", "route", "codec", "device", "profile", "fields", "lake")},
    "sl": {
        "edge": "rob",
        "route": "pot",
        "codec": "dekodirnik",
        "device": "naprava",
        "profile": "profil",
        "fields": "polja",
        "lake": "jezero",
    },
}
_STATES: dict[Lang, dict[State, str]] = {
    "en": {State.DONE: "done", State.MISSING: "missing", State.WRONG: "wrong"},
    "sl": {State.DONE: "v redu", State.MISSING: "manjka", State.WRONG: "narobe"},
}
_ADD: dict[Lang, str] = {"en": "add:", "sl": "dodajte:"}


def mount(devices: typer.Typer) -> None:
    """Put the commands below `drava devices`."""
    devices.command("explain")(explain)


def explain(
    ctx: typer.Context,
    topic: Annotated[str, typer.Argument(help="The topic on which the message came.")],
    file: Annotated[Path, typer.Argument(help="A file that holds the payload; - for standard input.")],
    as_json: Json = False,
) -> None:
    """Walk one message through route, codec, registry, profile, units and tests; say what fits and what is missing."""
    run = context(ctx)
    home = run.home
    store = run.store
    walk = Walk(home.settings, registry.load(store), in_force(home.profiles), run.now())
    steps = list(walk.steps(topic, _payload(file)))
    store.close()
    if as_json:
        show_json([asdict(step) for step in steps])
    else:
        lang = home.settings.lang
        for step in steps:
            name, state = _STEPS[lang][step.name], _STATES[lang][step.state]
            typer.echo(f"{name:<10} {state:<8} {cell(step.said).replace(chr(92) + '[', '[')}")
            if step.line:
                typer.echo(f"{'':<10} {_ADD[lang]}")
                typer.echo("\n".join(f"{'':<14}{line}" for line in step.line.splitlines()))
    if any(step.state is not State.DONE for step in steps):
        raise typer.Exit(PROBLEM)


def _payload(file: Path) -> bytes:
    try:
        return sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        raise DravaError(f"{file} cannot be read: {error.strerror}", "Name a file that holds one message") from None
