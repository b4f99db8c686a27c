"""Findings of `drava doctor`: what was checked, how it is and what to do about it; the texts are in doctor.toml."""

import tomllib
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import Any

from schemas.settings import Lang


class Level(StrEnum):
    """How it is."""

    OK = "ok"
    WARN = "warn"  # it works, but not as it should, or nobody can tell
    FAIL = "fail"  # it does not work, or data are in danger


@dataclass(frozen=True)
class Finding:
    """One thing that was found; texts in one language."""

    check: str
    case: str
    level: Level
    what: str
    todo: str | None

    def record(self) -> dict[str, str | None]:
        """For machines."""
        return {
            "check": self.check,
            "case": self.case,
            "level": self.level.value,
            "what": self.what,
            "do": self.todo,
        }


@cache
def texts() -> dict[str, dict[str, dict[str, str]]]:
    """Every case by check and name: level, en, sl, do_en, do_sl."""
    return tomllib.loads((files("ingest") / "doctor.toml").read_text("utf-8"))


class Say:
    """Makes findings in one language."""

    def __init__(self, lang: Lang) -> None:
        """`sl` or `en`."""
        self.lang = lang

    def __call__(self, place: str, /, **facts: Any) -> Finding:
        """The finding `check.case` with its braces filled."""
        check, _, case = place.partition(".")
        found = texts()[check][case]
        todo = found.get(f"do_{self.lang}")
        what = found[self.lang].format(**facts)
        return Finding(check, case, Level(found["level"]), what, todo.format(**facts) if todo else None)
