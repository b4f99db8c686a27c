"""Dataset descriptions: what each table means, whose it is, and who may have it; and the record of who took it."""

import tomllib
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

from sqlalchemy.exc import SQLAlchemyError

from catalog.store import Store, audit
from devices.kinds import Kind, kinds
from schemas.errors import DravaError
from schemas.vocabulary import Access, Catalogue, Strict, Text, Users, families, measures

Subject = Literal["", "device", "thing", "area", "subject", "alarm"]
_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00Z")


class Dataset(Strict):
    """A table that people may ask for. Without an access class it is described, and given to nobody."""

    name: str
    access: Access | None = None
    personal: bool = True
    time: str = ""  # the column of the period; empty: it has none
    subject: Subject = ""  # what an area is found by
    catalogue: Catalogue
    family: bool = False


@cache
def _file() -> Mapping[str, Any]:
    return tomllib.loads((files("catalog") / "datasets.toml").read_text("utf-8"))


@cache
def datasets() -> dict[str, Dataset]:
    """Every dataset by its name: the families first, then what stands beside them."""
    found = {
        family.name: Dataset(
            name=family.name,
            access=family.access,
            personal=family.personal,
            time="observed_at",
            subject="device",
            catalogue=family.catalogue,
            family=True,
        )
        for family in families().values()
    }
    described = {name: Dataset(name=name, **body) for name, body in _file()["dataset"].items()}
    return found | {kind.dated_table: _of_kind(kind) for kind in kinds().values()} | described


def _of_kind(kind: Kind) -> Dataset:
    """The register of a kind of objects."""
    return Dataset(
        name=kind.dated_table,
        access=kind.access,
        personal=kind.personal,
        subject="area",
        catalogue=Catalogue(
            title=kind.title,
            meaning=kind.meaning,
            format="application/vnd.apache.parquet",
            owner=Text(en="Municipality", sl="Občina"),
            update_interval="P1M",
            usage_interval="P10Y",
            users=Users(en=["municipal administration"], sl=["občinska uprava"]),
            links=["areas"],
        ),
    )


def dataset(name: str) -> Dataset:
    """Give one dataset. Raises DravaError where it is not described."""
    try:
        return datasets()[name]
    except KeyError:
        raise DravaError(f"there is no dataset {name!r}", f"There are: {', '.join(datasets())}") from None


def column_title(name: str, lang: str) -> str:
    """The title of a column in `sl` or `en`; empty where nothing is known of it."""
    measure = measures().get(name)
    if measure is not None:
        return measure.title.to(lang)
    text = _file()["column"].get(name)
    if text:
        return Text.model_validate(text).to(lang)
    for kind in kinds().values():
        if name == kind.key:
            return kind.title.to(lang)
        if name in kind.columns:
            return kind.columns[name].title.to(lang)
    return ""


def column_unit(name: str) -> str:
    """The UCUM unit of a measure's column; empty for others."""
    measure = measures().get(name)
    return measure.unit if measure is not None else ""


def permit(what: Dataset, purpose: str) -> None:
    """Let a dataset leave, or refuse. Raises DravaError.

    Without an access class nobody has said who may have it: refused. Personal data leave for a stated purpose only.
    """
    if what.access is None:
        raise DravaError(
            f"dataset {what.name} has no access class", "Its owner must give it one: public, restricted, internal"
        )
    if what.personal and not purpose.strip():
        raise DravaError(f"dataset {what.name} holds personal data", 'Say what for: --purpose "…"; it is written down')


def record(catalog: Path, now: datetime, who: str, action: str, detail: Mapping[str, Any]) -> None:
    """Write into the catalogue who did what. Raises DravaError where that cannot be: then it must not be done."""
    micros = (now - _EPOCH) // timedelta(microseconds=1)
    try:
        store = Store.at(catalog)
        with store.begin() as db:
            db.execute(audit.insert().values(at=micros, who=who, action=action, detail=dict(detail)))
        store.close()
    except SQLAlchemyError:
        raise DravaError(
            "the audit cannot be written, so nothing personal is given out", "Run this as the user that owns the home"
        ) from None
