"""Simulated years of L-TOWN with leaks, opened hydrants or unbilled night draws, to tune the detectors of a network on.

python bench/ltown.py leaks|hydrants|draws FOLDER [SEED]

EPANET runs the network of shared/data/battledim_2019 at 5 min with demands that differ from place to place: season, and
noise of 40 groups of junctions. Written: scada.parquet (what the city would measure), events.csv (what happened).
The same seed gives the same files. These are simulated data, never to be shown beside figures from real meters.
"""

import ctypes
import sys
import tempfile
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import networkx as nx
import numpy as np
import polars as pl
import wntr
from numpy.typing import NDArray
from wntr.epanet.toolkit import ENepanet

NETWORK = Path(__file__).resolve().parent.parent.parent / "shared" / "data" / "battledim_2019" / "L-TOWN.inp"
CONFIGURATION = NETWORK.parent / "dataset_configuration_historical.yaml"
START = datetime(2019, 1, 1)  # noqa: DTZ001 - local time of the simulated town
STEP_S, DAY = 300, 288
GROUPS = 40
NODE_PRESSURE, NODE_HEAD, LINK_FLOW, DURATION, REPORT_STEP = 11, 10, 8, 0, 5
FLOWS = ("p227", "p235", "PUMP_1")
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Event:
    """A withdrawal at a junction: m3/h at every step of the year, zero where there is none."""

    kind: str
    place: str
    node: str
    flow: Floats

    @property
    def row(self) -> dict[str, object]:
        """A line of events.csv."""
        drawn = np.flatnonzero(self.flow)
        first, last = int(drawn[0]), int(drawn[-1])
        return {
            "place": self.place,
            "node": self.node,
            "kind": self.kind,
            "start": START + timedelta(seconds=STEP_S * first),
            "end": START + timedelta(seconds=STEP_S * (last + 1)),
            "peak_m3h": round(float(self.flow.max()), 2),
        }


def _ramp(steps: int, first: int, peak: int, last: int, flow: float) -> Floats:
    at = np.arange(steps)
    size = flow if peak <= first else flow * np.clip((at - first) / (peak - first), 0, 1) ** 2
    return np.where((at >= first) & (at < last), size, 0.0)


def _behind_the_pump(wn: wntr.network.WaterNetworkModel) -> set[str]:
    graph = wn.to_graph().to_undirected()
    graph.remove_edges_from([edge for edge in graph.edges(keys=True) if edge[2] == "PUMP_1"])
    return set(nx.node_connected_component(graph, "T1"))


def leaks(wn: wntr.network.WaterNetworkModel, steps: int, rng: np.random.Generator) -> list[Event]:
    """Twenty a year: half appear at once, half grow for three weeks to eleven; some are repaired."""
    made, behind = [], _behind_the_pump(wn)
    for number, pipe in enumerate(rng.choice(wn.pipe_name_list, 20, replace=False)):
        first = int((number + rng.uniform(0.1, 0.9)) * (steps - 14 * DAY) / 20) + 7 * DAY
        abrupt = bool(rng.random() < 0.5)
        peak = first if abrupt else first + int(rng.uniform(21, 77) * DAY)
        last = peak + int(rng.uniform(14, 45) * DAY) if rng.random() < 0.35 else steps
        node = wn.get_link(pipe).start_node_name
        most = 8 if node in behind else 28  # more would empty the tank
        flow = _ramp(steps, first, peak, min(last, steps), float(np.exp(rng.uniform(np.log(5), np.log(most)))))
        made.append(Event("abrupt" if abrupt else "incipient", str(pipe), node, flow))
    return made


def hydrants(wn: wntr.network.WaterNetworkModel, steps: int, rng: np.random.Generator) -> list[Event]:
    """An opening every second day or so, of 15 to 60 m3/h for 5 min to 3 h; one in twelve is left open for a day."""
    made, at = [], 10 * DAY
    while at < steps - 2 * DAY:
        left = rng.random() < 1 / 12
        length = DAY if left else int(np.ceil(np.exp(rng.uniform(np.log(1), np.log(36)))))
        flow = np.zeros(steps)
        flow[at : at + length] = np.exp(rng.uniform(np.log(15), np.log(60)))
        node = str(rng.choice(wn.junction_name_list))
        made.append(Event("left_open" if left else "opened", node, node, flow))
        at += length + int(rng.uniform(0.5, 4) * DAY)
    return made


def draws(wn: wntr.network.WaterNetworkModel, steps: int, rng: np.random.Generator) -> list[Event]:
    """Eight a year: 3 to 10 m3/h in the same one to three hours of most nights, for three to six weeks."""
    made = []
    for number in range(8):
        first_day = int((number + rng.uniform(0.1, 0.5)) * (steps // DAY - 20) / 8) + 15
        begins, length = int(rng.uniform(22, 27.5) * 12), int(rng.uniform(12, 36))
        size, flow = float(np.exp(rng.uniform(np.log(3), np.log(10)))), np.zeros(steps)
        for day in range(first_day, min(first_day + int(rng.uniform(21, 42)), steps // DAY - 2)):
            if day == first_day or rng.random() < 0.7:
                at = day * DAY + begins + int(rng.integers(-2, 3))
                flow[at : at + length] = size
        node = str(rng.choice(wn.junction_name_list))
        made.append(Event("draw", node, node, flow))
    return made


KINDS = {"leaks": (leaks, 365), "hydrants": (hydrants, 180), "draws": (draws, 365)}


def _correlated(rng: np.random.Generator, steps: int, share: float, memory: float) -> Floats:
    from scipy.signal import lfilter  # noqa: PLC0415 - a filter of one line

    white = rng.normal(0, share * np.sqrt(1 - memory**2), steps)
    made: Floats = lfilter([1], [1, -memory], white)
    return made


def _demands(wn: wntr.network.WaterNetworkModel, steps: int, rng: np.random.Generator) -> dict[str, Floats]:
    """Give junctions of a group one pattern a use, and the values of each pattern over the year."""
    names = wn.junction_name_list
    places = np.array([wn.get_node(name).coordinates for name in names])
    centres = places[rng.choice(len(names), GROUPS, replace=False)]
    group = ((places[:, None] - centres[None]) ** 2).sum(-1).argmin(1)
    at = np.arange(steps) / DAY
    phase = rng.uniform(0, 2 * np.pi)
    season = 1 + 0.12 * np.sin(2 * np.pi * (at - 100) / 365) + 0.03 * np.sin(2 * np.pi * at / 91 + phase)
    made: dict[str, Floats] = {}
    for name, number in zip(names, group, strict=True):
        for demand in wn.get_node(name).demand_timeseries_list:
            use = demand.pattern_name or "P-Residential"
            own = f"{use[2:5]}{number}"
            if own not in made:
                week = np.asarray(wn.get_pattern(use).multipliers)
                noise = 1 + rng.normal(0, 0.08, steps) + _correlated(rng, steps, 0.06, 0.97)
                made[own] = np.resize(week, steps) * season * np.maximum(noise, 0)
                wn.add_pattern(own, [1.0])
            demand.pattern_name = own
    return made


def _set_pattern(project: ENepanet, name: str, values: Floats) -> None:
    index = ctypes.c_int()
    project.ENlib.EN_getpatternindex(project._project, name.encode(), ctypes.byref(index))  # noqa: SLF001
    array = (ctypes.c_double * len(values))(*values)
    project.ENlib.EN_setpattern(project._project, index, array, ctypes.c_int(len(values)))  # noqa: SLF001


def simulate(wn: wntr.network.WaterNetworkModel, patterns: dict[str, Floats], sensors: list[str], days: int) -> Floats:
    """Pressures of the sensors, level of T1 and flows, a row a step."""
    with tempfile.TemporaryDirectory() as place:
        file = Path(place) / "town.inp"
        wn.options.time.duration = days * 86400
        wntr.network.write_inpfile(wn, str(file), units="CMH")
        project = ENepanet()
        project.ENopen(str(file), str(Path(place) / "r.rpt"), str(Path(place) / "b.bin"))
        for name, values in patterns.items():
            _set_pattern(project, name, values)
        nodes = [project.ENgetnodeindex(name) for name in (*sensors, "T1")]
        links = [project.ENgetlinkindex(name) for name in FLOWS]
        rows = np.empty((days * DAY, len(nodes) + len(links)))
        project.ENopenH()
        project.ENinitH(0)
        while True:
            at = project.ENrunH()
            if at % STEP_S == 0 and at // STEP_S < len(rows):
                measured = [project.ENgetnodevalue(node, NODE_PRESSURE) for node in nodes]
                rows[at // STEP_S] = [*measured, *(project.ENgetlinkvalue(link, LINK_FLOW) for link in links)]
            if project.ENnextH() <= 0:
                break
        project.ENcloseH()
        project.ENclose()
    return rows


def _sensors() -> list[str]:
    text = CONFIGURATION.read_text().split("pressure_sensors:")[1].split("flow_sensors:")[0]
    return [line.strip(" -") for line in text.splitlines() if line.strip(" -")]


def make(kind: str, folder: Path, seed: int) -> None:
    """Write one simulated dataset."""
    rng = np.random.default_rng(seed)
    happening, days = KINDS[kind]
    wn = wntr.network.WaterNetworkModel(str(NETWORK))
    steps = days * DAY
    events = happening(wn, steps, rng)
    patterns = _demands(wn, steps, rng)
    for number, event in enumerate(events):
        wn.add_pattern(f"E{number}", [1.0])
        wn.get_node(event.node).add_demand(1 / 3600, f"E{number}")  # 1 m3/h
        patterns[f"E{number}"] = event.flow
    sensors = _sensors()
    rows = simulate(wn, patterns, sensors, days)
    noise = rng.normal(0, 0.02, (steps, len(sensors)))
    rows[:, : len(sensors)] += noise
    frame = pl.DataFrame(np.round(rows, 2), schema=[*sensors, "T1", *FLOWS])
    times = pl.Series("timestamp", [START + timedelta(seconds=STEP_S * n) for n in range(steps)])
    folder.mkdir(parents=True, exist_ok=True)
    frame.insert_column(0, times).write_parquet(folder / "scada.parquet")
    pl.DataFrame([event.row for event in events]).write_csv(folder / "events.csv")


if __name__ == "__main__":
    make(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 0)
