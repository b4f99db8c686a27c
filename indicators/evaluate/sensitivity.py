"""What detectors reach with each of their constants a fifth lower and a fifth higher, the others as they are.

A constant is a name in capitals of a method's own file that holds a number or numbers; numbers of one name move
together. What a module makes of its constants when it is imported does not follow them, and where one makes the method
fail there is no figure.
"""

import ast
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from itertools import groupby
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import polars as pl

from indicators.evaluate.dataset import Dataset, Detector, pack_of
from indicators.evaluate.run import Result, prepared, scored
from schemas.errors import DravaError

BY = 0.2
_HEAD = """# How much detectors hang on their constants

Written by `drava detectors sensitivity`. Each constant of a method is made a fifth smaller and a fifth
larger (whole ones by one at least), the others as they are. Of seeded faults, the first seed.
"""
_SHOWN = ("recall", "precision", "delay_median_h", "per_year", "step_f1", "mae")


def sensitivity(dataset: Dataset, only: Sequence[str] = ()) -> Iterator[Result]:
    """One result for each detector as it is, then for each of its constants moved down and up."""
    rows, true = prepared(dataset)
    for detector in dataset.detector:
        if only and detector.name not in only:
            continue
        pack = pack_of(detector.name)
        module = import_module(f"indicators.methods.{(pack.method if pack else None) or detector.name}")
        yield _figures(dataset, detector, rows, true) | {"constant": None, "by": 0.0, "value": None}
        for name in constants(module):
            for by in (-BY, BY):
                yield _moved(module, name, by, (dataset, detector, rows, true))


def constants(module: ModuleType) -> list[str]:
    """The names of a method's own constants, in the order of its file."""
    source = ast.parse(Path(str(module.__file__)).read_text("utf-8"))
    targets = [target for line in source.body if isinstance(line, ast.Assign) for target in line.targets]
    names = [node.id for target in targets for node in ast.walk(target) if isinstance(node, ast.Name)]
    return [name for name in names if name.isupper() and name[0] != "_" and _is_number(vars(module)[name])]


def _is_number(value: object) -> bool:
    if isinstance(value, tuple):
        return bool(value) and all(_is_number(one) for one in value)
    return isinstance(value, int | float) and not isinstance(value, bool)


def moved(value: Any, by: float) -> Any:
    """A number or numbers by a share; a whole one by one at least, and not below one."""
    if isinstance(value, tuple):
        return tuple(moved(one, by) for one in value)
    if isinstance(value, int):
        return max(1, min(value - 1, round(value * (1 + by)))) if by < 0 else max(value + 1, round(value * (1 + by)))
    return value * (1 + by)


def _moved(
    module: ModuleType, name: str, by: float, of: tuple[Dataset, Detector, pl.DataFrame, pl.DataFrame]
) -> Result:
    was = vars(module)[name]
    setattr(module, name, moved(was, by))
    try:
        told = _figures(*of)
    except (ArithmeticError, IndexError, TypeError, ValueError, np.exceptions.AxisError, DravaError):
        told = {"dataset": of[0].name, "detector": of[1].name} | dict.fromkeys(_SHOWN)
    finally:
        setattr(module, name, was)
    return told | {"constant": name, "by": by, "value": moved(was, by)}


def _figures(dataset: Dataset, detector: Detector, rows: pl.DataFrame, true: pl.DataFrame) -> Result:
    told = scored(dataset, detector, rows, true)
    return {"dataset": dataset.name, "detector": detector.name} | {name: told.get(name) for name in _SHOWN}


def report(results: Sequence[Mapping[str, Any]], before: str = "") -> str:
    """docs/sensitivity.md: one table a dataset and detector; those of the text `before` that are not new stay."""
    sections = {title: body for title, _, body in (part.partition("\n") for part in before.split("\n## ")[1:])}
    for title, of_one in groupby(results, lambda result: f"{result['detector']} on {result['dataset']}"):
        sections[title] = "\n".join(["", *_table(list(of_one)), ""])
    return _HEAD + "".join(f"\n## {title}\n{sections[title].rstrip()}\n" for title in sorted(sections))


def _table(results: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    shown = [name for name in _SHOWN if results[0][name] is not None]
    yield from (_line(["constant", "value", *shown]), _line(["---"] * (2 + len(shown))))
    for result in results:
        cells = [_number(result[name]) for name in shown]
        yield _line([result["constant"] or "as it is", _number(result["value"]), *cells])


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _number(value: Any) -> str:
    if isinstance(value, tuple):
        return ", ".join(_number(one) for one in value)
    return "" if value is None else f"{value:.4g}"
