"""Proves that the journal keeps what it took: over segments, restarts, torn writes, and against a second writer."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest

from ingest.journal import MESSAGES, Journal, Reader
from schemas.errors import DravaError

ROOT = Path(__file__).parents[2]
BODY = 400  # bytes a message


def rows(*numbers, count=3, size=BODY):
    """One journal row a number, its messages marked with it; random bytes, so that segments fill."""
    made = []
    for number in numbers:
        payloads = [b"%d:%d:" % (number, n) + os.urandom(size) for n in range(count)]
        columns = [[number] * count, ["t"] * count, payloads, [1] * count, [False] * count, [False] * count]
        arrays = [pa.array(column, field.type) for column, field in zip(columns, MESSAGES, strict=True)]
        made.append((pa.record_batch(arrays, schema=MESSAGES), number))
    return made


def marks(folder, after=0, messages=10**9):
    """(row id, number of its first message, mark) of what is read."""
    found = Reader(folder).read(after, messages)
    return [(row.id, row.first, row.batch["received_at"][0].as_py()) for row in found]


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "journal"


def small(folder):
    return Journal(folder, segment_bytes=40_000)


def segments(folder):
    return sorted(path.name for path in folder.glob("*.sqlite"))


def test_what_is_appended_is_read_in_order_and_numbered_without_a_gap(folder):
    journal = Journal(folder)
    journal.append(rows(1, 2))
    journal.append(rows(3, count=5))
    journal.append(rows(4))
    assert marks(folder) == [(1, 0, 1), (2, 3, 2), (3, 6, 3), (4, 11, 4)]
    assert marks(folder, after=2) == [(3, 6, 3), (4, 11, 4)]
    assert (journal.messages, journal.last_row) == (14, 4)
    assert Reader(folder).waiting(2) == (8, 3)
    assert Reader(folder).waiting(4) == (0, None)


def test_a_read_ends_at_its_limit_and_gives_one_row_at_least(folder):
    Journal(folder).append(rows(1, 2, 3))
    assert [row for row, _, _ in marks(folder, messages=1)] == [1]
    assert [row for row, _, _ in marks(folder, messages=5)] == [1]
    assert [row for row, _, _ in marks(folder, messages=6)] == [1, 2]


def test_a_read_ends_at_its_bytes_however_few_messages(folder):
    """A backlog of a megabyte each must not be in memory at once, even where it compresses to nothing."""
    journal = Journal(folder)
    zeros = [b"\0" * 2**20] * 8
    columns = [[1] * 8, ["t"] * 8, zeros, [1] * 8, [False] * 8, [False] * 8]
    arrays = [pa.array(column, field.type) for column, field in zip(columns, MESSAGES, strict=True)]
    batch = pa.record_batch(arrays, schema=MESSAGES)
    for _ in range(20):
        journal.append([(batch, 1)])
    found = Reader(folder).read(0, 50_000)
    assert 1 <= len(found) <= 9
    assert found[0].batch.num_rows == 8


def test_segments_follow_each_other_and_go_whole(folder):
    journal = small(folder)
    for number in range(1, 121):
        journal.append(rows(number))
    assert len(segments(folder)) > 3
    assert [mark for _, _, mark in marks(folder)] == list(range(1, 121))
    kept = segments(folder)
    assert journal.trim(0) == 0
    journal.trim(60)
    assert 1 < len(segments(folder)) < len(kept)
    assert [mark for _, _, mark in marks(folder, after=60)] == list(range(61, 121))
    journal.trim(120)
    assert segments(folder) == kept[-1:]  # never the one being written
    left = {path.name.removesuffix(end) for path in folder.iterdir() for end in ("-wal", "-shm")}
    assert {name for name in left if name.endswith(".sqlite")} == set(kept[-1:])


def test_row_numbers_are_never_used_again_after_everything_was_trimmed(folder):
    """SQLite gives ids of an emptied table again; a position would then skip what is new."""
    journal = small(folder)
    for number in range(1, 61):
        journal.append(rows(number))
    journal.trim(60)
    last, uuid, messages = journal.last_row, journal.uuid, journal.messages
    journal.close()
    again = small(folder)
    assert (again.uuid, again.last_row, again.messages) == (uuid, last, messages)
    again.append(rows(61))
    assert marks(folder, after=60) == [(61, 180, 61)]


def test_a_segment_without_rows_yet_goes_on_where_the_last_ended(folder):
    journal = small(folder)
    while len(segments(folder)) < 2:
        journal.append(rows(journal.last_row + 1))
    last, messages = journal.last_row, journal.messages
    journal.close()
    db = sqlite3.connect(folder / segments(folder)[-1])
    db.execute("DELETE FROM rows")  # as a crash right after the new segment leaves it
    first = int(db.execute("SELECT value FROM info WHERE key = 'first_row'").fetchone()[0])
    db.commit()
    db.close()
    again = small(folder)
    assert again.last_row == first - 1 <= last
    again.append(rows(900))
    assert marks(folder, after=first - 1) == [(first, again.messages - 3, 900)]
    assert again.messages <= messages


def test_a_crash_while_a_segment_is_made_leaves_nothing_behind(folder):
    journal = small(folder)
    journal.append(rows(1))
    journal.close()
    (folder / "fresh").write_bytes(b"half a segment")
    (folder / "fresh-journal").write_bytes(b"half a segment's own journal")
    again = small(folder)
    for number in range(2, 60):
        again.append(rows(number))
    assert len(segments(folder)) > 1
    assert [mark for _, _, mark in marks(folder)] == list(range(1, 60))
    assert Reader(folder).verify() == 59


CUTS = ["none", "half", "garbled"]


@pytest.mark.parametrize("cut", CUTS)
def test_a_torn_last_write_loses_at_most_what_was_torn(folder, tmp_path, cut):
    """The power fails while a group is written: what was there before is whole, and the journal goes on."""
    journal = Journal(folder)
    journal.append(rows(1, 2))
    wal = folder / "00000001.sqlite-wal"
    before = wal.stat().st_size
    journal.append(rows(3))
    torn = tmp_path / "torn"
    shutil.copytree(folder, torn)  # as the disk stands at the moment of the failure: nobody closed anything
    body = (torn / wal.name).read_bytes()
    tail = {"none": b"", "half": body[before : (before + len(body)) // 2], "garbled": os.urandom(len(body) - before)}
    (torn / wal.name).write_bytes(body[:before] + tail[cut])
    (torn / "00000001.sqlite-shm").unlink()
    again = Journal(torn)
    assert [mark for _, _, mark in marks(torn)] == [1, 2]
    again.append(rows(4))
    assert [mark for _, _, mark in marks(torn)] == [1, 2, 4]
    assert Reader(torn).verify() == 3


def test_a_journal_that_cannot_be_read_is_said_in_one_line(folder):
    journal = Journal(folder)
    journal.append(rows(1))
    journal.close()
    (folder / "00000001.sqlite").write_bytes(os.urandom(5000))
    with pytest.raises(DravaError, match="cannot be read"):
        Journal(folder)


def test_a_second_receiver_is_refused(folder):
    journal = Journal(folder)
    with pytest.raises(DravaError, match="another receiver"):
        Journal(folder)
    journal.close()
    Journal(folder).close()


HOLD = """
import sys
from pathlib import Path
from ingest.journal import Journal
journal = Journal(Path(sys.argv[1]))
print("open", flush=True)
sys.stdin.read()
"""


def test_a_killed_receiver_leaves_no_lock(folder):
    other = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert other.stdout.readline() == b"open\n"
    with pytest.raises(DravaError, match="another receiver"):
        Journal(folder)
    other.send_signal(signal.SIGKILL)
    other.wait()
    Journal(folder).close()


def test_a_newer_format_is_refused(folder):
    journal = Journal(folder)
    journal.close()
    db = sqlite3.connect(folder / "00000001.sqlite")
    db.execute("UPDATE info SET value = '99' WHERE key = 'format'")
    db.commit()
    db.close()
    with pytest.raises(DravaError, match=r"format 99.*Install a newer"):
        Journal(folder)


@pytest.mark.parametrize("place", ["body", "hash", "row gone", "rows exchanged"])
def test_the_chain_of_hashes_tells_what_was_changed(folder, place):
    journal = small(folder)
    for number in range(1, 41):
        journal.append(rows(number))
    assert Reader(folder).verify() == 40
    journal.trim(20)
    assert Reader(folder).verify() < 40  # the chain begins where the oldest segment says
    journal.close()
    first = Reader(folder).read(0, 1)[0].id
    db = sqlite3.connect(folder / segments(folder)[0])
    changed = bytearray(db.execute("SELECT body FROM rows WHERE id = ?", (first + 1,)).fetchone()[0])
    changed[len(changed) // 2] ^= 1
    statement, values = {
        "body": ("UPDATE rows SET body = ? WHERE id = ?", (bytes(changed), first + 1)),
        "hash": ("UPDATE rows SET hash = ? WHERE id = ?", (b"x" * 32, first + 1)),
        "row gone": ("DELETE FROM rows WHERE id = ?", (first + 1,)),
        "rows exchanged": (
            "UPDATE rows SET body = (SELECT body FROM rows AS r WHERE r.id = ? - rows.id) WHERE id IN (?, ?)",
            (2 * first + 3, first + 1, first + 2),
        ),
    }[place]
    db.execute(statement, values)
    db.commit()
    db.close()
    with pytest.raises(DravaError, match="not what was written"):
        Reader(folder).verify()


def test_rows_missing_at_the_end_of_a_segment_are_found(folder):
    journal = small(folder)
    for number in range(1, 41):
        journal.append(rows(number))
    journal.close()
    db = sqlite3.connect(folder / segments(folder)[0])
    db.execute("DELETE FROM rows WHERE id = (SELECT max(id) FROM rows)")
    db.commit()
    db.close()
    with pytest.raises(DravaError, match="not what was written"):
        Reader(folder).verify()


def test_readers_do_not_write_and_do_not_disturb(folder):
    journal = small(folder)
    reader = None
    for number in range(1, 100):
        journal.append(rows(number))
        reader = reader or Reader(folder)
        assert reader.read(number - 1, 10)[0].id == number
        journal.trim(number - 1)
    assert len(segments(folder)) <= 2


def test_files_are_for_the_owner_alone(folder):
    journal = small(folder)
    for number in range(1, 41):
        journal.append(rows(number))
    assert folder.stat().st_mode & 0o077 == 0
    assert all(path.stat().st_mode & 0o077 == 0 for path in folder.iterdir())


def test_a_disk_that_does_not_take_it_leaves_nothing_of_it(folder):
    """After a failure the same rows are written again under the same numbers: none twice, none missing."""
    journal = Journal(folder)
    journal.append(rows(1))
    journal._db.execute("PRAGMA max_page_count = 1")  # the database says SQLITE_FULL, as a full disk does
    limit = journal._db.execute("PRAGMA max_page_count").fetchone()[0]
    with pytest.raises(sqlite3.Error):
        journal.append(rows(*range(2, 2 + limit * 10), count=1))
    assert [mark for _, _, mark in marks(folder)] == [1]
    journal._db.execute("PRAGMA max_page_count = 4294967294")
    journal.append(rows(2))
    assert marks(folder) == [(1, 0, 1), (2, 3, 2)]
    assert Reader(folder).verify() == 2


def test_a_segment_that_is_taken_away_takes_nothing_more(folder):
    """What is written to a file without a name is lost with the process: it must not be acknowledged."""
    journal = Journal(folder)
    journal.append(rows(1))
    (folder / "00000001.sqlite").unlink()
    with pytest.raises(DravaError, match="was taken away"):
        journal.append(rows(2))
    reader = object.__new__(Reader)
    reader.folder = folder
    with pytest.raises(DravaError, match="was taken away"):
        reader.waiting(0)


def test_what_is_left_of_a_segment_that_was_taken_away_does_not_come_into_the_new_one(folder):
    journal = Journal(folder)
    journal.append(rows(1))
    left = folder / "00000001.sqlite-wal"
    kept = left.read_bytes()
    journal.close()
    (folder / "00000001.sqlite").unlink()
    left.write_bytes(kept)
    journal = Journal(folder)
    journal.append(rows(7))
    assert marks(folder) == [(1, 0, 7)]
    assert Reader(folder).verify() == 1
