"""`drava detectors evaluate`: how well detectors do on labelled data, beside what chance would find."""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import polars as pl
import typer

from commands.context import Json, show_json, show_rows
from indicators.evaluate.dataset import Dataset, chosen, of_file
from indicators.evaluate.run import Result, evaluate
from indicators.evaluate.sensitivity import report as sensitivity_report
from indicators.evaluate.sensitivity import sensitivity
from indicators.evaluate.table import remember, shown, stale, table
from schemas.errors import DravaError

Data = Annotated[
    Path | None,
    typer.Option(envvar="DRAVA_DATA", file_okay=False, help="Folder of the data that a dataset's paths start from."),
]
REPORT = "docs/detection.md"
SENSITIVITY = "docs/sensitivity.md"


def add(detectors: typer.Typer) -> None:
    """Put the commands of this topic below `drava detectors`."""
    detectors.command("evaluate")(run)
    detectors.command("table")(write)
    detectors.command("sensitivity")(vary)


def run(
    ctx: typer.Context,
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="Datasets; default: all.")] = None,
    config: Annotated[
        list[Path] | None, typer.Option(exists=True, dir_okay=False, help="A dataset of your own (TOML).")
    ] = None,
    data: Data = None,
    detector: Annotated[list[str] | None, typer.Option(help="Only these detectors.")] = None,
    alarms: Annotated[
        Path | None,
        typer.Option(dir_okay=False, help="Also write each alarm, what it found, and what was missed."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Run detectors over labelled data in time order, without look-ahead, and print how well they did.

    docs/evaluate.md says how to write a dataset.
    """
    said = ctx.get_parameter_source("data")
    beside = said is None or said.name != "COMMANDLINE"  # DRAVA_DATA is where the data of the shipped ones are
    own = [of_file(path, None if beside else data) for path in config or ()]
    datasets = [*own, *(chosen(names, data) if names or not own else [])]
    heard: list[pl.DataFrame] = []
    results = _results(datasets, detector or (), heard, told=not as_json)
    if alarms is not None:
        _written(heard, alarms)
    if as_json:
        show_json(results)
        return
    for simulated, title in ((False, "From real meters"), (True, "Simulated")):
        rows = [shown(result) for result in results if result["simulated"] is simulated]
        if rows:
            sys.stdout.write(f"\n{title}\n")
            show_rows(rows, as_json=False)


def _written(heard: list[pl.DataFrame], file: Path) -> None:
    try:
        pl.concat(heard).write_csv(file) if heard else file.write_text("", "utf-8")
    except OSError as error:
        raise DravaError(f"{file} cannot be written: {error}", "Name a file in a folder that is there") from None


def _results(
    datasets: Iterable[Dataset], detectors: Iterable[str], heard: list[pl.DataFrame], *, told: bool
) -> list[Result]:
    made = []
    for dataset in datasets:
        if told:
            sys.stderr.write(f"{dataset.name}: {dataset.title}\n")
        results = evaluate(dataset, list(detectors), heard)
        for odd in results[0]["warnings"]:
            sys.stderr.write(f"drava: {dataset.name}: {odd}\n")
        made += results
    return made


def write(
    data: Data = None,
    report: Annotated[Path, typer.Option(dir_okay=False, help="The file to write; beside it its figures.")] = Path(
        REPORT
    ),
    every: Annotated[bool, typer.Option("--all", help="Also what has not changed since it was measured.")] = False,
) -> None:
    """Measure what has changed since the table of all datasets and detectors was written, and write it again."""
    figures = report.with_suffix(".json")
    for dataset, names in stale(figures, chosen(None, data), every=every):
        sys.stderr.write(f"{dataset.name}: {', '.join(names)}\n")
        remember(figures, dataset, evaluate(dataset, names))
    report.write_text(table(figures), "utf-8")
    sys.stdout.write(f"{report}\n")


def vary(
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="Datasets; default: all.")] = None,
    data: Data = None,
    detector: Annotated[list[str] | None, typer.Option(help="Only these detectors.")] = None,
    out: Annotated[
        Path, typer.Option("--report", dir_okay=False, help="The file to write; other tables in it stay.")
    ] = Path(SENSITIVITY),
    as_json: Json = False,
) -> None:
    """Say what detectors reach with each of their constants a fifth smaller and larger."""
    results: list[Result] = []
    for dataset in chosen(names, data):
        one_seed = dataset.model_copy(update={"seeds": dataset.seeds[:1]})
        for result in sensitivity(one_seed, detector or ()):
            if not result["constant"]:
                sys.stderr.write(f"{dataset.name}: {result['detector']}\n")
            results.append(result)
    if as_json:
        show_json(results)
        return
    before = out.read_text("utf-8") if out.exists() else ""
    out.write_text(sensitivity_report(results, before), "utf-8")
    sys.stdout.write(f"{out}\n")
