"""Proves that units are converted exactly, there and back, and never between dimensions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.units import _UNITS, conversion, convert, known

SAME = {unit: {other for other in _UNITS if _UNITS[other][0] == _UNITS[unit][0]} for unit in _UNITS}


@pytest.mark.parametrize(
    ("value", "source", "target", "wanted"),
    [
        (0.1, "L", "m3", 0.0001),
        (12345.6, "L", "m3", 12.3456),
        (1, "L/s", "m3/h", 3.6),
        (3, "bar", "kPa", 300),
        (1013.25, "mbar", "kPa", 101.325),
        (20, "Cel", "K", 293.15),
        (32, "[degF]", "Cel", 0),
        (-40, "[degF]", "Cel", -40),
        (0.5, "{fraction}", "%", 50),
        (1, "GJ", "kW.h", 277.77777777777777),
        (1500, "W.h", "kW.h", 1.5),
        (10, "m/s", "km/h", 36),
        (15, "min", "s", 900),
        (7, "l", "m3", 0.007),
    ],
)
def test_known_values(value, source, target, wanted):
    assert convert(value, source, target) == wanted


@given(st.sampled_from(sorted(_UNITS)), st.floats(-1e9, 1e9), st.data())
def test_there_and_back_gives_the_value(unit, value, data):
    other = data.draw(st.sampled_from(sorted(SAME[unit])))
    back = convert(convert(value, unit, other), other, unit)
    assert back == pytest.approx(value, rel=1e-9, abs=1e-6)


@given(st.sampled_from(sorted(_UNITS)), st.data())
def test_the_exact_conversions_are_inverse(unit, data):
    factor, offset = conversion(unit, other := data.draw(st.sampled_from(sorted(SAME[unit]))))
    inverse, back = conversion(other, unit)
    assert (factor * inverse, offset * inverse + back) == (1, 0)


def test_no_unit_becomes_one_of_another_dimension():
    for unit in _UNITS:
        for other in _UNITS:
            assert (conversion(unit, other) is None) == (_UNITS[unit][0] != _UNITS[other][0]), (unit, other)


@pytest.mark.parametrize("unit", ["", "M3", "KWH", "liter", "m³", "°C", "Cel ", "l/H"])
def test_what_is_no_ucum_code_of_ours_is_not_guessed(unit):
    assert not known(unit)
    assert convert(1, unit, "m3") is None
