"""Where a leak is: which pipe of the network's model would change the pressures as they have changed.

EPANET solves the model once a junction with a leak there, at six times of a day. From what that does to pressure and
flow at the sensors the part is taken away that the regression of the district already explains by its flows; what is
left is held against the change that was measured, both whitened. A file is solved once (solved.py).
"""

import tempfile
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from indicators.methods.relation import DAY, Floats, Ints, Relation, Steps
from indicators.methods.solved import kept
from schemas.errors import DravaError

LEAK = 0.7  # emitter coefficient: 5 m3/h at 50 m
HOURS = 4  # between the steady states
STATES = 24 // HOURS
NEAR = 0.02  # junctions whose likeness is so close to the best form the zone
ACCURACY = 1e-6  # of EPANET's flows: the pressures are differences of two solutions
NODE_EMITTER, NODE_PRESSURE, LINK_FLOW, PATTERN_START = 3, 11, 8, 4


@dataclass(frozen=True)
class Runs:
    """What a leak at each junction does: junction x time of day x sensor (m), and x flow meter (m3/h)."""

    junctions: list[str]
    pressure: Floats
    flow: Floats
    drawn: Floats  # by the leak: junction x time of day (m3/h)
    base: Floats  # flow without a leak: time of day x meter
    pipes: dict[str, list[str]]  # of each junction


@dataclass(frozen=True)
class Locator:
    """Finds the place of a change in the district whose network it knows."""

    runs: Runs
    sensors: Ints  # of the district, those that the model has

    def place(self, change: Floats, model: Relation, steps: Steps, at: int, window: int) -> dict[str, Any]:
        """Pipe, zone and likeness (-1 to 1) of a change (m at each sensor) that the steps up to one have in common."""
        hours = steps.hour[max(at - min(window, DAY) + 1, 0) : at + 1]
        states = sorted({int(hour // HOURS) % STATES for hour in hours})
        told = np.mean([self._expected(model, state) for state in states], axis=0)
        keep = np.zeros(model.sensors, bool)
        keep[self.sensors] = True
        wanted = model.whiten(np.where(keep, change, 0.0)[None])[0]
        held = model.whiten(told)
        like = held @ wanted / (np.linalg.norm(held, axis=1) * np.linalg.norm(wanted) + 1e-12)
        best = int(np.argmax(like))
        size = float(held[best] @ wanted / (held[best] @ held[best] + 1e-12))
        zone = [self.runs.junctions[k] for k in np.flatnonzero(like > like[best] - NEAR)]
        return {
            "place": self.runs.pipes[self.runs.junctions[best]][0],
            "junction": self.runs.junctions[best],
            "likeness": round(float(like[best]), 3),
            "flow_m3h": round(max(size, 0.0) * float(self.runs.drawn[best, states].mean()), 2),
            "zone": zone[:40],
        }

    def _expected(self, model: Relation, state: int) -> Floats:
        """What would remain of the pressures for a leak at each junction."""
        base = self.runs.base[state]
        now, then = base + self.runs.flow[:, state], np.broadcast_to(base, self.runs.flow[:, state].shape)
        explained = model.by_flow(now) - model.by_flow(then)
        told = np.zeros((len(self.runs.junctions), model.sensors))
        told[:, self.sensors] = self.runs.pressure[:, state]
        told[:, model.used] -= explained
        keep = np.zeros(model.sensors, bool)
        keep[self.sensors] = True
        return np.where(keep, told, 0.0)


def locator(asset: Mapping[str, Any], steps: Steps) -> Locator | None:
    """Give the locator of a district whose `network` names an EPANET file with its sensors and its flow meters."""
    path = asset.get("network")
    if not path or not Path(str(path)).is_file():
        return None
    settings = (tuple(steps.sensors), tuple(steps.flows), LEAK, HOURS, ACCURACY)
    runs = kept(
        Runs, Path(str(path)), settings, asset.get("cache"), lambda: _run(str(path), steps.sensors, steps.flows)
    )
    if runs is None:
        return None
    known = np.flatnonzero(np.isfinite(runs.pressure[0, 0]))
    return Locator(_without(runs, known), known) if len(known) > 2 else None  # noqa: PLR2004 - two say no direction


def _without(runs: Runs, known: Ints) -> Runs:
    return replace(runs, pressure=runs.pressure[:, :, known])


def _run(path: str, sensors: Sequence[str], flows: Sequence[str]) -> Runs | None:
    """Run the model; None where it does not know a flow meter. Sensors that it does not know are NaN.

    Raises DravaError where what solves it is not installed.
    """
    try:
        import wntr  # noqa: PLC0415 - the extra `network`; only towns with a model need it
        from wntr.epanet.toolkit import ENepanet  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise DravaError(
            f"{Path(path).name} is a model of the network, and {error.name} is not installed to solve it",
            "Install the extra: pip install 'drava[network]'",
        ) from None

    model = wntr.network.WaterNetworkModel(path)
    if any(name not in model.link_name_list for name in flows):
        return None
    model.options.hydraulic.accuracy = ACCURACY
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "town.inp"
        wntr.network.write_inpfile(model, str(file), units="CMH")
        project = ENepanet()
        project.ENopen(str(file), str(Path(folder) / "town.rpt"), str(Path(folder) / "town.bin"))
        project.ENopenH()
        nodes = [project.ENgetnodeindex(name) if name in model.node_name_list else 0 for name in sensors]
        links = [project.ENgetlinkindex(name) for name in flows]
        leaking = [project.ENgetnodeindex(name) for name in model.junction_name_list]
        states = [_state(project, hour * 3600, nodes, links, leaking) for hour in range(0, 24, HOURS)]
        project.ENcloseH()
        project.ENclose()
    pressure, flow, drawn, base = (np.stack(part) for part in zip(*states, strict=True))
    pressure, flow, drawn = (np.swapaxes(part, 0, 1) for part in (pressure, flow, drawn))
    return Runs(list(model.junction_name_list), pressure, flow, drawn, base, _pipes(model))


def _state(
    project: Any, at: int, nodes: list[int], links: list[int], leaking: list[int]
) -> tuple[Floats, Floats, Floats, Floats]:
    """One time of day, tanks as they are at the start: what a leak at each junction does, and flows without one."""
    project.ENsettimeparam(PATTERN_START, at)

    def solved(more: list[int]) -> tuple[Floats, Floats]:
        project.ENinitH(0)
        project.ENrunH()
        heads = [project.ENgetnodevalue(node, NODE_PRESSURE) if node else np.nan for node in more]
        return np.array(heads), np.array([project.ENgetlinkvalue(link, LINK_FLOW) for link in links])

    pressure, base = solved(nodes)
    changed, flow, drawn = [], [], []
    for node in leaking:
        project.ENsetnodevalue(node, NODE_EMITTER, LEAK)
        heads, flows = solved([*nodes, node])
        project.ENsetnodevalue(node, NODE_EMITTER, 0.0)
        changed.append(heads[:-1] - pressure)
        flow.append(flows - base)
        drawn.append(LEAK * np.sqrt(max(heads[-1], 0.0)))
    return np.array(changed), np.array(flow), np.array(drawn), base


def _pipes(model: Any) -> dict[str, list[str]]:
    """Give the pipes at each junction; that of the nearest junction that has one, where it has none."""
    told: dict[str, list[str]] = {name: [] for name in model.node_name_list}
    for name, pipe in model.pipes():
        told[pipe.start_node_name].append(name)
        told[pipe.end_node_name].append(name)
    graph = model.to_graph().to_undirected()
    for name in model.junction_name_list:
        todo = deque([name])
        seen = {name}
        while not told[name] and todo:
            for other in graph.neighbors(todo.popleft()):
                if told[other]:
                    told[name] = told[other][:1]
                if other not in seen:
                    seen.add(other)
                    todo.append(other)
    return told
