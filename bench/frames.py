"""Frame decoders, in microseconds a frame: none may take more than 25, or 2 a record where one frame brings many.

    python -m bench.frames [--rounds 2000] [--json]

The frames are the examples of the profiles, and of the water meters also the longest they send. Processor time counts.
"""

import argparse
import base64
import json
import struct
import time
from collections.abc import Iterator

from devices.profiles import profiles
from ingest.codecs.frames import DECODERS

LIMIT_US, LIMIT_RECORD_US = 25.0, 2.0
HOUR = 1_772_341_200


def longest() -> Iterator[tuple[str, int, bytes]]:
    log = struct.pack("<IBIII15H", HOUR, 0, 99_000, HOUR - 15 * 3600, 90_000, *range(15))
    yield "axioma_qalcosonic_w1", 100, log
    yield "axioma_qalcosonic_w1", 100, struct.pack("<BIBI41x", 1, HOUR, 0, 90_000)
    profile = b"\x4d\x93\x13\x42\x62\x01" + struct.pack("<32H", *range(32))
    yield "kamstrup_flowiq", 1, bytes.fromhex("78446d0026413344 13e1100000") + profile


def frames() -> Iterator[tuple[str, int, bytes]]:
    for profile in profiles().values():
        for example in profile.example:
            if profile.decoder and example.data and example.reading:
                yield profile.decoder, example.port or 1, base64.b64decode(example.data)
    yield from longest()


def cost(name: str, port: int, frame: bytes, rounds: int) -> float:
    """Best of five, in µs."""
    decode, best = DECODERS[name], float("inf")
    for _ in range(5):
        start = time.process_time()
        for _ in range(rounds):
            decode(frame, port)
        best = min(best, time.process_time() - start)
    return best / rounds * 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=2000)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    made = []
    for name, port, frame in frames():
        found = DECODERS[name](frame, port)
        records = 1 + len(found.get("history", []))
        us = cost(name, port, frame, args.rounds)
        made.append({"decoder": name, "bytes": len(frame), "records": records, "us": round(us, 1)})
    made.sort(key=lambda row: -row["us"])
    if args.json:
        print(json.dumps(made))
        return
    for row in made:
        over = "  over" if row["us"] > max(LIMIT_US, LIMIT_RECORD_US * row["records"]) else ""
        print(f"{row['us']:6.1f} µs  {row['records']:3} records  {row['bytes']:3} bytes  {row['decoder']}{over}")


if __name__ == "__main__":
    main()
