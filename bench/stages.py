"""What each stage of the writer costs, in microseconds a message: a journal is filled and drained in this process.

    python bench/stages.py [--messages 300000] [--days 1] [--devices 2000] [--batch 50000]

Stages overlap where they wait for the disk in threads; `commit_from` is the whole.
"""

import argparse
import json
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
from ingest_load import FAMILIES, messages
from stage import drava

import lake.commit
from catalog.store import Store
from ingest import balance, rows, state, writer
from ingest.collect import rare_collections
from ingest.journal import MESSAGES, ROW_MESSAGES, Journal, Reader
from lake.commit import Lake
from schemas.settings import Home

STAGES: list[tuple[Any, str]] = [
    (Reader, "read"),
    (writer, "decode"),
    (rows.FamilyRows, "frame"),
    (writer, "normalise"),
    (writer, "judge"),
    (state.FamilyState, "learn"),
    (balance, "sheet"),
    (writer, "by_day"),
    (lake.commit.Lake, "_write"),
    (lake.commit.Lake, "_roll_forward"),
    (writer.Writer, "commit_from"),
]


def measured(spent: Counter[str], function: Callable[..., Any], name: str) -> Callable[..., Any]:
    def inner(*args: Any, **kwargs: Any) -> Any:
        start = time.perf_counter()
        try:
            return function(*args, **kwargs)
        finally:
            spent[name] += time.perf_counter() - start

    return inner


def fill(journal: Journal, made: list[tuple[str, bytes]]) -> None:
    now = round(datetime.now(UTC).timestamp() * 1e6)
    for start in range(0, len(made), ROW_MESSAGES):
        part = made[start : start + ROW_MESSAGES]
        columns = [
            [now] * len(part),
            [topic for topic, _ in part],
            [payload for _, payload in part],
            [1] * len(part),
            [False] * len(part),
            [False] * len(part),
        ]
        arrays = [pa.array(c, f.type) for c, f in zip(columns, MESSAGES, strict=True)]
        journal.append([(pa.record_batch(arrays, schema=MESSAGES), now)])


def costs(count: int, devices: int, days: int, batch: int) -> dict[str, float]:
    """Microseconds a message of each stage, after a first batch that is not counted: it opens tables and loads code."""
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "home"
        drava(path, "init", str(path), "--municipality", "ptuj", "--lang", "en")
        listed = [f"bench-{n:06d},{list(FAMILIES)[n % 6]},t{n},2020-01-01" for n in range(devices)]
        (Path(place) / "d.csv").write_text("\n".join(["device_id,family,thing_id,valid_from", *listed]) + "\n")
        drava(path, "devices", "import", str(Path(place) / "d.csv"))
        journal = Journal(path / "journal" / "main")
        load = list(messages(batch + count, devices, days))
        fill(journal, load[:batch])
        home = Home(path)
        store = Store.at(home.catalog)
        made = writer.Writer(home, store, Lake(home, store, lambda: datetime.now(UTC)), lambda: datetime.now(UTC))
        reader = Reader(path / "journal" / "main")
        rare_collections()
        made.commit_from(reader, batch)
        fill(journal, load[batch:])
        spent: Counter[str] = Counter()
        for place_of, name in STAGES:
            setattr(place_of, name, measured(spent, getattr(place_of, name), name))
        taken = 0
        while counts := writer.Writer.commit_from(made, reader, batch):
            taken += counts["messages"]
        journal.close()
        store.close()
    return {name: round(seconds / taken * 1e6, 3) for name, seconds in spent.most_common()}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--messages", type=int, default=300_000)
    options.add_argument("--days", type=int, default=1)
    options.add_argument("--devices", type=int, default=2000)
    options.add_argument("--batch", type=int, default=50_000)
    asked = options.parse_args()
    print(json.dumps(costs(asked.messages, asked.devices, asked.days, asked.batch), indent=2))


if __name__ == "__main__":
    main()
