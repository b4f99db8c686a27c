"""What can be wrong with a file that people import: one closed list, with the reason and the mend in both languages."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, tzinfo
from enum import StrEnum
from functools import cache
from importlib.resources import files

from schemas.settings import Lang
from schemas.vocabulary import Text

SHOWN = 60  # characters of a wrong value that are shown


class Fault(StrEnum):
    """A kind of mistake. Stored and printed as its value."""

    FILE_TOO_LARGE = "file_too_large"
    FILE_EMPTY = "file_empty"
    ENCODING = "encoding"
    NUL = "nul"
    LONG_LINE = "long_line"
    QUOTES = "quotes"
    TOO_MANY_CELLS = "too_many_cells"
    UNPRINTABLE = "unprintable"
    EXCEL_ERROR = "excel_error"
    COLUMN_MISSING = "column_missing"
    COLUMN_TWICE = "column_twice"
    COLUMN_UNNAMED = "column_unnamed"
    COLUMN_NAME = "column_name"
    COLUMN_UNKNOWN = "column_unknown"
    COLUMN_MISSPELT = "column_misspelt"
    PERSON_COLUMN = "person_column"
    PERSON_VALUE = "person_value"
    REQUIRED = "required"
    ID_SHAPE = "id_shape"
    ID_NUMBER = "id_number"
    FAMILY_UNKNOWN = "family_unknown"
    OPTION_UNKNOWN = "option_unknown"
    NOT_NUMBER = "not_number"
    AMBIGUOUS_NUMBER = "ambiguous_number"
    OUT_OF_RANGE = "out_of_range"
    POSITION_HALF = "position_half"
    FILL_DISTANCES = "fill_distances"
    TOO_LONG = "too_long"
    NOT_YES_NO = "not_yes_no"
    NOT_TIME = "not_time"
    FAR_TIME = "far_time"
    CLOCK_CHANGE = "clock_change"
    ENDS_BEFORE_START = "ends_before_start"
    ROW_TWICE = "row_twice"
    OBJECT_TWICE = "object_twice"
    DEVICE_FAMILY = "device_family"
    THING_FAMILY = "thing_family"
    DEVICE_ELSEWHERE = "device_elsewhere"
    THING_OCCUPIED = "thing_occupied"
    PARENT_UNKNOWN = "parent_unknown"
    PARENT_CYCLE = "parent_cycle"
    TOO_MANY_ROWS = "too_many_rows"
    NOT_WORKBOOK = "not_workbook"
    NOT_GEOJSON = "not_geojson"
    NOT_WHOLE = "not_whole"
    GEOMETRY = "geometry"
    SINCE_NEEDED = "since_needed"
    REF_UNKNOWN = "ref_unknown"
    NOT_PLACED = "not_placed"
    CHANGED_SINCE = "changed_since"


@cache
def texts() -> dict[Fault, tuple[Text, Text]]:
    """What is wrong, and what to do about it, of every fault."""
    raw = tomllib.loads((files("devices") / "problems.toml").read_text("utf-8"))
    return {Fault(name): (Text(**body["what"]), Text(**body["mend"])) for name, body in raw.items()}


_LINE = {"en": "line {line}", "sl": "vrstica {line}"}


@dataclass(frozen=True)
class Problem:
    """One mistake: where it stands (line 1 is the first; column may be empty), what was found, what to do."""

    line: int
    column: str
    value: str
    fault: Fault
    detail: Mapping[str, object] = field(default_factory=dict)

    def reason(self, lang: Lang, zone: tzinfo = UTC) -> str:
        """Say what is wrong."""
        return texts()[self.fault][0].to(lang).format_map(self._told(zone))

    def mend(self, lang: Lang, zone: tzinfo = UTC) -> str:
        """Say what to do about it."""
        return texts()[self.fault][1].to(lang).format_map(self._told(zone))

    def text(self, lang: Lang, zone: tzinfo = UTC) -> str:
        """Give the whole problem as one line for people; times are those of `zone`."""
        shown = self.value if len(self.value) <= SHOWN else self.value[: SHOWN - 1] + "…"
        found = f" {shown!r}" if shown else ""
        column = f", {self.column}" if self.column else ""
        place = _LINE[lang].format(line=self.line) if self.line else ""  # the file as a whole has no line
        where = f"{place}{column}{found}: ".removeprefix(", ").removeprefix(": ")
        told = f"{where}{self.reason(lang, zone)}. {self.mend(lang, zone)}."
        return "".join(char if char.isprintable() else "?" for char in told)  # a hostile header must not reach a screen

    def _told(self, zone: tzinfo) -> dict[str, object]:
        return {k: _time(v, zone) if isinstance(v, datetime) else v for k, v in self.detail.items()}

    def record(self) -> dict[str, object]:
        """Give the problem for machines, both languages included."""
        return {
            "line": self.line,
            "column": self.column,
            "value": self.value[: SHOWN * 4],
            "fault": self.fault.value,
            **{f"reason_{lang}": self.reason(lang) for lang in ("en", "sl")},
            **{f"mend_{lang}": self.mend(lang) for lang in ("en", "sl")},
        }


def _time(moment: datetime, zone: tzinfo) -> str:
    """Write a time so that it can be pasted into the file: the day alone where it begins there."""
    local = moment.astimezone(zone)
    return local.date().isoformat() if local.time() == time() else local.isoformat()
