"""Decode and normalise, by codec, in microseconds a message: none may take more than 25.

    python -m bench.codecs [--messages 50000] [--devices 1000] [--json]

Messages go through the writer's own decision in batches as in service; what is timed is from the journalled bytes to
normalised columns: route, codec, frame decoder, profile, units, times, quality. Processor time of all threads counts:
more than the clock would show, and the same whoever else is on the machine.
"""

import argparse
import json
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa

from bench.stage import drava
from catalog.store import Store
from ingest import decode as decoding
from ingest import rows, writer
from ingest.collect import rare_collections
from ingest.journal import MESSAGES
from lake.commit import Lake
from schemas.settings import Home

LIMIT_US = 25.0
NOW = datetime.now(UTC).replace(microsecond=0)
FRAME = bytes.fromhex("01755c03824408040001")
ROUTES = {
    "application/+/device/+/event/+": "chirpstack",
    "v3/+/devices/+/up": "tts",
    "loriot/#": "loriot",
    "thingpark/#": "thingpark",
    "wmbusmeters/+": "wmbusmeters",
}
DECLARED = 'device = "topic.2"\ntime = "ts"\nseq = "n"\nfields = { fill_pct = "data.fill", battery_pct = "bat" }\n'


def eui(device: int) -> str:
    return f"24e124fffe{device:06x}"


def meter(device: int) -> str:
    return f"{40_000_000 + device}"


def lora(at: str, device: int, n: int) -> dict[str, Any]:
    """What every network server says beside the frame, shortened to what they all have."""
    heard = {
        "gatewayId": "6a7e111a10000000",
        "uplinkId": n,
        "rssi": -35,
        "snr": 11.5,
        "nsTime": at,
        "crcStatus": "CRC_OK",
    }
    about = {
        "applicationName": "city",
        "deviceProfileName": "bins",
        "deviceName": f"bin {device}",
        "devEui": eui(device),
    }
    return {
        "time": at,
        "deviceInfo": about,
        "devAddr": "20000001",
        "adr": True,
        "dr": 5,
        "fCnt": n,
        "fPort": 85,
        "rxInfo": [heard],
    }


def chirpstack(at: str, device: int, n: int) -> tuple[str, Any]:
    return f"application/7/device/{eui(device)}/event/up", lora(at, device, n) | {"data": "AXVcA4JECAQAAQ=="}


def chirpstack_object(at: str, device: int, n: int) -> tuple[str, Any]:
    found = {"battery": 92.0, "distance": 2116.0, "position": "tilt"}
    return f"application/7/device/{eui(device)}/event/up", lora(at, device, n) | {"object": found}


def tts(at: str, device: int, n: int) -> tuple[str, Any]:
    ids = {"device_id": f"bin-{device}", "dev_eui": eui(device).upper(), "application_ids": {"application_id": "city"}}
    heard = {"gateway_ids": {"gateway_id": "g1"}, "time": at, "rssi": -24, "snr": 12, "channel_index": 2}
    sent = {"f_port": 85, "f_cnt": n, "frm_payload": "AXVcA4JECAQAAQ==", "rx_metadata": [heard], "received_at": at}
    return f"v3/city@t/devices/bin-{device}/up", {"end_device_ids": ids, "received_at": at, "uplink_message": sent}


def loriot(at: str, device: int, n: int) -> tuple[str, Any]:
    ms = round(datetime.fromisoformat(at).timestamp() * 1000)
    return "loriot/app", {
        "cmd": "rx",
        "EUI": eui(device),
        "ts": ms,
        "fcnt": n,
        "port": 85,
        "data": FRAME.hex(),
        "rssi": -119,
    }


def thingpark(at: str, device: int, n: int) -> tuple[str, Any]:
    sent = {
        "Time": at,
        "DevEUI": eui(device),
        "FPort": "85",
        "FCntUp": str(n),
        "payload_hex": FRAME.hex(),
        "LrrRSSI": "-80",
    }
    return "thingpark/up", {"DevEUI_uplink": sent}


def wmbusmeters(at: str, device: int, n: int) -> tuple[str, Any]:
    said = {"media": "cold water", "meter": "kamwater", "name": "m", "id": meter(device), "total_m3": n / 1000}
    return f"wmbusmeters/{meter(device)}", said | {"flow_temperature_c": 8, "status": "OK", "timestamp": at}


def own_json(at: str, device: int, n: int) -> tuple[str, Any]:
    return f"t/waste_container/{eui(device)}/telemetry", {"time": at, "seq": n, "fill_pct": 40.5, "battery_pct": 92}


def own_json_units(at: str, device: int, n: int) -> tuple[str, Any]:
    fill = {"value": 40.5, "unit": "%"}
    return f"t/waste_container/{eui(device)}/telemetry", {"time": at, "seq": n, "fill_pct": fill, "battery_pct": 92}


def foreign_json(at: str, device: int, n: int) -> tuple[str, Any]:
    return f"foreign/{eui(device)}/state", {"ts": at, "n": n, "data": {"fill": 40.5}, "bat": 92}


LOADS: list[Callable[[str, int, int], tuple[str, Any]]] = [
    chirpstack, chirpstack_object, tts, loriot, thingpark, wmbusmeters, own_json, own_json_units, foreign_json,
]  # fmt: skip


def table(load: Callable[[str, int, int], tuple[str, Any]], count: int, devices: int) -> pa.Table:
    """Messages as the journal holds them: each device in turn, a second between two rounds."""
    made = [
        load((NOW - timedelta(days=1) + timedelta(seconds=n // devices)).isoformat(), n % devices, n // devices)
        for n in range(count)
    ]
    received = round(NOW.timestamp() * 1e6)
    columns = [
        [received] * count,
        [topic for topic, _ in made],
        [json.dumps(body).encode() for _, body in made],
        [1] * count,
        [False] * count,
        [False] * count,
    ]
    arrays = [pa.array(column, field.type) for column, field in zip(columns, MESSAGES, strict=True)]
    return decoding.with_ids(pa.record_batch(arrays, schema=MESSAGES), 1)


def home(place: Path, devices: int) -> Path:
    path = place / "home"
    drava(path, "init", str(path), "--municipality", "t", "--lang", "en")
    routes = "".join(f'[[route]]\nfilter = "{topic}"\ncodec = "{codec}"\n' for topic, codec in ROUTES.items())
    routes += f'[[route]]\nfilter = "foreign/+/state"\ncodec = "json"\n{DECLARED}'
    (path / "drava.toml").write_text((path / "drava.toml").read_text() + routes)
    listed = [f"{eui(n)},waste_container,b{n},EM310-UDL,2020-01-01" for n in range(devices)]
    listed += [f"{meter(n)},water_meter,m{n},,2020-01-01" for n in range(devices)]
    (place / "d.csv").write_text("\n".join(["device_id,family,thing_id,model,valid_from", *listed]) + "\n")
    drava(path, "devices", "import", str(place / "d.csv"))
    return path


def costs(count: int, devices: int) -> dict[str, float]:
    """Microseconds a message by load, the best of three runs."""
    found: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as place:
        path = home(Path(place), devices)
        opened = Home(path)
        store = Store.at(opened.catalog)
        made = writer.Writer(opened, store, Lake(opened, store, lambda: NOW), lambda: NOW)
        rare_collections()
        spent: dict[str, float] = defaultdict(float)
        for owner, name in ((writer, "decode"), (rows.FamilyRows, "frame"), (writer, "normalise")):
            setattr(owner, name, measured(spent, getattr(owner, name), name))
        for load in LOADS:
            messages = table(load, count, devices)
            made.decide(messages.slice(0, 1000))  # loads what is loaded once
            best = min(once(made, messages, spent) for _ in range(3))
            found[load.__name__] = round(best / count * 1e6, 2)
        store.close()
    return found


def once(made: writer.Writer, messages: pa.Table, spent: dict[str, float]) -> float:
    """Seconds to decode and normalise these messages. Raises SystemExit where one did not become a reading."""
    spent.clear()
    batch: decoding.Batch = vars(writer)["decode"](messages, made.router())
    if batch.refused:
        raise SystemExit(str(batch.refused[0]))
    made.readings(batch)
    return sum(spent.values())


def measured(spent: dict[str, float], function: Callable[..., Any], name: str) -> Callable[..., Any]:
    def inner(*args: Any, **kwargs: Any) -> Any:
        start = time.process_time()
        try:
            return function(*args, **kwargs)
        finally:
            spent[name] += time.process_time() - start

    return inner


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--messages", type=int, default=50_000)
    options.add_argument("--devices", type=int, default=1000)
    options.add_argument("--json", action="store_true")
    asked = options.parse_args()
    found = costs(asked.messages, asked.devices)
    if asked.json:
        print(json.dumps(found, indent=2))
        return
    for name, cost in found.items():
        print(f"{name:<20} {cost:>8.2f} µs a message{'' if cost <= LIMIT_US else '   OVER THE LIMIT'}")


if __name__ == "__main__":
    main()
