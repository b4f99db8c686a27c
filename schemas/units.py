"""Units of measure as UCUM codes, and their conversion to the one canonical unit of a measure."""

from fractions import Fraction as F

# unit -> (dimension, factor, offset): canonical = value * factor + offset. Exact, so that decimals stay decimals.
_UNITS: dict[str, tuple[str, F, F]] = {
    "1": ("number", F(1), F(0)),
    "%": ("ratio", F(1), F(0)),
    "{fraction}": ("ratio", F(100), F(0)),
    "Cel": ("temperature", F(1), F(0)),
    "[degF]": ("temperature", F(5, 9), F(-160, 9)),
    "K": ("temperature", F(1), F(-27315, 100)),
    "m": ("length", F(1), F(0)),
    "cm": ("length", F(1, 100), F(0)),
    "mm": ("length", F(1, 1000), F(0)),
    "km": ("length", F(1000), F(0)),
    "m3": ("volume", F(1), F(0)),
    "L": ("volume", F(1, 1000), F(0)),
    "l": ("volume", F(1, 1000), F(0)),
    "m3/h": ("flow", F(1), F(0)),
    "L/h": ("flow", F(1, 1000), F(0)),
    "l/h": ("flow", F(1, 1000), F(0)),
    "L/s": ("flow", F(36, 10), F(0)),
    "l/s": ("flow", F(36, 10), F(0)),
    "L/min": ("flow", F(6, 100), F(0)),
    "m3/s": ("flow", F(3600), F(0)),
    "kPa": ("pressure", F(1), F(0)),
    "Pa": ("pressure", F(1, 1000), F(0)),
    "hPa": ("pressure", F(1, 10), F(0)),
    "mbar": ("pressure", F(1, 10), F(0)),
    "bar": ("pressure", F(100), F(0)),
    "MPa": ("pressure", F(1000), F(0)),
    "mm[Hg]": ("pressure", F(133322387415, 10**12), F(0)),
    "kW.h": ("energy", F(1), F(0)),
    "W.h": ("energy", F(1, 1000), F(0)),
    "MW.h": ("energy", F(1000), F(0)),
    "J": ("energy", F(1, 3600000), F(0)),
    "kJ": ("energy", F(1, 3600), F(0)),
    "MJ": ("energy", F(10, 36), F(0)),
    "GJ": ("energy", F(10000, 36), F(0)),
    "W": ("power", F(1), F(0)),
    "kW": ("power", F(1000), F(0)),
    "V": ("voltage", F(1), F(0)),
    "mV": ("voltage", F(1, 1000), F(0)),
    "A": ("current", F(1), F(0)),
    "mA": ("current", F(1, 1000), F(0)),
    "km/h": ("speed", F(1), F(0)),
    "m/s": ("speed", F(36, 10), F(0)),
    "s": ("time", F(1), F(0)),
    "ms": ("time", F(1, 1000), F(0)),
    "min": ("time", F(60), F(0)),
    "h": ("time", F(3600), F(0)),
    "d": ("time", F(86400), F(0)),
    "kg": ("mass", F(1), F(0)),
    "g": ("mass", F(1, 1000), F(0)),
    "t": ("mass", F(1000), F(0)),
    "deg": ("angle", F(1), F(0)),
    "mg/L": ("concentration", F(1), F(0)),
    "ug/L": ("concentration", F(1, 1000), F(0)),
    "uS/cm": ("conductivity", F(1), F(0)),
    "[pH]": ("acidity", F(1), F(0)),
    "[NTU]": ("turbidity", F(1), F(0)),
    "{vehicle}": ("vehicles", F(1), F(0)),
    "{pulse}": ("pulses", F(1), F(0)),
}


def known(unit: str) -> bool:
    """Whether this UCUM code is one we convert."""
    return unit in _UNITS


def conversion(source: str, target: str) -> tuple[F, F] | None:
    """Give (factor, offset) with target = source * factor + offset, or None where the dimensions differ.

    Codes are UCUM, case-sensitive, except that `l` is taken for `L`.
    """
    if source == target:
        return F(1), F(0)
    if source not in _UNITS or target not in _UNITS:
        return None
    source_dimension, source_factor, source_offset = _UNITS[source]
    target_dimension, target_factor, target_offset = _UNITS[target]
    if source_dimension != target_dimension:
        return None
    return source_factor / target_factor, (source_offset - target_offset) / target_factor


def convert(value: float, source: str, target: str) -> float | None:
    """Convert one value; None where `source` cannot become `target`."""
    found = conversion(source, target)
    if found is None:
        return None
    factor, offset = found
    if factor == 1 and offset == 0:
        return value
    # decimal text, not the binary expansion: 0.1 L is 1/10000 m3 exactly
    return float(F(str(value)) * factor + offset)
