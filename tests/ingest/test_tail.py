"""What a backup copies of a journal: at every position the rest of it, and a receiver goes on from there."""

import sqlite3
from contextlib import ExitStack, closing

import pyarrow as pa
import pytest

from ingest.journal import MESSAGES, Journal, Reader
from ingest.tail import copy_tail

ROWS = 6


def batch(number):
    row = {"received_at": number, "topic": "t", "payload": b"%d" % number * 9000, "qos": 1, "retain": False}
    return pa.RecordBatch.from_pylist([row | {"duplicate": False}] * 2, schema=MESSAGES)


@pytest.fixture
def journal(tmp_path):
    made = Journal(tmp_path / "a", segment_bytes=20_000)
    for number in range(ROWS):
        made.append([(batch(number), number)])
    yield made
    made.close()


def copy(journal, target, positions):
    target.mkdir()
    with ExitStack() as stack:
        paths = sorted(journal.folder.glob("*.sqlite"))
        copy_tail([(path, stack.enter_context(closing(sqlite3.connect(path)))) for path in paths], target, positions)


@pytest.mark.parametrize("position", range(ROWS + 1))
def test_the_rest_from_every_position(journal, tmp_path, position):
    assert len(list(journal.folder.glob("*.sqlite"))) > 2
    copy(journal, tmp_path / "b", {journal.uuid: position})
    reader = Reader(tmp_path / "b")
    assert reader.verify() == ROWS - position
    assert reader.read(position, 99) == Reader(journal.folder).read(position, 99)
    again = Journal(tmp_path / "b", segment_bytes=20_000)
    assert (again.uuid, again.last_row, again.messages) == (journal.uuid, ROWS, 2 * ROWS)
    again.append([(batch(9), 9)])
    journal.append([(batch(9), 9)])
    assert Reader(tmp_path / "b").read(position, 99) == Reader(journal.folder).read(position, 99)
    assert Reader(tmp_path / "b").verify() == ROWS + 1 - position
    again.trim(ROWS)
    assert [row.id for row in Reader(tmp_path / "b").read(ROWS, 99)] == [ROWS + 1]
    again.close()


def test_a_journal_that_the_catalogue_does_not_know_is_copied_whole(journal, tmp_path):
    copy(journal, tmp_path / "b", {})
    assert Reader(tmp_path / "b").verify() == ROWS
