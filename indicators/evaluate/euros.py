"""BattLeDIM's rule in euros: what a leak would have lost from the alarm on, less the search, less false alarms."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra

from indicators.evaluate.dataset import Dataset, Euros
from indicators.evaluate.files import epanet
from indicators.evaluate.series import rows
from schemas.errors import DravaError


def euros(dataset: Dataset, rule: Euros, events: pl.DataFrame, found: pl.DataFrame) -> dict[str, Any] | None:
    """Score alarms that name a place (`place` of their evidence: a pipe); None where none does.

    An alarm is true when a leak that nobody has credited yet runs then, not farther than `within_m` along the pipes.
    Of several the nearest counts.
    """
    alarms = [(row["at"], json.loads(row["evidence"] or "{}").get("place")) for row in found.iter_rows(named=True)]
    if not any(place for _, place in alarms):
        return None
    away = Distances(dataset.path(rule.network))
    flows = rows(dataset, rule.flows)
    left = list(events.iter_rows(named=True))
    total, located = 0.0, 0
    for at, place in sorted(alarms, key=lambda alarm: alarm[0]):
        near = [
            (away(str(place), leak["place"]), leak)
            for leak in left
            if leak["start"] <= at and (leak["end"] is None or at <= leak["end"])
        ]
        distance, leak = min(near, key=lambda pair: pair[0], default=(np.inf, None))
        if leak is None or distance > rule.within_m:
            total -= rule.search
            continue
        left.remove(leak)
        located += 1
        total += _saved(flows, leak, at) * rule.price - rule.search * distance / rule.within_m
    perfect = sum(_saved(flows, leak, leak["start"]) for leak in events.iter_rows(named=True)) * rule.price
    return {"eur": round(total), "eur_perfect": round(perfect), "located": located}


def _saved(flows: pl.DataFrame, leak: Mapping[str, Any], at: Any) -> float:
    """m3 that the leak loses from a moment on."""
    if leak["place"] not in flows.columns:
        raise DravaError(
            f"there is no true flow of {leak['place']!r}", "A column of `flows` for each place of the labels"
        )
    hours = flows["at"].diff().median().total_seconds() / 3600  # type: ignore[union-attr]
    later = flows.filter((pl.col("at") >= at) & (pl.col("at") <= (leak["end"] or flows["at"][-1])))
    return float(later[leak["place"]].cast(pl.Float64).sum()) * hours


class Distances:
    """Metres along the pipes between the middles of two pipes of an EPANET file."""

    def __init__(self, path: Path) -> None:
        """Read the pipes, and the pumps and valves between them, which have no length."""
        self.ends: dict[str, tuple[int, int, float]] = {}
        nodes: dict[str, int] = {}
        for section, words in epanet(path):
            if section in {"PIPES", "VALVES", "PUMPS"} and len(words) > 3:  # noqa: PLR2004 - id, two nodes, a number
                length = float(words[3]) if section == "PIPES" else 0.0
                first, second = (nodes.setdefault(word, len(nodes)) for word in words[1:3])
                self.ends[words[0]] = (first, second, length)
        if not self.ends:
            raise DravaError(f"{path} has no [PIPES]", "An EPANET .inp file")
        starts, ends, lengths = zip(*self.ends.values(), strict=True)
        stored = np.maximum(lengths, 1e-6)  # zero would be no edge
        self.graph = csr_array((stored, (starts, ends)), (len(nodes), len(nodes)))
        self.known: dict[int, Any] = {}

    def __call__(self, one: str, other: str) -> float:
        """Give the distance; infinite where a pipe is not known."""
        if one not in self.ends or other not in self.ends:
            return float("inf")
        if one == other:
            return 0.0
        starts, ends = self.ends[one], self.ends[other]
        between = min(self._from(a)[b] for a in starts[:2] for b in ends[:2])
        return float(between + starts[2] / 2 + ends[2] / 2)

    def _from(self, node: int) -> Any:
        if node not in self.known:
            self.known[node] = dijkstra(self.graph, directed=False, indices=node)
        return self.known[node]
