"""The report as Markdown for people and as CSV for programs."""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from zoneinfo import ZoneInfo

from devices.template import harmless
from indicators import words
from indicators.quantities import share
from indicators.report import Report
from indicators.report_lines import WELL_COVERED
from indicators.report_words import THIN, Words

COLUMNS = (
    "section",
    "id",
    "title",
    "subject",
    "unit",
    "value",
    "before",
    "target",
    "target_year",
    "reporting",
    "coverage",
    "estimated_share",
    "devices",
    "periods_with_value",
    "periods",
    "status",
    "how",
    "source",
    "date",
    "version",
    "snapshot",
    "note",
)
_SPECIAL = re.compile(r"([\\`*_\[\]<>|#~!])")


def markdown(report: Report, zone: ZoneInfo) -> str:
    """Write the report as Markdown; what could be markup in texts from outside is escaped."""
    return "".join(_paragraphs(report, Words(report), zone))


def _paragraphs(report: Report, say: Words, zone: ZoneInfo) -> Iterator[str]:
    yield f"# {_safe(say.title)}\n\n"
    made, taken = (words.moment(at, zone, report.lang) for at in (report.made_at, report.taken_at))
    yield f"{say('made')}: {made} · {say('snapshot')}: {report.snapshot} ({taken})\n\n{say('explained')}\n\n"
    yield _safe(say("only_coverage", share(WELL_COVERED, report.lang), THIN)) + "\n"
    for area, tables in report.areas.items():
        yield f"\n## {_safe(say.area(area))}\n"
        for table in tables:
            cells = [say.line(table, line) for line in table.lines]
            yield f"\n### {_safe(table.pack.title.to(say.lang))}\n\n{_safe(table.pack.meaning.to(say.lang))}\n\n"
            yield f"{_safe(say.origin(table))}\n\n"
            yield _table([say(name) for name, _ in cells[0]], ([text for _, text in row] for row in cells))
    for strategy in report.strategies:
        listed = list(report.kpis[strategy.id])
        yield f"\n## {_safe(strategy.title.to(say.lang))}\n\n{_safe(say.summary(listed))}.\n\n"
        head = [say(name) for name in ("kpi", "base", "value", "reporting", "target", "status")]
        told = ([f"{row.kpi.id} {row.kpi.title.to(say.lang)}", *map(_with_small, say.kpi(row))] for row in listed)
        yield _table(head, told)
    yield f"\n## {_safe(say('missing'))}\n\n"
    yield _table([say("indicator"), say("why")], say.gaps()) if report.gaps else f"{say('nothing')}\n"


def _with_small(cell: tuple[str, str, str]) -> str:
    return f"{cell[1]} ({cell[2]})" if cell[2] else cell[1]


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *([_safe(cell) for cell in row] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _safe(text: str) -> str:
    one_line = " ".join(text.split())
    return _SPECIAL.sub(r"\\\1", one_line).replace("&", "&amp;")


def table(report: Report) -> str:
    """Write the report as CSV: UTF-8, `,`, decimal point; no cell is a formula."""
    sink = io.StringIO(newline="")
    writer = csv.DictWriter(sink, COLUMNS, restval="")
    writer.writeheader()
    for row in _rows(report, Words(report)):
        writer.writerow({name: harmless(_plain(value)) for name, value in row.items()})
    return sink.getvalue()


def _plain(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.12g}" if isinstance(value, float) else str(value)


def _rows(report: Report, say: Words) -> Iterator[dict[str, object]]:
    for area, tables in report.areas.items():
        for one in tables:
            target = one.target or (None, None)
            for line in one.lines:
                yield {
                    "section": area,
                    "id": one.pack.id,
                    "title": one.pack.title.to(say.lang),
                    "subject": line.where,
                    "unit": one.pack.unit,
                    "value": line.value,
                    "before": line.before,
                    "target": target[1],
                    "target_year": target[0],
                    "coverage": line.coverage,
                    "estimated_share": line.estimated,
                    "devices": line.devices,
                    "periods_with_value": line.known,
                    "periods": line.possible,
                    "date": report.period.last.isoformat(),
                    "version": " ".join(map(str, line.versions)),
                    "snapshot": line.snapshot,
                }
    yield from _kpis(report, say)
    for gap in report.gaps:
        title, why = say.gap(gap)
        yield {"section": "missing", "id": gap.pack.id, "title": title, "unit": gap.pack.unit, "note": why}


def _kpis(report: Report, say: Words) -> Iterator[dict[str, object]]:
    for strategy in report.strategies:
        for row in report.kpis[strategy.id]:
            now, year = row.now, row.kpi.target[0]
            yield {
                "section": strategy.id,
                "id": row.kpi.id,
                "title": row.kpi.title.to(say.lang),
                "unit": row.kpi.unit,
                "value": now.value if now else None,
                "target": row.kpi.target[1],
                "target_year": year or None,
                "reporting": row.reporting.value if row.reporting else None,
                "coverage": (row.reporting or now).coverage if now else None,
                "status": row.status,
                "how": row.how,
                "source": now.reference if now else "",
                "date": now.on.isoformat() if now else "",
                "version": now.version if now else None,
                "snapshot": now.snapshot_id if now else None,
                "note": row.kpi.note.to(say.lang) if row.kpi.note else "",
            }
