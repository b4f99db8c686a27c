"""What a model of a network gave, kept: in the process, and where there is a folder for it, on disk.

A file's name says what it is of (the model's bytes, what was asked of it, this format), so none is ever out of date;
one that cannot be read is made again. It holds arrays and names, nothing that runs when it is read.
"""

import hashlib
import json
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

FORMAT = 1
KEPT = 4  # models in the process

Held = TypeVar("Held")
_MEMORY: dict[str, Any] = {}


def kept(
    kind: type[Held], model: Path, settings: Any, folder: Path | None, make: Callable[[], Held | None]
) -> Held | None:
    """Give what `make` gives of a model with these settings (a dataclass of arrays and JSON), made once."""
    asked = json.dumps([FORMAT, kind.__name__, settings]).encode()
    key = hashlib.sha256(asked + b"\0" + model.read_bytes()).hexdigest()[:32]
    if key not in _MEMORY:
        if len(_MEMORY) >= KEPT:
            del _MEMORY[next(iter(_MEMORY))]
        _MEMORY[key] = _from(kind, folder, key) or _made(folder, key, make)
    told: Held | None = _MEMORY[key]
    return told


def _from(kind: type[Held], folder: Path | None, key: str) -> Held | None:
    if folder is None:
        return None
    try:
        with np.load(folder / f"{key}.npz", allow_pickle=False) as file:
            rest = json.loads(str(file["rest"]))
            return kind(**{one.name: rest[one.name] if one.name in rest else file[one.name] for one in fields(kind)})  # type: ignore[arg-type]
    except (OSError, EOFError, ValueError, LookupError, zipfile.BadZipFile):
        return None


def _made(folder: Path | None, key: str, make: Callable[[], Held | None]) -> Held | None:
    held = make()
    if held is None or folder is None:
        return held
    values = {one.name: getattr(held, one.name) for one in fields(held)}  # type: ignore[arg-type]
    arrays = {name: value for name, value in values.items() if isinstance(value, np.ndarray)}
    rest = json.dumps({name: value for name, value in values.items() if name not in arrays})
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, suffix=".part", delete=False) as file:
            np.savez_compressed(file, allow_pickle=False, rest=np.array(rest), **arrays)
        Path(file.name).replace(folder / f"{key}.npz")
    except OSError:  # a full or read-only disk: it is in memory
        return held
    return held
