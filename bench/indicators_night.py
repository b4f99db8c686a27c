"""One nightly run of all indicators in a process of its own: wall, peak memory, seconds of each pack; prints JSON.

    python bench/indicators_night.py HOME --as-of 2026-07-01T00:30:00Z [--since 2026-06-30T00:30:00Z]

`--since` notes before that all indicators have been computed as of then: what is left is what changed since. A pack
that cannot be computed is named, and the others go on.
"""

import argparse
import json
import resource
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
from stage import ROOT  # noqa: F401 - makes the rooms importable

from catalog import marks
from catalog.marks import Run
from catalog.store import Store
from indicators import compute, runner
from indicators.frame import Terms
from indicators.header import packs
from lake.commit import Lake
from lake.snapshot import find
from schemas.clock import micros
from schemas.settings import Home


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


class Watch:
    """Times what the runner does for each pack."""

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()
        self.failed: dict[str, str] = {}
        for name, otherwise in (("_stretch", (0, runner.empty())), ("_follow", None)):
            setattr(runner, name, self._timed(getattr(runner, name), otherwise))

    def _timed(self, work: Any, otherwise: Any) -> Any:
        def timed(connection: Any, pack: Any, *rest: Any) -> Any:
            begun = time.perf_counter()
            try:
                return work(connection, pack, *rest)
            except duckdb.Error as error:
                self.failed[pack.id] = str(error).splitlines()[0]
                return otherwise
            finally:
                self.seconds[pack.id] += time.perf_counter() - begun

        return timed


def note(home: Home, store: Store, since: datetime) -> None:
    """Note that everything was computed as of `since`."""
    snapshot, taken = find(home.path), marks.take(store)
    terms = Terms.of(home.settings, since)
    run = Run(
        number=taken.number,
        as_of=micros(since),
        snapshot_id=snapshot.id,
        snapshot_at=micros(snapshot.at),
        registry_version=taken.registry_version,
        beginning=taken.beginning,
        versions={pack.id: runner.definition(pack, terms) for pack in packs("indicator").values()},
        known=sorted(packs("indicator")),
    )
    marks.note_alone(store, run)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("home", type=Path)
    options.add_argument("--as-of", type=datetime.fromisoformat, required=True)
    options.add_argument("--since", type=datetime.fromisoformat)
    asked = options.parse_args()
    home = Home(asked.home)
    store = Store.at(home.catalog)
    if asked.since:
        note(home, store, asked.since)
    watch, begun = Watch(), time.perf_counter()
    found = compute.bring_up_to_date(Lake(home, store, lambda: asked.as_of.astimezone(UTC)))
    told = {
        "seconds": round(time.perf_counter() - begun, 2),
        "peak_mb": round(peak_mb()),
        "values": found.new.total(),
        "packs": {name: round(spent, 3) for name, spent in watch.seconds.most_common()},
        "failed": watch.failed,
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main()
