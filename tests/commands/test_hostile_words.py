"""Words of strangers on the command line: what is no number is refused, what would steer a terminal is shown."""

import pytest

from commands.context import visible
from commands.correct import _value
from schemas.errors import DravaError


@pytest.mark.parametrize("text", ["abc", "nan", "inf", "-inf", "1.234,5", ""])
def test_a_correction_is_a_number(text):
    with pytest.raises(DravaError, match="is not a number"):
        _value(text, "en")


def test_a_comma_is_a_decimal_mark():
    assert _value("412,5", "sl") == 412.5


def test_control_characters_are_shown():
    assert visible("a\x1b[31m\nb č") == "a\\x1b[31m\\x0ab č"
