"""From bytes to plain records, one file a codec: the file's name is the codec's name."""

from importlib import import_module
from importlib.resources import files
from typing import cast

from ingest.codecs.declared import Paths
from ingest.codecs.record import Codec
from schemas.errors import DravaError

_NOT_CODECS = {"__init__", "record", "lorawan", "declared", "vectors"}


def names() -> list[str]:
    """Every codec there is, sorted."""
    here = (file.name for file in files(__name__).iterdir())
    return sorted({name.removesuffix(".py") for name in here if name.endswith(".py")} - _NOT_CODECS)


def load(name: str, paths: Paths | None = None) -> Codec:
    """Give the codec of this name. Raises DravaError where there is none; nothing else is ever imported.

    `paths` declare where foreign JSON has its device, time and measures; no other codec takes any.
    """
    if paths is not None:
        if name != "json":
            raise DravaError(f"codec {name!r} knows its own format and takes no paths", "Say codec json, or no paths")
        return paths.decode
    if name not in names():
        raise DravaError(f"there is no codec {name!r}", f"Choose one of: {', '.join(names())}")
    return cast("Codec", import_module(f"{__name__}.{name}").decode)
