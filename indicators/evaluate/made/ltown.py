"""Simulated years of L-TOWN with leaks, opened hydrants or unbilled night draws, to hold detectors against.

EPANET runs the network of BattLeDIM at 5 min with demands that differ from place to place: season, noise of 40 groups
of junctions, and noise that all have in common. The same seed gives the same rows. A year takes a minute or two and is
made once a process. These are simulated data, never to be shown beside figures from real meters.
"""

import ctypes
import tempfile
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

import numpy as np
import polars as pl
import wntr
from numpy.typing import NDArray
from wntr.epanet.toolkit import ENepanet

START = datetime(2019, 1, 1)  # noqa: DTZ001 - local time of the simulated town
STEP_S, DAY = 300, 288
GROUPS = 40
ABRUPT, REPAIRED = 0.5, 0.35  # shares of leaks
ACTIVE = 0.7  # of the nights of a draw
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
    """Junctions that the tank serves: what is joined to it when the pump's pipe is not."""
    ends = [(link.start_node_name, link.end_node_name) for name, link in wn.links() if name != "PUMP_1"]
    reached, size = {"T1"}, 0
    while size < len(reached):
        size = len(reached)
        reached |= {node for pair in ends if not reached.isdisjoint(pair) for node in pair}
    return reached


def leaks(wn: wntr.network.WaterNetworkModel, steps: int, rng: np.random.Generator) -> list[Event]:
    """Twenty a year: half appear at once, half grow for three weeks to eleven; some are repaired."""
    made, behind = [], _behind_the_pump(wn)
    for number, pipe in enumerate(rng.choice(wn.pipe_name_list, 20, replace=False)):
        first = int((number + rng.uniform(0.1, 0.9)) * (steps - 14 * DAY) / 20) + 7 * DAY
        abrupt = bool(rng.random() < ABRUPT)
        peak = first if abrupt else first + int(rng.uniform(21, 77) * DAY)
        last = peak + int(rng.uniform(14, 45) * DAY) if rng.random() < REPAIRED else steps
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
    """Eight a year: 3 to 10 m3/h in the same one to three hours of most nights, for two to five weeks."""
    made, apart = [], (steps // DAY - 20) / 8
    for number in range(8):
        first_day = int((number + rng.uniform(0.1, 0.4)) * apart) + 15
        last_day = min(first_day + int(rng.uniform(14, 35)), int((number + 1) * apart) + 10)
        begins, length = int(rng.uniform(22, 27.5) * 12), int(rng.uniform(12, 36))
        size, flow = float(np.exp(rng.uniform(np.log(3), np.log(10)))), np.zeros(steps)
        for day in range(first_day, last_day):
            if day == first_day or rng.random() < ACTIVE:
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


def _sensors(network: Path) -> list[str]:
    """The 33 of the competition, from the file beside the network."""
    text = network.with_name("dataset_configuration_historical.yaml").read_text("utf-8")
    text = text.split("pressure_sensors:")[1].split("flow_sensors:")[0]
    return [line.strip(" -") for line in text.splitlines() if line.strip(" -")]


@cache
def year(kind: str, seed: int, network: str, common: float = 0.0) -> tuple[pl.DataFrame, list[Event]]:
    """What the city would measure, a row a step, and what happened; `common` is the noise that all demands share."""
    rng = np.random.default_rng(seed)
    happening, days = KINDS[kind]
    wn = wntr.network.WaterNetworkModel(network)
    steps = days * DAY
    events = happening(wn, steps, rng)
    patterns = _demands(wn, steps, rng)
    if common:
        shared = np.maximum(1 + np.random.default_rng([seed, 1]).normal(0, common, steps), 0)
        patterns = {name: values * shared for name, values in patterns.items()}
    for number, event in enumerate(events):
        wn.add_pattern(f"E{number}", [1.0])
        wn.get_node(event.node).add_demand(1 / 3600, f"E{number}")  # 1 m3/h
        patterns[f"E{number}"] = event.flow
    sensors = _sensors(Path(network))
    rows = simulate(wn, patterns, sensors, days)
    rows[:, : len(sensors)] += rng.normal(0, 0.02, (steps, len(sensors)))
    frame = pl.DataFrame(np.round(rows, 2), schema=[*sensors, "T1", *FLOWS])
    times = pl.Series("timestamp", [START + timedelta(seconds=STEP_S * n) for n in range(steps)])
    return frame.insert_column(0, times), events


def make(kind: str, seed: int, network: str, common: float = 0.0) -> pl.DataFrame:
    """Give a year with a column for each kind of event, true while one lasts."""
    frame, events = year(kind, seed, network, common)
    drawn = {name: sum(event.flow for event in events if event.kind == name) for name in {e.kind for e in events}}
    return frame.with_columns(pl.Series(name, np.asarray(flow) > 0) for name, flow in sorted(drawn.items()))
