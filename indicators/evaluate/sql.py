"""A detector in SQL alone, run at one moment after the other over tables in memory, as production would have run it."""

import json
import math
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from indicators.detect import run_detectors
from indicators.evaluate.dataset import HINT, Dataset, Detector
from indicators.evaluate.files import TIME
from indicators.evaluate.series import assets
from indicators.header import Pack
from indicators.method import FOUND
from lake.memory import in_memory, put
from schemas.errors import DravaError
from schemas.settings import Settings

STEPS_H = {"commit": 0.25, "hour": 1.0, "night": 24.0}  # how closely alarms are dated where a dataset does not say
COARSE_H = 12.0  # and how often is looked first: packs see a day or more
_Condition = dict[str, Any]
Run = Callable[[datetime], list[dict[str, Any]]]


def run_sql(dataset: Dataset, detector: Detector, pack: Pack, rows: pl.DataFrame) -> pl.DataFrame:
    """Conditions (`FOUND`) of a pack; `at` is the first moment of a run that showed the condition.

    With `step_h` it is run so often. Without it is run every 12 hours, and wherever one of these runs shows something
    new, at each moment of its cadence since the run before. A condition is the same one while its place is, and its
    time overlaps.
    """
    if dataset.family is None:
        raise DravaError(f"{dataset.name}: {detector.name} is in SQL and needs [family]", HINT)
    memory = _filled(dataset, rows)
    settings = Settings(timezone=dataset.zone, **_place(dataset))

    def run(as_of: datetime) -> list[dict[str, Any]]:
        told: list[dict[str, Any]] = run_detectors(memory, as_of=as_of, settings=settings, ids=[pack.id]).to_pylist()
        return told

    fine = timedelta(hours=detector.step_h or STEPS_H[pack.cadence])
    often = 1 if detector.step_h or pack.only_now else max(1, round(COARSE_H / STEPS_H[pack.cadence]))
    seen = _Seen()
    ordered = rows["at"].sort()
    first, end = ordered[0], ordered[-1]
    moments: list[datetime] = [first + fine * n for n in range(1, 2 + math.ceil((end - first) / fine))]
    for begin in range(0, len(moments), often):
        _look(moments[begin : begin + often], run, seen)
    return seen.conditions()


def _look(moments: list[datetime], run: Run, seen: "_Seen") -> None:
    """Look at the last of these moments, and at those before it where something new shows."""
    found = run(moments[-1])
    new = [one for one in found if seen.of(one) is None]
    for as_of in moments[:-1]:
        if any(one["since"] <= as_of for one in new):  # none shows before it began
            seen.take(run(as_of), as_of)
            new = [one for one in new if seen.of(one) is None]
    seen.take(found, moments[-1])


class _Seen:
    """The conditions that showed so far."""

    def __init__(self) -> None:
        self.known: list[_Condition] = []
        self.by_asset: dict[str, list[_Condition]] = {}

    def of(self, found: Mapping[str, Any]) -> _Condition | None:
        """The known condition that this one is."""
        for one in reversed(self.by_asset.get(_asset(found), [])):
            if found["since"] <= (one["until"] or one["shown"]) and one["since"] <= (found["until"] or _NEVER):
                return one
        return None

    def take(self, rows: Iterable[Mapping[str, Any]], as_of: datetime) -> None:
        """What a run shows."""
        for found in rows:
            told = {name: found[name] for name in FOUND if name in found} | {"shown": as_of}
            one = self.of(found)
            if one is None:
                one = {"asset": _asset(found), "at": as_of}
                self.known.append(one)
                self.by_asset.setdefault(one["asset"], []).append(one)
            one |= told | {"since": min(told["since"], one.get("since", told["since"]))}

    def conditions(self) -> pl.DataFrame:
        """All of them (`FOUND`)."""
        told = [{name: one[name] for name in FOUND} | {"evidence": _text(one["evidence"])} for one in self.known]
        return pl.DataFrame(told, FOUND).sort("at", "asset")


_NEVER = datetime.max.replace(tzinfo=UTC)


def _asset(found: Mapping[str, Any]) -> str:
    return str(found["thing_id"] or found["device_id"] or found["area_id"])


def _text(evidence: Any) -> str | None:
    return evidence if isinstance(evidence, str) or evidence is None else json.dumps(evidence)


def _place(dataset: Dataset) -> dict[str, Any]:
    """Where the sun is: as the dataset says, or as the settings do where it does not."""
    return {name: value for name in ("lat", "lon") if (value := getattr(dataset, name)) is not None}


def _filled(dataset: Dataset, rows: pl.DataFrame) -> Any:
    family = dataset.family
    if family is None:  # the caller has looked
        raise DravaError(f"{dataset.name} has no [family]", HINT)
    place = Settings(**_place(dataset))
    memory = in_memory(dataset.zone, place.lat, place.lon)
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
    readings = rows.drop("local").sort("at").rename({"asset": "device_id", "at": "observed_at"}).with_columns(constant)
    put(memory, family.table, readings.to_arrow())
    return memory
