"""Geometry of objects: GeoJSON in WGS 84, checked, with the length of lines. Pure."""

import json
import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

from devices.problems import Fault

MAX_POSITIONS = 20_000
_EARTH_M = 6_371_008.8  # mean radius of the Earth
_DEPTH = {"Point": 0, "LineString": 1, "MultiLineString": 2, "Polygon": 2, "MultiPolygon": 3}
_TYPES = {
    "point": ("Point",),
    "line": ("LineString", "MultiLineString"),
    "polygon": ("Polygon", "MultiPolygon"),
}
_RING = 4  # positions of the smallest ring: a triangle, closed


class UnfitError(ValueError):
    """Why a geometry cannot be kept; its text is for people."""


def checked(found: Any, shapes: Sequence[str]) -> dict[str, Any]:
    """Give a GeoJSON geometry with its type and coordinates alone. Raises UnfitError."""
    kind = found.get("type") if isinstance(found, dict) else None
    allowed = [name for shape in shapes for name in _TYPES[shape]]
    if kind not in allowed:
        raise UnfitError(f"{str(kind)[:40]!r}")
    coordinates = found.get("coordinates")
    positions = list(_positions(coordinates, _DEPTH[kind]))
    if not positions or len(positions) > MAX_POSITIONS:
        raise UnfitError(f"{len(positions)} / {MAX_POSITIONS}")
    if kind.endswith("Polygon"):
        rings = coordinates if kind == "Polygon" else [ring for polygon in coordinates for ring in polygon]
        if any(len(ring) < _RING or ring[0] != ring[-1] for ring in rings):
            raise UnfitError("ring")
    return {"type": kind, "coordinates": coordinates}


def _positions(found: Any, depth: int) -> Iterator[tuple[float, float]]:
    if not isinstance(found, list):
        raise UnfitError(f"{str(found)[:40]!r}")
    if depth:
        for part in found:
            yield from _positions(part, depth - 1)
        return
    numbers = [n for n in found[:2] if isinstance(n, int | float) and not isinstance(n, bool) and math.isfinite(n)]
    if len(numbers) < 2 or abs(numbers[0]) > 180 or abs(numbers[1]) > 90:  # noqa: PLR2004 - degrees
        raise UnfitError(f"{str(found)[:40]}")
    yield numbers[0], numbers[1]


def text(found: dict[str, Any]) -> str:
    """Give a geometry as it is kept: compact JSON."""
    return json.dumps(found, separators=(",", ":"))


def parsed(cell: str, shapes: Sequence[str]) -> str | Fault:
    """Read the cell of a column `geometry`."""
    try:
        return text(checked(json.loads(cell), shapes))
    except (ValueError, RecursionError):
        return Fault.GEOMETRY


def length_m(found: dict[str, Any]) -> float:
    """Length of a line on the sphere, in metres; 0 of what is no line."""
    lines = {"LineString": [found["coordinates"]], "MultiLineString": found["coordinates"]}.get(found["type"], [])
    return sum(_metres(a, b) for line in lines for a, b in pairwise(line))


def _metres(a: Sequence[float], b: Sequence[float]) -> float:
    (x1, y1), (x2, y2) = ((math.radians(p[0]), math.radians(p[1])) for p in (a, b))
    h = math.sin((y2 - y1) / 2) ** 2 + math.cos(y1) * math.cos(y2) * math.sin((x2 - x1) / 2) ** 2
    return 2 * _EARTH_M * math.asin(min(1.0, math.sqrt(h)))
