"""A journal without the rows that are in the lake: what a backup needs of it, its chain of hashes whole."""

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path


def copy_tail(segments: Sequence[tuple[Path, sqlite3.Connection]], target: Path, positions: Mapping[str, int]) -> None:
    """Copy a journal's segments, oldest first, into a folder, without the rows that are published.

    `positions` by the journal's uuid; one that is not in it is copied whole. A receiver that finds the copy goes on
    with the next number and the next hash. Reads one row at a time.
    """
    for path, source in segments:
        facts = dict(source.execute("SELECT key, value FROM info"))
        after = positions.get(facts["uuid"], 0)
        newest = source.execute("SELECT max(id) FROM rows").fetchone()[0] or 0
        if newest > after or path == segments[-1][0]:  # the last one says where to go on, also without rows
            _copy(source, target / path.name, facts, after)


def _copy(source: sqlite3.Connection, target: Path, facts: dict[str, str], after: int) -> None:
    last = source.execute(
        "SELECT id, first + messages, hash FROM rows WHERE id <= ? ORDER BY id DESC LIMIT 1", (after,)
    ).fetchone()
    if last is not None:
        facts |= {"first_row": str(last[0] + 1), "first_message": str(last[1]), "hash": last[2].hex()}
    with closing(sqlite3.connect(target)) as made:
        for (layout,) in source.execute("SELECT sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'"):
            made.execute(layout)
        with made:
            made.executemany("INSERT INTO info VALUES (?, ?)", facts.items())
            made.executemany(
                "INSERT INTO rows VALUES (?, ?, ?, ?, ?, ?)",
                source.execute(
                    "SELECT id, received_at, first, messages, hash, body FROM rows WHERE id > ? ORDER BY id", (after,)
                ),
            )
