"""What the devices of one type say and what it means: one TOML file a device type, checked once.

Drava brings profiles along (`devices/profiles/`); a city keeps its own in the folder `profiles` of its home, where a
file of the same name takes the place of ours. The words of the format are in `devices/words.py`.
"""

import re
import tomllib
from collections.abc import Iterable
from functools import cache
from importlib.abc import Traversable
from importlib.resources import files
from pathlib import Path

from pydantic import ValidationError

from devices.mistakes import Mistake, mistakes_of
from devices.words import WORDS, Profile
from schemas.errors import DravaError

SUFFIX = ".toml"


def read(name: str, text: str) -> Profile | list[Mistake]:
    """Read the text of a profile's file, or give all that is wrong with it, each with its line and the mend."""
    try:
        body = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"\(at line (\d+), .*\)|\(at end of document\)", str(error))
        line = int(found[1]) if found and found[1] else text.count("\n") + 1
        said = str(error)[: found.start()].strip() if found else str(error)
        return [Mistake(line, f"not valid TOML: {said}", "Mend this line; texts stand in quotes")]
    try:
        profile = Profile.model_validate(body)
    except ValidationError as error:
        return mistakes_of(error, text, WORDS)
    if name != profile.id + SUFFIX:
        return [Mistake(1, f"id is {profile.id!r}, the file is {name!r}", "Give file and id the same name")]
    return profile


def load(file: Traversable) -> Profile:
    """Read one profile. Raises DravaError with the file, the line, the key and what to do."""
    try:
        found = read(file.name, file.read_text("utf-8"))
    except UnicodeDecodeError as error:
        raise DravaError(f"{file.name}: not UTF-8: {error}", "Save it as UTF-8") from None
    if isinstance(found, Profile):
        return found
    raise DravaError(f"{file.name}: line {found[0].line}: {found[0].what}", found[0].remedy)


class Profiles:
    """The profiles in force: found by the model that the registry names."""

    def __init__(self, found: Iterable[Profile], base: "Profiles | None" = None) -> None:
        """`found` go before `base`, by id and by model. Two of `found` with one model: the later is broken."""
        found = list(found)
        self.by_id: dict[str, Profile] = {**(base.by_id if base else {}), **{profile.id: profile for profile in found}}
        self.broken: dict[str, str] = {}  # file -> what is wrong with it
        self.models: dict[str, Profile] = {}
        for profile in found:
            for model in profile.recognise.models:
                other = self.models.setdefault(_plain(model), profile)
                if other is not profile:
                    self.broken[profile.id + SUFFIX] = f"model {model!r} is in {other.id}{SUFFIX} too"
        for model, profile in (base.models if base else {}).items():
            if self.by_id[profile.id] is profile:  # a file of the same name takes its whole place
                self.models.setdefault(model, profile)

    def by_model(self, model: str) -> Profile | None:
        """Give the profile of a model as the registry writes it, or None; case, spaces and hyphens do not matter."""
        return self.models.get(_plain(model))


def profiles() -> dict[str, Profile]:
    """Every profile that Drava brings along, by its id, sorted."""
    return brought().by_id


def by_model(model: str) -> Profile | None:
    """Give the profile of a model among those that Drava brings along, or None."""
    return brought().by_model(model)


@cache
def brought() -> Profiles:
    """The profiles that Drava brings along. Raises DravaError where one is wrong."""
    found = [load(f) for f in (files("devices") / "profiles").iterdir() if f.name.endswith(SUFFIX)]
    made = Profiles(sorted(found, key=lambda profile: profile.id))
    for file, what in made.broken.items():
        raise DravaError(f"{file}: {what}", "Keep it in one of them")
    return made


def stamp(folder: Path) -> tuple[tuple[str, int, int], ...]:
    """What tells one state of a city's folder of profiles from another; empty where there is none."""
    return tuple(sorted((file.name, stat.st_mtime_ns, stat.st_size) for file in _own(folder) if (stat := file.stat())))


def in_force(folder: Path) -> Profiles:
    """Ours and the city's own. A file that cannot be read stops nothing: it is named in `broken`."""
    own: list[Profile] = []
    broken: dict[str, str] = {}
    for file in sorted(_own(folder)):
        try:
            own.append(load(file))
        except (DravaError, OSError) as error:
            broken[file.name] = str(error)
    if not own and not broken:
        return brought()
    made = Profiles(own, brought())
    made.broken |= broken
    return made


def _own(folder: Path) -> list[Path]:
    return [file for file in folder.iterdir() if file.suffix == SUFFIX] if folder.is_dir() else []


def _plain(model: str) -> str:
    return re.sub(r"[\s_-]+", "", model).casefold()
