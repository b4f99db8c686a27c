"""A detector in SQL alone, run at one moment after the other over tables in memory, as production would have run it."""

import json
from datetime import timedelta
from typing import Any

import polars as pl

from indicators.detect import run_detectors
from indicators.evaluate.dataset import HINT, Dataset, Detector
from indicators.evaluate.series import TIME, assets
from indicators.header import Pack
from indicators.method import FOUND
from lake.memory import in_memory, put
from schemas.errors import DravaError
from schemas.settings import Settings


def run_sql(dataset: Dataset, detector: Detector, pack: Pack, rows: pl.DataFrame) -> pl.DataFrame:
    """Conditions (`FOUND`) of a pack; `at` is the first moment of a run, every `step_h`, that showed the condition.

    A condition is the same one while its place and its beginning are.
    """
    if dataset.family is None:
        raise DravaError(f"{dataset.name}: {detector.name} is in SQL and needs [family]", HINT)
    memory = _filled(dataset, rows)
    first: dict[tuple[Any, ...], dict[str, Any]] = {}
    step = timedelta(hours=detector.step_h)
    ordered = rows["at"].sort()
    as_of, end = ordered[0] + step, ordered[-1] + step
    while as_of <= end:
        now = run_detectors(memory, as_of=as_of, settings=Settings(timezone=dataset.zone), ids=[pack.id])
        for found in now.to_pylist():
            asset = found["thing_id"] or found["device_id"] or found["area_id"]
            kept = first.setdefault((asset, found["since"]), {"asset": asset, "at": as_of})
            kept |= {name: found[name] for name in FOUND if name in found}
        as_of += step
    conditions = [{**one, "evidence": _text(one["evidence"])} for one in first.values()]
    return pl.DataFrame(conditions, FOUND).sort("at", "asset")


def _text(evidence: Any) -> str | None:
    return evidence if isinstance(evidence, str) or evidence is None else json.dumps(evidence)


def _filled(dataset: Dataset, rows: pl.DataFrame) -> Any:
    family = dataset.family
    if family is None:  # the caller has looked
        raise DravaError(f"{dataset.name} has no [family]", HINT)
    memory = in_memory(dataset.zone, Settings().lat, Settings().lon)
    ids = rows["asset"].unique(maintain_order=True)
    known = assets(dataset, ids.to_list())
    began = pl.lit(rows["at"].min(), TIME) - timedelta(days=1)
    things = pl.DataFrame(
        {
            "thing_id": ids,
            "family": family.table,
            "area_id": "all",
            "attributes": [json.dumps({**family.attributes, **known[one]}) for one in ids],
        }
    )
    put(memory, "things", things.to_arrow())
    put(memory, "devices", things.select("family", device_id="thing_id").to_arrow())
    put(
        memory, "assignments", things.select("thing_id", device_id="thing_id").with_columns(valid_from=began).to_arrow()
    )
    constant = [pl.lit(value).alias(name) for name, value in family.columns.items()]
    readings = rows.drop("local").rename({"asset": "device_id", "at": "observed_at"}).with_columns(constant)
    put(memory, family.table, readings.to_arrow())
    return memory
