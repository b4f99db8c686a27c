"""The load of the measurements: six families, about 140 bytes a message, as gateways send them."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

STRIDE = 7919  # a prime: every step once, neighbours far apart
FAMILIES = {
    "water_meter": "volume_total_m3",
    "district_meter": "flow_m3h",
    "waste_container": "fill_pct",
    "streetlight": "power_w",
    "hydrant": "pressure_kpa",
    "traffic_counter": "count",
}


def messages(count: int, devices: int, days: int) -> Iterator[tuple[str, bytes]]:
    """About 140 bytes each, six families in turn; of one day in order of time, of several days all mixed."""
    families = list(FAMILIES)
    steps = max(count // devices, 1)
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    now = datetime.now(UTC)
    start = midnight if days == 1 else midnight - timedelta(days=days - 1)
    gap = (now - start) / (steps + 1)
    for number in range(count):
        device, step = number % devices, number // devices
        family = families[device % len(families)]
        value = step if family in {"traffic_counter", "water_meter"} else step % 90 + 0.25
        moment = step if days == 1 else step * STRIDE % steps
        at = (start + gap * moment).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        body = {"time": at, "seq": step, FAMILIES[family]: value}
        if family not in {"traffic_counter", "streetlight", "district_meter"}:
            body["battery_pct"] = 87.5
        yield f"ptuj/{family}/bench-{device:06d}/telemetry", json.dumps(body).encode()
