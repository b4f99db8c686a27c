"""The DAIAD proof: 674,019 real readings of 92 water meters over MQTT, and what must be in the lake afterwards.

    python bench/daiad.py [--order time|file] [--backlog]

Published with paho-mqtt as an independent client, ingested, then counted against the file with polars.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import polars as pl
from stage import ROOT, drava, ingesting, register, subscribe_first

import drava as library
from commands.demo.broker import running
from devices.publish import publish

FILE = ROOT.parent / "shared" / "data" / "daiad_smart_meters" / "swm_trialA.parquet"


def messages(rows: pl.DataFrame) -> Iterator[tuple[str, bytes]]:
    for meter, at, litres in rows.select("meter", "timestamp", "reading_l").iter_rows():
        body = {"time": f"{at:%Y-%m-%dT%H:%M:%SZ}", "volume_total_m3": litres / 1000}
        yield f"ptuj/water_meter/swm{meter:03d}/telemetry", json.dumps(body).encode()


def expected(rows: pl.DataFrame) -> dict[str, object]:
    """From the file alone: distinct readings, further values of an instant, exact repeats, last registers, volumes."""
    identity = ["meter", "timestamp"]
    values = rows.unique([*identity, "reading_l"])
    distinct = values.select(identity).n_unique()
    last = (
        rows.sort("timestamp", maintain_order=True)
        .group_by("meter")
        .agg(pl.col("timestamp").max(), pl.col("reading_l").last(), pl.col("reading_l").first().alias("first_l"))
        .sort("meter")
    )
    return {
        "messages": rows.height,
        "distinct": distinct,
        "revised": values.height - distinct,
        "duplicate": rows.height - values.height,
        "last": {f"swm{m:03d}": round(v / 1000, 6) for m, v in last.select("meter", "reading_l").iter_rows()},
        "drawn": {
            f"swm{m:03d}": round((v - first) / 1000, 6)
            for m, v, first in last.select("meter", "reading_l", "first_l").iter_rows()
        },
    }


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--order", choices=["time", "file"], default="time")
    options.add_argument("--backlog", action="store_true", help="publish everything before ingestion starts")
    options.add_argument("--limit", type=int, default=0)
    asked = options.parse_args()
    rows = pl.read_parquet(FILE)
    rows = rows.head(asked.limit) if asked.limit else rows
    rows = rows.sort("timestamp", maintain_order=True) if asked.order == "time" else rows
    wanted = expected(rows)
    with tempfile.TemporaryDirectory() as place, running(Path(place) / "broker") as broker:
        home = Path(place) / "home"
        drava(home, "init", str(home), "--municipality", "ptuj", "--broker", broker.url, "--lang", "en")
        register(home, "water_meter", [f"swm{n:03d}" for n in range(92)], "2016-01-01")
        subscribe_first(home)
        start = time.perf_counter()
        if asked.backlog:
            publish(messages(rows), url=broker.url, client_id="daiad")
            start = time.perf_counter()
            with ingesting(home, "--until-idle", "2") as (process, gauge):
                process.wait()
        else:
            with ingesting(home, "--until-idle", "5") as (process, gauge):
                publish(messages(rows), url=broker.url, client_id="daiad")
                process.wait()
        seconds = time.perf_counter() - start
        peak, single = gauge.stop()
        report(home, wanted, seconds, peak, single)


def report(home: Path, wanted: dict[str, object], seconds: float, peak: float, single: list[float]) -> None:
    lake = library.connect(home)
    one = lambda query: lake.execute(query).fetchall()  # noqa: E731
    total = dict(zip(("received", "stored", "completed", "revised", "duplicate", "quarantined"), one(
        "SELECT sum(received), sum(stored), sum(completed), sum(revised), sum(duplicate),"
        " sum(quarantined + readings_quarantined) FROM balance")[0], strict=True))  # fmt: skip
    (count,) = one("SELECT count(*) FROM water_meter")[0]
    last = dict(
        one("SELECT device_id, CAST(max_by(volume_total_m3, observed_at) AS DOUBLE) FROM water_meter GROUP BY 1")
    )
    drawn = dict(
        one("SELECT device_id, CAST(sum(volume_m3 - reverse_m3) AS DOUBLE) FROM consumption_hourly GROUP BY device_id")
    )
    (flagged,) = one("SELECT count(*) FROM water_meter WHERE quality_tests & 256 <> 0")[0]
    checks = {
        "received = rows of the file": total["received"] == wanted["messages"],
        "one row a distinct (meter, time)": count == wanted["distinct"] == total["stored"],
        "the rest is duplicate or revised": (total["duplicate"], total["revised"])
        == (wanted["duplicate"], wanted["revised"]),
        "last register of each meter": last == wanted["last"],
        "consumption is the difference of registers": drawn == wanted["drawn"],
        "nothing in quarantine": total["quarantined"] == 0,
        "peak memory under 512 MB": peak < 512,
    }
    print(json.dumps({"balance": {k: int(v) for k, v in total.items()}, "rows": count, "steps down flagged": flagged}))
    rate = wanted["messages"] / seconds
    print(f"wall {seconds:.1f} s, {rate:,.0f} messages/s, peak {peak:.0f} MB of {[round(s) for s in single]}")
    for name, holds in checks.items():
        print("ok  " if holds else "FAIL", name)
    sys.exit(not all(checks.values()))


if __name__ == "__main__":
    main()
