"""A month of BattLeDIM's three flows and its tank over MQTT as district meters; night flow against polars on the file.

python bench/battledim.py
"""

import json
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl
from stage import ROOT, drava, ingesting, subscribe_first

import drava as library
from commands.demo.broker import running
from devices.publish import publish

FILE = ROOT.parent / "shared" / "data" / "battledim_2019" / "scada_flows_levels_2019.parquet"
ZONE = ZoneInfo("Europe/Ljubljana")  # the file's own zone is not told; a January has no change of clocks anywhere
REGISTRY = """device_id,family,thing_id,valid_from,area,direction
p227,district_meter,p227,2018-01-01,ltown,in
p235,district_meter,p235,2018-01-01,ltown,in
PUMP_1,district_meter,PUMP_1,2018-01-01,ltown,out
T1,district_meter,T1,2018-01-01,tank,
"""


def messages(rows: pl.DataFrame) -> Iterator[tuple[str, bytes]]:
    for row in rows.iter_rows(named=True):
        at = row["timestamp"].replace(tzinfo=ZONE).astimezone(UTC)
        for device in ("p227", "p235", "PUMP_1", "T1"):
            measure = "level_m" if device == "T1" else "flow_m3h"
            body = {"time": at.isoformat(), measure: row[device]}
            yield f"ptuj/district_meter/{device}/telemetry", json.dumps(body).encode()


def expected(rows: pl.DataFrame) -> dict[str, float]:
    night = rows.filter(pl.col("timestamp").dt.hour().is_in([2, 3]))
    flow = (pl.col("p227") + pl.col("p235") - pl.col("PUMP_1")).mean().alias("flow")
    days = night.group_by(pl.col("timestamp").dt.date().alias("day")).agg(flow).sort("day")
    return {str(day): flow for day, flow in days.iter_rows()}


def main() -> None:
    rows = pl.read_parquet(FILE).filter(
        pl.col("timestamp").is_between(pl.datetime(2019, 1, 1), pl.datetime(2019, 1, 31, 23, 59))
    )
    with tempfile.TemporaryDirectory() as place, running(Path(place) / "broker") as broker:
        home = Path(place) / "home"
        drava(home, "init", str(home), "--municipality", "ptuj", "--broker", broker.url, "--lang", "en")
        (Path(place) / "devices.csv").write_text(REGISTRY)
        drava(home, "devices", "import", str(Path(place) / "devices.csv"))
        subscribe_first(home)
        with ingesting(home, "--until-idle", "2") as (process, _):
            sent = publish(messages(rows), url=broker.url, client_id="battledim")
            process.wait()
        drava(home, "--as-of", "2019-02-02T00:00:00Z", "indicators", "run")
        ask = "SELECT CAST(period_start AS VARCHAR), value FROM indicator_values WHERE (indicator, subject_id) = (?, ?)"
        found = dict(library.connect(home).execute(ask, ["water.night_flow", "ltown"]).fetchall())
        drava(home, "balance")
    wanted = expected(rows)
    worst = max((abs(found[day] - flow) for day, flow in wanted.items() if day in found), default=float("inf"))
    print(
        f"{sent} messages, {len(wanted)} nights in the file, {len(found)} values, largest difference {worst:.2e} m3/h"
    )
    same = found.keys() == wanted.keys() and worst < 1e-9
    print("ok   night flow equals the file's" if same else f"FAIL missing {wanted.keys() ^ found.keys()}")
    sys.exit(not same)


if __name__ == "__main__":
    main()
