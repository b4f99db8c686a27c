"""Units of measure as UCUM codes, and their conversion to the one canonical unit of a measure."""

from fractions import Fraction
from functools import lru_cache

# unit -> (dimension, factor, offset): canonical = value * factor + offset. Exact, so that decimals stay decimals.
_UNITS: dict[str, tuple[str, Fraction, Fraction]] = {
    "1": ("number", Fraction(1), Fraction(0)),
    "%": ("ratio", Fraction(1), Fraction(0)),
    "{fraction}": ("ratio", Fraction(100), Fraction(0)),
    "Cel": ("temperature", Fraction(1), Fraction(0)),
    "[degF]": ("temperature", Fraction(5, 9), Fraction(-160, 9)),
    "K": ("temperature", Fraction(1), Fraction(-27315, 100)),
    "m": ("length", Fraction(1), Fraction(0)),
    "cm": ("length", Fraction(1, 100), Fraction(0)),
    "mm": ("length", Fraction(1, 1000), Fraction(0)),
    "km": ("length", Fraction(1000), Fraction(0)),
    "m3": ("volume", Fraction(1), Fraction(0)),
    "L": ("volume", Fraction(1, 1000), Fraction(0)),
    "l": ("volume", Fraction(1, 1000), Fraction(0)),
    "m3/h": ("flow", Fraction(1), Fraction(0)),
    "L/h": ("flow", Fraction(1, 1000), Fraction(0)),
    "l/h": ("flow", Fraction(1, 1000), Fraction(0)),
    "L/s": ("flow", Fraction(36, 10), Fraction(0)),
    "l/s": ("flow", Fraction(36, 10), Fraction(0)),
    "L/min": ("flow", Fraction(6, 100), Fraction(0)),
    "m3/s": ("flow", Fraction(3600), Fraction(0)),
    "kPa": ("pressure", Fraction(1), Fraction(0)),
    "Pa": ("pressure", Fraction(1, 1000), Fraction(0)),
    "hPa": ("pressure", Fraction(1, 10), Fraction(0)),
    "mbar": ("pressure", Fraction(1, 10), Fraction(0)),
    "bar": ("pressure", Fraction(100), Fraction(0)),
    "MPa": ("pressure", Fraction(1000), Fraction(0)),
    "mm[Hg]": ("pressure", Fraction(133322387415, 10**12), Fraction(0)),
    "kW.h": ("energy", Fraction(1), Fraction(0)),
    "W.h": ("energy", Fraction(1, 1000), Fraction(0)),
    "MW.h": ("energy", Fraction(1000), Fraction(0)),
    "J": ("energy", Fraction(1, 3600000), Fraction(0)),
    "kJ": ("energy", Fraction(1, 3600), Fraction(0)),
    "MJ": ("energy", Fraction(10, 36), Fraction(0)),
    "GJ": ("energy", Fraction(10000, 36), Fraction(0)),
    "W": ("power", Fraction(1), Fraction(0)),
    "kW": ("power", Fraction(1000), Fraction(0)),
    "V": ("voltage", Fraction(1), Fraction(0)),
    "mV": ("voltage", Fraction(1, 1000), Fraction(0)),
    "A": ("current", Fraction(1), Fraction(0)),
    "mA": ("current", Fraction(1, 1000), Fraction(0)),
    "km/h": ("speed", Fraction(1), Fraction(0)),
    "m/s": ("speed", Fraction(36, 10), Fraction(0)),
    "s": ("time", Fraction(1), Fraction(0)),
    "ms": ("time", Fraction(1, 1000), Fraction(0)),
    "min": ("time", Fraction(60), Fraction(0)),
    "h": ("time", Fraction(3600), Fraction(0)),
    "d": ("time", Fraction(86400), Fraction(0)),
    "kg": ("mass", Fraction(1), Fraction(0)),
    "g": ("mass", Fraction(1, 1000), Fraction(0)),
    "t": ("mass", Fraction(1000), Fraction(0)),
    "deg": ("angle", Fraction(1), Fraction(0)),
    "W/m2": ("irradiance", Fraction(1), Fraction(0)),
    "lx": ("illuminance", Fraction(1), Fraction(0)),
    "dB[SPL]": ("sound level", Fraction(1), Fraction(0)),
    "Hz": ("frequency", Fraction(1), Fraction(0)),
    "ug/m3": ("content of air", Fraction(1), Fraction(0)),
    "mg/m3": ("content of air", Fraction(1000), Fraction(0)),
    "[ppm]": ("share of air", Fraction(1), Fraction(0)),
    "[ppb]": ("share of air", Fraction(1, 1000), Fraction(0)),
    "mg/L": ("concentration", Fraction(1), Fraction(0)),
    "ug/L": ("concentration", Fraction(1, 1000), Fraction(0)),
    "uS/cm": ("conductivity", Fraction(1), Fraction(0)),
    "mS/cm": ("conductivity", Fraction(1000), Fraction(0)),
    "[pH]": ("acidity", Fraction(1), Fraction(0)),
    "[NTU]": ("turbidity", Fraction(1), Fraction(0)),
    "{vehicle}": ("vehicles", Fraction(1), Fraction(0)),
    "{pulse}": ("pulses", Fraction(1), Fraction(0)),
}


# How devices write units in clear text, and what they mean. Only what cannot be misread.
_WRITTEN = {
    "°C": "Cel", "℃": "Cel", "°F": "[degF]", "m³": "m3", "m³/h": "m3/h", "m³⋅h⁻¹": "m3/h", "m³/s": "m3/s",
    "kWh": "kW.h", "Wh": "W.h", "MWh": "MW.h", "mmHg": "mm[Hg]", "°": "deg", "µg/m³": "ug/m3", "μg/m³": "ug/m3",
    "mg/m³": "mg/m3", "mg⋅L⁻¹": "mg/L", "µS⋅cm⁻¹": "uS/cm", "μS⋅cm⁻¹": "uS/cm", "µS/cm": "uS/cm", "ppm": "[ppm]",
    "ppb": "[ppb]", "W⋅m⁻²": "W/m2", "W/m²": "W/m2", "m⋅s⁻¹": "m/s", "km⋅h⁻¹": "km/h", "pH": "[pH]", "NTU": "[NTU]",
    "dB(A)": "dB[SPL]", "mS⋅cm⁻¹": "mS/cm",
}  # fmt: skip


def known(unit: str) -> bool:
    """Whether this UCUM code is one we convert."""
    return unit in _UNITS


def code(text: object) -> str | None:
    """The UCUM code of a unit as a device writes it: a code itself, or clear text such as °C; any other as it is."""
    return _WRITTEN.get(text, text) if isinstance(text, str) and text else None


@lru_cache(maxsize=1024)  # asked for every value
def conversion(source: str, target: str) -> tuple[Fraction, Fraction] | None:
    """Give (factor, offset) with target = source * factor + offset, or None where the dimensions differ.

    Codes are UCUM, case-sensitive, except that `l` is taken for `L`.
    """
    if source == target:
        return Fraction(1), Fraction(0)
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
    return float(Fraction(str(value)) * factor + offset)
