"""docs/detection.md: every dataset and detector as they were last measured, and whether that still holds.

The figures stand beside it in a JSON file, each with a digest of what it was made with: the dataset's file, the
detector's method and pack, and the rules of scoring. What has another digest today has to be measured again.
"""

import json
import re
import tomllib
from collections.abc import Collection, Mapping, Sequence
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import Any

from indicators.evaluate.dataset import Dataset, pack_of, shipped

Figures = dict[str, dict[str, Any]]
_RULES = ("files", "labels", "score", "seeds", "series", "steps", "euros", "forecast", "sql")
_IMPORT = re.compile(r"^from indicators\.methods(?:\.(\w+))? import (.+)$", re.MULTILINE)


def digest(dataset: str, detector: str) -> str:
    """What a figure was made with, as a short digest."""
    here = files("indicators")
    parts = [shipped()[dataset], *((here / "evaluate" / f"{name}.py").read_text("utf-8") for name in _RULES)]
    pack = pack_of(detector)
    if pack is not None:
        parts.append(pack.sql if pack.method is None else pack.method)
    parts += _sources((pack.method or "") if pack is not None else detector, set())
    return sha256("\0".join(parts).encode()).hexdigest()[:16]


def _sources(name: str, seen: set[str]) -> list[str]:
    """The text of a method and of the methods that it imports."""
    file = files("indicators") / "methods" / f"{name}.py"
    if not name or name in seen or not file.is_file():
        return []
    seen.add(name)
    text = file.read_text("utf-8")
    found = [text]
    for module, names in _IMPORT.findall(text):
        for one in [module] if module else [word.strip() for word in names.split(",")]:
            found += _sources(one, seen)
    return found


def known(figures: Path) -> Figures:
    """Figures as they were measured, by `dataset/detector`."""
    return dict(json.loads(figures.read_text("utf-8"))) if figures.is_file() else {}


def stale(figures: Path, datasets: Sequence[Dataset], *, every: bool = False) -> list[tuple[Dataset, list[str]]]:
    """Which detectors of which datasets are to be measured again."""
    held = known(figures)
    found = []
    for dataset in datasets:
        names = [
            one.name
            for one in dataset.detector
            if every or held.get(f"{dataset.name}/{one.name}", {}).get("digest") != digest(dataset.name, one.name)
        ]
        if names:
            found.append((dataset, names))
    return found


def remember(figures: Path, dataset: Dataset, results: Sequence[Mapping[str, Any]]) -> None:
    """Keep figures; those of detectors and datasets that are no more are left out."""
    wanted = {f"{name}/{one}" for name, text in shipped().items() for one in _detectors(text)}
    held = {key: value for key, value in known(figures).items() if key in wanted}
    for result in results:
        name = str(result["detector"])
        held[f"{dataset.name}/{name}"] = {"digest": digest(dataset.name, name), **result}
    figures.write_text(json.dumps(dict(sorted(held.items())), indent=1, ensure_ascii=False) + "\n", "utf-8")


def _detectors(text: str) -> list[str]:
    return [one["name"] for one in tomllib.loads(text).get("detector", ())]


def shown(result: Mapping[str, Any]) -> dict[str, Any]:
    """One result as a row of a table for people."""
    if result.get("forecasts"):
        what = f"{result['forecasts']} forecasts: MAE {result['mae']:.2f}, {result['coverage']:.1%} in the interval"
    elif result.get("step_f1") is not None:
        what = f"{_counted(result)}; by step F1 {result['step_f1']:.3f}, specificity {result['step_specificity']:.4f}"
    else:
        what = _counted(result)
    return {
        "dataset": result["dataset"],
        "detector": result["detector"],
        "result": what,
        "chance": f"{result['null_found']:.1f} found" if result.get("null_precision") is not None else "",
        "recall": _interval(result, "recall"),
        "precision": _interval(result, "precision"),
        "delay": _delay(result),
        "goal": "; ".join(f"{goal}: {'yes' if met else 'NO'}" for goal, met in result["goals"].items()),
        "time": f"{result['wall_s']:.1f} s",
    }


def _counted(result: Mapping[str, Any]) -> str:
    events = result["found"] + result["missed"]
    rate = f"{result['per_year']:.2f} alarms an asset and year" if result["per_year"] is not None else "no alarms"
    if result["false"] is None:
        return f"{result['alarms']} alarms, {rate}"
    money = f", EUR {result['eur']:,} of {result['eur_perfect']:,}" if result.get("eur") is not None else ""
    return (
        f"{result['found']} of {events} found, {result['false']} false ({result['false_per_year']:.2f} a year){money}"
    )


def _interval(result: Mapping[str, Any], name: str) -> str:
    value, bounds = result.get(name), (result.get("interval") or {}).get(name)
    if value is None:
        return ""
    return f"{value:.2f}" + (f" ({bounds[0]:.2f}-{bounds[1]:.2f})" if bounds else "")


def _delay(result: Mapping[str, Any]) -> str:
    middle, late = result.get("delay_median_h"), result.get("delay_p90_h")
    return "" if middle is None else f"{middle:.1f} h, {late:.1f} h"


_HEAD = """# How well the detectors do

Written by `drava detectors table`; [evaluate.md](evaluate.md) says how alarms are judged and how to add a dataset.
Each detector has one configuration for all sites. *Chance* is how many events the same number of random alarms finds
(mean of 500 draws); the numbers in brackets hold 95 % of 1,000 bootstrap draws over the events; *delay* is median and
90th percentile of those found; *time* is wall time on the machine that measured, beside other work.
"""
_TITLES = ("Dataset", "Detector", "Result", "Chance", "Recall", "Precision", "Delay", "Goal", "Time")


def table(figures: Path) -> str:
    """The whole of docs/detection.md, from the figures alone."""
    held = known(figures)
    parts = [_HEAD]
    for simulated, title in ((False, "Real data"), (True, "Simulated")):
        rows = [shown(result) for result in held.values() if result["simulated"] is simulated]
        if rows:
            parts += [f"## {title}\n", _lines(_TITLES), _lines(["---"] * len(_TITLES))]
            parts += [_lines(list(row.values())) for row in rows]
            parts.append("")
    parts += [_kinds(held), _what({str(result["dataset"]) for result in held.values()})]
    return "\n".join(parts).rstrip() + "\n"


def _lines(cells: Sequence[str]) -> str:
    return f"| {' | '.join(str(cell).replace('|', '/') for cell in cells)} |"


def _kinds(held: Figures) -> str:
    lines = [
        "## By kind of event\n",
        _lines(("Dataset", "Detector", "Kind", "Events", "Found", "Delay")),
        _lines(["---"] * 6),
    ]
    for result in held.values():
        for kind, told in (result.get("by_kind") or {}).items():
            cells = (result["dataset"], result["detector"], kind, told["events"], told["found"], _delay(told))
            lines.append(_lines([str(cell) for cell in cells]))
    return "\n".join([*lines, ""])


def _what(measured: Collection[str]) -> str:
    lines = ["## The datasets\n"]
    for name, text in shipped().items():
        if name not in measured:
            continue
        told = tomllib.loads(text)
        note = f" {told['note'].strip()}" if told.get("note") else ""
        lines.append(f"- **{name}**: {told['title']}. {told['licence']}.{note}")
    return "\n".join(lines)
