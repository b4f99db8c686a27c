"""Datasets leave the lake as files: by period and area, in constant memory, whole or not at all."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import chain, groupby
from pathlib import Path
from typing import Any, BinaryIO, Literal
from zoneinfo import ZoneInfo

import duckdb
import pyarrow as pa

from catalog.datasets import Dataset
from lake.formats import BATCH, ROW_GROUP, new_file, text_rows, write_lines, write_parquet
from lake.query import open_found, stream
from lake.relations import literal, quote
from lake.snapshot import Snapshot, files_of
from lake.xlsx import write_xlsx
from schemas.errors import DravaError
from schemas.settings import Settings

Format = Literal["parquet", "csv", "excel-csv", "jsonl", "xlsx"]
SUFFIX: dict[str, str] = {"parquet": "parquet", "csv": "csv", "excel-csv": "csv", "jsonl": "jsonl", "xlsx": "xlsx"}
_DATES = {"day", "local_date", "period_start"}  # columns of the period that are dates, not moments
_HANGS = (
    "EXISTS (SELECT 1 FROM assignments AS a JOIN things AS t USING (thing_id) "
    "WHERE t.area_id IN (SELECT area_id FROM inside) AND a.device_id = x.device_id{when})"
)
_AT_THE_TIME = " AND {moment} >= a.valid_from AND (a.valid_to IS NULL OR {moment} < a.valid_to)"
_THINGS = "(SELECT thing_id FROM things WHERE area_id IN (SELECT area_id FROM inside))"


@dataclass(frozen=True)
class Request:
    """What is to leave: local dates of the municipality's zone, both included; an area with all areas below it."""

    dataset: Dataset
    format: Format
    first: date | None = None
    last: date | None = None
    area: str = ""


def export(
    home: Path,
    snapshot: Snapshot,
    request: Request,
    output: Path,
    *,
    settings: Settings,
    progress: Callable[[int], object] = bool,
) -> int:
    """Write a dataset of one snapshot to a file. `progress` is told the rows of each batch. Returns the rows written.

    Who may have it is asked before (`catalog.datasets.permit`). Raises DravaError for an unknown area.
    """
    names = {request.dataset.name, "areas", "things", "assignments"}
    # one thread: two would hand over the rows in another order each time, and the same question gives the same file
    calm = settings.model_copy(update={"query": settings.query.model_copy(update={"threads": 1})})
    connection = open_found(home, snapshot, settings=calm, tables=names, limited=False)
    try:
        _check_area(connection, request.area)
        with new_file(output) as out:
            return _write(out, _relations(home, snapshot, connection, request), request, snapshot.timezone, progress)
    finally:
        connection.close()


def expected_rows(home: Path, snapshot: Snapshot, request: Request) -> int | None:
    """How many stored rows will be read, for a progress bar; None where the log does not say."""
    if not request.dataset.family or request.area:
        return None
    files = files_of(home, snapshot, request.dataset.name)
    days = set(_inside({file.day for file in files}, request, snapshot.timezone))
    return sum(file.rows for file in files if file.day in days)


def _check_area(connection: duckdb.DuckDBPyConnection, area: str) -> None:
    if area and not connection.execute("SELECT 1 FROM areas WHERE area_id = ?", [area]).fetchall():
        raise DravaError(f"there is no area {area!r}", "drava sql 'SELECT area_id, title FROM areas' lists them")


def _relations(
    home: Path, snapshot: Snapshot, connection: duckdb.DuckDBPyConnection, request: Request
) -> Iterator[Any]:
    """The queries of an export: revised days one at a time, because merging them needs memory."""
    for span in _spans(home, snapshot, request):
        conditions = [*_period(request, snapshot.timezone), *_area(request), *span]
        yield connection.sql(_query(request, conditions))


def _spans(home: Path, snapshot: Snapshot, request: Request) -> list[list[str]]:
    revised = snapshot.revised.get(request.dataset.name, frozenset())
    if not revised:
        return [[]]
    days = {file.day for file in files_of(home, snapshot, request.dataset.name)}
    runs = groupby(_inside(days, request, snapshot.timezone), key=lambda day: day if day in revised else "")
    spans = [list(run) for _, run in runs]
    between = [f"x.day BETWEEN DATE {literal(span[0])} AND DATE {literal(span[-1])}" for span in spans]
    return [[condition] for condition in between] or [["false"]]


def _query(request: Request, conditions: Iterable[str]) -> str:
    inside = (
        f"WITH RECURSIVE inside AS (SELECT area_id FROM areas WHERE area_id = {literal(request.area)} "
        "UNION SELECT b.area_id FROM areas AS b JOIN inside AS i ON b.parent_id = i.area_id) "
    )
    where = " AND ".join(conditions) or "true"
    return f"{inside if request.area else ''}SELECT x.* FROM {quote(request.dataset.name)} AS x WHERE {where}"


def _bounds(request: Request, zone: str) -> tuple[datetime | None, datetime | None]:
    """The period as moments: from the first local midnight to the one after the last day."""
    local = ZoneInfo(zone)
    first = datetime.combine(request.first, time(), local).astimezone(UTC) if request.first else None
    after = request.last + timedelta(days=1) if request.last else None
    return first, datetime.combine(after, time(), local).astimezone(UTC) if after else None


def _period(request: Request, zone: str) -> list[str]:
    column = request.dataset.time
    if not (request.first or request.last):
        return []
    if not column:
        raise DravaError(f"dataset {request.dataset.name} has no times", "Export it without --from and --to")
    moment = f"x.{quote(column)}"
    if column in _DATES:
        dates = ((">=", request.first), ("<=", request.last))
        return [f"{moment} {sign} DATE {literal(day.isoformat())}" for sign, day in dates if day]
    first, end = _bounds(request, zone)
    found = [f"{moment} >= TIMESTAMPTZ {literal(first.isoformat())}"] if first else []
    found += [f"{moment} < TIMESTAMPTZ {literal(end.isoformat())}"] if end else []
    if (
        request.dataset.family or request.dataset.name == "observations"
    ):  # the same in UTC days: only their files are read
        found += [f"x.day >= DATE {literal(first.date().isoformat())}"] if first else []
        found += [f"x.day <= DATE {literal(end.date().isoformat())}"] if end else []
    return found


def _inside(days: Iterable[str], request: Request, zone: str) -> list[str]:
    first, end = _bounds(request, zone)
    low = first.date().isoformat() if first else ""
    high = end.date().isoformat() if end else "9999"
    return [day for day in sorted(days) if low <= day <= high]


def _area(request: Request) -> list[str]:
    """The condition that a row belongs to the area: readings by where their device hung at their time."""
    if not request.area:
        return []
    known = "(SELECT area_id FROM inside)"
    moment = f"CAST(x.{quote(request.dataset.time)} AS TIMESTAMPTZ)" if request.dataset.time else ""
    hangs = _HANGS.format(when=_AT_THE_TIME.format(moment=moment) if moment else "")
    by_subject = {
        "device": hangs,
        "thing": f"x.thing_id IN {_THINGS}",
        "area": f"x.area_id IN {known}",
        "alarm": f"(x.area_id IN {known} OR x.thing_id IN {_THINGS})",
        "subject": f"((x.subject_kind = 'area' AND x.subject_id IN {known}) OR "
        f"(x.subject_kind = 'thing' AND x.subject_id IN {_THINGS}))",
    }
    try:
        return [by_subject[request.dataset.subject]]
    except KeyError:
        raise DravaError(f"dataset {request.dataset.name} knows no areas", "Export it without --area") from None


def _write(
    out: BinaryIO, relations: Iterator[Any], request: Request, zone: str, progress: Callable[[int], object]
) -> int:
    if request.format == "parquet":
        return write_parquet(out, *_joined(relations, progress, ROW_GROUP))
    if request.format == "xlsx":
        schema, batches = _joined(relations, progress, BATCH)
        return write_xlsx(out, schema, batches, title=request.dataset.name, zone=zone)
    kind = request.format
    header, lines = text_rows(next(relations), kind, zone)
    rest = (text_rows(relation, kind, zone)[1] for relation in relations)
    return write_lines(out, header, _joined(chain([lines], rest), progress, BATCH)[1], kind)


def _joined(
    relations: Iterator[Any], progress: Callable[[int], object], rows: int
) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    """All relations as one stream: (columns, batches)."""
    schema, batches = stream(next(relations), rows)

    def following() -> Iterator[pa.RecordBatch]:
        yield from batches
        for relation in relations:
            yield from stream(relation, rows)[1]

    def told() -> Iterator[pa.RecordBatch]:
        for batch in following():
            progress(batch.num_rows)
            yield batch

    return schema, told()
