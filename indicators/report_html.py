"""The report as one HTML file that stands alone: no script, no font, no network; it prints, and reads on a phone."""

from collections.abc import Iterator, Sequence
from html import escape
from zoneinfo import ZoneInfo

from indicators import words
from indicators.quantities import quantity, share
from indicators.report import Report
from indicators.report_lines import WELL_COVERED, Line, Table
from indicators.report_words import THIN, Words
from indicators.sheet import Row, Status

_WIDTH, _HEIGHT, _EDGE = 120, 28, 3
_TEXT = ("where", "status")  # columns that are read from the left
_GOOD: dict[Status, str] = {"reached": "good", "on_course": "good", "behind": "bad"}
_STYLE = """
:root { color-scheme: light dark; --ink: #16202a; --dim: #52616f; --line: #d5dde4; --paper: #fff; --soft: #f3f6f9;
  --blue: #1c6390; --bad: #a3261e; --good: #22683f }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --dim: #a3b1be; --line: #2f3d49; --paper: #10171d;
  --soft: #18222b; --blue: #7cc4ee; --bad: #ff9a91; --good: #86d9a9 } }
* { box-sizing: border-box }
body { margin: 0 auto; max-width: 76rem; padding: 2rem 1.25rem 4rem; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, "Segoe UI", Roboto, "Liberation Sans", sans-serif }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 .5rem; text-wrap: balance }
h2 { font-size: 1.25rem; margin: 2.75rem 0 .25rem; padding-bottom: .3rem; border-bottom: 2px solid var(--ink) }
h3 { font-size: 1rem; margin: 1.5rem 0 .25rem }
p { margin: .25rem 0; max-width: 60rem } .dim, caption, small { color: var(--dim) } a { color: var(--blue) }
nav ul { list-style: none; display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; margin: .75rem 0 0; padding: 0 }
table { border-collapse: collapse; width: 100%; margin: .25rem 0 0; table-layout: fixed }
thead th:first-child { width: 24% } .kpis thead th:first-child { width: 38% } td { overflow-wrap: anywhere }
th, td { text-align: right; vertical-align: top; padding: .35rem .5rem; border-bottom: 1px solid var(--line);
  font-variant-numeric: tabular-nums }
thead th { font-size: .8rem; font-weight: 600; color: var(--dim); vertical-align: bottom; white-space: nowrap }
th[scope=row], .text, thead th.text { text-align: left; font-weight: 400 } thead th.text { font-weight: 600 }
td.value { font-weight: 600; white-space: nowrap } tbody tr:nth-child(even) { background: var(--soft) }
tbody th[scope=rowgroup] { text-align: left; padding-top: 1rem; background: var(--paper) }
.good { color: var(--good) } .bad { color: var(--bad) }
.code { display: inline-block; min-width: 3.2rem; font-weight: 600 }
small { display: block; font-size: .85rem; font-weight: 400; white-space: normal }
svg { display: block; margin-left: auto; overflow: visible } polyline { fill: none; stroke: var(--blue);
  stroke-width: 1.5; stroke-linejoin: round } circle { fill: var(--blue) }
code { font-size: .8rem; color: var(--dim); overflow-wrap: anywhere }
@media (max-width: 46rem) {
  body { padding: 1.25rem 1rem 3rem }
  thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%) }
  table, tbody, tr, th, td { display: block; width: auto !important }
  tbody tr { border-bottom: 1px solid var(--line); padding: .5rem 0 } tbody tr:nth-child(even) { background: none }
  th, td { border: 0; padding: .1rem 0; text-align: left } th[scope=row] { font-weight: 600 }
  td { display: flex; justify-content: space-between; gap: 1rem; text-align: right } td:empty { display: none }
  td::before { content: attr(data-label); color: var(--dim); flex: none; text-align: left; font-weight: 400 }
  td > span { text-align: right } svg { margin: 0 }
}
@media print {
  :root { --ink: #000; --dim: #444; --line: #bbb; --paper: #fff; --soft: #fff; --blue: #234; --bad: #000; --good: #000 }
  body { max-width: none; padding: 0; font-size: 10pt } nav { display: none }
  tr, h2, h3 { break-inside: avoid } h2, h3 { break-after: avoid } thead { display: table-header-group }
}
""".strip()


def page(report: Report, zone: ZoneInfo) -> str:
    """Write the report as a standalone HTML document; every text from outside is escaped."""
    return "".join(_parts(report, Words(report), zone))


def _parts(report: Report, say: Words, zone: ZoneInfo) -> Iterator[str]:
    title = escape(say.title)
    yield f'<!doctype html>\n<html lang="{report.lang}">\n<head>\n<meta charset="utf-8">\n<title>{title}</title>\n'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
    yield f"<style>\n{_STYLE}\n</style>\n</head>\n<body>\n<header>\n<h1>{title}</h1>\n"
    made = words.moment(report.made_at, zone, report.lang)
    taken = words.moment(report.taken_at, zone, report.lang)
    facts = f"{say('made')}: {made} · {say('snapshot')}: {report.snapshot} ({taken})"
    yield f'<p class="dim">{escape(facts)}</p>\n<p>{escape(say("explained"))}</p>\n'
    marked = say("only_coverage", share(WELL_COVERED, report.lang), THIN)
    yield f"<p>{escape(marked)}</p>\n{_contents(report, say)}</header>\n<main>\n"
    for area, tables in report.areas.items():
        yield f'<section>\n<h2 id="{escape(area)}">{escape(say.area(area))}</h2>\n'
        yield from (_table(table, say) for table in tables)
        yield "</section>\n"
    if not report.areas:
        yield f"<p>{escape(say('no_values'))}</p>\n"
    for strategy in report.strategies:
        yield f'<section>\n<h2 id="{strategy.id}">{escape(strategy.title.to(report.lang))}</h2>\n'
        listed = list(report.kpis[strategy.id])
        yield f"<p>{escape(say.summary(listed))}.</p>\n"
        yield _sheet(listed, {key: text.to(report.lang) for key, text in strategy.areas.items()}, say)
        yield "</section>\n"
    yield f'<section>\n<h2 id="missing">{escape(say("missing"))}</h2>\n{_missing(say)}</section>\n'
    yield f'<section>\n<h2 id="iso">{escape(say("iso"))}</h2>\n{_iso(report, say)}</section>\n'
    yield "</main>\n</body>\n</html>\n"


def _contents(report: Report, say: Words) -> str:
    links = [(area, say.area(area)) for area in report.areas]
    links += [(strategy.id, strategy.title.to(report.lang)) for strategy in report.strategies]
    links += [("missing", say("missing")), ("iso", say("iso"))]
    items = "".join(f'<li><a href="#{escape(name)}">{escape(text)}</a></li>' for name, text in links)
    return f'<nav aria-label="{escape(say("contents"))}"><ul>{items}</ul></nav>\n'


def _table(table: Table, say: Words) -> str:
    pack = table.pack
    cells = [say.line(table, line) for line in table.lines]
    used = {name for row in cells for name, text in row if text} | {"where", "value"}
    names = [name for name, _ in cells[0] if name in used]
    head = _head([*names[:2], "trend", *names[2:]], say)
    rows = "".join(_row(line, row, names, say) for line, row in zip(table.lines, cells, strict=True))
    return (
        f"<h3>{escape(pack.title.to(say.lang))}</h3>\n<p>{escape(pack.meaning.to(say.lang))}</p>\n"
        f"<p><code>{escape(say.origin(table))}</code></p>\n"
        f"<table>\n{head}<tbody>\n{rows}</tbody>\n</table>\n"
    )


def _head(names: Sequence[str], say: Words) -> str:
    cells = "".join(
        f'<th scope="col"{_class("text" if name in (*_TEXT, "kpi") else "")}>{escape(say(name))}</th>' for name in names
    )
    return f"<thead><tr>{cells}</tr></thead>\n"


def _row(line: Line, cells: Sequence[tuple[str, str]], names: Sequence[str], say: Words) -> str:
    told = [(name, text) for name, text in cells if name in names]
    first, value, *rest = [_cell(name, text, say) for name, text in told]
    drawn = f'<td data-label="{escape(say("trend"))}">{sparkline(line.trend, say("trend"))}</td>'
    return f"<tr>{first}{value}{drawn}{''.join(rest)}</tr>\n"


def _cell(name: str, text: str, say: Words, mark: str = "", small: str = "") -> str:
    if name == "where":
        return f'<th scope="row">{escape(text)}</th>'
    kind = " ".join(part for part in ("text" if name in _TEXT else name if name == "value" else "", mark) if part)
    return f'<td data-label="{escape(say(name))}"{_class(kind)}>{_told(text, small)}</td>'


def _told(text: str, small: str) -> str:
    return f"<span>{escape(text)}{_small(small)}</span>" if text else ""


def _small(text: str) -> str:
    return f"<small>{escape(text)}</small>" if text else ""


def _class(name: str) -> str:
    return f' class="{name}"' if name else ""


def _sheet(listed: Sequence[Row], areas: dict[str, str], say: Words) -> str:
    parts = [_head(["kpi", "base", "value", "trend", "reporting", "target", "status"], say)]
    before = ""
    for row in listed:
        if row.kpi.area != before:
            parts.append("</tbody>\n" if before else "")
            parts.append(f'<tbody>\n<tr><th colspan="7" scope="rowgroup">{escape(areas[row.kpi.area])}</th></tr>\n')
            before = row.kpi.area
        parts.append(_kpi(row, say))
    return f'<table class="kpis">\n{"".join(parts)}</tbody>\n</table>\n'


def _kpi(row: Row, say: Words) -> str:
    about = [row.kpi.measure.to(say.lang), row.kpi.note.to(say.lang) if row.kpi.note else ""]
    small = "".join(_small(text) for text in about)
    title = f'<span class="code">{escape(row.kpi.id)}</span> {escape(row.kpi.title.to(say.lang))}{small}'
    cells = [
        _cell(name, text, say, _GOOD.get(row.status, "") if name == "status" else "", small=below)
        for name, text, below in say.kpi(row)
    ]
    drawn = sparkline([point.value for point in row.series], say("trend"))
    change = quantity(row.change, row.kpi.unit, say.lang, signed=True)
    cells.insert(2, f'<td data-label="{escape(say("trend"))}">{drawn}{_small(change)}</td>')
    return f'<tr><th scope="row">{title}</th>{"".join(cells)}</tr>\n'


def _missing(say: Words) -> str:
    found = list(say.gaps())
    if not found:
        return f"<p>{escape(say('nothing'))}</p>\n"
    rows = "".join(
        f'<tr><th scope="row">{escape(title)}</th>'
        f'<td data-label="{escape(say("why"))}" class="text">{escape(why)}</td></tr>\n'
        for title, why in found
    )
    head = "".join(f'<th scope="col" class="text">{escape(say(name))}</th>' for name in ("indicator", "why"))
    return f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}</tbody>\n</table>\n"


def _iso(report: Report, say: Words) -> str:
    items = "".join(
        f"<li>{escape(one.standard)}, {escape(one.number)}: {escape(one.title.to(say.lang))}"
        f"{escape(' → ' + ', '.join(filter(None, (*one.kpis, one.indicator))))}</li>\n"
        for one in report.references
        if one.kpis or one.indicator
    )
    return f"<p>{escape(say('iso_note'))}</p>\n<ul>\n{items}</ul>\n"


def sparkline(values: Sequence[float | None], label: str) -> str:
    """A small line chart as SVG; gaps in the values are gaps in the line. Nothing for less than two values."""
    known = [value for value in values if value is not None]
    if len(known) < 2:  # noqa: PLR2004 - a point is no line
        return ""
    low, high = min(known), max(known)
    across = (_WIDTH - 2 * _EDGE) / (len(values) - 1)
    up = (_HEIGHT - 2 * _EDGE) / (high - low) if high > low else 0.0
    points = [
        None if value is None else (_EDGE + n * across, _HEIGHT - _EDGE - (value - low) * up if up else _HEIGHT / 2)
        for n, value in enumerate(values)
    ]
    drawn = "".join(_stretch(stretch) for stretch in _stretches(points))
    last = next(point for point in reversed(points) if point)
    size = f'width="{_WIDTH}" height="{_HEIGHT}" viewBox="0 0 {_WIDTH} {_HEIGHT}"'
    told = escape(f"{label}: {low:g} – {high:g}")
    end = f'<circle cx="{last[0]:.1f}" cy="{last[1]:.1f}" r="2.5"/>'
    return f'<svg {size} role="img" aria-label="{told}">{drawn}{end}</svg>'


_Place = tuple[float, float]


def _stretches(points: Sequence[_Place | None]) -> Iterator[list[_Place]]:
    stretch: list[_Place] = []
    for point in [*points, None]:
        if point is not None:
            stretch.append(point)
        elif stretch:
            yield stretch
            stretch = []


def _stretch(points: Sequence[_Place]) -> str:
    if len(points) == 1:
        return f'<circle cx="{points[0][0]:.1f}" cy="{points[0][1]:.1f}" r="1.2"/>'
    return f'<polyline points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in points)}"/>'
