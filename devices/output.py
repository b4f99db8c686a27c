"""Objects of a kind as files that the import reads again: CSV, Excel's CSV, GeoJSON. Pure."""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from devices.kinds import Kind
from devices.template import written

Rows = Sequence[Mapping[str, Any]]


def as_csv(kind: Kind, rows: Rows) -> bytes:
    """Give rows as CSV."""
    return _table(kind, rows, excel=False)


def as_excel_csv(kind: Kind, rows: Rows) -> bytes:
    """Give rows as a Slovenian Excel saves them."""
    return _table(kind, rows, excel=True)


def _table(kind: Kind, rows: Rows, *, excel: bool) -> bytes:
    flat = [_flat(row) for row in rows]
    more = dict.fromkeys(name for row in flat for name in row if name not in kind.header)
    cells = [{name: _cell(value) for name, value in row.items() if value is not None} for row in flat]
    return written([*kind.header, *more], cells, excel=excel)


def _flat(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row by the columns of the import: an area by its name there, attributes as columns of their own."""
    own = {"area" if name == "area_id" and next(iter(row)) != "area_id" else name: value for name, value in row.items()}
    return {**{name: value for name, value in own.items() if name != "attributes"}, **row.get("attributes", {})}


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return value.isoformat()
    return repr(value) if isinstance(value, float) else str(value)


def as_geojson(kind: Kind, rows: Rows) -> bytes:
    """Give rows as a FeatureCollection, a feature a line."""
    lines = ",\n".join(json.dumps(_feature(kind, row), ensure_ascii=False) for row in rows)
    return f'{{"type": "FeatureCollection", "features": [\n{lines}\n]}}\n'.encode()


def _feature(kind: Kind, row: Mapping[str, Any]) -> dict[str, Any]:
    flat = {name: value for name, value in _flat(row).items() if value is not None}
    lat, lon, shape = (flat.pop(name, None) for name in ("lat", "lon", "geometry"))
    found = json.loads(shape) if shape else None
    if found is None and lat is not None:
        found = {"type": "Point", "coordinates": [lon, lat]}
    told = {name: _cell(value) if isinstance(value, datetime) else value for name, value in flat.items()}
    return {"type": "Feature", "id": row[kind.key], "properties": told, "geometry": found}


FORMS: dict[str, Callable[[Kind, Rows], bytes]] = {"csv": as_csv, "excel-csv": as_excel_csv, "geojson": as_geojson}
